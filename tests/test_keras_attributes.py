"""Attributes of layers, models and variables that programs read: they have Keras's values."""

import copy
import pickle

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native import ops


def test_shapes_of_several_inputs_and_outputs_are_a_flat_list():
    """In the order of `inputs` and `outputs`: dicts by their sorted keys. A single one stands alone."""
    a, b = cn.Input((3,)), cn.Input((4,))
    model = cn.Model({"z": a, "b": b}, [a * 2.0, {"u": b}])
    assert model.input_shape == [(None, 4), (None, 3)] and model.output_shape == [(None, 3), (None, 4)]
    one = cn.Model({"a": a}, {"u": a * 2.0})
    assert one.input_shape == (None, 3) and one.output_shape == (None, 3)


def test_operations_keep_a_batch_that_is_known():
    x = cn.Input((8, 8, 3))
    model = cn.Model(x, ops.relu(L.Conv2D(2, 1)(x) * 2.0))
    assert model.compute_output_shape((2, 8, 8, 3)) == (2, 8, 8, 2)
    assert model.compute_output_shape((None, 8, 8, 3)) == (None, 8, 8, 2)
    two = cn.Input((8, 8, 3), batch_size=2)
    assert model(two).shape == (2, 8, 8, 2) and (two + x).shape == (None, 8, 8, 3)
    image = np.ones((5, 8, 8, 3), np.float32)
    np.testing.assert_array_equal(cn.Model(two, two * 3.0).predict(image), 3 * image)


def test_variables_of_frozen_layers_are_not_trainable():
    model = cn.Sequential([cn.Input((4, 4, 3)), L.Conv2D(2, 1), L.BatchNormalization()])
    conv, norm = model.layers

    def flags():
        return [weight.trainable for weight in model.weights]

    assert flags() == [True, True, True, True, False, False]
    conv.trainable = False
    assert flags() == [False, False, True, True, False, False]
    assert [w.trainable for w in copy.deepcopy(model).weights] == flags()
    model.trainable = False
    assert flags() == [False] * 6 and model.trainable_weights == []
    model.trainable = True
    assert flags() == [True, True, True, True, False, False] and len(norm.trainable_weights) == 2
    late = L.Dense(2, trainable=False)
    late.build((None, 3))
    assert [weight.name for weight in late.weights if not weight.trainable] == ["kernel", "bias"]
    late.trainable = True
    late.kernel.trainable = False
    assert [weight.name for weight in late.trainable_weights] == ["bias"]


def test_weights_that_are_added_to_a_frozen_layer_stand_in_order():
    layer = L.Layer(trainable=False)
    made = [
        layer.add_weight((), trainable=kind, name=name)
        for name, kind in (("a", False), ("b", True), ("c", True))
    ]
    assert [weight.name for weight in layer.weights] == ["b", "c", "a"]
    assert not any(weight.trainable for weight in made)
    layer.trainable = True
    assert [weight.trainable for weight in made] == [False, True, True]


def test_an_input_layer_has_no_input():
    assert L.InputLayer((3,)).input == []


@pytest.mark.parametrize(
    ("layer", "rank"),
    [
        (L.Conv2D(2, 1), 2),
        (L.Conv1D(2, 1), 1),
        (L.DepthwiseConv2D(1), 2),
        (L.SeparableConv1D(2, 1), 1),
        (L.Conv2DTranspose(2, 1), 2),
    ],
)
def test_convolutions_have_a_rank(layer, rank):
    assert layer.rank == rank and "rank" not in layer.get_config()


def test_activations_have_their_parameters():
    kept = L.Conv2D(2, 1, activation=L.LeakyReLU(0.1)).activation
    for made in (kept, copy.deepcopy(kept), pickle.loads(pickle.dumps(kept))):
        assert made.negative_slope == 0.1 and made == kept
    assert L.Dense(2, activation="elu").activation.alpha == 1.0
    for activation in (kept, L.Dense(2, activation=np.tanh).activation):
        with pytest.raises(AttributeError, match="has no attribute 'alpha'"):
            _ = activation.alpha
