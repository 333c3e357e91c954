"""TensorFlow's functions in Keras 2 files (TFOpLambda, SlicingOpLambda): Keras's operation and argument words."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np

from ..arguments import shown
from ..errors import UnsupportedLayerError

_XY = {"x": "x1", "y": "x2"}
_FEATURES = {"features": "x", "logits": "x", "value": "x", "_input": "x"}
_INPUT = {"input": "x", "tensor": "x", "a": "x", "value": "x", "values": "xs", "input_tensor": "x", "t": "x"}

_BINARY = {
    "add": "Add", "subtract": "Subtract", "multiply": "Multiply", "divide": "TrueDivide", "truediv": "TrueDivide",
    "maximum": "Maximum", "minimum": "Minimum", "pow": "Power", "floordiv": "FloorDivide", "floormod": "Mod",
    "floor_div": "FloorDivide", "greater": "Greater", "greater_equal": "GreaterEqual", "less": "Less",
    "less_equal": "LessEqual",
    "equal": "Equal", "not_equal": "NotEqual", "logical_and": "LogicalAnd", "logical_or": "LogicalOr",
    "logical_xor": "LogicalXor", "divide_no_nan": "DivideNoNan",
    "mul": "Multiply", "sub": "Subtract", "div": "TrueDivide", "mod": "Mod",
}  # fmt: skip
_UNARY = {
    "abs": "Absolute", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "rsqrt": "Rsqrt", "square": "Square",
    "negative": "Negative", "neg": "Negative", "sigmoid": "Sigmoid", "tanh": "Tanh",
    "relu": "Relu", "relu6": "Relu6", "elu": "Elu",
    "selu": "Selu", "silu": "Silu", "swish": "Silu", "softplus": "Softplus", "softsign": "Softsign",
    "log_sigmoid": "LogSigmoid", "reciprocal": "Reciprocal", "sin": "Sin", "cos": "Cos", "sign": "Sign",
    "floor": "Floor", "ceil": "Ceil", "round": "Round", "identity": "Copy", "stop_gradient": "StopGradient",
    "zeros_like": "ZerosLike", "ones_like": "OnesLike", "erf": "Erf", "erfc": "Erfc", "log1p": "Log1p",
    "expm1": "Expm1", "tan": "Tan", "asin": "Arcsin", "acos": "Arccos", "atan": "Arctan", "sinh": "Sinh",
    "cosh": "Cosh", "is_nan": "Isnan", "is_inf": "Isinf", "is_finite": "Isfinite", "logical_not": "LogicalNot",
}  # fmt: skip
_SETTINGS = {
    "leaky_relu": ("LeakyRelu", {"alpha": "negative_slope"}),
    "gelu": ("Gelu", {}),
    "softmax": ("Softmax", {}),
    "log_softmax": ("LogSoftmax", {}),
    "reduce_mean": ("Mean", {}),
    "reduce_max": ("Max", {}),
    "reduce_min": ("Min", {}),
    "reduce_sum": ("Sum", {}),
    "reduce_prod": ("Prod", {}),
    "reduce_std": ("Std", {}),
    "reduce_variance": ("Var", {}),
    "reduce_logsumexp": ("Logsumexp", {}),
    "reduce_any": ("Any", {}),
    "reduce_all": ("All", {}),
    "norm": ("Norm", {}),
    "moments": ("Moments", {}),
    "cumsum": ("Cumsum", {}),
    "top_k": ("TopK", {}),
    "batch_normalization": ("BatchNorm", {"variance_epsilon": "epsilon"}),
    "broadcast_to": ("BroadcastTo", {}),
    "tensordot": ("Tensordot", {"a": "x1", "b": "x2"}),
    "image.rgb_to_grayscale": ("RGBToGrayscale", {}),
    "image.rgb_to_hsv": ("RGBToHSV", {}),
    "image.hsv_to_rgb": ("HSVToRGB", {}),
    "argmax": ("Argmax", {"dimension": "axis"}),
    "argmin": ("Argmin", {"dimension": "axis"}),
    "l2_normalize": ("Normalize", {}),
    "reshape": ("Reshape", {"shape": "newshape"}),
    "transpose": ("Transpose", {"perm": "axes"}),
    "squeeze": ("Squeeze", {}),
    "expand_dims": ("ExpandDims", {}),
    "concat": ("Concatenate", {}),
    "stack": ("Stack", {"values": "x"}),
    "pad": ("Pad", {"paddings": "pad_width"}),
    "image.resize": ("Resize", {"images": "images", "method": "interpolation"}),
    "clip_by_value": ("Clip", {"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "cast": ("Cast", {"x": "x"}),
    "tile": ("Tile", {"multiples": "repeats"}),
    "reverse": ("Flip", {}),
    "matmul": ("Matmul", {"a": "x1", "b": "x2"}),
    "depth_to_space": ("DepthToSpace", {}),
    "space_to_depth": ("SpaceToDepth", {}),
    "getitem": ("GetItem", {"slice_spec": "key"}),
    "where": ("Where", {"x": "x1", "y": "x2"}),
    "split": ("Split", {"num_or_size_splits": "indices_or_sections"}),
    "unstack": ("Unstack", {}),
    "repeat": ("Repeat", {}),
    "roll": ("Roll", {}),
    "gather": ("Take", {"params": "x"}),
    "bias_add": ("Add", {"value": "x1", "bias": "x2"}),
    "max_pool2d": ("MaxPool", {"input": "inputs", "ksize": "pool_size"}),
    "avg_pool2d": ("AveragePool", {"input": "inputs", "ksize": "pool_size"}),
    "max_pool": ("MaxPool", {"input": "inputs", "value": "inputs", "ksize": "pool_size"}),
    "avg_pool": ("AveragePool", {"input": "inputs", "value": "inputs", "ksize": "pool_size"}),
}
_LEFT_OUT = {  # TensorFlow's words that change nothing with these values
    "conjugate": (False,), "transpose_a": (False,), "transpose_b": (False,), "adjoint_a": (False,),
    "adjoint_b": (False,), "a_is_sparse": (False,), "b_is_sparse": (False,), 
    "preserve_aspect_ratio": (False,), "validate_indices": (None, True), "batch_dims": (0,), "dim": (None,),
    "exclusive": (False,), "reverse": (False,), "index_type": ("int32",),
}  # fmt: skip
OPERANDS = {"x", "x1", "x2", "xs", "inputs", "images", "condition", "key", "indices", "constant_values",
            "a", "atol", "beta", "bias", "bins", "choicelist", "condlist", "default", "depthwise_kernel",
            "fill_value", "gamma", "kernel", "mask", "mean", "offset", "pointwise_kernel", "q", "query", "rtol",
            "scale", "start_indices", "value", "variance", "weights"}  # fmt: skip
_ORDERS = {"NHWC": "channels_last", "NCHW": "channels_first"}
_PREFIXES = (
    "",
    "math.",
    "nn.",
    "__operators__.",
    "linalg.",
    "compat.v1.",
    "compat.v1.nn.",
    "image.",
    "raw_ops.",
)

TENSORFLOW: dict[str, tuple[str, dict[str, str]]] = {
    name: (class_name, {**_INPUT, **words})
    for names, words in ((_BINARY, _XY), (_UNARY, _FEATURES))
    for name, class_name in names.items()
} | {name: (class_name, {**_INPUT, **_FEATURES, **words}) for name, (class_name, words) in _SETTINGS.items()}


def keras_operation(function: str) -> tuple[str, dict[str, str]] | None:
    """The operation's class name and argument words for TensorFlow's `function` ("math.multiply"), if known."""
    for prefix in sorted(_PREFIXES, key=len, reverse=True):
        found = TENSORFLOW.get(function.removeprefix(prefix)) if function.startswith(prefix) else None
        if found:
            return found
    return None


def _pooling(words: dict[str, Any]) -> dict[str, Any]:
    """Windows for all four axes become windows of the image's."""
    order = words.get("data_format") or "NHWC"
    made = words | {
        "data_format": _ORDERS.get(order, order),
        "padding": str(words.get("padding", "valid")).lower(),
    }
    image = slice(2, 4) if order == "NCHW" else slice(1, 3)
    for word in ("pool_size", "strides"):
        if isinstance(made.get(word), (list, tuple)) and len(made[word]) == 4:
            if any(n != 1 for n in (made[word][0], made[word][1 if order == "NCHW" else 3])):
                raise UnsupportedLayerError(
                    f"Pooling over the batch or the channels is not computed here: {word}={shown(made[word])}."
                )
            made[word] = made[word][image]
    return made


