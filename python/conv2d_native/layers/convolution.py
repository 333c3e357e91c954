"""Convolutions in one and two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments, functional
from .operations import Operation
from .registry import register_layer
from .spatial import WeightedWindow
from .symbolic import is_symbolic


class BaseConv(WeightedWindow):
    """Conv1D and Conv2D for any number of spatial axes."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = arguments.integer("filters", filters)
        self.groups = arguments.integer("groups", groups)
        self.set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self.declare_weight("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.declare_bias(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)
        if self.filters % self.groups:
            raise ValueError(
                "The number of filters must be evenly divisible by the number of groups. "
                f"Received: groups={self.groups}, filters={self.filters}."
            )

    def build(self, input_shape: Any) -> None:
        """Create `kernel` (*kernel_size, channels / groups, filters) and `bias` (filters,)."""
        channels = self.channels_of(input_shape)
        if channels % self.groups:
            raise ValueError(
                "The number of input channels must be evenly divisible by the number of groups. "
                f"Received groups={self.groups}, but the input has {channels} channels "
                f"(full input shape is {input_shape})."
            )
        self.window_shape(input_shape, self.filters)
        self.kernel = self.make_weight("kernel", (*self.kernel_size, channels // self.groups, self.filters))
        self.bias = self.make_bias(self.filters)
        self._sizes_by_axis = {self.channel_axis: channels}

    def call(self, f: Any, x: Any) -> Any:
        """One convolution with bias and activation."""
        return self.slide(f, "conv2d", x, self.kernel, groups=self.groups)


@register_layer("Convolution2D")
class Conv2D(BaseConv):
    """2-D convolution: y[n,i,j,o] = act(sum over the window of x * kernel[..., o] + bias[o]).

    Input (batch, height, width, channels), or (batch, channels, height, width) with data_format="channels_first"
    (right, but slower). Output float32 (batch, rows, columns, filters).

    filters: number of output channels. kernel_size, strides, dilation_rate: one positive int or one per axis.
    padding: "valid" or "same". groups: divides channels and filters. activation: a name, a function or a layer, by
    default none; one with weights, such as PReLU, is built with this layer and keeps its shape. use_bias: add a bias.
    *_initializer, *_regularizer, *_constraint: names, dicts or objects; initializers fill new weights, regularizers
    show in `losses`, and constraints are kept (Keras applies them in training steps only).
    Weights: kernel (rows, columns, channels / groups, filters), bias (filters,).
    Raises ValueError or TypeError for arguments out of range, strides and dilation both above 1, groups that do not
    divide, and inputs for which there would be no output.

        >>> layer = Conv2D(2, 3, activation="relu", input_shape=(64, 64, 3))
        >>> layer(np.random.random((50, 64, 64, 3))).shape
        (50, 62, 62, 2)
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if cls.convolution_op is not Conv2D.convolution_op and cls.call is Conv2D.call:
            cls.call = _call_by_convolution_op  # type: ignore[method-assign, assignment]
        super().__init_subclass__(**kwargs)

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve `inputs`, without bias and activation. A class of the user's may have its own, which is used then.

        inputs: a tensor, or an array of the layer's input shape. kernel: an array of the kernel's shape.

            >>> layer = Conv2D(2, 3, strides=2)
            >>> layer.convolution_op(np.ones((1, 7, 7, 4)), np.ones((3, 3, 4, 2)))[0, 0, 0].tolist()
            [36.0, 36.0]
        """
        words: dict[str, Any] = {
            "strides": list(self.strides),
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
        }
        if is_symbolic(inputs):
            return Operation("Conv", words)(inputs, kernel)
        return functional.conv2d(inputs, np.asarray(kernel), **words, groups=self.groups)


def _call_by_convolution_op(self: Any, inputs: Any) -> Any:
    """Keras's call(self, inputs) of a class with its own convolution_op."""
    y = self.convolution_op(inputs, self.kernel)
    if self.use_bias:
        bias = self.bias.value
        y = y + (bias if self.channel_axis == -1 else bias.reshape(1, -1, 1, 1))
    return self.activation(y)


@register_layer("Convolution1D")
class Conv1D(BaseConv):
    """1-D convolution of (batch, length, channels) to (batch, outputs, filters). Arguments as Conv2D.

    padding may also be "causal": output i then does not depend on inputs after i.

        >>> Conv1D(4, 3, padding="causal")(np.zeros((2, 10, 6))).shape
        (2, 10, 4)
    """

    spatial = 1
    allows_causal = True
