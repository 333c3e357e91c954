"""Masks in Keras's files: those that calls are given, and those that come from Masking."""

from __future__ import annotations

import inspect
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from keras import layers as L

import conv2d_native as cn

X = np.random.default_rng(5).normal(size=(3, 6, 4)).astype(np.float32)
X[0, 2:4] = 0


def inner(layer):
    x = keras.Input((6, 4))
    return keras.Model(x, layer(x))


CASES = {
    "softmax": lambda x: L.Softmax()(x, mask=x > 0),
    "softmax_numbers": lambda x: L.Softmax(axis=1)(x, mask=x),
    "softmax_axes": lambda x: L.Softmax(axis=[1, 2])(x, mask=x[..., :1] > 0),
    "softmax_constant": lambda x: L.Softmax()(x, mask=np.array([True, True, False, True])),
    "mean": lambda x: L.GlobalAveragePooling1D()(x, mask=x[..., 0] > 0),
    "mean_keepdims": lambda x: L.GlobalAveragePooling1D("channels_first", keepdims=True)(x, mask=x[:, 0] > 0),
    "lstm": lambda x: L.LSTM(3)(L.LSTM(3, return_sequences=True)(L.Masking()(x))),
    "both ways": lambda x: L.Bidirectional(L.GRU(3))(L.Dropout(0.2)(L.Masking()(x))),
    "state": lambda x: L.GRU(4)(L.Masking()(x), initial_state=x[:, 0]),  # for which Keras takes no mask
    "given beside": lambda x: L.GRU(4)(L.Masking()(x), mask=x[:, :, 0] > 0),
    "destroyed": lambda x: L.LSTM(3)(L.Conv1D(3, 3, padding="same")(L.Masking()(x))),
    "operation": lambda x: L.LSTM(3)(L.Masking()(x) * 2.0),
    "sum": lambda x: L.LSTM(3)(L.Add()([L.Masking()(x), L.Masking()(L.Dense(4)(x))])),
    "sum without": lambda x: L.LSTM(3)(L.Add()([L.Masking()(x), x])),
    "joined": lambda x: L.LSTM(3)(L.Concatenate()([L.Masking()(x), L.Masking(mask_value=1.0)(x)])),
    "joined without": lambda x: L.LSTM(3)(L.Concatenate()([L.Masking()(x), x])),
    "steps": lambda x: L.LSTM(3)(L.TimeDistributed(L.Dense(3))(L.Masking()(x))),
    "attention": lambda x: L.GlobalAveragePooling1D()(L.Attention()([L.Masking()(x), L.Masking()(x)])),
    "attention to": lambda x: L.Attention(use_scale=True)([x, L.Masking()(x)], use_causal_mask=True),
    "heads": lambda x: L.GlobalAveragePooling1D()(L.MultiHeadAttention(2, 3)(L.Masking()(x), x)),
    "heads to": lambda x: L.MultiHeadAttention(2, 3)(x, L.Masking()(x), use_causal_mask=True),
    "into a model": lambda x: inner(L.LSTM(3))(L.Masking()(x)),
    "out of a model": lambda x: L.LSTM(3)(inner(L.Masking())(x)),
    "into a stack": lambda x: keras.Sequential([L.Dense(4), L.LSTM(3)])(L.Masking()(x)),
    "masking": lambda x: L.GlobalAveragePooling1D()(L.BatchNormalization()(L.Dense(3)(L.Masking()(x)))),
}


@pytest.mark.parametrize("name", CASES)
def test_masks_are_computed_and_written(name, tmp_path):
    x = keras.Input((6, 4))
    model = keras.Model(x, CASES[name](x))
    model.save(tmp_path / "k.keras")
    made = cn.load_model(tmp_path / "k.keras")
    made.save(tmp_path / "c.keras")
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(made.predict(X), expected, rtol=1e-5, atol=1e-6)
    again = keras.models.load_model(tmp_path / "c.keras")
    np.testing.assert_array_equal(again.predict(X, verbose=0), expected)


def test_layers_stand_in_the_same_order(tmp_path):
    """Weights in files are named by it: operations that make masks count among the depths."""

    def network(module):
        L, a, b = module.layers, module.Input((6, 4)), module.Input((6, 4))
        first = L.LSTM(3)(L.Masking()(L.Conv1D(4, 1)(a)))
        second = L.LSTM(3)(L.ReLU()(L.ReLU()(L.Conv1D(4, 1)(b))))
        return module.Model([a, b], L.Concatenate()([first, second]))

    theirs, mine = network(keras), network(cn)
    assert [type(x).__name__ for x in theirs.layers] == [type(x).__name__ for x in mine.layers]
    mine.set_weights([np.random.default_rng(1).normal(size=w.shape) for w in mine.weights])
    mine.save(tmp_path / "c.keras")
    got = keras.models.load_model(tmp_path / "c.keras").predict([X, X], verbose=0)
    np.testing.assert_allclose(mine.predict([X, X]), got, rtol=1e-5, atol=1e-6)


def test_the_same_layers_hand_masks_on():
    """Each class of this package, but for those that Keras 3 does not have."""
    words = {
        "units": 3,
        "rate": 0.5,
        "stddev": 0.5,
        "filters": 2,
        "kernel_size": 1,
        "activation": "relu",
        "n": 2,
    }
    words |= {"num_heads": 1, "key_dim": 1, "input_dim": 3, "output_dim": 2, "axes": 1, "factor": 0.5}
    words |= {"target_shape": (2,), "dims": (1,), "output_size": 2, "layer": L.LSTM(3), "cell": L.LSTMCell(3)}
    compared = 0
    for name in cn.layers.__all__:
        theirs, mine = getattr(L, name, None), getattr(cn.layers, name)
        if not inspect.isclass(theirs) or name in ("InputLayer", "InputSpec", "Layer"):
            continue
        needed = [p for p in inspect.signature(theirs).parameters.values() if p.default is p.empty]
        given = {p.name: words[p.name] for p in needed if p.name in words}
        try:
            expected = theirs(**given).supports_masking
        except (TypeError, ValueError):
            continue
        given |= {
            word: getattr(cn.layers, type(x).__name__)(3)
            for word, x in given.items()
            if word in ("layer", "cell")
        }
        assert mine(**given).supports_masking == expected, name
        compared += 1
    assert compared > 100
    assert (
        cn.layers.Embedding(3, 2, mask_zero=True).supports_masking
        and cn.layers.Bidirectional.supports_masking
    )


@pytest.mark.parametrize("given", [list, tuple, dict])
def test_nested_models_with_several_inputs(given, tmp_path):
    """Keras's files have a mask for each input of such a call, None where there is none."""

    def among(a, b):
        return {"a": a, "b": b} if given is dict else given((a, b))

    a, b, x = (keras.Input((6, 4), name=name) for name in "abx")
    inner = keras.Model(among(a, b), a - b)
    model = keras.Model(x, inner(among(x, L.ReLU()(x))))
    for name in ("k.keras", "k.h5"):
        model.save(tmp_path / name)
        made = cn.load_model(tmp_path / name)
        np.testing.assert_allclose(made.predict(X), model.predict(X, verbose=0), rtol=1e-6)
    np.testing.assert_allclose(cn.from_keras(model)(X), model.predict(X, verbose=0), rtol=1e-6)
