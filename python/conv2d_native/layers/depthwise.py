"""Depthwise and separable convolutions in one and two dimensions."""

from __future__ import annotations

from typing import Any

from .. import arguments
from .registry import register_layer
from .spatial import WeightedWindow


class BaseDepthwiseConv(WeightedWindow):
    """DepthwiseConv1D and DepthwiseConv2D for any number of spatial axes."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.depth_multiplier = arguments.integer("depth_multiplier", depth_multiplier)
        self.set_window(kernel_size, strides, padding, data_format, dilation_rate, both=True)
        self.declare_weight("depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        self.declare_bias(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: Any) -> None:
        """Create `kernel` (*kernel_size, channels, depth_multiplier) and `bias`."""
        channels = self.channels_of(input_shape)
        self.window_shape(input_shape, channels * self.depth_multiplier)
        self.kernel = self.make_weight(
            "kernel", (*self.kernel_size, channels, self.depth_multiplier), "depthwise"
        )
        self.bias = self.make_bias(channels * self.depth_multiplier)
        self._sizes_by_axis = {self.channel_axis: channels}

    def call(self, f: Any, x: Any) -> Any:
        """One depthwise convolution with bias and activation."""
        return self.slide(f, "depthwise_conv2d", x, self.kernel)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, *outputs, channels * depth_multiplier)."""
        return self.window_shape(input_shape, self.channels_of(input_shape) * self.depth_multiplier)


@register_layer
class DepthwiseConv2D(BaseDepthwiseConv):
    """Convolution of each channel by itself: output channel c * depth_multiplier + m is channel c with kernel m.

    Input (batch, height, width, channels), output (batch, rows, columns, channels * depth_multiplier). Arguments,
    errors and data_format as in Conv2D, but strides and dilation may both be above 1.
    Weights: kernel (rows, columns, channels, depth_multiplier), bias (channels * depth_multiplier,).

        >>> DepthwiseConv2D(3, strides=2, padding="same")(np.zeros((1, 8, 8, 6))).shape
        (1, 4, 4, 6)
    """


@register_layer
class DepthwiseConv1D(BaseDepthwiseConv):
    """DepthwiseConv2D for (batch, length, channels).

    >>> DepthwiseConv1D(3, depth_multiplier=2)(np.zeros((1, 8, 6))).shape
    (1, 6, 12)
    """

    spatial = 1


class BaseSeparableConv(WeightedWindow):
    """SeparableConv1D and SeparableConv2D for any number of spatial axes."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = arguments.integer("filters", filters)
        self.depth_multiplier = arguments.integer("depth_multiplier", depth_multiplier)
        self.set_window(kernel_size, strides, padding, data_format, dilation_rate, both=True)
        self.declare_weight("depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        self.declare_weight("pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint)
        self.declare_bias(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: Any) -> None:
        """Create `depthwise_kernel`, `pointwise_kernel` and `bias`."""
        channels = self.channels_of(input_shape)
        self.window_shape(input_shape, self.filters)
        deep, ones = channels * self.depth_multiplier, (1,) * self.spatial
        self.depthwise_kernel = self.make_weight(
            "depthwise_kernel", (*self.kernel_size, channels, self.depth_multiplier), "depthwise"
        )
        self.pointwise_kernel = self.make_weight("pointwise_kernel", (*ones, deep, self.filters), "pointwise")
        self.bias = self.make_bias(self.filters)
        self._sizes_by_axis = {self.channel_axis: channels}

    def call(self, f: Any, x: Any) -> Any:
        """A depthwise convolution, then a pointwise one with bias and activation."""
        return self.slide(f, "separable_conv2d", x, self.depthwise_kernel, self.pointwise_kernel)


@register_layer("SeparableConvolution2D")
class SeparableConv2D(BaseSeparableConv):
    """DepthwiseConv2D without bias, then a 1x1 Conv2D with bias and activation.

    Input (batch, height, width, channels), output (batch, rows, columns, filters). Arguments and errors as in
    Conv2D. Weights: depthwise_kernel (rows, columns, channels, depth_multiplier), pointwise_kernel
    (1, 1, channels * depth_multiplier, filters), bias (filters,).

        >>> SeparableConv2D(8, 3, padding="same")(np.zeros((1, 8, 8, 6))).shape
        (1, 8, 8, 8)
    """


@register_layer("SeparableConvolution1D")
class SeparableConv1D(BaseSeparableConv):
    """SeparableConv2D for (batch, length, channels).

    >>> SeparableConv1D(8, 3)(np.zeros((1, 8, 6))).shape
    (1, 6, 8)
    """

    spatial = 1
