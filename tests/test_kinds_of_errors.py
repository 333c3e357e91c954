"""Wrong arguments raise what is documented, ValueError or TypeError or a kind of them, and the message names them."""

import dataclasses

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import activations, functional, initializers, regularizers
from conv2d_native import layers as L


class Own(cn.Model):
    def __init__(self):
        super().__init__()
        self.top = L.Dense(2)

    def call(self, x):
        return self.top(x)


@dataclasses.dataclass
class Times:
    """A callable without a hash, as every dataclass that can be compared."""

    factor: float

    def __call__(self, x):
        return x * self.factor


def test_a_callable_without_a_hash_is_an_activation():
    times = Times(2.0)
    for factor in (2.0, 3.0):
        times.factor = factor
        assert functional.dense(np.ones((1, 2)), np.ones((2, 1)), activation=times).tolist() == [[2 * factor]]


@pytest.mark.parametrize("shape", [(1, 3), (0, 3)])
def test_the_angle_of_one_row_is_nan_as_in_keras(shape):
    assert np.isnan(regularizers.OrthogonalRegularizer()(np.ones(shape)))
    layer = L.Dense(1, kernel_regularizer=regularizers.OrthogonalRegularizer(mode="columns"))
    layer.build((None, 3))
    assert np.isnan(layer.losses).tolist() == [True]


@pytest.mark.parametrize("config", [None, [1], 5])
@pytest.mark.parametrize(("name", "word"), [("RandomNormal", "seed"), ("Constant", "value")])
def test_an_initializer_s_value_that_is_no_value(name, word, config):
    with pytest.raises(ValueError, match=rf"`{word}` must be .* Received: {word}="):
        initializers.get({"class_name": name, "config": {word: {"config": config}}})


@pytest.mark.parametrize("make", [Own, lambda: cn.Sequential([L.Dense(3)]), lambda: L.Dense(3)])
def test_a_build_config_is_a_dict_or_none(make):
    model = make()
    model.build_from_config(model.get_build_config())
    assert not model.built
    with pytest.raises(TypeError, match=r"`config` must be a dict with 'input_shape'.*Received: config=5"):
        model.build_from_config(5)


def test_layer_range_is_two_regular_expressions():
    model = cn.Sequential([L.Dense(3, input_shape=(2,), name="x")])
    with pytest.raises(ValueError, match=r"`layer_range` must be two names or regular expressions"):
        model.summary(layer_range=["(", "x"])


def test_a_configuration_nested_too_deeply():
    config = {}
    for _ in range(100_000):
        config = {"config": config}
    with pytest.raises(cn.ModelFormatError, match=r"`text` must be a dict that is not nested too deeply"):
        cn.model_from_json(config)
    while config:  # or its end would need as much stack
        config = config["config"]


def test_keys_of_inputs_and_outputs_have_an_order():
    x, y = cn.Input((2,)), cn.Input((2,))
    for inputs, outputs in (({1: x, "a": y}, L.Add()([x, y])), ([x, y], {1: x, "a": y})):
        with pytest.raises(TypeError, match=r"Keys of a dict must have an order.*Received: keys .1, 'a'."):
            cn.Model(inputs, outputs)


def test_an_activation_s_class_is_a_name():
    with pytest.raises(ValueError, match=r"`activation` must be a known function or one of ReLU"):
        activations.get({"class_name": ["a"], "config": {}})


@pytest.mark.parametrize("layer", [L.Flatten(), L.DepthwiseConv1D(3)], ids=repr)
def test_a_shape_has_a_batch_axis(layer):
    with pytest.raises(ValueError, match=r"`input_shape` must have a batch axis|ndim=3, found ndim=0"):
        layer.compute_output_shape(())


@pytest.mark.parametrize(
    "layer", [L.Dense(3), L.Conv1D(2, 3), L.PReLU(), L.BatchNormalization(), L.Normalization()], ids=repr
)
def test_weights_need_a_shape(layer):
    with pytest.raises(
        TypeError, match=r"`input_shape` must be a tuple of sizes. Received: input_shape=None"
    ):
        layer.build(None)
    assert not layer.built


def test_layers_whose_weights_need_no_shape():
    layer = L.Embedding(4, 2)
    layer.build()
    assert layer.embeddings.shape == (4, 2)
    own = L.Layer()
    own.build(None)
    assert own.built and own.weights == []


@pytest.mark.parametrize(
    ("filepath", "error"), [(5, TypeError), ("a\0b", ValueError), ("none.keras", OSError)]
)
def test_only_faults_of_a_file_are_in_its_report(filepath, error):
    with pytest.raises(error):
        cn.check_model(filepath)
    assert str(cn.check_model(b"no model")).startswith(
        "8 bytes: its layers cannot be read\n1 problem:\n  file (model): "
    )
