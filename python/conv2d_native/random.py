"""Random numbers, `keras.random`: arrays, and in a layer's call numbers that every call of the model draws anew.

    epsilon = random.normal(ops.shape(mean), seed=self.seed_generator)       # in call(self, x)

The distributions are Keras's, the numbers are not: they come from NumPy's PCG64. A SeedGenerator goes on from draw to
draw, and one of the same seed gives the same sequence; an integer gives the same numbers in every draw; None takes a
new seed from Python's `random`. Shapes in a call start with the batch, or with 1 for numbers that all images share;
predict draws for one batch after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import arguments
from .initializers import RandomInitializer, RandomNormal, RandomUniform, TruncatedNormal
from .layers.any_batch import for_batch, is_batch, is_recording
from .layers.names import unique_name

__all__ = ["SeedGenerator", "normal", "randint", "truncated_normal", "uniform"]

_ABSENT = ("beta", "binomial", "categorical", "dropout", "gamma", "shuffle")


class SeedGenerator:
    """A sequence of random numbers that a layer of one's own holds: what is drawn with it goes on from draw to draw.

    seed: None, for another sequence each time, or an integer. name: default "seed_generator" with a number. It has no
    weights, here and in files, where Keras's state of it is passed over. Raises TypeError for other seeds.

        >>> SeedGenerator(1337).seed
        1337
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self.seed = None if seed is None else arguments.integer("seed", seed, low=None)
        self.name = name or unique_name("seed_generator")
        self._sequence = RandomInitializer(self.seed).generator()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor.

        >>> SeedGenerator(3, name="noise").get_config()
        {'seed': 3, 'name': 'noise'}
        """
        return {"seed": self.seed, "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SeedGenerator:
        """Make one from what get_config returned.

        >>> SeedGenerator.from_config({"seed": 3, "name": "noise"}).seed
        3
        """
        return cls(**config)


def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Draw from the normal distribution.

    >>> normal((2, 3), seed=7).shape
    (2, 3)
    """
    mean, stddev = arguments.number("mean", mean), arguments.number("stddev", stddev)
    return _drawn(lambda seed: RandomNormal(mean, stddev, seed).draw, shape, dtype, seed)


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Draw from the normal distribution, within two standard deviations of the mean.

    >>> bool(np.abs(truncated_normal((1000,))).max() <= 2)
    True
    """
    mean, stddev = arguments.number("mean", mean), arguments.number("stddev", stddev)
    return _drawn(lambda seed: TruncatedNormal(mean, stddev, seed).draw, shape, dtype, seed)


def uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Draw from the numbers between `minval` and `maxval`, all as likely.

    >>> bool(uniform((1000,), 2.0, 3.0).min() >= 2)
    True
    """
    low, high = arguments.number("minval", minval), arguments.number("maxval", maxval)
    return _drawn(lambda seed: RandomUniform(low, high, seed).draw, shape, dtype, seed)


def randint(shape: Any, minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Draw integers from `minval` on and below `maxval`.

    >>> sorted(set(randint((100,), 3, 5).tolist()))
    [3, 4]
    """
    low = arguments.integer("minval", minval, low=None)
    high = arguments.integer("maxval", maxval, low=low + 1)
    return _drawn(lambda seed: _Integers(low, high, seed).draw, shape, dtype, seed)


class _Integers(RandomInitializer):
    """All integers from `low` on and below `high`, as likely."""

    def __init__(self, low: int, high: int, seed: Any) -> None:
        super().__init__(seed)
        self.low, self.high = low, high

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.generator().integers(self.low, self.high, shape)


def _drawn(
    distribution: Callable[[Any], Callable[..., np.ndarray]], shape: Any, dtype: Any, seed: Any
) -> Any:
    """What distribution(seed) makes of `shape`: an array, or in a layer's call what makes one each time."""
    sizes = arguments.sizes("shape", shape, low=0)
    source = seed._sequence if isinstance(seed, SeedGenerator) else seed
    RandomInitializer(source)  # raises for what is no seed

    def draw(*sizes: Any) -> np.ndarray:
        return distribution(source)(sizes).astype(dtype or np.float32)

    if not is_recording() and None not in sizes:
        return draw(*sizes)
    first = shape[0] if sizes else 0
    if sizes and is_batch(first):
        return for_batch(lambda n: draw(n, *sizes[1:]), (first, *sizes[1:]), whole_batch=True)
    if sizes[:1] == (1,):
        return for_batch(lambda n: draw(*sizes).repeat(n, axis=0), sizes, whole_batch=True)
    raise ValueError(
        arguments.must("shape", "start with the batch, ops.shape(x)[0], or with 1 in a layer's call", sizes)
    )


def __getattr__(name: str) -> Any:
    hint = f": draw with {', '.join(__all__[1:])}, or with numpy.random" if name in _ABSENT else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
