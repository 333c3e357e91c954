"""The table of layer classes by Keras's names, and the names that Keras's configurations have for layers.

Nothing is imported by name: what is not in the table is not made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import FunctionType, MappingProxyType
from typing import Any

from .. import arguments
from ..formats.layer_paths import MASKS_OF_KERAS_2
from ..named_objects import keras_form

_CLASSES: dict[str, type] = {}
# Where Keras finds what keras.layers lacks; None: among its custom_objects only.
_MODULES: dict[str, str | None] = {
    "Sequential": "keras",
    "Functional": "keras.src.models.functional",
    "CustomScaleLayer": "keras.src.applications.inception_resnet_v2",
    "LayerScale": "keras.src.applications.convnext",
    "StochasticDepth": "keras.src.applications.convnext",
    "FixedDropout": None,
    **dict.fromkeys(("RandomHeight", "RandomWidth", "ThresholdedReLU"), "keras._legacy.layers"),
}
CUSTOM_OBJECTS: dict[str, Any] = {}  # layer classes and functions that the user has entered for all files
SCOPED_OBJECTS: ContextVar[Mapping[str, Any]] = ContextVar(
    "conv2d_native_scoped_objects", default=MappingProxyType({})
)


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


def is_layer(value: Any) -> bool:
    """Whether `value` is a layer, an operation or a model."""
    return not isinstance(value, type) and hasattr(value, "get_config") and hasattr(value, "call")


def class_name_of(layer: Any) -> str:
    """The name under which Keras keeps the class of `layer`."""
    from .function_layer import FunctionLayer  # these import this module
    from .operations import Operation

    if isinstance(layer, (Operation, FunctionLayer)):
        return layer.class_name
    name = type(layer).__name__
    return "Functional" if name == "Model" else name


def serialize(layer: Any) -> dict[str, Any]:
    """Return Keras's description of a layer or a model: module, class, configuration. Raises TypeError for all else.

    >>> serialize(Dense(3))["config"]["units"]
    3
    """
    from .configuration import is_users
    from .operations import Operation

    if not is_layer(layer):
        raise TypeError(arguments.must("layer", "be a layer or a model", layer))
    name = class_name_of(layer)
    module: str | None
    registered: str | None
    if isinstance(layer, Operation):
        module, registered = f"keras.src.ops.{layer.module}", name
    elif (layer_class(name) is None or is_users(type(layer))) and name != "Lambda":
        module, registered = None, layer.registered_name or registered_name(type(layer))
    else:
        module = _MODULES.get(name, "keras.layers")
        registered = None if module in ("keras", "keras.layers") else name
    made = keras_form(module, name, layer.get_config(), registered)
    if layer._masks_of_keras_2:
        made[MASKS_OF_KERAS_2] = True
    build_config = layer.get_build_config() if layer._stores_shapes else None
    return {**made, "build_config": build_config} if build_config else made


def known_objects(custom_objects: Any = None) -> dict[str, Any]:
    """The user's layer classes and functions by name: entered for all files, in scopes, and `custom_objects`.

    What comes later goes first. Raises TypeError for `custom_objects` that are no dict.
    """
    if custom_objects is not None and not isinstance(custom_objects, Mapping):
        raise TypeError(
            arguments.must(
                "custom_objects", "be a dict of names and layer classes or functions", custom_objects
            )
        )
    return {**CUSTOM_OBJECTS, **SCOPED_OBJECTS.get(), **(custom_objects or {})}


def registered_name(value: Any) -> str:
    """The name "package>name" under which a class or function is entered in CUSTOM_OBJECTS, else its own."""
    entered = (name for name, known in CUSTOM_OBJECTS.items() if known is value and ">" in name)
    return next(entered, value.__name__)
