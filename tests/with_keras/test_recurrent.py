"""Recurrent layers against Keras: every way to walk, masks, states, and files in both directions."""

from __future__ import annotations

import itertools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from keras import layers as L

import conv2d_native as cn

RNG = np.random.default_rng(6)
X = RNG.standard_normal((3, 5, 6)).astype(np.float32)
SEEN = RNG.random((3, 5)) > 0.4
SEEN[0] = [0, 0, 1, 1, 0]
WORDS = ("return_sequences", "return_state", "go_backwards", "use_bias", "unroll", "zero_output_for_mask")
KINDS = {
    "SimpleRNN": {},
    "LSTM": {"unit_forget_bias": False},
    "GRU": {"recurrent_activation": "hard_sigmoid", "activation": "relu"},
    "GRU, reset before": {"reset_after": False},
}


def states(count):
    return [RNG.standard_normal((3, 4)).astype(np.float32) for _ in range(count)]


def compare(theirs, mine, calls, x=X):
    theirs(x)
    weights = [(RNG.standard_normal(w.shape) * 0.5).astype(np.float32) for w in theirs.get_weights()]
    theirs.set_weights(weights)
    mine.build(x.shape)
    mine.set_weights(weights)
    for words in calls:
        expected, got = theirs(x, **words), mine(x, **words)
        pairs = zip(keras.tree.flatten(expected), keras.tree.flatten(got), strict=True)
        for a, b in pairs:
            np.testing.assert_allclose(b, a, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("settings", itertools.product([False, True], repeat=4), ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_walk(kind, settings):
    name, count = kind.partition(",")[0], 1 + (kind == "LSTM")
    given = {"initial_state": states(count)}
    calls = [{}, {"mask": SEEN}, given, {**given, "mask": SEEN}]
    for rest in itertools.product([False, True], repeat=2):
        words = KINDS[kind] | dict(zip(WORDS, (*settings, *rest), strict=True))
        theirs, mine = (getattr(module, name)(4, **words) for module in (L, cn.layers))
        compare(theirs, mine, calls)
        config = mine.get_config()
        assert type(theirs).from_config(config).get_config() == {**theirs.get_config(), "name": mine.name}
        assert mine.from_config(theirs.get_config()).get_config() == {**config, "name": theirs.name}


@pytest.mark.parametrize("mode", ["concat", "sum", "ave", "mul", None])
@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_both_directions(name, mode):
    for settings in itertools.product([False, True], repeat=3):
        words = dict(zip(("return_sequences", "return_state", "unroll"), settings, strict=True))
        theirs, mine = (
            module.Bidirectional(getattr(module, name)(4, **words), merge_mode=mode)
            for module in (L, cn.layers)
        )
        given = {"initial_state": states(4 if name == "LSTM" else 2)}
        compare(theirs, mine, [{}, {"mask": SEEN}, given, {**given, "mask": SEEN}])


@pytest.mark.parametrize(
    "cells", [["LSTMCell"], ["GRUCell", "LSTMCell"], ["SimpleRNNCell", "GRUCell", "LSTMCell"]]
)
def test_cells(cells):
    for settings in itertools.product([False, True], repeat=3):
        words = dict(zip(WORDS, settings, strict=False))
        theirs, mine = (
            module.RNN([getattr(module, cell)(3 + i) for i, cell in enumerate(cells)], **words)
            for module in (L, cn.layers)
        )
        compare(theirs, mine, [{}, {"mask": SEEN}] if len(cells) > 1 else [{}])  # Keras masks no stack of one


@pytest.mark.parametrize("line", [True, False])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"padding": "same", "strides": 2},
        {"dilation_rate": 2},
        {"data_format": "channels_first", "use_bias": False},
    ],
)
def test_products_that_are_convolutions(line, more):
    name, x = ("ConvLSTM1D", X[:, :4, None]) if line else ("ConvLSTM2D", X[:, :4, None, None])
    x = np.tile(x, (1, 1, *([5] if line else [5, 6]), 1)) * RNG.random((3, 4, *([5] if line else [5, 6]), 6))
    x = (np.moveaxis(x, -1, 2) if "data_format" in more else x).astype(np.float32)
    for settings in itertools.product([False, True], repeat=3):
        words = (
            dict(zip(WORDS, settings, strict=False))
            | {"filters": 3, "kernel_size": 2 if line else (2, 3)}
            | more
        )
        theirs, mine = (getattr(module, name)(**words) for module in (L, cn.layers))
        compare(theirs, mine, [{}, {"mask": SEEN[:, :4]}], x)
        assert mine.get_config().keys() == theirs.get_config().keys()


