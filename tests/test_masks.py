"""Masks that calls are given: what they hide does not count, and no mask that matters is dropped."""

import copy

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from written import bytes_of

X = np.random.default_rng(16).standard_normal((5, 6, 4), np.float32)
SEEN = X[..., 0] > 0


def weights(x, seen, axes):
    powers = np.exp(x) * seen
    return powers / np.maximum(powers.sum(axis=axes, keepdims=True), 1e-9)


def means(x, seen):
    return (x * seen[..., np.newaxis]).sum(axis=1) / seen.sum(axis=1, keepdims=True)


CASES = {
    "softmax": (lambda x: L.Softmax()(x, mask=x > -0.5), weights(X, X > -0.5, -1)),
    "softmax of numbers": (lambda x: L.Softmax(axis=1)(x, mask=x), weights(X, X > 0.5, 1)),
    "softmax, constant": (lambda x: L.Softmax()(x, mask=np.array([1, 1, 0, 1], bool)), weights(X, [1, 1, 0, 1], -1)),
    "softmax of two axes": (
        lambda x: L.Softmax(axis=[1, 2])(x, mask=x[:, :, :1] > 0),
        weights(X, SEEN[..., np.newaxis], (1, 2)),
    ),
    "mean": (lambda x: L.GlobalAveragePooling1D()(x, mask=x[..., 0] > 0), means(X, SEEN)),
    "mean of channels first": (
        lambda x: L.GlobalAveragePooling1D("channels_first", keepdims=True)(x, mask=x[:, 0] > 0),
        means(X.swapaxes(1, 2), X[:, 0] > 0)[..., np.newaxis],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_a_mask_hides_does_not_count(name):
    """In programs, in files and in copies of the model."""
    call, expected = CASES[name]
    x = cn.Input(X.shape[1:])
    model = cn.Model(x, call(x))
    for made in (
        model,
        cn.load_model(bytes_of(model.save)),
        cn.models.clone_model(model),
        copy.deepcopy(model),
    ):
        np.testing.assert_allclose(made.predict(X, batch_size=3), expected, rtol=2e-5, atol=1e-6)


def test_a_softmax_over_several_axes_is_copied_and_no_activation():
    layer = L.Softmax(axis=[1, 2], name="two")
    assert not hasattr(layer, "activation")
    x = cn.Input(X.shape[1:])
    model = cn.Model(x, layer(x))
    for made in (copy.deepcopy(model), cn.models.clone_model(model), cn.load_model(bytes_of(model.save))):
        np.testing.assert_allclose(made(X), weights(X, np.True_, (1, 2)), rtol=2e-5)
        assert made.layers[1].axis == [1, 2]
    with pytest.raises(
        TypeError, match=r"`activation` must be .* \(of Softmax along one axis\). Received: .*two"
    ):
        L.Dense(3, activation=layer)


def test_layers_take_arrays_of_bools_as_masks():
    np.testing.assert_allclose(L.Softmax()(X, mask=X > -0.5), weights(X, X > -0.5, -1), rtol=2e-5)
    np.testing.assert_allclose(L.Softmax()(X, X > -0.5), weights(X, X > -0.5, -1), rtol=2e-5)
    np.testing.assert_allclose(L.GlobalAveragePooling1D()(X, mask=SEEN), means(X, SEEN), rtol=2e-5, atol=1e-6)


def test_where_a_mask_hides_all_weights_are_zero_and_a_mean_is_none():
    hidden = np.zeros_like(X)
    np.testing.assert_array_equal(L.Softmax()(X, mask=hidden), hidden)
    assert np.isnan(L.GlobalAveragePooling1D()(X, mask=hidden[..., 0])).all()


def test_entries_that_are_hidden_may_be_no_numbers():
    x = np.where(SEEN[..., np.newaxis], X, np.float32(np.nan))
    np.testing.assert_allclose(L.GlobalAveragePooling1D()(x, mask=SEEN), means(X, SEEN), rtol=2e-5, atol=1e-6)


def nested(layer):
    x = cn.Input((6, 4))
    return cn.Model(x, layer(x))


@pytest.mark.parametrize(
    "layer",
    [
        L.TimeDistributed(L.Softmax()),
        nested(L.GlobalAveragePooling1D()),
        L.Pipeline([L.Softmax()]),
        L.Lambda(lambda x, mask=None: x),
    ],
)
def test_a_mask_that_matters_to_a_layer_without_masks_is_refused(layer):
    x = cn.Input((6, 4))
    layer.name = "around"
    with pytest.raises(cn.UnsupportedLayerError, match=r"Layer 'around' .*mask"):
        cn.Model(x, layer(x, mask=x[..., 0] > 0)).predict(X)


@pytest.mark.parametrize(
    "layer",
    [L.BatchNormalization(), L.TimeDistributed(L.ReLU()), nested(L.ReLU()), L.Lambda(lambda x: x / 2)],
)
def test_a_mask_that_changes_nothing_is_left_out(layer):
    x = cn.Input((6, 4))
    np.testing.assert_array_equal(cn.Model(x, layer(x, mask=x[..., 0] > 0))(X), layer(X))


def test_masks_of_several_inputs_may_all_be_none():
    """So Keras's files have the call of a model with a list or dict of inputs."""
    x = cn.Input((6, 4))
    inner = cn.Model({"a": (a := cn.Input((6, 4))), "b": (b := cn.Input((6, 4)))}, a - b)
    model = cn.Model(x, inner({"a": x, "b": x * 3.0}))
    config = model.get_config()
    for masks in ({"a": None, "b": None}, [None, None], None):
        config["layers"][-1]["inbound_nodes"][0]["kwargs"] = {"mask": masks}
        np.testing.assert_allclose(cn.Model.from_config(config)(X), -2 * X, rtol=1e-6)
    attention = L.Attention()
    np.testing.assert_array_equal(attention([X, X], mask=[None, None]), attention([X, X]))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: L.Softmax()(X, mask=X[..., :3]), "`mask` must be broadcast to"),
        (lambda: L.GlobalAveragePooling1D()(X, mask=SEEN[:, :3]), "`mask` must be broadcast to"),
        (lambda: L.GlobalAveragePooling1D()(X, mask=X), r"`mask` must be of shape \(batch, length\)"),
        (lambda: L.Softmax(axis=0)(X, mask=X), "over the batch axis"),
    ],
)
def test_masks_of_other_shapes_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()
