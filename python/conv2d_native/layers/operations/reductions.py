"""Reductions among the operations of `keras.ops`: sums, moments, norms, quantiles, positions along axes of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np

from ... import arguments
from ...arguments import must, shown
from ...errors import UnsupportedLayerError
from .elementwise import negative
from .operands import (
    axis_list,
    axis_numbers,
    constant,
    host,
    is_by_image,
    is_tensor,
    one_axis,
    reduced,
)

_QUANTILES = ("linear", "lower", "higher", "midpoint", "nearest")
_JOINS = {"sum": "add", "mean": "add", "max": "maximum", "min": "minimum", "prod": "multiply"}
_MATRIX_ORDERS = ("fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf"))


def position(function: Callable[..., Any]) -> Callable[..., Any]:
    """argmax and argmin along one axis."""

    def lower(f: Any, x: Any, axis: Any = None, keepdims: bool = False, **unused: Any) -> Any:
        axes = axis_numbers(axis, len(x.shape))
        if len(axes) != 1:
            raise UnsupportedLayerError(f"Operation '{function.__name__}' takes one axis of an image's here.")
        return _reduce_by(partial(function, axis=axes[0]), f, x, axes, keepdims)

    return lower


def reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's `function(x, axis, keepdims)`."""
    name = function.__name__
    computed = _BY_CORE.get(name) or partial(_by_numpy, function)
    limit = _JOINS[name] if name in ("max", "min") else ""

    def lower(f: Any, x: Any, axis: Any = None, keepdims: bool = False, **unused: Any) -> Any:
        if isinstance(x, (list, tuple)):
            return _across(f, name, x, axis, {"keepdims": keepdims or None, **unused})
        initial = unused.pop("initial", None) if limit else None
        edge = None if initial is None else constant("initial", arguments.number("initial", initial))
        if any(value is not None for value in unused.values()):
            raise UnsupportedLayerError(
                f"Operation '{name}' takes axis and keepdims only. Received: {shown(unused)}."
            )
        axes = axis_numbers(axis, len(x.shape))
        keep = arguments.flag("keepdims", keepdims)
        made = computed(f, x, axes, keep)
        return made if edge is None else getattr(f, limit)(made, edge)

    return lower


def _by_numpy(function: Callable[..., Any], f: Any, x: Any, axes: Sequence[int], keep: bool) -> Any:
    return _reduce_by(partial(function, axis=axes), f, x, axes, keep)


def _least(f: Any, x: Any, axes: Sequence[int], keep: bool) -> Any:
    return negative(f, f.reduce(negative(f, x), "max", axes, keep))


def _variance(f: Any, x: Any, axes: Sequence[int], keep: bool) -> Any:
    rest = f.subtract(x, f.reduce(x, "mean", axes, True))
    return f.reduce(f.multiply(rest, rest), "mean", axes, keep)


_BY_CORE: dict[str, Callable[..., Any]] = {  # by the name of NumPy's function
    "mean": lambda f, x, axes, keep: f.reduce(x, "mean", axes, keep),
    "sum": lambda f, x, axes, keep: f.reduce(x, "sum", axes, keep),
    **dict.fromkeys(("max", "amax"), lambda f, x, axes, keep: f.reduce(x, "max", axes, keep)),
    **dict.fromkeys(("min", "amin"), _least),
    "var": _variance,
}


def _across(f: Any, name: str, xs: Sequence[Any], axis: Any, unused: dict[str, Any]) -> Any:
    """The tensors of a list reduced to one, as Keras does with their stack: `axis` is 0, that of the list."""
    join = _JOINS.get(name)
    if join is None or axis not in (0, [0], (0,)) or any(value is not None for value in unused.values()):
        raise UnsupportedLayerError(
            f"Of a list of tensors {' and '.join(_JOINS)} are computed over axis 0 alone, that of the list, without "
            f"further settings. Received: operation '{name}' with axis={shown(axis)}."
        )
    parts = [constant("x", x) for x in xs]
    if len({(len(part.shape), *part.shape[1:]) for part in parts}) != 1 or not all(map(is_by_image, parts)):
        raise ValueError(
            "`x` must be tensors of one shape, constants with a batch of 1. "
            f"Received: shapes {[tuple(part.shape) for part in parts]}."
        )
    made = reduce(getattr(f, join), parts)
    return f.scale_shift(made, np.float32(1 / len(parts))) if name == "mean" else made


def _reduce_by(function: Callable[..., Any], f: Any, x: Any, axes: Sequence[int], keepdims: Any) -> Any:
    """A NumPy step that takes `axes` away: function(x, keepdims=)."""
    keep = arguments.flag("keepdims", keepdims)
    return host(f, partial(function, keepdims=keep), [x], reduced(x.shape, axes, keep))


