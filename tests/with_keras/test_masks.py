"""Masks in Keras's files: those that calls are given, and those that come from Masking."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from keras import layers as L

import conv2d_native as cn

X = np.random.default_rng(5).normal(size=(3, 6, 4)).astype(np.float32)
X[0, 2:4] = 0
CASES = {
    "softmax": lambda x: L.Softmax()(x, mask=x > 0),
    "softmax_numbers": lambda x: L.Softmax(axis=1)(x, mask=x),
    "softmax_axes": lambda x: L.Softmax(axis=[1, 2])(x, mask=x[..., :1] > 0),
    "softmax_constant": lambda x: L.Softmax()(x, mask=np.array([True, True, False, True])),
    "mean": lambda x: L.GlobalAveragePooling1D()(x, mask=x[..., 0] > 0),
    "mean_keepdims": lambda x: L.GlobalAveragePooling1D("channels_first", keepdims=True)(x, mask=x[:, 0] > 0),
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
