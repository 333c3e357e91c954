"""Operations on images (batch, height, width, channels): convolutions, pooling, resizing."""

from __future__ import annotations

from typing import Any

import numpy as np

from .eager import run


def conv2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: Any = "channels_last",
    dilation_rate: Any = 1,
    groups: Any = 1,
    activation: Any = None,
    *,
    out: Any = None,
    exact: bool = False,
) -> np.ndarray:
    """2-D convolution, y[n,i,j,o] = act(sum x[n, i*sh-top+a*dh, j*sw-left+b*dw, c] * kernel[a,b,c,o] + bias[o])

    x: (batch, height, width, channels), or (batch, channels, height, width) with data_format="channels_first",
        which is right but slower: it is transposed.
    kernel: (rows, columns, channels / groups, filters). bias: (filters,) or None.
    strides, dilation_rate: one positive int or one per axis. Both may be above 1.
    padding: "valid", "same" (ceil(size / stride) outputs, the smaller half first) or ((top, bottom), (left, right)).
    groups: divides channels and filters; each group of channels makes its group of filters.
    activation: a name, None or a function of conv2d_native.activations; applied while results are stored.
    exact: add up products directly, without Winograd, as within `with exact():`.
    Returns float32 (batch, rows, columns, filters), or fills `out`, a float32 array of that shape.
    Raises ValueError for words out of range and shapes that do not fit, TypeError for arrays that are not real.

        >>> x = np.ones((1, 4, 4, 3), np.float32)
        >>> conv2d(x, np.ones((3, 3, 3, 2), np.float32), padding="same", activation="relu").shape
        (1, 4, 4, 2)
    """
    words = _words(strides, padding, data_format, dilation_rate, activation, groups=groups)
    return run("conv2d", x, {"kernel": kernel, "bias": bias}, words, out, 4, exact)


def depthwise_conv2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: Any = "channels_last",
    dilation_rate: Any = 1,
    activation: Any = None,
    *,
    out: Any = None,
    exact: bool = False,
) -> np.ndarray:
    """Convolution of every channel by itself: output channel c * multiplier + m is x[..., c] with kernel[..., c, m].

    x: (batch, height, width, channels). kernel: (rows, columns, channels, multiplier).
    bias: (channels * multiplier,) or None. Other words, errors and `out` as in conv2d.
    Returns float32 (batch, rows, columns, channels * multiplier).

        >>> depthwise_conv2d(np.ones((1, 5, 5, 3), np.float32), np.ones((3, 3, 3, 2), np.float32)).shape
        (1, 3, 3, 6)
    """
    words = _words(strides, padding, data_format, dilation_rate, activation)
    return run("depthwise_conv2d", x, {"kernel": kernel, "bias": bias}, words, out, 4, exact)


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: Any = "channels_last",
    dilation_rate: Any = 1,
    activation: Any = None,
    *,
    out: Any = None,
    exact: bool = False,
) -> np.ndarray:
    """depthwise_conv2d with `depthwise_kernel`, then a 1x1 convolution with `pointwise_kernel`, bias and activation.

    x: (batch, height, width, channels). depthwise_kernel: (rows, columns, channels, multiplier).
    pointwise_kernel: (1, 1, channels * multiplier, filters). bias: (filters,) or None. The rest as in conv2d.
    Returns float32 (batch, rows, columns, filters).

        >>> x, deep = np.ones((1, 5, 5, 3), np.float32), np.ones((3, 3, 3, 1), np.float32)
        >>> separable_conv2d(x, deep, np.ones((1, 1, 3, 8), np.float32)).shape
        (1, 3, 3, 8)
    """
    words = _words(strides, padding, data_format, dilation_rate, activation)
    weights = {"depthwise_kernel": depthwise_kernel, "pointwise_kernel": pointwise_kernel, "bias": bias}
    return run("separable_conv2d", x, weights, words, out, 4, exact)