def logsumexp(a: np.ndarray, axis: Any, keepdims: bool) -> Any:
    top = a.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, np.float32(0))
    total = np.log(np.exp(a - top).sum(axis=axis, keepdims=True)) + top
    return total if keepdims else total.squeeze(axis)


# NumPy's functions of these names warn where nothing but NaN is met.


def nanmean(a: np.ndarray, axis: Any, keepdims: bool) -> Any:
    counts = (~np.isnan(a)).sum(axis=axis, keepdims=keepdims, dtype=np.float32)
    return np.nansum(a, axis=axis, keepdims=keepdims) / counts


def nanvar(a: np.ndarray, axis: Any, keepdims: bool) -> Any:
    return nanmean(np.square(a - nanmean(a, axis, True)), axis, keepdims)


def nanstd(a: np.ndarray, axis: Any, keepdims: bool) -> Any:
    return np.sqrt(nanvar(a, axis, keepdims))


def nanmax(a: np.ndarray, axis: Any, keepdims: bool) -> Any:
    return np.fmax.reduce(a, axis, keepdims=keepdims)  # type: ignore[call-overload]


def nanmin(a: np.ndarray, axis: Any, keepdims: bool) -> Any:
    return np.fmin.reduce(a, axis, keepdims=keepdims)  # type: ignore[call-overload]


def average(f: Any, x: Any, axis: Any = None, weights: Any = None) -> Any:
    """`weights`: none, a vector along one axis, or as many as `x` has."""
    axes = axis_numbers(axis, len(x.shape))
    if weights is None:
        return f.reduce(x, "mean", axes)
    w = constant("weights", weights)
    if not is_tensor(w) and len(axes) == 1 and w.shape == (x.shape[axes[0]],):
        w = w.reshape([-1 if i == axes[0] else 1 for i in range(len(x.shape))])
    elif w.shape[1:] != x.shape[1:] or not is_by_image(w):
        raise ValueError(
            "`weights` must be a vector along the axis, or have the shape of `x`, constants with a batch of 1. "
            f"Received: weights of shape {tuple(w.shape)} for x of shape {tuple(x.shape)}."
        )

    def mean(a: np.ndarray, b: np.ndarray) -> Any:
        return (a * b).sum(axes) / b.sum(axes)

    return host(f, mean, [x, w], reduced(x.shape, axes, False))


def quantile(function: Callable[..., Any], most: float) -> Callable[..., Any]:
    """np.quantile or np.percentile, whose numbers end at `most`."""

    def lower(
        f: Any, x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
    ) -> Any:
        part = constant("q", q)
        if is_tensor(part) or part.ndim:
            raise UnsupportedLayerError(f"Operation '{function.__name__}' takes one number here: `q`.")
        if not 0 <= part <= most:
            raise ValueError(must("q", f"be from 0 to {most:g}", q))
        word = arguments.choice("method", method, _QUANTILES)
        axes = axis_numbers(axis, len(x.shape))
        return _reduce_by(partial(function, q=float(q), axis=axes, method=word), f, x, axes, keepdims)

    return lower


def moments(f: Any, x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> list[Any]:
    """Mean and variance."""
    return [reduction(function)(f, x, axes, keepdims) for function in (np.mean, np.var)]


def norm(f: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Of vectors along one axis, of matrices along two; without `ord` also along all axes of an image."""
    axes, keep = axis_numbers(axis, len(x.shape)), arguments.flag("keepdims", keepdims)
    number = isinstance(ord, (int, float)) and not isinstance(ord, bool)
    of_matrices = len(axes) == 2 and (number or isinstance(ord, str)) and ord in _MATRIX_ORDERS
    if not (ord is None or of_matrices or (number and len(axes) == 1)):
        raise ValueError(
            "`ord` must be None, a number for one axis, or for two axes one of 'fro', 'nuc', 1, -1, 2, -2, inf, -inf. "
            f"Received: ord={shown(ord)} for {len(axes)} axes."
        )
    shape = reduced(x.shape, axes, keep)
    if ord is None or ord == "fro" or (ord == 2 and len(axes) == 1):
        return f.apply(np.sqrt, [f.reduce(f.multiply(x, x), "sum", axes, keep)], shape)
    order = axis_list("axis", axis, len(x.shape))
    place = order[0] if len(order) == 1 else tuple(order)
    kind = arguments.number("ord", ord) if number else ord
    return host(f, lambda a: np.linalg.norm(a, kind, place, keep), [x], shape)


def along(function: Callable[..., Any]) -> Callable[..., Any]:
    """Running sums and products along one axis."""

    def lower(f: Any, x: Any, axis: Any = None, dtype: Any = None) -> Any:
        if not (dtype is None or (isinstance(dtype, str) and dtype == "float32")):
            raise UnsupportedLayerError(
                f"Operation '{function.__name__}' is computed in float32 only, not {shown(dtype)}."
            )
        number = one_axis(axis, len(x.shape))
        return host(f, lambda a: function(a, axis=number), [x], x.shape)

    return lower
