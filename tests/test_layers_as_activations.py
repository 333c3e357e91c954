"""`activation=` may be a layer, with weights too, as in Keras: it is called on what the layer makes."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import activations
from conv2d_native import layers as L
from written import bytes_of

X = np.random.default_rng(5).standard_normal((2, 5, 6)).astype(np.float32)
IMAGES = np.random.default_rng(6).standard_normal((2, 5, 4, 6)).astype(np.float32)
ALPHA = 0.75


def prelu(**words):
    return L.PReLU(alpha_initializer=cn.initializers.Constant(ALPHA), **words)


def after(y):
    return np.where(y > 0, y, ALPHA * y)


@pytest.mark.parametrize(
    ("make", "x"),
    [
        (lambda a: L.Conv1D(4, 3, activation=a), X),
        (lambda a: L.Conv1DTranspose(4, 3, data_format="channels_first", activation=a), X),
        (lambda a: L.SeparableConv1D(4, 3, activation=a), X),
        (lambda a: L.Dense(4, activation=a), X),
        (lambda a: L.Conv2D(4, 3, strides=2, activation=a), IMAGES),
        (lambda a: L.Conv2D(4, 3, data_format="channels_first", activation=a), IMAGES),
        (lambda a: L.DepthwiseConv2D(3, activation=a), IMAGES),
        (lambda a: L.Conv2DTranspose(4, 3, activation=a), IMAGES),
        (lambda a: L.Activation(a), IMAGES),
        (lambda a: L.TimeDistributed(L.Conv1D(4, 3, activation=a)), IMAGES),
    ],
)
def test_it_is_called_on_what_the_layer_makes(make, x):
    layer, plain = make(prelu(name="bent")), make("linear")
    plain.build(x.shape)
    layer.build(x.shape)
    layer.set_weights([*plain.get_weights(), *layer.get_weights()[len(plain.weights) :]])
    expected = after(plain(x))
    assert [v.name for v in layer.weights] == [*(v.name for v in plain.weights), "alpha"]
    np.testing.assert_allclose(layer(x), expected, rtol=1e-6, atol=1e-6)
    inputs = cn.Input(x.shape[1:])
    model = cn.Model(inputs, layer(inputs))
    made = copy.deepcopy(model)
    made.load_weights(bytes_of(model.save_weights))
    for other in (model, made, cn.load_model(bytes_of(model.save)), copy.copy(layer)):
        np.testing.assert_allclose(other(x), expected, rtol=1e-6, atol=1e-6)
    layer.set_weights([*layer.get_weights()[:-1], np.ones_like(layer.weights[-1].value)])
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("word", ["activation", "recurrent_activation"])
@pytest.mark.parametrize(
    ("make", "x"),
    [
        (lambda **words: L.LSTM(4, return_sequences=True, **words), X),
        (lambda **words: L.GRU(4, reset_after=False, **words), X),
        (lambda **words: L.RNN([L.GRUCell(3, **words), L.LSTMCell(4)]), X),
        (lambda **words: L.Bidirectional(L.GRU(4, **words)), X),
        (lambda **words: L.ConvLSTM1D(4, 2, **words), IMAGES),
    ],
)
def test_recurrent_layers_call_them_in_every_step(make, x, word):
    """A leaky ReLU with a weight is what the one without is; files and copies have its weights."""
    layer, plain = make(**{word: prelu()}), make(**{word: L.LeakyReLU(ALPHA)})
    for each in (layer, plain):
        each.build(x.shape)
    own = iter(plain.get_weights())
    layer.set_weights([v.value if v.name == "alpha" else next(own) for v in layer.weights])
    assert len(layer.weights) > len(plain.weights)
    inputs = cn.Input(x.shape[1:])
    model = cn.Model(inputs, layer(inputs))
    made = copy.deepcopy(model)
    made.load_weights(bytes_of(model.save_weights))
    for other in (layer, model, made, cn.load_model(bytes_of(model.save))):
        np.testing.assert_allclose(other(x), plain(x), rtol=1e-6, atol=1e-6)


def test_the_attribute_is_the_layer_and_trainable_reaches_it():
    bent = prelu(shared_axes=[1, 2])
    layer = L.Conv2D(4, 3, activation=bent)
    layer.build(IMAGES.shape)
    assert layer.activation is bent and bent.alpha.shape == (1, 1, 4)
    layer.trainable = False
    assert not bent.trainable and not layer.trainable_weights


def test_normalizations_and_models_are_called_too():
    normalization = L.BatchNormalization(epsilon=1e-9)
    layer = L.Dense(3, activation=normalization)
    layer.build(X.shape)
    normalization.set_weights([np.full(3, v) for v in (2.0, 1.0, 0.5, 4.0)])
    y = X @ layer.kernel.value
    np.testing.assert_allclose(layer(X), (y - 0.5) + 1, rtol=1e-5, atol=1e-6)
    model = cn.Sequential([L.Dense(3, name="inner")])
    layer = L.Dense(3, activation=model)
    expected = L.Dense(3)
    expected.build(X.shape)
    layer.build(X.shape)
    expected.set_weights(layer.get_weights()[:2])
    np.testing.assert_allclose(layer(X), model(expected(X)), rtol=1e-5, atol=1e-6)


def test_a_softmax_over_several_axes_and_a_layer_of_ones_own():
    class Halved(L.ReLU):
        def call(self, x):
            return x / 2

    y = L.Activation(L.Softmax([1, 2]))(X)
    np.testing.assert_allclose(y.sum((1, 2)), np.ones(2), rtol=1e-6)
    np.testing.assert_allclose(L.Activation(Halved())(X), X / 2)
    kept = L.Activation(L.Dense(6, activation="relu"))
    np.testing.assert_allclose(kept(X), np.maximum(X @ kept.activation.kernel.value, 0), rtol=1e-5, atol=1e-6)


def test_what_the_core_fuses_stays_an_activation():
    for layer, name in (
        (L.LeakyReLU(0.1), "leaky_relu"),
        (L.Softmax(), "softmax"),
        (L.Activation("selu"), "selu"),
    ):
        made = L.Dense(3, activation=layer)
        assert made.activation.name == name and not made.sublayers


def test_one_that_changes_the_shape_is_refused_and_one_that_needs_sizes_says_so():
    with pytest.raises(
        ValueError, match=r"'top'.*must keep the shape \(2, 5, 3\). Received: 'flat'.*\(2, 15\)"
    ):
        L.Dense(3, activation=L.Flatten(name="flat"), name="top")(X)
    with pytest.raises(ValueError, match=r"`recurrent_activation`, where it is a layer, must keep the shape"):
        L.LSTM(3, recurrent_activation=L.Dense(4))(X)
    with pytest.raises(ValueError, match=r"'bent' needs known sizes along all axes but `shared_axes`"):
        L.Conv2D(3, 3, activation=prelu(name="bent"))(cn.Input((None, None, 3)))
    with pytest.raises(TypeError, match="`activation` must be"):
        activations.get(L.PReLU())


def test_functions_alone_take_no_layer_with_weights():
    with pytest.raises(TypeError, match="`activation` must be"):
        cn.functional.dense(X, np.ones((6, 2)), activation=prelu())
