"""The `.json` of a configuration alone: what Keras's model.to_json() gives. The weights come from a second file."""

from __future__ import annotations

from typing import Any

from ..errors import ModelFormatError
from .dialect import normalise
from .extent import Budget, Extent
from .json_tree import parse_json
from .spec import ModelSpec, WeightSource

_HEAD = 1 << 12


def read_model(extent: Extent, budget: Budget) -> ModelSpec:
    """The ModelSpec of a configuration; it has no weights."""
    tree = parse_json(extent.read(0, extent.size), extent.name, extent.size)
    version = str(tree.get("keras_version", ""))
    return ModelSpec(normalise(tree, version, extent.name), None, extent.name, version)


def read_weights(extent: Extent, budget: Budget, config: dict[str, Any] | None) -> WeightSource:
    """Always an error: a configuration holds no weights."""
    what = "a JSON configuration holds no weights."
    if b'"weight_map"' in extent.read(0, min(extent.size, _HEAD)):
        what = (
            "a list of files with weights, which are not read. Save them in one from Keras: name.weights.h5."
        )
    raise ModelFormatError(f"{extent.name}: {what}")
