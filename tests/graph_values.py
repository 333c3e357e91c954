"""Values for graphs, the operations of what is compiled, and how close its results must be."""

import numpy as np

from error_measure import relative_l2

RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def ops(executable):
    return [node["op"] for node in executable.nodes]


def close(got, expected):
    assert got.shape == expected.shape and got.dtype == np.float32
    assert relative_l2(got, expected) < 2e-6
