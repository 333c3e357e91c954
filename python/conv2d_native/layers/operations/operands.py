"""Operands of the operations of `keras.ops`: tensors, constants, axes, and NumPy steps on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import arguments, shapes
from ...arguments import must
from ...errors import BatchAxisError


def is_tensor(value: Any) -> bool:
    return hasattr(value, "shape") and not isinstance(value, (np.ndarray, np.generic))


def constant(name: str, value: Any) -> Any:
    """A tensor as it is; real numbers, bools among them, as an array of float32."""
    if is_tensor(value):
        return value
    if type(value) is int:
        value = arguments.number(name, value)
    made = constant_array(name, value, "biuf", "be a tensor, a number or an array of numbers")
    with np.errstate(over="ignore"):
        return made.astype(np.float32)


def constants(**values: Any) -> list[Any]:
    """constant(name, value) of each."""
    return [constant(name, value) for name, value in values.items()]


def constant_array(name: str, value: Any, kinds: str, words: str) -> np.ndarray:
    """An array whose dtype is of NumPy's `kinds`. Raises TypeError that says in `words` what `name` must do."""
    try:
        made = np.asarray(value)
    except ValueError:
        made = None
    if made is None or made.dtype.kind not in kinds:
        raise TypeError(must(name, words, value))
    return made


def axis_list(name: str, value: Any, rank: int) -> list[int]:
    """One axis or several of an array of `rank` axes as numbers from 0, in the order given."""
    return [arguments.axis(name, axis, rank) for axis in arguments.integer_list(name, value)]


def axis_numbers(axis: Any, rank: int) -> tuple[int, ...]:
    """Axes of an image as rising numbers from 1; None stands for all, the batch included."""
    made = tuple(range(rank) if axis is None else sorted(axis_list("axis", axis, rank)))
    if len(set(made)) != len(made):
        raise ValueError(must("axis", "name different axes", axis))
    if 0 in made:
        raise refused_for_batch("An operation over")
    return made


def one_axis(axis: Any, rank: int) -> int:
    """One axis of an image as a number from 1."""
    return axis_numbers(None if axis is None else arguments.axis("axis", axis, rank), rank)[0]


def mixing(name: str) -> BatchAxisError:
    """The error of an operation whose result for an image depends on the others of its batch."""
    return BatchAxisError(f"Operation '{name}' mixes the images of a batch: this is not computed here.")


def refused_for_batch(doing: str) -> BatchAxisError:
    """The error of `doing` something to the axis of the batch."""
    return BatchAxisError(f"{doing} the batch axis is not computed here.")


def is_by_image(x: Any) -> bool:
    """Whether the first axis of `x` is the batch: that of tensors is, that of constants where it has one entry."""
    return is_tensor(x) or x.shape[:1] == (1,)


def _mixes_images(x: Any, rank: int) -> bool:
    """Whether broadcasting `x` to `rank` axes brings another axis than its batch to the first place."""
    return len(x.shape) < rank if is_tensor(x) else len(x.shape) == rank and not is_by_image(x)


def broadcast(operands: Sequence[Any], name: str) -> shapes.Shape:
    """The shape of NumPy broadcasting, the images of a batch kept apart."""
    made = shapes.broadcast([tuple(x.shape) for x in operands])
    if any(_mixes_images(x, len(made)) for x in operands):
        raise mixing(name)
    return (None, *made[1:])


def check_broadcast(x: Any, shape: Sequence[Any], name: str, words: str) -> None:
    """Refuse an operand of operation `name` that is not broadcast to `shape`; `words` name it in the message.

    The batch is None among tensors.
    """
    if shape[0] is None and _mixes_images(x, len(shape)):
        raise mixing(name)
    sizes = zip(x.shape[::-1], shape[::-1], strict=False)
    if len(x.shape) > len(shape) or any(n not in (1, size) for n, size in sizes if size is not None):
        raise ValueError(f"{words} must be broadcast to {tuple(shape)}. Received: shape {tuple(x.shape)}.")


def reduced(shape: Sequence[Any], axes: Sequence[int], keepdims: Any) -> list[Any]:
    """`shape` without `axes`, or with 1 in their places."""
    return [1 if i in axes else n for i, n in enumerate(shape) if keepdims or i not in axes]


def replaced(shape: Sequence[Any], axis: int, *sizes: Any) -> tuple[Any, ...]:
    """`shape` with `sizes` in place of the one of `axis`."""
    return (*shape[:axis], *sizes, *shape[axis + 1 :])


def host(
    f: Any,
    function: Callable[..., Any],
    operands: Sequence[Any],
    shape: Sequence[Any],
    whole_batch: bool = False,
) -> Any:
    """A NumPy step on tensors and constants that makes `shape`, whose first entry, the batch, is not looked at.

    whole_batch: as for f.apply.
    """
    made = arguments.result_shape((None, *shape[1:]))
    if 0 in made:
        raise ValueError(f"Computed output size would be zero. Received: a result of shape {made}.")
    tensors = [x for x in operands if is_tensor(x)]
    if len(tensors) in (0, len(operands)):
        return f.apply(function, list(operands), made, whole_batch=whole_batch)
    known = [None if is_tensor(x) else x for x in operands]

    def compute(*arrays: np.ndarray) -> Any:
        rest = iter(arrays)
        return function(*(next(rest) if value is None else value for value in known))

    return f.apply(compute, tensors, made, whole_batch=whole_batch)
