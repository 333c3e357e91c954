"""Parts of tensors among the operations of `keras.ops`: slices, splits, chosen entries.

Functions of `f`, the interpreter, and of tensors whose first axis is the batch. What would mix or move the images of
a batch is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import arguments, shapes
from ..arguments import shown
from ..errors import UnsupportedLayerError
from .array_operations import (
    constant,
    constant_array,
    host,
    integer_list,
    is_listed,
    is_tensor,
    one_axis,
    replaced,
)

_MOST_PARTS = 1024  # tensors that one operation may make


def get_item(f: Any, x: Any, key: Any) -> Any:
    keys = list(key) if isinstance(key, (tuple, list)) else [key]
    given = sum(k is not None and k is not Ellipsis for k in keys)
    if given > len(x.shape) or sum(k is Ellipsis for k in keys) > 1:
        raise IndexError(
            f"A tensor of {len(x.shape)} axes takes as many indices, and one '...'. Received: [{shown(key)}]."
        )
    if any(k is Ellipsis for k in keys):
        at = next(i for i, k in enumerate(keys) if k is Ellipsis)
        keys[at : at + 1] = [slice(None)] * (len(x.shape) - given)
    if keys and not (isinstance(keys[0], slice) and keys[0] == slice(None)):
        raise UnsupportedLayerError(f"Slicing the batch axis is not computed here: [{shown(keys[0])}].")
    widths, shape, axis, steps = [(0, 0)] * len(x.shape), [], 0, False
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        n = x.shape[axis]
        if axis:
            if isinstance(k, (int, np.integer)) and not isinstance(k, bool):
                if not -n <= k < n:
                    raise IndexError(f"index {k} is out of bounds for axis {axis} with size {n}")
                start, stop = int(k) % n, int(k) % n + 1
            elif isinstance(k, slice):
                steps |= k.step not in (None, 1)
                start, stop, _ = k.indices(n)
                shape.append(len(range(*k.indices(n))))
            else:
                raise UnsupportedLayerError(f"Indexing with {shown(k)} is not computed here.")
            widths[axis] = (-start, stop - n)
        axis += 1
    if steps:
        index = tuple(keys)
        return host(f, lambda a: a[index], [x], (None, *shape, *x.shape[axis:]))
    cropped = f.pad(x, tuple(widths)) if any(w != (0, 0) for w in widths) else x
    shape += x.shape[axis:]
    return f.reshape(cropped, (-1, *shape)) if list(cropped.shape[1:]) != shape else cropped


def split(f: Any, x: Any, indices_or_sections: Any, axis: Any = 0) -> Any:
    return _parts(f, x, indices_or_sections, axis, uneven=False)


def array_split(f: Any, x: Any, indices_or_sections: Any, axis: Any = 0) -> Any:
    return _parts(f, x, indices_or_sections, axis, uneven=True)


def _parts(f: Any, x: Any, indices_or_sections: Any, axis: Any, uneven: bool) -> Any:
    """`uneven`: the first parts may be longer by one than the last."""
    axis = one_axis(axis, len(x.shape))
    n, name = x.shape[axis], "indices_or_sections"
    if is_listed(indices_or_sections):
        cuts = integer_list(name, indices_or_sections)
        _check_parts("split", len(cuts) + 1)
    else:
        sections = arguments.integer(name, indices_or_sections)
        _check_parts("split", sections)
        size, longer = divmod(n, sections)
        cuts = [size * i + min(i, longer) for i in range(1, sections)] if uneven or not longer else [-1]
    edges = [0, *cuts, n]
    if any(a > b for a, b in itertools.pairwise(edges)):
        raise ValueError(
            f"`{name}` must divide an axis of {n} entries. Received: {name}={shown(indices_or_sections)}."
        )
    key = [slice(None)] * len(x.shape)
    return [get_item(f, x, [*key[:axis], slice(a, b)]) for a, b in itertools.pairwise(edges)]


def split_along(axis: int) -> Callable[..., Any]:
    """hsplit and dsplit."""
    return lambda f, x, indices_or_sections: split(f, x, indices_or_sections, axis)


def _check_parts(name: str, count: int) -> None:
    if count > _MOST_PARTS:
        raise UnsupportedLayerError(
            f"Operation '{name}' makes at most {_MOST_PARTS} tensors here. Received: {count} of them."
        )


def unstack(f: Any, x: Any, num: Any = None, axis: int = 0) -> Any:
    axis = one_axis(axis, len(x.shape))
    _check_parts("unstack", x.shape[axis])
    key = [slice(None)] * axis
    return [get_item(f, x, [*key, i]) for i in range(x.shape[axis])]


def slice_at(f: Any, inputs: Any, start_indices: Any, shape: Any) -> Any:
    starts, sizes = integer_list("start_indices", start_indices), integer_list("shape", shape)
    for name, given in (("start_indices", starts), ("shape", sizes)):
        if len(given) != len(inputs.shape):
            raise ValueError(
                f"`{name}` must have {len(inputs.shape)} entries. Received: {name}={shown(given)}."
            )
    if starts[0] != 0:
        raise UnsupportedLayerError("Slicing the batch axis is not computed here.")
    return get_item(
        f, inputs, [slice(None), *(slice(i, i + n) for i, n in zip(starts[1:], sizes[1:], strict=True))]
    )


def take(f: Any, x: Any, indices: Any, axis: Any = None) -> Any:
    if is_tensor(indices):
        raise UnsupportedLayerError("Operation 'take' takes constant indices here.")
    number = one_axis(axis, len(x.shape))
    places = _constant_places(indices, x.shape[number])
    return host(f, lambda a: a.take(places, number), [x], replaced(x.shape, number, *places.shape))


def _constant_places(indices: Any, n: int) -> np.ndarray:
    """Places on an axis of `n` entries."""
    places = constant_array("indices", indices, "iu", "be integers")
    if places.size and not (-n <= places.min() and places.max() < n):
        raise ValueError(f"`indices` must be from {-n} to {n - 1}. Received: indices={shown(indices)}.")
    return places


def take_along_axis(f: Any, x: Any, indices: Any, axis: Any = None) -> Any:
    """Computed indices are rounded towards zero; one that is out of range raises IndexError when it is met."""
    x = constant("x", x)
    number = one_axis(axis, len(x.shape))
    places = indices if is_tensor(indices) else _constant_places(indices, x.shape[number])
    if len(places.shape) != len(x.shape) or not (is_tensor(places) or places.shape[0] == 1):
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
