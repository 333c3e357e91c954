"""Initializers: Keras's formulas (by statistics), strings and configurations."""

import math
import random

import numpy as np
import pytest

from conv2d_native import initializers

NAMES = sorted(initializers.TABLE.classes)
SHAPE = (3, 3, 64, 128)
FAN_IN, FAN_OUT = 576, 1152
TRUNCATED_PEAK = 2 / 0.87962566103423978


@pytest.mark.parametrize(
    "name, variance, limit",
    [
        ("glorot_uniform", 2 / (FAN_IN + FAN_OUT), math.sqrt(3)),
        ("glorot_normal", 2 / (FAN_IN + FAN_OUT), TRUNCATED_PEAK),
        ("he_uniform", 2 / FAN_IN, math.sqrt(3)),
        ("he_normal", 2 / FAN_IN, TRUNCATED_PEAK),
        ("lecun_uniform", 1 / FAN_IN, math.sqrt(3)),
        ("lecun_normal", 1 / FAN_IN, TRUNCATED_PEAK),
        ("variance_scaling", 1 / FAN_IN, TRUNCATED_PEAK),
        ("random_normal", 0.05**2, None),
        ("random_uniform", 0.05**2 / 3, math.sqrt(3)),
        ("truncated_normal", (0.05 * 0.87962566103423978) ** 2, TRUNCATED_PEAK),
    ],
)
def test_distribution(name, variance, limit):
    values = initializers.get(name)(SHAPE)
    assert values.dtype == np.float32 and values.shape == SHAPE and values.flags.c_contiguous
    spread = math.sqrt(variance)
    assert abs(values.mean()) < 5 * spread / math.sqrt(values.size)
    assert values.std() == pytest.approx(spread, rel=0.01)
    peak = np.abs(values).max() / spread
    assert peak > 4 if limit is None else 0.99 * limit < peak <= limit * (1 + 1e-6)


def test_the_middle_of_a_truncated_normal_is_normal():
    values = initializers.TruncatedNormal(1.0, 2.0, seed=3)((200_000,))
    within_one = np.count_nonzero(np.abs(values - 1) < 2) / values.size
    assert within_one == pytest.approx(math.erf(1 / math.sqrt(2)) / math.erf(math.sqrt(2)), abs=0.004)


@pytest.mark.parametrize(
    "shape, fans",
    [((), (1, 1)), ((5,), (5, 5)), ((3, 4), (3, 4)), ((3, 3, 8, 16), (72, 144)), ((2, 3, 4), (6, 8))],
)
def test_fans_as_in_keras(shape, fans):
    assert initializers.compute_fans(shape) == fans


def test_fans_of_named_axes():
    assert initializers.compute_fans((3, 3, 8, 16), [0], [3]) == (3, 16)


def test_constants():
    assert (initializers.get("zeros")((2, 3)) == 0).all()
    assert (initializers.get("ones")((2, 3)) == 1).all()
    assert (initializers.Constant(2.5)((2, 3)) == 2.5).all()
    np.testing.assert_array_equal(initializers.Identity(2)((2, 3)), [[2, 0, 0], [0, 2, 0]])
    assert initializers.Zeros()((2,), dtype="float64").dtype == np.float64
    with pytest.raises(ValueError, match="rank 3"):
        initializers.Identity()((1, 2, 3))


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 3, 2, 5), (2, 2, 20)])
def test_orthogonal(shape):
    matrix = initializers.Orthogonal(gain=3.0, seed=1)(shape).reshape(-1, shape[-1])
    product = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 9 * np.eye(len(product)), atol=1e-5)
    with pytest.raises(ValueError, match="two axes"):
        initializers.Orthogonal()((3,))


def test_seeds():
    def first(seed):
        return initializers.RandomNormal(seed=seed)((4,)).tolist()

    assert first(7) == first(7) != first(8)
    unseeded = initializers.GlorotUniform()
    assert unseeded((4,)).tolist() == unseeded((4,)).tolist() != initializers.GlorotUniform()((4,)).tolist()
    stream = initializers.RandomNormal(seed=np.random.default_rng(0))
    assert stream((4,)).tolist() != stream((4,)).tolist()
    random.seed(5)
    once = initializers.get("he_normal")((4,)).tolist()
    random.seed(5)
    assert initializers.get("he_normal")((4,)).tolist() == once
    keras_form = {"module": "keras.random", "class_name": "SeedGenerator", "config": {"seed": 7, "name": "s"}}
    assert first(keras_form) == first(7)
    assert initializers.RandomNormal(seed=-3)((4,)).shape == (4,)
    for bad in (1.5, "7", True):
        with pytest.raises(ValueError, match="`seed`"):
            initializers.RandomNormal(seed=bad)


def test_configurations_are_keras_s():
    scaled = {"seed": 3, "scale": 2.0, "mode": "fan_out", "distribution": "uniform"}
    axes = {"input_axes": None, "output_axes": None}
    assert initializers.VarianceScaling(2.0, "fan_out", "uniform", 3).get_config() == scaled | axes
    assert initializers.GlorotUniform(3).get_config() == {"seed": 3} | axes
    assert initializers.RandomNormal().get_config() == {"seed": None, "mean": 0.0, "stddev": 0.05}
    assert initializers.serialize(initializers.Constant(np.float32(2.5)))["config"] == {"value": 2.5}


def test_strings_of_keras():
    for alias, name in {
        "zero": "Zeros",
        "one": "Ones",
        "normal": "RandomNormal",
        "uniform": "RandomUniform",
        "OrthogonalInitializer": "Orthogonal",
        "glorot_uniform": "GlorotUniform",
    }.items():
        assert type(initializers.get(alias)).__name__ == name
    assert initializers.he_normal is initializers.HeNormal


def test_values_and_callables():
    values = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(initializers.get(values)((2, 3)), values)
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        initializers.get(values)((3, 2))

    def mine(shape, dtype=None):
        return np.full(shape, 9.0, dtype)

    assert initializers.get(mine) is mine and initializers.get(None) is None


@pytest.mark.parametrize(
    "bad",
    [
        "glorot",
        "os.system",
        3,
        {"config": {}},
        {"class_name": "Mine", "config": {}},
        {"class_name": "Zeros", "config": {"x": 1}},
        {"class_name": ["Zeros"]},
        {"class_name": "Zeros", "config": [1]},
    ],
)
def test_what_is_not_an_initializer_is_refused(bad):
    with pytest.raises(ValueError, match="initializer"):
        initializers.get(bad)


@pytest.mark.parametrize(
    "arguments, word",
    [
        ({"scale": 0}, "scale"),
        ({"scale": -1.0}, "scale"),
        ({"mode": "fan"}, "mode"),
        ({"distribution": "x"}, "distribution"),
    ],
)
def test_bad_arguments(arguments, word):
    with pytest.raises(ValueError, match=word):
        initializers.VarianceScaling(**arguments)
