"""Products among the operations of `keras.ops`: matmul, dot, tensordot, einsum, attention, image by image."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import arguments, shapes
from ...arguments import must, shown
from ...errors import UnsupportedLayerError
from .operands import (
    axis_list,
    check_broadcast,
    constant,
    constants,
    host,
    is_by_image,
    is_tensor,
    mixing,
)

_MOST_PRODUCTS = 1 << 40
_UNSEEN = np.finfo(np.float32).min * np.float32(0.7)  # Keras's logits of what a mask hides
_TERM = r"[A-Za-z]*(?:\.{3}[A-Za-z]*)?"
_WRITTEN = re.compile(rf"({_TERM}(?:,{_TERM})*)->({_TERM})")


def matmul(f: Any, x1: Any, x2: Any) -> Any:
    a, b = constants(x1=x1, x2=x2)
    if not is_tensor(b):
        return f.dense(a, b)
    if not is_tensor(a) or len(a.shape) != len(b.shape) or len(a.shape) < 3:
        raise mixing("matmul")
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(
            "`x1` must have as many columns as `x2` has rows. "
            f"Received: shapes {tuple(a.shape)} and {tuple(b.shape)}."
        )
    between = shapes.broadcast([a.shape[1:-2], b.shape[1:-2]])
    return host(f, np.matmul, [a, b], (None, *between, a.shape[-2], b.shape[-1]))


def dot(f: Any, x1: Any, x2: Any) -> Any:
    return _last_axis_with(f, x1, x2, 2)


def inner(f: Any, x1: Any, x2: Any) -> Any:
    return _last_axis_with(f, x1, x2, 1)


def _last_axis_with(f: Any, x1: Any, x2: Any, from_end: int) -> Any:
    """The product over the last axis of `x1` and that of `x2` which is `from_end` from its end, if it has so many."""
    a, b = constants(x1=x1, x2=x2)
    if 0 in (len(a.shape), len(b.shape)):
        return f.multiply(a, b)
    return tensordot(f, a, b, [[-1], [-min(from_end, len(b.shape))]])


def tensordot(f: Any, x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Of a tensor and a constant: a dense layer over the axes that are summed."""
    x, kernel = constants(x1=x1, x2=x2)
    pairs = _summed_axes(axes, len(x.shape), len(kernel.shape))
    if not is_tensor(x) and len(pairs[0]) == len(x.shape):
        x, kernel, pairs = kernel, x, pairs[::-1]
    if not is_tensor(x) or is_tensor(kernel) or 0 in pairs[0]:
        raise mixing("tensordot")
    sizes, others = ([n.shape[i] for i in each] for n, each in zip((x, kernel), pairs, strict=True))
    if sizes != others:
        raise ValueError(
            f"`axes` must name axes of the same sizes. Received: axes={shown(axes)} for shapes {tuple(x.shape)} and "
            f"{tuple(kernel.shape)}."
        )
    return summed_product(f, x, kernel, *pairs)


def summed_product(f: Any, x: Any, kernel: np.ndarray, summed: Sequence[int], others: Sequence[int]) -> Any:
    """A dense layer over the axes `summed` of `x`, none of them the batch, which are `others` of the kernel.

    The other axes of `x` come first in the result, then those of the kernel.
    """
    pairs = ((x, summed), (kernel, others))
    kept, new = ([i for i in range(len(n.shape)) if i not in axes] for n, axes in pairs)
    shape = [*(x.shape[i] for i in kept[1:]), *(kernel.shape[i] for i in new)]
    matrix = kernel.transpose([*others, *new]).reshape(math.prod(kernel.shape[i] for i in others), -1)
    y = f.reshape(f.transpose(x, [*kept, *summed]), (-1, *(x.shape[i] for i in kept[1:]), len(matrix)))
    return f.reshape(f.dense(y, matrix), (-1, *arguments.result_shape(tuple(shape))))


def _summed_axes(axes: Any, rank: int, other: int) -> list[list[int]]:
    """The axes of both operands that tensordot sums over."""
    if not arguments.is_listed(axes):
        n = arguments.integer("axes", axes, 0)
        if n > min(rank, other):
            raise ValueError(must("axes", f"be at most {min(rank, other)}", n))
        return [list(range(rank - n, rank)), list(range(n))]
    if len(axes) == 2:
        given = zip((rank, other), axes, strict=True)
        pairs = [axis_list("axes", each, n) for n, each in given]
        if len(pairs[0]) == len(pairs[1]) and all(len(set(pair)) == len(pair) for pair in pairs):
            return pairs
    raise ValueError(must("axes", "be an integer or two lists of as many axes", axes))


