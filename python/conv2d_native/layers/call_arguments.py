"""The arguments of a layer's call: the words that `call` takes, the arrays among them, the shapes that `build` gets."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import arguments
from ..errors import UnsupportedLayerError
from ..newest import once_for_each
from ..structure import flatten, map_structure
from .symbolic import KerasTensor, symbolic_leaves

NOT_GIVEN: Any = inspect.Parameter.empty
_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Slot(int):
    """In a structure of arguments, the place of the array with this number."""

    def __repr__(self) -> str:
        return f"#{int(self)}"


def call_words(cls: Any) -> inspect.Signature:
    """What `cls.call` takes beside `self` and `f`."""
    return _words(cls.call)


@once_for_each
def _words(call: Callable[..., Any]) -> inspect.Signature:
    words = list(inspect.signature(call).parameters.values())[1:]
    words = words[1:] if words and words[0].name == "f" else words
    if words and words[-1].name == "training" and words[-1].default is NOT_GIVEN:
        words[-1] = words[-1].replace(default=False)
    return inspect.Signature(words)


@once_for_each
def _takes_one(call: Callable[..., Any]) -> bool:
    needed = [word for word in _words(call).parameters.values() if word.default is NOT_GIVEN]
    return len(needed) == 1 and needed[0].kind not in _OPEN


@once_for_each
def _needed_and_others(function: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """The arguments without a default, and those with one."""
    words = [word for word in inspect.signature(function).parameters.values() if word.kind not in _OPEN]
    needed = [word.name for word in words if word.default is word.empty]
    return needed, [word.name for word in words if word.name not in needed]


def arranged(
    layer: Any, cls: Any, x: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call of `layer` for the `call` of `cls`, the first one by position, training's left out.

    Raises ValueError for training=True, TypeError for what `call` does not take and for what it lacks.
    """
    if not args and not kwargs and x is not NOT_GIVEN and _takes_one(cls.call):
        return (x,), {}
    _refuse_training(layer, kwargs.get("training"))
    words = call_words(cls)
    args, named = _first_by_position(layer, words, x, args, kwargs)
    bound = _bound(layer, words, args, named)
    if "training" in bound.arguments:  # by position
        _refuse_training(layer, bound.arguments.pop("training"))
        return bound.args, bound.kwargs
    return args, named


def _by_position(words: inspect.Signature) -> int:
    """The number of arguments that may be given without their names."""
    return sum(word.kind is not word.KEYWORD_ONLY for word in words.parameters.values())


