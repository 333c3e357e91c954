"""Pooling over windows, over whole images, and into a given number of cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import arguments, shapes
from .operations.operands import check_broadcast, constant, host
from .registry import register_layer
from .spatial import SpatialLayer


class BasePooling(SpatialLayer):
    """Max and average pooling for any number of spatial axes; `operation` is a method of f."""

    operation = "max_pool2d"

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = arguments.integers("pool_size", pool_size, self.spatial)
        self.strides = (
            self.pool_size if strides is None else arguments.steps("strides", strides, self.spatial)
        )
        self.padding = arguments.padding_word(padding)
        self.data_format = arguments.data_format(data_format)

    def call(self, f: Any, x: Any) -> Any:
        """One pooling operation."""
        y = getattr(f, self.operation)(
            self.image(f, x),
            self.on_image(self.pool_size),
            self.on_image(self.strides),
            self.padding,
            self.data_format,
        )
        return self.restored(f, y)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, *outputs, channels)."""
        shape = self.channels_last(input_shape)
        outputs = shapes.window_outputs(
            shape, self.pool_size, self.strides, (1,) * self.spatial, self.padding
        )
        return self.as_given((shape[0], *outputs, shape[-1]))


class BaseMaxPooling(BasePooling):
    """Max pooling, whose windows have 2 cells an axis where nothing else is said."""

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


@register_layer("MaxPool2D")
class MaxPooling2D(BaseMaxPooling):
    """Largest entry of each window of (batch, height, width, channels); padding cells do not take part.

    pool_size (default 2), strides (default pool_size): one positive int or one per axis. padding: "valid" or
    "same". data_format, errors and the output's shape as in Conv2D, channels unchanged.

        >>> MaxPooling2D()(np.zeros((1, 8, 8, 6))).shape
        (1, 4, 4, 6)
    """


@register_layer("MaxPool1D")
class MaxPooling1D(BaseMaxPooling):
    """MaxPooling2D for (batch, length, channels).

    >>> MaxPooling1D(3, strides=2)(np.zeros((1, 8, 6))).shape
    (1, 3, 6)
    """

    spatial = 1


@register_layer("AvgPool2D")
class AveragePooling2D(BasePooling):
    """Mean of each window's cells inside the image: padding is not counted.

    Arguments as in MaxPooling2D, except that pool_size has no default.

        >>> AveragePooling2D(3, strides=1, padding="same")(np.zeros((1, 8, 8, 6))).shape
        (1, 8, 8, 6)
    """

    operation = "average_pool2d"


@register_layer("AvgPool1D")
class AveragePooling1D(BasePooling):
    """AveragePooling2D for (batch, length, channels).

    >>> AveragePooling1D(2)(np.zeros((1, 8, 6))).shape
    (1, 4, 6)
    """

    spatial = 1
    operation = "average_pool2d"


