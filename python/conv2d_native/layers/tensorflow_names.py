"""TensorFlow's functions in Keras 2 files (TFOpLambda, SlicingOpLambda): Keras's operation and argument words."""

from __future__ import annotations

_XY = {"x": "x1", "y": "x2"}
_FEATURES = {"features": "x", "logits": "x", "value": "x", "_input": "x"}
_INPUT = {"input": "x", "tensor": "x", "a": "x", "value": "x", "values": "xs", "input_tensor": "x", "t": "x"}

_BINARY = {
    "add": "Add", "subtract": "Subtract", "multiply": "Multiply", "divide": "TrueDivide", "truediv": "TrueDivide",
    "maximum": "Maximum", "minimum": "Minimum", "pow": "Power", "floordiv": "FloorDivide", "floormod": "Mod",
    "greater": "Greater", "greater_equal": "GreaterEqual", "less": "Less", "less_equal": "LessEqual",
    "equal": "Equal", "not_equal": "NotEqual", "logical_and": "LogicalAnd", "logical_or": "LogicalOr",
    "mul": "Multiply", "sub": "Subtract", "div": "TrueDivide", "mod": "Mod",
}  # fmt: skip
_UNARY = {
    "abs": "Absolute", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "rsqrt": "Rsqrt", "square": "Square",
    "negative": "Negative", "neg": "Negative", "sigmoid": "Sigmoid", "tanh": "Tanh",
    "relu": "Relu", "relu6": "Relu6", "elu": "Elu",
    "selu": "Selu", "silu": "Silu", "swish": "Silu", "softplus": "Softplus", "softsign": "Softsign",
    "log_sigmoid": "LogSigmoid", "reciprocal": "Reciprocal", "sin": "Sin", "cos": "Cos", "sign": "Sign",
    "floor": "Floor", "ceil": "Ceil", "round": "Round", "identity": "Copy", "stop_gradient": "StopGradient",
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
    "max_pool2d": ("MaxPool", {"input": "inputs", "ksize": "pool_size"}),
    "avg_pool2d": ("AveragePool", {"input": "inputs", "ksize": "pool_size"}),
}
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
