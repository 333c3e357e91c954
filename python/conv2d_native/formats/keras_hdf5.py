"""`.h5` files: whole models of Keras 2 and 3 (attribute model_config), `.weights.h5`, and legacy files of weights only.

The configuration of a whole model is the root attribute model_config; its weights are under model_weights by layer
and weight name. `.weights.h5` has the groups that `.keras` has. Optimizer weights and training_config are never
looked at.
"""

from __future__ import annotations

from typing import Any

from ..errors import ModelFormatError
from .dialect import normalise
from .extent import Budget, Extent
from .hdf5 import Hdf5
from .json_tree import parse_json
from .spec import ModelSpec, WeightSource
from .weights import GroupWeights, NamedWeights, chunked_strings


def read_model(extent: Extent, budget: Budget) -> ModelSpec:
    """The ModelSpec of a whole-model `.h5` file."""
    file = Hdf5(extent, budget)
    text = file.strings((), "model_config")
    if not text:
        raise ModelFormatError(
            f"{extent.name}: has no attribute model_config: it holds weights only. Give it as weights of a model."
        )
    tree = parse_json(text[0], f"{extent.name}: model_config", extent.size)
    version = (
        file.strings((), "keras_version") or file.strings(("model_weights",), "keras_version") or [""]
    )[0]
    config = normalise(tree, version, f"{extent.name}: model_config")
    return ModelSpec(config, NamedWeights(file, config), extent.name, version)


def read_weights(extent: Extent, budget: Budget, config: dict[str, Any] | None) -> WeightSource:
    """The weights of any `.h5` file that Keras writes."""
    file = Hdf5(extent, budget)
    if file.exists(("model_weights",)) or chunked_strings(file, (), "layer_names"):
        return NamedWeights(file, config)
    return GroupWeights(file, config, check_names=False)
