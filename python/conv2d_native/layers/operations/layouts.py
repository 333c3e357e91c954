"""Shapes and layouts among the operations of `keras.ops`: reshape, transpose, concatenation, padding, repetition."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ... import arguments
from ...arguments import must, shown
from ...errors import BatchAxisError, UnsupportedLayerError
from .operands import (
    axis_list,
    axis_numbers,
    constant,
    constant_array,
    host,
    is_by_image,
    is_tensor,
    mixing,
    one_axis,
    reduced,
    refused_for_batch,
    replaced,
)
from .selections import at_places

_PAD_MODES = (
    "constant", "edge", "empty", "linear_ramp", "maximum", "mean", "median", "minimum", "reflect", "symmetric", "wrap",
)  # fmt: skip
_PAD_BY_PLACES = ("edge", "reflect", "symmetric", "wrap")
_MOST_SPREAD = 1 << 20  # entries of a constant that axes are spread with


def reshape(f: Any, x: Any, newshape: Any) -> Any:
    """(batch, *newshape[1:]), one of which may be -1. BatchAxisError where values would change the image.

    A number of images beside a -1 does not say how many entries each image has: that follows from the batch.
    """
    listed = list(newshape) if arguments.is_listed(newshape) else [newshape]
    target = [-1 if n is None else arguments.integer("newshape", n, low=None) for n in listed]
    batch_is_kept = listed[:1] == [None]
    if any(n < -1 or n == 0 for n in target) or target[batch_is_kept:].count(-1) > 1:
        raise ValueError(must("newshape", "hold positive integers, of which one may be -1", newshape))
    entries, known = math.prod(x.shape[1:]), math.prod(n for n in target[1:] if n != -1)
    sizes = [entries // known if n == -1 else n for n in target[1:]]
    if not target or math.prod(sizes) != entries or (target[0] != -1 and -1 in target[1:]):
        raise BatchAxisError(
            f"Reshaping {tuple(x.shape)} to {shown(newshape)} moves values between the images of a batch."
        )
    return f.reshape(x, (-1, *sizes))


def transpose(f: Any, x: Any, axes: Any = None) -> Any:
    """The axes in the order of `axes`, None: backwards. UnsupportedLayerError where the batch moves."""
    rank = len(x.shape)
    order = list(range(rank))[::-1] if axes is None else axis_list("axes", axes, rank)
    if sorted(order) != list(range(rank)):
        raise ValueError(must("axes", f"be a permutation of the {rank} axes", axes))
    if order[0] != 0:
        raise BatchAxisError(f"Transposing by {order} moves the batch axis: this is not computed here.")
    return f.transpose(x, order)


def swapaxes(f: Any, x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged. Errors: those of transpose."""
    order = list(range(len(x.shape)))
    a, b = arguments.axis("axis1", axis1, len(order)), arguments.axis("axis2", axis2, len(order))
    order[a], order[b] = b, a
    return transpose(f, x, order)


def moveaxis(f: Any, x: Any, source: Any, destination: Any) -> Any:
    """The axes `source` at the places `destination`. Errors: those of transpose; ValueError for unequal numbers."""
    rank = len(x.shape)
    sources, targets = axis_list("source", source, rank), axis_list("destination", destination, rank)
    if not len(sources) == len(targets) == len(set(sources)) == len(set(targets)):
        raise ValueError(
            "`source` and `destination` must name as many different axes. "
            f"Received: source={shown(source)}, destination={shown(destination)}."
        )
    axes = [axis for axis in range(rank) if axis not in sources]
    for target, moved in sorted(zip(targets, sources, strict=True)):
        axes.insert(target, moved)
    return transpose(f, x, axes)


def squeeze(f: Any, x: Any, axis: Any = None) -> Any:
    """Without the axes `axis`, None: all of size 1 but the batch. ValueError for axes of other sizes."""
    rank = len(x.shape)
    axes = [i for i in range(1, rank) if x.shape[i] == 1] if axis is None else axis_numbers(axis, rank)
    if any(x.shape[i] != 1 for i in axes):
        raise ValueError(
            f"`axis` must name axes of size 1. Received: axis={shown(axis)} of a tensor of shape {tuple(x.shape)}."
        )
    return f.reshape(x, (-1, *reduced(x.shape, axes, False)[1:]))


def expand_dims(f: Any, x: Any, axis: Any) -> Any:
    """With axes of size 1 at the places `axis` of the result, behind the batch."""
    given = arguments.integer_list("axis", axis)
    shape = list(x.shape)
    for a in axis_numbers(given, len(shape) + len(given)):
        shape.insert(a, 1)
    return f.reshape(x, (-1, *shape[1:]))


