"""TensorFlow's functions of windows (convolutions, pools, patches, blocks) in Keras 2 files, of Keras's operations.

Each takes `step`, which records one operation, and then TensorFlow's arguments by its names and defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import arguments
from ...errors import UnsupportedLayerError
from .image_compositions import Step
from .sizes import known_sizes


def _window(word: str, given: Any, data_format: Any) -> tuple[int, ...]:
    """The two sizes of the image's axes out of TensorFlow's one, two or four."""
    sizes = [given] if isinstance(given, int) else list(given or [1])
    if len(sizes) == 4 and sizes[0] == sizes[3] == 1:
        sizes = sizes[1:3]
    if len(sizes) not in (1, 2) or data_format not in (None, "NHWC"):
        raise UnsupportedLayerError(f"{word}={given} with data_format={data_format} is not computed here.")
    return arguments.integers(word, sizes * (3 - len(sizes)), 2)


def _kernel(given: Any, padding: Any) -> np.ndarray:
    if not isinstance(padding, str) or not isinstance(given, (list, np.ndarray)):
        raise UnsupportedLayerError(
            f"A convolution takes a constant kernel and a name as padding here. Received: padding={padding}."
        )
    return np.asarray(given, np.float32)


def _convolved(class_name: str) -> Callable[..., Any]:
    def convolved(step: Step, input: Any, filters: Any = None, strides: Any = 1, padding: Any = "VALID",
                  data_format: Any = None, dilations: Any = None, filter: Any = None,
                  rate: Any = None, dilation_rate: Any = None, use_cudnn_on_gpu: bool = True) -> Any:  # fmt: skip
        kernel = _kernel(filter if filters is None else filters, padding)
        settings = {
            "strides": _window("strides", strides, data_format),
            "padding": padding.lower(),
            "dilation_rate": _window("dilations", dilations or rate or dilation_rate, data_format),
        }
        return step(class_name, input, kernel, **settings)

    return convolved


def _patches(step: Step, images: Any, sizes: Any, strides: Any, rates: Any, padding: str) -> Any:
    size, stride = _window("sizes", sizes, None), _window("strides", strides, None)
    rate = _window("rates", rates, None)
    settings = {"size": size, "strides": stride, "dilation_rate": rate[0], "padding": padding.lower()}
    if rate[0] != rate[1] or (rate[0] > 1 and stride != (1, 1)):
        raise UnsupportedLayerError(f"Patches are not computed with rates={rates}, strides={strides} here.")
    return step("ExtractPatches", images, **settings)


def _of_line(of_image: Callable[..., Any], *windows: str) -> Callable[..., Any]:
    """`of_image` for lines (n, length, channels): images of one row. `windows` are words whose sizes have one more."""

    def of_line(step: Step, input: Any, *args: Any, data_format: Any = "NWC", **words: Any) -> Any:
        if data_format not in (None, "NWC"):
            raise UnsupportedLayerError(f"Lines are not computed with data_format={data_format} here.")
        for word in windows:
            given = words.get(word)
            sizes = [given] if isinstance(given, int) else list(given or [1])
            words[word] = [1, *sizes[len(sizes) // 2 : len(sizes) // 2 + 1]]
        made = of_image(step, step("ExpandDims", input, axis=1), *args, **words)
        return step("Squeeze", made, axis=1)

    return of_line


def _line_convolved(step: Step, image: Any, filters: Any, stride: Any = 1, padding: Any = "VALID",
                    dilations: Any = None, use_cudnn_on_gpu: bool = True) -> Any:  # fmt: skip
    kernel = filters if hasattr(filters, "shape") and not isinstance(filters, np.ndarray) else [filters]
    return _convolved("Conv")(step, image, kernel, stride, padding, None, dilations)


def _pooled(class_name: str) -> Callable[..., Any]:
    def pooled(step: Step, image: Any, ksize: Any, strides: Any, padding: str = "VALID") -> Any:
        return step(class_name, image, pool_size=ksize, strides=strides, padding=padding.lower())

    return pooled


def _pooled_by_name(step: Step, input: Any, window_shape: Any, pooling_type: str, padding: str = "VALID",
                    dilation_rate: Any = None, strides: Any = None, data_format: Any = None,
                    dilations: Any = None) -> Any:  # fmt: skip
    rates = {_window("dilations", given, data_format) for given in (dilation_rate, dilations)}
    if rates != {(1, 1)}:
        raise UnsupportedLayerError("tf.nn.pool is not computed with dilations here.")
    names = {"MAX": "MaxPool", "AVG": "AveragePool"}
    class_name = names[arguments.choice("pooling_type", pooling_type, tuple(names))]
    size = _window("window_shape", window_shape, data_format)
    stride = _window("strides", strides, data_format)
    return step(class_name, input, pool_size=size, strides=stride, padding=padding.lower())


def _convolved_apart(step: Step, input: Any, depthwise_filter: Any, pointwise_filter: Any, strides: Any,
                     padding: str, data_format: Any = None, dilations: Any = None,
                     rate: Any = None) -> Any:  # fmt: skip
    made = _convolved("DepthwiseConv")(
        step, input, depthwise_filter, strides, padding, data_format, dilations or rate
    )
    return _convolved("Conv")(step, made, pointwise_filter)


def _convolved_backwards(step: Step, input: Any, filters: Any, output_shape: Any, strides: Any,
                         padding: str = "SAME", data_format: Any = "NHWC", dilations: Any = None) -> Any:  # fmt: skip
    """Transposed: kernels have the output's channels before the input's. `output_shape` has the batch or not."""
    kernel, stride = _kernel(filters, padding), _window("strides", strides, data_format)
    rate = _window("dilations", dilations, data_format)
    sizes = list(output_shape)[-3:-1] if isinstance(output_shape, (list, tuple)) else []
    axes = [*zip(known_sizes("tf.nn.conv2d_transpose", input, (1, 2)), stride, kernel.shape, strict=False)]
    more: Any = None  # beside the smallest image that the kernels make
    if sizes != [n * s if padding == "SAME" else (n - 1) * s + max(k, s) for n, s, k in axes]:
        least = [(n - 1) * s + (k % 2 if padding == "SAME" else k) for n, s, k in axes]
        more = tuple(size - n for size, n in zip(sizes, least, strict=False))
    fits = more is None or (len(more) == 2 and all(0 <= m < s for m, s in zip(more, stride, strict=True)))
    if rate != (1, 1) or not fits:
        raise UnsupportedLayerError(
            f"tf.nn.conv2d_transpose is not computed here with output_shape={arguments.shown(output_shape)}, "
            f"dilations={dilations} for an input of {input.shape}."
        )
    settings = {"strides": stride, "padding": padding.lower(), "output_padding": more}
    return step("ConvTranspose", input, kernel, **settings)


def _blocks(block: Any, margins: Any) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    sizes = arguments.integers("block_shape", block, 2)
    return sizes, [arguments.integers("paddings", pair, 2, 0) for pair in margins]


def _to_batch(step: Step, input: Any, block_shape: Any, paddings: Any) -> Any:
    """The pixels at each place of a block are images of their own, those of one place side by side."""
    (rows, columns), margins = _blocks(block_shape, paddings)
    x = step("Pad", input, pad_width=[[0, 0], *map(list, margins), [0, 0]])
    h, w, c = known_sizes("tf.space_to_batch", x, (1, 2, 3))
    if h % rows or w % columns:
        raise ValueError(arguments.must("block_shape", f"divide the padded image, {h} x {w}", block_shape))
    x = step("Reshape", x, newshape=[-1, h // rows, rows, w // columns, columns, c])
    x = step("Transpose", x, axes=[2, 4, 0, 1, 3, 5])
    return step("Reshape", x, newshape=[-1, h // rows, w // columns, c])


def _from_batch(step: Step, input: Any, block_shape: Any, crops: Any) -> Any:
    """The inverse of _to_batch."""
    (rows, columns), margins = _blocks(block_shape, crops)
    h, w, c = known_sizes("tf.batch_to_space", input, (1, 2, 3))
    x = step("Reshape", input, newshape=[rows, columns, -1, h, w, c])
    x = step("Transpose", x, axes=[2, 3, 0, 4, 1, 5])
    x = step("Reshape", x, newshape=[-1, h * rows, w * columns, c])
    kept = [
        slice(before, n - after) for n, (before, after) in zip((h * rows, w * columns), margins, strict=True)
    ]
    return step("GetItem", x, (slice(None), *kept))


WINDOW_COMPOSITIONS: dict[str, Callable[..., Any]] = {
    "batch_to_space": _from_batch,
    "compat.v1.batch_to_space_nd": _from_batch,
    "compat.v1.nn.conv1d": _of_line(_line_convolved, "stride", "dilations"),
    "compat.v1.nn.conv2d": _convolved("Conv"),
    "compat.v1.nn.convolution": _convolved("Conv"),
    "compat.v1.nn.depthwise_conv2d": _convolved("DepthwiseConv"),
    "compat.v1.nn.pool": _pooled_by_name,
    "compat.v1.nn.separable_conv2d": _convolved_apart,
    "image.extract_patches": _patches,
    "nn.avg_pool1d": _of_line(_pooled("AveragePool"), "ksize", "strides"),
    "nn.conv2d": _convolved("Conv"),
    "nn.convolution": _convolved("Conv"),
    "nn.depthwise_conv2d": _convolved("DepthwiseConv"),
    "nn.max_pool1d": _of_line(_pooled("MaxPool"), "ksize", "strides"),
    "nn.pool": _pooled_by_name,
    "nn.separable_conv2d": _convolved_apart,
    "nn.atrous_conv2d": lambda step, value, filters, rate, padding: _convolved("Conv")(
        step, value, filters, 1, padding, None, rate
    ),
    "nn.conv2d_transpose": _convolved_backwards,
    "space_to_batch": _to_batch,
    "space_to_batch_nd": _to_batch,
}
