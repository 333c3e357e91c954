"""Model files as plain data: one table of formats, by how the first bytes look.

    read_model(source) -> ModelSpec           a whole model: .keras, .h5, or the .json of a configuration
    write_keras(target, config, weights)      a .keras file that Keras 3 opens
    write_weights(target, config, weights)    a .weights.h5 file, likewise
    read_weights(source, config) -> source    weights only: .weights.h5, legacy .h5, .npz, whole models

`source` is a path, bytes or a binary file object; the file's name and its ending are never looked at. Nothing in a
file is imported, run, or used as a path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ModelFormatError
from . import archive, hdf5, keras_archive, keras_hdf5, keras_json
from .extent import DEFAULT_MAX_BYTES, Budget, Extent, open_source
from .keras_write import is_file_object, write_keras, write_weights
from .spec import ModelSpec, WeightSource
from .weights import GroupWeights, NamedWeights

__all__ = [
    "DEFAULT_MAX_BYTES", "FORMATS", "GroupWeights", "ModelSpec", "NamedWeights", "WeightSource", "is_file_object",
    "read_model", "read_weights", "write_keras", "write_weights",
]  # fmt: skip


@dataclass(frozen=True)
class Format:
    """How files of a format begin, and what reads them."""

    name: str
    starts: tuple[bytes, ...]
    read_model: Callable[[Extent, Budget], ModelSpec]
    read_weights: Callable[[Extent, Budget, dict[str, Any] | None], WeightSource]


FORMATS = [
    Format(".keras", (archive.SIGNATURE,), keras_archive.read_model, keras_archive.read_weights),
    Format(".h5", (hdf5.SIGNATURE,), keras_hdf5.read_model, keras_hdf5.read_weights),
    Format(
        ".json",
        (b"{", b" ", b"\n", b"\r", b"\t", b"\xef\xbb\xbf"),
        keras_json.read_model,
        keras_json.read_weights,
    ),
]


def _open(source: Any, max_bytes: int) -> tuple[Format, Extent, Budget]:
    extent = open_source(source, max_bytes, tuple(start for form in FORMATS for start in form.starts))
    head = extent.read(0, min(8, extent.size))
    for form in FORMATS:
        if head.startswith(form.starts):
            return form, extent, Budget(extent.size, max_bytes)
    raise ModelFormatError(
        f"{extent.name}: not a Keras model: expected {' or '.join(form.name for form in FORMATS)}. "
        f"It begins with {head!r}."
    )


def read_model(source: Any, weights: Any = None, max_bytes: int = DEFAULT_MAX_BYTES) -> ModelSpec:
    """Read a model file into plain data; weights are read when the returned spec's source is asked for them.

    source:    path, bytes or binary file object of a `.keras`, `.h5` or `.json` file; told apart by content
    weights:   another source that the weights come from, for a `.json` configuration
    max_bytes: the weights may have this size at most (default 2 GiB)
    Raises OSError, ModelFormatError (the file is damaged or of another kind) and UnsafeModelError.

        spec = read_model("model.keras")
        spec.config["class_name"], spec.keras_version
    """
    form, extent, budget = _open(source, max_bytes)
    spec = form.read_model(extent, budget)
    if weights is not None:
        spec = replace(spec, weights=read_weights(weights, spec.config, max_bytes))
    return spec


def read_weights(
    source: Any, config: dict[str, Any] | None = None, max_bytes: int = DEFAULT_MAX_BYTES
) -> WeightSource:
    """Open a file for its weights only: `.weights.h5`, a legacy weights file, `.npz`, or a whole model.

    `config` is the model's tree; without it, paths given to `get` must be the file's own group names.
    """
    form, extent, budget = _open(source, max_bytes)
    return form.read_weights(extent, budget, config)
