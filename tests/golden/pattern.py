"""Numbers that are the same on every machine, for golden files that then hold answers only."""

from __future__ import annotations

import zlib

import numpy as np


def pattern(shape, key: str, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """float32 values of `shape`, uniform in [low, high), a pure function of the arguments (splitmix64)."""
    with np.errstate(over="ignore"):
        z = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += np.uint64(zlib.crc32(key.encode())) << np.uint64(32)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    unit = (z >> np.uint64(40)).astype(np.float64) / 2**24
    return (low + (high - low) * unit).astype(np.float32).reshape(shape)


def weight(name: str, shape, key: str) -> np.ndarray:
    """A weight of a layer by its Keras name: variances and gains are positive, kernels scaled by their fan-in."""
    key = f"{key}/{name}"
    if name.endswith("variance") or name.endswith("gamma"):
        return pattern(shape, key, 0.5, 1.5)
    if len(shape) < 2:
        return pattern(shape, key, -0.5, 0.5)
    return pattern(shape, key) * np.float32(2 / np.prod(shape[:-1]) ** 0.5)
