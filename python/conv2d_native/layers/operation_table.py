"""What the operations of `keras.ops` compute, one row per class name, and TensorFlow's names for them.

A row's `lower(f, *arguments, **settings)` takes Keras's argument words and uses the operations of `f`: the
graph builder or the eager functions. What those lack is computed by NumPy as a host step. Operations that
mix the images of a batch are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import activations, arguments
from . import orderings, products, reductions
from .activation import Softmax
from .array_operations import (
    axis_numbers,
    broadcast,
    broadcast_to,
    concatenate,
    constant,
    expand_dims,
    flip,
    host,
    is_tensor,
    mixing,
    moveaxis,
    pad,
    repeat,
    reshape,
    roll,
    rot90,
    squeeze,
    stack,
    swapaxes,
    tile,
    transpose,
    triangle,
)
from .image_operations import (
    adaptive_pool,
    conv_transpose,
    convolution,
    crop_images,
    depth_to_space,
    extract_patches,
    gaussian_blur,
    hsv_to_rgb,
    pad_images,
    resize,
    rgb_to_grayscale,
    rgb_to_hsv,
    separable_conv,
    sobel_edges,
    space_to_depth,
    unfold,
)
from .normalizing_operations import batch_normalization, layer_normalization, rms_normalization
from .reductions import position, reduction
from .selections import (
    array_split,
    get_item,
    slice_at,
    split,
    split_along,
    take,
    take_along_axis,
    unstack,
)

_DTYPES = ("float16", "float32", "float64", "bfloat16", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16",
           "uint32", "uint64")  # fmt: skip
_NARROW = {"bool": (0, 1), "float16": (-65504, 65504)}  # least and most of those that are no integers

_ERF_ABOVE = (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
              -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02)  # fmt: skip
_ERF_BELOW = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
              -1.42647390514189e-02)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """`module` is where Keras keeps the class: keras.src.ops.<module>. `settings`: words of OPERANDS that are none."""

    module: str
    lower: Callable[..., Any]
    settings: tuple[str, ...] = ()


def _binary(name: str) -> Callable[..., Any]:
    return lambda f, x1, x2: getattr(f, name)(constant("x1", x1), constant("x2", x2))


def divide_no_nan(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where `b` is 0."""
    with np.errstate(all="ignore"):
        return np.where(np.equal(b, 0), np.float32(0), np.divide(a, b))


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


def _erf(a: np.ndarray) -> np.ndarray:
    """x p(x^2) / q(x^2) within 1e-7: the coefficients are those of Eigen."""
    x = np.clip(a, -4, 4).astype(np.float64)
    above, below = (np.polyval(np.array(each), x * x) for each in (_ERF_ABOVE, _ERF_BELOW))
    made: np.ndarray = x * above / below
    return made


def _activation(name: str) -> Callable[..., Any]:
    def lower(f: Any, *args: Any, **settings: Any) -> Any:
        return getattr(f, name)(*args, **settings)

    lower.__signature__ = activations.signature(name, "f", "x")  # type: ignore[attr-defined]
    return lower


def _softmax(f: Any, x: Any, axis: Any = -1) -> Any:
    axes = axis_numbers(axis, len(x.shape))
    return Softmax(axes[0] if len(axes) == 1 else axes, name="softmax").call(f, x)


def _round(f: Any, x: Any, decimals: int = 0) -> Any:
    places = arguments.integer("decimals", decimals, low=-99, high=99)
    return _unary(lambda a: np.round(a, places))(f, x)


