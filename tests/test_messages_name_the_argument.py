"""A message names the argument that is wrong, where one function hands it to another under another name."""

import re

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native import random, utils
from conv2d_native.layers.operations import from_tensorflow

X = np.ones((1, 4, 4, 3), np.float32)
DEEP, POINT = np.ones((3, 3, 3, 2)), np.ones((1, 1, 6, 4))
SHARED = cn.Input((2,))
ONE = cn.Model([SHARED], L.Dense(2)(SHARED))
TWO = cn.Model([SHARED, cn.Input((2,))], SHARED * 2.0)


class Computes(L.Layer):
    def __init__(self, computed):
        super().__init__()
        self.computed = computed

    def call(self, f, x):
        return self.computed(f, x)


def sliced(begin, size):
    return from_tensorflow("slice", "slice")(cn.Input((4, 4, 3)), begin, size)


def over_two_axes(gamma):
    return cn.layer_normalization(X, gamma, axis=[2, 3])


CASES = {
    "channels of the depthwise kernel": (
        lambda: cn.separable_conv2d(X, np.ones((3, 3, 2, 2)), POINT),
        "`depthwise_kernel` must have shape (kh, kw, 3, multiplier). "
        "Received: depthwise_kernel of shape (3, 3, 2, 2)",
    ),
    "channels of the pointwise kernel": (
        lambda: cn.separable_conv2d(X, DEEP, np.ones((1, 1, 5, 4))),
        "`pointwise_kernel` must have shape (kh, kw, 6, filters). "
        "Received: pointwise_kernel of shape (1, 1, 5, 4)",
    ),
    "no rows in the pointwise kernel": (
        lambda: cn.separable_conv2d(X, DEEP, POINT[:0]),
        "`pointwise_kernel` must have shape (kh, kw, 6, filters)",
    ),
    "axes of the pointwise kernel": (
        lambda: cn.separable_conv2d(X.transpose(0, 3, 1, 2), DEEP, POINT[0], data_format="channels_first"),
        "`pointwise_kernel` must have 4 dimensions",
    ),
    "the first operand": (
        lambda: Computes(lambda f, x: f.subtract(np.array([True]), x))(X),
        "`x` must be an array of real numbers",
    ),
    "the second operand": (
        lambda: Computes(lambda f, x: f.subtract(x, np.array([True])))(X),
        "`y` must be an array of real numbers",
    ),
    "no numbers between": (
        lambda: random.randint((3,), 5, 5),
        "`maxval` must be an integer of at least 6. Received: maxval=5.",
    ),
    "a slice before the first": (
        lambda: sliced([0, -2, 0, 0], [-1, 1, 1, 1]),
        "`begin` must be 1 or 4 non-negative integers. Received: begin=[0, -2, 0, 0].",
    ),
    "a slice from the last on, as TensorFlow": (
        lambda: sliced([0, -1, 0, 0], [-1, 1, 1, 1]),
        "`begin` must be 1 or 4 non-negative integers.",
    ),
    "a slice of less than all": (
        lambda: sliced([0, 0, 0, 0], [-1, -2, 1, 1]),
        "`size` must be 1 or 4 integers of at least -1. Received: size=[-1, -2, 1, 1].",
    ),
    "a layer before the first": (
        lambda: cn.Sequential([L.Dense(3)]).get_layer(index=-5),
        "`index` must be from -1 to 0. Received: index=-5.",
    ),
    "no classes": (lambda: utils.to_categorical([]), "`x` must hold numbers from 0 on"),
    "a class below 0": (lambda: utils.to_categorical([-1]), "`x` must hold numbers from 0 on"),
    "size of gamma": (
        lambda: over_two_axes(np.ones(5)),
        "`gamma` must have shape (4, 3). Received: gamma of shape (5,).",
    ),
    "order of gamma": (
        lambda: over_two_axes(np.ones((3, 4))),
        "`gamma` must have shape (4, 3). Received: gamma of shape (3, 4).",
    ),
    "a mean in words": (
        lambda: L.Normalization(mean=["a"], variance=[1.0]),
        "`mean` must be an array of real numbers",
    ),
    "a variance in words": (
        lambda: L.Normalization(mean=[1.0], variance=["b"]),
        "`variance` must be an array of real numbers",
    ),
    "two shapes for one": (
        lambda: ONE.compute_output_shape([(None, 2), (None, 2)]),
        "`input_shape` must be one shape. Received: input_shape=[(None, 2), (None, 2)].",
    ),
    "one shape for two": (
        lambda: TWO.compute_output_shape((None, 2)),
        "`input_shape` must be the shapes of 2 inputs. Received: input_shape=(None, 2).",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_message_names_the_argument(name):
    wrong, text = CASES[name]
    with pytest.raises((ValueError, TypeError), match=re.escape(text)):
        wrong()


def test_rms_normalization_takes_the_sizes_that_it_was_built_for():
    layer = L.RMSNormalization(axis=[1, -1])
    layer(X)
    assert layer(np.ones((1, 4, 9, 3))).shape == (1, 4, 9, 3)
    for shape, axis in (((1, 4, 4, 5), -1), ((1, 5, 4, 3), 1)):
        with pytest.raises(ValueError, match=f"incompatible with the layer: expected axis {axis} of"):
            layer(np.ones(shape))


def test_gamma_in_one_number_and_in_the_order_of_the_axes():
    """Numbers of another order than that of the image are taken in turn, as Keras's reshape takes them."""
    x = np.random.default_rng(0).random((2, 2, 3))
    gamma = np.arange(6, dtype=np.float32)
    plain = cn.layer_normalization(x, axis=[1, 2])
    for axis, shape in (([1, 2], (2, 3)), ([2, 1], (3, 2)), ([1, 2], (1, 2, 3))):
        scaled = cn.layer_normalization(x, gamma.reshape(shape), axis=axis)
        np.testing.assert_array_equal(scaled, plain * gamma.reshape(2, 3))
    np.testing.assert_array_equal(cn.layer_normalization(x, 2.0, [1.0], axis=[1, 2]), plain * 2 + 1)
