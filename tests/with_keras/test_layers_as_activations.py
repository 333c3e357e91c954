"""Layers with weights as activations of others: Keras's answers, from Keras's files and to them."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import conv2d_native as cn

X = np.random.default_rng(3).standard_normal((3, 6, 6, 3)).astype(np.float32)


def network(layers, sequential):
    return sequential(
        [
            layers.Input((6, 6, 3)),
            layers.Conv2D(4, 3, activation=layers.PReLU(shared_axes=[1, 2], name="bent")),
            layers.DepthwiseConv2D(2, activation=layers.LeakyReLU(0.1)),
            layers.Dense(5, activation=layers.BatchNormalization(axis=1)),
            layers.Activation(layers.Activation(layers.PReLU())),
            layers.Flatten(),
            layers.Dense(3, activation=layers.PReLU()),
            layers.Activation(layers.Softmax([1])),
        ]
    )


def recurrent_network(layers, sequential):
    return sequential(
        [
            layers.Input((6, 6, 3)),
            layers.ConvLSTM1D(
                4, 2, activation=layers.BatchNormalization(), recurrent_activation=layers.PReLU()
            ),
            layers.Bidirectional(layers.GRU(3, activation=layers.PReLU(), return_sequences=True)),
            layers.LSTM(3, recurrent_activation=layers.Dense(3), return_sequences=True),
            layers.RNN([layers.SimpleRNNCell(3, activation=layers.PReLU()), layers.LSTMCell(2)]),
        ]
    )


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("network", [network, recurrent_network])
def test_files_in_both_directions(network, ending, tmp_path):
    theirs = network(keras.layers, keras.Sequential)
    rng = np.random.default_rng(0)
    theirs.set_weights([w + rng.uniform(0, 0.3, w.shape) for w in theirs.get_weights()])
    expected = theirs.predict(X, verbose=0)
    theirs.save(tmp_path / f"theirs{ending}")
    ours = cn.load_model(tmp_path / f"theirs{ending}")
    np.testing.assert_allclose(ours.predict(X), expected, rtol=1e-5, atol=1e-6)
    ours.save(tmp_path / "ours.keras")
    again = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(again.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)
    fresh = network(cn.layers, cn.Sequential)
    assert [w.shape for w in fresh.get_weights()] == [w.shape for w in theirs.get_weights()]
    theirs.save_weights(tmp_path / "w.weights.h5")
    fresh.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_allclose(fresh.predict(X), expected, rtol=1e-5, atol=1e-6)