def test_states_that_layers_keep():
    x = source = keras.Input(batch_shape=(2, None, 3))
    x = L.Bidirectional(L.LSTM(4, return_sequences=True, stateful=True))(L.Masking()(x))
    model = keras.Model(source, L.GRU(3, stateful=True)(x))
    mine = cn.from_keras(model)
    for _ in range(2):
        for steps in (3, 1, 4):
            batch = RNG.standard_normal((2, steps, 3)).astype(np.float32)
            batch[0, -1] = 0
            np.testing.assert_allclose(
                mine.predict(batch), model.predict(batch, verbose=0), rtol=1e-5, atol=2e-6
            )
        for layer in (*model.layers[2:], *mine.layers[2:]):
            layer.reset_state()


def read(cell):
    x = source = keras.Input((8, 16, 1))
    x = L.MaxPooling2D(2)(L.Conv2D(4, 3, padding="same", activation="relu")(x))
    x = L.Dense(6)(L.Reshape((8, 16))(L.Permute((2, 1, 3))(x)))
    for mode in ("concat", "sum"):
        x = L.Bidirectional(cell(5, return_sequences=True, dropout=0.25), merge_mode=mode)(x)
    return keras.Model(source, L.Dense(7, activation="softmax")(x))


def films():
    x = source = keras.Input((4, 8, 8, 1))
    x = L.TimeDistributed(keras.Sequential([L.Conv2D(3, 3), L.Flatten()]))(x)
    return keras.Model(source, L.GRU(5, recurrent_dropout=0.2)(x))


def translation():
    source, target = keras.Input((None, 3)), keras.Input((None, 3))
    _, *given = L.Bidirectional(L.LSTM(5, return_state=True))(source)
    y = L.Bidirectional(L.LSTM(5, return_sequences=True))(target, initial_state=given)
    _, state = L.GRU(4, return_state=True)(source)
    return keras.Model([source, target], [y, L.GRU(4, reset_after=False)(target, initial_state=state)])


def cells():
    x = source = keras.Input((6, 3))
    x = L.Bidirectional(L.RNN([L.LSTMCell(4), L.LSTMCell(3)], return_sequences=True))(x)
    return keras.Model(source, L.RNN([L.GRUCell(4), L.SimpleRNNCell(3)])(L.TimeDistributed(L.Dense(4))(x)))


def stack():
    first = [keras.Input((12, 3)), L.Conv1D(4, 3), L.LSTM(5, return_sequences=True)]
    return keras.Sequential([*first, L.SimpleRNN(4, activation="relu"), L.Dense(2)])


def words():
    x = source = keras.Input((6,), dtype="int32")
    x = L.SpatialDropout1D(0.1)(L.Embedding(9, 4, mask_zero=True)(x))
    return keras.Model(source, L.LSTM(3)(L.Bidirectional(L.GRU(3, return_sequences=True))(x)))


MODELS = {
    "reading": lambda: read(L.LSTM), "reading, GRU": lambda: read(L.GRU), "films": films, "translation": translation,
    "cells": cells, "stack": stack, "words": words,
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", MODELS)
def test_files(name, suffix, tmp_path):
    model = MODELS[name]()
    for weight in model.weights:
        weight.assign(RNG.standard_normal(weight.shape) * 0.4)
    shapes = [[2, *(6 if n is None else n for n in x.shape[1:])] for x in model.inputs]
    xs = [RNG.integers(0, 3, shape).astype(np.float32) for shape in shapes]
    expected = model.predict(xs, verbose=0)
    model.save(tmp_path / f"theirs{suffix}")
    mine = cn.load_model(tmp_path / f"theirs{suffix}")
    assert mine.count_params() == model.count_params()
    assert [layer.name for layer in mine.layers] == [layer.name for layer in model.layers]
    mine.save(tmp_path / "mine.keras")
    mine.save_weights(tmp_path / "mine.weights.h5")
    again = keras.models.load_model(tmp_path / "mine.keras")
    answers = [mine.predict(xs), cn.from_keras(model).predict(xs), again.predict(xs, verbose=0)]
    model.load_weights(tmp_path / "mine.weights.h5")
    for got in (*answers, model.predict(xs, verbose=0)):
        for a, b in zip(keras.tree.flatten(got), keras.tree.flatten(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6)
