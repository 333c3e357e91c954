"""Models out of files and out of live Keras models: load_model, model_from_json, from_keras."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from ..arguments import LARGEST_STEP, integer, must, shown
from ..errors import ModelFormatError, UnsupportedLayerError
from ..formats import DEFAULT_MAX_BYTES, ModelSpec, read_model
from ..layers.configuration import is_users
from ..layers.deserialization import built_from
from .network import Model
from .weights import assign_weights


def load_model(
    filepath: Any,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> Any:
    """Open a model that Keras saved: `.keras` (Keras 2.12 on) or a whole-model `.h5` (Keras 2 and 3).

    filepath: path, bytes or binary file object. custom_objects: classes of layers and models, or NumPy functions, for
    classes that this package does not have, by name; Lambda layers also by their own name. compile, safe_mode: Keras's
    words, without effect: nothing is trained, and a file's code is never run, in any mode. max_bytes: what the weights
    may have at most (2 GiB).
    Returns a Sequential or Model. Raises OSError, ModelFormatError for damaged files and missing weights (so for
    `to_json` alone, which model_from_json opens), UnsupportedLayerError for layers that are not computed here,
    UnsafeModelError for files that ask for code.

        >>> from conv2d_native.demo import DATA
        >>> model = load_model(DATA / "digits.keras")
        >>> model.predict(np.zeros((2, 8, 8, 1))).shape
        (2, 10)
    """
    max_bytes = integer("max_bytes", max_bytes, high=LARGEST_STEP)
    spec = read_model(filepath, max_bytes=max_bytes)
    if spec.weights is None:
        raise ModelFormatError(
            f"{spec.source}: holds layers without weights. Open it with model_from_json, then load_weights."
        )
    return model_of(spec, custom_objects)


def model_of(spec: ModelSpec, custom_objects: Mapping[str, Any] | None) -> Any:
    """The model that a file describes, with its weights. Raises ModelFormatError, which names the file."""
    try:
        model = built_from(spec.config, custom_objects)
    except ModelFormatError as error:
        raise type(error)(_located(spec.source, error)) from error
    except RecursionError:
        raise ModelFormatError(f"{spec.source}: models are nested too deeply.") from None
    if not isinstance(model, Model):
        raise ModelFormatError(
            f"{spec.source}: holds a layer of class {spec.config['class_name']!r}, not a model."
        )
    if spec.weights is not None:
        if not model.built:
            raise ModelFormatError(
                f"{spec.source}: the model was saved before its input shape was known, or as .h5 with a call() of "
                "its own: its weights have no shapes. Build it with Keras and save it as .keras."
            )
        assign_weights(model, spec.weights, other_names=is_users(type(model)))
    return model


def _located(source: str, error: Exception) -> str:
    text = str(error)
    return text if text.startswith(source) else f"{source}: {text}"


def model_from_json(text: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a model, with new weights, from Keras's `model.to_json()`: text, bytes or the parsed dict.

    Raises what load_model raises. `load_weights` reads its weights.

        >>> model = Sequential([Dense(2, input_shape=(3,))])
        >>> model_from_json(model.to_json()).output_shape
        (None, 2)
    """
    if isinstance(text, Mapping):
        try:
            text = json.dumps(text)
        except RecursionError:
            raise ModelFormatError("`text` must be a dict that is not nested too deeply.") from None
    if not isinstance(text, (str, bytes)):
        raise TypeError(must("text", "be the text of a configuration", text))
    data = text.encode() if isinstance(text, str) else text
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        raise ModelFormatError(must("text", "be JSON, from `model.to_json()`", text))
    spec = read_model(data)
    return built_from(spec.config, custom_objects)


def from_keras(keras_model: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Take over a live Keras model: its layers and a copy of its weights.

    keras_model: a model of keras or tf.keras. It is saved in Keras's own format and opened from there; models of inputs
    and outputs whose classes are not known here, such as a package's backbones, are taken as plain ones.
    Raises TypeError for what is no Keras model, and what load_model raises.

        >>> import keras                                            # doctest: +SKIP
        >>> model = from_keras(keras.applications.MobileNetV2())    # doctest: +SKIP
    """
    if not (
        hasattr(keras_model, "save") and hasattr(keras_model, "get_config") and hasattr(keras_model, "layers")
    ):
        raise TypeError(f"`keras_model` must be a Keras model. Received: {shown(keras_model)}.")
    try:
        return _taken_over(keras_model, custom_objects)
    except UnsupportedLayerError:
        functional = _as_functional(keras_model)
        if functional is None:
            raise
    return _taken_over(functional, custom_objects)


def _taken_over(keras_model: Any, custom_objects: Mapping[str, Any] | None) -> Any:
    import tempfile  # loads modules that no other use of a model needs

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        keras_model.save(path)
        with open(path, "rb") as file:
            return load_model(file.read(), custom_objects)


def _as_functional(keras_model: Any) -> Any:
    """The same layers as a Functional of Keras's own, models inside too; None where that is no other model.

    A class that computes by a `call` of its own stays as it is: its inputs and outputs need not say what it does.
    """
    functional: Any = next((c for c in type(keras_model).__mro__ if c.__name__ == "Functional"), None)
    keras = sys.modules.get(functional.__module__.partition(".")[0]) if functional is not None else None
    replaced = []

    def plain(layer: Any) -> Any:
        if not isinstance(layer, functional) or type(layer).call is not functional.call:
            return layer
        if type(layer) is not functional:
            replaced.append(layer.name)
        return functional(layer.input, layer.output, name=layer.name)

    if keras is None or not hasattr(keras, "models") or type(keras_model).call is not functional.call:
        return None
    made = keras.models.clone_model(plain(keras_model), clone_function=plain)
    return made if replaced else None
