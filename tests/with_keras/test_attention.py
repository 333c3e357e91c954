"""MultiHeadAttention and Attention in models of Keras, through files in both directions."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

import conv2d_native as cn

RNG = np.random.default_rng(5)
LINE = (5, 6)
CASES = {  # arguments of the constructor, of the call, shapes of query, value, key and attention_mask
    "plain": ({}, {}, {"query": LINE, "value": (4, 7)}),
    "sizes": ({"value_dim": 5, "dropout": 0.1, "output_shape": 8, "use_gate": True}, {}, {"query": LINE}),
    "scores": (
        {"use_bias": False, "output_shape": (2, 3)},
        {"return_attention_scores": True},
        {"query": LINE, "value": (4, 7), "key": (4, 3)},
    ),
    "two axes": ({}, {}, {"query": (2, 3, 6)}),
    "causal": ({}, {"use_causal_mask": True}, {"query": LINE}),
    "window": ({"sliding_window": 2, "dropout": 0.1}, {"use_causal_mask": True}, {"query": LINE}),
    "mask": ({}, {}, {"query": LINE, "value": (4, 7), "attention_mask": (5, 4)}),
    "mask and dropout": ({"dropout": 0.1}, {}, {"query": LINE, "attention_mask": (2, 5, 5)}),
}


@pytest.mark.parametrize("name", CASES)
def test_attention_of_keras(name, tmp_path):
    settings, words, shapes = CASES[name]
    inputs = {word: keras.Input(shape, name=word) for word, shape in shapes.items()}
    layer = keras.layers.MultiHeadAttention(num_heads=2, key_dim=3, **settings)
    theirs = keras.Model(list(inputs.values()), layer(**{"value": inputs["query"], **inputs}, **words))
    agree_through_files(theirs, shapes, tmp_path)


@pytest.mark.parametrize("score_mode", ["dot", "concat"])
def test_attention_of_one_head(score_mode, tmp_path):
    shapes = {"query": (5, 6), "value": (4, 3), "key": (4, 6)}
    inputs = [keras.Input(shape, name=word) for word, shape in shapes.items()]
    words = {"return_attention_scores": True, "use_causal_mask": True}
    made = keras.layers.Attention(use_scale=True, score_mode=score_mode, dropout=0.1)(inputs, **words)
    agree_through_files(keras.Model(inputs, made), shapes, tmp_path)


def agree_through_files(theirs, shapes, tmp_path):
    theirs.set_weights([RNG.standard_normal(w.shape) for w in theirs.get_weights()])
    x = [RNG.random((3, *shape)) for shape in shapes.values()]
    if "attention_mask" in shapes:
        x[-1] = np.round(x[-1])
        x[-1][..., 2, :] = 0
    expected = keras.tree.flatten(theirs.predict(x, verbose=0))
    theirs.save(tmp_path / "theirs.keras")
    theirs.save(tmp_path / "theirs.h5")
    ours = cn.load_model(tmp_path / "theirs.keras")
    ours.save(tmp_path / "ours.keras")
    for model in (
        ours,
        cn.load_model(tmp_path / "theirs.h5"),
        keras.models.load_model(tmp_path / "ours.keras"),
    ):
        for y, other in zip(keras.tree.flatten(model.predict(x, verbose=0)), expected, strict=True):
            np.testing.assert_allclose(y, other, rtol=1e-4, atol=1e-5)
