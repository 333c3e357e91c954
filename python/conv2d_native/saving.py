"""Keras's place for files and for classes of one's own: `keras.saving`.

What is entered here serves every file that is opened afterwards as if it were in `custom_objects`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .models import load_model, save_model
from .models.configuration import CUSTOM_OBJECTS

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "get_custom_objects",
    "load_model",
    "register_keras_serializable",
    "save_model",
]


def get_custom_objects() -> dict[str, Any]:
    """Return the dict of layer classes and functions that every load_model knows. Change it as you like.

    >>> get_custom_objects()["my_swish"] = lambda x: x / (1 + np.exp(-x))
    >>> get_custom_objects().pop("my_swish") is None
    False
    """
    return CUSTOM_OBJECTS


@contextmanager
def custom_object_scope(custom_objects: Mapping[str, Any]) -> Iterator[None]:
    """Enter `custom_objects` (names and layer classes or NumPy functions) for the time of a `with` block.

    >>> with custom_object_scope({"my_swish": lambda x: x / (1 + np.exp(-x))}):
    ...     "my_swish" in get_custom_objects()
    True
    """
    before = dict(CUSTOM_OBJECTS)
    CUSTOM_OBJECTS.update(custom_objects)
    try:
        yield
    finally:
        CUSTOM_OBJECTS.clear()
        CUSTOM_OBJECTS.update(before)


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
