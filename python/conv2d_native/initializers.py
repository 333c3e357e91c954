"""Keras's weight initializers on NumPy: the same names, strings, arguments, formulas and configurations.

    >>> from conv2d_native import initializers
    >>> initializers.get("he_normal")((3, 3, 16, 32)).shape
    (3, 3, 16, 32)

Random ones draw from NumPy's PCG64. The distributions are Keras's, the numbers are not: seed 7 gives other
weights here than in Keras, and Keras itself gives other weights on each of its backends. As in Keras, an
initializer gives the same numbers at every call, be its seed given or not; unseeded ones take their seed
from Python's `random`, so `random.seed(0)` makes a program repeatable. A `numpy.random.Generator` as seed
gives new numbers at every call.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import arguments
from .named_objects import Configurable, Table

Shape = Sequence[int]

_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform", "normal")


class Initializer(Configurable):
    """Base class: call it with a shape (and a dtype, default float32) to get an array.

    >>> class Halves(cn.Initializer):
    ...     def draw(self, shape):
    ...         return np.full(shape, 0.5)
    >>> Halves()((2,)).tolist()
    [0.5, 0.5]
    """

    def __call__(self, shape: Shape, dtype: npt.DTypeLike | None = None) -> np.ndarray:
        values = self.draw(tuple(int(size) for size in shape))
        return np.ascontiguousarray(values, dtype=np.float32 if dtype is None else dtype)

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return values of `shape` in any real dtype."""
        raise NotImplementedError(f"{type(self).__name__} must implement draw() or __call__().")

    def clone(self) -> Initializer:
        """Return an equal initializer."""
        return type(self).from_config(self.get_config())  # type: ignore[return-value]


def _stored(word: str, value: Any) -> Any:
    """`value`, or what Keras's form of an array or a seed, {"class_name": ..., "config": {...}}, has under `word`."""
    config = value.get("config", {}) if isinstance(value, Mapping) else None
    return config.get(word) if isinstance(config, Mapping) else value


class Zeros(Initializer):
    """All 0."""

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape, np.float32)


class Ones(Initializer):
    """All 1."""

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.ones(shape, np.float32)


class Constant(Initializer):
    """All `value` (default 0), a scalar or an array that broadcasts to the shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value = _stored("value", value)
        if not np.issubdtype(np.asarray(value).dtype, np.number):
            raise ValueError(arguments.must("value", "be a number or an array of numbers", value))

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.value), shape)


class Identity(Initializer):
    """`gain` (default 1) times the identity matrix; shapes of rank 2 only."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(
                f"Identity can only make matrices. Received: shape={shape} of rank {len(shape)}."
            )
        return self.gain * np.eye(*shape)


class RandomInitializer(Initializer):
    """Base class; `seed` is None, an int, a numpy.random.Generator or Keras's serialized SeedGenerator."""

    def __init__(self, seed: Any = None) -> None:
        seed = _stored("seed", seed)
        if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
            seed = int(seed)
        elif seed is not None and not isinstance(seed, np.random.Generator):
            raise ValueError(arguments.must("seed", "be None, an int or a numpy.random.Generator", seed))
        self.seed = seed
        self._entropy = random.randint(1, 10**9) if seed is None else seed

    def generator(self) -> np.random.Generator:
        if isinstance(self._entropy, np.random.Generator):
            return self._entropy
        return np.random.default_rng(self._entropy % 2**64)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config | {"seed": None} if isinstance(self.seed, np.random.Generator) else config


class RandomNormal(RandomInitializer):
    """Normal distribution: `mean` (0), `stddev` (0.05)."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.mean + self.stddev * self.generator().standard_normal(shape)


class TruncatedNormal(RandomNormal):
    """Normal distribution (`mean` 0, `stddev` 0.05) redrawn until within two standard deviations."""

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.mean + self.stddev * _within_two(self.generator(), shape)


class RandomUniform(RandomInitializer):
    """Uniform distribution on [`minval`, `maxval`), default [-0.05, 0.05)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.generator().uniform(self.minval, self.maxval, shape)


