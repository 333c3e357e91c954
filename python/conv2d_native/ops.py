"""Keras's place for operations: `keras.ops`. On symbolic tensors they become nodes of a model, on arrays they compute.

    y = ops.concatenate([ops.relu(x), x], axis=-1)       # x from Input(...)
    best = ops.argmax(model.predict(images), axis=-1)

Symbolic tensors are taken by what the table of operations has (docs/models.md); arguments have Keras's names.
Arrays are computed by NumPy's function of the same name where there is one, with the batch an axis like any other, and
by the table else, which keeps the images of a batch apart. Python's numbers become float32, not float64. `ops.nn`,
`ops.image`, `ops.linalg` and `ops.numpy` are this module.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from . import activations, arguments, functional
from .layers.any_batch import is_batch, is_recording, spread
from .layers.operations import CLASS_NAMES, OPERATIONS, Operation, is_operand
from .layers.operations.elementwise import divide_no_nan as _divide_no_nan
from .layers.operations.matrices import solution as _solution
from .layers.operations.matrices import triangular_factor as _triangular_factor
from .layers.operations.orderings import largest_places as _largest_places
from .layers.operations.orderings import ones_at as _ones_at
from .layers.operations.reductions import logsumexp as _log_of_sum
from .layers.symbolic import KerasTensor, is_symbolic
from .structure import flatten, map_structure

nn = image = linalg = numpy = sys.modules[__name__]
_OWN = ("batch_normalization", "cast", "convert_to_numpy", "convert_to_tensor", "dtype", "einsum", "is_tensor",
        "one_hot", "shape", "top_k")  # fmt: skip
_OF_THE_TABLE = set(CLASS_NAMES) - {*_OWN, "get_item"}
__all__ = sorted({*_OF_THE_TABLE, *_OWN})


def _logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return _log_of_sum(np.asarray(x), axis, keepdims)


def _moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Any, Any]:
    axis = tuple(axes) if isinstance(axes, (list, tuple)) else axes
    return np.mean(x, axis, keepdims=keepdims), np.var(x, axis, keepdims=keepdims)


def _normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Any:
    a = np.asarray(x)
    a = a if a.dtype.kind == "f" else a.astype(np.float64)
    if arguments.integer("order", order) == 2:  # of all values along several axes, not of matrices
        length = np.sqrt(np.square(a).sum(axis, keepdims=True))
    else:
        length = np.linalg.norm(a, order, axis, keepdims=True)
    return a / np.maximum(length, arguments.EPSILON if epsilon is None else epsilon)


def _softmax(x: Any, axis: Any = -1) -> Any:
    if isinstance(axis, int):
        return functional.softmax(x, axis=axis)  # type: ignore[attr-defined]
    powers = np.exp(x - np.max(x, axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def _slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    places = zip(start_indices, shape, strict=True)
    return np.asarray(inputs)[
        tuple(slice(start, None if size == -1 else start + size) for start, size in places)
    ]


def _unstack(x: Any, num: Any = None, axis: int = 0) -> list[Any]:
    return list(np.moveaxis(x, axis, 0))


def _for_sizes(make: Callable[[Any], Any], sizes: Any) -> Any:
    """make(sizes); where the first of them is the batch of a recorded call, make(1, ...) for every image."""
    if arguments.is_listed(sizes) and len(sizes) and is_batch(sizes[0]):
        return spread(make((1, *sizes[1:])), sizes[0])
    return make(sizes)


def _broadcast_to(x: Any, shape: Any) -> Any:
    return _for_sizes(lambda sizes: np.broadcast_to(x, sizes), shape)


def _tile(x: Any, repeats: Any) -> Any:
    return _for_sizes(lambda counts: np.tile(x, counts), repeats)


def _repeat(x: Any, repeats: Any, axis: Any = None) -> Any:
    if is_batch(repeats) and axis in (0, -np.ndim(x)):
        return spread(x, repeats)
    return np.repeat(x, repeats, axis)


def _filled(make: Callable[..., np.ndarray]) -> Callable[..., Any]:
    """np.zeros, np.ones or np.full."""
    return lambda shape, *args, **kwargs: _for_sizes(lambda sizes: make(sizes, *args, **kwargs), shape)


_ON_ARRAYS: dict[str, Callable[..., Any]] = {
    "argsort": partial(np.argsort, kind="stable"),
    "broadcast_to": _broadcast_to,
    "cholesky": _triangular_factor,
    "det": np.linalg.det,
    "divide_no_nan": _divide_no_nan,
    "inv": np.linalg.inv,
    "logsumexp": _logsumexp,
    "moments": _moments,
    "norm": np.linalg.norm,
    "normalize": _normalize,
    "repeat": _repeat,
    "slice": _slice,
    "softmax": _softmax,
    "solve": _solution,
    "tile": _tile,
    "unstack": _unstack,
}


def convert_to_numpy(x: Any) -> np.ndarray:
    """Return `x` as an array.

    >>> convert_to_numpy([1, 2]).tolist()
    [1, 2]
    """
    return np.asarray(x)


def convert_to_tensor(x: Any, dtype: Any = None) -> Any:
    """Return `x` as an array of `dtype`; a symbolic tensor as it is.

    >>> convert_to_tensor([1, 2], "float32").dtype.name
    'float32'
    """
    return x if is_symbolic(x) else _as_keras(np.asarray(x, dtype), x, dtype)


def cast(x: Any, dtype: Any) -> Any:
    """Return `x` as `dtype`. In a layer's call a size that is not known yet stays that.

    >>> cast([1.5, 2.0], "int32").tolist()
    [1, 2]
    """
    if x is None and is_recording():
        return None
    if not is_symbolic(x):
        return np.asarray(x).astype(dtype)
    return Operation("Cast", {"dtype": dtype if isinstance(dtype, str) else np.dtype(dtype).name})(x)


def shape(x: Any) -> tuple[int | None, ...]:
    """Return the shape of an array or a symbolic tensor.

    >>> shape(Input((8, 8, 3)))
    (None, 8, 8, 3)
    """
    return tuple(x.shape) if is_symbolic(x) else np.shape(x)


def dtype(x: Any) -> str:
    """Return the name of the dtype of an array, a weight or a symbolic tensor.

    >>> dtype(np.ones(3)), dtype(Input((3,)))
    ('float64', 'float32')
    """
    return str(x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype)


def is_tensor(x: Any) -> bool:
    """Return whether `x` is an array or a symbolic tensor.

    >>> is_tensor(np.zeros(3)), is_tensor([0, 0, 0])
    (True, False)
    """
    return isinstance(x, (np.ndarray, KerasTensor))


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """Return arrays of `num_classes` zeros along a new axis, with a one where `x` says. `sparse`: False.

    Numbers in `x` are cut to whole ones; of those below 0 and from `num_classes` on there is no one.

        >>> one_hot([1, 0], 3).tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    if is_symbolic(x):
        settings = {"num_classes": num_classes, "axis": axis, "dtype": dtype, "sparse": sparse}
        return Operation("OneHot", settings)(x)
    made = _ones_at(np.asarray(x), arguments.integer("num_classes", num_classes), axis)
    return made.astype(dtype or np.float32)


