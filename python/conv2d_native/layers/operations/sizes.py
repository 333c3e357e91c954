"""Sizes in Keras 2 files: what tf.shape says of a tensor, and what is computed from it, are numbers at opening.

The batch is None. Images of any size have no such numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from ...arguments import must
from ...errors import UnsupportedLayerError
from ..symbolic import KerasTensor, NodeLayer

SHAPE_FUNCTIONS = ("compat.v1.shape", "shape", "shape_v2")
_MOST_SIZES = 64
_LARGEST_SIZE = 2**53


def known_sizes(place: str, x: KerasTensor, axes: Iterable[int]) -> list[int]:
    """The sizes of `x` along `axes`. Raises UnsupportedLayerError, which says `place`, where one is not known."""
    sizes = [x.shape[axis] for axis in axes]
    if None in sizes:
        raise UnsupportedLayerError(
            f"{place} computes with the shape {x.shape}: sizes of images are numbers here. Save the model with an "
            "Input of one size."
        )
    return [int(size) for size in sizes if size is not None]


class ShapeFunction(NodeLayer):
    """tf.shape, as a layer of a file."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, input: Any, **words: Any) -> tuple[int | None, ...]:
        """The shape of a symbolic tensor. Raises UnsupportedLayerError where a size but the batch is not known."""
        if not isinstance(input, KerasTensor):
            raise TypeError(must("input", "be one tensor", input))
        return (input.shape[0], *known_sizes(f"Layer {self.name[:100]!r}", input, range(1, len(input.shape))))


def _checked(size: Any) -> Any:
    """A size, or None for the batch. Raises TypeError for anything else."""
    if size is not None and not (isinstance(size, (int, float)) and abs(size) <= _LARGEST_SIZE):
        raise TypeError(must("size", f"be a number up to {_LARGEST_SIZE}", size))
    return size


def _each(compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`compute` on numbers or sequences of them; nothing is known of what the batch is part of."""

    def computed(x1: Any, x2: Any) -> Any:
        if isinstance(x1, (list, tuple)) or isinstance(x2, (list, tuple)):
            count = len(x1 if isinstance(x1, (list, tuple)) else x2)
            a, b = (x if isinstance(x, (list, tuple)) else [x] * count for x in (x1, x2))
            if len(a) != len(b):
                raise ValueError(must("x2", f"be one size or {len(a)}", x2))
            return [*map(computed, a, b)]
        return None if x1 is None or x2 is None else compute(_checked(x1), _checked(x2))

    return computed


def _chosen(condition: Any, x1: Any, x2: Any) -> Any:
    """Each from `x1` or `x2`; what the batch decides must be the batch, or 1 for a tensor that has it already."""
    if not isinstance(condition, (list, tuple)):
        condition, x1, x2 = [condition], [x1], [x2]
    if any(truth is None is not first for truth, first in zip(condition, x1, strict=True)):
        raise UnsupportedLayerError("Sizes are not chosen by the number of images here.")
    return [b if truth == 0 else a for truth, a, b in zip(condition, x1, x2, strict=True)]


def _item(x: Any, key: Any) -> Any:
    return x[key[0] if isinstance(key, (list, tuple)) and len(key) == 1 else key]


OF_SIZES: dict[str, Callable[..., Any]] = {
    "Add": _each(operator.add),
    "Cast": lambda x, dtype=None: x,
    "Concatenate": lambda xs, axis=0: [*chain(*xs)],
    "Copy": lambda x: x,
    "FloorDivide": _each(operator.floordiv),
    "GetItem": _item,
    "Greater": _each(operator.gt),
    "Maximum": _each(max),
    "Minimum": _each(min),
    "Mod": _each(operator.mod),
    "Multiply": _each(operator.mul),
    "OnesLike": lambda x: [1] * len(x),
    "Stack": lambda x, axis=0: [*x],
    "Subtract": _each(operator.sub),
    "TrueDivide": _each(operator.truediv),
    "Unstack": lambda x, num=None, axis=0: [*x],
    "Where": _chosen,
}


def computed_sizes(class_name: str, args: Any, words: dict[str, Any]) -> Any:
    """What an operation of OF_SIZES makes of sizes, a list of each for Unstack. Raises TypeError for what are none."""
    made = OF_SIZES[class_name](*args, **words)
    if isinstance(made, (list, tuple)):
        if len(made) > _MOST_SIZES:
            raise TypeError(must("sizes", f"be up to {_MOST_SIZES} numbers", made))
        return (list if class_name == "Unstack" else tuple)(map(_checked, made))
    return _checked(made)
