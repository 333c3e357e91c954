"""Layers and models from Keras's configurations and back: plain data in a closed table of classes.

Nothing is imported by name and no code is taken from a configuration. What the table does not hold comes from
`custom_objects`, or is refused with UnsupportedLayerError.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import activations, constraints, initializers, regularizers
from ..activations import Activation
from ..arguments import shown
from ..errors import ModelFormatError, UnsafeModelError, UnsupportedLayerError
from ..formats.dialect import ACTIVATION_WORDS, CODE
from ..formats.layer_paths import MASKS_OF_KERAS_2, MODEL_CLASSES, is_layer
from ..named_objects import StoredObject
from ..newest import once_for_each
from ..structure import flatten
from .base import Layer
from .configuration import checked_config
from .function_layer import FUNCTION_CLASSES, TENSORFLOW_CLASSES, FunctionLayer
from .operations import OPERATIONS, Operation, from_tensorflow, is_operation
from .registry import class_name_of, known_objects, layer_class

_TABLES = {module.TABLE.singular: module.TABLE for module in (initializers, regularizers, constraints)}
_TENSOR = object()  # in the place of a tensor
_SLICE = {"start", "stop", "step"}


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make the layer, operation or model that `config` describes, with new weights.

    config: {"class_name", "config"}, from serialize. custom_objects: layer classes and functions of your own by name.
    Raises UnsupportedLayerError for a class that is in no table, ModelFormatError for a configuration that its
    class does not take; both name class and layer.

        >>> deserialize(serialize(Dense(3))).units
        3
    """
    entry = config
    known = known_objects(custom_objects)
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
        raise ModelFormatError(f"A layer is a dict with 'class_name' and 'config'. Found: {shown(entry)}.")
    class_name, config = entry["class_name"], entry.get("config")
    if not isinstance(config, Mapping):
        raise ModelFormatError(f"Layer of class {shown(class_name)} has no 'config'. Found: {shown(config)}.")
    name = str(config.get("name") or entry.get("name") or class_name)
    try:
        return _made(entry, class_name, dict(config), name, known)
    except (UnsupportedLayerError, UnsafeModelError):
        raise
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
        kind = UnsupportedLayerError if isinstance(error, NotImplementedError) else ModelFormatError
        message = str(error)
        if message.startswith("Layer '"):
            raise kind(message) from error
        raise kind(f"Layer '{name[:100]}' ({class_name[:100]}): {message}") from error


def built_from(entry: Mapping[str, Any], custom_objects: Mapping[str, Any] | None) -> Any:
    """The model that a configuration describes, with weights of the shapes that a file tells of its inputs."""
    model, config = deserialize(entry, custom_objects), entry.get("build_config")
    unsettled = not model.built or (hasattr(model, "_needs_record") and model._needs_record())
    if unsettled and isinstance(config, Mapping) and hasattr(model, "build_from_config"):
        try:
            model.build_from_config(config)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise ModelFormatError(
                f"Model '{model.name}' ({class_name_of(model)}) cannot be built for the shapes of its file, "
                f"{shown(dict(config))}: {str(error)[:1000].rstrip('.')}. "
                "Its class may define build_from_config(self, config)."
            ) from error
    return model


def with_layers_made(
    config: Any, words: Sequence[str], custom_objects: Mapping[str, Any] | None
) -> dict[str, Any]:
    """A copy of a configuration in which the layers, or lists of layers, that `words` describe are made."""
    config = dict(checked_config(config))
    for word in words:
        given = config.get(word)
        if isinstance(given, Mapping):
            config[word] = deserialize(given, custom_objects)
        elif isinstance(given, list):
            config[word] = [deserialize(each, custom_objects) for each in given]
    return config


def _made(entry: Any, class_name: str, config: dict[str, Any], name: str, custom: Mapping[str, Any]) -> Any:
    chosen = _custom(entry, class_name, name, custom)
    if chosen is not None:
        made = _from_custom(chosen, entry, name, custom)
        made.registered_name = entry.get("registered_name")
        if not config.get("name"):  # from a get_config without it
            made.name = str(entry.get("name") or made.name)
        shapes = entry.get("build_config")
        if isinstance(shapes, Mapping) and made._stores_shapes and not (made._names_steps or made.built):
            made.build_from_config(shapes)
        return made
    if class_name in TENSORFLOW_CLASSES:
        return from_tensorflow(_tensorflow_name(config), name)
    if is_operation(entry.get("module"), class_name, config):
        return Operation(class_name, config, name)
    found = layer_class(class_name)
    if found is None and class_name in OPERATIONS:
        return Operation(class_name, config, name)
    if found is None:
        kind = UnsafeModelError if class_name == "Lambda" else UnsupportedLayerError
        raise kind(_unsupported(entry, class_name, name))
    if class_name in MODEL_CLASSES:
        return found.from_config(config, custom_objects=custom)
    for word in ACTIVATION_WORDS:
        if config.get(word) is not None:
            config[word] = _activation(config[word], class_name, name, custom)
    for word, given in config.items():
        table = _TABLES.get(word.rpartition("_")[2])
        if table and isinstance(given, (str, Mapping)):
            config[word] = table.of_file(given, custom)
    made = _from_config(found, config, custom)
    if entry.get(MASKS_OF_KERAS_2) is True:
        made._make_masks_of_keras_2()
    return made


