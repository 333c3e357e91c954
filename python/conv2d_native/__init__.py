# ruff: noqa: F401
"""Trained Keras CNNs on the CPU: NumPy in, NumPy out, no TensorFlow.

    import conv2d_native as cn                      # or: import conv2d_native as keras
    y = cn.conv2d(x, kernel, bias, padding="same", activation="relu")
    y = cn.layers.Conv2D(2, 3, activation="relu", input_shape=(64, 64, 3))(x)
    y = cn.load_model("resnet50.keras").predict(images)

Everything is loaded when it is first used: importing the package costs nothing and starts no thread.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_ACTIVATIONS = """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear
    log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus
    sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink
"""
_FUNCTIONS = """
    average_pool2d batch_normalization conv2d conv2d_transpose dense depthwise_conv2d explain
    global_average_pool2d global_max_pool2d layer_normalization max_pool2d prelu resize separable_conv2d
"""
# Where each public name comes from.
_HOMES = {
    "activations": _ACTIVATIONS,
    "functional": _FUNCTIONS,
    "graph": "exact",
    "machine": "get_num_threads set_num_threads show_config",
    "errors": "ModelFormatError UnsafeModelError UnsupportedLayerError",
    "layers": "Input InputLayer Layer",
    "model": "Model Sequential autotune check_model from_keras load_model model_from_json",
}
_MODULES = (
    "activations",
    "arguments",
    "constraints",
    "errors",
    "formats",
    "functional",
    "initializers",
    "layers",
    "regularizers",
)
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted([*_HOME, *_MODULES])

if TYPE_CHECKING:
    from . import activations, constraints, errors, formats, functional, initializers, layers, regularizers
    from .activations import relu, sigmoid, softmax, tanh
    from .errors import ModelFormatError, UnsafeModelError, UnsupportedLayerError
    from .functional import (
        average_pool2d,
        batch_normalization,
        conv2d,
        conv2d_transpose,
        dense,
        depthwise_conv2d,
        explain,
        global_average_pool2d,
        global_max_pool2d,
        layer_normalization,
        max_pool2d,
        prelu,
        resize,
        separable_conv2d,
    )
    from .graph import exact
    from .layers import Input, InputLayer, Layer
    from .machine import get_num_threads, set_num_threads, show_config
    from .model import Model, Sequential, autotune, check_model, from_keras, load_model, model_from_json


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    elif name in _MODULES:
        value = importlib.import_module(f".{name}", __name__)
    elif name == "_core":
        value = importlib.import_module(".core_loading", __name__).load_core()
    elif name == "__version__":
        from . import _core

        value = _core.config()["version"]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
