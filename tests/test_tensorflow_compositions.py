"""TensorFlow's functions in Keras 2 files that are several operations: as tf_keras 2.21 wrote and computed them."""

import numpy as np
import pytest

import conv2d_native as cn
from keras_2_functions import model_of_functions
from written import bytes_of

RNG = np.random.default_rng(8)
X = RNG.random((3, 6, 5, 4), np.float32)
KERNEL = RNG.random((3, 2, 4, 2), np.float32)


def opened(function, words, shape=(6, 5, 4), first=("x", 0, 0), others=None, dtype="float32"):
    """The model that calls `function` on the input `x`, and on what `words` say; `others`: shapes of more inputs."""
    flat = [*first, {**words, "name": None}]
    call = flat if isinstance(first[0], str) else [[*place, words] for place in first]
    more = {name: (None, *of_image) for name, of_image in (others or {}).items()}
    return model_of_functions([("tf.f", function, call)], (None, *shape), others=more, dtype=dtype)


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
    "brightness": ("image.adjust_brightness", {"delta": 0.25}, lambda x: x + 0.25),
    "contrast": (
        "image.adjust_contrast", {"contrast_factor": 3.0},
        lambda x: (x - x.mean((1, 2), keepdims=True)) * 3 + x.mean((1, 2), keepdims=True),
    ),
    "gamma": ("image.adjust_gamma", {"gamma": 2.0, "gain": 0.5}, lambda x: 0.5 * x**2),
    "middle": ("image.central_crop", {"central_fraction": 0.5}, lambda x: x[:, 1:5, 1:4]),
    "zeros around": (
        "image.pad_to_bounding_box",
        {"offset_height": 1, "offset_width": 0, "target_height": 8, "target_width": 7},
        lambda x: np.pad(x, ((0, 0), (1, 1), (0, 2), (0, 0))),
    ),
    "cropped or padded": (
        "image.resize_with_crop_or_pad", {"target_height": 3, "target_width": 8},
        lambda x: np.pad(x[:, 1:4], ((0, 0), (0, 0), (1, 2), (0, 0))),
    ),
    "resized with zeros around": (
        "image.resize_with_pad", {"target_height": 12, "target_width": 15, "method": "nearest"},
        lambda x: np.pad(x.repeat(2, 1).repeat(2, 2), ((0, 0), (0, 0), (2, 3), (0, 0))),
    ),
    "a quarter turn": ("image.rot90", {"k": 3}, lambda x: np.rot90(x, 3, (1, 2))),
    "rows and columns": ("image.transpose", {}, lambda x: x.swapaxes(1, 2)),
    "floats": ("image.convert_image_dtype", {"dtype": "float32"}, lambda x: x),
    "places as ones": ("one_hot", {"depth": 3}, lambda x: np.float32(np.trunc(x)[..., None] == np.arange(3))),
    "places as other numbers": (
        "one_hot", {"depth": 2, "on_value": 5, "off_value": -1, "axis": 1},
        lambda x: np.stack([5 + 0 * x, 0 * x - 1], 1),
    ),
    "sorted": ("sort", {"axis": 1}, lambda x: np.sort(x, 1)),
    "sorted downwards": ("sort", {"direction": "DESCENDING"}, lambda x: -np.sort(-x)),
    "order downwards": ("argsort", {"axis": 2, "direction": "DESCENDING"}, lambda x: np.argsort(-x, 2)),
    "constant places": ("compat.v1.gather", {"indices": [3, 0], "axis": -1}, lambda x: x[..., [3, 0]]),
    "masked channels": (
        "compat.v1.boolean_mask", {"mask": [True, False, False, True], "axis": 3}, lambda x: x[..., [0, 3]]
    ),
    "swish with beta": ("nn.silu", {"beta": 2.0}, lambda x: x / (1 + np.exp(-2 * x))),
    "swish": ("nn.silu", {"beta": 1.0}, lambda x: x / (1 + np.exp(-x))),
    "shortened": (
        "clip_by_norm", {"clip_norm": 0.5, "axes": [-1]},
        lambda x: x * 0.5 / np.maximum(0.5, np.sqrt((x * x).sum(-1, keepdims=True))),
    ),
    "of length one": (
        "linalg.normalize", {"axis": -1}, lambda x: x / np.sqrt((x * x).sum(-1, keepdims=True))
    ),
    "transposed": ("linalg.matrix_transpose", {}, lambda x: x.swapaxes(2, 3)),
    "how many": ("math.count_nonzero", {"axis": [1, 2]}, lambda x: np.count_nonzero(x, axis=(1, 2))),
    "product": ("math.multiply_no_nan", {"y": ["x", 0, 0]}, lambda x: x * x),
    "product with zero": ("math.multiply_no_nan", {"y": 0.0}, lambda x: 0 * x),
    "angle": ("math.atan2", {"x": 2.0}, lambda x: np.arctan2(x, 2)),
    "products up to here": ("math.cumprod", {"axis": 2}, lambda x: np.cumprod(x, 2)),
    "pool by name": (
        "compat.v1.nn.pool",
        {"window_shape": [2, 1], "pooling_type": "MAX", "padding": "VALID", "strides": [2, 1], "dilation_rate": None},
        lambda x: x.reshape(-1, 3, 2, 5, 4).max(2),
    ),
    "separable convolution": (
        "compat.v1.nn.separable_conv2d",
        {"depthwise_filter": np.ones((1, 1, 4, 1)).tolist(), "pointwise_filter": [[KERNEL[0, 0].tolist()]],
         "strides": [1, 2, 2, 1], "padding": "SAME", "rate": None},
        lambda x: x[:, ::2, ::2] @ KERNEL[0, 0],
    ),
    "normalization by constants": (
        "compat.v1.nn.fused_batch_norm",
        {"scale": [2, 2, 2, 2], "offset": [1, 1, 1, 1], "mean": [0.5] * 4, "variance": [4.0] * 4, "epsilon": 0.0,
         "data_format": "NHWC", "is_training": False},
        lambda x: x + 0.5,
    ),
}  # fmt: skip
ON_LINES = {
    "convolution": (
        "compat.v1.nn.conv1d",
        {"filters": KERNEL[:1, 0].tolist(), "stride": 2, "padding": "VALID", "data_format": "NWC", "dilations": None},
        lambda x: x[:, ::2] @ KERNEL[0, 0],
    ),
    "wide convolution": (
        "compat.v1.nn.conv1d",
        {"filters": np.ones((2, 4, 1)).tolist(), "stride": [1, 1, 1], "padding": "VALID", "dilations": 3},
        lambda x: (x[:, :-3] + x[:, 3:]).sum(-1, keepdims=True),
    ),
    "maximum": (
        "nn.max_pool1d", {"ksize": 2, "strides": [1, 2, 1], "padding": "VALID"},
        lambda x: x.reshape(-1, 3, 2, 4).max(2),
    ),
    "mean": (
        "nn.avg_pool1d", {"ksize": [1, 3, 1], "strides": 3, "padding": "SAME"}, lambda x: x.reshape(-1, 2, 3, 4).mean(2)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ON_LINES)
def test_functions_of_lines(name):
    function, words, expected = ON_LINES[name]
    x = X[:, :, 0]
    np.testing.assert_allclose(opened(function, words, (6, 4))(x), expected(x), rtol=1e-5, atol=1e-6)


def test_places_of_each_image():
    """tf.gather with batch_dims=1, as detectors read the boxes of the best scores."""
    x = np.concatenate([X[:, :, 0], [[[1], [5], [2], [2], [0], [3]]] * 3], axis=-1).astype(np.float32)
    table = cn.load_model(bytes_of(opened("compat.v1.gather", {"indices": [4], "axis": 2}, (6, 5)).save))
    assert table(x).shape == (3, 6, 1)
    for shape in ((6,), (2, 3)):
        words = {"indices": ["y", 0, 0], "axis": None, "batch_dims": 1, "validate_indices": None}
        model = opened("compat.v1.gather", words, (6, 5), others={"y": shape})
        places = np.float32([[1, 5, 2, 2, 0, 3], [0] * 6, [5, 4, 3, 2, 1, 0]])
        wanted = np.stack([rows[at.astype(int)] for rows, at in zip(x, places, strict=True)])
        given = places.reshape(3, *shape)
        np.testing.assert_array_equal(model([x, given]), wanted.reshape(3, *shape, 5))


def test_rows_of_a_table():
    words = {"ids": ["x", 0, 0], "partition_strategy": "div", "max_norm": None}
    table = np.arange(12, dtype=np.float32).reshape(6, 2)
    model = opened(
        "compat.v1.nn.embedding_lookup", words, (3,), first=("_CONSTANT_VALUE", -1, table.tolist())
    )
    np.testing.assert_array_equal(model([[0, 5, 2]]), [table[[0, 5, 2]]])
    with pytest.raises(IndexError):
        model([[0, 6, 2]])


def test_integers_become_shares_of_the_largest():
    model = opened("image.convert_image_dtype", {"dtype": "float32"}, dtype="uint8")
    np.testing.assert_allclose(model(np.full((1, 6, 5, 4), 51)), np.full((1, 6, 5, 4), 0.2), rtol=1e-6)


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
        ("compat.v1.gather", {"indices": ["x", 0, 0], "axis": 2, "batch_dims": 1}, (6, 5, 4), "batch_dims=1"),
        ("compat.v1.gather", {"indices": ["x", 0, 0], "axis": 1}, (6, 5, 4), "constant indices"),
        ("compat.v1.boolean_mask", {"mask": [[True]], "axis": 1}, (6, 5, 4), "constant mask"),
        ("compat.v1.nn.fused_batch_norm", {"scale": [1] * 4, "offset": [0] * 4}, (6, 5, 4), "is_training=True"),
        ("nn.pool", {"window_shape": 2, "pooling_type": "MAX", "dilations": 2}, (6, 5, 4), "dilations"),
        ("image.rot90", {}, (6, 4), "batch of images"),
        ("image.central_crop", {"central_fraction": 0.5}, (None, 5, 4), "one size"),
        ("image.convert_image_dtype", {"dtype": "uint8"}, (6, 5, 4), "uint8"),
        ("nn.max_pool1d", {"ksize": 2, "strides": 2, "data_format": "NCW"}, (6, 4), "NCW"),
    ],
)  # fmt: skip
def test_refused(function, words, shape, message):
    with pytest.raises(cn.UnsupportedLayerError, match=message):
        opened(function, words, shape)
    with pytest.raises(cn.ModelFormatError):
        opened(function, {**words, "no_such_word": 3}, shape)
