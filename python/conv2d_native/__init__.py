"""Trained Keras CNNs on the CPU: NumPy in, NumPy out, no TensorFlow.

    import conv2d_native as cn                      # or: import conv2d_native as keras
    y = cn.conv2d(x, kernel, bias, padding="same", activation="relu")
    y = cn.layers.Conv2D(2, 3, activation="relu", input_shape=(64, 64, 3))(x)
    y = cn.load_model("resnet50.keras").predict(images)

Everything is loaded when it is first used: importing the package costs nothing and starts no thread. Examples in
docstrings assume

    import numpy as np
    import conv2d_native as cn
    from conv2d_native import *
    from conv2d_native.layers import *
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

# Where each public name comes from; those of activations are that module's own list.
_HOMES = {
    "functional": """
        average_pool2d batch_normalization conv2d conv2d_transpose dense depthwise_conv2d explain
        global_average_pool2d global_max_pool2d layer_normalization max_pool2d prelu resize separable_conv2d
    """,
    "graph": "exact",
    "initializers": "Initializer",
    "machine": "device get_num_threads set_num_threads show_config version",
    "errors": "ModelFormatError UnsafeModelError UnsupportedLayerError",
    "layers": "Input InputLayer InputSpec Layer",
    "layers.names": "name_scope",
    "layers.dtype_policy": "DTypePolicy FloatDTypePolicy",
    "layers.symbolic": "KerasTensor",
    "layers.variable": "Variable",
    "models": "Model Sequential autotune check_model from_keras load_model model_from_json",
    "regularizers": "Regularizer",
}
_PLACES = {  # Keras's modules that have what others of this package have
    "config": "backend",
    "dtype_policies": "layers.dtype_policy",
    "mixed_precision": "layers.dtype_policy",
    "utils": "data_preparation",
}
_MODULES = (
    "activations", "applications", "backend", "constraints", "errors", "formats", "functional", "initializers",
    "layers", "models", "ops", "preprocessing", "random", "regularizers", "saving", *_PLACES,
)  # fmt: skip
_TRAINING = ("callbacks", "datasets", "losses", "metrics", "optimizers")
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

# isort: off
if TYPE_CHECKING:  # `as` the same name: type checkers see them as names of this package
    from . import (
        activations as activations, applications as applications, backend as backend, config as config,
        constraints as constraints, dtype_policies as dtype_policies, errors as errors, formats as formats,
        functional as functional, initializers as initializers, layers as layers, mixed_precision as mixed_precision,
        models as models, ops as ops, preprocessing as preprocessing, random as random, regularizers as regularizers,
        saving as saving, utils as utils,
    )  # fmt: skip
    from .errors import (
        ModelFormatError as ModelFormatError, UnsafeModelError as UnsafeModelError,
        UnsupportedLayerError as UnsupportedLayerError,
    )  # fmt: skip
    from .functional import (
        average_pool2d as average_pool2d, batch_normalization as batch_normalization, conv2d as conv2d,
        conv2d_transpose as conv2d_transpose, dense as dense, depthwise_conv2d as depthwise_conv2d,
        explain as explain, global_average_pool2d as global_average_pool2d, global_max_pool2d as global_max_pool2d,
        layer_normalization as layer_normalization, max_pool2d as max_pool2d, prelu as prelu, resize as resize,
        separable_conv2d as separable_conv2d,
    )  # fmt: skip
    from .graph import exact as exact
    from .layers import Input as Input, InputLayer as InputLayer, InputSpec as InputSpec, Layer as Layer
    from .initializers import Initializer as Initializer
    from .layers.names import name_scope as name_scope
    from .layers.dtype_policy import DTypePolicy as DTypePolicy, FloatDTypePolicy as FloatDTypePolicy
    from .layers.symbolic import KerasTensor as KerasTensor
    from .layers.variable import Variable as Variable
    from .machine import (
        device as device, get_num_threads as get_num_threads, set_num_threads as set_num_threads,
        show_config as show_config, version as version,
    )  # fmt: skip
    from .models import (
        Model as Model, Sequential as Sequential, autotune as autotune, check_model as check_model,
        from_keras as from_keras, load_model as load_model, model_from_json as model_from_json,
    )  # fmt: skip
    from .regularizers import Regularizer as Regularizer
# isort: on


def _module(name: str) -> Any:
    return importlib.import_module(f".{name}", __name__)


def _place(name: str, home: str) -> None:
    """Enter Keras's module `name`, which has what `home` has and loads it when first asked."""
    place = ModuleType(f"{__name__}.{name}", f"Keras's place for {home}.")

    def find(word: str) -> Any:
        if not hasattr(_module(home), word):
            raise AttributeError(f"module {place.__name__!r} has no attribute {word!r}", name=word, obj=place)
        return getattr(_module(home), word)

    place.__dict__.update(__getattr__=find, __dir__=lambda: _module(home).__all__)
    sys.modules[place.__name__] = place


for _name, _home in _PLACES.items():
    _place(_name, _home)


def __getattr__(name: str) -> Any:
    value: Any
    if name in _HOME:
        value = getattr(_module(_HOME[name]), name)
    elif name in _MODULES:
        value = _module(name)
    elif name == "_core":
        value = _module("core_loading").load_core()
    elif name == "__version__":
        value = _module("machine").version()
    elif name == "__all__":
        value = sorted([*_HOME, *_MODULES, *_module("activations").PUBLIC])
    elif not name.startswith("_") and name in _module("activations").PUBLIC:
        value = getattr(_module("activations"), name)
    else:
        hint = ""
        if name[:1].isupper() and hasattr(_module("layers"), name):
            hint = f": it is {__name__}.layers.{name}"
        if name in _TRAINING:
            hint = ": it computes inference only. Train with Keras, and open the saved file with load_model"
        message = f"module {__name__!r} has no attribute {name!r}{hint}"
        # Python suggests names by what the error holds.
        raise AttributeError(message, name=name, obj=sys.modules[__name__])
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__getattr__("__all__"), "__version__"])
