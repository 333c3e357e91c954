"""Weights between layers and files: every layer is named by the names of the layers around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..formats import GroupWeights, WeightSource
from ..layers.function_layer import FunctionLayer
from ..layers.registry import layer_class
from ..layers.variable import assign_all

Path = tuple[str, ...]


def assign_weights(model: Any, source: WeightSource) -> None:
    """Give every layer of `model` the weights that `source` has for it; none where any is missing or does not fit.

    They are kept as they are, without a copy.
    """
    model._build_further_layers()
    groups = isinstance(source, GroupWeights)
    variables: list[Any] = []
    arrays: list[Any] = []
    for path, layer in layers_with_weights(model, groups):
        own = layer._variables
        arrays += source.get(path, [v.name for v in own], [v.shape for v in own])
        variables += own
    if isinstance(source, GroupWeights):
        own_call = model._own_call is not None
        for path in [()] if own_call else _own_layers(model, ()):
            source.check_all_read(path)
    assign_all(variables, arrays, copy=False)


def layers_with_weights(model: Any, groups: bool = True) -> Iterator[tuple[Path, Any]]:
    """(names from the model down, layer) for every layer that has weights of its own.

    Below layers of the user's, whose configuration does not tell what is in them, names are those of Keras 3's groups,
    and a layer comes once; without `groups` they are names as everywhere else.
    """
    if model._variables:
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
        if layer._variables:
            yield inside, layer
        yield from _walk(layer, inside, groups, met)


def _own_layers(owner: Any, path: Path) -> Iterator[Path]:
    """Paths of the layers of the user's, the outermost ones."""
    for name, layer in owner.named_sublayers():
        if layer._sublayers_in_config:
            yield from _own_layers(layer, (*path, name))
        elif layer_class(type(layer).__name__) is not type(layer) and not isinstance(layer, FunctionLayer):
            yield (*path, name)
