"""Operations along the axis of the batch against Keras, in files of both libraries."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import conv2d_native as cn
from batch_operations import BY_IMAGE, MIXED, OTHER_BATCHES, X, make_networks

ALL = BY_IMAGE | MIXED | OTHER_BATCHES
THEIRS, THEIR_CLASSES = make_networks(keras)
_, CLASSES = make_networks(cn)


@pytest.mark.parametrize("name", ALL)
def test_operations(name, tmp_path):
    x = keras.Input((6, 2))
    theirs = keras.Model(x, ALL[name](keras.ops, x))
    theirs.save(tmp_path / "m.keras")
    ours = cn.load_model(tmp_path / "m.keras")
    x = cn.Input((6, 2))
    assert ours.output_shape == cn.Model(x, ALL[name](cn.ops, x)).output_shape
    assert all(n in (None, m) for n, m in zip(theirs.output_shape, ours.output_shape, strict=True))
    ours.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    for n in (1, 4):
        wanted = np.asarray(theirs(X[:n]))
        np.testing.assert_allclose(ours(X[:n]), wanted, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(np.asarray(again(X[:n])), wanted, rtol=1e-5, atol=1e-5)
    wanted = theirs.predict(X, batch_size=2, verbose=0)
    np.testing.assert_allclose(ours.predict(X, batch_size=2), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", THEIRS)
def test_networks(name, tmp_path):
    theirs, rng = THEIRS[name], np.random.default_rng(6)
    theirs.set_weights([rng.uniform(-0.5, 0.5, w.shape) for w in theirs.get_weights()])
    theirs.save(tmp_path / "m.keras")
    ours = cn.load_model(tmp_path / "m.keras", custom_objects=CLASSES)
    ours.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras", custom_objects=THEIR_CLASSES)
    x = rng.standard_normal((7, *theirs.input_shape[1:])).astype(np.float32)
    wanted = theirs.predict(x, batch_size=3, verbose=0)
    for made in (ours.predict(x, batch_size=3), ours(x), np.asarray(again(x))):
        np.testing.assert_allclose(made, wanted, rtol=1e-4, atol=1e-5)


def deviation_network(library):
    """A layer as in ProGAN's discriminator: the mean deviation among the images is one more channel of each."""
    ops = library.ops

    class Deviation(library.layers.Layer):
        def call(self, x):
            batch, height, width, _ = ops.shape(x)
            centred = x - ops.mean(x, axis=0, keepdims=True)
            made = ops.sqrt(ops.mean(ops.square(centred), axis=0, keepdims=True) + 1e-8)
            made = ops.tile(ops.mean(made, axis=(1, 2, 3), keepdims=True), (batch, height, width, 1))
            return ops.concatenate([x, made], axis=-1)

        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], input_shape[-1] + 1)

    x = library.Input((8, 8, 3))
    made = library.layers.Conv2D(4, 3)(Deviation()(x))
    return library.Model(x, made), {"Deviation": Deviation}


def test_a_value_of_all_images_is_spread_over_them(tmp_path):
    theirs, _ = deviation_network(keras)
    theirs.save(tmp_path / "m.keras")
    built, classes = deviation_network(cn)
    ours = cn.load_model(tmp_path / "m.keras", custom_objects=classes)
    built.set_weights(theirs.get_weights())
    x = np.random.default_rng(7).standard_normal((4, 8, 8, 3)).astype(np.float32)
    for n in (1, 4):
        wanted = np.asarray(theirs(x[:n]))
        for model in (ours, built):
            np.testing.assert_allclose(model(x[:n]), wanted, rtol=1e-4, atol=1e-5)