def concatenate(f: Any, xs: Any, axis: int = 0) -> Any:
    """`xs`, tensors and constants, joined along `axis`. ValueError where other sizes differ."""
    parts = [constant("xs", x) for x in xs]
    first = next(x for x in parts if is_tensor(x))
    axis = one_axis(axis, len(first.shape))
    if all(map(is_tensor, parts)):
        return f.concatenate(parts, axis=axis)
    others = {(len(part.shape), replaced(part.shape, axis)[1:]) for part in parts}
    if len(others) > 1 or not all(map(is_by_image, parts)):
        raise ValueError(
            f"`xs` must agree in all sizes but that of axis {axis}, constants with a batch of 1. "
            f"Received: shapes {[tuple(part.shape) for part in parts]}."
        )

    def join(*arrays: np.ndarray) -> np.ndarray:
        n = next(len(a) for a, part in zip(arrays, parts, strict=True) if is_tensor(part))
        return np.concatenate([np.broadcast_to(a, (n, *a.shape[1:])) for a in arrays], axis=axis)

    return host(f, join, parts, replaced(first.shape, axis, sum(part.shape[axis] for part in parts)))


def append(f: Any, x1: Any, x2: Any, axis: Any = None) -> Any:
    """concatenate of two."""
    return concatenate(f, [x1, x2], axis)


def stack(f: Any, x: Any, axis: int = 0) -> Any:
    """`x`, tensors and constants of one shape, along a new `axis`."""
    if not isinstance(x, (list, tuple)) or not x:
        raise TypeError(must("x", "be a list of tensors", x))
    parts = [constant("x", item) for item in x]
    axis = one_axis(axis, len(parts[0].shape) + 1)
    rows = [expand_dims(f, part, axis) if is_tensor(part) else np.expand_dims(part, axis) for part in parts]
    return concatenate(f, rows, axis)