def top_k(x: Any, k: int, sorted: bool = True) -> Any:
    """Return the `k` largest values along the last axis, largest first, and their places.

    >>> values, places = top_k(np.array([0.1, 0.7, 0.2]), 2)
    >>> values.tolist(), places.tolist()
    ([0.7, 0.2], [1, 2])
    """
    if is_symbolic(x):
        return Operation("TopK", {"k": k, "sorted": sorted})(x)
    a = np.asarray(x)
    places = _largest_places(a, arguments.integer("k", k, high=a.shape[-1]))
    return np.take_along_axis(a, places, axis=-1), places


def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Any:
    """Return (x - mean) / sqrt(variance + epsilon) * scale + offset with vectors along `axis`.

    >>> batch_normalization(np.ones((1, 2)), [1, 0], [1, 1], axis=-1, epsilon=0).tolist()
    [[0.0, 1.0]]
    """
    if is_symbolic(x, mean, variance, offset, scale):
        settings = {"axis": axis, "epsilon": epsilon}
        return Operation("BatchNorm", settings)(x, mean, variance, offset, scale)
    return functional.batch_normalization(x, mean, variance, offset, scale, axis, epsilon)


def einsum(subscripts: str, *operands: Any) -> Any:
    """Return NumPy's einsum of arrays or symbolic tensors.

    >>> einsum("ij,jk->ik", np.ones((2, 3)), np.ones((3, 4))).shape
    (2, 4)
    """
    if is_symbolic(*operands):
        return Operation("Einsum", {"subscripts": subscripts})(*operands)
    return np.einsum(subscripts, *operands)


