"""Layers that move, repeat, add or cut entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import arguments, resampling, shapes
from .base import Layer
from .registry import register_layer
from .spatial import SpatialLayer


@register_layer
class Flatten(Layer):
    """(batch, ...) to (batch, entries). data_format="channels_first": channels are moved last before.

    >>> Flatten()(np.zeros((5, 7, 7, 64))).shape
    (5, 3136)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = arguments.data_format(data_format)

    def call(self, f: Any, x: Any) -> Any:
        """One reshape."""
        if self.data_format == "channels_first" and len(x.shape) > 2:
            x = f.transpose(x, (0, *range(2, len(x.shape)), 1))
        return f.reshape(x, (-1, shapes.count(x.shape[1:])))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, entries)."""
        self.check_shape(input_shape)
        if not input_shape:
            raise ValueError(arguments.must("input_shape", "have a batch axis", input_shape))
        return (input_shape[0], shapes.count(input_shape[1:]))


@register_layer
class Reshape(Layer):
    """(batch, ...) to (batch, *target_shape), of which one entry may be -1: what the others leave over.

    Raises ValueError where the numbers of entries differ.

        >>> Reshape((-1, 4))(np.zeros((5, 8, 8))).shape
        (5, 16, 4)
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(target_shape, (tuple, list)):
            raise TypeError(arguments.must("target_shape", "be a tuple of integers", target_shape))
        self.target_shape = tuple(arguments.integer("target_shape", size, low=None) for size in target_shape)
        shapes.reshape_target((None, None), self.target_shape)

    def call(self, f: Any, x: Any) -> Any:
        """One reshape."""
        return f.reshape(x, (-1, *shapes.reshape_target(x.shape, self.target_shape)[1:]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, *target_shape)."""
        return shapes.reshape_target(input_shape, self.target_shape)


@register_layer
class Permute(Layer):
    """Axes in the order `dims`, which counts from 1: the batch stays.

    >>> Permute((2, 1))(np.zeros((5, 8, 3))).shape
    (5, 3, 8)
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        listed = tuple(dims) if isinstance(dims, range) else dims
        self.dims = tuple(arguments.integer_list("dims", listed, 1))
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            words = "be a permutation of the axes that counts from 1"
            raise ValueError(arguments.must("dims", words, self.dims))
        self.input_rank = len(self.dims) + 1

    def call(self, f: Any, x: Any) -> Any:
        """One transposition."""
        return f.transpose(x, (0, *self.dims))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The sizes in the new order."""
        self.check_shape(tuple(input_shape))
        return tuple(input_shape[axis] for axis in (0, *self.dims))


@register_layer
class RepeatVector(Layer):
    """(batch, features) to (batch, n, features).

    >>> RepeatVector(3)(np.zeros((5, 8))).shape
    (5, 3, 8)
    """

    input_rank = 2

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = arguments.integer("n", n)

    def call(self, f: Any, x: Any) -> Any:
        """One resize of an image of one pixel."""
        y = f.resize(f.reshape(x, (-1, 1, 1, x.shape[1])), (1, self.n), "nearest")
        return f.reshape(y, (-1, self.n, x.shape[1]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, n, features)."""
        self.check_shape(tuple(input_shape))
        return (input_shape[0], self.n, input_shape[1])


class Border(SpatialLayer):
    """A layer that adds (`sign` 1) or cuts (-1) cells at the border: as many as `padding` or `cropping` says."""

    sign = 1

    @property
    def amounts(self) -> tuple[tuple[int, int], ...]:
        """(before, after) per spatial axis."""
        given = getattr(self, "padding" if self.sign > 0 else "cropping")
        return given if self.spatial == 2 else (given,)

    def call(self, f: Any, x: Any) -> Any:
        """One operation."""
        widths = self.widths(self.amounts)
        return f.pad(x, widths) if self.sign > 0 else f.crop(x, widths)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, *sizes, channels). Raises ValueError where nothing is left."""
        shape = self.channels_last(input_shape)
        sizes = [
            None if size is None else size + self.sign * (before + after)
            for size, (before, after) in zip(shape[1:-1], self.amounts, strict=True)
        ]
        if any(size is not None and size < 1 for size in sizes):
            raise ValueError(
                f"Computed output size would be zero or negative. Received: inputs shape={shape}, "
                f"cropping={self.amounts}."
            )
        return self.as_given((shape[0], *sizes, shape[-1]))


@register_layer
class ZeroPadding2D(Border):
    """Add zeros around images. padding (1): an int, one per axis, or ((top, bottom), (left, right)).

    >>> ZeroPadding2D(((0, 1), (0, 1)))(np.zeros((1, 8, 8, 3))).shape
    (1, 9, 9, 3)
    """

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = arguments.pairs("padding", padding)
        self.data_format = arguments.data_format(data_format)


@register_layer
class ZeroPadding1D(Border):
    """Add zeros around (batch, length, channels). padding (1): an int or (before, after).

    >>> ZeroPadding1D((1, 2))(np.zeros((1, 8, 3))).shape
    (1, 11, 3)
    """

    spatial = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = arguments.integers("padding", padding, 2, 0)
        self.data_format = arguments.data_format(data_format)


@register_layer
class Cropping2D(Border):
    """Cut cells off images. cropping (0): an int, one per axis, or ((top, bottom), (left, right)).

    Raises ValueError where nothing is left.

        >>> Cropping2D(1)(np.zeros((1, 8, 8, 3))).shape
        (1, 6, 6, 3)
    """

    sign = -1

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.cropping = arguments.pairs("cropping", cropping)
        self.data_format = arguments.data_format(data_format)


@register_layer
class Cropping1D(Border):
    """Cut cells off (batch, length, channels). cropping (1): an int or (before, after).

    >>> Cropping1D((1, 2))(np.zeros((1, 8, 3))).shape
    (1, 5, 3)
    """

    spatial = 1
    sign = -1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = arguments.integers("cropping", cropping, 2, 0)


@register_layer
class UpSampling2D(SpatialLayer):
    """Images `size` (2; an int or one per axis) times as large.

    interpolation: "nearest" repeats pixels; "bilinear", "bicubic", "lanczos3", "lanczos5" have half-pixel centres;
    "area" is the mean of what a pixel covers.

        >>> UpSampling2D(2)(np.zeros((1, 8, 8, 3))).shape
        (1, 16, 16, 3)
    """

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size = arguments.integers("size", size, 2)
        self.data_format = arguments.data_format(data_format)
        self.interpolation = arguments.choice("interpolation", interpolation, resampling.INTERPOLATIONS)

    def call(self, f: Any, x: Any) -> Any:
        """One resize."""
        _, h, w, _ = self.channels_last(x.shape)
        size = (h * self.size[0], w * self.size[1])
        return f.resize(x, size, self.interpolation, data_format=self.data_format)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, height * rows, width * columns, channels)."""
        shape = self.channels_last(input_shape)
        sizes = [None if n is None else n * k for n, k in zip(shape[1:3], self.size, strict=True)]
        return self.as_given((shape[0], *sizes, shape[-1]))


@register_layer
class UpSampling1D(SpatialLayer):
    """Repeat every step of (batch, length, channels) `size` (2) times.

    >>> UpSampling1D(3)(np.zeros((1, 8, 3))).shape
    (1, 24, 3)
    """

    spatial = 1

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = arguments.integer("size", size)

    def call(self, f: Any, x: Any) -> Any:
        """One resize of an image of one row."""
        return self.restored(f, f.resize(self.image(f, x), (1, x.shape[1] * self.size), "nearest"))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, length * size, channels)."""
        shape = self.channels_last(input_shape)
        return (shape[0], None if shape[1] is None else shape[1] * self.size, shape[2])
