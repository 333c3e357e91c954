"""TensorFlow's functions in Keras 2 files (TFOpLambda, SlicingOpLambda): Keras's operation and argument words."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np

from ...arguments import shown
from ...errors import UnsupportedLayerError
from .table import OPERATIONS

Words = dict[str, Any]

_CLASSES = {
    "add": "Add", "subtract": "Subtract", "multiply": "Multiply", "divide": "TrueDivide", "truediv": "TrueDivide",
    "mul": "Multiply", "sub": "Subtract", "div": "TrueDivide", "mod": "Mod", "divide_no_nan": "DivideNoNan",
    "maximum": "Maximum", "minimum": "Minimum", "pow": "Power", "floordiv": "FloorDivide", "floormod": "Mod",
    "floor_div": "FloorDivide", "greater": "Greater", "greater_equal": "GreaterEqual", "less": "Less",
    "less_equal": "LessEqual", "equal": "Equal", "not_equal": "NotEqual", "where": "Where",
    "logical_and": "LogicalAnd", "logical_or": "LogicalOr", "logical_xor": "LogicalXor", "logical_not": "LogicalNot",
    "abs": "Absolute", "exp": "Exp", "log": "Log", "log1p": "Log1p", "expm1": "Expm1", "sqrt": "Sqrt", "rsqrt": "Rsqrt",
    "square": "Square", "reciprocal": "Reciprocal", "negative": "Negative", "neg": "Negative", "sign": "Sign",
    "floor": "Floor", "ceil": "Ceil", "round": "Round", "erf": "Erf", "erfc": "Erfc", "sin": "Sin", "cos": "Cos",
    "tan": "Tan", "asin": "Arcsin", "acos": "Arccos", "atan": "Arctan", "atan2": "Arctan2",
    "sinh": "Sinh", "cosh": "Cosh", "asinh": "Arcsinh", "acosh": "Arccosh", "atanh": "Arctanh", "rint": "Round",
    "is_nan": "Isnan", "is_inf": "Isinf", "is_finite": "Isfinite", "clip_by_value": "Clip", "cast": "Cast",
    "identity": "Copy", "stop_gradient": "StopGradient", "zeros_like": "ZerosLike", "ones_like": "OnesLike",
    "sigmoid": "Sigmoid", "log_sigmoid": "LogSigmoid", "tanh": "Tanh", "relu": "Relu", "relu6": "Relu6", "elu": "Elu",
    "selu": "Selu", "silu": "Silu", "swish": "Silu", "softplus": "Softplus", "softsign": "Softsign", "gelu": "Gelu",
    "leaky_relu": "LeakyRelu", "softmax": "Softmax", "log_softmax": "LogSoftmax", "bias_add": "Add",
    "reduce_mean": "Mean", "reduce_max": "Max", "reduce_min": "Min", "reduce_sum": "Sum", "reduce_prod": "Prod",
    "reduce_std": "Std", "reduce_variance": "Var", "reduce_logsumexp": "Logsumexp", "reduce_any": "Any",
    "reduce_all": "All", "norm": "Norm", "moments": "Moments", "l2_normalize": "Normalize", "cumsum": "Cumsum",
    "cumprod": "Cumprod", "argmax": "Argmax", "argmin": "Argmin", "top_k": "TopK", "batch_normalization": "BatchNorm",
    "matmul": "Matmul", "tensordot": "Tensordot", "reshape": "Reshape", "transpose": "Transpose", "squeeze": "Squeeze",
    "expand_dims": "ExpandDims", "concat": "Concatenate", "stack": "Stack", "unstack": "Unstack", "split": "Split",
    "pad": "Pad", "tile": "Tile", "repeat": "Repeat", "reverse": "Flip", "roll": "Roll",
    "broadcast_to": "BroadcastTo", "getitem": "GetItem", "image.resize": "Resize",
    "image.rgb_to_grayscale": "RGBToGrayscale", "image.rgb_to_hsv": "RGBToHSV", "image.hsv_to_rgb": "HSVToRGB",
    "depth_to_space": "DepthToSpace", "space_to_depth": "SpaceToDepth", "max_pool2d": "MaxPool", "max_pool": "MaxPool",
    "avg_pool2d": "AveragePool", "avg_pool": "AveragePool",
}  # fmt: skip
_INPUT = {
    "input": "x", "tensor": "x", "a": "x", "value": "x", "values": "xs", "input_tensor": "x", "t": "x",
    "features": "x", "logits": "x", "_input": "x",
}  # fmt: skip
_TWO_OPERANDS = {"x": "x1", "y": "x2", "a": "x1", "b": "x2"}
_POOLED = {"input": "inputs", "value": "inputs", "ksize": "pool_size"}
_WORDS = {  # by Keras's class name
    "Add": {"value": "x1", "bias": "x2"},
    "Arctan2": {"y": "x1", "x": "x2"},
    "Argmax": {"dimension": "axis"},
    "Argmin": {"dimension": "axis"},
    "AveragePool": _POOLED,
    "BatchNorm": {"variance_epsilon": "epsilon"},
    "Clip": {"clip_value_min": "x_min", "clip_value_max": "x_max"},
    "GetItem": {"slice_spec": "key"},
    "LeakyRelu": {"alpha": "negative_slope"},
    "MaxPool": _POOLED,
    "Pad": {"paddings": "pad_width"},
    "Reshape": {"shape": "newshape"},
    "Resize": {"method": "interpolation"},
    "Split": {"num_or_size_splits": "indices_or_sections"},
    "Stack": {"values": "x"},
    "Tile": {"multiples": "repeats"},
    "Transpose": {"perm": "axes"},
}
_LEFT_OUT = {  # TensorFlow's words that change nothing with these values
    "conjugate": (False,), "transpose_a": (False,), "transpose_b": (False,), "adjoint_a": (False,),
    "adjoint_b": (False,), "a_is_sparse": (False,), "b_is_sparse": (False,),
    "preserve_aspect_ratio": (False,), "validate_indices": (None, True), "dim": (None,),
    "exclusive": (False,), "reverse": (False,), "index_type": ("int32",),
}  # fmt: skip
_DATA_FORMATS = {"NHWC": "channels_last", "NCHW": "channels_first"}
_PREFIXES = (  # longer ones first
    "__operators__.", "compat.v1.nn.", "compat.v1.", "raw_ops.", "linalg.", "image.", "math.", "nn.", "",
)  # fmt: skip


def keras_operation(function: str) -> tuple[str, dict[str, str]] | None:
    """The operation's class name and argument words for TensorFlow's `function` ("math.multiply"), if known."""
    for prefix in _PREFIXES:
        class_name = _CLASSES.get(function.removeprefix(prefix)) if function.startswith(prefix) else None
        if class_name:
            two = "x1" in inspect.signature(OPERATIONS[class_name].lower).parameters
            return class_name, {**_INPUT, **(_TWO_OPERANDS if two else {}), **_WORDS.get(class_name, {})}
    return None


def keras_words(class_name: str, x: Any, words: Words) -> Words:
    """TensorFlow's arguments of an operation on `x`, named as Keras names them already, as Keras has them."""
    kept = {
        key: value
        for key, value in words.items()
        if (type(value), value) not in [(type(plain), plain) for plain in _LEFT_OUT.get(key, ())]
    }
    flags = [key for key in kept if key in _LEFT_OUT]
    if flags:
        raise UnsupportedLayerError(
            f"Operation '{class_name}' is not computed with {flags[0]}={kept[flags[0]]}."
        )
    for key in ("x1", "x2"):
        if isinstance(kept.get(key), list):
            kept[key] = np.asarray(kept[key], np.float32)
    if "data_format" in kept:
        kept["data_format"] = _DATA_FORMATS.get(str(kept["data_format"]), kept["data_format"])
    translated = _TRANSLATED.get(class_name)
    return translated(kept, x) if translated else kept


