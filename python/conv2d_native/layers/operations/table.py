"""What the operations of `keras.ops` compute, one row per class name, and the names of their functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...named_objects import to_snake_case
from . import (
    elementwise,
    images,
    layouts,
    matrices,
    normalizations,
    orderings,
    products,
    reductions,
    selections,
    transforms,
    windows,
)

Lower = Callable[..., Any]


class Row(NamedTuple):
    """`lower(f, *arguments, **settings)`; `module` is where Keras keeps the class: keras.src.ops.<module>."""

    module: str
    lower: Lower


def _rows(
    class_names: str, source: Any = None, make: Callable[[Any], Lower] | None = None
) -> dict[str, Lower]:
    """make(function) for each name, the function of `source` that is called so; without `source`, make(name)."""
    names = {class_name: to_snake_case(class_name) for class_name in class_names.split()}
    found: dict[str, Any] = {key: getattr(source, name) if source else name for key, name in names.items()}
    return {key: make(function) for key, function in found.items()} if make else found


_REDUCTIONS = {
    **_rows(
        "Mean Max Min Sum Prod Var Std Amax Amin Median Any All Ptp Nansum Nanprod CountNonzero",
        np,
        reductions.reduction,
    ),
    **_rows("Nanmean Nanmax Nanmin Nanvar Nanstd", reductions, reductions.reduction),
}
_NUMPY: dict[str, Lower] = {
    **_rows("Add Subtract Multiply Divide", None, elementwise.affine),
    "TrueDivide": elementwise.affine("divide"),
    **_rows("Maximum Minimum", None, elementwise.limit),
    **_rows(
        "FloorDivide Mod Fmod Arctan2 Hypot Heaviside Logaddexp Logaddexp2 Fmax Fmin Greater GreaterEqual "
        "Less LessEqual Equal NotEqual LogicalAnd LogicalOr LogicalXor",
        np,
        elementwise.binary,
    ),
    **_rows("DivideNoNan", elementwise, elementwise.binary),
    **_rows(
        "Exp2 Expm1 Log Log10 Log1p Log2 Sqrt Cbrt Reciprocal Sin Cos Tan Arcsin Arccos Arctan "
        "Sinh Cosh Arcsinh Arccosh Arctanh Sinc Deg2rad Rad2deg Floor Ceil Trunc Sign Signbit Isnan Isinf Isfinite "
        "Isposinf Isneginf LogicalNot",
        np,
        elementwise.unary,
    ),
    **_rows("Tanh", None, elementwise.activation),
    "Exp": elementwise.activation("exponential"),
    **dict.fromkeys(("Abs", "Absolute", "Fabs"), elementwise.absolute),
    **_rows("Power Negative Square Clip NanToNum ZerosLike OnesLike FullLike Where Select", elementwise),
    "Round": elementwise.round_to,
    **dict.fromkeys(("Copy", "Conjugate", "Real"), elementwise.identity),
    "Isclose": elementwise.is_close,
    "IsIn": elementwise.is_in,
    **_REDUCTIONS,
    **_rows("Cumsum Cumprod Nancumsum Nancumprod", np, reductions.along),
    **_rows("Argmax Argmin", np, reductions.position),
    "Average": reductions.average,
    "Quantile": reductions.quantile(np.quantile, 1),
    "Percentile": reductions.quantile(np.percentile, 100),
    **_rows("Sort Argsort Diff Digitize", orderings),
    **_rows("Matmul Dot Inner Tensordot Einsum", products),
    **_rows(
        "Reshape Transpose Swapaxes Moveaxis Squeeze ExpandDims Concatenate Append Stack Pad Roll Tile Repeat "
        "BroadcastTo Flip Rot90",
        layouts,
    ),
    "Hstack": lambda f, xs: layouts.concatenate(f, xs, 1),
    "Dstack": lambda f, xs: layouts.concatenate(f, xs, 2),
    "Fliplr": lambda f, x: layouts.flip(f, x, 1),
    **_rows("Tril Triu", np, layouts.triangle),
    **_rows("Diagonal Trace", matrices),
    **_rows("GetItem Take TakeAlongAxis Split ArraySplit", selections),
    "Hsplit": lambda f, x, indices_or_sections: selections.split(f, x, indices_or_sections, 1),
    "Dsplit": lambda f, x, indices_or_sections: selections.split(f, x, indices_or_sections, 2),
}
_NN: dict[str, Lower] = {
    **_rows(
        "Relu Relu6 LeakyRelu Elu Selu Celu Silu HardSilu Sigmoid HardSigmoid LogSigmoid HardTanh TanhShrink Softplus "
        "Softsign SoftShrink HardShrink Squareplus Glu LogSoftmax Sparsemax SparsePlus SparseSigmoid Threshold",
        None,
        elementwise.activation,
    ),
    **_rows("Gelu Softmax", elementwise),
    "BatchNorm": normalizations.batch_normalization,
    "LayerNorm": normalizations.layer_normalization,
    "RMSNorm": normalizations.rms_normalization,
    "Normalize": normalizations.normalize,
    "Moments": reductions.moments,
    "OneHot": orderings.one_hot,
    "DotProductAttention": products.dot_product_attention,
    "MaxPool": windows.pool("max_pool2d"),
    "AveragePool": windows.pool("average_pool2d"),
    "AdaptiveMaxPool": windows.adaptive_pool("Max"),
    "AdaptiveAveragePool": windows.adaptive_pool("Average"),
    "Conv": windows.convolution("conv2d"),
    "DepthwiseConv": windows.convolution("depthwise_conv2d"),
    "SeparableConv": windows.convolution("separable_conv2d"),
    "ConvTranspose": windows.convolution("conv2d_transpose"),
    "Unfold": windows.unfold,
    **_rows("DepthToSpace SpaceToDepth", images),
}
_IMAGE: dict[str, Lower] = {
    **_rows("Resize PadImages CropImages SobelEdges", images),
    "RGBToGrayscale": images.rgb_to_grayscale,
    "RGBToHSV": images.rgb_to_hsv,
    "HSVToRGB": images.hsv_to_rgb,
    **_rows("GaussianBlur ExtractPatches", windows),
}
_FOURIER: dict[str, Lower] = {
    "FFT": transforms.fourier(np.fft.fft, 1),
    "FFT2": transforms.fourier(np.fft.fft2, 2),
    "IFFT2": transforms.fourier(np.fft.ifft2, 2),
}
_MATH: dict[str, Lower] = {
    **_rows("Logsumexp", reductions, reductions.reduction),
    **_rows("Erf Erfc Rsqrt", elementwise, elementwise.unary),
    "TopK": orderings.top_k,
    **_FOURIER,
}
_CORE: dict[str, Lower] = {
    **_rows("Cast SaturateCast", elementwise),
    "ConvertToTensor": elementwise.identity,
    "StopGradient": elementwise.identity,
    "Slice": selections.slice_at,
    "Unstack": selections.unstack,
}
_LINALG: dict[str, Lower] = {
    "Norm": reductions.norm,
    "Inv": matrices.of_matrices(np.linalg.inv),
    **_rows("Cholesky Det Solve", matrices),
}

OPERATIONS: dict[str, Row] = {
    name: Row(module, lower)
    for module, rows in (
        ("numpy", _NUMPY),
        ("nn", _NN),
        ("image", _IMAGE),
        ("math", _MATH),
        ("core", _CORE),
        ("linalg", _LINALG),
    )
    for name, lower in rows.items()
}

_FUNCTION_NAMES = {
    "BatchNorm": "batch_normalization", "LayerNorm": "layer_normalization", "RMSNorm": "rms_normalization",
    "RGBToGrayscale": "rgb_to_grayscale", "RGBToHSV": "rgb_to_hsv", "HSVToRGB": "hsv_to_rgb", "IsIn": "isin",
    **{name: name.lower() for name in _FOURIER},
}  # fmt: skip
CLASS_NAMES = {
    _FUNCTION_NAMES.get(name) or to_snake_case(name): name for name in OPERATIONS
}  # of ops.<function>
CLASS_NAMES |= {"conj": "Conjugate", "swish": "Silu", "hard_swish": "HardSilu"}
TRUTHS = {"Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "LogicalAnd", "LogicalOr", "LogicalXor",
          "LogicalNot", "Isnan", "Isinf", "Isfinite", "Isposinf", "Isneginf", "Signbit", "Isclose", "IsIn", "Any",
          "All"}  # fmt: skip  # their results are bool in Keras, 0 and 1 here

# The words that Keras takes in the call of an operation; all others belong to its constructor, and to its config.
_OPERANDS = {"x", "x1", "x2", "xs", "inputs", "images", "condition", "key", "indices", "constant_values",
             "a", "atol", "beta", "bias", "bins", "choicelist", "condlist", "default", "depthwise_kernel",
             "fill_value", "gamma", "kernel", "mask", "mean", "offset", "pointwise_kernel", "q", "query", "rtol",
             "scale", "start_indices", "value", "variance", "weights"}  # fmt: skip
_OTHERWISE = {("Resize", "fill_value"), ("Diagonal", "offset"), ("Trace", "offset"), ("Solve", "b")}


def is_operand(class_name: str, word: str) -> bool:
    """Whether Keras takes `word` in the call of an operation rather than in its constructor."""
    return (word in _OPERANDS) != ((class_name, word) in _OTHERWISE)


def takes_list(class_name: str, word: str) -> bool:
    """Whether `word` may be a list or tuple with tensors in it, or says itself why not."""
    listed = word in ("xs", "key", "condlist", "choicelist") or not is_operand(class_name, word)
    return listed or class_name == "Stack" or class_name in _REDUCTIONS or class_name in _FOURIER
