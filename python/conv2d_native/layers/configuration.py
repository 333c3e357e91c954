"""A layer's arguments and configuration as data: input shapes, constructors, and Keras's serialized forms."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import FunctionType
from typing import Any

import numpy as np

from .. import activations, arguments, constraints, initializers, regularizers
from ..named_objects import Configurable, StoredObject, plain
from ..newest import once_for_each
from ..scopes import set_within
from .names import layer_name
from .registry import is_layer, serialize

_PACKAGE = f"{__name__.partition('.')[0]}."
_outlined: ContextVar[bool] = ContextVar("outlined", default=False)
_SHAPES = ("input_shape", "batch_input_shape", "batch_shape", "input_dim")
_IGNORED = {
    "autocast", "batch_size", "quantization_config", "lora_rank", "lora_alpha", "build_config", "sparse",
}  # fmt: skip
_OF_EVERY_LAYER = ("name", "trainable", "dtype")


def input_shape(given: dict[str, Any]) -> tuple[int | None, ...] | None:
    """What `input_shape=`, `batch_input_shape=` or `input_dim=` say, without the batch."""
    for word in _SHAPES:
        value = given.pop(word, None)
        if value is None:
            continue
        sizes = arguments.sizes(word, (value,) if word == "input_dim" else value)
        return sizes[1 if word.startswith("batch") else 0 :]
    return None


def checked_config(config: Any) -> Any:
    """`config` where it is a dict, as get_config returns it."""
    if not isinstance(config, Mapping):
        raise TypeError(arguments.must("config", "be a dict, from get_config()", config))
    return config


def checked_shape(shape: Any) -> Any:
    """A shape as a tuple of ints and None, or a list of such tuples."""
    if isinstance(shape, Mapping):
        return {key: checked_shape(value) for key, value in shape.items()}
    if isinstance(shape, (tuple, list)) and any(isinstance(item, (tuple, list, Mapping)) for item in shape):
        return [checked_shape(item) for item in shape]
    sizes = arguments.sizes("input_shape", shape, 0)
    arguments.no_empty_axes("input", tuple(-1 if size is None else size for size in sizes))
    return sizes


def serialized(value: Any) -> Any:
    """A constructor's argument as JSON data in Keras's form."""
    if isinstance(value, FunctionType):
        value = getattr(value, "as_activation", value)
    if isinstance(value, activations.Activation):
        if _outlined.get() and value.function:
            return None
        return activations.serialize(value)
    if isinstance(value, StoredObject):
        return value.stored
    for module, base in (
        (initializers, initializers.Initializer),
        (regularizers, regularizers.Regularizer),
        (constraints, constraints.Constraint),
    ):
        if isinstance(value, base):
            return module.serialize(value)
    if is_layer(value):
        return serialize(value)
    if isinstance(value, (tuple, list)):
        return [serialized(item) for item in value]
    if callable(value) and not isinstance(value, Configurable):
        raise ValueError(f"A function cannot be part of a configuration. Received: {arguments.shown(value)}.")
    return plain(value)


def constructed(cls: Any, config: Mapping[str, Any]) -> Any:
    """cls(**config). A class of the user's may leave out what every layer has: it is set afterwards."""
    rest = {word: config[word] for word in _words_left_out(cls) if word in config}
    made = cls(**{word: value for word, value in config.items() if word not in rest})
    if rest.get("name") is not None:
        made.name = layer_name(rest["name"], cls.__name__)
    made._trainable = arguments.flag("trainable", rest.get("trainable", made.trainable))
    made.dtype_policy = rest.get("dtype", made.dtype_policy)
    return made


@once_for_each
def _words_left_out(cls: Any) -> tuple[str, ...]:
    """Those of _OF_EVERY_LAYER that the constructor does not take."""
    parameters = inspect.signature(cls.__init__).parameters
    if any(word.kind is word.VAR_KEYWORD for word in parameters.values()):
        return ()
    return tuple(word for word in _OF_EVERY_LAYER if word not in parameters)


def is_users(method: Any) -> bool:
    """Whether a method of a layer is the user's rather than one of this package."""
    return not str(method.__module__).startswith(_PACKAGE)


class Unrecorded:
    """A constructor's argument that is no JSON data, or that cannot be given by its name."""

    def __init__(self, value: Any, named: bool = True) -> None:
        self.value, self.named = value, named


def is_unnamed(argument: Any) -> bool:
    """Whether what constructor_arguments kept cannot be given by name."""
    return isinstance(argument, Unrecorded) and not argument.named