def _without(*left_out: str) -> Callable[[Words, Any], Words]:
    return lambda words, x: {key: value for key, value in words.items() if key not in left_out}


def _pool(words: Words, x: Any) -> Words:
    """Windows for all four axes become windows of the image's."""
    made = words | {"padding": str(words.get("padding", "valid")).lower()}
    channels = 1 if words.get("data_format") == "channels_first" else 3
    for word in ("pool_size", "strides"):
        sizes = made.get(word)
        if isinstance(sizes, (list, tuple)) and len(sizes) == 4:
            if sizes[0] != 1 or sizes[channels] != 1:
                raise UnsupportedLayerError(
                    f"Pooling over the batch or the channels is not computed here: {word}={shown(sizes)}."
                )
            made[word] = [sizes[axis] for axis in (1, 2, 3) if axis != channels]
    return made


def _pad(words: Words, x: Any) -> Words:
    """Keras takes a value for constant padding only."""
    mode = str(words.get("mode", "constant")).lower()
    return (words if mode == "constant" else _without("constant_values")(words, x)) | {"mode": mode}


def _reshape(words: Words, x: Any) -> Words:
    """Sizes that begin with the batch of a tensor, None, begin with -1; one that is open is settled by `x`."""
    sizes = words.get("newshape")
    if not isinstance(sizes, (list, tuple)) or not sizes or sizes[0] is not None or x.along_batch:
        return words
    rest = [*sizes[1:]]
    if -1 in rest:
        rest[rest.index(-1)] = math.prod(x.shape[1:]) // max(1, -math.prod(rest))
    return words | {"newshape": (-1, *rest)}


def _split(words: Words, x: Any) -> Words:
    """Sizes become the places of the cuts."""
    sizes = words.get("num") or words.get("indices_or_sections")
    cuts = list(accumulate(sizes))[:-1] if isinstance(sizes, (list, tuple)) else sizes
    return _without("num")(words, x) | {"indices_or_sections": cuts}


def _tile(words: Words, x: Any) -> Words:
    """A tensor that has an entry for each image is not repeated for each, None, as K.switch says of its condition."""
    counts = words.get("repeats")
    if not isinstance(counts, (list, tuple)) or not counts or counts[0] is not None or x.along_batch:
        return words
    return words | {"repeats": (1, *counts[1:])}


def _normalize(words: Words, x: Any) -> Words:
    """TensorFlow's epsilon is that of squares."""
    return words | {"epsilon": words.get("epsilon", 1e-12) ** 0.5}


def _norm(words: Words, x: Any) -> Words:
    return {
        key: value
        for key, value in words.items()
        if key not in ("ord", "keepdims") or value not in ("euclidean", None)
    }


def _add(words: Words, x: Any) -> Words:
    """The bias of bias_add runs along the channels: here, where these are the last axis."""
    if words.get("data_format") not in (None, "channels_last"):
        raise UnsupportedLayerError(
            f"A bias is not added with data_format={shown(words['data_format'])} here."
        )
    return _without("data_format")(words, x)


_TRANSLATED: dict[str, Callable[[Words, Any], Words]] = {  # by class name, of the words and the tensor
    "Add": _add,
    "Argmax": _without("output_type"),
    "Argmin": _without("output_type"),
    "AveragePool": _pool,
    "Gelu": lambda words, x: {"approximate": False} | words,
    "MaxPool": _pool,
    "Moments": _without("shift"),
    "Norm": _norm,
    "Normalize": _normalize,
    "Pad": _pad,
    "Reshape": _reshape,
    "Split": _split,
    "Tile": _tile,
    "TopK": lambda words, x: {"k": 1} | words,
}
