"""Constraints: values that Keras 3 computes, strings and configurations."""

import numpy as np
import pytest

from conv2d_native import constraints

WEIGHTS = np.arange(-6, 6, dtype=np.float32).reshape(4, 3) / 4


@pytest.mark.parametrize(
    "constraint, keras_row",
    [
        (constraints.MaxNorm(1.0), [-0.81649649, -0.73720968, -0.58976781]),
        (constraints.MaxNorm(1.0, axis=1), [-0.6837635, -0.56980288, -0.45584229]),
        (constraints.NonNeg(), [0.0, 0.0, 0.0]),
        (constraints.UnitNorm(), [-0.81649661, -0.7372098, -0.58976781]),
        (constraints.MinMaxNorm(1.0, 1.5, rate=0.75), [-1.29355848, -1.14186084, -0.91348869]),
    ],
)
def test_first_row(constraint, keras_row):
    projected = constraint(WEIGHTS)
    assert projected.dtype == np.float32 and projected.shape == WEIGHTS.shape
    np.testing.assert_allclose(projected[0], keras_row, rtol=3e-7)


def test_norms_of_convolution_kernels():
    kernel = np.random.default_rng(0).standard_normal((3, 3, 4, 5)).astype(np.float32)
    projected = constraints.UnitNorm(axis=[0, 1, 2])(kernel)
    np.testing.assert_allclose(np.square(projected).sum(axis=(0, 1, 2)), np.ones(5), rtol=1e-6)


def test_the_argument_is_left_alone():
    weights = -np.ones((2, 2), np.float32)
    constraints.NonNeg()(weights)
    assert (weights == -1).all()


def test_strings():
    assert constraints.get("max_norm").get_config() == {"max_value": 2, "axis": 0}
    assert type(constraints.get("non_neg")) is constraints.NonNeg
    assert constraints.get("MinMaxNorm").get_config() == {
        "min_value": 0.0,
        "max_value": 1.0,
        "rate": 1.0,
        "axis": 0,
    }
    assert constraints.serialize(constraints.MaxNorm(2, (0, 1)))["config"] == {"max_value": 2, "axis": [0, 1]}
    with pytest.raises(ValueError, match="`constraint` must be one of"):
        constraints.get("positive")
