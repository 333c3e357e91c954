"""Normalizations among the operations of `keras.ops`, with gains and offsets that are constants or tensors.

Functions of `f`, the interpreter, and of tensors whose first axis is the batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arguments, shapes
from ..errors import UnsupportedLayerError
from .array_operations import axis_numbers, constant, host, is_tensor, mixing, one_axis

_EPSILON = 1e-7  # Keras's, where none is given


def batch_normalization(
    f: Any,
    x: Any,
    mean: Any,
    variance: Any,
    offset: Any = None,
    scale: Any = None,
    axis: Any = -1,
    epsilon: Any = 1e-3,
) -> Any:
    vectors = [constant("mean", mean), constant("variance", variance)]
    vectors += [v if v is None else constant(k, v) for k, v in (("offset", offset), ("scale", scale))]
    if any(is_tensor(vector) for vector in vectors):
        raise UnsupportedLayerError("Operation 'batch_normalization' takes constant vectors here.")
    return f.batch_normalization(x, *vectors, axis=one_axis(axis, len(x.shape)), epsilon=epsilon)


def layer_normalization(
    f: Any,
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    axis: Any = -1,
    epsilon: Any = None,
    rms_scaling: bool = False,
) -> Any:
    """`rms_scaling`: x / sqrt(variance + epsilon) * gamma, as Keras has it."""
    axes, rank = axis_numbers(axis, len(x.shape)), len(x.shape)
    least = _EPSILON if epsilon is None else arguments.number("epsilon", epsilon)
    shape = [n if i in axes else 1 for i, n in enumerate(x.shape)]

    def spread(name: str, value: Any) -> Any:
        made = constant(name, value)
        if is_tensor(made) or made.ndim == rank or axes == (rank - 1,):
            return made
        if made.size != np.prod(shape):
            raise ValueError(
                f"`{name}` must have an entry for each of the axes {axes} of {tuple(x.shape)}. "
                f"Received: {name} of shape {made.shape}."
            )
        return made.reshape(shape)

    if arguments.flag("rms_scaling", rms_scaling):
        small = constant("epsilon", least)
        y = host(f, lambda a: a / np.sqrt(a.var(axis=axes, keepdims=True) + small), [x], x.shape)
    else:
        y = f.layer_normalization(x, axis=list(axes), epsilon=least)
    if gamma is not None:
        y = _same_shape(f.multiply, y, spread("gamma", gamma))
    return y if beta is None or rms_scaling else _same_shape(f.add, y, spread("beta", beta))


def rms_normalization(f: Any, x: Any, scale: Any = None, axis: Any = -1, epsilon: Any = None) -> Any:
    axes = axis_numbers(axis, len(x.shape))
    small = constant("epsilon", _EPSILON if epsilon is None else arguments.number("epsilon", epsilon))

    def normalized(a: np.ndarray) -> np.ndarray:
        return a / np.sqrt(np.square(a).mean(axis=axes, keepdims=True) + small)

    y = host(f, normalized, [x], x.shape)
    return y if scale is None else _same_shape(f.multiply, y, constant("scale", scale))


def _same_shape(operation: Any, x: Any, factor: Any) -> Any:
    """operation(x, factor), where that has the shape of `x`."""
    if is_tensor(factor) and len(factor.shape) != len(x.shape):
        raise mixing("normalization")
    if shapes.broadcast([x.shape, factor.shape]) != tuple(x.shape):
        raise ValueError(
            f"Gains and offsets must be broadcast to {tuple(x.shape)}. Received: shape {tuple(factor.shape)}."
        )
    return operation(x, factor)
