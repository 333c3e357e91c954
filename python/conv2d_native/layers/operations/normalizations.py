"""Normalizations among the operations of `keras.ops`, with gains and offsets that are constants or tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ... import arguments
from ...errors import UnsupportedLayerError
from ..normalization import over_deviation, over_root_mean_square
from .operands import axis_numbers, check_broadcast, constant, constants, host, is_tensor, one_axis
from .reductions import norm


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
    moments = constants(mean=mean, variance=variance)
    optional = {"offset": offset, "scale": scale}
    vectors = {name: constant(name, vector) for name, vector in optional.items() if vector is not None}
    if any(map(is_tensor, [*moments, *vectors.values()])):
        raise UnsupportedLayerError("Operation 'batch_normalization' takes constant vectors here.")
    return f.batch_normalization(x, *moments, **vectors, axis=one_axis(axis, len(x.shape)), epsilon=epsilon)


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
    axes = axis_numbers(axis, len(x.shape))
    least = _epsilon(epsilon)
    if arguments.flag("rms_scaling", rms_scaling):
        y, beta = host(f, lambda a: over_deviation(a, axes, least), [x], x.shape), None
    else:
        y = f.layer_normalization(x, axis=list(axes), epsilon=least)
    y = y if gamma is None else _in_shape(f.multiply, y, _along("gamma", gamma, axes, y.shape))
    return y if beta is None else _in_shape(f.add, y, _along("beta", beta, axes, y.shape))


def rms_normalization(f: Any, x: Any, scale: Any = None, axis: Any = -1, epsilon: Any = None) -> Any:
    axes = axis_numbers(axis, len(x.shape))
    least = _epsilon(epsilon)
    y = host(f, lambda a: over_root_mean_square(a, axes, least), [x], x.shape)
    return y if scale is None else _in_shape(f.multiply, y, constant("scale", scale))


def normalize(f: Any, x: Any, axis: Any = -1, order: Any = 2, epsilon: Any = None) -> Any:
    """x / norm, where that is above `epsilon`."""
    number = arguments.integer("order", order)
    length = norm(f, x, None if number == 2 else number, axis, True)
    return f.divide(x, f.maximum(length, constant("epsilon", _epsilon(epsilon))))


def _epsilon(value: Any) -> float:
    return arguments.EPSILON if value is None else arguments.number("epsilon", value)


def _along(name: str, value: Any, axes: Sequence[int], shape: Sequence[Any]) -> Any:
    """A gain or offset for `shape`: a constant of lower rank has its entries along `axes`."""
    made = constant(name, value)
    if is_tensor(made) or made.ndim == len(shape) or tuple(axes) == (len(shape) - 1,):
        return made
    spread = [n if i in axes else 1 for i, n in enumerate(shape)]
    if made.size != math.prod(spread):
        raise ValueError(
            f"`{name}` must have an entry for each of the axes {axes} of {tuple(shape)}. "
            f"Received: {name} of shape {made.shape}."
        )
    return made.reshape(spread)


def _in_shape(operation: Callable[..., Any], x: Any, factor: Any) -> Any:
    """operation(x, factor), where that has the shape of `x`."""
    check_broadcast(factor, x.shape, "normalization", "Gains and offsets")
    return operation(x, factor)
