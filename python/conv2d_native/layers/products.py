"""Products among the operations of `keras.ops`: matmul and einsum, image by image.

Functions of `f`, the interpreter, and of tensors whose first axis is the batch. What would mix the images of a batch
is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import shapes
from ..arguments import shown
from .array_operations import constant, host, is_tensor, mixing

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


def einsum(f: Any, *operands: Any, subscripts: str, **unused: Any) -> Any:
    xs = [constant("operands", x) for x in operands]
    sizes, result = _labelled(xs, subscripts)
    shape = [sizes[label] for label in result]
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
