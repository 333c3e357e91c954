"""What layers with height and width (or length alone) share: the order of axes, and lines as images of one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import arguments, shapes
from .base import Layer
from .weighted import Weighted


class SpatialLayer(Layer):
    """A layer whose input is (batch, *spatial, channels), or channels first. `spatial` is 1 or 2."""

    spatial = 2
    data_format = "channels_last"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.input_rank = cls.spatial + 2

    def image(self, f: Any, x: Any) -> Any:
        """`x` with a height: a line becomes an image of one row."""
        if self.spatial == 2:
            return x
        if self.data_format == "channels_last":
            return f.reshape(x, (-1, 1, *x.shape[1:]))
        return f.reshape(x, (-1, x.shape[1], 1, x.shape[2]))

    def restored(self, f: Any, y: Any) -> Any:
        """The inverse of image()."""
        if self.spatial == 2:
            return y
        first = 2 if self.data_format == "channels_last" else 1
        return f.reshape(y, (-1, y.shape[first], y.shape[3]))

    def on_image(self, values: Any, row: Any = 1) -> Any:
        """One entry per axis of image(): that of the added row is `row`."""
        return tuple(values) if self.spatial == 2 else (row, *values)

    def widths(self, amounts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """(before, after) for all axes out of those of the spatial ones."""
        first = self.first_axis
        return [*[(0, 0)] * first, *amounts, *[(0, 0)] * (2 - first)]

    @property
    def first_axis(self) -> int:
        """The axis of the height, or of the length: 1 or 2."""
        return 1 if self.data_format == "channels_last" else 2

    @property
    def channel_axis(self) -> int:
        """The axis of the channels: -1 or 1."""
        return -1 if self.data_format == "channels_last" else 1

    def channels_of(self, shape: Any) -> int:
        """Number of channels of an input shape. Raises ValueError where it is not known."""
        self.check_shape(shape)
        if shape[self.channel_axis] is None:
            raise ValueError(
                f"The channel dimension of the inputs of layer '{self.name}' must be defined. "
                f"Received: input_shape={shape}."
            )
        return int(shape[self.channel_axis])

    def channels_last(self, shape: Any) -> Any:
        """An input shape, checked, with the channels last."""
        shape = tuple(shape)
        self.check_shape(shape)
        return shapes.channels_last(shape, self.data_format)

    def as_given(self, shape: Any) -> Any:
        """A shape with the channels last in the layer's own order."""
        return shapes.from_channels_last(shape, self.data_format)


class WeightedWindow(Weighted, SpatialLayer):
    """A layer that slides kernels, to `filters` channels: their geometry."""

    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation_rate: tuple[int, ...]
    padding: str
    bias: Any
    allows_causal = False

    def set_window(
        self,
        kernel_size: Any,
        strides: Any,
        padding: Any,
        data_format: Any,
        dilation_rate: Any,
        both: bool = False,
    ) -> None:
        """Check and keep the geometry. `both`: strides and dilation may be above 1 together."""
        self.rank = self.spatial  # Keras's name
        self.kernel_size = arguments.integers("kernel_size", kernel_size, self.spatial)
        self.strides = arguments.steps("strides", strides, self.spatial)
        self.dilation_rate = arguments.steps("dilation_rate", dilation_rate, self.spatial)
        words = ("valid", "same", "causal") if self.allows_causal else ("valid", "same")
        self.padding = arguments.padding_word(padding, words)
        self.data_format = arguments.data_format(data_format)
        if not both and max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                "`strides > 1` not supported in conjunction with `dilation_rate > 1`. "
                f"Received: strides={self.strides} and dilation_rate={self.dilation_rate}"
            )

    def slide(self, f: Any, operation: str, x: Any, *kernels: Any, **words: Any) -> Any:
        """`operation`, a method of f, with the geometry, the bias and the activation. Kernels of lines get one row."""
        padding: Any = self.padding
        if padding == "causal":
            length = (self.kernel_size[0], self.strides[0], self.dilation_rate[0])
            padding = ((0, 0), shapes.axis_padding(1, *length, padding))
        y = getattr(f, operation)(
            self.image(f, x),
            *(kernel.value if self.spatial == 2 else kernel.value[None] for kernel in kernels),
            self.bias,
            strides=self.on_image(self.strides),
            padding=padding,
            data_format=self.data_format,
            dilation_rate=self.on_image(self.dilation_rate),
            activation=self.fused,
            **words,
        )
        return self.activated(f, self.restored(f, y))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, *outputs, filters)."""
        return self.window_shape(input_shape, self.filters)

    def window_shape(self, input_shape: Any, filters: int) -> Any:
        """The output shape. Raises ValueError in Keras's words where the kernel does not fit."""
        shape = self.channels_last(input_shape)
        kernel_shape = (*self.kernel_size, shape[-1] or 0, filters)
        outputs = shapes.window_outputs(
            shape, self.kernel_size, self.strides, self.dilation_rate, self.padding, kernel_shape
        )
        return self.as_given((shape[0], *outputs, filters))