def _operation(name: str) -> Callable[..., Any]:
    """The function for a row of the table: arguments by Keras's names, which the row's `lower` has after `f`."""
    class_name = CLASS_NAMES[name]
    row = OPERATIONS[class_name]
    words = inspect.Signature(list(inspect.signature(row.lower).parameters.values())[1:])
    by_numpy = _ON_ARRAYS.get(name) or (getattr(np, name, None) if row.module == "numpy" else None)

    def function(*args: Any, **kwargs: Any) -> Any:
        bound = arguments.bound(f"ops.{name}", words, args, kwargs)
        if is_symbolic(*args, **kwargs):
            return _node(class_name, words, bound.arguments)
        if by_numpy is not None:
            return _as_keras(_computed(by_numpy, words, bound.arguments), args, kwargs)
        for word, value in bound.arguments.items():
            if word in ("x", "inputs", "images"):
                bound.arguments[word] = arguments.array(word, value)
        return row.lower(
            functional, *(map_structure(_as_array, value) for value in bound.args), **bound.kwargs
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Keras's ops.{name}: a node of a model for symbolic tensors, a result for arrays."
    activation = activations.ALIASES.get(name, name)
    if activation in activations.TABLE:  # `activation=ops.relu` of a layer
        given = activations.TABLE[activation].defaults.keys() & words.parameters.keys()
        function.as_activation = activations.make(  # type: ignore[attr-defined]
            activation, **{word: words.parameters[word].default for word in given}
        )
    return function


def _computed(by_numpy: Callable[..., Any], words: inspect.Signature, given: dict[str, Any]) -> Any:
    """NumPy's function of arrays. What has no default goes by position: it is called otherwise there."""
    unused = given.pop("unused", {})  # words that lower() does not look at, and NumPy does
    settings = {**given, **unused}
    operands = [
        settings.pop(word)
        for word in list(given)
        if words.parameters[word].default is inspect.Parameter.empty
    ]
    if isinstance(settings.get("axis"), list):
        settings["axis"] = tuple(settings["axis"])
    return by_numpy(*operands, **{k: v for k, v in settings.items() if v is not None or k == "axis"})


def _as_keras(made: Any, *given: Any) -> Any:
    """Results of NumPy in float32 where nothing `given`, an array or a dtype, is float64: Python's numbers are not."""
    if type(made) not in (list, tuple, np.ndarray, np.float64) or any(map(_is_double, flatten(given))):
        return made
    return map_structure(lambda a: a.astype(np.float32) if _is_double(a) else a, made)


def _is_double(value: Any) -> bool:
    kind = value if isinstance(value, (str, type)) else getattr(value, "dtype", value)
    return isinstance(kind, (str, type, np.dtype)) and kind in (np.float64, "float64", "double")


def _as_array(value: Any) -> Any:
    return np.asarray(value, np.float32) if isinstance(value, np.ndarray) else value


def _node(class_name: str, words: inspect.Signature, given: dict[str, Any]) -> Any:
    """Record the operation: operands, given or not, are arguments of the call, everything else its settings."""
    operands: list[Any] = []
    named: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for parameter in words.parameters.values():
        in_call = is_operand(class_name, parameter.name)
        value = given.get(parameter.name, parameter.default if in_call else parameter.empty)
        if value is parameter.empty:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            operands += value
        elif parameter.kind is parameter.VAR_KEYWORD:
            settings |= value
        elif not in_call and not is_symbolic(value):
            settings[parameter.name] = value
        elif settings:
            named[parameter.name] = value
        else:
            operands.append(value)
    return Operation(class_name, settings)(*operands, **named)


# Keras's names for NumPy's functions of arrays that are no operations of models.
_OF_NUMPY = {
    "allclose", "angle", "arange", "argpartition", "array", "bartlett", "bincount", "bitwise_and", "bitwise_invert",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "blackman", "conj",
    "conjugate", "corrcoef", "correlate", "cross", "diag", "diagflat", "diagonal", "empty", "empty_like", "eye",
    "flipud", "full", "gcd", "geomspace", "hamming", "hanning", "histogram", "i0", "identity", "imag", "isreal",
    "kaiser", "kron", "lcm", "ldexp", "left_shift", "linspace", "logspace", "meshgrid", "nanargmax", "nanargmin",
    "nanmedian", "nanpercentile", "nanquantile", "ndim", "nextafter", "nonzero", "ones", "outer", "ravel", "real",
    "right_shift", "searchsorted", "size", "trace", "trapezoid", "tri", "unique", "unravel_index", "vander", "vdot",
    "vsplit", "vstack", "zeros",
}  # fmt: skip
_FILLED = {"zeros": _filled(np.zeros), "ones": _filled(np.ones), "full": _filled(np.full)}
_FUNCTIONS = {_name: _operation(_name) for _name in _OF_THE_TABLE}


def __getattr__(name: str) -> Any:
    """The operations of the table; and NumPy's functions, for arrays alone: arange, linspace, zeros and others."""
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    found = (_FILLED.get(name) or getattr(np, name, None)) if name in _OF_NUMPY else None
    if found is None:
        hint = "" if name.startswith("_") else ": docs/models.md says which operations there are"
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")

    def function(*args: Any, **kwargs: Any) -> Any:
        if is_symbolic(*args, **kwargs):
            raise NotImplementedError(f"ops.{name} is computed on arrays only, not in a model.")
        return _as_keras(found(*args, **kwargs), args, kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"NumPy's {name}: a result for arrays."
    return globals().setdefault(name, function)


def __dir__() -> list[str]:
    return __all__
