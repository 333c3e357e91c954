"""Windows on images among the operations of `keras.ops`: pools, convolutions, patches. Kernels are constants."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import arguments, shapes
from ...errors import UnsupportedLayerError
from ...graph import GraphBuilder
from ..registry import layer_class
from .images import channels_last, image_axes
from .operands import constant, host, is_tensor

# The sizes of a line's windows along the one row of its image.
_OF_A_ROW = {"pool_size": 1, "strides": 1, "dilation_rate": 1, "output_padding": 0}
_LARGEST_BLUR = 255  # cells of a kernel's side


def pool(name: str) -> Callable[..., Any]:
    """The operation of `f` called `name`: Keras's max_pool and average_pool."""

    def lower(
        f: Any,
        inputs: Any,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: Any = None,
    ) -> Any:
        words = {"pool_size": pool_size, "strides": strides}

        def of_images(x: Any, words: Any, data_format: Any) -> Any:
            return getattr(f, name)(x, **words, padding=padding, data_format=data_format)

        return _also_of_lines(f, inputs, words, arguments.data_format(data_format), of_images)

    return lower


def _also_of_lines(f: Any, inputs: Any, words: dict[str, Any], data_format: Any, of_images: Any) -> Any:
    """of_images(inputs, words, data_format); lines, of three axes, as images of one row, in which words have a size."""
    if len(inputs.shape) != 3:
        return of_images(inputs, words, data_format)
    sizes = {
        word: value if value is None else (_OF_A_ROW[word], *arguments.integers(word, value, 1, 0))
        for word, value in words.items()
        if word in _OF_A_ROW
    }
    turned = data_format == "channels_first"
    x = f.transpose(inputs, (0, 2, 1)) if turned else inputs
    made = of_images(f.reshape(x, (-1, 1, *x.shape[1:])), {**words, **sizes}, "channels_last")
    made = f.reshape(made, (-1, *made.shape[2:]))
    return f.transpose(made, (0, 2, 1)) if turned else made


def adaptive_pool(kind: str) -> Callable[..., Any]:
    """As the adaptive pooling layers of that `kind`, "Max" or "Average"."""

    def lower(f: Any, inputs: Any, output_size: Any, data_format: Any = None) -> Any:
        made = layer_class(f"Adaptive{kind}Pooling{len(inputs.shape) - 2}D")
        if made is None:
            raise UnsupportedLayerError("Adaptive pooling takes a batch of lines or images here.")
        return made(output_size, data_format, name=f"adaptive_{kind.lower()}_pool").call(f, inputs)

    return lower


def convolution(name: str) -> Callable[..., Any]:
    """The operation of `f` called `name`, kernels constant, with the words that Keras's operation has of its own."""
    words = _keras_words(name)

    def lower(*args: Any, **settings: Any) -> Any:
        given = words.bind(*args, **settings).arguments
        f, inputs = given.pop("f"), given.pop("inputs")
        kernels = {word: constant(word, given[word]) for word in given if word.endswith("kernel")}
        if len(inputs.shape) not in (3, 4) or any(map(is_tensor, kernels.values())):
            raise UnsupportedLayerError(
                f"Operation '{name}' takes lines or images and constant kernels here."
            )

        def of_images(x: Any, words: Any, data_format: Any) -> Any:
            of_line = len(inputs.shape) == 3
            made = {word: kernel[None] if of_line else kernel for word, kernel in kernels.items()}
            if name == "conv2d":
                made["groups"] = _groups(x, data_format, made["kernel"].shape)
            return getattr(f, name)(x, **{**words, **made}, data_format=data_format)

        data_format = arguments.data_format(given.pop("data_format", None))
        return _also_of_lines(f, inputs, given, data_format, of_images)

    lower.__signature__ = words  # type: ignore[attr-defined]
    return lower


