"""TensorFlow's functions in Keras 2 files that the user gives: custom_objects by function and by layer."""

import copy
import pickle

import numpy as np

import conv2d_native as cn
from keras_2_functions import model_of_functions

X = np.random.default_rng(5).random((3, 4, 2), np.float32)


def opened(calls, outputs, **given):
    """A Keras 2 model of `x` and of functions (name, TensorFlow's function, first tensor, arguments)."""
    functions = [(name, function, [[first, 0, 0, words]]) for name, function, first, words in calls]
    objects = given.pop("by_name", given)
    return model_of_functions(functions, (None, 4, 2), outputs, objects, keras_version="2.15.0")


def copies(model):
    return model, copy.deepcopy(model), pickle.loads(pickle.dumps(model)), cn.models.clone_model(model)


def cubed(x):
    return x**3


def shifted(x, shift=0.0, axis=None):
    return x + shift


def lgamma(x):
    return x - 2


def test_copies_tell_functions_apart():
    calls = [("a", "math.lgamma", "x", {}), ("b", "math.digamma", "x", {})]
    model = opened(calls, ["a", "b"], by_name={"math.lgamma": lgamma, "math.digamma": cubed})
    for one in copies(model):
        a, b = one.predict(X)
        np.testing.assert_allclose(a, X - 2, rtol=1e-6)
        np.testing.assert_allclose(b, X**3, rtol=1e-6)


def test_a_function_gets_the_plain_arguments_that_it_takes():
    calls = [
        ("a", "roll_by", "x", {"shift": 1.5, "axis": [1, 2], "name": None}),
        ("b", "roll_by", "a", {"shift": -4.0}),
        ("c", "roll_by", "b", {"other": 1}),
    ]
    model = opened(calls, ["a", "b", "c"], roll_by=shifted)
    for one in copies(model):
        a, b, c = one.predict(X)
        np.testing.assert_allclose(a, X + 1.5, rtol=1e-6)
        np.testing.assert_allclose(b, X - 2.5, rtol=1e-6)
        np.testing.assert_array_equal(c, b)


def test_a_function_gets_all_tensors():
    calls = [("a", "multiply", "x", {"y": 3.0}), ("b", "math.atan2", "x", {"x": ["a", 0, 0], "name": None})]
    for function in (np.arctan2, lambda y, x: np.arctan2(y, x), lambda both: np.arctan2(*both)):
        model = opened(calls, ["b"], by_name={"math.atan2": function})
        np.testing.assert_allclose(model.predict(X), np.arctan2(X, 3 * X), rtol=1e-6)


def test_given_by_the_name_of_the_layer():
    calls = [("a", "math.digamma", "x", {}), ("b", "math.digamma", "a", {})]
    model = opened(calls, ["b"], by_name={"a": cubed, "math.digamma": lgamma})
    np.testing.assert_allclose(model.predict(X), X**3 - 2, rtol=1e-6)
