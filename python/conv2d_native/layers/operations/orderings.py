"""What orders values among the operations of `keras.ops`: sorting, the largest, differences, bins, one-hot places."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import arguments
from ...arguments import must
from ...errors import UnsupportedLayerError
from .operands import constant, host, is_tensor, one_axis, replaced

_MOST_DIFFERENCES = 128  # beyond, the factors of the sum do not fit float32


def sort(f: Any, x: Any, axis: Any = -1) -> Any:
    number = one_axis(axis, len(x.shape))
    return host(f, lambda a: np.sort(a, number), [x], x.shape)


def argsort(f: Any, x: Any, axis: Any = -1) -> Any:
    number = one_axis(axis, len(x.shape))
    return host(f, lambda a: np.argsort(a, number, kind="stable"), [x], x.shape)


def largest_places(a: np.ndarray, k: int) -> np.ndarray:
    """Where the `k` largest values along the last axis are, largest first, the first of equal ones first."""
    backwards = np.argsort(a[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    return a.shape[-1] - 1 - backwards[..., :k]


def top_k(f: Any, x: Any, k: Any, sorted: bool = True) -> list[Any]:
    """Values and their places, in order whatever `sorted` says."""
    last = one_axis(-1, len(x.shape))
    count = arguments.integer("k", k, high=x.shape[last])

    def values(a: np.ndarray) -> Any:
        return np.take_along_axis(a, largest_places(a, count), axis=-1)

    shape = replaced(x.shape, last, count)
    return [host(f, step, [x], shape) for step in (values, lambda a: largest_places(a, count))]


def ones_at(a: np.ndarray, count: int, axis: int) -> np.ndarray:
    """Whether a place along a new axis of `count` is the entry of `a`, cut to a whole number."""
    return np.moveaxis(np.trunc(a)[..., np.newaxis] == np.arange(count, dtype=np.float32), -1, axis)


def one_hot(f: Any, x: Any, num_classes: Any, axis: Any = -1, dtype: Any = None, sparse: bool = False) -> Any:
    if arguments.flag("sparse", sparse):
        raise UnsupportedLayerError("Operation 'one_hot' makes no sparse tensors here.")
    number, count = one_axis(axis, len(x.shape) + 1), arguments.integer("num_classes", num_classes)
    shape = (*x.shape[:number], count, *x.shape[number:])
    return host(f, lambda a: ones_at(a, count, number), [x], shape)


def diff(f: Any, a: Any, n: Any = 1, axis: Any = -1) -> Any:
    number, times = one_axis(axis, len(a.shape)), arguments.integer("n", n, 0, _MOST_DIFFERENCES)
    shape = replaced(a.shape, number, max(a.shape[number] - times, 0))
    return host(f, lambda x: np.diff(x, times, number), [a], shape)


def digitize(f: Any, x: Any, bins: Any) -> Any:
    edges = constant("bins", bins)
    if is_tensor(edges) or edges.ndim != 1 or not (edges[1:] >= edges[:-1]).all():
        raise ValueError(must("bins", "be rising numbers", bins))
    return host(f, lambda a: np.searchsorted(edges, a, side="right"), [x], x.shape)
