"""TensorFlow's functions in Keras 2 files that are several operations: as tf_keras 2.21 wrote and computed them."""

import numpy as np
import pytest

import conv2d_native as cn
from keras_2_functions import model_of_functions
from written import bytes_of

RNG = np.random.default_rng(8)
X = RNG.random((3, 6, 5, 4), np.float32)
KERNEL = RNG.random((3, 2, 4, 2), np.float32)


def opened(function, words, shape=(6, 5, 4), first=("x", 0, 0)):
    """The model that calls `function` on the input `x`, and on what `words` say."""
    flat = [*first, {**words, "name": None}]
    call = flat if isinstance(first[0], str) else [[*place, words] for place in first]
    return model_of_functions([("tf.f", function, call)], (None, *shape))


def standardized(x):
    axes = (1, 2, 3)
    return (x - x.mean(axes, keepdims=True)) / np.maximum(x.std(axes, keepdims=True), 120**-0.5)


def response_normalized(x):
    near = [(x[..., max(0, c - 2) : c + 3] ** 2).sum(-1) for c in range(4)]
    return x / (1.5 + 0.3 * np.stack(near, -1)) ** 0.75


CASES = {
    "squared difference": ("math.squared_difference", {"y": ["x", 0, 0]}, lambda x: 0 * x),
    "squared difference of a number": ("math.squared_difference", {"y": 2.0}, lambda x: (x - 2) ** 2),
    "product, turned": (
        "linalg.matmul", {"b": ["x", 0, 0], "transpose_b": True}, lambda x: x @ x.swapaxes(-1, -2)
    ),
    "product with a constant": (
        "linalg.matmul", {"b": KERNEL[0, 0].tolist(), "a_is_sparse": False}, lambda x: x @ KERNEL[0, 0]
    ),
    "left and right": ("image.flip_left_right", {}, lambda x: x[:, :, ::-1]),
    "up and down": ("image.flip_up_down", {}, lambda x: x[:, ::-1]),
    "crop": (
        "image.crop_to_bounding_box",
        {"offset_height": 1, "offset_width": 2, "target_height": 3, "target_width": 2},
        lambda x: x[:, 1:4, 2:4],
    ),
    "slice": ("slice", {"begin": [0, 1, 0, 2], "size": [-1, 3, -1, 1]}, lambda x: x[:, 1:4, :, 2:3]),
    "colours": ("image.grayscale_to_rgb", {}, lambda x: np.concatenate([x] * 3, -1)),
    "standardization": ("image.per_image_standardization", {}, standardized),
    "local response": (
        "nn.local_response_normalization", {"depth_radius": 2, "bias": 1.5, "alpha": 0.3, "beta": 0.75},
        response_normalized,
    ),
    "crelu": ("compat.v1.nn.crelu", {}, lambda x: np.concatenate([x, 0 * x], -1)),
    "shape": ("ensure_shape", {"shape": [None, 6, 5, 4]}, lambda x: x),
    "flattened": ("keras.backend.batch_flatten", {}, lambda x: x.reshape(len(x), -1)),
    "length": (
        "math.reduce_euclidean_norm", {"axis": -1}, lambda x: np.sqrt((x * x).sum(-1))
    ),
    "convolution": (
        "compat.v1.nn.conv2d",
        {"filter": KERNEL.tolist(), "strides": [1, 2, 2, 1], "padding": "SAME", "data_format": "NHWC"},
        lambda x: cn.conv2d(x, KERNEL, strides=2, padding="same"),
    ),
    "convolution of Keras's backend": (
        "compat.v1.nn.convolution",
        {"filter": KERNEL.tolist(), "dilation_rate": [1, 2], "strides": [1, 1], "padding": "VALID"},
        lambda x: cn.conv2d(x, KERNEL, dilation_rate=(1, 2)),
    ),
    "depthwise convolution": (
        "compat.v1.nn.depthwise_conv2d",
        {"filter": KERNEL.tolist(), "strides": [1, 1, 1, 1], "padding": "SAME", "rate": None},
        lambda x: cn.depthwise_conv2d(x, KERNEL, padding="same"),
    ),
    "patches": (
        "image.extract_patches",
        {"sizes": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "rates": [1, 1, 1, 1], "padding": "VALID"},
        lambda x: x[:, :, :4].reshape(-1, 3, 2, 2, 2, 4).swapaxes(2, 3).reshape(-1, 3, 2, 16),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_functions(name):
    function, words, expected = CASES[name]
    model = opened(function, words)
    np.testing.assert_allclose(model(X), expected(X), rtol=1e-5, atol=1e-6)
    again = cn.load_model(bytes_of(model.save))
    np.testing.assert_array_equal(again(X), model(X))


def test_a_sum_of_several():
    model = opened("math.add_n", {}, first=[("x", 0, 0), ("x", 0, 0), ("x", 0, 0)])
    np.testing.assert_allclose(model(X), 3 * X, rtol=1e-6)


# What tf.compat.v1.image.resize of TensorFlow 2.21 made of the rows 0, 1, ..., 5: method, align_corners, sizes.
RESIZED = [
    ("bilinear", True, [0, 1.25, 2.5, 3.75, 5]),
    ("bilinear", False, [0, 1.2, 2.4, 3.6, 4.8]),
    ("bilinear", True, [0, 0.625, 1.25, 1.875, 2.5, 3.125, 3.75, 4.375, 5]),
    ("bilinear", False, [0, 2 / 3, 4 / 3, 2, 8 / 3, 10 / 3, 4, 14 / 3, 5]),
    ("nearest", True, [0, 1, 1, 2, 3, 3, 4, 4, 5]),
    ("nearest", False, [0, 0, 1, 2, 2, 3, 4, 4, 5]),
    ("nearest", True, [0, 3, 5]),
    ("nearest", False, [0, 1, 3, 4]),
    ("bilinear", True, [0]),
    (0, False, [0, 3]),
    (1, True, [0, 5]),
]


@pytest.mark.parametrize(("method", "align_corners", "rows"), RESIZED)
def test_the_resize_of_tensorflow_1(method, align_corners, rows):
    words = {"size": [len(rows), 7], "method": method, "align_corners": align_corners}
    x = np.arange(6, dtype=np.float32).reshape(1, 6, 1, 1).repeat(3, 2)
    model = opened("compat.v1.image.resize_images", words, (6, 3, 1))
    expected = np.float32(rows).reshape(1, -1, 1, 1).repeat(7, 2)
    np.testing.assert_allclose(model(x), expected, rtol=1e-6, atol=1e-6)
    turned = opened("compat.v1.image.resize_images", words | {"size": [7, len(rows)]}, (3, 6, 1))
    np.testing.assert_allclose(turned(x.swapaxes(1, 2)), expected.swapaxes(1, 2), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "words", "shape", "message"),
    [
        ("compat.v1.image.resize_images", {"size": [4, 4], "method": "area"}, (6, 5, 4), "method=area"),
        ("compat.v1.image.resize_bilinear", {"size": [4, 4]}, (None, None, 4), "one size"),
        ("slice", {"begin": [1, 0, 0, 0], "size": [1, 2, 2, 2]}, (6, 5, 4), "all images"),
        ("linalg.matmul", {"b": ["x", 0, 0], "a_is_sparse": True}, (6, 6, 6), "sparse"),
        ("compat.v1.nn.conv2d", {"filter": ["x", 0, 0], "strides": 1, "padding": "SAME"}, (6, 5, 4), "constant"),
        ("compat.v1.nn.conv2d", {"filter": KERNEL.tolist(), "strides": [1, 1, 1, 2], "padding": "SAME"},
         (6, 5, 4), "strides="),
        ("image.extract_patches", {"sizes": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "rates": [1, 2, 2, 1],
                                   "padding": "SAME"}, (6, 5, 4), "rates="),
    ],
)  # fmt: skip
def test_refused(function, words, shape, message):
    with pytest.raises(cn.UnsupportedLayerError, match=message):
        opened(function, words, shape)
    with pytest.raises(cn.ModelFormatError):
        opened(function, {**words, "no_such_word": 3}, shape)
