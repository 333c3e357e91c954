"""Parts of tensors among the operations of `keras.ops`: slices, splits, chosen entries."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import arguments, shapes
from ...arguments import must, shown
from ...errors import BatchAxisError, UnsupportedLayerError
from .operands import (
    constant,
    constant_array,
    host,
    is_by_image,
    is_tensor,
    one_axis,
    refused_for_batch,
    replaced,
)

_MOST_PARTS = 1024  # tensors that one operation may make
_MOST_RUNS, _LONGEST_AXIS = 128, 1 << 16  # of what is joined by the core
_MOST_AXES = 8  # of what is cropped there


def get_item(f: Any, x: Any, key: Any) -> Any:
    """x[key] for numbers, slices, None and '...' behind the batch. UnsupportedLayerError for all else, IndexError."""
    keys = _full_key(key, len(x.shape))
    if not (isinstance(keys[0], slice) and keys[0] == slice(None)):
        raise BatchAxisError(f"Slicing the batch axis is not computed here: [{shown(keys[0])}].")
    taken: list[range] = []  # along each axis but the batch
    sizes: list[int] = []
    for k in keys[1:]:
        if k is None:
            sizes.append(1)
            continue
        axis = len(taken) + 1
        if isinstance(k, slice):
            places = range(x.shape[axis])[k]
            taken.append(places if len(places) != 1 else _one_place(places[0], axis, x.shape[axis]))
            sizes.append(len(places))
        else:
            taken.append(_one_place(k, axis, x.shape[axis]))
    steps = [places.step for places in taken if places]
    axes = len(x.shape) + any(step > 1 for step in steps)  # one is divided
    if 0 in sizes or min(steps, default=1) < 1 or axes > _MOST_AXES:
        return host(f, lambda a: a[tuple(keys)], [x], (None, *sizes))
    ends = [places.start + len(places) * places.step for places in taken]
    widths = [(-places.start, end - n) for places, end, n in zip(taken, ends, x.shape[1:], strict=True)]
    x = f.pad(x, ((0, 0), *widths))
    for axis, places in enumerate(taken, 1):
        if places.step > 1:
            x = _first_of_each(f, x, axis, places.step)
    return f.reshape(x, (-1, *sizes))


def _first_of_each(f: Any, x: Any, axis: int, step: int) -> Any:
    """Every entry of `axis` whose place divides by `step`, and so does the size."""
    shape = (-1, *x.shape[1:axis], x.shape[axis] // step, step, *x.shape[axis + 1 :])
    widths = [(0, 1 - step if i == axis + 1 else 0) for i in range(len(shape))]
    return f.reshape(f.pad(f.reshape(x, shape), widths), replaced(shape, axis + 1))


def at_places(f: Any, x: Any, axis: int, made: Callable[[np.ndarray], np.ndarray], size: int) -> Any | None:
    """The entries of `axis` at the places that `made` makes of them all, `size` in number: runs of neighbours, joined.

    None where they are too many for that.
    """
    n = x.shape[axis]
    if not 0 < n + size <= _LONGEST_AXIS or len(x.shape) > _MOST_AXES:
        return None
    places = made(np.arange(n))
    starts = [0, *(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
    if len(starts) > _MOST_RUNS:
        return None
    runs = [(int(places[i]), int(places[j - 1]) + 1) for i, j in itertools.pairwise(starts)]
    still = [(0, 0)] * len(x.shape)
    cut = {(a, b): f.crop(x, replaced(still, axis, (a, n - b))) for a, b in dict.fromkeys(runs)}
    return f.concatenate([cut[run] for run in runs], axis)


def _full_key(key: Any, rank: int) -> list[Any]:
    """An entry for each of `rank` axes, and None for each new one."""
    keys = list(key) if isinstance(key, (tuple, list)) else [key]
    given = sum(k is not None and k is not Ellipsis for k in keys)
    places = [i for i, k in enumerate(keys) if k is Ellipsis]
    if given > rank or len(places) > 1:
        raise IndexError(
            f"A tensor of {rank} axes takes as many indices, and one '...'. Received: [{shown(key)}]."
        )
    at = places[0] if places else len(keys)
    return [*keys[:at], *[slice(None)] * (rank - given), *keys[at + 1 :]]


def _one_place(index: Any, axis: int, n: int) -> range:
    """The place of an index on an axis of `n` entries."""
    if not isinstance(index, (int, np.integer)) or isinstance(index, bool):
        raise UnsupportedLayerError(f"Indexing with {shown(index)} is not computed here.")
    if not -n <= index < n:
        raise IndexError(f"index {index} is out of bounds for axis {axis} with size {n}")
    return range(int(index) % n, int(index) % n + 1)


def split(f: Any, x: Any, indices_or_sections: Any, axis: Any = 0) -> Any:
    """The parts of `axis` between cuts, or as many equal ones: ValueError where they cannot be."""
    return _parts(f, x, indices_or_sections, axis, uneven=False)


def array_split(f: Any, x: Any, indices_or_sections: Any, axis: Any = 0) -> Any:
    """As split, with parts that may differ by one in length."""
    return _parts(f, x, indices_or_sections, axis, uneven=True)


def _parts(f: Any, x: Any, indices_or_sections: Any, axis: Any, uneven: bool) -> Any:
    """`uneven`: the first parts may be longer by one than the last."""
    axis = one_axis(axis, len(x.shape))
    n, name = x.shape[axis], "indices_or_sections"
    if arguments.is_listed(indices_or_sections):
        cuts = arguments.integer_list(name, indices_or_sections)
        _check_parts("split", len(cuts) + 1)
    else:
        sections = arguments.integer(name, indices_or_sections)
        _check_parts("split", sections)
        size, longer = divmod(n, sections)
        cuts = [size * i + min(i, longer) for i in range(1, sections)] if uneven or not longer else [-1]
    edges = [0, *cuts, n]
    if any(a > b for a, b in itertools.pairwise(edges)):
        raise ValueError(must(name, f"divide an axis of {n} entries", indices_or_sections))
    key = [slice(None)] * len(x.shape)
    return [get_item(f, x, [*key[:axis], slice(a, b)]) for a, b in itertools.pairwise(edges)]


def _check_parts(name: str, count: int) -> None:
    if count > _MOST_PARTS:
        raise UnsupportedLayerError(
            f"Operation '{name}' makes at most {_MOST_PARTS} tensors here. Received: {count} of them."
        )


def unstack(f: Any, x: Any, num: Any = None, axis: int = 0) -> Any:
    """Every entry of `axis`, as a tensor without that."""
    axis = one_axis(axis, len(x.shape))
    _check_parts("unstack", x.shape[axis])
    key = [slice(None)] * axis
    return [get_item(f, x, [*key, i]) for i in range(x.shape[axis])]


def slice_at(f: Any, inputs: Any, start_indices: Any, shape: Any) -> Any:
    """`shape` entries from start_indices on along each axis, -1: all. BatchAxisError where images may be left out."""
    starts = arguments.integer_list("start_indices", start_indices)
    sizes = arguments.integer_list("shape", shape)
    for name, given in (("start_indices", starts), ("shape", sizes)):
        if len(given) != len(inputs.shape):
            raise ValueError(must(name, f"have {len(inputs.shape)} entries", given))
    if (starts[0], sizes[0]) != (0, -1):
        raise refused_for_batch("Slicing")
    key = [slice(i, None if n == -1 else i + n) for i, n in zip(starts[1:], sizes[1:], strict=True)]
    return get_item(f, inputs, [slice(None), *key])


def take(f: Any, x: Any, indices: Any, axis: Any = None) -> Any:
    """The entries of `axis` at constant `indices`, whose axes come in its place. ValueError for places outside.

    Rows of a constant table may be at computed places: these are rounded towards zero, IndexError for one outside.
    """
    if is_tensor(indices):
        table = constant("x", x)
        if is_tensor(table) or table.ndim == 0 or axis not in (0, -table.ndim):
            raise UnsupportedLayerError(
                "Operation 'take' takes constant indices here, or a constant `x` and axis=0."
            )
        shape = (*indices.shape, *table.shape[1:])
        return host(f, lambda at: table[at.astype(np.int64)], [indices], shape)
    number = one_axis(axis, len(x.shape))
    places = _constant_places(indices, x.shape[number])
    return host(f, lambda a: a.take(places, number), [x], replaced(x.shape, number, *places.shape))


def _constant_places(indices: Any, n: int) -> np.ndarray:
    """Places on an axis of `n` entries."""
    places = constant_array("indices", indices, "iu", "be integers")
    if places.size and not (-n <= places.min() and places.max() < n):
        raise ValueError(must("indices", f"be from {-n} to {n - 1}", indices))
    return places


def take_along_axis(f: Any, x: Any, indices: Any, axis: Any = None) -> Any:
    """Computed indices are rounded towards zero; one that is out of range raises IndexError when it is met."""
    x = constant("x", x)
    number = one_axis(axis, len(x.shape))
    places = indices if is_tensor(indices) else _constant_places(indices, x.shape[number])
    if len(places.shape) != len(x.shape) or not is_by_image(places):
        raise ValueError(
            f"`indices` must have the {len(x.shape)} axes of `x`, constants a batch of 1. "
            f"Received: indices of shape {tuple(places.shape)}."
        )
    between = shapes.broadcast([replaced(each.shape, number, 1)[1:] for each in (x, places)])

    def chosen(a: np.ndarray, at: np.ndarray) -> np.ndarray:
        n = (*np.broadcast_shapes(a.shape[:1], at.shape[:1]), *between)
        a, at = (np.broadcast_to(each, replaced(n, number, each.shape[number])) for each in (a, at))
        return np.take_along_axis(a, at.astype(np.int64), number)

    return host(f, chosen, [x, places], replaced((None, *between), number, places.shape[number]))