def pad(f: Any, x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """Each axis longer by its pair of `pad_width`. UnsupportedLayerError for the batch, ValueError for other modes."""
    given = constant_array("pad_width", pad_width, "iu", "hold integers")
    try:
        widths = np.broadcast_to(given, (len(x.shape), 2)).tolist()
    except ValueError:
        words = f"be {len(x.shape)} pairs (before, after), or what NumPy broadcasts to that"
        raise ValueError(must("pad_width", words, pad_width)) from None
    widths = [arguments.integer_list("pad_width", pair, 0) for pair in widths]
    if widths[0] != [0, 0]:
        raise refused_for_batch("Padding")
    word: Any = arguments.choice("mode", mode, _PAD_MODES, True)
    if word == "constant":
        value = constant("constant_values", 0 if constant_values is None else constant_values)
        if is_tensor(value) or value.size != 1:
            raise TypeError(must("constant_values", "be a number", constant_values))
        return f.pad(x, tuple(tuple(w) for w in widths), value=value.item())
    if constant_values is not None:
        raise ValueError(must("constant_values", "be None unless `mode` is 'constant'", constant_values))
    shape = [n if n is None else n + sum(w) for n, w in zip(x.shape, widths, strict=True)]
    sizes = arguments.result_shape((None, *shape[1:]))
    changes = [
        (axis, partial(np.pad, pad_width=w, mode=word), int(sizes[axis] or 0))
        for axis, w in enumerate(widths)
        if w != [0, 0]
    ]
    made = _along_axes(f, x, changes) if word in _PAD_BY_PLACES else None
    return host(f, lambda a: np.pad(a, widths, mode=word), [x], shape) if made is None else made


def _along_axes(f: Any, x: Any, changes: Sequence[tuple[int, Callable[..., Any], int]]) -> Any | None:
    """at_places for each of (axis, made, size) in turn; None where one is None."""
    for axis, made, size in changes:
        x = at_places(f, x, axis, made, size)
        if x is None:
            return None
    return x


def roll(f: Any, x: Any, shift: Any, axis: Any = None) -> Any:
    """Entries moved by `shift` along `axis`, round the end. UnsupportedLayerError for the batch."""
    rank, most = len(x.shape), arguments.LARGEST_STEP
    axes = [0] if axis is None else axis_list("axis", axis, rank)
    shifts = arguments.integer_list("shift", shift, -most, most)
    if 0 in axes:
        raise refused_for_batch("Rolling")
    if len(axes) != 1 and len(shifts) not in (1, len(axes)):
        raise ValueError(must("shift", "be an integer or one for each of `axis`", shift))
    return host(f, lambda a: np.roll(a, shifts, axes), [x], x.shape)


def tile(f: Any, x: Any, repeats: Any) -> Any:
    """Each axis `repeats` times as long. UnsupportedLayerError for the batch and for new axes."""
    counts, rank = arguments.integer_list("repeats", repeats, 1), len(x.shape)
    counts = [1] * (rank - len(counts)) + counts
    if counts[0] != 1 or len(counts) != rank:
        raise refused_for_batch("Tiling")
    shape = (None, *(n * r for n, r in zip(x.shape[1:], counts[1:], strict=True)))
    arguments.result_shape(shape)
    spread = _spread(f, x, [r if n == 1 else 1 for n, r in zip(x.shape, counts, strict=True)])
    changes = [
        (axis, partial(np.tile, reps=r), shape[axis])
        for axis, r in enumerate(counts)
        if axis and r > 1 and x.shape[axis] > 1
    ]
    made = None if spread is None else _along_axes(f, spread, changes)
    return host(f, lambda a: np.tile(a, counts), [x], shape) if made is None else made


def _spread(f: Any, x: Any, sizes: Sequence[int]) -> Any | None:
    """`x` with its axes of one entry as long as `sizes`, 1 for all others, say; None where these make too many."""
    if math.prod(sizes) > _MOST_SPREAD:
        return None
    return x if set(sizes) == {1} else f.multiply(x, np.ones(sizes, np.float32))


def broadcast_to(f: Any, x: Any, shape: Any) -> Any:
    """`shape` starts with the batch, whatever it says of that."""
    listed = list(shape) if arguments.is_listed(shape) else [shape]
    sizes = arguments.integer_list("shape", listed[1:], 1)
    if len(listed) != len(x.shape):
        raise UnsupportedLayerError(
            f"Operation 'broadcast_to' keeps the {len(x.shape)} axes here. Received: shape={shown(shape)}."
        )
    if any(n not in (1, size) for n, size in zip(x.shape[1:], sizes, strict=True)):
        raise ValueError(must("shape", f"be one that {tuple(x.shape)} is broadcast to", shape))
    arguments.result_shape((None, *sizes))
    made = _spread(f, x, [1, *(size if n == 1 else 1 for n, size in zip(x.shape[1:], sizes, strict=True))])
    return (
        host(f, lambda a: np.broadcast_to(a, (len(a), *sizes)), [x], (None, *sizes)) if made is None else made
    )


def repeat(f: Any, x: Any, repeats: Any, axis: Any = None) -> Any:
    """Each entry of `axis` as often as `repeats` says, one number or one for each."""
    number = one_axis(axis, len(x.shape))
    counts, n = arguments.integer_list("repeats", repeats, 0), x.shape[number]
    if len(counts) not in (1, n):
        raise ValueError(must("repeats", f"be 1 or {n} integers", repeats))
    size = n * counts[0] if len(counts) == 1 else sum(counts)
    made = at_places(f, x, number, partial(np.repeat, repeats=counts), size) if size else None
    if made is not None:
        return made
    return host(f, lambda a: np.repeat(a, counts, number), [x], replaced(x.shape, number, size))


def flip(f: Any, x: Any, axis: Any = None) -> Any:
    """Backwards along `axis`, an int or several."""
    axes = axis_numbers(axis, len(x.shape))
    return host(f, lambda a: np.flip(a, axes), [x], x.shape)


def rot90(f: Any, array: Any, k: Any = 1, axes: Any = (0, 1)) -> Any:
    """`k` quarter turns from the first of `axes` to the second. UnsupportedLayerError where one is the batch."""
    turns = arguments.integer("k", k, low=None) % 4
    pair = axis_list("axes", axes, len(array.shape))
    if len(set(pair)) != 2 or len(pair) != 2:
        raise ValueError(must("axes", "be two different axes", axes))
    if 0 in pair:
        raise refused_for_batch("Rotating")
    shape = list(array.shape)
    if turns % 2:
        shape[pair[0]], shape[pair[1]] = shape[pair[1]], shape[pair[0]]
    return host(f, lambda a: np.rot90(a, turns, (pair[0], pair[1])), [array], shape)


def triangle(function: Callable[..., Any]) -> Callable[..., Any]:
    """np.tril or np.triu of the last two axes."""

    def lower(f: Any, x: Any, k: Any = 0) -> Any:
        most = arguments.LARGEST_SIZE
        diagonal = arguments.integer("k", k, -most, most)
        if len(x.shape) < 3:
            raise mixing(function.__name__)
        return host(f, lambda a: function(a, diagonal), [x], x.shape)

    return lower
