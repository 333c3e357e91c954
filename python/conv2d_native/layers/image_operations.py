"""Operations of `keras.ops` on images: resizing, cropping, padding, pooling, and convolutions with constant kernels.

Functions of `f`, the interpreter, and of tensors whose first axis is the batch, in Keras's argument words. Where a
layer computes the same, it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import arguments, resampling, shapes
from ..errors import UnsupportedLayerError
from .array_operations import constant, host, is_tensor, replaced
from .pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
)
from .preprocessing import Resizing

_LARGEST_BLUR = 255  # cells of a kernel's side
_GRAY = (0.2989, 0.587, 0.114)
_ADAPTIVE = {
    ("max", 3): AdaptiveMaxPooling1D,
    ("max", 4): AdaptiveMaxPooling2D,
    ("average", 3): AdaptiveAveragePooling1D,
    ("average", 4): AdaptiveAveragePooling2D,
}


def _image_axes(name: str, images: Any, data_format: Any) -> tuple[int, int, int]:
    """The axes of height, width and channels of a batch of images, which operation `name` takes."""
    if len(images.shape) != 4:
        raise UnsupportedLayerError(f"Operation '{name}' takes a batch of images here: 4 dimensions.")
    return (2, 3, 1) if arguments.data_format(data_format) == "channels_first" else (1, 2, 3)


def _channels_last(f: Any, name: str, images: Any, data_format: Any, step: Callable[[Any], Any]) -> Any:
    """`step` of images whose channels come last, and its images with the channels where `data_format` has them."""
    if _image_axes(name, images, data_format)[2] == 3:
        return step(images)
    return f.transpose(step(f.transpose(images, (0, 2, 3, 1))), (0, 3, 1, 2))


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
    _image_axes("resize", images, data_format)
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


def _sides(axis_size: int, words: Mapping[str, Any], sign: int) -> tuple[int, int]:
    """Cells before and after an axis; `words`: both and the target size, one of them None."""
    before, after, target = (n if n is None else arguments.integer(word, n, 0) for word, n in words.items())
    if (before, after, target).count(None) != 1:
        names = ", ".join(f"`{word}`" for word in words)
        raise ValueError(f"Two of {names} must be given. Received: {arguments.shown(tuple(words.values()))}.")
    rest = 0 if target is None else sign * (target - axis_size) - (before or 0) - (after or 0)
    if rest < 0:
        raise ValueError(f"An image axis of {axis_size} cannot be brought to {target}.")
    return rest if before is None else before, rest if after is None else after


def _bordered(f: Any, name: str, images: Any, sign: int, words: Mapping[str, Any], data_format: Any) -> Any:
    """`words`: what is added or cut at the top and the bottom, height; left and right, width."""
    widths, pairs = [(0, 0)] * 4, list(words.items())
    for axis, three in zip(_image_axes(name, images, data_format), (pairs[:3], pairs[3:]), strict=False):
        widths[axis] = _sides(images.shape[axis], dict(three), sign)
    return f.pad(images, tuple((sign * a, sign * b) for a, b in widths))


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
    words = {
        "top_padding": top_padding,
        "bottom_padding": bottom_padding,
        "target_height": target_height,
        "left_padding": left_padding,
        "right_padding": right_padding,
        "target_width": target_width,
    }
    return _bordered(f, "pad_images", images, 1, words, data_format)


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
    words = {
        "top_cropping": top_cropping,
        "bottom_cropping": bottom_cropping,
        "target_height": target_height,
        "left_cropping": left_cropping,
        "right_cropping": right_cropping,
        "target_width": target_width,
    }
    return _bordered(f, "crop_images", images, -1, words, data_format)


def rgb_to_grayscale(f: Any, images: Any, data_format: Any = None) -> Any:
    """The weighted sum of three channels, or the one channel as it is."""
    axis = _image_axes("rgb_to_grayscale", images, data_format)[2]
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


def _convolved(f: Any, name: str, inputs: Any, kernels: Sequence[Any], data_format: Any, **words: Any) -> Any:
    arrays = [constant("kernel", kernel) for kernel in kernels]
    if len(inputs.shape) != 4 or any(map(is_tensor, arrays)):
        raise UnsupportedLayerError(f"Operation '{name}' takes images and constant kernels here.")
    return getattr(f, name)(inputs, *arrays, data_format=arguments.data_format(data_format), **words)


def convolution(name: str) -> Callable[..., Any]:
    """The operation of `f` called `name`, with one constant kernel: Keras's conv and depthwise_conv."""

    def lower(
        f: Any,
        inputs: Any,
        kernel: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: Any = None,
        dilation_rate: Any = 1,
    ) -> Any:
        words = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
        return _convolved(f, name, inputs, [kernel], data_format, **words)

    return lower


def separable_conv(
    f: Any,
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
) -> Any:
    kernels = [depthwise_kernel, pointwise_kernel]
    words = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    return _convolved(f, "separable_conv2d", inputs, kernels, data_format, **words)


def conv_transpose(
    f: Any,
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: Any = None,
    dilation_rate: Any = 1,
) -> Any:
    words = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    return _convolved(
        f, "conv2d_transpose", inputs, [kernel], data_format, output_padding=output_padding, **words
    )


