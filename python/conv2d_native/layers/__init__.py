# ruff: noqa: F401, F403
"""Keras's layers: `from conv2d_native.layers import Conv2D, Dense`. docs/adding.md says how to add one.

Every registered name is an attribute of this module, aliases such as MaxPool2D and Convolution2D included.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from . import (
    activation,
    attention,
    bidirectional,
    categories,
    conv_lstm,
    convolution,
    core,
    depthwise,
    einsum_dense,
    merging,
    multi_head_attention,
    normalization,
    pooling,
    preprocessing,
    recurrent,
    recurrent_cells,
    recurrent_layers,
    reshaping,
    stacked_cells,
    training,
    transposed,
    wrappers,
)
from .base import Layer
from .deserialization import deserialize
from .function_layer import Lambda
from .input_layer import Input
from .input_spec import InputSpec
from .merging import add, average, concatenate, dot, maximum, minimum, multiply, subtract
from .registry import layer_class, layer_names, register_layer, serialize
from .wrappers import Wrapper

if TYPE_CHECKING:  # type checkers and editors see each class where it is defined
    from .activation import *
    from .attention import *
    from .bidirectional import *
    from .categories import *
    from .conv_lstm import *
    from .convolution import *
    from .core import *
    from .depthwise import *
    from .einsum_dense import *
    from .input_layer import *
    from .merging import *
    from .multi_head_attention import *
    from .normalization import *
    from .pooling import *
    from .preprocessing import *
    from .recurrent import *
    from .recurrent_cells import *
    from .recurrent_layers import *
    from .reshaping import *
    from .stacked_cells import *
    from .training import *
    from .transposed import *
    from .wrappers import *

__all__ = [
    "Input", "InputSpec", "Lambda", "Layer", "Wrapper", "add", "average", "concatenate", "deserialize", "dot",
    "maximum", "minimum", "multiply", "serialize", "subtract",
]  # fmt: skip

for _name in layer_names():
    globals()[_name] = layer_class(_name)
    __all__ += [_name]


def __getattr__(name: str) -> Any:
    hint = ": docs/layers.md lists the layers there are" if name[:1].isupper() else ""
    message = f"module {__name__!r} has no attribute {name!r}{hint}"
    raise AttributeError(message, name=name, obj=sys.modules[__name__])  # from which Python suggests names


def __dir__() -> list[str]:
    return sorted(__all__)