def _nan_to_num(f: Any, x: Any, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    edges = {"posinf": posinf, "neginf": neginf}
    words: dict[str, Any] = {k: v if v is None else arguments.number(k, v) for k, v in edges.items()}
    words["nan"] = arguments.number("nan", nan)
    return _unary(lambda a: np.nan_to_num(a, **words))(f, x)


def _full_like(f: Any, x: Any, fill_value: Any, dtype: Any = None) -> Any:
    value = constant("fill_value", arguments.number("fill_value", fill_value))
    return _unary(lambda a: np.full_like(a, value))(f, x)


def _filled(value: float) -> Callable[..., Any]:
    return lambda f, x, dtype=None: _unary(lambda a: np.full_like(a, value))(f, x)


def _clip(f: Any, x: Any, x_min: Any, x_max: Any) -> Any:
    if x_min is not None:
        x = f.maximum(x, constant("x_min", x_min))
    return x if x_max is None else f.minimum(x, constant("x_max", x_max))


def _joined(axis: int) -> Callable[..., Any]:
    """hstack and dstack, of tensors with such an axis."""
    return lambda f, xs: concatenate(f, xs, axis)


def _append(f: Any, x1: Any, x2: Any, axis: Any = None) -> Any:
    return concatenate(f, [x1, x2], axis)


def _pool(name: str) -> Callable[..., Any]:
    def lower(
        f: Any,
        inputs: Any,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: Any = None,
    ) -> Any:
        return getattr(f, name)(inputs, pool_size, strides, padding, arguments.data_format(data_format))

    return lower


def _dtype_name(dtype: Any) -> str:
    named = dtype if isinstance(dtype, str) or dtype is None else getattr(dtype, "name", dtype)
    return arguments.choice("dtype", named, _DTYPES)


def _saturate_cast(f: Any, x: Any, dtype: Any) -> Any:
    name = _dtype_name(dtype)
    if "int" in name or name in _NARROW:
        least, most = _NARROW.get(name) or (np.iinfo(name).min, np.iinfo(name).max)
        x = f.minimum(f.maximum(x, constant("dtype", float(least))), constant("dtype", float(most)))
    return _cast(f, x, name)


def _cast(f: Any, x: Any, dtype: Any) -> Any:
    name = _dtype_name(dtype)
    if name == "bool":
        return _unary(lambda a: a != 0)(f, x)
    return x if "float" in name else _unary(np.trunc)(f, x)


def _identity(f: Any, x: Any, **unused: Any) -> Any:
    return x


def _where(f: Any, condition: Any, x1: Any, x2: Any) -> Any:
    xs = [constant(*pair) for pair in (("condition", condition), ("x1", x1), ("x2", x2))]
    return host(f, lambda c, a, b: np.where(c != 0, a, b), xs, broadcast(xs, "where"))


def _select(f: Any, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    made = default
    if not (isinstance(condlist, (list, tuple)) and isinstance(choicelist, (list, tuple)) and condlist):
        raise TypeError(
            f"`condlist` must be a list, and `choicelist` another. Received: condlist={arguments.shown(condlist)}."
        )
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"`choicelist` must have an entry for each of `condlist`. Received: {len(choicelist)} for {len(condlist)}."
        )
    for condition, choice in list(zip(condlist, choicelist, strict=True))[::-1]:
        made = _where(f, condition, choice, made)
    return made


def _is_close(f: Any, x1: Any, x2: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    relative, absolute = arguments.number("rtol", rtol), arguments.number("atol", atol)
    same = arguments.flag("equal_nan", equal_nan)
    xs = [constant("x1", x1), constant("x2", x2)]
    return host(f, lambda a, b: np.isclose(a, b, relative, absolute, same), xs, broadcast(xs, "isclose"))


def _is_in(f: Any, x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    members, turned = constant("x2", x2), arguments.flag("invert", invert)
    if is_tensor(members):
        raise mixing("isin")
    return _unary(lambda a: np.isin(a, members, invert=turned))(f, x1)


def _numpy_rows() -> dict[str, Row]:
    rows = {n: Row("numpy", _affine(n.lower())) for n in ("Add", "Subtract", "Multiply", "Divide")}
    rows |= {n: Row("numpy", _binary(n.lower())) for n in ("Maximum", "Minimum")}
    rows["TrueDivide"] = rows["Divide"]
    by_numpy: dict[str, Callable[..., Any]] = {
        "Power": np.power, "FloorDivide": np.floor_divide, "Mod": np.mod, "Arctan2": np.arctan2,
        "Greater": np.greater, "GreaterEqual": np.greater_equal, "Less": np.less, "LessEqual": np.less_equal,
        "Equal": np.equal, "NotEqual": np.not_equal, "LogicalAnd": np.logical_and, "LogicalOr": np.logical_or,
        "LogicalXor": np.logical_xor, "Heaviside": np.heaviside, "Hypot": np.hypot, "Logaddexp": np.logaddexp,
        "Logaddexp2": np.logaddexp2, "Fmax": np.fmax, "Fmin": np.fmin, "Fmod": np.fmod,
        "DivideNoNan": divide_no_nan,
    }  # fmt: skip
    rows |= {name: Row("numpy", _numpy_binary(function)) for name, function in by_numpy.items()}
    unary = "Absolute Exp Expm1 Log Log10 Log1p Log2 Sqrt Sin Cos Tan Floor Ceil Sign Reciprocal Trunc "
    unary += (
        "Sinh Cosh Arcsin Arccos Arctan Arcsinh Arccosh Arctanh Cbrt Exp2 Fabs Isnan Isinf Isfinite Sinc "
    )
    unary += "Deg2rad Rad2deg Isposinf Isneginf Signbit"
    for name in unary.split():
        rows[name] = Row("numpy", _unary(getattr(np, name.lower())))
    rows["Abs"] = rows["Absolute"]
    for name in ("Mean", "Max", "Min", "Sum", "Prod", "Var", "Std", "Amax", "Amin", "Median", "Any", "All"):
        rows[name] = Row("numpy", reduction(getattr(np, name.lower())))
    for name in ("Ptp", "Nansum", "Nanprod"):
        rows[name] = Row("numpy", reduction(getattr(np, name.lower())))
    for name in ("Nanmean", "Nanmax", "Nanmin", "Nanvar", "Nanstd"):
        rows[name] = Row("numpy", reduction(getattr(reductions, name.lower())))
    rows["CountNonzero"] = Row("numpy", reduction(np.count_nonzero))
    for name in ("Cumsum", "Cumprod", "Nancumsum", "Nancumprod"):
        rows[name] = Row("numpy", reductions.along(getattr(np, name.lower())))
    for name in ("Sort", "Argsort", "Diff", "Digitize"):
        rows[name] = Row("numpy", getattr(orderings, name.lower()))
    for name in ("Matmul", "Einsum", "Dot", "Inner", "Tensordot"):
        rows[name] = Row("numpy", getattr(products, name.lower()))
    shapes: dict[str, Callable[..., Any]] = {
        "Reshape": reshape, "Transpose": transpose, "Swapaxes": swapaxes, "Moveaxis": moveaxis,
        "Squeeze": squeeze, "ExpandDims": expand_dims, "Concatenate": concatenate, "Stack": stack,
        "Pad": pad, "GetItem": get_item, "Split": split, "Clip": _clip, "Tile": tile, "Repeat": repeat,
        "Flip": flip, "Where": _where, "Copy": _identity,
        "Roll": roll, "Take": take, "Round": _round, "ZerosLike": _filled(0), "OnesLike": _filled(1),
        "Argmax": position(np.argmax), "Argmin": position(np.argmin), "TakeAlongAxis": take_along_axis,
        "BroadcastTo": broadcast_to, "Rot90": rot90, "Tril": triangle(np.tril), "Triu": triangle(np.triu),
        "ArraySplit": array_split, "Hsplit": split_along(1), "Dsplit": split_along(2),
        "Hstack": _joined(1), "Dstack": _joined(2), "Append": _append,
        "Fliplr": lambda f, x: flip(f, x, 1), "Average": reductions.average,
        "Quantile": reductions.quantile(np.quantile, 1), "Percentile": reductions.quantile(np.percentile, 100),
        "NanToNum": _nan_to_num, "FullLike": _full_like, "Select": _select, "Isclose": _is_close, "IsIn": _is_in,
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
        "LeakyRelu": "leaky_relu", "LogSoftmax": "log_softmax", "Celu": "celu",
        "LogSigmoid": "log_sigmoid", "HardTanh": "hard_tanh", "Squareplus": "squareplus", "Glu": "glu",
        "SoftShrink": "soft_shrink", "HardShrink": "hard_shrink", "TanhShrink": "tanh_shrink",
        "SparsePlus": "sparse_plus", "SparseSigmoid": "sparse_sigmoid", "Sparsemax": "sparsemax",
        "Threshold": "threshold",
    }  # fmt: skip
    rows = {name: Row("nn", _activation(word)) for name, word in words.items()}
    rows["Gelu"] = Row("nn", lambda f, x, approximate=True: f.gelu(x, approximate=approximate))
    rows["Softmax"] = Row("nn", _softmax)
    rows["MaxPool"] = Row("nn", _pool("max_pool2d"))
    rows["AveragePool"] = Row("nn", _pool("average_pool2d"))
    rows["DepthToSpace"] = Row("nn", depth_to_space)
    rows["SpaceToDepth"] = Row("nn", space_to_depth)
    rows["Normalize"] = Row("nn", reductions.normalize)
    rows["Moments"] = Row("nn", reductions.moments)
    rows["BatchNorm"] = Row("nn", batch_normalization)
    rows["LayerNorm"] = Row("nn", layer_normalization)
    rows["RMSNorm"] = Row("nn", rms_normalization)
    rows["OneHot"] = Row("nn", orderings.one_hot)
    rows["DotProductAttention"] = Row("nn", products.dot_product_attention)
    rows["Unfold"] = Row("nn", unfold)
    rows["AdaptiveMaxPool"] = Row("nn", adaptive_pool("max"))
    rows["AdaptiveAveragePool"] = Row("nn", adaptive_pool("average"))
    rows["Conv"] = Row("nn", convolution("conv2d"))
    rows["DepthwiseConv"] = Row("nn", convolution("depthwise_conv2d"))
    rows["SeparableConv"] = Row("nn", separable_conv)
    rows["ConvTranspose"] = Row("nn", conv_transpose)
    rows["Resize"] = Row("image", resize, ("fill_value",))
    rows["PadImages"] = Row("image", pad_images)
    rows["CropImages"] = Row("image", crop_images)
    rows["RGBToGrayscale"] = Row("image", rgb_to_grayscale)
    rows["RGBToHSV"] = Row("image", rgb_to_hsv)
    rows["HSVToRGB"] = Row("image", hsv_to_rgb)
    rows["ExtractPatches"] = Row("image", extract_patches)
    rows["SobelEdges"] = Row("image", sobel_edges)
    rows["GaussianBlur"] = Row("image", gaussian_blur)
    rows["Slice"] = Row("core", slice_at)
    rows["Unstack"] = Row("core", unstack)
    rows["Logsumexp"] = Row("math", reduction(reductions.logsumexp))
    rows["Cast"] = Row("core", _cast)
    rows["SaturateCast"] = Row("core", _saturate_cast)
    rows["ConvertToTensor"] = rows["StopGradient"] = Row("core", _identity)
    rows["TopK"] = Row("math", orderings.top_k)
    rows["Norm"] = Row("linalg", reductions.norm)
    rows["Erf"] = Row("math", _unary(_erf))
    rows["Erfc"] = Row("math", _unary(np.vectorize(math.erfc, otypes=[np.float32])))
    rows["Rsqrt"] = Row("math", _unary(lambda a: 1 / np.sqrt(a)))
    return rows


OPERATIONS: dict[str, Row] = {**_numpy_rows(), **_other_rows()}
