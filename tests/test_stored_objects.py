"""Initializers, regularizers and constraints of the user's own in files: inference needs none, and files keep them."""

import copy
import json
import pickle

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L

RNG = np.random.default_rng(28)
# As Keras 3.15 writes an instance, a function, and one registered under a package; and Keras 2 an instance.
WRITTEN = {
    "class": {
        "module": None, "class_name": "Own", "config": {"size": 2.0}, "registered_name": "Own"
    },
    "function": {
        "module": "builtins", "class_name": "function", "config": "Own", "registered_name": "function"
    },
    "registered": {
        "module": None, "class_name": "Own", "config": {"size": 2.0}, "registered_name": "pack>Own"
    },
    "keras_2": {"class_name": "Own", "config": {"size": 2.0}},
    "name": "Own",
    "called as Keras's": {  # keras.io's PointNet has one with other arguments
        "module": None, "class_name": "L2", "config": {"size": 2.0}, "registered_name": "L2"
    },
}  # fmt: skip
WORDS = ("kernel_initializer", "bias_regularizer", "kernel_constraint", "activity_regularizer")


class Own:
    def __init__(self, size=1.0):
        self.size = size

    def __call__(self, shape, dtype=None):
        return np.full(shape, self.size)

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def own(shape, dtype=None):
    return np.full(shape, 2.0)


def description(word, stored):
    """The configuration of a model whose layer has `stored` for the argument `word`."""
    tree = json.loads(cn.Sequential([L.Dense(3, name="d", input_shape=(2,))]).to_json())
    tree["config"]["layers"][1]["config"][word] = stored
    return json.dumps(tree)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("form", WRITTEN)
def test_unknown_objects_are_kept_and_not_asked(word, form, tmp_path):
    model = cn.model_from_json(description(word, WRITTEN[form]))
    kernel, bias = np.float32([[1, 2, 3], [4, 5, 6]]), np.float32([1, 0, 0])
    model.set_weights([kernel, bias])
    x = np.float32([[1, 2]])
    np.testing.assert_array_equal(model.predict(x), x @ kernel + bias)
    model.save(tmp_path / "m.keras")
    for again in (
        cn.load_model(tmp_path / "m.keras"),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
    ):
        assert again.layers[-1].get_config()[word] == WRITTEN[form]
        np.testing.assert_array_equal(again.predict(x), model.predict(x))


def test_values_of_unknown_ones_are_an_error():
    model = cn.model_from_json(description("kernel_initializer", WRITTEN["class"]))
    with pytest.raises(cn.UnsupportedLayerError, match=r"initializer 'Own'.*custom_objects=\{'Own': ...\}"):
        model.predict(np.ones((1, 2), np.float32))
    model = cn.model_from_json(description("kernel_regularizer", WRITTEN["function"]))
    with pytest.raises(cn.UnsupportedLayerError, match="regularizer 'Own'"):
        model.losses  # noqa: B018


@pytest.mark.parametrize("form", ["class", "function", "registered", "keras_2"])
def test_the_user_may_give_them(form):
    given = {"Own": own if form == "function" else Own}
    model = cn.model_from_json(description("kernel_initializer", WRITTEN[form]), custom_objects=given)
    for one in (model, cn.models.clone_model(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(one.get_weights()[0], np.full((2, 3), 2.0))


def test_the_users_come_first_as_in_keras():
    class L2(Own):
        def __call__(self, x):
            return self.size

    stored = WRITTEN["called as Keras's"]
    model = cn.model_from_json(description("kernel_regularizer", stored), custom_objects={"L2": L2})
    assert model.losses == [2.0]


def test_programs_still_name_what_is_there():
    with pytest.raises(ValueError, match="`kernel_initializer` must be one of"):
        L.Dense(3, kernel_initializer="Own")


@pytest.mark.parametrize("stored", [*WRITTEN.values(), None], ids=[*WRITTEN, "None"])
def test_projections_are_made_by_what_the_attention_around_them_says(stored, tmp_path):
    """As Dense: whatever makes the weights of MultiHeadAttention makes those of the layers inside."""
    x = RNG.random((2, 5, 6), np.float32)
    source = cn.Input((5, 6))
    model = cn.Model(source, L.MultiHeadAttention(2, 3)(source, source))
    model.save(tmp_path / "m.keras")
    tree = json.loads(model.to_json())
    tree["config"]["layers"][1]["config"]["kernel_initializer"] = stored
    again = cn.model_from_json(json.dumps(tree))
    again.load_weights(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.layers[1].get_config()["kernel_initializer"] == stored


@pytest.mark.parametrize("layer", [L.Dense(3, None), L.MultiHeadAttention(2, 3)])
def test_an_initializer_that_is_a_function_and_one_that_is_none(layer):
    """None is glorot_uniform, as in Keras."""
    layer = type(layer).from_config(layer.get_config() | {"kernel_initializer": None})
    layer.bias_initializer = own
    x = np.ones((2, 5, 6))
    layer(*[x, x][: 1 + isinstance(layer, L.MultiHeadAttention)])
    kernel, bias = layer.get_weights()[:2]
    assert 0.1 < np.ptp(kernel) < 3 and (bias == 2).all()
