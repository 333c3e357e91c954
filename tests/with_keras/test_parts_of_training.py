"""Keras's files of layers with weights that training alone uses, or that it adds: opened here, and by Keras again."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from keras import layers as L

import conv2d_native as cn

RANDOM = np.random.default_rng(6)
X = RANDOM.normal(size=(2, 6, 6, 4)).astype(np.float32)


def filled(model):
    for weight in model.weights:
        weight.assign(RANDOM.uniform(0.5, 1.5, weight.shape))
    return model


def compare(model, folder):
    """Both kinds of files of `model`, and what is saved of them, give its answers. Returns Keras's last one."""
    expected = model.predict(X, verbose=0)
    for name in ("k.keras", "k.h5"):
        model.save(folder / name)
        made = cn.load_model(folder / name)
        np.testing.assert_allclose(made.predict(X), expected, rtol=1e-4, atol=1e-5)
        made.save(folder / "c.keras")
        again = keras.models.load_model(folder / "c.keras")
        np.testing.assert_allclose(again.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)
    return again


@pytest.mark.parametrize("words", [{}, {"scale": False, "renorm_clipping": {"rmax": 3.0, "rmin": 0.3}}])
def test_batch_renormalization(words, tmp_path):
    x = keras.Input((6, 6, 4))
    model = filled(keras.Model(x, L.BatchNormalization(renorm=True, **words)(x)))
    again = compare(model, tmp_path)
    for kept, weight in zip(again.weights, model.weights, strict=True):
        assert kept.name == weight.name
        np.testing.assert_array_equal(kept, weight)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("layer", [L.Dense(5), L.Conv2D(5, 3, use_bias=False)], ids=["dense", "conv"])
def test_lora(layer, nested, tmp_path):
    layer = type(layer).from_config(layer.get_config())
    x, y = keras.Input((6, 6, 4)), keras.Input((6, 6, 4))
    model = keras.Model(x, layer(x))
    layer.enable_lora(2, lora_alpha=3.0)
    compare(filled(keras.Model(y, L.ReLU()(model(y))) if nested else model), tmp_path)
