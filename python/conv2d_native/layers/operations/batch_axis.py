"""Operations of a whole batch of known size, in which the batch is an axis like any other.

What the table refuses along that axis, it computes of one image (1, n, ...) in place of the batch (n, ...), with axes
counted from one further: that is what Keras makes of the batch.
"""

from __future__ import annotations

import inspect
import math
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ... import arguments
from ...errors import BatchAxisError
from ...structure import map_structure
from .operands import constant, is_tensor

_OPERANDS = ("condition", "x1", "x2")  # of operations that broadcast them
_LISTS = {"Concatenate": "xs", "Stack": "x"}  # of operands
_OTHER_RULES = ("Append", "Dot", "DotProductAttention", "Inner", "IsIn", "Tensordot")
_FIRST_SIZE_COUNTS = ("BroadcastTo", "Repeat", "Slice", "Squeeze", "Tile")  # the table does not look at it


def of_batch(f: Any, class_name: str, lower: Callable[..., Any], args: Any, settings: Any) -> Any:
    """What Keras's operation `class_name`, whose row has `lower`, makes of tensors in a graph of a whole batch.

    Raises BatchAxisError where that is not computed, and where no axis is left.
    """
    words = inspect.signature(lower).bind(f, *args, **settings)
    words.apply_defaults()
    given = {word: value for word, value in words.arguments.items() if word != "f"}
    if class_name == "Reshape":
        return _reshaped(f, **given)
    operands = _joined_operands(class_name, given)
    if class_name not in _FIRST_SIZE_COUNTS and _share_first_axis(operands):
        try:
            return lower(f, *args, **settings)
        except BatchAxisError:
            if class_name in _OTHER_RULES:
                raise
    rank = len(given["shape"]) if class_name == "BroadcastTo" else _most_axes(operands)
    words.arguments.update(_of_one_image(f, class_name, given, rank))

    def as_batch(y: Any) -> Any:
        if y.rank == 1:
            raise BatchAxisError(f"Operation '{class_name}' leaves no axis: this is not computed here.")
        return f.reshape(y, (None, *y.shape[2:]))

    return map_structure(as_batch, lower(*words.args, **words.kwargs))


def _joined_operands(class_name: str, given: dict[str, Any]) -> Sequence[Any]:
    """Those of `given` that are broadcast or listed together; constants that are broadcast become arrays there."""
    if {"x1", "x2"} <= given.keys() and class_name not in _OTHER_RULES:
        given.update((word, constant(word, given[word])) for word in _OPERANDS if word in given)
        return [given[word] for word in _OPERANDS if word in given]
    return given.get(_LISTS.get(class_name, ""), [])


def _of_one_image(f: Any, class_name: str, given: Mapping[str, Any], rank: int) -> dict[str, Any]:
    """The arguments `given` for a batch as those for one image with an axis more, operands brought to `rank` axes."""

    def as_image(x: Any) -> Any:
        if is_tensor(x):
            return f.reshape(x, (None, *[1] * (rank - x.rank), *x.batch_shape))
        is_whole = isinstance(x, np.ndarray) and x.ndim == rank and not (class_name == "Matmul" and rank == 2)
        return x[None] if is_whole else x

    made = {}
    for word, value in given.items():
        change = _CHANGES.get((class_name, word)) or _CHANGES.get(word)
        made[word] = map_structure(as_image, value) if change is None else change(value, given.get("x"))
    if class_name == "Einsum":
        made["subscripts"] = _with_new_label(given["subscripts"], given["operands"])
    return made


def _most_axes(operands: Sequence[Any]) -> int:
    return max((len(x.shape) for x in operands), default=0)


def _share_first_axis(operands: Sequence[Any]) -> bool:
    """Whether broadcasting leaves the first axis of all tensors where it is, and it is one."""
    tensors = [x for x in operands if is_tensor(x)]
    rank = _most_axes(operands)
    constants = [x for x in operands if not is_tensor(x)]
    return (
        len({x.batch_shape[0] for x in tensors}) <= 1
        and all(x.rank == rank for x in tensors)
        and all(len(x.shape) < rank or x.shape[0] == 1 for x in constants)
    )


def _reshaped(f: Any, x: Any, newshape: Any) -> Any:
    """Any shape of as many entries. None, a size that the batch decides, is as -1; beside -1 it is the batch itself."""
    sizes = list(newshape) if arguments.is_listed(newshape) else [newshape]
    entries = math.prod(x.batch_shape)
    if sizes[:1] == [None] and -1 in sizes:
        if x.batch_shape[0] != f.batch:
            raise BatchAxisError(
                "A first size that is not known may be the number of images or that of tensors made of them. "
                f"Received: newshape={arguments.shown(newshape)} for a tensor of shape {x.batch_shape}."
            )
        sizes[0] = f.batch
    sizes = [-1 if n is None else arguments.integer("newshape", n, low=None) for n in sizes]
    known = math.prod(n for n in sizes if n != -1)
    if -1 in sizes and known > 0 and entries % known == 0:
        sizes[sizes.index(-1)] = entries // known
    if not sizes or min(sizes) < 1 or math.prod(sizes) != entries:
        words = f"hold the {entries} entries of a tensor of shape {x.batch_shape}, its batch included"
        raise ValueError(arguments.must("newshape", words, newshape))
    return f.reshape(x, (None, *sizes[1:]))


def _with_new_label(subscripts: str, operands: Sequence[Any]) -> str:
    """The subscripts of an einsum with one more label, first in tensors and in the result."""
    label = next(letter for letter in string.ascii_letters if letter not in subscripts)
    terms, _, result = subscripts.replace(" ", "").partition("->")
    pairs = zip(terms.split(","), operands, strict=True)
    return ",".join(label + term if is_tensor(x) else term for term, x in pairs) + "->" + label + result


def _axes_after(axes: Any, x: Any) -> Any:
    """Those that are counted from the front are one further."""
    return map_structure(lambda axis: axis if axis is None or axis < 0 else axis + 1, axes)


def _order_after(axes: Any, x: Any) -> list[int]:
    return [0, *(range(x.rank, 0, -1) if axes is None else _axes_after(axes, x))]


def _after(first: Any) -> Callable[[Any, Any], list[Any]]:
    """`first`, and then one entry or several."""
    return lambda sizes, x: [first, *(sizes if arguments.is_listed(sizes) else [sizes])]


def _sizes_after(first: Any) -> Callable[[Any, Any], list[Any]]:
    """`first`, and then sizes, of which None is the number of images."""

    def change(sizes: Any, x: Any) -> list[Any]:
        return [x.builder.batch if n is None and at else n for at, n in enumerate(_after(first)(sizes, x))]

    return change


_CHANGES: dict[Any, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("axis", "axes", "axis1", "axis2", "source", "destination"), _axes_after),
    ("Transpose", "axes"): _order_after,
    ("GetItem", "key"): _after(slice(None)),
    "start_indices": _after(0),
    ("BroadcastTo", "shape"): _sizes_after(None),
    ("Repeat", "repeats"): lambda repeats, x: x.builder.batch if repeats is None else repeats,
    ("Slice", "shape"): _after(-1),
    ("Tile", "repeats"): _sizes_after(1),
    "pad_width": lambda widths, x: [[0, 0], *np.broadcast_to(widths, (x.rank, 2)).tolist()],
}
