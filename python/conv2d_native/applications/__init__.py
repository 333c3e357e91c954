"""Keras's place for the networks of ImageNet, as far as programs that open saved networks need it.

    from conv2d_native.applications.resnet50 import decode_predictions, preprocess_input

There is a module for each family, with these two functions, and `imagenet_utils`, whose preprocess_input takes a
`mode`. The networks themselves come from files: save `keras.applications.ResNet50()` with Keras once, and open the
file with load_model.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from .. import arguments
from ..layers.symbolic import is_symbolic

MODES = ("none", "unit", "tf", "torch", "caffe")
_MODE_OF = {
    "convnext": "none", "densenet": "torch", "efficientnet": "none", "efficientnet_v2": "none",
    "inception_resnet_v2": "tf", "inception_v3": "tf", "mobilenet": "tf", "mobilenet_v2": "tf", "mobilenet_v3": "none",
    "nasnet": "tf", "resnet": "caffe", "resnet50": "caffe", "resnet_v2": "tf", "vgg16": "caffe", "vgg19": "caffe",
    "xception": "tf",
}  # fmt: skip
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BGR_MEAN = (103.939, 116.779, 123.68)


def preprocess(x: Any, mode: str, data_format: Any = None) -> Any:
    """Pixels from 0 to 255 as the networks of a family were trained with them.

    x: images with 3 channels, or one of them, or a symbolic tensor. mode: "tf" scales to [-1, 1], "torch" to [0, 1]
    and by ImageNet's mean and deviation, "caffe" turns RGB to BGR and takes ImageNet's mean off, "unit" scales to
    [0, 1], "none" changes nothing. data_format: "channels_first" where the channels stand before height and width.
    Returns a new array, float32; with "none" `x` itself. Raises ValueError for another number of channels where these
    are told apart.

        >>> preprocess(np.full((1, 2, 2, 3), 255), "tf")[0, 0, 0].tolist()
        [1.0, 1.0, 1.0]
    """
    mode = arguments.choice("mode", mode, MODES)
    if mode == "none":
        return x
    first = arguments.data_format(data_format) == "channels_first"
    x = x if is_symbolic(x) else arguments.array("x", x)
    axis = len(x.shape) - 3 if first else len(x.shape) - 1
    if mode in ("torch", "caffe") and x.shape[axis] != 3:
        raise ValueError(f"`x` must have 3 channels on axis {axis}. Received: x of shape {tuple(x.shape)}.")

    def channels(values: Any) -> np.ndarray:
        return np.reshape(np.float32(values), (3, 1, 1) if first else (3,))

    if mode == "unit":
        return x / np.float32(255)
    if mode == "tf":
        return x / np.float32(127.5) - np.float32(1)
    if mode == "torch":
        return (x / np.float32(255) - channels(_MEAN)) / channels(_DEVIATION)
    turned = x[(slice(None),) * axis + (slice(None, None, -1),)]
    return turned - channels(_BGR_MEAN)


def keras_home() -> str:
    """The folder of the files that Keras keeps: KERAS_HOME, or ~/.keras."""
    return os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """Return for every image the `top` best of ImageNet's classes: (its code, its name, the score), best first.

    preds: scores of shape (n, 1000). The names are those of `imagenet_class_index.json`, which Keras keeps in
    ~/.keras/models (or KERAS_HOME): nothing is downloaded here. Raises FileNotFoundError where that file is not there,
    ValueError for other shapes.

        >>> decode_predictions(model.predict(x), top=3)     # doctest: +SKIP
        [[('n02123045', 'tabby', 0.71), ('n02123159', 'tiger_cat', 0.2), ('n02124075', 'Egyptian_cat', 0.04)]]
    """
    scores = np.asarray(preds)
    if scores.ndim != 2 or scores.shape[1] != 1000:
        raise ValueError(f"`preds` must have shape (n, 1000). Received: preds of shape {scores.shape}.")
    path = os.path.join(keras_home(), "models", "imagenet_class_index.json")
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"There is no {path}: names of ImageNet's classes are not downloaded here. Copy the file from a machine "
            "where Keras has called decode_predictions."
        )
    with open(path, encoding="utf-8") as file:
        names = json.load(file)
    return [
        [(*names[str(k)], float(row[k])) for k in np.argsort(-row, kind="stable")[:top]] for row in scores
    ]


def _family(name: str, mode: str) -> ModuleType:
    def preprocess_input(x: Any, data_format: Any = None) -> Any:
        return preprocess(x, mode, data_format)

    preprocess_input.__module__ = f"{__name__}.{name}"  # where pickle finds it
    preprocess_input.__qualname__ = "preprocess_input"
    preprocess_input.__doc__ = f"Pixels from 0 to 255 as `{name}` takes them: preprocess(x, {mode!r})."
    return _place(name, preprocess_input)


def _preprocess_input(x: Any, data_format: Any = None, mode: str = "caffe") -> Any:
    """Pixels from 0 to 255 as networks of the `mode` "caffe", "tf" or "torch" take them: preprocess(x, mode)."""
    return preprocess(x, arguments.choice("mode", mode, MODES[2:]), data_format)


def _missing(module: str, name: str) -> Any:
    hint = ""
    if name[:1].isupper():
        hint = f": save keras.applications.{name}() with Keras once, and open the file with load_model"
    raise AttributeError(f"module {module!r} has no attribute {name!r}{hint}")


def _place(name: str, preprocess_input: Any) -> ModuleType:
    module = ModuleType(f"{__name__}.{name}", f"preprocess_input and decode_predictions of {name}.")
    module.__dict__.update(preprocess_input=preprocess_input, decode_predictions=decode_predictions)
    module.__dict__["__getattr__"] = partial(_missing, module.__name__)
    sys.modules[module.__name__] = module
    return module


globals().update({_name: _family(_name, _mode) for _name, _mode in _MODE_OF.items()})
imagenet_utils = _place("imagenet_utils", _preprocess_input)
__all__ = ["decode_predictions", "imagenet_utils", "preprocess", *sorted(_MODE_OF)]


__getattr__ = partial(_missing, __name__)
