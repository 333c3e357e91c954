"""The operations on NumPy arrays: the eager interpreter of a layer's `call`, and the package's public functions.

Same names and signatures as GraphBuilder's methods, with `out=` beside them on the public ones. Arrays are
converted by the one rule of arguments.py; results are float32.
"""

from __future__ import annotations

from .. import activations as _activations
from .elements import (
    activate,
    add,
    apply,
    batch_normalization,
    concatenate,
    crop,
    dense,
    divide,
    layer_normalization,
    maximum,
    minimum,
    multiply,
    pad,
    prelu,
    reduce,
    reshape,
    scale_shift,
    subtract,
    transpose,
)
from .explanation import Explanation, explain
from .images import (
    average_pool2d,
    conv2d,
    conv2d_transpose,
    depthwise_conv2d,
    global_average_pool2d,
    global_max_pool2d,
    max_pool2d,
    resize,
    separable_conv2d,
)

globals().update(
    {_name: getattr(_activations, _name) for _name in (*_activations.TABLE, *_activations.ALIASES)}
)

__all__ = [
    "Explanation", "activate", "add", "apply", "average_pool2d", "batch_normalization", "concatenate", "conv2d",
    "conv2d_transpose", "crop", "dense", "depthwise_conv2d", "divide", "explain", "global_average_pool2d",
    "global_max_pool2d", "layer_normalization", "max_pool2d", "maximum", "minimum", "multiply", "pad", "prelu",
    "reduce", "reshape", "resize", "scale_shift", "separable_conv2d", "subtract", "transpose",
]  # fmt: skip
