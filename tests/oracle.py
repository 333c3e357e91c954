"""Every operation in float64 NumPy, written from the definitions and independent of the package under test.

Arrays are NHWC unless data_format says "channels_first"; kernels have Keras's layouts, arguments have the
names and defaults of conv2d_native's functions. Taps that fall into the padding are left out of the sum, so
an infinite weight beside the border stays harmless.
"""

from __future__ import annotations

import math

import numpy as np

from error_measure import error_ratio as error_ratio
from error_measure import relative_l2 as relative_l2
from error_measure import trusted as trusted
from resampling import resize_matrix


def _float64(value):
    return np.asarray(value, np.float64)


def pair(value):
    return (value, value) if np.isscalar(value) else tuple(value)


def axis_padding(size, extent, stride, padding):
    """(before, after, outputs); padding is "valid", "same" (smaller half first) or (before, after)."""
    if padding == "same":
        out = -(-size // stride)
        total = max((out - 1) * stride + extent - size, 0)
        return total // 2, total - total // 2, out
    before, after = (0, 0) if padding == "valid" else padding
    return before, after, (size + before + after - extent) // stride + 1


def _per_axis(padding):
    return (padding, padding) if isinstance(padding, str) else padding


def _geometry(shape, kernel, strides, padding, dilation=(1, 1)):
    """[(before, after, outputs)] for the two spatial axes of an NHWC shape."""
    return [
        axis_padding(n, (k - 1) * d + 1, s, p)
        for n, k, s, d, p in zip(shape, kernel, strides, dilation, _per_axis(padding), strict=True)
    ]


def _inside(tap, before, stride, size, out):
    """Outputs [lo, hi) whose tap at offset `tap` lies inside the axis, and the first input it reads."""
    lo = max(0, -((tap - before) // stride))
    hi = min(out, (size - 1 - tap + before) // stride + 1)
    return lo, max(hi, lo), lo * stride + tap - before


def taps(shape, kernel, strides, padding, dilation=(1, 1)):
    """Yield (i, j, output slices, input slices) for each kernel tap: rows and columns of equal count."""
    geometry = _geometry(shape, kernel, strides, padding, dilation)
    axes = list(zip(shape, strides, dilation, geometry, strict=True))
    for i, j in np.ndindex(*kernel):
        outputs, inputs = [], []
        for tap, (n, s, d, (before, _, out)) in zip((i, j), axes, strict=True):
            lo, hi, start = _inside(tap * d, before, s, n, out)
            outputs.append(slice(lo, hi))
            inputs.append(slice(start, start + (hi - lo - 1) * s + 1 if hi > lo else start, s))
        yield i, j, tuple(outputs), tuple(inputs)


def _channels_last(function):
    """Let an NHWC function take data_format="channels_first" as well."""

    def wrapped(x, *args, data_format="channels_last", **kwargs):
        if data_format == "channels_last":
            return function(_float64(x), *args, **kwargs)
        y = function(np.moveaxis(_float64(x), 1, -1), *args, **kwargs)
        return np.moveaxis(y, -1, 1) if y.ndim == 4 else y

    return wrapped


@_channels_last
def conv2d(x, kernel, bias=None, strides=1, padding="valid", dilation_rate=1, groups=1, activation=None):
    """y[n,oh,ow,o] = act(sum x[n, oh*sh+i*dh-top, ow*sw+j*dw-left, c] * kernel[i,j,c,o] + bias[o])."""
    kernel = _float64(kernel)
    n, h, w, _ = x.shape
    kh, kw, cg, oc = kernel.shape
    strides, dilation = pair(strides), pair(dilation_rate)
    (_, _, oh), (_, _, ow) = _geometry((h, w), (kh, kw), strides, padding, dilation)
    y = np.zeros((n, oh, ow, groups, oc // groups))
    xg = x.reshape(n, h, w, groups, cg)
    kg = kernel.reshape(kh, kw, cg, groups, oc // groups)
    for i, j, (yr, yc), (xr, xc) in taps((h, w), (kh, kw), strides, padding, dilation):
        t = xg[:, xr, xc]
        if t.size == 0:
            continue
        if cg == 1:
            y[:, yr, yc] += t * kg[i, j, 0]
        elif groups == 1:
            y[:, yr, yc, 0] += t[:, :, :, 0] @ kg[i, j, :, 0]
        else:
            y[:, yr, yc] += np.einsum("nhwgc,cgo->nhwgo", t, kg[i, j], optimize=True)
    y = y.reshape(n, oh, ow, oc)
    return activate(y if bias is None else y + _float64(bias), activation)


@_channels_last
def depthwise_conv2d(x, kernel, bias=None, strides=1, padding="valid", dilation_rate=1, activation=None):
    """Output channel c * multiplier + m is channel c convolved with kernel[:, :, c, m]."""
    kernel = _float64(kernel)
    kh, kw, c, multiplier = kernel.shape
    kernel = kernel.reshape(kh, kw, 1, c * multiplier)
    return conv2d(
        x, kernel, bias, strides, padding, dilation_rate=dilation_rate, groups=c, activation=activation
    )


@_channels_last
def separable_conv2d(
    x,
    depthwise_kernel,
    pointwise_kernel,
    bias=None,
    strides=1,
    padding="valid",
    dilation_rate=1,
    activation=None,
):
    y = depthwise_conv2d(x, depthwise_kernel, None, strides, padding, dilation_rate=dilation_rate)
    return conv2d(y, pointwise_kernel, bias, activation=activation)


def _transpose_axis(size, kernel, stride, dilation, padding, output_padding):
    """(cells cut off in front, outputs) of one axis of a transposed convolution, by Keras's rules."""
    extent = (kernel - 1) * dilation + 1
    if padding == "valid":
        extra = max(stride - extent, 0) if output_padding is None else output_padding
        return 0, (size - 1) * stride + extent + extra
    out = size * stride if output_padding is None else (size - 1) * stride + extent % 2 + output_padding
    return max((size - 1) * stride + extent - out, 0) // 2, out


@_channels_last
def conv2d_transpose(
    x, kernel, bias=None, strides=1, padding="valid", output_padding=None, dilation_rate=1, activation=None
):
    """Scatter x[n,ih,iw,:] @ kernel[i,j].T to row ih*sh+i*dh-cut; kernel is (kh, kw, filters, cin)."""
    kernel = _float64(kernel)
    n, h, w, _ = x.shape
    kh, kw, oc, _ = kernel.shape
    extra = (None, None) if output_padding is None else pair(output_padding)
    (sh, sw), (dh, dw) = pair(strides), pair(dilation_rate)
    top, oh = _transpose_axis(h, kh, sh, dh, padding, extra[0])
    left, ow = _transpose_axis(w, kw, sw, dw, padding, extra[1])
    height, width = (h - 1) * sh + (kh - 1) * dh + 1, (w - 1) * sw + (kw - 1) * dw + 1
    full = np.zeros((n, max(top + oh, height), max(left + ow, width), oc))
    for i, j in np.ndindex(kh, kw):
        rows, cols = i * dh + np.arange(h) * sh, j * dw + np.arange(w) * sw
        full[:, rows[:, None], cols] += x @ kernel[i, j].T
    y = full[:, top : top + oh, left : left + ow]
    return activate(y if bias is None else y + _float64(bias), activation)


def dense(x, kernel, bias=None, activation=None):
    y = _float64(x) @ _float64(kernel)
    return activate(y if bias is None else y + _float64(bias), activation)


def _windows(x, pool_size, strides, padding):
    pool = pair(pool_size)
    strides = pool if strides is None else pair(strides)
    (_, _, oh), (_, _, ow) = _geometry(x.shape[1:3], pool, strides, padding)
    shape = (x.shape[0], oh, ow, x.shape[3])
    return shape, [(y, x[:, r, c]) for _, _, y, (r, c) in taps(x.shape[1:3], pool, strides, padding)]


@_channels_last
def max_pool2d(x, pool_size=2, strides=None, padding="valid"):
    """Maximum over the window's cells inside the image; NaN where one of them is NaN."""
    shape, windows = _windows(x, pool_size, strides, padding)
    y = np.full(shape, -np.inf)
    for (r, c), t in windows:
        y[:, r, c] = np.maximum(y[:, r, c], t)
    return y


@_channels_last
def average_pool2d(x, pool_size=2, strides=None, padding="valid"):
    """Mean over the window's cells inside the image: padding does not count."""
    shape, windows = _windows(x, pool_size, strides, padding)
    total, count = np.zeros(shape), np.zeros((*shape[1:3], 1))
    for (r, c), t in windows:
        total[:, r, c] += t
        count[r, c] += 1
    return total / count


@_channels_last
def global_max_pool2d(x, keepdims=False):
    return x.max(axis=(1, 2), keepdims=keepdims)


@_channels_last
def global_average_pool2d(x, keepdims=False):
    return x.mean(axis=(1, 2), keepdims=keepdims)


def _along(vector, axis, ndim):
    shape = [1] * ndim
    shape[axis] = -1
    return _float64(vector).reshape(shape)


def batch_normalization(x, mean, variance, offset=None, scale=None, axis=-1, epsilon=1e-3):
    x = _float64(x)
    gain = 1.0 if scale is None else _along(scale, axis, x.ndim)
    y = (x - _along(mean, axis, x.ndim)) / np.sqrt(_along(variance, axis, x.ndim) + epsilon) * gain
    return y if offset is None else y + _along(offset, axis, x.ndim)


def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=1e-3):
    x = _float64(x)
    axes = tuple(range(x.ndim))[axis] if np.isscalar(axis) else tuple(axis)
    y = (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + epsilon)
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta


def scale_shift(x, scale, shift):
    return _float64(x) * scale + shift


def prelu(x, alpha):
    x = _float64(x)
    return np.where(x < 0, x * alpha, x)


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """Keras's ReLU: x from `threshold` up, negative_slope * (x - threshold) below it, at most max_value."""
    x = _float64(x)
    y = np.where(x < threshold, negative_slope * (x - threshold) if negative_slope else 0.0, x)
    return y if max_value is None else np.where(y > max_value, max_value, y)


def softmax(x, axis=-1):
    x = _float64(x)
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax(x, axis=-1):
    x = _float64(x)
    z = x - x.max(axis=axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))


def sigmoid(x):
    x = _float64(x)
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def softplus(x):
    return np.logaddexp(0, _float64(x))


def gelu(x, approximate=False):
    x = _float64(x)
    if approximate:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2)))


def elu(x, alpha=1.0):
    x = _float64(x)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def hard_sigmoid(x):
    return np.clip(_float64(x) / 6 + 0.5, 0, 1)


def sparsemax(x, axis=-1):
    """Keras's sparsemax, whose threshold adds up the running sums (Martins and Astudillo 2016 do not)."""
    z = np.moveaxis(_float64(x), axis, -1)
    ordered = -np.sort(-z, axis=-1)
    sums = np.cumsum(ordered, axis=-1)
    support = ordered - (sums - 1) / np.arange(1, z.shape[-1] + 1) > 0
    tau = (np.where(support, sums, 0).sum(axis=-1, keepdims=True) - 1) / support.sum(axis=-1, keepdims=True)
    return np.moveaxis(np.maximum(z - tau, 0), -1, axis)


def glu(x, axis=-1):
    a, b = np.split(_float64(x), 2, axis=axis)
    return a * sigmoid(b)


_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

ACTIVATIONS = {
    "linear": _float64,
    "relu": relu,
    "relu6": lambda x: relu(x, max_value=6.0),
    "leaky_relu": lambda x, negative_slope=0.2: relu(x, negative_slope),
    "elu": elu,
    "selu": lambda x: _SELU_SCALE * elu(x, _SELU_ALPHA),
    "celu": lambda x, alpha=1.0: np.maximum(x, 0) + alpha * np.expm1(np.minimum(_float64(x), 0) / alpha),
    "sigmoid": sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "tanh": lambda x: np.tanh(_float64(x)),
    "softplus": softplus,
    "softsign": lambda x: _float64(x) / (1 + np.abs(_float64(x))),
    "silu": lambda x: x * sigmoid(x),
    "swish": lambda x: x * sigmoid(x),
    "hard_silu": lambda x: x * hard_sigmoid(x),
    "hard_swish": lambda x: x * hard_sigmoid(x),
    "gelu": gelu,
    "gelu_tanh": lambda x: gelu(x, approximate=True),
    "mish": lambda x: x * np.tanh(softplus(x)),
    "exponential": lambda x: np.exp(_float64(x)),
    "softmax": softmax,
    "log_softmax": log_softmax,
    "log_sigmoid": lambda x: -softplus(-_float64(x)),
    "hard_tanh": lambda x: np.clip(_float64(x), -1, 1),
    "tanh_shrink": lambda x: x - np.tanh(_float64(x)),
    "hard_shrink": lambda x, threshold=0.5: np.where(np.abs(x) > threshold, x, 0.0),
    "soft_shrink": lambda x, threshold=0.5: np.sign(x) * np.maximum(np.abs(x) - threshold, 0.0),
    "squareplus": lambda x, b=4.0: (x + np.sqrt(np.square(_float64(x)) + b)) / 2,
    "sparse_plus": lambda x: np.where(x <= -1, 0.0, np.where(x >= 1, x, (_float64(x) + 1) ** 2 / 4)),
    "sparse_sigmoid": lambda x: np.clip((_float64(x) + 1) / 2, 0, 1),
    "sparsemax": sparsemax,
    "threshold": lambda x, threshold=0.0, default_value=0.0: np.where(x > threshold, x, default_value),
    "glu": glu,
}


def activate(x, activation):
    """Apply None, a name or (name, parameters)."""
    if activation is None:
        return x
    name, parameters = (activation, {}) if isinstance(activation, str) else activation
    return ACTIVATIONS[name](_float64(x), **parameters)


@_channels_last
def resize2d(x, size=None, scale=None, interpolation="nearest"):
    h, w = pair(size) if size is not None else (x.shape[1] * pair(scale)[0], x.shape[2] * pair(scale)[1])
    rows, cols = resize_matrix(x.shape[1], h, interpolation), resize_matrix(x.shape[2], w, interpolation)
    return np.einsum("ah,bw,nhwc->nabc", rows, cols, x, optimize=True)


def conv2d_scale(x, kernel, bias=None, **geometry):
    """S of every output of conv2d: the same convolution on absolute values, without the activation."""
    return conv2d(np.abs(x), np.abs(kernel), None if bias is None else np.abs(bias), **geometry)