def dot_product_attention(
    f: Any,
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: Any = None,
    is_causal: bool = False,
    flash_attention: Any = None,
    attn_logits_soft_cap: Any = None,
) -> Any:
    """softmax(query key^T scale + bias) value for (batch, entries, heads, depth); `scale`: 1 / sqrt(depth)."""
    if attn_logits_soft_cap is not None:
        raise UnsupportedLayerError("Attention is computed without `attn_logits_soft_cap` here.")
    query, key, value = operands = constants(query=query, key=key, value=value)
    batch = _attention_batch(*operands)
    _, entries, heads, depth = query.shape
    _, others, groups, _ = key.shape
    optional = {"bias": bias, "mask": mask}
    added = {name: constant(name, x) for name, x in optional.items() if x is not None}
    for x in added.values():
        check_broadcast(x, (batch, heads, entries, others), "dot_product_attention", "`bias` and `mask`")
    gain = depth**-0.5 if scale is None else arguments.number("scale", scale)
    causal = arguments.flag("is_causal", is_causal)

    def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        given = dict(zip(added, rest, strict=True))
        k, v = (np.repeat(a, heads // groups, axis=2) for a in (k, v))
        logits = attention_logits(q, k, gain) + given.get("bias", 0)
        seen = np.tri(entries, others, dtype=bool) if causal else np.bool_(True)
        weights = attention_weights(logits, seen & np.not_equal(given.get("mask", 1), 0))
        return weighted_values(weights, v)

    return host(f, attend, [*operands, *added.values()], (None, entries, heads, value.shape[-1]))


def attention_logits(query: np.ndarray, key: np.ndarray, gain: float) -> np.ndarray:
    """query key^T gain, (batch, heads, entries, others), of query and key (batch, entries, heads, depth)."""
    logits: np.ndarray = np.matmul(query.swapaxes(1, 2), key.transpose(0, 2, 3, 1)) * np.float32(gain)
    return logits


def weighted_values(weights: np.ndarray, value: np.ndarray) -> np.ndarray:
    """weights value, (batch, entries, heads, depth), of value (batch, others, heads, depth)."""
    return np.matmul(weights, value.swapaxes(1, 2)).swapaxes(1, 2)


def attention_weights(logits: np.ndarray, seen: Any) -> np.ndarray:
    """The softmax along the last axis. Places that are not `seen` have the weight 0, or all the same where none is."""
    if seen is not None:
        logits = np.where(seen, logits, _UNSEEN)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    made: np.ndarray = weights / weights.sum(axis=-1, keepdims=True)
    return made


def _attention_batch(query: Any, key: Any, value: Any) -> int | None:
    """The size of the batch, None among tensors. Refuses shapes that do not fit."""
    operands = (query, key, value)
    fits = all(len(x.shape) == 4 for x in operands) and key.shape[1:3] == value.shape[1:3]
    if not fits or query.shape[3] != key.shape[3] or not key.shape[2] or query.shape[2] % key.shape[2]:
        raise ValueError(
            "`query`, `key` and `value` must have shapes (batch, entries, heads, depth), of as many heads and as deep. "
            f"Received: shapes {tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}."
        )
    if not any(map(is_tensor, operands)):
        return max(len(x) for x in operands)
    if not all(map(is_by_image, operands)):
        raise mixing("dot_product_attention")
    return None


def einsum(f: Any, *operands: Any, subscripts: str, **unused: Any) -> Any:
    xs = [constant("operands", x) for x in operands]
    sizes, result = _labelled(xs, subscripts)
    shape = [sizes[label] for label in result]
    if math.prod(size for size in sizes.values() if size is not None) > _MOST_PRODUCTS:
        raise UnsupportedLayerError(
            f"Operation 'einsum' takes at most {_MOST_PRODUCTS} products for an image here. "
            f"Received: subscripts={shown(subscripts)} for shapes {[tuple(x.shape) for x in xs]}."
        )
    return host(f, lambda *arrays: np.einsum(subscripts, *arrays), xs, shape)


def _labelled(xs: Sequence[Any], subscripts: Any) -> tuple[dict[Any, Any], list[Any]]:
    """Sizes by the labels of an einsum, axes under an ellipsis labelled by their places from the end; its result's."""
    wrong = ValueError(
        "`subscripts` must label the axes of each operand and of a result, as in 'bij,bjk->bik'. "
        f"Received: subscripts={shown(subscripts)} for shapes {[tuple(x.shape) for x in xs]}."
    )
    written = _WRITTEN.fullmatch(subscripts.replace(" ", "")) if isinstance(subscripts, str) else None
    terms = written.group(1).split(",") if written else []
    if written is None or len(terms) != len(xs):
        raise wrong
    hidden = [len(x.shape) - len(term.replace("...", "")) for x, term in zip(xs, terms, strict=True)]
    labelled = [_labels(*pair) for pair in zip(terms, hidden, strict=True)]
    if any(len(labels) != len(x.shape) for x, labels in zip(xs, labelled, strict=True)):
        raise wrong
    sizes, result = _sizes_by_label(xs, labelled, wrong), _labels(written.group(2), max(hidden))
    if not set(result) <= set(sizes) or len(set(result)) != len(result):
        raise wrong
    batches = {labels[0] for x, labels in zip(xs, labelled, strict=True) if is_tensor(x)}
    if len(batches) != 1 or sizes[min(batches)] is not None or result[:1] != list(batches):
        raise mixing("einsum")
    return sizes, result


def _sizes_by_label(xs: Sequence[Any], labelled: Sequence[list[Any]], wrong: Exception) -> dict[Any, Any]:
    """The size of each label as broadcasting makes it. Raises `wrong` where two do not fit."""
    sizes: dict[Any, Any] = {}
    for x, labels in zip(xs, labelled, strict=True):
        batch = labels[0] if is_tensor(x) else None
        if batch in labels[1:]:
            raise mixing("einsum")
        for label, size in zip(labels, x.shape, strict=True):
            known = sizes.setdefault(label, size)
            if known == 1:
                sizes[label] = size
            elif size not in (known, 1) and label != batch:
                raise wrong
    return sizes


def _labels(term: str, hidden: int) -> list[Any]:
    """The labels of a term, of `hidden` axes under its ellipsis."""
    before, dots, after = term.partition("...")
    return [*before, *range(-hidden, 0), *after] if dots else list(before)
