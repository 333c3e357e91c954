"""Products among the operations of `keras.ops`: matmul, dot, tensordot, einsum, attention, image by image.

Functions of `f`, the interpreter, and of tensors whose first axis is the batch. What would mix the images of a batch
is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import arguments, shapes
from ..arguments import shown
from ..errors import UnsupportedLayerError
from .array_operations import axis_list, constant, host, is_listed, is_tensor, mixing

_MOST_PRODUCTS = 1 << 40
_TERM = r"[A-Za-z]*(?:\.{3}[A-Za-z]*)?"
_WRITTEN = re.compile(rf"({_TERM}(?:,{_TERM})*)->({_TERM})")


def matmul(f: Any, x1: Any, x2: Any) -> Any:
    a, b = constant("x1", x1), constant("x2", x2)
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
    a, b = constant("x1", x1), constant("x2", x2)
    if 0 in (len(a.shape), len(b.shape)):
        return f.multiply(a, b)
    return tensordot(f, a, b, [[-1], [-min(2, len(b.shape))]])


def inner(f: Any, x1: Any, x2: Any) -> Any:
    a, b = constant("x1", x1), constant("x2", x2)
    if 0 in (len(a.shape), len(b.shape)):
        return f.multiply(a, b)
    return tensordot(f, a, b, [[-1], [-1]])


def tensordot(f: Any, x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Of a tensor and a constant: a dense layer over the axes that are summed."""
    x, kernel = constant("x1", x1), constant("x2", x2)
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
    kept, new = (
        [i for i in range(len(n.shape)) if i not in p] for n, p in zip((x, kernel), pairs, strict=True)
    )
    shape = [*(x.shape[i] for i in kept[1:]), *(kernel.shape[i] for i in new)]
    matrix = kernel.transpose([*pairs[1], *new]).reshape(math.prod(sizes), -1)
    y = f.reshape(f.transpose(x, [*kept, *pairs[0]]), (-1, *(x.shape[i] for i in kept[1:]), len(matrix)))
    return f.reshape(f.dense(y, matrix), (-1, *arguments.result_shape(tuple(shape))))


def _summed_axes(axes: Any, rank: int, other: int) -> list[list[int]]:
    """The axes of both operands that tensordot sums over."""
    if not is_listed(axes):
        n = arguments.integer("axes", axes, 0)
        if n > min(rank, other):
            raise ValueError(f"`axes` must be at most {min(rank, other)}. Received: axes={n}.")
        return [list(range(rank - n, rank)), list(range(n))]
    if len(axes) == 2:
        given = zip((rank, other), axes, strict=True)
        pairs = [axis_list("axes", each, n) for n, each in given]
        if len(pairs[0]) == len(pairs[1]) and all(len(set(pair)) == len(pair) for pair in pairs):
            return pairs
    raise ValueError(f"`axes` must be an integer or two lists of as many axes. Received: axes={shown(axes)}.")


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
    query, key, value = (constant(*p) for p in (("query", query), ("key", key), ("value", value)))
    _, entries, heads, depth = query.shape if len(query.shape) == 4 else (0, 0, 0, 0)
    _, others, groups, _ = key.shape if len(key.shape) == 4 else (0, 0, 0, 0)
    fits = groups and heads % groups == 0 and tuple(key.shape[1:]) == (others, groups, depth)
    if not fits or tuple(value.shape[1:-1]) != (others, groups):
        raise ValueError(
            "`query`, `key` and `value` must have shapes (batch, entries, heads, depth), of as many heads and as deep. "
            f"Received: shapes {tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}."
        )
    if any(not is_tensor(x) and x.shape[:1] != (1,) for x in (query, key, value)):
        raise mixing("dot_product_attention")
    gain = depth**-0.5 if scale is None else arguments.number("scale", scale)
    causal = arguments.flag("is_causal", is_causal)
    added = [constant(*pair) for pair in (("bias", bias), ("mask", mask)) if pair[1] is not None]
    for each in added:
        wanted = (heads, entries, others)
        sizes = zip(each.shape[:-4:-1], wanted[::-1], strict=False)
        if len(each.shape) > 4 or any(size not in (1, n) for size, n in sizes):
            raise ValueError(
                f"`bias` and `mask` must be broadcast to {(None, *wanted)}. Received: shape {tuple(each.shape)}."
            )
        if len(each.shape) < 4 if is_tensor(each) else len(each.shape) == 4 and each.shape[0] != 1:
            raise mixing("dot_product_attention")

    def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        k, v = (np.repeat(a, heads // groups, axis=2).swapaxes(1, 2) for a in (k, v))
        logits = np.matmul(q.swapaxes(1, 2), k.swapaxes(2, 3)) * np.float32(gain)
        if bias is not None:
            logits = logits + rest[0]
        seen = np.tri(entries, others, dtype=bool) if causal else np.bool_(True)
        if mask is not None:
            seen = seen & (rest[-1] != 0)
        logits = np.where(seen, logits, np.finfo(np.float32).min * np.float32(0.7))
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.matmul(weights / weights.sum(axis=-1, keepdims=True), v).swapaxes(1, 2)

    return host(f, attend, [query, key, value, *added], (None, entries, heads, value.shape[-1]))


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
    if written is None:
        raise wrong
    terms, result = written.group(1).split(","), written.group(2)
    if len(terms) != len(xs):
        raise wrong
    sizes: dict[Any, Any] = {}
    widest = 0
    first: set[Any] = set()
    for x, term in zip(xs, terms, strict=True):
        hidden = len(x.shape) - len(term.replace("...", ""))
        labels = _axes(term, hidden)
        if len(labels) != len(x.shape):
            raise wrong
        widest = max(widest, hidden)
        batch = labels[0] if is_tensor(x) else None
        first |= {batch} - {None}
        for label, size in zip(labels, x.shape, strict=True):
            known = sizes.setdefault(label, size)
            if known == 1 and size != 1:
                sizes[label] = size
            elif size not in (known, 1) and label != batch:
                raise wrong
        if batch in labels[1:]:
            raise mixing("einsum")
    made = _axes(result, widest)
    if not set(made) <= set(sizes) or len(set(made)) != len(made):
        raise wrong
    if len(first) != 1 or sizes[next(iter(first))] is not None or made[:1] != list(first):
        raise mixing("einsum")
    return sizes, made


def _axes(term: str, hidden: int) -> list[Any]:
    before, dots, after = term.partition("...")
    return [*before, *range(-hidden, 0), *after] if dots else list(before)
