"""How far a result is from its float64 reference, in units of u * S of each output.

u is 2^-24 and S the sum of the absolute terms of the output (Higham, Accuracy and Stability of Numerical Algorithms,
section 3.1): a measure that neither cancellation nor small weights can spoil.
"""

from __future__ import annotations

import math

import numpy as np

UNIT = 2.0**-24
SMALLEST = 2.0**-149  # the least subnormal float32


def error_ratio(got, ref, scale):
    """Largest |got - ref| / (u * S): 0 is exact, infinity a NaN or infinity that is not at its place."""
    got, ref = np.asarray(got, np.float64), np.asarray(ref, np.float64)
    if got.shape != ref.shape:
        raise AssertionError(f"shape {got.shape} is not the reference's {ref.shape}")
    special = ~np.isfinite(ref)
    if not np.array_equal(got[special], ref[special], equal_nan=True) or not np.isfinite(got[~special]).all():
        return math.inf
    unit = np.maximum(UNIT * np.broadcast_to(scale, ref.shape)[~special], SMALLEST)
    return float(np.max(np.abs(got[~special] - ref[~special]) / unit, initial=0.0))


def relative_l2(got, ref):
    """|got - ref| / |ref| in the Euclidean norm; 0 when both are all zero."""
    difference = np.linalg.norm((np.asarray(got, np.float64) - ref).ravel())
    return float(
        difference / max(np.linalg.norm(np.asarray(ref, np.float64).ravel()), np.finfo(np.float64).tiny)
    )


def trusted(ref):
    """A comparison against outputs that are mostly zero proves little: False when more than 70 % are."""
    return np.count_nonzero(ref) >= 0.3 * np.size(ref)