def conv2d_transpose(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    data_format: Any = "channels_last",
    dilation_rate: Any = 1,
    activation: Any = None,
    *,
    out: Any = None,
    exact: bool = False,
) -> np.ndarray:
    """Transposed convolution: x[n,i,j,:] @ kernel[a,b].T is added to row i*sh + a*dh, column j*sw + b*dw.

    x: (batch, height, width, channels). kernel: (rows, columns, filters, channels), Keras's order.
    padding: "same" keeps size * stride outputs, "valid" all of them. output_padding: None or cells added at the
    end (an int or one per axis). Other words, errors and `out` as in conv2d.
    Returns float32 (batch, rows, columns, filters).

        >>> x, kernel = np.ones((1, 4, 4, 3), np.float32), np.ones((3, 3, 2, 3), np.float32)
        >>> conv2d_transpose(x, kernel, strides=2, padding="same").shape
        (1, 8, 8, 2)
    """
    words = _words(strides, padding, data_format, dilation_rate, activation, output_padding=output_padding)
    return run("conv2d_transpose", x, {"kernel": kernel, "bias": bias}, words, out, 4, exact)


def max_pool2d(
    x: Any,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = "channels_last",
    *,
    out: Any = None,
) -> np.ndarray:
    """Largest entry of each window; cells of the padding do not take part, NaN comes out as NaN.

    x: (batch, height, width, channels). pool_size, strides (default: pool_size): one positive int or one per axis.
    padding, data_format, errors and `out` as in conv2d. Returns float32 (batch, rows, columns, channels).

        >>> max_pool2d(np.arange(16.0).reshape(1, 4, 4, 1)).ravel().tolist()
        [5.0, 7.0, 13.0, 15.0]
    """
    words = {"pool_size": pool_size, "strides": strides, "padding": padding, "data_format": data_format}
    return run("max_pool2d", x, {}, words, out, 4)


def average_pool2d(
    x: Any,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = "channels_last",
    *,
    out: Any = None,
) -> np.ndarray:
    """Mean of each window's cells inside the image: padding is not counted. Words as in max_pool2d.

    >>> average_pool2d(np.arange(16.0).reshape(1, 4, 4, 1)).ravel().tolist()
    [2.5, 4.5, 10.5, 12.5]
    """
    words = {"pool_size": pool_size, "strides": strides, "padding": padding, "data_format": data_format}
    return run("average_pool2d", x, {}, words, out, 4)


def global_max_pool2d(
    x: Any, keepdims: bool = False, data_format: Any = "channels_last", *, out: Any = None
) -> np.ndarray:
    """Largest entry of each channel: (batch, height, width, channels) to (batch, channels).

    With keepdims the result is (batch, 1, 1, channels). Errors and `out` as in conv2d.

        >>> global_max_pool2d(np.arange(8.0).reshape(1, 2, 2, 2)).tolist()
        [[6.0, 7.0]]
    """
    return run("global_max_pool2d", x, {}, {"keepdims": keepdims, "data_format": data_format}, out, 4)


def global_average_pool2d(
    x: Any, keepdims: bool = False, data_format: Any = "channels_last", *, out: Any = None
) -> np.ndarray:
    """Mean of each channel: (batch, height, width, channels) to (batch, channels). Words as in global_max_pool2d.

    >>> global_average_pool2d(np.arange(8.0).reshape(1, 2, 2, 2)).tolist()
    [[3.0, 4.0]]
    """
    return run("global_average_pool2d", x, {}, {"keepdims": keepdims, "data_format": data_format}, out, 4)


def resize(
    x: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    data_format: Any = "channels_last",
    *,
    out: Any = None,
) -> np.ndarray:
    """Resize images to `size` (height, width) with half-pixel centres.

    interpolation: "nearest", "bilinear", "bicubic", "lanczos3", "lanczos5" or "area", the mean of what a pixel covers;
    antialias widens the others where images shrink. Errors and `out` as in conv2d. Returns float32
    (batch, *size, channels).

        >>> resize(np.arange(4.0).reshape(1, 2, 2, 1), (1, 2)).ravel().tolist()
        [1.0, 2.0]
    """
    kind = {"interpolation": interpolation, "antialias": antialias}
    return run("resize", x, {}, {"size": size, **kind, "data_format": data_format}, out, 4)


def _words(
    strides: Any, padding: Any, data_format: Any, dilation_rate: Any, activation: Any, **own: Any
) -> dict[str, Any]:
    """The words that all convolutions take, and `own` ones."""
    window = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    return {**window, "data_format": data_format, "activation": activation, **own}
