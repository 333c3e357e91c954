"""Keras's weight penalties on NumPy: the same names, strings, arguments, formulas and configurations.

    >>> from conv2d_native import regularizers
    >>> round(float(regularizers.L2(0.1)(np.ones((2, 3)))), 6)
    0.6

Penalties enter the loss of a training step. Inference never computes them: a layer only keeps its
regularizers and reports them in `losses`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from . import arguments
from .named_objects import Configurable, Table


class Regularizer(Configurable):
    """Base class: call it with an array to get its penalty as a float32 scalar.

    >>> class Total(cn.Regularizer):
    ...     def penalty(self, x):
    ...         return x.sum()
    >>> float(Total()([1.0, 2.0]))
    3.0
    """

    def __call__(self, x: npt.ArrayLike) -> np.float32:
        return np.float32(self.penalty(np.asarray(x, np.float64)))

    def penalty(self, x: np.ndarray) -> float:
        """Return the penalty of a float64 array."""
        return 0.0


class L1L2(Regularizer):
    """l1 * sum |x| + l2 * sum x^2; both factors default to 0."""

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _factor("l1", 0.0 if l1 is None else l1)
        self.l2 = _factor("l2", 0.0 if l2 is None else l2)

    def penalty(self, x: np.ndarray) -> float:
        return self.l1 * float(np.abs(x).sum()) + self.l2 * float(np.square(x).sum())


class L1(Regularizer):
    """l1 * sum |x|; the factor defaults to 0.01."""

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = _factor("l1", 0.01 if l1 is None else l1)

    def penalty(self, x: np.ndarray) -> float:
        return self.l1 * float(np.abs(x).sum())


class L2(Regularizer):
    """l2 * sum x^2; the factor defaults to 0.01."""

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = _factor("l2", 0.01 if l2 is None else l2)

    def penalty(self, x: np.ndarray) -> float:
        return self.l2 * float(np.square(x).sum())


class OrthogonalRegularizer(Regularizer):
    """`factor` (0.01) times the mean |cosine| between different rows of a matrix (or "columns"); of one row, NaN."""

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor("factor", factor)
        self.mode = arguments.choice("mode", mode, ("rows", "columns"))

    def penalty(self, x: np.ndarray) -> float:
        if x.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer takes matrices. Received: an array of shape {x.shape}")
        vectors = x if self.mode == "rows" else x.T
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = vectors / np.maximum(lengths, arguments.EPSILON)
        cosines = np.abs(vectors @ vectors.T)
        pairs = len(vectors) * (len(vectors) - 1)
        total = float(cosines.sum() - np.trace(cosines))
        return self.factor * total / pairs if pairs else math.nan  # as Keras, 0 / 0


def _factor(name: str, value: Any) -> float:
    if isinstance(value, (int, float, np.integer, np.floating)) and math.isfinite(value) and value >= 0:
        return float(value)
    raise ValueError(f"`{name}` must be a non-negative float. Received: {name}={value!r}")


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

TABLE = Table("regularizers", (L1, L2, L1L2, OrthogonalRegularizer), {"l1_l2": L1L2})
get, serialize, deserialize = TABLE.get, TABLE.serialize, TABLE.deserialize
