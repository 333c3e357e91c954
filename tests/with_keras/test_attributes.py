"""Attributes of models and layers, and the arrays of bfloat16 that Keras's layers give, as in Keras."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers as L

import conv2d_native as cn


def test_shapes_and_flags():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    dense = L.Dense(2)
    for model in (
        keras.Model({"a": a, "b": b}, [a * 2, {"u": dense(b)}]),
        keras.Model({"a": a}, {"u": a * 2}),
        keras.Model([a, b], [a + b]),
    ):
        dense.trainable = False
        made = cn.from_keras(model)
        assert made.input_shape == model.input_shape and made.output_shape == model.output_shape
        assert [v.trainable for v in made.weights] == [v.trainable for v in model.weights]
        assert made.layers[0].input == model.layers[0].input == []


def test_lists_for_inputs_by_name():
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    model = keras.Model({"a": a, "b": b}, a - 2 * b)
    x = [np.full((2, 3), n, np.float32) for n in (1, 5)]
    np.testing.assert_array_equal(cn.from_keras(model).predict(x), model.predict(x, verbose=0))


def test_weights_in_bfloat16():
    theirs, ours = L.Dense(2, dtype="bfloat16"), cn.layers.Dense(2)
    theirs.build((None, 3))
    ours.build((None, 3))
    ours.set_weights(theirs.get_weights())
    np.testing.assert_array_equal(ours.get_weights()[0], theirs.get_weights()[0].astype(np.float32))
