"""Weights between layers and files: every layer is named by the names of the layers around it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from ..arguments import shown
from ..errors import ModelFormatError
from ..formats import GroupWeights, NamedWeights, WeightSource
from ..formats.layer_paths import Path
from ..layers.function_layer import FunctionLayer
from ..layers.registry import layer_class
from ..layers.variable import assign_all


def assign_weights(model: Any, source: WeightSource, other_names: bool = False) -> None:
    """Give every layer of `model` the weights that `source` has for it; none where any is missing or does not fit.

    They are kept as they are, without a copy. `other_names`: layers of a legacy file may be called otherwise than those
    of `model`, and are taken in their order then.
    """
    model._build_further_layers()
    groups = isinstance(source, GroupWeights)
    parts: dict[Path, list[tuple[Path, Any]]] = {}
    for path, layer in _all_layers(model, groups):
        parts.setdefault(path[:1], []).append((path, layer))
    places = _legacy_places(model, source, other_names) if isinstance(source, NamedWeights) else {}
    variables: list[Any] = []
    arrays: list[Any] = []
    for top, inside in parts.items():
        own, found = _taken(source, inside, *places.get(top, (None, None)))
        variables += own
        arrays += found
    if isinstance(source, GroupWeights):
        for path in [()] if model._own_call is not None else _own_layers(model):
            source.check_all_read(path)
    assign_all(variables, arrays, copy=False)


def _taken(
    source: Any, inside: list[tuple[Path, Any]], place: str | None, layer: Any
) -> tuple[list[Any], list[Any]]:
    """Variables and arrays for `layer` and those in it: by names, or in Keras's order from the place in a file."""
    fault = None
    if place is None or place == inside[0][0][0]:
        try:
            own = [v for _, inner in inside for v in inner._variables]
            return own, [
                a for path, inner in inside for a in _read(partial(source.get, path), inner._variables)
            ]
        except ModelFormatError as error:
            if place is None:
                raise
            fault = error
    own = layer.trainable_weights + layer.non_trainable_weights  # legacy files have them like this
    try:
        return own, _read(partial(source.in_order, place), own)
    except ModelFormatError as error:
        raise (fault or error) from None


def _read(get: Any, variables: list[Any]) -> list[Any]:
    found: list[Any] = get([v.name for v in variables], [v.shape for v in variables])
    return found


def _legacy_places(model: Any, source: NamedWeights, other_names: bool) -> dict[Path, tuple[str, Any]]:
    """For each layer of `model` by (name,), under which name a legacy file has it, and the layer."""
    layers = [layer for _, layer in model.named_sublayers() if layer.weights]
    names, stored = [layer.name for layer in layers], source.layer_names()
    if other_names and stored and not set(names) <= set(stored):
        if len(names) != len(stored):
            raise ModelFormatError(
                f"{source.source}: holds weights of {len(stored)} layers, {shown(stored)}; "
                f"the model has {len(names)} with weights, {shown(names)}."
            )
        return {(layer.name,): (place, layer) for place, layer in zip(stored, layers, strict=True)}
    return {(layer.name,): (layer.name, layer) for layer in layers}


def layers_with_weights(model: Any) -> Iterator[tuple[Path, Any]]:
    """(names from the model down, layer) for every layer that has weights of its own, as Keras 3's files name them."""
    return ((path, layer) for path, layer in _all_layers(model, groups=True) if layer._variables)


def _all_layers(model: Any, groups: bool) -> Iterator[tuple[Path, Any]]:
    """(names from the model down, layer) for the model and every layer in it, but for functions.

    Below layers of the user's, whose configuration does not tell what is in them, names are those of Keras 3's groups,
    and a layer comes once; without `groups` they are names as everywhere else.
    """
    yield (), model
    yield from _walk(model, (), groups, None)


def _walk(owner: Any, path: Path, groups: bool, met: set[int] | None) -> Iterator[tuple[Path, Any]]:
    if groups and not owner._sublayers_in_config and met is None:
        met = set()
    for name, layer in owner.named_sublayers() if met is None else owner._stored_sublayers():
        if met is not None:
            if id(layer) in met:
                continue
            met.add(id(layer))
        inside = (*path, name)
        if not isinstance(layer, FunctionLayer):
            yield inside, layer
        yield from _walk(layer, inside, groups, met)


def _own_layers(owner: Any, path: Path = ()) -> Iterator[Path]:
    """Paths of the layers of the user's, the outermost ones."""
    for name, layer in owner.named_sublayers():
        if layer._sublayers_in_config:
            yield from _own_layers(layer, (*path, name))
        elif layer_class(type(layer).__name__) is not type(layer) and not isinstance(layer, FunctionLayer):
            yield (*path, name)
