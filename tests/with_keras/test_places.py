"""Functions in Keras's places give Keras's answers; models made of them are opened by Keras."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import conv2d_native as cn
import own_layers
import own_models
from conv2d_native import applications, utils
from test_keras_places import ON_BOTH, PIXELS, X


@pytest.mark.parametrize("name", ON_BOTH)
def test_operations(name, tmp_path):
    expected = np.asarray(ON_BOTH[name](keras.ops, X))
    np.testing.assert_allclose(ON_BOTH[name](cn.ops, X), expected, rtol=1e-5, atol=1e-6)
    x = cn.Input((6, 5, 3))
    model = cn.Model(x, ON_BOTH[name](cn.ops, x))
    model.save(tmp_path / "m.keras")
    opened = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(model(X), np.asarray(opened(X)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", sorted(set(applications.__all__) - {"decode_predictions", "preprocess"}))
@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_preprocessing(family, order):
    x = np.moveaxis(PIXELS, -1, 1) if order == "channels_first" else PIXELS
    expected = getattr(keras.applications, family).preprocess_input(x.copy(), data_format=order)
    got = getattr(applications, family).preprocess_input(x, data_format=order)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_image_files(tmp_path):
    pytest.importorskip("PIL")
    keras.utils.save_img(tmp_path / "a.png", PIXELS[0], scale=False)
    for words in (
        {},
        {"color_mode": "grayscale", "target_size": (9, 4)},
        {"target_size": (5, 8), "interpolation": "bicubic"},
        {"target_size": (3, 8), "keep_aspect_ratio": True, "interpolation": "bilinear"},
    ):
        expected = keras.utils.img_to_array(keras.utils.load_img(tmp_path / "a.png", **words))
        np.testing.assert_array_equal(
            utils.img_to_array(utils.load_img(tmp_path / "a.png", **words)), expected
        )
    for scale in (True, False):
        expected = np.asarray(keras.utils.array_to_img(PIXELS[1], scale=scale))
        np.testing.assert_array_equal(np.asarray(utils.array_to_img(PIXELS[1], scale=scale)), expected)
    labels = [[2], [0], [1]]
    np.testing.assert_array_equal(utils.to_categorical(labels), keras.utils.to_categorical(labels))
    np.testing.assert_allclose(utils.normalize(X[0, 0]), keras.utils.normalize(X[0, 0]), rtol=1e-6)


@keras.saving.register_keras_serializable("mine")
def halved(x):
    return x / 2


def cubed(x):
    return tf.math.pow(x, 3.0)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_activations_that_are_functions(ending, tmp_path):
    stack = [
        keras.Input((6, 5, 3)),
        keras.layers.Conv2D(4, 3, activation=halved),
        keras.layers.TimeDistributed(keras.layers.Dense(2, activation=cubed)),
        keras.layers.Activation(cubed),
    ]
    theirs = keras.Sequential(stack)
    path = tmp_path / f"m{ending}"
    theirs.save(path)
    with pytest.raises(cn.UnsupportedLayerError, match="its activation 'halved'"):
        cn.load_model(path)
    ours = cn.load_model(path, custom_objects={"halved": lambda x: x / 2, "cubed": lambda x: x**3})
    np.testing.assert_allclose(ours(X), np.asarray(theirs(X)), rtol=1e-4, atol=1e-6)
    ours.save(tmp_path / "again.keras")
    again = keras.models.load_model(
        tmp_path / "again.keras", custom_objects={"halved": halved, "cubed": cubed}
    )
    np.testing.assert_allclose(np.asarray(again(X)), np.asarray(theirs(X)), rtol=1e-4, atol=1e-6)


def test_names_and_objects_are_keras_names():
    for place in ("applications", "backend", "ops", "saving", "utils"):
        for name in getattr(cn, place).__all__:
            if (place, name) not in {("applications", "decode_predictions"), ("applications", "preprocess")}:
                names = (
                    getattr(keras, place),
                    keras.ops.image,
                    keras.ops.nn,
                    keras.saving,
                    keras.config,
                    keras.preprocessing,
                )
                assert any(hasattr(where, name) for where in names) or name == "Sequence", (place, name)


def test_functions_of_numpy_that_keras_has_are_here():
    by_numpy = {name: getattr(np, name, None) for name in dir(keras.ops) if not name.startswith("_")}
    names = [name for name, found in by_numpy.items() if callable(found) and not inspect.isclass(found)]
    assert len(names) > 100 and [name for name in names if not hasattr(cn.ops, name)] == []


def test_layers_of_the_users(tmp_path):
    for_keras, for_here = own_layers.make_layers(keras), own_layers.make_layers(cn)
    theirs = own_layers.make_network(keras, for_keras)
    rng = np.random.default_rng(3)
    theirs.set_weights([rng.uniform(0.1, 0.5, w.shape) for w in theirs.get_weights()])
    expected = {key: np.asarray(value) for key, value in theirs(X).items()}
    theirs.save(tmp_path / "m.keras")
    theirs.save_weights(tmp_path / "m.weights.h5")
    ours = cn.load_model(tmp_path / "m.keras", custom_objects=for_here)
    built = own_layers.make_network(cn, for_here)
    built.load_weights(tmp_path / "m.weights.h5")
    ours.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras", custom_objects=for_keras)
    theirs.save(tmp_path / "m.h5")  # layers inside one of the user's have names of no meaning there
    legacy = cn.load_model(tmp_path / "m.h5", custom_objects=for_here)
    for made in (*(model.predict(X, verbose=0) for model in (ours, built, legacy)), again(X)):
        for key, value in expected.items():
            np.testing.assert_allclose(np.asarray(made[key]), value, rtol=1e-4, atol=1e-5)


def masked_layer(module):
    """A layer whose call masks a kernel, as PixelCNN of keras.io does."""

    class Masked(module.layers.Layer):
        def __init__(self, filters, **kwargs):
            super().__init__(**kwargs)
            self.filters = filters
            self.conv = module.layers.Conv2D(filters, 3, padding="same")

        def build(self, input_shape):
            self.conv.build(input_shape)
            self.mask = np.zeros(module.ops.shape(self.conv.kernel))
            self.mask[0], self.mask[1, :2] = 1.0, 1.0

        def call(self, inputs):
            self.conv.kernel.assign(self.conv.kernel * self.mask)
            return self.conv(inputs)

    return Masked


def test_layers_that_assign_in_their_call(tmp_path):
    """The same answers and the same weights after every call, on arrays and in a model, and in files."""
    theirs_class, our_class = masked_layer(keras), masked_layer(cn)
    inputs = keras.Input((6, 5, 3))
    theirs = keras.Model(inputs, theirs_class(2)(theirs_class(4)(inputs)))
    theirs.save(tmp_path / "m.keras")
    ours = cn.load_model(tmp_path / "m.keras", custom_objects={"Masked": our_class})
    rng, x = np.random.default_rng(2), np.repeat(X, 20, 0)

    def compare(made=None):
        if made is not None:
            np.testing.assert_allclose(made(ours), np.asarray(made(theirs)), rtol=1e-4, atol=1e-5)
        for got, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(got, expected)

    compare()
    compare(lambda model: model.predict(x, verbose=0))
    for call in (lambda model: model(X), lambda model: model.predict(X, verbose=0)):
        weights = [rng.standard_normal(w.shape) for w in theirs.get_weights()]
        theirs.set_weights(weights)
        ours.set_weights(weights)
        for made in (None, call, call):
            compare(made)
    ours.save(tmp_path / "n.keras")
    opened = keras.models.load_model(tmp_path / "n.keras", custom_objects={"Masked": theirs_class})
    np.testing.assert_allclose(ours(X), np.asarray(opened(X)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name", sorted({*own_models.make_networks(cn, own_models.make_classes(cn))} - {"pair"})
)
def test_models_of_the_users(name, tmp_path):
    """Both libraries open each other's files.

    Pair takes two images. Deep has a build of its own: Keras's load_model makes no layers for it, nor of Keras's file,
    nor those that Headed and Topped have beside connected ones; for these it reads the weights.
    """
    for_keras, for_here = own_models.make_classes(keras), own_models.make_classes(cn)
    theirs = own_models.make_networks(keras, for_keras)[name]()
    theirs(X)
    rng = np.random.default_rng(4)
    theirs.set_weights([rng.uniform(0.1, 0.5, w.shape) for w in theirs.get_weights()])
    expected = keras.tree.flatten(theirs(X))
    theirs.save(tmp_path / "m.keras")
    theirs.save_weights(tmp_path / "m.weights.h5")
    ours = cn.load_model(tmp_path / "m.keras", custom_objects=for_here)
    built = own_models.make_networks(cn, for_here)[name]()
    built(X)
    built.load_weights(tmp_path / "m.weights.h5")
    built.save(tmp_path / "again.keras")
    answers = [ours.predict(X, verbose=0), built.predict(X, verbose=0)]
    if name in ("headed", "topped"):
        again = own_models.make_networks(keras, for_keras)[name]()
        again(X)
        again.load_weights(tmp_path / "again.keras")
        answers.append(again(X))
    elif name != "deep":
        answers.append(keras.models.load_model(tmp_path / "again.keras", custom_objects=for_keras)(X))
    for made in answers:
        for got, value in zip(keras.tree.flatten(made), expected, strict=True):
            np.testing.assert_allclose(np.asarray(got), np.asarray(value), rtol=1e-4, atol=1e-5)
