"""What the operations of `keras.ops` compute, one row per class name, and TensorFlow's names for them.

A row's `lower(f, *arguments, **settings)` takes Keras's argument words and uses the operations of `f`: the
graph builder or the eager functions. What those lack is computed by NumPy as a host step. Operations that
mix the images of a batch are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .. import activations, arguments
from ..errors import UnsupportedLayerError
from .array_operations import (
    axis_numbers,
    broadcast,
    concatenate,
    constant,
    expand_dims,
    flip,
    get_item,
    host,
    is_tensor,
    moveaxis,
    pad,
    reduced,
    repeat,
    reshape,
    roll,
    slice_at,
    split,
    squeeze,
    stack,
    swapaxes,
    take,
    tile,
    transpose,
    unstack,
)
from .image_operations import adaptive_pool, convolve, crop_images, pad_images, resize, rgb_to_grayscale
from .products import einsum, matmul

_DTYPES = ("float16", "float32", "float64", "bfloat16", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16",
           "uint32", "uint64")  # fmt: skip


@dataclass(frozen=True)
class Row:
    """`module` is where Keras keeps the class: keras.src.ops.<module>."""

    module: str
    lower: Callable[..., Any]


def _binary(name: str) -> Callable[..., Any]:
    return lambda f, x1, x2: getattr(f, name)(constant("x1", x1), constant("x2", x2))


def _has_inverse(c: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.isfinite(1 / c).all())


def _affine(name: str) -> Callable[..., Any]:
    """Arithmetic with a number, or with a vector along the last axis: scale and shift, which fuse into neighbours."""

    def lower(f: Any, x1: Any, x2: Any) -> Any:
        a, b = constant("x1", x1), constant("x2", x2)
        x, c = (a, b) if is_tensor(a) else (b, a)
        vector = not is_tensor(c) and (c.ndim == 0 or c.shape == x.shape[-1:])
        if not vector or (name == "divide" and (x is b or not _has_inverse(c))):
            return getattr(f, name)(a, b)
        if name == "multiply":
            return f.scale_shift(x, c, None)
        if name == "divide":
            return f.scale_shift(x, 1 / c, None)
        if name == "add":
            return f.scale_shift(x, None, c)
        return f.scale_shift(x, None, -c) if x is a else f.scale_shift(x, np.float32(-1), c)

    return lower


def _numpy_binary(function: Callable[..., Any]) -> Callable[..., Any]:
    def lower(f: Any, x1: Any, x2: Any) -> Any:
        xs = [constant("x1", x1), constant("x2", x2)]
        return host(f, function, xs, broadcast(xs, function.__name__))

    return lower


def _unary(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda f, x: f.apply(function, [x], x.shape)


def _activation(name: str) -> Callable[..., Any]:
    def lower(f: Any, *args: Any, **settings: Any) -> Any:
        return getattr(f, name)(*args, **settings)

    lower.__signature__ = activations.signature(name, "f", "x")  # type: ignore[attr-defined]
    return lower


def _round(f: Any, x: Any, decimals: int = 0) -> Any:
    places = arguments.integer("decimals", decimals, low=-99, high=99)
    return _unary(lambda a: np.round(a, places))(f, x)


def _filled(value: float) -> Callable[..., Any]:
    return lambda f, x, dtype=None: _unary(lambda a: np.full_like(a, value))(f, x)


def _logsumexp(a: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
    top = a.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, np.float32(0))
    total = np.log(np.exp(a - top).sum(axis=axis, keepdims=True)) + top
    made: np.ndarray = total if keepdims else total.squeeze(axis)
    return made


def _position(function: Callable[..., Any]) -> Callable[..., Any]:
    """argmax and argmin along one axis. Positions come out as float32, like every output."""

    def lower(f: Any, x: Any, axis: Any = None, keepdims: bool = False, **unused: Any) -> Any:
        axes = axis_numbers(axis, len(x.shape))
        if len(axes) != 1:
            raise UnsupportedLayerError(f"Operation '{function.__name__}' takes one axis of an image's here.")
        keep = arguments.flag("keepdims", keepdims)
        step = partial(function, axis=axes[0], keepdims=keep)
        return host(f, step, [x], reduced(x.shape, axes, keep))

    return lower


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    kind = {"mean": "mean", "max": "max", "amax": "max", "sum": "sum"}.get(function.__name__)

    def lower(f: Any, x: Any, axis: Any = None, keepdims: bool = False, **unused: Any) -> Any:
        if any(value is not None for value in unused.values()):
            raise UnsupportedLayerError(
                f"Operation '{function.__name__}' takes axis and keepdims only: {unused}."
            )
        axes = axis_numbers(axis, len(x.shape))
        keep = arguments.flag("keepdims", keepdims)
        if kind:
            return f.reduce(x, kind, axes, keep)
        return host(f, partial(function, axis=axes, keepdims=keep), [x], reduced(x.shape, axes, keep))

    return lower


def _clip(f: Any, x: Any, x_min: Any, x_max: Any) -> Any:
    if x_min is not None:
        x = f.maximum(x, constant("x_min", x_min))
    return x if x_max is None else f.minimum(x, constant("x_max", x_max))


def _first(data_format: Any) -> bool:
    return data_format == "channels_first"


def _pool(name: str) -> Callable[..., Any]:
    def lower(
        f: Any,
        inputs: Any,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: Any = None,
    ) -> Any:
        return getattr(f, name)(inputs, pool_size, strides, padding, data_format or "channels_last")

    return lower


def _depth_to_space(f: Any, x: Any, block_size: int, data_format: Any = "channels_last") -> Any:
    b = arguments.integer("block_size", block_size)
    if _first(data_format):
        x = f.transpose(x, (0, 2, 3, 1))
    _, h, w, c = x.shape
    y = f.transpose(f.reshape(x, (-1, h, w, b, b, c // (b * b))), (0, 1, 3, 2, 4, 5))
    y = f.reshape(y, (-1, h * b, w * b, c // (b * b)))
    return f.transpose(y, (0, 3, 1, 2)) if _first(data_format) else y


def _space_to_depth(f: Any, x: Any, block_size: int, data_format: Any = "channels_last") -> Any:
    b = arguments.integer("block_size", block_size)
    if _first(data_format):
        x = f.transpose(x, (0, 2, 3, 1))
    _, h, w, c = x.shape
    y = f.transpose(f.reshape(x, (-1, h // b, b, w // b, b, c)), (0, 1, 3, 2, 4, 5))
    y = f.reshape(y, (-1, h // b, w // b, b * b * c))
    return f.transpose(y, (0, 3, 1, 2)) if _first(data_format) else y


def _cast(f: Any, x: Any, dtype: Any) -> Any:
    named = dtype if isinstance(dtype, str) or dtype is None else getattr(dtype, "name", dtype)
    name = arguments.choice("dtype", named, _DTYPES)
    if name == "bool":
        return _unary(lambda a: a != 0)(f, x)
    return x if "float" in name else _unary(np.trunc)(f, x)


def _identity(f: Any, x: Any, **unused: Any) -> Any:
    return x


def _normalize(f: Any, x: Any, axis: Any = -1, order: Any = 2, epsilon: Any = None) -> Any:
    axes, tiny = (
        axis_numbers(axis, len(x.shape)),
        1e-12 if epsilon is None else arguments.number("epsilon", epsilon),
    )
    if order != 2:
        raise UnsupportedLayerError(f"Operation 'normalize' is computed with order=2 only, not {order}.")
    return host(
        f, lambda a: a / np.sqrt(np.maximum((a * a).sum(axis=axes, keepdims=True), tiny)), [x], x.shape
    )


def _where(f: Any, condition: Any, x1: Any, x2: Any) -> Any:
    xs = [constant(*pair) for pair in (("condition", condition), ("x1", x1), ("x2", x2))]
    return host(f, lambda c, a, b: np.where(c != 0, a, b), xs, broadcast(xs, "where"))


def _numpy_rows() -> dict[str, Row]:
    rows = {n: Row("numpy", _affine(n.lower())) for n in ("Add", "Subtract", "Multiply", "Divide")}
    rows |= {n: Row("numpy", _binary(n.lower())) for n in ("Maximum", "Minimum")}
    rows["TrueDivide"] = rows["Divide"]
    by_numpy: dict[str, Callable[..., Any]] = {
        "Power": np.power, "FloorDivide": np.floor_divide, "Mod": np.mod, "Arctan2": np.arctan2,
        "Greater": np.greater, "GreaterEqual": np.greater_equal, "Less": np.less, "LessEqual": np.less_equal,
        "Equal": np.equal, "NotEqual": np.not_equal, "LogicalAnd": np.logical_and, "LogicalOr": np.logical_or,
    }  # fmt: skip
    rows |= {name: Row("numpy", _numpy_binary(function)) for name, function in by_numpy.items()}
    unary = "Absolute Exp Expm1 Log Log10 Log1p Log2 Sqrt Sin Cos Tan Floor Ceil Sign Reciprocal Trunc "
    unary += "Sinh Cosh Arcsin Arccos Arctan Arcsinh Arccosh Arctanh Cbrt Exp2 Fabs Isnan Isinf Isfinite Sinc"
    for name in unary.split():
        rows[name] = Row("numpy", _unary(getattr(np, name.lower())))
    rows["Abs"] = rows["Absolute"]
    for name in ("Mean", "Max", "Min", "Sum", "Prod", "Var", "Std", "Amax", "Amin", "Median", "Any", "All"):
        rows[name] = Row("numpy", _reduction(getattr(np, name.lower())))
    shapes: dict[str, Callable[..., Any]] = {
        "Reshape": reshape, "Transpose": transpose, "Swapaxes": swapaxes, "Moveaxis": moveaxis,
        "Squeeze": squeeze, "ExpandDims": expand_dims, "Concatenate": concatenate, "Stack": stack,
        "Pad": pad, "GetItem": get_item, "Split": split, "Clip": _clip, "Tile": tile, "Repeat": repeat,
        "Flip": flip, "Matmul": matmul, "Einsum": einsum, "Where": _where, "Copy": _identity,
        "Roll": roll, "Take": take, "Round": _round, "ZerosLike": _filled(0), "OnesLike": _filled(1),
        "Argmax": _position(np.argmax), "Argmin": _position(np.argmin),
    }  # fmt: skip
    rows |= {name: Row("numpy", lower) for name, lower in shapes.items()}
    rows["LogicalNot"] = Row("numpy", _unary(lambda a: a == 0))
    rows["Negative"] = Row("numpy", lambda f, x: f.scale_shift(x, np.float32(-1), None))
    rows["Square"] = Row("numpy", lambda f, x: f.multiply(x, x))
    rows["Tanh"] = Row("numpy", _activation("tanh"))
    return rows


def _other_rows() -> dict[str, Row]:
    words = {
        "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Softplus": "softplus", "Softsign": "softsign",
        "Silu": "silu", "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "Elu": "elu", "Selu": "selu",
        "LeakyRelu": "leaky_relu", "Softmax": "softmax", "LogSoftmax": "log_softmax", "Celu": "celu",
        "LogSigmoid": "log_sigmoid", "HardTanh": "hard_tanh", "Squareplus": "squareplus", "Glu": "glu",
        "SoftShrink": "soft_shrink", "HardShrink": "hard_shrink", "TanhShrink": "tanh_shrink",
        "SparsePlus": "sparse_plus", "SparseSigmoid": "sparse_sigmoid", "Sparsemax": "sparsemax",
        "Threshold": "threshold",
    }  # fmt: skip
    rows = {name: Row("nn", _activation(word)) for name, word in words.items()}
    rows["Gelu"] = Row("nn", lambda f, x, approximate=True: f.gelu(x, approximate=approximate))
    rows["MaxPool"] = Row("nn", _pool("max_pool2d"))
    rows["AveragePool"] = Row("nn", _pool("average_pool2d"))
    rows["DepthToSpace"] = Row("nn", _depth_to_space)
    rows["SpaceToDepth"] = Row("nn", _space_to_depth)
    rows["Normalize"] = Row("nn", _normalize)
    rows["AdaptiveMaxPool"] = Row("nn", adaptive_pool("max"))
    rows["AdaptiveAveragePool"] = Row("nn", adaptive_pool("average"))
    rows["Conv"] = Row("nn", convolve("conv2d"))
    rows["DepthwiseConv"] = Row("nn", convolve("depthwise_conv2d"))
    rows["SeparableConv"] = Row("nn", convolve("separable_conv2d"))
    rows["Resize"] = Row("image", resize)
    rows["PadImages"] = Row("image", pad_images)
    rows["CropImages"] = Row("image", crop_images)
    rows["RGBToGrayscale"] = Row("image", rgb_to_grayscale)
    rows["Slice"] = Row("core", slice_at)
    rows["Unstack"] = Row("core", unstack)
    rows["Logsumexp"] = Row("math", _reduction(_logsumexp))
    rows["Cast"] = Row("core", _cast)
    rows["ConvertToTensor"] = rows["StopGradient"] = Row("core", _identity)
    rows["Rsqrt"] = Row("math", _unary(lambda a: 1 / np.sqrt(a)))
    return rows


OPERATIONS: dict[str, Row] = {**_numpy_rows(), **_other_rows()}
