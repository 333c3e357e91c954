"""Keras's weight constraints on NumPy: the same names, strings, arguments, formulas and configurations.

    >>> from conv2d_native import constraints
    >>> constraints.NonNeg()(np.array([-1.0, 2.0], np.float32)).tolist()
    [0.0, 2.0]

Keras applies a constraint after each training step and at no other time. This package does not train, so a
layer keeps its constraints in its configuration and never calls them: weights stay as they were set. Call a
constraint yourself to project an array. `axis` names the axes along which a norm runs: 0 for a dense kernel
(inputs, units), [0, 1, 2] for a convolution kernel (rows, columns, inputs, filters).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import arguments
from .named_objects import Configurable, Table

Axis = int | Sequence[int]


class Constraint(Configurable):
    """Base class: call it with an array to get its projection in the same shape; floating dtypes are kept."""

    def __call__(self, w: npt.ArrayLike) -> np.ndarray:
        w = np.asarray(w)
        dtype = w.dtype if np.issubdtype(w.dtype, np.floating) else np.dtype(np.float32)
        return self.project(w.astype(np.float64)).astype(dtype)

    def project(self, w: np.ndarray) -> np.ndarray:
        """Return the projection of a float64 array."""
        return w


class NonNeg(Constraint):
    """Negative weights become 0."""

    def project(self, w: np.ndarray) -> np.ndarray:
        return np.maximum(w, 0)


class MaxNorm(Constraint):
    """Vectors longer than `max_value` (2) are shortened to it."""

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def project(self, w: np.ndarray) -> np.ndarray:
        norms = _norms(w, self.axis)
        return w * (np.minimum(norms, self.max_value) / (arguments.EPSILON + norms))


class UnitNorm(Constraint):
    """Every vector gets length 1."""

    def __init__(self, axis: Axis = 0) -> None:
        self.axis = axis

    def project(self, w: np.ndarray) -> np.ndarray:
        return w / (arguments.EPSILON + _norms(w, self.axis))


class MinMaxNorm(Constraint):
    """Lengths move towards [`min_value`, `max_value`] (0 to 1) by the share `rate` (1, all the way)."""

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0
    ) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def project(self, w: np.ndarray) -> np.ndarray:
        norms = _norms(w, self.axis)
        desired = self.rate * np.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (desired / (arguments.EPSILON + norms))


def _norms(w: np.ndarray, axis: Axis) -> np.ndarray:
    axes = axis if isinstance(axis, int) else tuple(axis)
    return np.sqrt(np.sum(np.square(w), axis=axes, keepdims=True))


non_neg, max_norm, unit_norm, min_max_norm = NonNeg, MaxNorm, UnitNorm, MinMaxNorm

TABLE = Table("constraints", (NonNeg, MaxNorm, UnitNorm, MinMaxNorm), {})
get, serialize, deserialize = TABLE.get, TABLE.serialize, TABLE.deserialize