def _first_by_position(
    layer: Any, words: inspect.Signature, x: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments for a call that takes `words`, without the words of Keras's that change nothing here.

    The first argument, `inputs` to every layer, goes by position.
    """
    names = list(words.parameters)
    named = {name: value for name, value in kwargs.items() if name != "training"}
    if "mask" not in names and all(
        isinstance(m, (KerasTensor, type(None))) for m in flatten(named.get("mask"))
    ):
        mask = named.pop("mask", None)
        if symbolic_leaves(mask):
            refuse_mask(layer, mask)
    if x is NOT_GIVEN:
        first = names[:1] if "inputs" in names else [*names[:1], "inputs"]
        found = next((word for word in first if word in named), None)
        return args if found is None else (named.pop(found),), named
    if _by_position(words) == 1:  # Keras's `training` by position
        args = tuple(value for value in args if value is not None and value is not False)
    return (x, *args), named


def _bound(
    layer: Any, words: inspect.Signature, args: tuple[Any, ...], named: Mapping[str, Any]
) -> inspect.BoundArguments:
    try:
        return words.bind(*args, **named)
    except TypeError as error:
        given = arguments.shown((*args[1:], *named.items()))
        if _by_position(words) == 1 and args:
            raise TypeError(f"Layer '{layer.name}' takes `x` alone. Received beside it: {given}.") from None
        raise TypeError(f"call() of layer '{layer.name}': {error}.") from None


def refuse_mask(layer: Any, mask: Any) -> None:
    """Raise UnsupportedLayerError where `layer`, which cannot be given `mask`, would compute something else with it."""
    if _depends_on_masks(layer):
        raise UnsupportedLayerError(
            f"Layer '{layer.name}' takes no mask here, on which Keras's answer depends. "
            f"Received: mask={arguments.shown(mask)}."
        )


def _depends_on_masks(layer: Any) -> bool:
    """Whether a mask changes what Keras's `layer`, or one inside it, computes. Models hand masks on, no more."""
    takes = not layer._names_steps and any(
        word.endswith("mask") for word in call_words(type(layer)).parameters
    )
    return takes or any(map(_depends_on_masks, layer.sublayers))


def _refuse_training(layer: Any, training: Any) -> None:
    if training:
        raise ValueError(f"Layer '{layer.name}' computes inference only. Received: training=True.")


def check_symbolic(name: str, x: Any) -> None:
    """Raise TypeError where `x`, a structure for the layer `name`, holds arrays beside symbolic tensors."""
    arrays = [leaf for leaf in flatten(x) if hasattr(leaf, "shape") and not isinstance(leaf, KerasTensor)]
    if arrays:
        raise TypeError(
            f"Layer '{name}' must be called on symbolic tensors alone or on arrays alone (functions of "
            f"conv2d_native.ops take both together). Received: {arguments.shown(x)}."
        )


def _of_numbers(value: Any) -> Any:
    """Ones and zeros in place of bools, which a mask may have."""
    return np.float32(value) if isinstance(value, np.ndarray) and value.dtype == bool else value


def taken_apart(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """(args, kwargs) with a Slot in place of every array, and the arrays.

    The first argument is an array, or a list or dict of them; of the others, what has a shape is one.
    """
    arrays: list[Any] = []

    def slot(value: Any) -> Any:
        arrays.append(value)
        return Slot(len(arrays) - 1)

    x = args[0]
    several = isinstance(x, (list, tuple, Mapping)) and any(hasattr(leaf, "shape") for leaf in flatten(x))
    first = map_structure(slot, x) if several else slot(x)
    others = map_structure(
        lambda leaf: slot(_of_numbers(leaf)) if getattr(leaf, "shape", ()) else leaf, (args[1:], kwargs)
    )
    return ((first, *others[0]), others[1]), arrays


def array_words(layer: Any, form: Any) -> list[str]:
    """The argument of `call` that each array of a `form` belongs to, for messages; the first is `x`."""
    args, kwargs = form
    given = call_words(type(layer)).bind(*args, **kwargs).arguments
    words = zip(["x", *[*given][1:]], given.values(), strict=True)
    by_slot = {leaf: word for word, value in words for leaf in flatten(value) if isinstance(leaf, Slot)}
    return [by_slot[slot] for slot in sorted(by_slot)]


def filled(form: Any, values: Sequence[Any]) -> Any:
    """`form`, from taken_apart, with `values` in its slots."""
    return map_structure(lambda leaf: values[leaf] if isinstance(leaf, Slot) else leaf, form)


def shape_of(value: Any) -> Any:
    """The shapes of the tensors in `value`, None for what has none."""
    return map_structure(lambda leaf: getattr(leaf, "shape", None), value)


def shapes_for(
    method: Callable[..., Any], layer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, ...]:
    """The arguments of a `build` or `compute_output_shape`: the first tensor's shape, or those that it names.

    Keras's rule for several: `x_shape` is the shape of `x` in `call`, None where that was not given. Raises TypeError
    for other names.
    """
    needed, others = _needed_and_others(getattr(method, "__func__", method))
    words = needed[1:]
    if len(words) <= 1:
        return (shape_of(args[0]),)
    taken = call_words(type(layer))
    names, given = taken.parameters, taken.bind(*args, **kwargs).arguments
    wrong = [
        word for word in words if not word.endswith("_shape") or word.removesuffix("_shape") not in names
    ]
    if wrong:
        raise TypeError(
            f"{method.__name__}() of layer '{layer.name}' must name the arguments of call() with _shape behind them, "
            f"one of {', '.join(f'{name}_shape' for name in names)}, or take one. Received: {wrong[0]}."
        )
    words += itertools.takewhile(lambda word: word.removesuffix("_shape") in names, others)
    return tuple(shape_of(given.get(word.removesuffix("_shape"))) for word in words)
