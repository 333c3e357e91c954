# ruff: noqa: F401
"""Keras's layers: `from conv2d_native.layers import Conv2D, Dense`. docs/adding.md says how to add one.

Every registered name is an attribute of this module, aliases such as MaxPool2D and Convolution2D included.
"""

from __future__ import annotations

from typing import Any

from . import (
    activation,
    convolution,
    core,
    depthwise,
    merging,
    normalization,
    pooling,
    preprocessing,
    reshaping,
    training,
    transposed,
    wrappers,
)
from .base import Layer
from .input_layer import Input, InputLayer
from .merging import add, average, concatenate, dot, maximum, minimum, multiply, subtract
from .registry import layer_class, layer_names, make_layer, register_layer

__all__ = ["Input", "Layer", "layer_class", "layer_names", "make_layer", "register_layer"]

for _name in layer_names():
    globals()[_name] = layer_class(_name)
    __all__ += [_name]


def __getattr__(name: str) -> Any:  # also tells type checkers that the layers exist
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
