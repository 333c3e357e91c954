"""Keras's place for random numbers, `keras.random`: inference draws none, and keeps what layers hold for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import arguments
from .layers.base import unique_name

__all__ = ["SeedGenerator"]

_DRAWING = (
    "beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint", "shuffle", "truncated_normal",
    "uniform",
)  # fmt: skip


class SeedGenerator:
    """The seed that a layer of one's own holds for what it does in training; nothing is drawn from it.

    seed: None or an integer. name: default "seed_generator" with a number. It has no weights, here and in files, where
    Keras's state of it is passed over. Raises TypeError for a seed that is no integer.

        >>> SeedGenerator(1337).seed
        1337
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self.seed = None if seed is None else arguments.integer("seed", seed, low=None)
        self.name = name or unique_name("seed_generator")

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


def __getattr__(name: str) -> Any:
    hint = ""
    if name in _DRAWING:
        hint = (
            ": inference draws no random numbers. Make arrays with numpy.random, and leave in call() what is drawn "
            "to `if training:`"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