def _groups(inputs: Any, data_format: Any, kernel_shape: Sequence[int]) -> int:
    """As many as the kernel takes to cover the channels: Keras's operation has no word for them."""
    channels = inputs.shape[image_axes("conv", inputs, data_format)[2]]
    fits = len(kernel_shape) == 4 and kernel_shape[2] and channels % kernel_shape[2] == 0
    return channels // kernel_shape[2] if fits else 1


def _keras_words(name: str) -> inspect.Signature:
    """The arguments of a convolution in `keras.ops`: a layer's bias, groups and activation are not among them."""
    f, x, *rest = inspect.signature(getattr(GraphBuilder, name)).parameters.values()
    own = [word for word in rest if word.name not in ("bias", "groups", "activation")]
    own = [word.replace(default=None) if word.name == "data_format" else word for word in own]
    return inspect.Signature([f.replace(name="f"), x.replace(name="inputs"), *own])


def _windows(
    f: Any, images: Any, sizes: Sequence[int], strides: Sequence[int], dilation: Sequence[int], padding: Any
) -> Any:
    """The cells of windows on images (batch, height, width, channels): (batch, rows, columns, kh * kw * channels)."""
    _, h, w, c = images.shape
    rows, columns = shapes.window_outputs(images.shape, sizes, strides, dilation, padding)
    around = map(shapes.axis_padding, (h, w), sizes, strides, dilation, shapes.per_axis(padding, 2))
    widths = [(0, 0), *around, (0, 0)]
    arguments.result_shape((None, h + sum(widths[1]), w + sum(widths[2]), c), "padded images")
    spans = [shapes.extent(*axis) for axis in zip(sizes, dilation, strict=True)]
    places = tuple(slice(None, None, step) for step in (1, *strides, 1, *dilation))

    def cut(a: np.ndarray) -> np.ndarray:
        seen = np.lib.stride_tricks.sliding_window_view(np.pad(a, widths), spans, axis=(1, 2))[places]
        return seen.transpose(0, 1, 2, 4, 5, 3).reshape(len(a), rows, columns, -1)

    return host(f, cut, [images], (None, rows, columns, sizes[0] * sizes[1] * c))


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

    def cut(x: Any) -> Any:
        return _windows(f, x, sizes, steps, dilation, word)

    return channels_last(f, "extract_patches", images, data_format, cut)


def unfold(f: Any, x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Windows on images with the channels first: (batch, channels * kh * kw, windows)."""
    image_axes("unfold", x, "channels_first")
    sizes, steps = arguments.integers("kernel_size", kernel_size, 2), arguments.steps("stride", stride)
    between = arguments.steps("dilation", dilation)
    around = tuple((n, n) for n in arguments.integers("padding", padding, 2, 0))
    made = _windows(f, f.transpose(x, shapes.TO_LAST), sizes, steps, between, around)
    windows, cells, c = made.shape[1] * made.shape[2], sizes[0] * sizes[1], x.shape[1]
    turned = f.transpose(f.reshape(made, (-1, windows, cells, c)), (0, 3, 2, 1))
    return f.reshape(turned, (-1, c * cells, windows))


def gaussian_blur(
    f: Any, images: Any, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: Any = None
) -> Any:
    """Each channel convolved with a bell curve of `sigma` cells, zeros around the images."""
    channels = images.shape[image_axes("gaussian_blur", images, data_format)[2]]
    sizes = arguments.integers("kernel_size", kernel_size, 2, high=_LARGEST_BLUR)
    if not isinstance(sigma, (list, tuple)) or len(sigma) != 2:
        raise ValueError(arguments.must("sigma", "be two numbers", sigma))
    bells = []
    for n, width in zip(sizes, sigma, strict=True):
        places = np.arange(n) - (n - 1) / 2
        bell = np.exp(-0.5 * (places / arguments.positive_number("sigma", width)) ** 2)
        bells.append(bell / bell.sum())
    kernel = np.outer(bells[1], bells[0]).reshape(*sizes, 1, 1)  # as Keras, also where it is not square
    kernels = np.broadcast_to(kernel, (*sizes, channels, 1))
    return convolution("depthwise_conv2d")(f, images, kernels, padding="same", data_format=data_format)
