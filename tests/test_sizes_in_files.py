"""tf.shape in Keras 2 files, in the form in which tf_keras 2.21 wrote it: sizes are numbers when a model is opened."""

import numpy as np
import pytest

import conv2d_native as cn
from keras_2_functions import model_of_functions
from written import bytes_of

X = np.random.default_rng(3).random((2, 4, 6, 3), np.float32)
FIXED, OPEN, CONSTANT = (None, 4, 6, 3), (None, None, None, 3), "_CONSTANT_VALUE"
SHAPE = ("s", "compat.v1.shape", ["x", 0, 0, {"name": None, "out_type": "int32"}])
ROWS = ("rows", "__operators__.getitem", ["s", 0, 0, {"slice_spec": 1}])
BATCH = ("batch", "__operators__.getitem", ["s", 0, 0, {"slice_spec": 0}])


def opened(*functions, shape=FIXED):
    return model_of_functions(functions, shape)


def test_a_reshape_by_numbers_of_a_shape():
    both = ("both", "math.multiply", ["rows", 0, 0, {"y": 6, "name": None}])
    for sizes in ([["batch", 0, 0], ["both", 0, 0], 3], [["batch", 0, 0], -1, 3], [-1, ["both", 0, 0], 3]):
        model = opened(SHAPE, ROWS, BATCH, both, ("y", "reshape", ["x", 0, 0, {"shape": sizes}]))
        np.testing.assert_array_equal(model(X), X.reshape(2, 24, 3))
        np.testing.assert_array_equal(cn.load_model(bytes_of(model.save))(X), model(X))


def test_a_shape_that_is_stacked():
    stacked = ("stacked", "stack", [["batch", 0, 0, {}], [CONSTANT, -1, -1, {}], ["rows", 0, 0, {}]])
    model = opened(SHAPE, ROWS, BATCH, stacked, ("y", "reshape", ["x", 0, 0, {"shape": ["stacked", 0, 0]}]))
    np.testing.assert_array_equal(model(X), X.reshape(2, 18, 4))


def test_an_image_is_resized_to_twice_its_size():
    sizes = (
        "sizes",
        "__operators__.getitem",
        ["s", 0, 0, {"slice_spec": {"start": 1, "stop": 3, "step": None}}],
    )
    twice = ("twice", "math.multiply", ["sizes", 0, 0, {"y": 2, "name": None}])
    resize = ("y", "image.resize", ["x", 0, 0, {"size": ["twice", 0, 0], "method": "nearest"}])
    np.testing.assert_array_equal(opened(SHAPE, sizes, twice, resize)(X), X.repeat(2, 1).repeat(2, 2))


def test_images_of_any_size_have_no_numbers():
    with pytest.raises(cn.UnsupportedLayerError, match=r"Layer 's' .*one size"):
        opened(SHAPE, ROWS, ("y", "reshape", ["x", 0, 0, {"shape": [-1, ["rows", 0, 0]]}]), shape=OPEN)


HOSTILE = {
    "an output that is no tensor": [SHAPE],
    "a power without end": [SHAPE, ROWS, ("n", "pow", ["rows", 0, 0, {"y": 10**9}])],
    "products that grow": [SHAPE, ("n0", "math.multiply", ["s", 0, 0, {"y": 2**40}])]
    + [(f"n{i + 1}", "math.multiply", [f"n{i}", 0, 0, {"y": [f"n{i}", 0, 0]}]) for i in range(40)],
    "lists that grow": [SHAPE, ("n0", "concat", [["s", 0, 0, {}], ["s", 0, 0, {}]])]
    + [(f"n{i + 1}", "concat", [[f"n{i}", 0, 0, {}], [f"n{i}", 0, 0, {}]]) for i in range(40)],
    "words": [SHAPE, ROWS, ("n", "math.multiply", ["rows", 0, 0, {"y": "word"}])],
    "sizes beside sizes of another number": [SHAPE, ("n", "math.add", ["s", 0, 0, {"y": [1, 2]}])],
    "a division by nothing": [SHAPE, ROWS, ("n", "math.floordiv", ["rows", 0, 0, {"y": 0}])],
    "an entry that is not there": [SHAPE, ("n", "__operators__.getitem", ["s", 0, 0, {"slice_spec": 9}])],
    "a shape of sizes": [SHAPE, ("n", "compat.v1.shape", ["s", 0, 0, {}])],
    "an activation of sizes": [SHAPE, ("n", "nn.relu", ["s", 0, 0, {}])],
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_what_is_no_size_is_refused(fault):
    with pytest.raises(ValueError):
        opened(*HOSTILE[fault])
