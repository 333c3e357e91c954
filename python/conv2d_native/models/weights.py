"""Weights between layers and files: every layer is named by the names of the layers around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..formats import WeightSource


def assign_weights(model: Any, source: WeightSource) -> None:
    """Give every layer of `model` the weights that `source` has for it. They are kept as they are, without a copy."""
    for path, layer in layers_with_weights(model):
        variables = layer._variables
        arrays = source.get(path, [v.name for v in variables], [v.shape for v in variables])
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array, copy=False)


def layers_with_weights(model: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(names from the model down, layer) for every layer that has weights of its own."""
    for name, layer in model.named_sublayers():
        inside = (*path, name)
        if layer._variables:
            yield inside, layer
        yield from layers_with_weights(layer, inside)