def _from_config(cls: Any, config: dict[str, Any], custom: Mapping[str, Any]) -> Any:
    if _takes_custom_objects(cls):
        return cls.from_config(config, custom_objects=custom)
    return cls.from_config(config)


@once_for_each
def _takes_custom_objects(cls: Any) -> bool:
    return "custom_objects" in inspect.signature(cls.from_config).parameters


def _custom(entry: Any, class_name: str, name: str, custom: Mapping[str, Any]) -> Any:
    registered = entry.get("registered_name")
    keys = [registered, str(registered).rpartition(">")[2], class_name, class_name.rpartition(">")[2]]
    if class_name in FUNCTION_CLASSES:
        keys.append(name)
    if class_name == "Lambda":
        keys += _function_names(entry)
    if class_name in TENSORFLOW_CLASSES:
        keys.append(_tensorflow_name(entry["config"]))
    return next((custom[key] for key in keys if key and key in custom), None)


def _function_names(entry: Any) -> list[str]:
    """The names that a file has for the function of a Lambda, "package>name" and "name": none of one stored as code."""
    found = entry["config"].get("function")
    stored = found.get("config") if isinstance(found, Mapping) else None if found == CODE else found
    return [stored, stored.rpartition(">")[2]] if isinstance(stored, str) else []


def _activation(given: Any, class_name: str, name: str, custom: Mapping[str, Any]) -> Any:
    """`given`, a layer made of it, or the user's function where it names one: as text, or as Keras's serialized one."""
    found = [given]
    if is_layer(given) and given["class_name"] not in activations.LAYERS:
        return deserialize(given, custom)
    if isinstance(given, Mapping) and given.get("class_name") == "function":
        found = [given.get("registered_name"), given.get("config")]
    names = [word for word in found if isinstance(word, str)]
    for word in names:
        short = word.rpartition(">")[2]  # registered functions are called package>name
        chosen = custom.get(word, custom.get(short))
        if callable(chosen) and not inspect.isclass(chosen):
            return Activation(word, (), chosen)
    if names and names[-1] not in (*activations.TABLE, *activations.ALIASES):
        short = names[-1].rpartition(">")[2][:100]
        raise UnsupportedLayerError(
            f"Layer '{name[:100]}' ({class_name[:100]}): its activation {short!r} is not computed here. "
            f"Give a NumPy function for it: load_model(..., custom_objects={{{short!r}: function}})."
        )
    return given


def _tensorflow_name(config: Mapping[str, Any]) -> str:
    """What TensorFlow calls the function of a layer of TENSORFLOW_CLASSES."""
    return str(config.get("function") or "__operators__.getitem")


def _from_custom(chosen: Any, entry: Any, name: str, custom: Mapping[str, Any]) -> Any:
    class_name, config = entry["class_name"], dict(entry["config"])
    if inspect.isclass(chosen) and issubclass(chosen, Layer):
        return _from_config(chosen, config, custom)
    if callable(chosen) and not inspect.isclass(chosen):
        stored = _function_names(entry)[0] if class_name == "Lambda" and _function_names(entry) else None
        return FunctionLayer.of_file(chosen, class_name, _arguments_of(entry), name, stored)
    raise TypeError(
        f"`custom_objects` must hold layer classes and functions. Received: {class_name}={shown(chosen)}."
    )


def _arguments_of(entry: Any) -> Any:
    """What the function of a layer gets beside tensors: a Lambda's `arguments`, plain values in TensorFlow's call."""
    if entry["class_name"] not in TENSORFLOW_CLASSES:
        return entry["config"].get("arguments")
    nodes = entry.get("inbound_nodes")
    node = nodes[0] if isinstance(nodes, list) and nodes else None
    words = node.get("kwargs") if isinstance(node, Mapping) else None
    if not isinstance(words, Mapping):
        return None
    given = {word: revive(value, lambda *place: _TENSOR) for word, value in words.items()}
    return {
        word: value for word, value in given.items() if all(leaf is not _TENSOR for leaf in flatten(value))
    }


