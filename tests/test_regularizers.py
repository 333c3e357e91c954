"""Regularizers: values that Keras 3 computes, strings and configurations."""

import numpy as np
import pytest

from conv2d_native import regularizers

WEIGHTS = np.arange(-6, 6, dtype=np.float32).reshape(4, 3) / 4


@pytest.mark.parametrize(
    "regularizer, keras_value",
    [
        (regularizers.L1(0.3), 2.7),
        (regularizers.L2(0.2), 1.825),
        (regularizers.L1L2(0.1, 0.2), 2.725),
        (regularizers.L1L2(), 0.0),
        (regularizers.OrthogonalRegularizer(0.5), 0.3972482681274414),
        (regularizers.OrthogonalRegularizer(0.5, "columns"), 0.46038493514060974),
    ],
)
def test_penalty(regularizer, keras_value):
    penalty = regularizer(WEIGHTS)
    assert penalty.dtype == np.float32 and float(penalty) == pytest.approx(keras_value, rel=1e-6)


def test_strings_and_defaults():
    assert regularizers.get("l2").get_config() == {"l2": 0.01}
    assert regularizers.get("l1").get_config() == {"l1": 0.01}
    assert regularizers.get("L1L2").get_config() == {"l1": 0.0, "l2": 0.0}
    assert type(regularizers.get("l1_l2")) is type(regularizers.get("l1l2")) is regularizers.L1L2
    assert regularizers.l2(0.5).get_config() == {"l2": 0.5}
    assert regularizers.get(None) is None and regularizers.serialize(None) is None


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "0.1"])
def test_bad_factors(value):
    with pytest.raises(ValueError, match="`l2` must be a non-negative float"):
        regularizers.L2(value)


def test_bad_uses():
    with pytest.raises(ValueError, match="mode"):
        regularizers.OrthogonalRegularizer(mode="both")
    with pytest.raises(ValueError, match="matrices"):
        regularizers.OrthogonalRegularizer()(np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match=r"'l1l2'.*regularizer='l3'"):
        regularizers.get("l3")
    with pytest.raises(ValueError, match="serialized"):
        regularizers.serialize(lambda x: 0.0)
