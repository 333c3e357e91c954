"""Layers that bring images into the form that a network was trained on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import arguments, resampling
from .base import Layer
from .configuration import serialized
from .registry import register_layer
from .spatial import SpatialLayer
from .symbolic import is_symbolic


@register_layer
class Rescaling(Layer):
    """x * scale + offset (0); each is a number or a list with one number per channel.

    >>> round(float(Rescaling(1 / 127.5, offset=-1)(np.full((1, 2, 2, 3), 255)).max()), 3)
    1.0
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset
        for name, value in (("scale", scale), ("offset", offset)):
            arguments.array(name, value)

    def call(self, f: Any, x: Any) -> Any:
        """One scale and shift where they run along the last axis, else two operations."""
        scale, offset = arguments.array("scale", self.scale), arguments.array("offset", self.offset)
        if all(value.size == 1 or value.shape == (x.shape[-1],) for value in (scale, offset)):
            return f.scale_shift(x, scale.reshape(-1), offset.reshape(-1))
        return f.add(f.multiply(x, scale), offset)


@register_layer
class Normalization(Layer):
    """(x - mean) / max(sqrt(variance), 1e-7) along `axis` (-1); with invert=True, back again.

    mean, variance: numbers or lists along the axes, kept as input_mean and input_variance; without them they are
    weights (mean, variance, count), which a file or adapt() brings. As attributes of a layer that is built they are
    arrays that broadcast to inputs, None before. axis: an int, several, or None for one mean of everything.

        >>> Normalization(mean=[1.0, 2.0], variance=[4.0, 4.0])(np.array([[3.0, 2.0]])).tolist()
        [[1.0, 0.0]]
    """

    supports_masking = True

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis = [] if axis is None else arguments.integer_list("axis", axis)
        for name, value in (("mean", mean), ("variance", variance)):
            if value is not None:
                arguments.array(name, value)
        if (mean is None) != (variance is None) or np.shape(mean) != np.shape(variance):
            raise ValueError(
                "`mean` and `variance` must be given both, in one shape. "
                f"Received: mean={arguments.shown(mean)}, variance={arguments.shown(variance)}."
            )
        self.input_mean, self.input_variance = mean, variance
        self.invert = arguments.flag("invert", invert)

    @property
    def mean(self) -> np.ndarray | None:
        """What is subtracted."""
        return self._along_axes("mean")

    @property
    def variance(self) -> np.ndarray | None:
        """Whose square root divides."""
        return self._along_axes("variance")

    def _along_axes(self, word: str) -> np.ndarray | None:
        """`word` as it is now, of the rank of an input."""
        if not self.built:
            return None
        given = getattr(self, f"input_{word}")
        value = getattr(self, f"adapt_{word}").value if given is None else np.asarray(given, np.float32)
        shape = [n if axis in self._kept else 1 for axis, n in enumerate(self._build_shape)]
        return np.broadcast_to(
            value.reshape(shape) if value.size == math.prod(shape) else value, shape
        ).copy()

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration: `mean` and `variance` where the constructor was given them."""
        given = {"mean": serialized(self.input_mean), "variance": serialized(self.input_variance)}
        return super().get_config() | given

    def build(self, input_shape: Any) -> None:
        """Create mean, variance and count where they are not given."""
        rank = len(input_shape)
        self._kept = sorted(arguments.axis("axis", axis, rank) for axis in self.axis)
        shape = tuple(input_shape[axis] for axis in self._kept)
        if None in shape:
            raise ValueError(
                f"All `axis` values to be kept must have a known shape. Received axis={self.axis}, "
                f"inputs.shape={input_shape}."
            )
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(shape, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", trainable=False, name="count")
        self._sizes_by_axis = dict(zip(self._kept, shape, strict=True))

    def adapt(self, data: Any) -> None:
        """Set the weights to the mean and variance of `data`, a batch of real numbers, in place of earlier ones.

        Raises ValueError where `mean` and `variance` were given, and for shapes that do not fit.

            >>> layer = Normalization()
            >>> layer.adapt(np.array([[1.0], [3.0]]))
            >>> layer(np.array([[5.0]])).tolist()
            [[3.0]]
        """
        if self.input_mean is not None:
            raise ValueError(f"Layer '{self.name}' was given `mean` and `variance`: it does not adapt.")
        values = arguments.array("data", data)
        if not values.size:
            raise ValueError(f"`data` must hold at least one sample. Received: data of shape {values.shape}.")
        self.check_shape(values.shape)
        self.build(values.shape)
        others = tuple(axis for axis in range(values.ndim) if axis not in self._kept)
        statistics = [np.mean(values, others, np.float64), np.var(values, others, np.float64)]
        self.set_weights([*statistics, self.count.value])

    def call(self, f: Any, x: Any) -> Any:
        """One scale and shift where they run along the last axis, else two operations."""
        given = self.input_mean is not None
        mean = np.asarray(self.input_mean if given else self.adapt_mean.value, np.float64)
        variance = np.asarray(self.input_variance if given else self.adapt_variance.value, np.float64)
        deviation = np.maximum(np.sqrt(variance), arguments.EPSILON)
        scale, offset = (deviation, mean) if self.invert else (1 / deviation, -mean / deviation)
        if mean.ndim == 0 or self._kept == [len(x.shape) - 1]:
            return f.scale_shift(
                x, scale.astype(np.float32).reshape(-1), offset.astype(np.float32).reshape(-1)
            )
        shape = [1] * len(x.shape)
        for size, axis in zip(reversed(mean.shape), reversed(self._kept), strict=False):
            shape[axis] = size
        parts = [value.reshape(shape).astype(np.float32) for value in (scale, offset)]
        return f.add(f.multiply(x, parts[0]), parts[1])


def is_one_image(x: Any) -> bool:
    """Whether `x` is an array, rather than a symbolic tensor or a list, of an image without a batch."""
    return getattr(x, "ndim", None) == 3 and not is_symbolic(x)


class ToSize(SpatialLayer):
    """A layer that gives images a height and a width. Of arrays it takes one image without a batch as well."""

    height: int
    width: int

    def set_target(self, height: Any, width: Any, data_format: Any) -> None:
        """Check and keep the arguments in attributes of Keras's names."""
        self.height, self.width = arguments.integer("height", height), arguments.integer("width", width)
        self.data_format = arguments.data_format(data_format)

    def _first_call(self, x: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if is_one_image(x):
            return self(np.asarray(x)[np.newaxis], *args, **kwargs)[0]
        return super()._first_call(x, args, kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, height, width, channels)."""
        shape = self.channels_last(input_shape)
        return self.as_given((shape[0], self.height, self.width, shape[-1]))

    def sides(self, x: Any) -> tuple[int, int, int, int]:
        """Height and width of images, and those for which the other would give the wanted proportions."""
        _, h, w, _ = self.channels_last(x.shape)
        return h, w, int(w * self.height / self.width), int(h * self.width / self.height)

    def centre(self, f: Any, x: Any, rows: int, columns: int) -> Any:
        """The cells in the middle of images."""
        _, h, w, _ = self.channels_last(x.shape)
        top, left = (h - rows) // 2, (w - columns) // 2
        return f.crop(x, self.widths([(top, h - rows - top), (left, w - columns - left)]))

    def in_proportion(self, f: Any, x: Any) -> Any:
        """The largest window in the middle of images that has the wanted proportions."""
        h, w, rows, columns = self.sides(x)
        return self.centre(f, x, max(min(h, rows), 1), max(min(w, columns), 1))


@register_layer
class Resizing(ToSize):
    """Resize images (batch, h, w, channels) to (batch, height, width, channels), or one (h, w, channels) alone.

    interpolation: "bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area". crop_to_aspect_ratio: cut the
    largest centred window of the wanted proportions first. pad_to_aspect_ratio: add cells of `fill_value` first.
    antialias: widen the interpolation where images shrink. Raises ValueError for unknown words.

        >>> Resizing(16, 16)(np.zeros((1, 32, 24, 3))).shape
        (1, 16, 16, 3)
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.set_target(height, width, data_format)
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError("Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`.")
        self.interpolation = arguments.choice("interpolation", interpolation, resampling.INTERPOLATIONS)
        self.fill_mode = arguments.choice("fill_mode", fill_mode, ("constant",))
        self.crop_to_aspect_ratio = arguments.flag("crop_to_aspect_ratio", crop_to_aspect_ratio)
        self.pad_to_aspect_ratio = arguments.flag("pad_to_aspect_ratio", pad_to_aspect_ratio)
        self.fill_value = arguments.number("fill_value", fill_value)
        self.antialias = arguments.flag("antialias", antialias)

    def call(self, f: Any, x: Any) -> Any:
        """Crop or pad, then resize."""
        if self.crop_to_aspect_ratio:
            x = self.in_proportion(f, x)
        elif self.pad_to_aspect_ratio:
            h, w, rows, columns = self.sides(x)
            above, left = max(rows - h, 0) // 2, max(columns - w, 0) // 2
            x = f.pad(x, self.widths([(above, above), (left, left)]), self.fill_value)
        size = (self.height, self.width)
        return f.resize(x, size, self.interpolation, self.antialias, self.data_format)


@register_layer
class CenterCrop(ToSize):
    """The centre of images, (batch, height, width, channels); images that are smaller are cropped and resized.

    >>> CenterCrop(4, 5)(np.zeros((1, 7, 9, 3))).shape
    (1, 4, 5, 3)
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_target(height, width, data_format)

    def call(self, f: Any, x: Any) -> Any:
        """Crop, or crop and resize."""
        h, w, _, _ = self.sides(x)
        if h < self.height or w < self.width:
            window, size = self.in_proportion(f, x), (self.height, self.width)
            return f.resize(window, size, "bilinear", data_format=self.data_format)
        return self.centre(f, x, self.height, self.width)


@register_layer
class RandomCrop(ToSize):
    """Cuts images at random in training; returns them whole here, as Keras 3's predict does.

    Its output shape is (batch, height, width, channels), as Keras says: give images of that size where later layers
    need it.

        >>> RandomCrop(2, 3)(np.ones((1, 4, 4, 1))).shape
        (1, 4, 4, 1)
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        *,
        bounding_box_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.set_target(height, width, data_format)
        self.seed, self.bounding_box_format = seed, bounding_box_format


@register_layer
class AutoContrast(Layer):
    """Stretches each channel of each image (batch, h, w, channels) to `value_range`, (0, 255).

    A channel of one value stays as it is.

        >>> AutoContrast((0, 1))(np.array([[[[0.2], [0.6]]]])).ravel().tolist()
        [0.0, 1.0]
    """

    input_rank = 4

    def __init__(
        self,
        value_range: Any = (0, 255),
        *,
        bounding_box_format: str | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        given = value_range if isinstance(value_range, (list, tuple)) else ()
        low_and_high = [arguments.number("value_range", value) for value in given]
        if len(set(low_and_high)) != 2 or len(given) != 2:
            raise ValueError(arguments.must("value_range", "be two different numbers", value_range))
        self.value_range, self.bounding_box_format = sorted(given), bounding_box_format
        self.data_format = arguments.data_format(data_format)

    def call(self, f: Any, x: Any) -> Any:
        """A host step. The axes of the extremes are 1 and 2 whatever data_format says, as in Keras."""
        low, high = map(np.float32, self.value_range)

        def stretch(a: np.ndarray) -> np.ndarray:
            least, most = a.min(axis=(1, 2), keepdims=True), a.max(axis=(1, 2), keepdims=True)
            made = np.clip((a - least) / (most - least), 0, 1) * (high - low) + low
            return np.where(np.isnan(made), a, made)

        return f.apply(stretch, [x], x.shape, "AutoContrast")