def _unsupported(entry: Mapping[str, Any], class_name: str, name: str) -> str:
    given = f"load_model(..., custom_objects={{{class_name[:100]!r}: ...}})"
    if class_name == "Lambda":
        named, words = _function_names(entry), entry["config"].get("arguments")
        what = f"it names the Python function {named[0][:100]!r}" if named else "it holds Python code"
        return (
            f"Layer '{name[:100]}' is a Lambda: {what}, which is never run from a file, whatever "
            f"safe_mode says. Give the function yourself: {given} or {{{name[:100]!r}: function}}, a NumPy function of "
            "the batch" + (f" and of the layer's arguments, {shown(dict(words))}." if words else ".")
        )
    package = _package_of(entry, class_name)[:100]
    return (
        f"Layer '{name[:100]}' of class {class_name[:100]!r} is not computed here. Give a layer class or a NumPy "
        f"function of the batch for it: {given}."
    ) + (package and _PLAIN.format(package=package))


_PLAIN = (
    " If it is a model of the package {package!r} with inputs and outputs, save it from Keras as a plain one: "
    "keras.Model(model.inputs, model.outputs).save('plain.keras')."
)


def _package_of(entry: Mapping[str, Any], class_name: str) -> str:
    """The package that a class of neither Keras nor the user's own program is from, or ''."""
    registered, module = str(entry.get("registered_name") or class_name), str(entry.get("module") or "")
    package = registered.partition(">")[0] if ">" in registered else module.partition(".")[0]
    return "" if package in ("keras", "tf_keras", "builtins", "__main__", "Custom") else package


def custom_objects_of(model: Any) -> dict[str, Any]:
    """The layer classes and functions of `model`, its own class too, that no table holds, by deserialize's names."""
    found: dict[str, Any] = {}
    if layer_class(type(model).__name__) is not type(model):
        found[type(model).__name__] = type(model)
    for layer in model.sublayers:
        for activation in (getattr(layer, word, None) for word in ACTIVATION_WORDS):
            if isinstance(activation, Activation) and activation.function is not None:
                _enter(found, activation.name, activation.function)
        for value in vars(layer).values():
            if isinstance(value, StoredObject) and value.given is not None:
                _enter(found, value.name, value.given)
        if isinstance(layer, FunctionLayer):
            by_layer = layer.class_name in FUNCTION_CLASSES
            found[layer.name if by_layer else layer.class_name] = layer.function
        else:
            for name, value in custom_objects_of(layer).items():
                _enter(found, name, value)
    return found


def _enter(found: dict[str, Any], name: str, value: Any) -> None:
    if found.setdefault(name, value) is not value:
        raise ValueError(
            f"Two functions or classes in the model are called {name!r}: give them names of their own."
        )


def revive(value: Any, tensors: Any, depth: int = 0) -> Any:
    """The arguments of a call as they were: tensors, slices, tuples, constants.

    `tensors(layer_name, node_index, tensor_index)` returns the symbolic tensor that a reference means.
    """
    if depth > 32:
        raise ModelFormatError("The arguments of a call are nested more than 32 deep.")

    def inner(item: Any) -> Any:
        return revive(item, tensors, depth + 1)

    if isinstance(value, list):
        return [*map(inner, value)]
    if not isinstance(value, Mapping):
        return value
    class_name, config = value.get("class_name"), value.get("config")
    if class_name == "__keras_tensor__" and isinstance(config, Mapping):
        return tensors(*history(config))
    ends = config if class_name == "__slice__" else value
    if isinstance(ends, Mapping) and (class_name == "__slice__" or set(value) == _SLICE):
        return slice(*(inner(ends.get(word)) for word in ("start", "stop", "step")))
    if class_name == "__tuple__":
        return tuple(map(inner, value.get("items") or config or []))
    if class_name == "__ellipsis__" or value.get("type") == "Ellipsis":
        return Ellipsis
    if class_name in ("__numpy__", "__tensor__") and isinstance(config, Mapping):
        whole = str(config.get("dtype")).startswith(("int", "uint"))
        return np.asarray(config.get("value"), np.int64 if whole else np.float32)
    if class_name == "DTypePolicy" and isinstance(config, Mapping):
        return config.get("name")
    if class_name in ("__lambda__", "function", "__typespec__"):
        raise UnsafeModelError("A call takes a function as its argument: code is never taken from a file.")
    return {key: inner(item) for key, item in value.items()}


def history(config: Mapping[str, Any]) -> tuple[str, int, int]:
    """(layer name, node index, tensor index) of a tensor in a configuration."""
    return reference(config.get("keras_history"))


def reference(found: Any) -> tuple[str, int, int]:
    """The same out of a list [name, node index, tensor index]."""
    if (
        not isinstance(found, (list, tuple))
        or len(found) < 3
        or not isinstance(found[0], str)
        or not all(isinstance(n, int) and 0 <= n < 2**31 for n in found[1:3])
    ):
        raise ModelFormatError(f"A tensor is given as [layer, node, index]. Found: {shown(found)}.")
    return found[0], found[1], found[2]
