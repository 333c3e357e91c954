"""TensorFlow's rarer functions in Keras 2 files: K.switch, masks of strided slices, blocks, transposed kernels."""

from __future__ import annotations

import numpy as np
import pytest

import conv2d_native as cn
from keras_2_functions import model_of_functions
from test_tensorflow_compositions import RNG, X, opened
from written import bytes_of

WIDE = RNG.random((3, 2, 4, 2), np.float32)
SQUARE = RNG.random((3, 3, 4, 2), np.float32)
BACK = RNG.random((3, 3, 5, 4), np.float32)  # of a transposed convolution: to 5 channels from 4


def spread(sizes, **words):
    return cn.functional.conv2d_transpose(X, BACK, **words)[:, : sizes[0], : sizes[1]]


CASES = {
    "a slice": (
        "strided_slice",
        {"begin": [0, 1, 0, 0], "end": [0, 5, 5, 4], "strides": [1, 2, 2, 1], "begin_mask": 1, "end_mask": 9},
        lambda x: x[:, 1:5:2, ::2],
    ),
    "an ellipsis and one entry": (
        "strided_slice",
        {"begin": [0, 0, 2], "end": [0, 0, 3], "begin_mask": 1, "end_mask": 1, "ellipsis_mask": 2,
         "shrink_axis_mask": 4},
        lambda x: x[..., 2],
    ),
    "a new axis": (
        "strided_slice",
        {"begin": [0, 0, 1, 1], "end": [0, 0, 2, 3], "new_axis_mask": 2, "begin_mask": 1, "end_mask": 1},
        lambda x: x[:, None, 1:2, 1:3],
    ),
    "holes": (
        "nn.atrous_conv2d", {"filters": WIDE.tolist(), "rate": 2, "padding": "SAME"},
        lambda x: cn.conv2d(x, WIDE, padding="same", dilation_rate=2),
    ),
    "transposed, same": (
        "nn.conv2d_transpose",
        {"filters": BACK.tolist(), "output_shape": [3, 12, 10, 5], "strides": 2, "padding": "SAME"},
        lambda x: spread((12, 10), strides=2, padding="same"),
    ),
    "transposed, to an odd size": (
        "nn.conv2d_transpose",
        {"filters": BACK.tolist(), "output_shape": [3, 11, 9, 5], "strides": [1, 2, 2, 1], "padding": "SAME"},
        lambda x: spread((11, 9), strides=2, padding="same", output_padding=0),
    ),
    "transposed, valid": (
        "nn.conv2d_transpose",
        {"filters": BACK.tolist(), "output_shape": [3, 13, 11, 5], "strides": 2, "padding": "VALID"},
        lambda x: spread((13, 11), strides=2),
    ),
    "masked rows": ("boolean_mask", {"mask": [True] + [False] * 4 + [True], "axis": 1}, lambda x: x[:, [0, 5]]),
    "both signs": ("nn.crelu", {"axis": -1}, lambda x: np.concatenate([x, 0 * x], -1)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_functions(name):
    function, words, expected = CASES[name]
    model = opened(function, words)
    np.testing.assert_allclose(model(X), expected(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(cn.load_model(bytes_of(model.save))(X), model(X))


@pytest.mark.parametrize("margins", [[[0, 0], [0, 1]], [[1, 1], [2, 1]]])
def test_blocks_go_to_the_batch_and_come_back(margins):
    """Between, a convolution sees every second pixel: one with holes of the padded image."""
    words = {"block_shape": [2, 2], "paddings": margins}
    back = {"block_shape": [2, 2], "crops": margins}
    kernel = {"filters": SQUARE.tolist(), "strides": 1, "padding": "SAME"}
    model = model_of_functions(
        [
            ("apart", "space_to_batch", ["x", 0, 0, words]),
            ("conv", "nn.conv2d", ["apart", 0, 0, kernel]),
            ("back", "batch_to_space", ["conv", 0, 0, back]),
        ],
        (None, 6, 5, 4),
        outputs=["apart", "back"],
    )
    padded = np.pad(X, ((0, 0), *map(tuple, margins), (0, 0)))
    whole = cn.conv2d(padded, SQUARE, padding="same", dilation_rate=2)
    (top, bottom), (left, right) = margins
    wanted = whole[:, top : whole.shape[1] - bottom, left : whole.shape[2] - right]
    apart, got = model(X)
    np.testing.assert_array_equal(
        apart, np.concatenate([padded[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])
    )
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def switched(condition, lacking):
    """What K.switch(condition(x) > 0.5, x, -x) of tf_keras 2.21 writes; the condition lacks so many axes."""
    cut, ones = {"axis": 0}, [["_CONSTANT_VALUE", -1, 1, {"axis": 0}]] * lacking
    return model_of_functions(
        [
            ("mean", *condition),
            ("true", "math.greater", ["mean", 0, 0, {"y": 0.5, "name": None}]),
            ("sizes", "compat.v1.shape", ["true", 0, 0, {"name": None, "out_type": "int32"}]),
            ("with_ones", "concat", [["sizes", 0, 0, cut], ones]),
            ("of_x", "compat.v1.shape", ["x", 0, 0, {"name": None, "out_type": "int32"}]),
            ("more", "math.subtract", ["of_x", 0, 0, {"y": ["with_ones", 0, 0], "name": None}]),
            ("above", "math.greater", ["more", 0, 0, {"y": 0, "name": None}]),
            ("ones", "ones_like", ["of_x", 0, 0, {}]),
            ("turned", "reshape", ["true", 0, 0, {"shape": ["with_ones", 0, 0]}]),
            ("counts", "where", ["above", 0, 0, {"x": ["of_x", 0, 0], "y": ["ones", 0, 0]}]),
            ("tiled", "tile", ["turned", 0, 0, {"multiples": ["counts", 0, 0], "name": None}]),
            ("other", "math.negative", ["x", 0, 0, {"name": None}]),
            ("made", "where", ["tiled", 0, 0, {"x": ["x", 0, 0], "y": ["other", 0, 0]}]),
        ],
        (None, 6, 5, 4),
    )


@pytest.mark.parametrize(
    ("axis", "keepdims"), [([], False), ([3], True), ([1, 2], True), ([3], False), ([2, 3], False)]
)
def test_the_switch_of_the_backend(axis, keepdims):
    words = {"axis": axis, "keepdims": keepdims}
    condition = ("math.reduce_mean", ["x", 0, 0, words]) if axis else ("identity", ["x", 0, 0, {}])
    means = X.mean(tuple(axis), keepdims=True) if axis else X
    model = switched(condition, 0 if keepdims else len(axis))
    np.testing.assert_array_equal(model(X), np.where(means > 0.5, X, -X))
    np.testing.assert_array_equal(model.predict(X, batch_size=2), model(X))


@pytest.mark.parametrize(
    ("function", "words", "message"),
    [
        (
            "nn.conv2d_transpose",
            {"filters": BACK.tolist(), "output_shape": [3, 14, 9, 5], "strides": 2, "padding": "SAME"},
            r"output_shape=\[3, 14, 9, 5\]",
        ),
        (
            "nn.conv2d_transpose",
            {"filters": ["x", 0, 0], "output_shape": [3, 12, 10, 5], "strides": 2, "padding": "SAME"},
            "constant kernel",
        ),
        (
            "space_to_batch",
            {"block_shape": [4, 4], "paddings": [[0, 0], [0, 0]]},
            "`block_shape` must divide the padded image, 6 x 5",
        ),
    ],
)
def test_refused(function, words, message):
    with pytest.raises(cn.ModelFormatError, match=message):
        opened(function, words)


def test_what_is_made_of_sizes_alone_is_named():
    calls = [("sizes", "shape", ["x", 0, 0, {}]), ("root", "math.sqrt", ["sizes", 0, 0, {}])]
    with pytest.raises(cn.UnsupportedLayerError, match="'root': operation 'Sqrt' is not computed of sizes"):
        model_of_functions(calls, (None, 6, 5, 4))
    calls = [
        ("sizes", "shape", ["x", 0, 0, {}]),
        ("few", "math.greater", ["sizes", 0, 0, {"y": 8}]),
        ("made", "where", ["few", 0, 0, {"x": 3, "y": ["sizes", 0, 0]}]),
    ]
    with pytest.raises(cn.ModelFormatError):
        model_of_functions(calls, (None, 6, 5, 4))


def test_coordinates_from_a_line_of_numbers():
    """As CoordConv has them by tf.linspace."""
    calls = [
        ("sizes", "compat.v1.shape", ["x", 0, 0, {}]),
        ("width", "__operators__.getitem", ["sizes", 0, 0, {"slice_spec": 2}]),
        ("line", "linspace", ["_CONSTANT_VALUE", -1, -1.0, {"stop": 1.0, "num": ["width", 0, 0]}]),
        ("row", "reshape", ["line", 0, 0, {"shape": [1, 1, -1, 1]}]),
        ("sum", "math.add", ["x", 0, 0, {"y": ["row", 0, 0]}]),
    ]
    made = model_of_functions(calls, (None, 6, 5, 4))
    np.testing.assert_allclose(made(X), X + np.linspace(-1, 1, 5)[:, None], rtol=1e-6)
