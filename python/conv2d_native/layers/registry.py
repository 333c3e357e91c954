"""The table of layer classes by Keras's names. Nothing is imported by name: what is not in it is not made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from .. import arguments

_CLASSES: dict[str, type] = {}


def register_layer(*names: Any) -> Any:
    """Class decorator: enter a layer class under its own name and, `@register_layer("Alias", ...)`, under others."""
    if len(names) == 1 and isinstance(names[0], type):
        return register_layer()(names[0])

    def register(cls: type) -> type:
        _CLASSES.update({name: cls for name in (cls.__name__, *names)})
        _name_constructor(cls)
        return cls

    entered: Callable[[type], type] = register
    return entered


def _name_constructor(cls: Any) -> None:
    """Give an inherited constructor the name of `cls`: Python's messages about missing arguments show it."""
    made = cls.__init__
    if isinstance(made, FunctionType) and "__init__" not in vars(cls):
        own = FunctionType(made.__code__, made.__globals__, "__init__", made.__defaults__, made.__closure__)
        own.__dict__.update(vars(made))
        own.__kwdefaults__, own.__annotations__ = made.__kwdefaults__, made.__annotations__
        own.__qualname__, own.__doc__ = f"{cls.__name__}.__init__", made.__doc__
        cls.__init__ = own


def layer_class(name: Any) -> Any:
    """The class of that name, or None."""
    return _CLASSES.get(name) if isinstance(name, str) else None


def layer_names() -> list[str]:
    """All names, aliases included, in order."""
    return sorted(_CLASSES)


def make_layer(entry: Any) -> Any:
    """A layer out of itself or of Keras's {"class_name", "config"}. Raises ValueError or TypeError for all else."""
    if not isinstance(entry, Mapping):
        if hasattr(entry, "get_config") and hasattr(entry, "call"):
            return entry
        raise TypeError(f"`layer` must be a layer. Received: layer={arguments.shown(entry)}.")
    found, config = layer_class(entry.get("class_name")), entry.get("config")
    if found is None or not isinstance(config, Mapping):
        raise ValueError(f"`layer` must be of a known class. Received: layer={arguments.shown(dict(entry))}.")
    return found.from_config(dict(config))
