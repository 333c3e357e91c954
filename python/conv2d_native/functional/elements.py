"""Operations on arrays of any rank. Those that only move or combine entries are NumPy's own, on float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import activations, arguments
from .eager import run


def dense(x: Any, kernel: Any, bias: Any = None, activation: Any = None, *, out: Any = None) -> np.ndarray:
    """y[..., u] = act(sum over i of x[..., i] * kernel[i, u] + bias[u])

    x: (batch, ..., inputs), any rank from 2. kernel: (inputs, units). bias: (units,) or None.
    activation: a name, None or a function of conv2d_native.activations.
    Returns float32 (batch, ..., units), or fills `out`. Raises ValueError where shapes do not fit, TypeError for
    arrays that are not real.

        >>> dense(np.ones((2, 3), np.float32), np.ones((3, 4), np.float32)).tolist()[0]
        [3.0, 3.0, 3.0, 3.0]
    """
    return run("dense", x, {"kernel": kernel, "bias": bias}, {"activation": activation}, out)


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    offset: Any = None,
    scale: Any = None,
    axis: int = -1,
    epsilon: float = 1e-3,
    *,
    out: Any = None,
) -> np.ndarray:
    """y = (x - mean) / sqrt(variance + epsilon) * scale + offset along `axis`, as at inference.

    x: (batch, ...). mean, variance, offset (default 0), scale (default 1): (size of axis,). A variance below
    -epsilon gives NaN, as in Keras. Returns float32 of x's shape, or fills `out`. Raises ValueError where shapes do
    not fit, TypeError for arrays that are not real.

        >>> batch_normalization(np.full((1, 2), 3.0), mean=[1, 1], variance=[4, 1], epsilon=0.0).tolist()
        [[1.0, 2.0]]
    """
    weights = {"mean": mean, "variance": variance, "offset": offset, "scale": scale}
    return run("batch_normalization", x, weights, {"axis": axis, "epsilon": epsilon}, out)


def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float = 1e-3, *, out: Any = None
) -> np.ndarray:
    """y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, with moments over `axis` (an int or several).

    x: (batch, ...). gamma (default 1), beta (default 0): the shape of the axes. Returns float32 of x's shape, or
    fills `out`.

        >>> layer_normalization(np.array([[0.0, 2.0]]), epsilon=0.0).tolist()
        [[-1.0, 1.0]]
    """
    return run(
        "layer_normalization", x, {"gamma": gamma, "beta": beta}, {"axis": axis, "epsilon": epsilon}, out
    )


def scale_shift(x: Any, scale: Any = None, shift: Any = None, *, out: Any = None) -> np.ndarray:
    """y = x * scale + shift along the last axis; each is (channels,), one number or None.

    >>> scale_shift(np.ones((1, 2)), [2.0, 3.0], 1.0).tolist()
    [[3.0, 4.0]]
    """
    return run("scale_shift", x, {"scale": scale, "shift": shift}, {}, out)


def prelu(x: Any, alpha: Any, *, out: Any = None) -> np.ndarray:
    """y = x where x >= 0, alpha * x below; alpha broadcasts to one sample.

    >>> prelu(np.array([[-1.0, 2.0]]), [0.5, 0.5]).tolist()
    [[-0.5, 2.0]]
    """
    return run("prelu", x, {"alpha": alpha}, {}, out)


def activate(x: Any, activation: Any, *, out: Any = None) -> np.ndarray:
    """Apply an activation: a name, None or whatever else a layer takes as `activation`.

    >>> activate(np.array([[-1.0, 2.0]]), "relu").tolist()
    [[0.0, 2.0]]
    """
    return activations.run(activations.get(activation), x, out)


def _two(function: Callable[..., Any]) -> Callable[[Any, Any], np.ndarray]:
    def operation(x: Any, y: Any) -> np.ndarray:
        with np.errstate(all="ignore"):
            made = function(arguments.array("x", x), arguments.array("y", y))
        return np.ascontiguousarray(made, np.float32)

    operation.__name__ = operation.__qualname__ = function.__name__
    operation.__doc__ = f"""numpy.{function.__name__} on float32 arrays of which one may be a number.

    >>> {function.__name__}(np.ones((1, 2)), 1.0).tolist()
    [[{function(1.0, 1.0)}, {function(1.0, 1.0)}]]
    """
    return operation


add, subtract, multiply = _two(np.add), _two(np.subtract), _two(np.multiply)
divide, maximum, minimum = _two(np.divide), _two(np.maximum), _two(np.minimum)


def reduce(x: Any, kind: str, axes: Sequence[int], keepdims: bool = False) -> np.ndarray:
    """ "mean", "max" or "sum" over `axes`.

    >>> reduce(np.array([[1.0, 3.0]]), "mean", [1]).tolist()
    [2.0]
    """
    functions: dict[str, Callable[..., Any]] = {"mean": np.mean, "max": np.max, "sum": np.sum}
    function = functions[arguments.choice("kind", kind, functions)]
    return np.asarray(function(arguments.array("x", x), axis=tuple(axes), keepdims=keepdims), np.float32)


def concatenate(xs: Sequence[Any], axis: int = -1) -> np.ndarray:
    """numpy.concatenate on float32 arrays.

    >>> concatenate([np.ones((1, 2)), np.ones((1, 3))]).shape
    (1, 5)
    """
    return np.concatenate([arguments.array("xs", x) for x in xs], axis)


def pad(x: Any, widths: Sequence[Sequence[int]], value: float = 0.0) -> np.ndarray:
    """Add (before, after) cells of `value` per axis; negative numbers crop.

    >>> pad(np.ones((1, 2)), [(0, 0), (1, 0)]).tolist()
    [[0.0, 1.0, 1.0]]
    """
    x = crop(x, [(max(-before, 0), max(-after, 0)) for before, after in widths])
    return np.pad(x, [(max(before, 0), max(after, 0)) for before, after in widths], constant_values=value)


def crop(x: Any, widths: Sequence[Sequence[int]]) -> np.ndarray:
    """Cut (before, after) cells off each axis; ValueError where there are fewer.

    >>> crop(np.array([[1.0, 2.0, 3.0]]), [(0, 0), (1, 0)]).tolist()
    [[2.0, 3.0]]
    """
    x = arguments.array("x", x)
    if any(min(pair) < 0 or sum(pair) > size for size, pair in zip(x.shape, widths, strict=True)):
        words = f"be pairs of sizes within {x.shape}"
        raise ValueError(arguments.must("widths", words, tuple(map(tuple, widths))))
    cut = tuple(slice(before, size - after) for size, (before, after) in zip(x.shape, widths, strict=True))
    return np.ascontiguousarray(x[cut])


def reshape(x: Any, shape: Sequence[int | None]) -> np.ndarray:
    """`shape` starts with -1 or None, which takes what the other sizes leave over.

    >>> reshape(np.ones((2, 6)), (-1, 2, 3)).shape
    (2, 2, 3)
    """
    x, rest = arguments.array("x", x), arguments.sample_sizes(shape)
    return x.reshape(len(x) if -1 in rest else -1, *rest)


def transpose(x: Any, axes: Sequence[int]) -> np.ndarray:
    """numpy.transpose with the result in C order.

    >>> transpose(np.ones((1, 2, 3)), (0, 2, 1)).shape
    (1, 3, 2)
    """
    return np.ascontiguousarray(arguments.array("x", x).transpose(axes))


def apply(
    function: Callable[..., Any],
    xs: Sequence[Any],
    shape: Sequence[int | None],
    name: str = "apply",
    whole_batch: bool = False,
) -> np.ndarray:
    """function(*arrays) -> array of `shape` (its first entry, the batch, is None).

    `name` and `whole_batch` are for graphs: what explain shows, and whether a large batch is never run in parts.

    >>> apply(np.fliplr, [np.array([[1.0, 2.0]])], (None, 2)).tolist()
    [[2.0, 1.0]]
    """
    with np.errstate(all="ignore"):
        made = np.asarray(function(*(arguments.array("xs", x) for x in xs)), np.float32, order="C")
    if made.shape[1:] != tuple(shape[1:]):
        raise ValueError(
            f"`function` must return shape {tuple(shape)}. Received: an array of shape {made.shape}."
        )
    return made
