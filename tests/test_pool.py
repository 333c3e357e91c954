"""Pooling on every instruction set: windows, padding, NaN in every lane, global pooling, threads."""

from __future__ import annotations

import numpy as np
import pytest

import oracle
from conv2d_native import _core

RNG = np.random.default_rng(0)
ORACLE = {"max": oracle.max_pool2d, "average": oracle.average_pool2d}


def pool(x, kind, size, strides, padding=((0, 0), (0, 0))):
    g = _core.Graph()
    value = g.pool(g.input((1, *x.shape[1:])), kind, size, strides, padding)
    return g.compile([value], x.shape[0]).run([x])[0]


# h, w, c, window, strides, padding
CASES = (
    (9, 8, 5, (3, 3), (2, 2), ((0, 1), (0, 1))),
    (8, 8, 33, (2, 2), (2, 2), ((0, 0), (0, 0))),
    (7, 7, 70, (3, 3), (1, 1), ((1, 1), (1, 1))),
    (7, 7, 130, (7, 7), (1, 1), ((0, 0), (0, 0))),
    (11, 5, 16, (3, 2), (1, 2), ((2, 1), (0, 1))),
    (20, 21, 32, (3, 3), (2, 2), ((1, 1), (1, 1))),
    (6, 6, 3, (5, 5), (3, 3), ((2, 2), (2, 2))),
    (35, 35, 48, (3, 3), (1, 1), ((1, 1), (1, 1))),
    (3, 2, 17, (3, 3), (2, 2), ((1, 1), (1, 1))),
    (1, 1, 1, (3, 3), (1, 1), ((1, 1), (1, 1))),
    (12, 40, 64, (3, 3), (1, 1), ((0, 0), (0, 0))),
    (12, 41, 65, (3, 3), (2, 2), ((0, 0), (0, 0))),
    (5, 9, 20, (1, 3), (1, 1), ((0, 0), (1, 1))),
    # wider than a block of columns
    (4, 100, 7, (3, 3), (1, 1), ((1, 1), (1, 1))),
    (3, 97, 70, (2, 5), (1, 2), ((0, 1), (2, 2))),
    (2, 150, 5, (2, 101), (1, 3), ((0, 0), (50, 50))),
    (2, 50, 65, (2, 49), (1, 1), ((0, 0), (0, 0))),
)


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_windows(case, kind, isa):
    """Row G6 among them: an average at the border counts the cells that are there."""
    h, w, c, size, strides, padding = case
    x = RNG.standard_normal((2, h, w, c)).astype(np.float32)
    got, expected = pool(x, kind, size, strides, padding), ORACLE[kind](x, size, strides, padding)
    if kind == "max":
        np.testing.assert_array_equal(got, expected)
    else:
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
    x[RNG.random(x.shape) < 0.01] = np.nan
    got, expected = pool(x, kind, size, strides, padding), ORACLE[kind](x, size, strides, padding)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))


def test_windows_of_padding_alone(isa):
    """The maximum of nothing is minus infinity, its average NaN, whatever lies beside it."""
    x = RNG.standard_normal((1, 4, 5, 19)).astype(np.float32)
    outside = ((3, 3), (3, 4))
    for kind, empty in (("max", -np.inf), ("average", np.nan)):
        got = pool(x, kind, (2, 2), (1, 1), outside)
        expected = np.full((1, 9, 11, 19), empty)
        expected[:, 2:7, 2:8] = ORACLE[kind](x, (2, 2), (1, 1), ((1, 1), (1, 1)))
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [(2, 2), (3, 3)])
def test_nan_in_every_channel_and_place(size, isa):
    """Row G4: where NaN stands, and in which lane, makes no difference."""
    for channels in (1, 5, 16, 23, 70):
        for i, j in np.ndindex(*size):
            x = np.zeros((1, *size, channels), np.float32)
            for c in range(channels):
                x[:] = 0
                x[0, i, j, c] = np.nan
                got = pool(x, "max", size, (1, 1))[0, 0, 0]
                np.testing.assert_array_equal(np.isnan(got), np.arange(channels) == c)


def test_windows_of_infinities_and_nan(isa):
    """Row G5: padding never wins."""
    same = ((1, 1), (1, 1))
    x = np.full((1, 5, 5, 19), -np.inf, np.float32)
    assert (pool(x, "max", (3, 3), (1, 1), same) == -np.inf).all()
    x[:] = np.nan
    assert np.isnan(pool(x, "max", (3, 3), (1, 1), same)).all()
    x[:] = -7
    for kind in ("max", "average"):
        np.testing.assert_allclose(pool(x, kind, (3, 3), (2, 2), same), -7, rtol=3e-7)


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("shape", [(1, 56, 50, 16), (3, 7, 7, 150), (2, 30, 1, 3)], ids=str)
def test_global(shape, kind, isa):
    x = RNG.uniform(0.5, 1, shape).astype(np.float32)
    x[0, 3, 0, 1] = np.nan
    size = shape[1:3]
    got, expected = pool(x, kind, size, (1, 1)), ORACLE[kind](x, size, (1, 1), ((0, 0), (0, 0)))
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["max", "average"])
def test_threads_and_batch_change_no_bit(kind, isa):
    x = RNG.standard_normal((5, 20, 19, 37)).astype(np.float32)
    for size, strides in (((3, 3), (2, 2)), ((3, 3), (1, 1)), ((20, 3), (1, 2)), ((20, 19), (1, 1))):
        _core.set_num_threads(1)
        expected = pool(x, kind, size, strides)
        for threads in (2, 4):
            _core.set_num_threads(threads, True)
            got, one = pool(x, kind, size, strides), pool(x[2:3].copy(), kind, size, strides)
            np.testing.assert_array_equal(got, expected)
            np.testing.assert_array_equal(one[0], expected[2])