def _windows(
    f: Any, images: Any, sizes: Sequence[int], strides: Sequence[int], dilation: Sequence[int], padding: Any
) -> Any:
    """The cells of windows on images (batch, height, width, channels): (batch, rows, columns, kh * kw * channels)."""
    _, h, w, c = images.shape
    rows, columns = shapes.window_outputs(images.shape, sizes, strides, dilation, padding)
    widths = [
        (0, 0),
        *map(shapes.axis_padding, (h, w), sizes, strides, dilation, shapes.per_axis(padding, 2)),
        (0, 0),
    ]
    arguments.result_shape((None, h + sum(widths[1]), w + sum(widths[2]), c), "padded images")
    spans = [shapes.extent(*axis) for axis in zip(sizes, dilation, strict=True)]
    places = tuple(slice(None, None, step) for step in (1, *strides, 1, *dilation))

    def cut(a: np.ndarray) -> np.ndarray:
        seen = np.lib.stride_tricks.sliding_window_view(np.pad(a, widths), spans, axis=(1, 2))[places]
        return seen.transpose(0, 1, 2, 4, 5, 3).reshape(len(a), rows, columns, -1)

    return host(f, cut, [images], (None, rows, columns, sizes[0] * sizes[1] * c))


def depth_to_space(f: Any, x: Any, block_size: int, data_format: Any = "channels_last") -> Any:
    """Channels become blocks of cells."""
    b = arguments.integer("block_size", block_size)

    def spread(images: Any) -> Any:
        _, h, w, c = images.shape
        if c % (b * b):
            raise ValueError(f"The square of `block_size` must divide the {c} channels. Received: {b}.")
        y = f.transpose(f.reshape(images, (-1, h, w, b, b, c // (b * b))), (0, 1, 3, 2, 4, 5))
        return f.reshape(y, (-1, h * b, w * b, c // (b * b)))

    return _channels_last(f, "depth_to_space", x, data_format, spread)


def space_to_depth(f: Any, x: Any, block_size: int, data_format: Any = "channels_last") -> Any:
    """Blocks of cells become channels."""
    b = arguments.integer("block_size", block_size)

    def gathered(images: Any) -> Any:
        _, h, w, c = images.shape
        if h % b or w % b:
            raise ValueError(f"`block_size` must divide the image's {h} x {w} cells. Received: {b}.")
        y = f.transpose(f.reshape(images, (-1, h // b, b, w // b, b, c)), (0, 1, 3, 2, 4, 5))
        return f.reshape(y, (-1, h // b, w // b, b * b * c))

    return _channels_last(f, "space_to_depth", x, data_format, gathered)


def extract_patches(
    f: Any,
    images: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: Any = None,
) -> Any:
    """Windows on the images, side by side if no `strides` are given; the cells of each become the channels."""
    sizes = arguments.integers("size", size, 2)
    steps = arguments.steps("strides", sizes if strides is None else strides)
    dilation = arguments.steps("dilation_rate", dilation_rate)
    word = arguments.padding_word(padding)
    step = partial(_windows, f, sizes=sizes, strides=steps, dilation=dilation, padding=word)
    return _channels_last(f, "extract_patches", images, data_format, step)


def unfold(f: Any, x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Windows on images with the channels first: (batch, channels * kh * kw, windows)."""
    _image_axes("unfold", x, "channels_first")
    sizes, steps = arguments.integers("kernel_size", kernel_size, 2), arguments.steps("stride", stride)
    between = arguments.steps("dilation", dilation)
    around = tuple((n, n) for n in arguments.integers("padding", padding, 2, 0))
    made = _windows(f, f.transpose(x, (0, 2, 3, 1)), sizes, steps, between, around)
    _, rows, columns, _ = made.shape
    c = x.shape[1]
    cells = f.transpose(f.reshape(made, (-1, rows * columns, sizes[0] * sizes[1], c)), (0, 3, 2, 1))
    return f.reshape(cells, (-1, c * sizes[0] * sizes[1], rows * columns))


def sobel_edges(f: Any, images: Any, data_format: Any = None) -> Any:
    """Slopes down and to the right in a new last axis, borders mirrored."""
    axes = _image_axes("sobel_edges", images, data_format)[:2]
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


def gaussian_blur(
    f: Any, images: Any, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: Any = None
) -> Any:
    """Each channel convolved with a bell curve of `sigma` cells, zeros around the images."""
    channels = images.shape[_image_axes("gaussian_blur", images, data_format)[2]]
    sizes = arguments.integers("kernel_size", kernel_size, 2, high=_LARGEST_BLUR)
    if not isinstance(sigma, (list, tuple)) or len(sigma) != 2:
        raise ValueError(f"`sigma` must be two numbers. Received: sigma={arguments.shown(sigma)}.")
    bells = []
    for n, width in zip(sizes, sigma, strict=True):
        places = np.arange(n) - (n - 1) / 2
        bell = np.exp(-0.5 * (places / arguments.positive_number("sigma", width)) ** 2)
        bells.append(bell / bell.sum())
    kernel = np.outer(bells[1], bells[0]).reshape(*sizes, 1, 1)  # as Keras, also where it is not square
    kernels = np.broadcast_to(kernel, (*sizes, channels, 1))
    return _convolved(f, "depthwise_conv2d", images, [kernels], data_format, padding="same")


def _colours(function: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Any]:
    """`function` of arrays whose last axis holds three channels."""

    def lower(f: Any, images: Any, data_format: Any = None) -> Any:
        axis = _image_axes("rgb_to_hsv and hsv_to_rgb", images, data_format)[2]
        if images.shape[axis] != 3:
            raise ValueError(
                f"`images` must have 3 channels. Received: images of shape {tuple(images.shape)}."
            )
        step = lambda a: np.moveaxis(function(np.moveaxis(a, axis, 3)), 3, axis)  # noqa: E731
        return host(f, step, [images], images.shape)

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
