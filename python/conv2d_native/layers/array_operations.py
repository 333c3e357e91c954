"""Shapes and layouts among the operations of `keras.ops`: reshape, transpose, slices, concatenation, padding.

Functions of `f`, the interpreter, and of tensors whose first axis is the batch. What would mix or move the images of
a batch is refused.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import UnsupportedLayerError


def host(f: Any, function: Callable[..., Any], xs: Sequence[Any], name: str) -> Any:
    """A NumPy step. Its shape is found by running it on two images of zeros."""
    trial = function(*[np.zeros((2, *x.shape[1:]), np.float32) for x in xs])
    if np.ndim(trial) == 0 or trial.shape[0] != 2:
        raise UnsupportedLayerError(
            f"Operation '{name}' mixes the images of a batch: this is not computed here."
        )
    return f.apply(function, list(xs), (None, *trial.shape[1:]))


def is_tensor(value: Any) -> bool:
    return hasattr(value, "shape") and not isinstance(value, (np.ndarray, np.generic))


def constant(value: Any) -> Any:
    return value if is_tensor(value) else np.asarray(value, np.float32)


def axis_numbers(axis: Any, rank: int) -> tuple[int, ...]:
    axes = range(rank) if axis is None else [axis] if isinstance(axis, int) else axis
    made = tuple(sorted(a % rank for a in axes))
    if 0 in made:
        raise UnsupportedLayerError("An operation over the batch axis is not computed here.")
    return made


def _per_sample(x: Any) -> int:
    return math.prod(x.shape[1:])


def reshape(f: Any, x: Any, newshape: Any) -> Any:
    target = [-1 if n is None else int(n) for n in newshape]
    if len(target) > 1 and -1 in target[1:]:
        rest = math.prod(n for n in target[1:] if n != -1)
        target = [n if n != -1 else _per_sample(x) // max(rest, 1) for n in target]
    if not target or math.prod(target[1:]) != _per_sample(x):
        raise UnsupportedLayerError(
            f"Reshaping {tuple(x.shape)} to {tuple(newshape)} moves values between the images of a batch."
        )
    return f.reshape(x, (-1, *target[1:]))


def transpose(f: Any, x: Any, axes: Any = None) -> Any:
    axes = tuple(a % len(x.shape) for a in (axes if axes is not None else reversed(range(len(x.shape)))))
    if axes[0] != 0:
        raise UnsupportedLayerError(f"Transposing by {axes} moves the batch axis: this is not computed here.")
    return f.transpose(x, axes)


def swapaxes(f: Any, x: Any, axis1: int, axis2: int) -> Any:
    axes = list(range(len(x.shape)))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return transpose(f, x, axes)


def moveaxis(f: Any, x: Any, source: Any, destination: Any) -> Any:
    order = np.moveaxis(np.empty([1] * len(x.shape)), source, destination).ndim
    numbered = np.arange(order)
    sources = np.atleast_1d(source) % order
    targets = np.atleast_1d(destination) % order
    axes = [int(a) for a in numbered if a not in sources]
    for target, moved in sorted(zip(targets.tolist(), sources.tolist(), strict=True)):
        axes.insert(target, moved)
    return transpose(f, x, axes)


def squeeze(f: Any, x: Any, axis: Any = None) -> Any:
    rank = len(x.shape)
    axes = [i for i in range(1, rank) if x.shape[i] == 1] if axis is None else axis_numbers(axis, rank)
    return f.reshape(x, (-1, *[n for i, n in enumerate(x.shape) if i and i not in axes]))


def expand_dims(f: Any, x: Any, axis: Any) -> Any:
    axes = [axis] if isinstance(axis, int) else list(axis)
    rank = len(x.shape) + len(axes)
    shape = list(x.shape)
    for a in sorted(a % rank for a in axes):
        if a == 0:
            raise UnsupportedLayerError("Expanding the batch axis is not computed here.")
        shape.insert(a, 1)
    return f.reshape(x, (-1, *shape[1:]))


def concatenate(f: Any, xs: Any, axis: int = 0) -> Any:
    tensors = [x for x in xs if is_tensor(x)]
    (axis,) = axis_numbers(axis, len(tensors[0].shape))
    if len(tensors) == len(xs):
        return f.concatenate(list(xs), axis=axis)

    def join(*arrays: np.ndarray) -> np.ndarray:
        rest = iter(arrays)
        parts = [next(rest) if is_tensor(x) else np.asarray(x, np.float32) for x in xs]
        n = len(arrays[0])
        return np.concatenate([np.broadcast_to(p, (n, *p.shape[1:])) for p in parts], axis=axis)

    return host(f, join, tensors, "concatenate")


def stack(f: Any, x: Any, axis: int = 0) -> Any:
    axis %= len(x[0].shape) + 1
    return f.concatenate([expand_dims(f, item, axis) for item in x], axis=axis)


def pad(f: Any, x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    widths = np.broadcast_to(np.asarray(pad_width, int), (len(x.shape), 2)).tolist()
    if widths[0] != [0, 0]:
        raise UnsupportedLayerError("Padding the batch axis is not computed here.")
    word: Any = mode.lower()
    if word == "constant":
        return f.pad(x, tuple(tuple(w) for w in widths), value=float(constant_values or 0))
    return host(f, lambda a: np.pad(a, widths, mode=word), [x], "pad")


def get_item(f: Any, x: Any, key: Any) -> Any:
    keys = list(key) if isinstance(key, (tuple, list)) else [key]
    if Ellipsis in keys:
        at = keys.index(Ellipsis)
        given = sum(k is not None for k in keys) - 1
        keys[at : at + 1] = [slice(None)] * (len(x.shape) - given)
    if keys and keys[0] != slice(None):
        raise UnsupportedLayerError(f"Slicing the batch axis is not computed here: [{keys[0]}].")
    widths, shape, axis, steps = [(0, 0)] * len(x.shape), [], 0, False
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        n = x.shape[axis]
        if axis:
            if isinstance(k, int):
                if not -n <= k < n:
                    raise IndexError(f"index {k} is out of bounds for axis {axis} with size {n}")
                start, stop = k % n, k % n + 1
            elif isinstance(k, slice):
                steps |= k.step not in (None, 1)
                start, stop, _ = k.indices(n)
                shape.append(max(stop - start, 0))
            else:
                raise UnsupportedLayerError(f"Indexing with {k!r} is not computed here.")
            widths[axis] = (-start, stop - n)
        axis += 1
    if steps:
        index = tuple(keys)
        return host(f, lambda a: a[index], [x], "get_item")
    cropped = f.pad(x, tuple(widths)) if any(w != (0, 0) for w in widths) else x
    shape += x.shape[axis:]
    return f.reshape(cropped, (-1, *shape)) if list(cropped.shape[1:]) != shape else cropped


def split(f: Any, x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    (axis,) = axis_numbers(axis, len(x.shape))
    n = x.shape[axis]
    if isinstance(indices_or_sections, int):
        size = n // indices_or_sections
        cuts = list(range(size, n, size)) if size * indices_or_sections == n else [-1]
    else:
        cuts = [int(c) for c in indices_or_sections]
    edges = [0, *cuts, n]
    if any(a > b for a, b in itertools.pairwise(edges)):
        raise ValueError(f"An axis of {n} entries cannot be split into {indices_or_sections}.")
    key = [slice(None)] * len(x.shape)
    return [get_item(f, x, [*key[:axis], slice(a, b)]) for a, b in itertools.pairwise(edges)]


def unstack(f: Any, x: Any, num: Any = None, axis: int = 0) -> Any:
    (axis,) = axis_numbers(axis, len(x.shape))
    key = [slice(None)] * axis
    return [get_item(f, x, [*key, i]) for i in range(x.shape[axis])]


def slice_at(f: Any, inputs: Any, start_indices: Any, shape: Any) -> Any:
    starts, sizes = [int(i) for i in start_indices], [int(n) for n in shape]
    if starts[0] != 0:
        raise UnsupportedLayerError("Slicing the batch axis is not computed here.")
    return get_item(
        f, inputs, [slice(None), *(slice(i, i + n) for i, n in zip(starts[1:], sizes[1:], strict=True))]
    )


def roll(f: Any, x: Any, shift: Any, axis: Any = None) -> Any:
    axes = [axis] if isinstance(axis, int) else list(axis or ())
    shifts = [shift] * len(axes) if isinstance(shift, int) else list(shift)
    if axis is None or 0 in (a % len(x.shape) for a in axes):
        raise UnsupportedLayerError("Rolling the batch axis is not computed here.")
    return host(f, lambda a: np.roll(a, shifts, axes), [x], "roll")


def take(f: Any, x: Any, indices: Any, axis: Any = None) -> Any:
    if is_tensor(indices):
        raise UnsupportedLayerError("Operation 'take' takes constant indices here.")
    (number,) = axis_numbers(axis, len(x.shape))
    places = np.asarray(indices, int)
    return host(f, lambda a: a.take(places, number), [x], "take")
