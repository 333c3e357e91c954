"""Fourier transforms among the operations of `keras.ops`: of complex values as pairs of real and imaginary parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...arguments import must
from .operands import constant, host, is_tensor, refused_for_batch


def fourier(transform: Callable[[np.ndarray], np.ndarray], axes: int) -> Callable[..., Any]:
    """NumPy's `transform` of the last `axes` axes, which are none of the batch."""

    def lower(f: Any, x: Any) -> list[Any]:
        if not isinstance(x, (tuple, list, np.ndarray)) or len(x) != 2:
            raise TypeError(must("x", "be the real and the imaginary part", x))
        parts = [constant("x", part) for part in x]
        shape = next((part.shape for part in parts if is_tensor(part)), parts[0].shape)
        if any(tuple(part.shape) != tuple(shape) for part in parts):
            raise ValueError(
                must("x", "be two parts of one shape", ", ".join(str(tuple(part.shape)) for part in parts))
            )
        if len(shape) <= axes:
            raise refused_for_batch("A Fourier transform along")

        def step(take: Callable[[np.ndarray], np.ndarray]) -> Any:
            return host(f, lambda real, imaginary: take(transform(real + 1j * imaginary)), parts, shape)

        return [step(np.real), step(np.imag)]

    return lower
