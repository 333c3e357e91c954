"""Interpolation weights of image resizing: half-pixel centres, one dense matrix per axis.

Weights of taps outside the image are dropped and the rest brought to sum 1, as TensorFlow does. Cubic: Keys,
Cubic convolution interpolation, 1981, with a = -0.5; its positions are rounded to 1/1024 of a cell because
TensorFlow reads cubic weights from a table of that many entries. With antialiasing (which does not round) the
kernel is stretched by size / out where the image shrinks. Area: a cell's weight is the part of it that lies in the
output's cell; antialiasing changes nothing there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .newest import Newest

_CUBIC_STEPS = 1024
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area")
_kept: Newest[Any, np.ndarray] = Newest(16, 16 << 20, lambda weights: weights.nbytes)
_RADIUS = {"bilinear": 1, "bicubic": 2, "lanczos3": 3, "lanczos5": 5}


def _kernel(interpolation: str, t: np.ndarray) -> np.ndarray:
    t = np.abs(t)
    if interpolation == "bilinear":
        return np.maximum(1 - t, 0)
    if interpolation == "bicubic":
        near, far = (1.5 * t - 2.5) * t * t + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
        return np.where(t < 1, near, np.where(t < 2, far, 0))
    radius = _RADIUS[interpolation]
    return np.where(t < radius, np.sinc(t) * np.sinc(t / radius), 0)


def _shared(size: int, out: int) -> np.ndarray:
    """(out, size): the length that cell i of `out` cells shares with each of `size` cells of length 1."""
    starts, cells = np.arange(out)[:, None] * (size / out), np.arange(size)
    return np.maximum(np.minimum(cells + 1, starts + size / out) - np.maximum(cells, starts), 0)


def matrix(size: int, out: int, interpolation: str, antialias: bool = False) -> np.ndarray:
    """(out, size) float32: row i holds the weights of the cells that make output i; "nearest" is the core's alone."""
    key = (size, out, interpolation, antialias)
    made = _kept.get(key)
    if made is None:
        made = _kept[key] = _weights(*key)
    return made


def _weights(size: int, out: int, interpolation: str, antialias: bool) -> np.ndarray:
    position = (np.arange(out) + 0.5) * (size / out) - 0.5
    stretch = max(size / out, 1.0) if antialias else 1.0
    if interpolation == "bicubic" and not antialias:
        whole = np.floor(position)
        position = whole + np.rint((position - whole) * _CUBIC_STEPS) / _CUBIC_STEPS
    if interpolation == "area":
        weights = _shared(size, out)
    else:
        weights = _kernel(interpolation, (np.arange(size) - position[:, None]) / stretch)
    made = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    made.flags.writeable = False
    return made


def resize(x: np.ndarray, size: tuple[int, int], interpolation: str, antialias: bool = False) -> np.ndarray:
    """Resize (n, h, w, c) to (n, *size, c)."""
    n, h, w, c = x.shape
    rows, cols = matrix(h, size[0], interpolation, antialias), matrix(w, size[1], interpolation, antialias)
    tall = (rows @ x.reshape(n, h, w * c)).reshape(n, size[0], w, c)
    return cols @ tall
