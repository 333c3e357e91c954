"""Interpolation weights of image resizing in float64: half-pixel centres, one dense matrix per axis."""

from __future__ import annotations

import numpy as np

_CUBIC_STEPS = 1024  # TensorFlow takes cubic weights from a table of this many positions between two cells


def _lanczos(t, radius):
    return np.where(np.abs(t) < radius, np.sinc(t) * np.sinc(t / radius), 0.0)


def _cubic(t, a=-0.5):
    """Keys, Cubic convolution interpolation, 1981, equation 4 in its general form."""
    t = np.abs(t)
    near, far = (a + 2) * t**3 - (a + 3) * t**2 + 1, a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
    return np.where(t < 1, near, np.where(t < 2, far, 0.0))


RESAMPLERS = {
    "bilinear": lambda t: np.maximum(1 - np.abs(t), 0),
    "bicubic": _cubic,
    "lanczos3": lambda t: _lanczos(t, 3),
    "lanczos5": lambda t: _lanczos(t, 5),
}


def resize_matrix(size, out, interpolation):
    """(out, size) matrix of one axis: half-pixel centres, taps outside dropped, the rest brought to sum 1."""
    centres = (np.arange(out) + 0.5) * size / out
    if interpolation == "nearest":
        return np.eye(size)[np.minimum(centres.astype(int), size - 1)]
    position = centres - 0.5
    if interpolation == "bicubic":
        position = np.floor(position) + np.rint((position - np.floor(position)) * _CUBIC_STEPS) / _CUBIC_STEPS
    weights = RESAMPLERS[interpolation](np.arange(size) - position[:, None])
    return weights / weights.sum(axis=1, keepdims=True)
