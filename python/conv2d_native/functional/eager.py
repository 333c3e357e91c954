"""How a function of arrays runs: as a graph of one operation, traced, compiled and kept for the next call.

A prepared call belongs to a function, the sample shapes and the words. It holds private copies of its weights and
is used again only where the weights that are given are equal byte for byte, so that arrays may be changed in
place between calls. At most 16 calls are kept, none with more than 32 MiB of weights or working memory; packed weights,
up to four times a kernel, come on top, and calls are forgotten where all of them exceed 256 MiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from .. import activations, arguments
from ..graph import Traced, is_exact
from ..graph import exact as direct_sums
from ..newest import Newest

_KEPT, _KEPT_BYTES, _ALL_BYTES = 16, 32 << 20, 256 << 20
_prepared: Newest[Any, tuple[list[bytearray], Traced]] = Newest(
    _KEPT, _ALL_BYTES, lambda call: sum(map(len, call[0])) + call[1].arena_bytes + call[1].packed_bytes
)


def run(
    name: str,
    x: Any,
    weights: Mapping[str, Any],
    words: Mapping[str, Any],
    out: Any = None,
    ndim: int | None = None,
    exact: bool = False,
) -> np.ndarray:
    """GraphBuilder.`name`(x, **weights, **words) on arrays; weights that are None are left out."""
    if exact is not False and arguments.flag("exact", exact) and not is_exact():
        with direct_sums():
            return run(name, x, weights, words, out, ndim)
    x = arguments.batch("x", arguments.array("x", x, ndim))
    if not isinstance(words.get("activation"), (str, type(None))):
        words = {**words, "activation": activations.get(words["activation"])}
    given = {key: arguments.array(key, value) for key, value in weights.items() if value is not None}
    key, traced = _trace(name, x.shape[1:], given, words)
    try:
        return _run(traced, x, given, out)
    finally:
        if traced.arena_bytes > _KEPT_BYTES:
            _prepared.pop(key, None)


def _run(traced: Traced, x: np.ndarray, weights: Mapping[str, np.ndarray], out: Any) -> np.ndarray:
    if out is None:
        return traced.run([x])[0]
    target = arguments.out_array(out, (len(x), *traced.outputs[0].shape[1:]))
    if any(np.may_share_memory(target, array) for array in (x, *weights.values())):
        target[...] = traced.run([x])[0]
    elif len(x):
        traced.run([x], [target])
    return target


def _trace(
    name: str, sample: Any, weights: dict[str, np.ndarray], words: Mapping[str, Any]
) -> tuple[Any, Traced]:
    key = (
        name,
        sample,
        tuple((word, array.shape) for word, array in weights.items()),
        _frozen(list(words.values())),
    )
    kept = _prepared.get(key)
    # A bytearray compares itself with any buffer at the speed of memcmp.
    if kept is not None and all(a == b.data for a, b in zip(kept[0], weights.values(), strict=True)):
        return key, kept[1]
    keep = all(array.size for array in weights.values())
    keep = keep and sum(array.nbytes for array in weights.values()) <= _KEPT_BYTES
    copies: list[bytearray] = []
    if keep:
        copies = [bytearray(array.data) for array in weights.values()]
        views = zip(weights.items(), copies, strict=True)
        weights = {word: np.frombuffer(c, np.float32).reshape(array.shape) for (word, array), c in views}
    traced = Traced(lambda f, x: getattr(f, name)(x, **weights, **words), 0, [(None, *sample)])
    if keep:
        _prepared[key] = copies, traced
    return key, traced


def _frozen(value: Any) -> Any:
    """A hashable stand-in that tells apart what the checks of arguments tell apart (1, True, 1.0)."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, (str, int, float, np.generic)):
        return (type(value), value)
    if isinstance(value, (list, tuple)):
        return (type(value), *(_frozen(item) for item in value))
    if type(value) is np.ndarray:
        return (np.ndarray, value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, activations.Activation):
        with suppress(TypeError):  # of a function without a hash
            hash(value)
            return value
    return object()  # equal to nothing