def _padded(words: dict[str, Any]) -> dict[str, Any]:
    """Keras takes a value for constant padding only."""
    mode = str(words.get("mode", "constant")).lower()
    return {key: value for key, value in words.items() if mode == "constant" or key != "constant_values"} | {
        "mode": mode
    }


def _sections(words: dict[str, Any]) -> dict[str, Any]:
    """Sizes become the places of the cuts."""
    sizes = words.pop("num", None) or words.get("indices_or_sections")
    cuts = list(accumulate(sizes))[:-1] if isinstance(sizes, (list, tuple)) else sizes
    return words | {"indices_or_sections": cuts}


_TRANSLATED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "MaxPool": _pooling,
    "AveragePool": _pooling,
    "Split": _sections,
    "Pad": _padded,
    "Normalize": lambda words: (
        words | {"epsilon": words.get("epsilon", 1e-12) ** 0.5}
    ),  # TensorFlow's is of squares
    "Norm": lambda words: {
        key: value
        for key, value in words.items()
        if key not in ("ord", "keepdims") or value not in ("euclidean", None)
    },
    "Moments": lambda words: {key: value for key, value in words.items() if key != "shift"},
    "TopK": lambda words: {"k": 1} | words,
    "Gelu": lambda words: {"approximate": False} | words,
    "Add": lambda words: {
        key: value for key, value in words.items() if (key, value) != ("data_format", None)
    },
    "Argmax": lambda words: {key: value for key, value in words.items() if key != "output_type"},
    "Argmin": lambda words: {key: value for key, value in words.items() if key != "output_type"},
}


def keras_words(class_name: str, words: dict[str, Any]) -> dict[str, Any]:
    """TensorFlow's arguments, named as Keras names them already, with the values and defaults that Keras has."""
    kept = {
        key: value
        for key, value in words.items()
        if not any(value is plain for plain in _LEFT_OUT.get(key, ()))
    }
    flags = [key for key in kept if key in _LEFT_OUT]
    if flags:
        raise UnsupportedLayerError(
            f"Operation '{class_name}' is not computed with {flags[0]}={kept[flags[0]]}."
        )
    for key in ("x1", "x2"):
        if isinstance(kept.get(key), list):
            kept[key] = np.asarray(kept[key], np.float32)
    return _TRANSLATED.get(class_name, lambda same: same)(kept)