def constructor_arguments(
    cls: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The arguments of a constructor by name, defaults too, as they are when it begins: JSON data, or Unrecorded.

    So Keras's get_config has them. None where the constructor does not take these arguments.
    """
    words = inspect.signature(cls.__init__)
    try:
        bound = words.bind(None, *args, **kwargs)
    except TypeError:
        return None
    bound.apply_defaults()
    made: dict[str, Any] = {}
    for word, value in list(bound.arguments.items())[1:]:
        kind = words.parameters[word].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            made |= {key: _recorded(item) for key, item in value.items()}
        elif kind is inspect.Parameter.VAR_POSITIONAL and len(value) <= len(_package_words(cls)):
            # Handed on: the layer has them.
            made |= zip(_package_words(cls), map(Unrecorded, value), strict=False)
        elif kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL):
            made[word] = Unrecorded(value, named=False)
        else:
            made[word] = _recorded(value)
    return {word: made[word] for word in made if word not in _OF_EVERY_LAYER}


def _package_class(cls: Any) -> Any:
    """The class of this package that a user's class derives from."""
    return next(base for base in cls.__mro__ if not is_users(base))


@once_for_each
def _package_words(cls: Any) -> tuple[str, ...]:
    """The arguments by place of the layer that `cls` derives from, to which it hands on its *args; of a model none."""
    base = _package_class(cls)
    words = () if base._names_steps else inspect.signature(base).parameters.values()
    return tuple(word.name for word in words if word.kind is word.POSITIONAL_OR_KEYWORD)


def _recorded(value: Any) -> Any:
    try:
        return as_json(value)
    except (TypeError, RecursionError):
        return Unrecorded(value)


def as_json(value: Any) -> Any:
    """A copy of numbers, text, None, lists, tuples and dicts of them, as a file holds them. TypeError for all else."""
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        value = value.item()
    if value is None or (isinstance(value, (str, int, float)) and not isinstance(value, np.generic)):
        return value
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: as_json(item) for key, item in value.items()}
    raise TypeError


def in_outline() -> AbstractContextManager[bool]:
    """Within it configurations are for the names of layers alone: arguments that no file holds are None."""
    return set_within(_outlined, True)


def arguments_as_json(layer: Any, known: Sequence[str]) -> dict[str, Any]:
    """The constructor's arguments as JSON data, those of `known` only where the call gave them.

    A class of the user's with a get_config of its own adds its words to those of the layer that it derives from.
    """
    cls = type(layer)
    adds = is_users(cls.get_config)
    words, needed = (_package_words if adds else constructor_words)(cls), not adds and is_users(cls.__init__)
    given = {} if adds else layer._constructor_arguments or {}
    made = {word: argument_as_json(layer, word, value) for word, value in given.items()}
    for word in words:
        if word not in (*made, *known) and (needed or hasattr(layer, word)):
            made[word] = serialized(getattr(layer, word))
    return made


def argument_as_json(layer: Any, word: str, given: Any) -> Any:
    """A constructor's argument out of what constructor_arguments kept: as JSON data.

    One that is none must be kept by the layer in the attribute of its name. Raises NotImplementedError otherwise.
    """
    if not isinstance(given, Unrecorded):
        return as_json(given)
    held = getattr(layer, word, NotImplemented)
    of_package = word in constructor_words(_package_class(type(layer)))
    if given.named and (of_package or not is_layer(held)):
        try:
            made = as_json(serialized(held))
            if of_package or made == as_json(serialized(given.value)):
                return made
        except (TypeError, ValueError, RecursionError):
            pass
    if _outlined.get():
        return None
    name = type(layer).__name__
    fault = (
        "is no number, text, None or list or dict of them" if given.named else "has no name to be given by"
    )
    raise NotImplementedError(
        f"Layer '{layer.name}' ({name}) cannot be saved: its argument `{word}` {fault}. "
        f"Define get_config(self) in {name}, which returns super().get_config() and all arguments. "
        f"Received: {word}={arguments.shown(given.value)}."
    )


@once_for_each
def constructor_words(cls: Any) -> tuple[str, ...]:
    """Names of the constructor's own arguments."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return tuple(p.name for p in parameters if p.kind not in kinds)


def check_unused(cls: Any, words: Mapping[str, Any]) -> None:
    """Raise TypeError for arguments that no layer of `cls` takes, but for those of Keras that are of no effect here."""
    unknown = sorted(words.keys() - _IGNORED)
    if unknown:
        raise unexpected_argument(cls, unknown[0])


def unexpected_argument(cls: Any, word: str) -> TypeError:
    """The error for an argument `word` that layers of `cls` do not take."""
    hint = arguments.alike(word, (*inspect.signature(cls).parameters, *_OF_EVERY_LAYER), ".")
    return TypeError(f"{cls.__name__}() got an unexpected keyword argument {word!r}{hint}")


def missing_attribute(layer: Any, name: str) -> AttributeError:
    """The error for an attribute that `layer` does not have. Of the shapes that Keras 2's layers have it says where."""
    hint = ""
    if "_variables" not in vars(layer) and not name.startswith("__"):
        hint = ": its __init__ must call super().__init__() first."
    elif name in ("input_shape", "output_shape"):
        hint = f": take layer.{name.removesuffix('_shape')}.shape of a layer in a model"
    elif not (layer.built or name.startswith("_")):
        hint = ": weights are made by a call or build(input_shape)"
    return AttributeError(f"{type(layer).__name__!r} object has no attribute {name!r}{hint}")
