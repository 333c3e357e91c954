"""Matrices in the last axes of tensors among the operations of `keras.ops`, and diagonals along any two."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...arguments import must
from .operands import constant, host, is_by_image, one_axis


def _without(x: Any, offset: int, axis1: int, axis2: int) -> tuple[int, int, list[Any], int]:
    """The two axes as numbers, the sizes of the others, and how long the diagonal is."""
    first, second = (one_axis(axis, len(x.shape)) for axis in (axis1, axis2))
    if first == second:
        raise ValueError(must("axis2", "be another axis than axis1", axis2))
    rows, columns = x.shape[first], x.shape[second]
    rest = [n for axis, n in enumerate(x.shape) if axis not in (first, second)]
    return first, second, rest, max(0, min(rows + min(offset, 0), columns - max(offset, 0)))


def diagonal(f: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The entries of equal places on two axes, along a new last axis."""
    first, second, rest, length = _without(x, offset, axis1, axis2)
    return host(f, lambda a: a.diagonal(offset, first, second), [x], (*rest, length))


def trace(f: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Their sums."""
    first, second, rest, _ = _without(x, offset, axis1, axis2)
    return host(f, lambda a: a.trace(offset, first, second), [x], rest)


def _square(name: str, x: Any) -> Any:
    """A tensor of square matrices."""
    x = constant(name, x)
    if len(x.shape) < 3 or x.shape[-1] != x.shape[-2] or not is_by_image(x):
        raise ValueError(
            f"`{name}` must hold a square matrix for each image. Received: {name} of shape {x.shape}."
        )
    return x


def of_matrices(function: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Any]:
    """`function` of NumPy's, from square matrices to as large ones."""

    def computed(f: Any, x: Any) -> Any:
        x = _square("x", x)
        return host(f, function, [x], x.shape)

    return computed


def triangular_factor(x: Any, upper: bool = False) -> np.ndarray:
    """Of an array of matrices: the triangular ones whose products with their transposes are these."""
    lower = np.linalg.cholesky(x)
    return lower.swapaxes(-1, -2) if upper else lower


def cholesky(f: Any, x: Any, upper: bool = False) -> Any:
    """The triangular matrix whose product with its transpose is x."""
    x = _square("x", x)
    return host(f, partial(triangular_factor, upper=upper), [x], x.shape)


def det(f: Any, x: Any) -> Any:
    """The determinants."""
    x = _square("x", x)
    return host(f, np.linalg.det, [x], x.shape[:-2])


def solution(a: Any, b: Any) -> np.ndarray:
    """Of arrays of matrices `a`: what they must be multiplied with to become `b`, vectors if it has an axis less."""
    of_vectors = np.ndim(b) == np.ndim(a) - 1
    return np.linalg.solve(a, np.asarray(b)[..., None])[..., 0] if of_vectors else np.linalg.solve(a, b)


def solve(f: Any, a: Any, b: Any) -> Any:
    """What `a` must be multiplied with to become `b`, vectors or matrices."""
    a, b = _square("a", a), constant("b", b)
    if len(b.shape) not in (len(a.shape) - 1, len(a.shape)) or not is_by_image(b):
        raise ValueError(
            f"`b` must hold vectors or matrices for those of `a`. Received: b of shape {b.shape}."
        )
    return host(f, solution, [a, b], b.shape)
