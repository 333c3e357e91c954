"""Constants that a Keras 2 file computes from sizes: tf.ones, tf.range, tf.tile of a grid to the batch of a tensor.

They are arrays. The batch, None among sizes, becomes one entry: what meets a tensor is spread over its images.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import arguments
from ...arguments import must
from ...errors import UnsupportedLayerError
from ..symbolic import NodeLayer

_MOST_ENTRIES = 2**18  # of one that is spread, which takes no memory before it is computed with
_MOST_COMPUTED = 4096


def _sizes(word: str, given: Any) -> list[int]:
    """Sizes as numbers, 1 for the batch. Raises UnsupportedLayerError where they are too many entries."""
    listed = given if arguments.is_listed(given) else [given]
    sizes = [1 if n is None else arguments.integer(word, n) for n in listed]
    if math.prod(sizes) > _MOST_ENTRIES:
        raise UnsupportedLayerError(
            f"Constants of more than {_MOST_ENTRIES:,} entries are not computed here: {word}={sizes}."
        )
    return sizes


def _filled(value: Any, sizes: Any, word: str) -> np.ndarray:
    return np.broadcast_to(np.float32(arguments.number("value", value)), _sizes(word, sizes))


def _range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None) -> np.ndarray:
    if limit is None:
        start, limit = 0, start
    start, limit, delta = (
        arguments.number(word, n) for word, n in (("start", start), ("limit", limit), ("delta", delta))
    )
    if delta == 0 or (limit - start) / delta > _MOST_COMPUTED:
        raise ValueError(must("delta", f"make at most {_MOST_COMPUTED} steps", delta))
    return np.arange(start, limit, delta).astype(np.float32)


def _line(start: Any, stop: Any, num: Any, axis: Any = 0) -> np.ndarray:
    first, last = arguments.number("start", start), arguments.number("stop", stop)
    return np.linspace(first, last, arguments.integer("num", num, 1, _MOST_COMPUTED), dtype=np.float32)


_FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "fill": lambda dims, value, layout=None: _filled(value, dims, "dims"),
    "linspace": _line,
    "ones": lambda shape, dtype=None, layout=None: _filled(1, shape, "shape"),
    "range": _range,
    "zeros": lambda shape, dtype=None, layout=None: _filled(0, shape, "shape"),
}
CONSTANT_FUNCTIONS = {*_FUNCTIONS, *(f"compat.v1.{name}" for name in _FUNCTIONS)}


class ConstantFunction(NodeLayer):
    """tf.ones, tf.zeros, tf.fill, tf.range or tf.linspace, as a layer of a file."""

    def __init__(self, name: str, function: str) -> None:
        self.name, self.make = name, _FUNCTIONS[function.removeprefix("compat.v1.")]

    def __call__(self, *args: Any, name: Any = None, **words: Any) -> np.ndarray:
        """The array of those sizes."""
        return self.make(*args, **words)


def _tiled(x: np.ndarray, repeats: Any) -> np.ndarray:
    counts = _sizes("repeats", repeats)
    if len(counts) != x.ndim or any(n != 1 != count for n, count in zip(x.shape, counts, strict=True)):
        raise UnsupportedLayerError(
            f"Constants are tiled along axes of one entry here. Received: repeats={counts}, shape {x.shape}."
        )
    sizes = [n * count for n, count in zip(x.shape, counts, strict=True)]
    return np.broadcast_to(x, _sizes("repeats", sizes))


def _item(x: np.ndarray, key: Any) -> Any:
    keys = key if isinstance(key, (list, tuple)) else [key]
    if not all(k is None or k is Ellipsis or isinstance(k, (int, slice)) for k in keys):
        raise UnsupportedLayerError(f"Constants are not indexed with {arguments.shown(key)} here.")
    return x[tuple(keys)]


def _each(compute: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def computed(x1: Any, x2: Any) -> np.ndarray:
        a, b = (np.asarray(x, np.float32) for x in (x1, x2))
        if math.prod(np.broadcast_shapes(a.shape, b.shape)) > _MOST_COMPUTED:
            raise UnsupportedLayerError(
                f"Constants of more than {_MOST_COMPUTED} entries are not added here."
            )
        return np.asarray(compute(a, b), np.float32)

    return computed


_OF_ARRAYS: dict[str, Callable[..., Any]] = {
    "Add": _each(operator.add),
    "BroadcastTo": lambda x, shape: np.broadcast_to(x, _sizes("shape", shape)),
    "Cast": lambda x, dtype=None: x if str(dtype).startswith("float") else np.trunc(x),
    "Copy": lambda x: x,
    "ExpandDims": lambda x, axis: np.expand_dims(x, axis),
    "GetItem": _item,
    "Multiply": _each(operator.mul),
    "Reshape": lambda x, newshape: x.reshape([1 if n is None else n for n in newshape]),
    "Subtract": _each(operator.sub),
    "Tile": _tiled,
    "TrueDivide": _each(operator.truediv),
}
_ALWAYS = ("BroadcastTo", "Tile")  # not of sizes


def is_of_arrays(class_name: str, args: Any) -> bool:
    """Whether the operation is one of constants: those alone that are arrays, or lists that are to be spread."""
    return class_name in _ALWAYS or (
        class_name in _OF_ARRAYS and any(isinstance(value, np.ndarray) for value in args)
    )


def computed_array(class_name: str, args: Any, words: dict[str, Any]) -> Any:
    """What an operation makes of constants."""
    first, *rest = args
    made = first if isinstance(first, np.ndarray) else np.asarray(first, np.float32)
    return _OF_ARRAYS[class_name](made, *rest, **words)
