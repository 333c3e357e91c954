"""Keras's place for files and for classes of one's own: `keras.saving`.

What is entered here serves every file that is opened afterwards as if it were in `custom_objects`, and what a scope
holds those that its thread opens within it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .arguments import must
from .layers.deserialization import deserialize
from .layers.registry import (
    CUSTOM_OBJECTS,
    SCOPED_OBJECTS,
    is_layer,
    known_objects,
    registered_name,
    serialize,
)
from .models import load_model, save_model
from .scopes import set_within

__all__ = [
    "CustomObjectScope", "custom_object_scope", "deserialize_keras_object", "get_custom_objects",
    "get_registered_name", "get_registered_object", "load_model", "load_weights", "register_keras_serializable",
    "save_model", "save_weights", "serialize_keras_object",
]  # fmt: skip


def get_custom_objects() -> dict[str, Any]:
    """Return the dict of layer classes and functions that every load_model knows. Change it as you like.

    >>> get_custom_objects()["my_swish"] = lambda x: x / (1 + np.exp(-x))
    >>> get_custom_objects().pop("my_swish") is None
    False
    """
    return CUSTOM_OBJECTS


@contextmanager
def custom_object_scope(custom_objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Know `custom_objects` (names and layer classes or NumPy functions) within a `with` block, in this thread.

    They go before what is entered for all files, and those of an inner scope before those of an outer one;
    get_custom_objects() does not hold them. Raises TypeError for what is no dict.

        >>> with custom_object_scope({"my_abs": np.abs}):
        ...     get_registered_object("my_abs") is np.abs
        True
    """
    known_objects(custom_objects)
    with set_within(SCOPED_OBJECTS, {**SCOPED_OBJECTS.get(), **(custom_objects or {})}):
        yield


CustomObjectScope = custom_object_scope


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """Class and function decorator: enter a layer class or NumPy function under its name and "package>name".

    >>> @register_keras_serializable("mine")
    ... def cube(x):
    ...     return x**3
    >>> get_custom_objects()["mine>cube"] is get_custom_objects()["cube"] is cube
    True
    """

    def register(made: Any) -> Any:
        word = name or made.__name__
        CUSTOM_OBJECTS.update({word: made, f"{package}>{word}": made})
        return made

    return register


def get_registered_name(obj: Any) -> str:
    """Return the name "package>name" under which a class or function is registered, else its own.

    >>> get_registered_name(Conv2D)
    'Conv2D'
    """
    return registered_name(obj)


def get_registered_object(
    name: str,
    custom_objects: Mapping[str, Any] | None = None,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """Return what is entered under `name`, in a scope, for all files, or in one of two dicts; None where nothing is.

    >>> get_registered_object("no_such") is None
    True
    """
    known = (known_objects(), custom_objects or {}, module_objects or {})
    return next((objects[name] for objects in known if name in objects), None)


def save_weights(model: Any, filepath: Any, overwrite: bool = True, max_shard_size: None = None) -> None:
    """Write the weights of `model`: model.save_weights(filepath, overwrite, max_shard_size).

    >>> model = Sequential([Dense(2, input_shape=(3,))])
    >>> save_weights(model, "small.weights.h5")
    """
    model.save_weights(filepath, overwrite, max_shard_size)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **words: Any) -> None:
    """Give `model` the weights of a file: model.load_weights(filepath, skip_mismatch, **words).

    >>> model = Sequential([Dense(2, input_shape=(3,))])
    >>> save_weights(model, "small.weights.h5")
    >>> load_weights(model, "small.weights.h5")
    """
    model.load_weights(filepath, skip_mismatch, **words)


def serialize_keras_object(obj: Any) -> dict[str, Any]:
    """Return the description of a layer or model that Keras's files hold. Raises TypeError for all else.

    >>> serialize_keras_object(Dense(3))["config"]["units"]
    3
    """
    if not is_layer(obj):
        raise TypeError(must("obj", "be a layer or a model", obj))
    return serialize(obj)


def deserialize_keras_object(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make the layer or model of a description, with new weights. Raises what load_model raises.

    >>> deserialize_keras_object(serialize_keras_object(Dense(3))).units
    3
    """
    return deserialize(config, custom_objects)