class BaseGlobalPooling(SpatialLayer):
    """Global pooling for any number of spatial axes; `operation` is a method of f."""

    operation = "global_max_pool2d"

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = arguments.data_format(data_format)
        self.keepdims = arguments.flag("keepdims", keepdims)

    def call(self, f: Any, x: Any) -> Any:
        """One reduction."""
        y = getattr(f, self.operation)(self.image(f, x), self.keepdims, self.data_format)
        return self.restored(f, y) if self.keepdims else y

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, channels), or with keepdims (batch, 1, ..., channels)."""
        shape = self.channels_last(input_shape)
        if not self.keepdims:
            return (shape[0], shape[-1])
        return self.as_given((shape[0], *(1,) * self.spatial, shape[-1]))


@register_layer("GlobalMaxPool2D")
class GlobalMaxPooling2D(BaseGlobalPooling):
    """Largest entry of each channel: (batch, height, width, channels) to (batch, channels).

    keepdims: keep height and width as 1. data_format as in Conv2D.

        >>> GlobalMaxPooling2D(keepdims=True)(np.zeros((1, 8, 8, 6))).shape
        (1, 1, 1, 6)
    """


@register_layer("GlobalMaxPool1D")
class GlobalMaxPooling1D(BaseGlobalPooling):
    """GlobalMaxPooling2D for (batch, length, channels).

    >>> GlobalMaxPooling1D()(np.zeros((1, 8, 6))).shape
    (1, 6)
    """

    spatial = 1


@register_layer("GlobalAvgPool2D")
class GlobalAveragePooling2D(BaseGlobalPooling):
    """Mean of each channel. Arguments as GlobalMaxPooling2D.

    >>> GlobalAveragePooling2D()(np.zeros((1, 8, 8, 6))).shape
    (1, 6)
    """

    operation = "global_average_pool2d"


@register_layer("GlobalAvgPool1D")
class GlobalAveragePooling1D(BaseGlobalPooling):
    """GlobalAveragePooling2D for (batch, length, channels).

    A call takes a `mask` (batch, length): steps where it is False or 0 are not counted. The mean of none is NaN.

    >>> GlobalAveragePooling1D()(np.zeros((1, 8, 6))).shape
    (1, 6)
    """

    spatial = 1
    operation = "global_average_pool2d"

    def call(self, f: Any, x: Any, mask: Any = None) -> Any:
        """One reduction; with a mask a host step."""
        if mask is None:
            return super().call(f, x)
        mask, axis = constant("mask", mask), self.first_axis
        if len(mask.shape) != 2:
            raise ValueError(arguments.must("mask", "be of shape (batch, length)", tuple(mask.shape)))
        check_broadcast(mask, (None, x.shape[axis]), type(self).__name__, "`mask`")

        def mean(a: np.ndarray, mask: np.ndarray) -> np.ndarray:
            seen = np.expand_dims(mask != 0, 3 - axis)
            counts = seen.sum(axis=axis, keepdims=self.keepdims, dtype=np.float32)
            return np.where(seen, a, np.float32(0)).sum(axis=axis, keepdims=self.keepdims) / counts

        return host(f, mean, [x, mask], self.compute_output_shape(tuple(x.shape)))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: there are no steps any more."""


class BaseAdaptivePooling(SpatialLayer):
    """Adaptive pooling for any number of spatial axes: output i covers [i*size/out, (i+1)*size/out), outwards."""

    reduction: Callable[..., Any] = staticmethod(np.max)

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_size = arguments.integers("output_size", output_size, self.spatial)
        self.data_format = arguments.data_format(data_format)

    def call(self, f: Any, x: Any) -> Any:
        """A host step, one axis after the other."""
        shape = self.compute_output_shape(x.shape)

        def pool(array: np.ndarray) -> np.ndarray:
            for axis, out in enumerate(self.output_size, self.first_axis):
                size = array.shape[axis]
                cells = [range(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]
                parts = [self.reduction(array.take(cell, axis), axis=axis, keepdims=True) for cell in cells]
                array = np.concatenate(parts, axis)
            return array

        return f.apply(pool, [x], shape, type(self).__name__)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, *output_size, channels)."""
        shape = self.channels_last(input_shape)
        return self.as_given((shape[0], *self.output_size, shape[-1]))


@register_layer
class AdaptiveMaxPooling2D(BaseAdaptivePooling):
    """Max pooling of (batch, height, width, channels) into `output_size` (an int or one per axis) cells.

    >>> AdaptiveMaxPooling2D((3, 4))(np.zeros((1, 8, 8, 6))).shape
    (1, 3, 4, 6)
    """


@register_layer
class AdaptiveMaxPooling1D(BaseAdaptivePooling):
    """AdaptiveMaxPooling2D for (batch, length, channels).

    >>> AdaptiveMaxPooling1D(3)(np.zeros((1, 8, 6))).shape
    (1, 3, 6)
    """

    spatial = 1


@register_layer
class AdaptiveAveragePooling2D(BaseAdaptivePooling):
    """Average pooling of (batch, height, width, channels) into `output_size` (an int or one per axis) cells.

    >>> AdaptiveAveragePooling2D(3)(np.zeros((1, 8, 8, 6))).shape
    (1, 3, 3, 6)
    """

    reduction = staticmethod(np.mean)


@register_layer
class AdaptiveAveragePooling1D(BaseAdaptivePooling):
    """AdaptiveAveragePooling2D for (batch, length, channels).

    >>> AdaptiveAveragePooling1D(3)(np.zeros((1, 8, 6))).shape
    (1, 3, 6)
    """

    spatial = 1
    reduction = staticmethod(np.mean)