class VarianceScaling(RandomInitializer):
    """Variance scale / n, with n the fan-in, the fan-out or their mean.

    `mode` is "fan_in", "fan_out" or "fan_avg"; `distribution` "truncated_normal" (cut at two standard
    deviations and widened so that the variance holds), "untruncated_normal" or "uniform" (limit sqrt(3 scale
    / n)). `input_axes` and `output_axes` name the axes that count as inputs and outputs where the default
    rule does not fit.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        if not scale > 0:
            raise ValueError(arguments.must("scale", "be positive", scale))
        self.scale, self.mode = scale, arguments.choice("mode", mode, _MODES)
        word = arguments.choice("distribution", distribution, _DISTRIBUTIONS, True)
        self.distribution = "truncated_normal" if word == "normal" else word
        self.input_axes, self.output_axes = input_axes, output_axes

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        units = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1.0, units))
        generator = self.generator()
        if self.distribution == "uniform":
            return generator.uniform(-math.sqrt(3) * stddev, math.sqrt(3) * stddev, shape)
        if self.distribution == "untruncated_normal":
            return stddev * generator.standard_normal(shape)
        return stddev / _STDDEV_WITHIN_TWO * _within_two(generator, shape)


class _FixedScaling(VarianceScaling):
    """A VarianceScaling whose scale, mode and distribution belong to its name."""

    _fixed: tuple[float, str, str]

    def __init__(
        self,
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self._fixed, seed, input_axes, output_axes)


class GlorotUniform(_FixedScaling):
    """Uniform within sqrt(6 / (fan_in + fan_out)); Keras's default for kernels."""

    _fixed = (1.0, "fan_avg", "uniform")


class GlorotNormal(_FixedScaling):
    """Truncated normal of variance 2 / (fan_in + fan_out)."""

    _fixed = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_FixedScaling):
    """Uniform within sqrt(6 / fan_in)."""

    _fixed = (2.0, "fan_in", "uniform")


class HeNormal(_FixedScaling):
    """Truncated normal of variance 2 / fan_in."""

    _fixed = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_FixedScaling):
    """Uniform within sqrt(3 / fan_in)."""

    _fixed = (1.0, "fan_in", "uniform")


class LecunNormal(_FixedScaling):
    """Truncated normal of variance 1 / fan_in."""

    _fixed = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """`gain` (default 1) times a random matrix with orthonormal rows or columns, whichever are fewer.

    Shapes of higher rank are matrices of (product of all axes but the last) rows.
    """

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(
                f"Orthogonal needs two axes or more. Received: shape={shape} of rank {len(shape)}."
            )
        rows, cols = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(self.generator().standard_normal((max(rows, cols), min(rows, cols))))
        q = q * np.sign(np.diag(r))
        return self.gain * (q.T if rows < cols else q).reshape(shape)


_STDDEV_WITHIN_TWO = 0.87962566103423978  # of a standard normal variable cut at +-2


def _within_two(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal values, redrawn until all lie within +-2."""
    values = generator.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = generator.standard_normal(int(np.count_nonzero(outside)))
    return values


def compute_fans(
    shape: Shape, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """Inputs and outputs of a unit: a convolution kernel (..., cin, filters) counts its whole window."""
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


zeros, ones, constant, identity = Zeros, Ones, Constant, Identity
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, orthogonal = VarianceScaling, Orthogonal
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal, lecun_uniform, lecun_normal = HeUniform, HeNormal, LecunUniform, LecunNormal

IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal  # Keras's other names

TABLE = Table(
    "initializers",
    (
        Zeros, Ones, Constant, Identity, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling, GlorotUniform,
        GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal,
    ),
    {
        "zero": Zeros, "one": Ones, "normal": RandomNormal, "uniform": RandomUniform, "IdentityInitializer": Identity,
        "OrthogonalInitializer": Orthogonal,
    },
)  # fmt: skip
serialize, deserialize = TABLE.serialize, TABLE.deserialize


def get(identifier: Any, word: str | None = None) -> Callable[..., Any] | None:
    """Return an initializer for a name, a serialized dict, a class, a callable or an array; None for None.

    word: the argument that holds it, for messages; default "initializer". Raises ValueError for anything else.
    """
    if isinstance(identifier, (np.ndarray, np.generic)):
        return _Values(identifier)
    return TABLE.get(identifier, word)


class _Values(Initializer):
    """The given values, for exactly their own shape."""

    def __init__(self, values: np.ndarray | np.generic) -> None:
        self.values = np.asarray(values)

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        if shape != self.values.shape:
            raise ValueError(f"These values have shape {self.values.shape}. Received: shape={shape}")
        return self.values.copy()
