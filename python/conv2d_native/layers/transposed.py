"""Transposed convolutions in one and two dimensions."""

from __future__ import annotations

from typing import Any

from .. import arguments, shapes
from .registry import register_layer
from .spatial import WeightedWindow


class BaseConvTranspose(WeightedWindow):
    """Conv1DTranspose and Conv2DTranspose for any number of spatial axes."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        self.set_window(kernel_size, strides, padding, data_format, dilation_rate)
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = arguments.integers("output_padding", output_padding, self.spatial, 0)
            if any(more >= s for more, s in zip(self.output_padding, self.strides, strict=True)):
                raise ValueError(
                    "`output_padding` must be strictly less than `strides` for all dimensions. "
                    f"Received: output_padding={self.output_padding}, strides={self.strides}."
                )
        self.declare_weight("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.declare_bias(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: Any) -> None:
        """Create `kernel` (*kernel_size, filters, channels) and `bias` (filters,)."""
        channels = self.channels_of(input_shape)
        self.kernel = self.make_weight("kernel", (*self.kernel_size, self.filters, channels))
        self.bias = self.make_bias(self.filters)
        self._sizes_by_axis = {self.channel_axis: channels}

    def call(self, f: Any, x: Any) -> Any:
        """One transposed convolution with bias and activation."""
        # A row of height 1 keeps its height: without output_padding both paddings do.
        more = None if self.output_padding is None else self.on_image(self.output_padding, 0)
        return self.slide(f, "conv2d_transpose", x, self.kernel, output_padding=more)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, *outputs, filters)."""
        shape = self.channels_last(input_shape)
        more = self.output_padding or (None,) * self.spatial
        axes = zip(shape[1:-1], self.kernel_size, self.strides, self.dilation_rate, strict=True)
        outputs = [
            shapes.transposed_axis(*axis, self.padding, extra)[1]
            for axis, extra in zip(axes, more, strict=True)
        ]
        return self.as_given((shape[0], *outputs, self.filters))


@register_layer("Convolution2DTranspose")
class Conv2DTranspose(BaseConvTranspose):
    """Transposed convolution: every input pixel adds its kernel, scaled, to the output at stride * its position.

    Input (batch, height, width, channels); output (batch, rows, columns, filters) with size * stride rows for
    padding="same" and (size - 1) * stride + max(kernel, stride) for "valid". output_padding: None or cells more at the
    end, below the stride. Other arguments and errors as in Conv2D.
    Weights: kernel (rows, columns, filters, channels), bias (filters,).

        >>> Conv2DTranspose(4, 3, strides=2, padding="same")(np.zeros((1, 8, 8, 6))).shape
        (1, 16, 16, 4)
    """


@register_layer("Convolution1DTranspose")
class Conv1DTranspose(BaseConvTranspose):
    """Conv2DTranspose for (batch, length, channels).

    >>> Conv1DTranspose(4, 3, strides=2)(np.zeros((1, 8, 6))).shape
    (1, 17, 4)
    """

    spatial = 1
