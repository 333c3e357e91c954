"""One network of every family of keras.applications, saved by Keras as .keras and .h5, opened here."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

import conv2d_native as cn

GATE = 1e-4
SIZES = {
    "VGG16": 32,
    "ResNet50": 96,
    "ResNet50V2": 96,
    "DenseNet121": 96,
    "InceptionV3": 96,
    "InceptionResNetV2": 96,
    "Xception": 96,
    "MobileNet": 96,
    "MobileNetV2": 96,
    "MobileNetV3Small": 96,
    "MobileNetV3Large": 96,
    "EfficientNetB0": 96,
    "EfficientNetV2B0": 96,
    "EfficientNetV2S": 96,
    "NASNetMobile": 96,
    "ConvNeXtTiny": 64,
}


def flat_layers(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        else:
            yield layer


def calibrate(model, scale: float, rng: np.random.Generator) -> None:
    """Random weights with the statistics of a real pass in every BatchNormalization, so that activations keep scale."""
    norms = [layer for layer in flat_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    plain = not any("Normalization" in type(layer).__name__ for layer in flat_layers(model))
    for layer in flat_layers(model):
        for weight in layer.trainable_weights:
            name = weight.path.split("/")[-1]
            if name == "kernel" and plain:
                weight.assign(weight * 2**0.5)
            if name == "gamma":
                weight.assign(rng.uniform(0.7, 1.3, weight.shape))
            elif name in ("beta", "bias"):
                weight.assign(rng.normal(0, 0.05, weight.shape))
    for norm in norms:
        norm.momentum = 0.0
    if norms:
        model(pictures(model, scale, rng, 8), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    head = [layer for layer in model.layers if isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D))][
        -1
    ]
    body = keras.Model(model.input, head.input)
    features = np.asarray(
        body(pictures(model, scale, np.random.default_rng(1), 8), training=False), np.float64
    )
    kernel = np.asarray(head.kernel, np.float64).reshape(features.shape[-1], -1)
    logits = features.reshape(8, -1) @ kernel
    gain = 0.2 / logits.std(axis=0).mean()  # answers that differ, while rounding is not blown up
    head.kernel.assign(np.asarray(head.kernel) * gain)
    head.bias.assign(-logits.mean(axis=0) * gain)


def pictures(model, scale: float, rng: np.random.Generator, count: int) -> np.ndarray:
    """Coloured blocks under noise: images that differ in more than their noise. Values in [0, scale]."""
    _, height, width, channels = model.input_shape
    blocks = rng.uniform(0, 0.8, (count, 4, 4, channels)) * rng.uniform(0.2, 1, (count, 1, 1, channels))
    blocks = blocks.repeat(-(-height // 4), axis=1).repeat(-(-width // 4), axis=2)[:, :height, :width]
    return ((blocks + rng.uniform(0, 0.2, blocks.shape)) * scale).astype(np.float32)


@pytest.fixture(scope="module", params=SIZES)
def network(request, tmp_path_factory):
    """(paths by suffix, input, Keras's answer in float64)"""
    name, size = request.param, SIZES[request.param]
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    make = getattr(keras.applications, name)
    model = make(weights=None, input_shape=(size, size, 3), classes=10)
    rng = np.random.default_rng(7)
    rescales = any(
        isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization))
        for layer in flat_layers(model)
    )
    scale = 255.0 if rescales else 1.0
    calibrate(model, scale, rng)
    x = pictures(model, scale, rng, 3)
    folder = tmp_path_factory.mktemp(name)
    paths = {suffix: folder / f"{name}{suffix}" for suffix in (".keras", ".h5")}
    for path in paths.values():
        model.save(path)
    keras.config.set_dtype_policy("float64")
    precise = make(weights=None, input_shape=(size, size, 3), classes=10)
    keras.config.set_dtype_policy("float32")
    precise.set_weights(model.get_weights())
    yield paths, x, np.asarray(precise(x.astype(np.float64), training=False))
    for path in paths.values():
        path.unlink()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_application(network, suffix):
    paths, x, expected = network
    got = cn.load_model(paths[suffix]).predict(x, verbose=0)
    assert got.shape == expected.shape and got.dtype == np.float32
    assert np.abs(got - expected).max() <= GATE * np.abs(expected).max()
    np.testing.assert_array_equal(got.argmax(axis=1), expected.argmax(axis=1))
    assert np.ptp(expected, axis=0).max() > 0.01, "all images look the same to the network"
