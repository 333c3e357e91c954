"""Automatic names of models, and paths of layers and weights: what Keras gives, whatever is made first."""

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L


@pytest.fixture(autouse=True)
def names_begin_anew():
    cn.backend.clear_session()


def functional():
    x = cn.Input((4,))
    return cn.Model(x, L.Dense(2)(x))


def stack(*sizes):
    return cn.Sequential([cn.Input((4,)), *map(L.Dense, sizes)])


def test_a_sequential_takes_the_name_of_a_functional_model_when_it_is_built():
    model = cn.Sequential([L.Dense(3), L.Dense(2)])
    assert functional().name == "functional"
    model.build((None, 4))
    assert functional().name == "functional_2"
    model(np.zeros((1, 4)))
    model(cn.Input((4,)))
    assert functional().name == "functional_3"


def test_every_layer_that_is_added_or_taken_off_takes_another_name():
    model = cn.Sequential()
    for layer in (cn.Input((4,)), L.Dense(3), L.Dense(2)):
        model.add(layer)
    assert functional().name == "functional_2"
    model.pop()
    model.pop()
    assert functional().name == "functional_4" and not model.built


def test_a_model_at_the_bottom_takes_no_name_until_another_layer_is_added():
    model = cn.Sequential()
    model.add(functional())
    model.add(L.ReLU())
    model.add(L.Dense(2))
    assert functional().name == "functional_3"


def test_names_that_copies_of_a_sequential_take(tmp_path):
    model = stack(2, 2, 2)
    cn.Sequential.from_config(model.get_config())
    assert functional().name == "functional_4"
    cn.models.clone_model(model)
    assert functional().name == "functional_6"
    x = cn.Input((4,))
    around = cn.Model(x, model(x))
    assert (around.name, cn.models.clone_model(around).name) == ("functional_7", "functional_7")
    assert functional().name == "functional_11"
    cn.Sequential([cn.Input((4,)), L.Dense(4), model]).save(tmp_path / "model.keras")
    cn.models.load_model(tmp_path / "model.keras")
    assert functional().name == "functional_18"


def kernels(model):
    return [v.path for v in model.weights if v.name not in ("bias", "beta")]


def test_paths_begin_with_the_model_in_which_a_layer_was_built():
    assert kernels(stack(3, 2)) == ["sequential/dense/kernel", "sequential/dense_1/kernel"]
    assert kernels(functional()) == ["dense_2/kernel"]
    inner = cn.Sequential([L.Dense(2)], name="inner")
    assert kernels(cn.Sequential([cn.Input((4,)), inner, L.Dense(2)])) == [
        "sequential_1/inner/dense_3/kernel",
        "sequential_1/dense_4/kernel",
    ]
    layer = L.Dense(2)
    assert layer.path is None
    layer.build((None, 4))
    model = cn.Sequential([cn.Input((4,)), layer])
    assert (layer.path, kernels(model), model.path) == ("dense_5", ["dense_5/kernel"], "sequential_2")
    assert repr(layer.kernel).startswith("<Variable path=dense_5/kernel, shape=(4, 2), dtype=float32")
    within = cn.Sequential([L.TimeDistributed(L.Dense(2))])
    within.build((None, 3, 4))
    assert kernels(within) == ["sequential_3/time_distributed/dense_6/kernel"]
    within.add(L.Dense(1))
    assert within.layers[-1].path == "sequential_3/dense_7"


def test_paths_in_copies_of_a_model():
    model = stack(3)
    assert kernels(cn.Sequential.from_config(model.get_config())) == ["dense/kernel"]
    assert kernels(cn.models.clone_model(model)) == ["sequential/dense/kernel"]


class Gain(L.Layer):
    """A layer built first, a stack that was built before, and one that its first call builds."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.before, self.last = L.Dense(4), stack(4), cn.Sequential([L.Dense(4)])

    def build(self, input_shape):
        self.first.build(input_shape)
        self.gain = self.add_weight(shape=(4,), name="gain")

    def call(self, x):
        return self.last(self.before(self.first(x) * self.gain))


class Gains(cn.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.offset = self.add_weight(shape=(4,), name="offset")
        self.gains = [Gain(), Gain()]

    def call(self, x):
        for gain in self.gains:
            x = gain(x)
        return x + self.offset


@pytest.mark.parametrize("given", [np.zeros((1, 4), np.float32), cn.Input((4,))], ids=["array", "symbol"])
def test_paths_in_classes_of_ones_own(given):
    model = Gains(name="own")
    model(given)
    assert model.path == "own" and model.gains[1].last.path == "own/gain_1/sequential_3"
    assert kernels(model) == [
        "own/offset",
        "own/gain/gain",
        "own/gain/dense/kernel",
        "sequential/dense_1/kernel",
        "own/gain/sequential_1/dense_2/kernel",
        "own/gain_1/gain",
        "own/gain_1/dense_3/kernel",
        "sequential_2/dense_4/kernel",
        "own/gain_1/sequential_3/dense_5/kernel",
    ]
