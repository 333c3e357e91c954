"""Operations of `keras.ops` on images: resizing, cropping, padding, colours, edges, cells as channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ... import arguments, resampling, shapes
from ...errors import UnsupportedLayerError
from ..preprocessing import Resizing
from .operands import host, replaced

_GRAY = (0.2989, 0.587, 0.114)


def image_axes(name: str, images: Any, data_format: Any) -> tuple[int, int, int]:
    """The axes of height, width and channels of a batch of images, which operation `name` takes."""
    if len(images.shape) != 4:
        raise UnsupportedLayerError(f"Operation '{name}' takes a batch of images here: 4 dimensions.")
    return (2, 3, 1) if arguments.data_format(data_format) == "channels_first" else (1, 2, 3)


def channels_last(f: Any, name: str, images: Any, data_format: Any, step: Callable[[Any], Any]) -> Any:
    """`step` of images whose channels come last, and its images with the channels where `data_format` has them."""
    if image_axes(name, images, data_format)[2] == 3:
        return step(images)
    return f.transpose(step(f.transpose(images, shapes.TO_LAST)), shapes.TO_FIRST)


def resize(
    f: Any,
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: Any = 0.0,
    data_format: Any = None,
) -> Any:
    """As the layer Resizing."""
    image_axes("resize", images, data_format)
    if interpolation not in resampling.INTERPOLATIONS:
        raise UnsupportedLayerError(
            f"Operation 'resize' is not computed with interpolation={arguments.shown(interpolation)}."
        )
    height, width = arguments.integers("size", size, 2)
    return Resizing(
        height,
        width,
        interpolation,
        crop_to_aspect_ratio,
        pad_to_aspect_ratio,
        fill_mode,
        fill_value,
        antialias,
        data_format,
        name="resize",
    ).call(f, images)


def _sides(size: int, words: Mapping[str, Any], sign: int) -> tuple[int, int]:
    """Cells before and after an axis of `size`; `words`: both and the target size, one of them None."""
    before, after, target = (n if n is None else arguments.integer(word, n, 0) for word, n in words.items())
    if (before, after, target).count(None) != 1:
        names = ", ".join(f"`{word}`" for word in words)
        raise ValueError(f"Two of {names} must be given. Received: {arguments.shown(tuple(words.values()))}.")
    rest = 0 if target is None else sign * (target - size) - (before or 0) - (after or 0)
    if rest < 0:
        raise ValueError(f"An image axis of {size} cannot be brought to {target}.")
    return rest if before is None else before, rest if after is None else after


def _bordered(
    f: Any,
    name: str,
    images: Any,
    sign: int,
    rows: Mapping[str, Any],
    columns: Mapping[str, Any],
    data_format: Any,
) -> Any:
    """Images with cells added (`sign` 1) or cut (-1) at the top and the bottom, at the left and the right."""
    widths = [(0, 0)] * 4
    for axis, words in zip(image_axes(name, images, data_format)[:2], (rows, columns), strict=True):
        before, after = _sides(images.shape[axis], words, sign)
        widths[axis] = (sign * before, sign * after)
    return f.pad(images, tuple(widths))


def pad_images(
    f: Any,
    images: Any,
    top_padding: Any = None,
    left_padding: Any = None,
    bottom_padding: Any = None,
    right_padding: Any = None,
    target_height: Any = None,
    target_width: Any = None,
    data_format: Any = None,
) -> Any:
    rows = {"top_padding": top_padding, "bottom_padding": bottom_padding, "target_height": target_height}
    columns = {"left_padding": left_padding, "right_padding": right_padding, "target_width": target_width}
    return _bordered(f, "pad_images", images, 1, rows, columns, data_format)


def crop_images(
    f: Any,
    images: Any,
    top_cropping: Any = None,
    left_cropping: Any = None,
    bottom_cropping: Any = None,
    right_cropping: Any = None,
    target_height: Any = None,
    target_width: Any = None,
    data_format: Any = None,
) -> Any:
    rows = {"top_cropping": top_cropping, "bottom_cropping": bottom_cropping, "target_height": target_height}
    columns = {"left_cropping": left_cropping, "right_cropping": right_cropping, "target_width": target_width}
    return _bordered(f, "crop_images", images, -1, rows, columns, data_format)


def rgb_to_grayscale(f: Any, images: Any, data_format: Any = None) -> Any:
    """The weighted sum of three channels, or the one channel as it is."""
    axis = image_axes("rgb_to_grayscale", images, data_format)[2]
    if images.shape[axis] == 1:
        return images
    if images.shape[axis] != 3:
        raise ValueError(
            f"`images` must have 1 or 3 channels. Received: images of shape {tuple(images.shape)}."
        )
    weights = np.array(_GRAY, np.float32).reshape([3 if i == axis else 1 for i in range(4)])
    shape = replaced(images.shape, axis, 1)
    return host(f, lambda a: (a * weights).sum(axis, keepdims=True, dtype=np.float32), [images], shape)


def depth_to_space(f: Any, x: Any, block_size: int, data_format: Any = "channels_last") -> Any:
    """Channels become blocks of cells."""
    b = arguments.integer("block_size", block_size)

    def spread(images: Any) -> Any:
        _, h, w, c = images.shape
        if c % (b * b):
            raise ValueError(f"The square of `block_size` must divide the {c} channels. Received: {b}.")
        y = f.transpose(f.reshape(images, (-1, h, w, b, b, c // (b * b))), (0, 1, 3, 2, 4, 5))
        return f.reshape(y, (-1, h * b, w * b, c // (b * b)))

    return channels_last(f, "depth_to_space", x, data_format, spread)


def space_to_depth(f: Any, x: Any, block_size: int, data_format: Any = "channels_last") -> Any:
    """Blocks of cells become channels."""
    b = arguments.integer("block_size", block_size)

    def gathered(images: Any) -> Any:
        _, h, w, c = images.shape
        if h % b or w % b:
            raise ValueError(f"`block_size` must divide the image's {h} x {w} cells. Received: {b}.")
        y = f.transpose(f.reshape(images, (-1, h // b, b, w // b, b, c)), (0, 1, 3, 2, 4, 5))
        return f.reshape(y, (-1, h // b, w // b, b * b * c))

    return channels_last(f, "space_to_depth", x, data_format, gathered)


def sobel_edges(f: Any, images: Any, data_format: Any = None) -> Any:
    """Slopes down and to the right in a new last axis, borders mirrored."""
    axes = image_axes("sobel_edges", images, data_format)[:2]
    if min(images.shape[axis] for axis in axes) < 2:
        raise ValueError(f"`images` must be 2x2 or larger. Received: images of shape {tuple(images.shape)}.")
    widths = [(1, 1) if axis in axes else (0, 0) for axis in range(4)]

    def slope(a: np.ndarray, along: int, across: int) -> np.ndarray:
        a = np.moveaxis(a, (along, across), (0, 1))
        a = a[2:] - a[:-2]
        return np.moveaxis(a[:, :-2] + 2 * a[:, 1:-1] + a[:, 2:], (0, 1), (along, across))

    def slopes(a: np.ndarray) -> np.ndarray:
        a = np.pad(a, widths, "reflect")
        return np.stack([slope(a, *axes), slope(a, *axes[::-1])], axis=-1)

    return host(f, slopes, [images], (*images.shape, 2))


def _colours(function: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Any]:
    """`function` of arrays whose last axis holds three channels."""

    def lower(f: Any, images: Any, data_format: Any = None) -> Any:
        axis = image_axes("rgb_to_hsv and hsv_to_rgb", images, data_format)[2]
        if images.shape[axis] != 3:
            raise ValueError(
                f"`images` must have 3 channels. Received: images of shape {tuple(images.shape)}."
            )

        def compute(a: np.ndarray) -> np.ndarray:
            return np.moveaxis(function(np.moveaxis(a, axis, 3)), 3, axis)

        return host(f, compute, [images], images.shape)

    return lower


def _to_hsv(a: np.ndarray) -> np.ndarray:
    r, g, b = np.moveaxis(a, 3, 0)
    value = a.max(axis=3)
    span = value - a.min(axis=3)
    saturation = np.where(value > 0, span / value, np.float32(0))
    turn = (
        np.where(value == r, (g - b) / span, np.where(value == g, (b - r) / span + 2, (r - g) / span + 4)) / 6
    )
    hue = np.where(span > 0, turn + (turn < 0), np.float32(0))
    return np.stack([hue, saturation, value], axis=3)


def _to_rgb(a: np.ndarray) -> np.ndarray:
    hue, saturation, value = np.moveaxis(a, 3, 0)
    turn = hue * 6
    parts = (np.abs(turn - 3) - 1, 2 - np.abs(turn - 2), 2 - np.abs(turn - 4))
    pure = np.stack([np.clip(part, 0, 1) for part in parts], axis=3)
    return ((1 - saturation)[..., None] + saturation[..., None] * pure) * value[..., None]


rgb_to_hsv = _colours(_to_hsv)
hsv_to_rgb = _colours(_to_rgb)
