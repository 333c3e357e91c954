"""Models that this package writes, opened by Keras: the answers are those of the models that they were read from."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

import conv2d_native as cn
from answers import MODEL_ANSWERS, MODELS, relative_error
from conv2d_native import layers as L
from conv2d_native.formats import read_model, write_keras
from layer_cases import inputs_of
from test_formats_write import all_weights

OF_KERAS_2 = (L.ThresholdedReLU(0.5), L.RandomHeight(0.1), L.RandomWidth(0.1))
CLASSES = {made.__name__: made for made in (LayerScale, StochasticDepth, CustomScaleLayer)}


@pytest.mark.parametrize("name", MODELS)
def test_keras_opens_what_is_written(name, tmp_path):
    spec = read_model(MODEL_ANSWERS[name + ".keras"].tobytes())
    weights = all_weights(spec)
    for arrays in weights.values():
        if len(arrays) == 3 and arrays[2].shape == ():
            arrays[2] = arrays[2].astype(np.int32)  # Normalization's count
    write_keras(tmp_path / "model.keras", spec.config, weights)
    model = keras.models.load_model(tmp_path / "model.keras", custom_objects=CLASSES)
    facts, xs = MODELS[name], inputs_of(name, MODELS[name]["input_shapes"])
    names = facts["input_names"]
    ys = model(dict(zip(names, xs, strict=True)) if names else xs if len(xs) > 1 else xs[0], training=False)
    ys = list(ys.values()) if isinstance(ys, dict) else ys if isinstance(ys, (list, tuple)) else [ys]
    for i, y in enumerate(ys):
        assert relative_error(np.asarray(y), MODEL_ANSWERS[f"{name}/y{i}"]) < 1e-6


@pytest.mark.parametrize("layer", OF_KERAS_2, ids=lambda layer: type(layer).__name__)
def test_keras_3_opens_layers_of_keras_2(layer, tmp_path):
    model = cn.Sequential([cn.Input((4, 5, 3)), layer])
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
    opened = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(opened.predict(x, verbose=0), model.predict(x))
