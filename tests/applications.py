"""The networks of keras.applications with random weights that keep the scale of activations and do not amplify
rounding, as trained weights do not; and Keras's answers.

Importing this module needs Keras and TensorFlow.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

# (side of the images in tests, the network's own side)
SIZES = {
    "VGG16": (32, 224),
    "VGG19": (32, 224),
    "ResNet50": (96, 224),
    "ResNet101": (64, 224),
    "ResNet152": (64, 224),
    "ResNet50V2": (96, 224),
    "ResNet101V2": (64, 224),
    "ResNet152V2": (64, 224),
    "DenseNet121": (96, 224),
    "DenseNet169": (64, 224),
    "DenseNet201": (64, 224),
    "InceptionV3": (96, 299),
    "InceptionResNetV2": (96, 299),
    "Xception": (96, 299),
    "MobileNet": (96, 224),
    "MobileNetV2": (96, 224),
    "MobileNetV3Small": (96, 224),
    "MobileNetV3Large": (96, 224),
    "EfficientNetB0": (96, 224),
    "EfficientNetB1": (64, 240),
    "EfficientNetB2": (64, 260),
    "EfficientNetB3": (64, 300),
    "EfficientNetB4": (64, 380),
    "EfficientNetB5": (64, 456),
    "EfficientNetB6": (64, 528),
    "EfficientNetB7": (64, 600),
    "EfficientNetV2B0": (96, 224),
    "EfficientNetV2B1": (64, 240),
    "EfficientNetV2B2": (64, 260),
    "EfficientNetV2B3": (64, 300),
    "EfficientNetV2S": (96, 384),
    "EfficientNetV2M": (64, 480),
    "EfficientNetV2L": (64, 480),
    "NASNetMobile": (96, 224),
    "NASNetLarge": (96, 331),
    "ConvNeXtTiny": (64, 224),
    "ConvNeXtSmall": (64, 224),
    "ConvNeXtBase": (64, 224),
    "ConvNeXtLarge": (64, 224),
    "ConvNeXtXLarge": (64, 224),
}


GATE = 1e-4  # the largest relative error of an answer
WELL_CONDITIONED = 5e-5  # Keras's own error is below this: a network that amplifies rounding tells little
BRANCH = 0.1  # the scale of what branches add: with 1, deep networks amplify rounding without bound


@dataclass(frozen=True)
class Application:
    """A network in float32, images for it, and what Keras answers in float64 and in float32."""

    model: keras.Model
    x: np.ndarray
    exact: np.ndarray
    single: np.ndarray

    @property
    def keras_error(self) -> float:
        """Keras's own relative error in float32."""
        return relative_error(self.single, self.exact)

    @property
    def spread(self) -> float:
        """How far apart the answers for different images are: below 0.01 a comparison proves little."""
        return float(np.ptp(self.exact, axis=0).max())


def make_application(name: str, side: int, images: int = 3) -> Application:
    """`name` of keras.applications for images of `side` pixels, ten classes; larger ones than 224 pixels are not used
    for its statistics, as Keras keeps all activations of a call.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    make = getattr(keras.applications, name)
    model = make(weights=None, input_shape=(min(side, 224),) * 2 + (3,), classes=10)
    rng = np.random.default_rng(7)
    rescales = any(
        isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization))
        for layer in flat_layers(model)
    )
    scale = 255.0 if rescales else 1.0
    calibrate(model, scale, rng)
    if side > 224:
        weights, model = model.get_weights(), make(weights=None, input_shape=(side, side, 3), classes=10)
        model.set_weights(weights)
    x = pictures(model, scale, rng, images)
    spread(model, x)
    single = one_by_one(model, x)
    keras.config.set_dtype_policy("float64")
    try:
        precise = make(weights=None, input_shape=(side, side, 3), classes=10)
    finally:
        keras.config.set_dtype_policy("float32")
    precise.set_weights(model.get_weights())
    return Application(model, x, one_by_one(precise, x.astype(np.float64)), single)


def one_by_one(model, x: np.ndarray) -> np.ndarray:
    """Keras's answers. A call keeps all activations to its end: those of one image are enough."""
    return np.concatenate([np.asarray(model(x[i : i + 1], training=False)) for i in range(len(x))])


def relative_error(got: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest output."""
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def flat_layers(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        else:
            yield layer


def calibrate(model, scale: float, rng: np.random.Generator) -> None:
    """Random weights with the statistics of a real pass in every BatchNormalization, so that activations keep scale."""
    norms = [layer for layer in flat_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    branches = ends_of_branches(model)
    momenta = [norm.momentum for norm in norms]
    plain = not any("Normalization" in type(layer).__name__ for layer in flat_layers(model))
    for layer in flat_layers(model):
        for weight in layer.trainable_weights:
            name = weight.path.split("/")[-1]
            if name == "kernel" and plain:
                weight.assign(weight * 2**0.5)
            if name == "gamma":
                weight.assign(rng.uniform(0.7, 1.3, weight.shape) * (BRANCH if layer in branches else 1))
            elif name in ("beta", "bias"):
                weight.assign(rng.normal(0, 0.05, weight.shape))
    noises = [layer for layer in flat_layers(model) if getattr(layer, "rate", 0)]
    rates = [layer.rate for layer in noises]
    for norm in norms:
        norm.momentum = 0.0
    for layer in noises:  # statistics are those of inference
        layer.rate = 0.0
    if norms:
        model(pictures(model, scale, rng, 8), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for layer, rate in zip(noises, rates, strict=True):
        layer.rate = rate


def ends_of_branches(model) -> list:
    """Of every sum, the last normalization whose result is added to what goes around it."""
    found = []
    for layer in flat_layers(model):
        if isinstance(layer, keras.layers.Add):
            makers = [maker_of(tensor) for tensor in layer.input]
            norms = [maker for maker in makers if isinstance(maker, keras.layers.BatchNormalization)]
            found += sorted(norms, key=model.layers.index)[-1:]
    return found


def maker_of(tensor):
    """The layer that makes `tensor`; one before a Dropout."""
    layer = tensor._keras_history.operation
    return maker_of(layer.input) if isinstance(layer, keras.layers.Dropout) else layer


def spread(model, x: np.ndarray) -> None:
    """Weights of the last layer that make the answers for `x` differ, while rounding is not blown up."""
    heads = [layer for layer in model.layers if isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D))]
    head = heads[-1]
    features = one_by_one(keras.Model(model.input, head.input), x).astype(np.float64)
    kernel = np.asarray(head.kernel, np.float64).reshape(features.shape[-1], -1)
    logits = features.reshape(len(x), -1) @ kernel
    gain = 0.2 / logits.std(axis=0).mean()
    head.kernel.assign(np.asarray(head.kernel) * gain)
    head.bias.assign(-logits.mean(axis=0) * gain)


def pictures(model, scale: float, rng: np.random.Generator, count: int) -> np.ndarray:
    """Coloured blocks under noise: images that differ in more than their noise. Values in [0, scale]."""
    _, height, width, channels = model.input_shape
    blocks = rng.uniform(0, 0.8, (count, 4, 4, channels)) * rng.uniform(0.2, 1, (count, 1, 1, channels))
    blocks = blocks.repeat(-(-height // 4), axis=1).repeat(-(-width // 4), axis=2)[:, :height, :width]
    return ((blocks + rng.uniform(0, 0.2, blocks.shape)) * scale).astype(np.float32)
