"""`.keras` files (Keras 2.12 on): a zip of config.json, metadata.json and model.weights.h5. Assets are never looked at.

Keras's other form, model.weights.npz, holds pickled objects and is refused: a pickle is code. An `.npz` of plain
arrays, one for each weight, is read for weights only.
"""

from __future__ import annotations

from typing import Any

from ..errors import ModelFormatError, UnsafeModelError
from .archive import Archive
from .dialect import normalise
from .extent import Budget, Extent
from .hdf5 import Hdf5
from .json_tree import MAX_BYTES, parse_json
from .spec import ModelSpec, WeightSource
from .weights import ArrayWeights, GroupWeights

_CONFIG, _METADATA = "config.json", "metadata.json"
_WEIGHTS, _PICKLED_WEIGHTS = "model.weights.h5", "model.weights.npz"


def read_model(extent: Extent, budget: Budget) -> ModelSpec:
    """The ModelSpec of a `.keras` file."""
    archive = Archive(extent, budget)
    if _CONFIG not in archive:
        raise ModelFormatError(
            f"{extent.name}: a zip without {_CONFIG} is not a .keras file. It has {archive.names[:20]}."
        )
    tree = _json(archive, _CONFIG)
    version = _json(archive, _METADATA).get("keras_version", "") if _METADATA in archive else ""
    config = normalise(tree, str(version), f"{extent.name}: {_CONFIG}")
    return ModelSpec(config, _weights(archive, config, check_names=True), extent.name, str(version))


def read_weights(extent: Extent, budget: Budget, config: dict[str, Any] | None) -> WeightSource:
    """The weights of a `.keras` file, or of an `.npz`."""
    archive = Archive(extent, budget)
    if _WEIGHTS in archive or _PICKLED_WEIGHTS in archive:
        return _weights(archive, config, check_names=False)  # another model's layers may have other names
    return ArrayWeights(archive)


def _json(archive: Archive, name: str) -> dict[str, Any]:
    member = archive.member(name, MAX_BYTES)
    return parse_json(member.read(0, member.size), member.name, archive.extent.size)


def _weights(archive: Archive, config: dict[str, Any] | None, check_names: bool) -> WeightSource:
    if _WEIGHTS not in archive:
        if _PICKLED_WEIGHTS in archive:
            raise UnsafeModelError(
                f"{archive.name}: {_PICKLED_WEIGHTS} holds pickled objects; save with weights_format='h5'."
            )
        raise ModelFormatError(f"{archive.name}: has no {_WEIGHTS}. It has {archive.names[:20]}.")
    member = archive.member(_WEIGHTS)
    return GroupWeights(Hdf5(member, archive.budget), config, check_names)
