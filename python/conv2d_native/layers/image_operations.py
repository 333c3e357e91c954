"""Operations of `keras.ops` on images: resizing, cropping, padding, pooling, and convolutions with constant kernels.

Functions of `f`, the interpreter, and of tensors whose first axis is the batch, in Keras's argument words. Where a
layer computes the same, it is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import resampling
from ..errors import UnsupportedLayerError
from .array_operations import host, is_tensor, replaced
from .pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
)
from .preprocessing import Resizing

_GRAY = (0.2989, 0.587, 0.114)
_ADAPTIVE = {
    ("max", 3): AdaptiveMaxPooling1D,
    ("max", 4): AdaptiveMaxPooling2D,
    ("average", 3): AdaptiveAveragePooling1D,
    ("average", 4): AdaptiveAveragePooling2D,
}


def _only_batches(x: Any, name: str) -> None:
    if len(x.shape) != 4:
        raise UnsupportedLayerError(f"Operation '{name}' takes a batch of images here: 4 dimensions.")


def _rows_and_columns(x: Any, data_format: Any) -> tuple[int, int]:
    """The axes of height and width."""
    return (2, 3) if data_format == "channels_first" else (1, 2)


def resize(f: Any, images: Any, size: Any, interpolation: str = "bilinear", **words: Any) -> Any:
    """As the layer Resizing."""
    _only_batches(images, "resize")
    height, width = (int(n) for n in size)
    if interpolation not in resampling.INTERPOLATIONS:
        raise UnsupportedLayerError(
            f"Operation 'resize' is not computed with interpolation={interpolation!r}."
        )
    return Resizing(height, width, interpolation, name="resize", **words).call(f, images)


def _sides(axis_size: int, before: Any, after: Any, target: Any, sign: int) -> tuple[int, int]:
    """Cells before and after an axis, of which one may follow from the target size."""
    change = sign * (int(target) - axis_size) if target is not None else 0
    if before is None:
        before = change - int(after or 0)
    if after is None:
        after = change - int(before) if target is not None else 0
    if min(int(before), int(after)) < 0:
        raise ValueError(f"An image axis of {axis_size} cannot be brought to {target}.")
    return int(before), int(after)


def _bordered(word: str) -> Callable[..., Any]:
    sign = 1 if word == "padding" else -1

    def lower(f: Any, images: Any, data_format: Any = None, **words: Any) -> Any:
        _only_batches(images, f"{word} of images")
        widths = [(0, 0)] * 4
        axes = zip(
            _rows_and_columns(images, data_format),
            (("top", "bottom", "height"), ("left", "right", "width")),
            strict=True,
        )
        for axis, (first, second, size) in axes:
            before, after = words.get(f"{first}_{word}"), words.get(f"{second}_{word}")
            widths[axis] = _sides(images.shape[axis], before, after, words.get(f"target_{size}"), sign)
        return f.pad(images, tuple((sign * a, sign * b) for a, b in widths))

    return lower


pad_images = _bordered("padding")
crop_images = _bordered("cropping")


def rgb_to_grayscale(f: Any, images: Any, data_format: Any = None) -> Any:
    """The weighted sum of three channels, or the one channel as it is."""
    _only_batches(images, "rgb_to_grayscale")
    axis = 1 if data_format == "channels_first" else 3
    if images.shape[axis] == 1:
        return images
    weights = np.array(_GRAY, np.float32).reshape([3 if i == axis else 1 for i in range(4)])
    if images.shape[axis] != 3:
        raise ValueError(
            f"`images` must have 1 or 3 channels. Received: images of shape {tuple(images.shape)}."
        )
    shape = replaced(images.shape, axis, 1)
    return host(f, lambda a: (a * weights).sum(axis, keepdims=True, dtype=np.float32), [images], shape)


def adaptive_pool(kind: str) -> Callable[..., Any]:
    """As the adaptive pooling layers."""

    def lower(f: Any, inputs: Any, output_size: Any, data_format: Any = None) -> Any:
        layer = _ADAPTIVE.get((kind, len(inputs.shape)))
        if layer is None:
            raise UnsupportedLayerError("Adaptive pooling takes a batch of lines or images here.")
        return layer(output_size, data_format, name=f"adaptive_{kind}_pool").call(f, inputs)

    return lower


def convolve(name: str) -> Callable[..., Any]:
    """A convolution of images with kernels that are constants, by the operation `name` of f."""

    def lower(f: Any, inputs: Any, *kernels: Any, data_format: Any = None, **words: Any) -> Any:
        if len(inputs.shape) != 4 or any(is_tensor(kernel) for kernel in kernels):
            raise UnsupportedLayerError(f"Operation '{name}' takes images and constant kernels here.")
        arrays = [np.asarray(kernel, np.float32) for kernel in kernels]
        return getattr(f, name)(inputs, *arrays, data_format=data_format or "channels_last", **words)

    return lower
