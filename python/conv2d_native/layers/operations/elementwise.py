"""Entry by entry among the operations of `keras.ops`: arithmetic, comparisons, choices, activations, dtypes.

Some functions make an operation out of a NumPy function or a name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ... import activations, arguments
from ..registry import layer_class
from .operands import axis_numbers, broadcast, constant, constants, host, is_tensor, mixing

_NARROW = {"bool": (0, 1), "float16": (-65504, 65504)}  # least and most of those that are no integers

_ERF_ABOVE = (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
              -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02)  # fmt: skip
_ERF_BELOW = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
              -1.42647390514189e-02)  # fmt: skip


def unary(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's `function` of one array."""
    return lambda f, x: f.apply(function, [x], x.shape)


def binary(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's `function` of two arrays."""

    def lower(f: Any, x1: Any, x2: Any) -> Any:
        operands = constants(x1=x1, x2=x2)
        return host(f, function, operands, broadcast(operands, function.__name__))

    return lower


def limit(name: str) -> Callable[..., Any]:
    """maximum and minimum, methods of `f`."""
    return lambda f, x1, x2: getattr(f, name)(*constants(x1=x1, x2=x2))


def affine(name: str) -> Callable[..., Any]:
    """Arithmetic with a number, or with a vector along the last axis: scale and shift, which fuse into neighbours."""

    def lower(f: Any, x1: Any, x2: Any) -> Any:
        a, b = constants(x1=x1, x2=x2)
        x, c = (a, b) if is_tensor(a) else (b, a)
        vector = not is_tensor(c) and (c.ndim == 0 or c.shape == x.shape[-1:])
        if not vector or (name == "divide" and (x is b or not _has_inverse(c))):
            return getattr(f, name)(a, b)
        if name == "multiply":
            return f.scale_shift(x, c, None)
        if name == "divide":
            return f.scale_shift(x, 1 / c, None)
        if name == "add":
            return f.scale_shift(x, None, c)
        return f.scale_shift(x, None, -c) if x is a else f.scale_shift(x, np.float32(-1), c)

    return lower


def _has_inverse(c: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.isfinite(1 / c).all())


def divide_no_nan(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where `b` is 0."""
    with np.errstate(all="ignore"):
        return np.where(np.equal(b, 0), np.float32(0), np.divide(a, b))


def negative(f: Any, x: Any) -> Any:
    """-x."""
    return f.scale_shift(x, np.float32(-1), None)


def absolute(f: Any, x: Any) -> Any:
    """|x|."""
    return f.add(f.relu(x), f.relu(negative(f, x)))


def square(f: Any, x: Any) -> Any:
    """x * x."""
    return f.multiply(x, x)


def power(f: Any, x1: Any, x2: Any) -> Any:
    """Squares and cubes are products, all others NumPy's powers."""
    a, b = constants(x1=x1, x2=x2)
    if is_tensor(b) or b.ndim or b not in (2, 3):
        return binary(np.power)(f, a, b)
    return square(f, a) if b == 2 else f.multiply(square(f, a), a)


def erf(a: np.ndarray) -> Any:
    """x p(x^2) / q(x^2) within 1e-7: the coefficients are those of Eigen."""
    x = np.clip(a, -4, 4).astype(np.float64)
    above, below = (np.polyval(np.array(each), x * x) for each in (_ERF_ABOVE, _ERF_BELOW))
    return x * above / below


erfc = np.vectorize(math.erfc, otypes=[np.float32])


def rsqrt(a: np.ndarray) -> Any:
    """1 / sqrt(a)."""
    return 1 / np.sqrt(a)


def activation(name: str) -> Callable[..., Any]:
    """The activation `name`, a method of `f`."""

    def lower(f: Any, *args: Any, **settings: Any) -> Any:
        return getattr(f, name)(*args, **settings)

    lower.__signature__ = activations.signature(name, "f", "x")  # type: ignore[attr-defined]
    return lower


def gelu(f: Any, x: Any, approximate: Any = True) -> Any:
    """As the activation, but for the default."""
    return f.gelu(x, approximate=approximate)


def softmax(f: Any, x: Any, axis: Any = -1) -> Any:
    """As the layer Softmax."""
    axes = axis_numbers(axis, len(x.shape))
    return layer_class("Softmax")(axes[0] if len(axes) == 1 else axes, name="softmax").call(f, x)


def round_to(f: Any, x: Any, decimals: int = 0) -> Any:
    """`x` rounded to `decimals` places, -99 to 99: ValueError for others."""
    places = arguments.integer("decimals", decimals, low=-99, high=99)
    return unary(lambda a: np.round(a, places))(f, x)


def nan_to_num(f: Any, x: Any, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Numbers in place of NaN and the infinities, None: float32's largest. TypeError for what is no number."""
    edges = {"posinf": posinf, "neginf": neginf}
    words: dict[str, Any] = {k: v if v is None else arguments.number(k, v) for k, v in edges.items()}
    words["nan"] = arguments.number("nan", nan)
    return unary(lambda a: np.nan_to_num(a, **words))(f, x)


def full_like(f: Any, x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """`fill_value`, in the shape of `x`. TypeError where that is no number."""
    value = constant("fill_value", arguments.number("fill_value", fill_value))
    return unary(lambda a: np.full_like(a, value))(f, x)


def zeros_like(f: Any, x: Any, dtype: Any = None) -> Any:
    """0 in the shape of `x`."""
    return full_like(f, x, 0)


def ones_like(f: Any, x: Any, dtype: Any = None) -> Any:
    """1 in the shape of `x`."""
    return full_like(f, x, 1)


def clip(f: Any, x: Any, x_min: Any, x_max: Any) -> Any:
    """min(max(x, x_min), x_max), whose shapes broadcast; None is no limit."""
    if x_min is not None:
        x = f.maximum(x, constant("x_min", x_min))
    return x if x_max is None else f.minimum(x, constant("x_max", x_max))


def identity(f: Any, x: Any, **unused: Any) -> Any:
    """`x` itself."""
    return x


def cast(f: Any, x: Any, dtype: Any) -> Any:
    """The values that `dtype` has for those of `x`, in float32 like every tensor."""
    name = arguments.element_type(dtype)
    if name == "bool":
        return unary(lambda a: a != 0)(f, x)
    return x if "float" in name else unary(np.trunc)(f, x)


def saturate_cast(f: Any, x: Any, dtype: Any) -> Any:
    """As cast, and the least or the most that `dtype` has for what is beyond."""
    name = arguments.element_type(dtype)
    if "int" in name or name in _NARROW:
        least, most = _NARROW.get(name) or (np.iinfo(name).min, np.iinfo(name).max)
        x = clip(f, x, float(least), float(most))
    return cast(f, x, name)


def where(f: Any, condition: Any, x1: Any, x2: Any) -> Any:
    """x1 where `condition` is not 0, else x2. ValueError for shapes that do not broadcast."""
    operands = constants(condition=condition, x1=x1, x2=x2)
    return host(f, lambda c, a, b: np.where(c != 0, a, b), operands, broadcast(operands, "where"))


def select(f: Any, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """The choice of the first condition that is not 0, else `default`. Errors: those of where; as many of both."""
    if not (isinstance(condlist, (list, tuple)) and isinstance(choicelist, (list, tuple)) and condlist):
        raise TypeError(arguments.must("condlist", "be a list, and `choicelist` another", condlist))
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"`choicelist` must have an entry for each of `condlist`. Received: {len(choicelist)} for {len(condlist)}."
        )
    made = default
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        made = where(f, condition, choice, made)
    return made


def is_close(f: Any, x1: Any, x2: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """1 where |x1 - x2| <= atol + rtol * |x2|, else 0. ValueError for shapes that do not broadcast."""
    relative, absolute = arguments.number("rtol", rtol), arguments.number("atol", atol)
    same = arguments.flag("equal_nan", equal_nan)
    operands = constants(x1=x1, x2=x2)
    step = partial(np.isclose, rtol=relative, atol=absolute, equal_nan=same)
    return host(f, step, operands, broadcast(operands, "isclose"))


def is_in(f: Any, x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """1 where an entry of x1 is one of the constants x2, else 0."""
    members, turned = constant("x2", x2), arguments.flag("invert", invert)
    if is_tensor(members):
        raise mixing("isin")
    return unary(lambda a: np.isin(a, members, invert=turned))(f, x1)
