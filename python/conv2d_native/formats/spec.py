"""What a model file holds, as plain data: the configuration and a source of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class WeightSource(Protocol):
    """Reads weights on demand; it is told the shapes that the configuration implies before it reads."""

    def get(
        self, path: tuple[str, ...], names: Sequence[str], shapes: Sequence[tuple[int, ...]]
    ) -> list[np.ndarray]:
        """Return the float32 weights of the layer at `path` in the order of `names`.

        `path` holds layer names from the model down to the layer. Raises ModelFormatError that names file and
        key when a weight is missing, superfluous or of another shape than `shapes` says.
        """
        ...


@dataclass(frozen=True)
class ModelSpec:
    """A model as data. `config` is Keras 3's {"class_name", "config"} tree; older dialects are normalised."""

    config: dict[str, Any]
    weights: WeightSource | None
    source: str
    keras_version: str
