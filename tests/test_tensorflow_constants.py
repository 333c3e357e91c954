"""Constants that a Keras 2 file computes from sizes of tensors: grids and coordinates beside a batch of any size."""

import json

import numpy as np
import pytest

import conv2d_native as cn

X = np.random.default_rng(3).random((3, 2, 4, 2), np.float32)
EACH = {"start": None, "stop": None, "step": None}


def opened(*calls, shape=(2, 4, 2)):
    """The model of calls (name, function, first argument, words) after tf.shape of `x`, named `shape`, and its parts.

    `n`, `height` and `width` are the sizes.
    """
    sizes = [
        ("n", "__operators__.getitem", ["shape", 0, 0], {"slice_spec": 0}),
        ("height", "__operators__.getitem", ["shape", 0, 0], {"slice_spec": 1}),
        ("width", "__operators__.getitem", ["shape", 0, 0], {"slice_spec": 2}),
    ]
    layers = [
        {
            "class_name": "InputLayer",
            "name": "x",
            "config": {"batch_input_shape": [None, *shape]},
            "inbound_nodes": [],
        }
    ]
    for name, function, first, words in (("shape", "compat.v1.shape", ["x", 0, 0], {}), *sizes, *calls):
        nodes = [[*place, {**words, "name": None}] for place in (first if function == "concat" else [first])]
        config = {"name": name, "function": function}
        node = nodes if function == "concat" else nodes[0]
        layers.append({"class_name": "TFOpLambda", "name": name, "config": config, "inbound_nodes": [node]})
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[calls[-1][0], 0, 0]]}
    config = {"name": "m", "layers": layers} | ends
    return cn.model_from_json(json.dumps({"class_name": "Functional", "config": config}))


N, HEIGHT, WIDTH = (["n", 0, 0], ["height", 0, 0], ["width", 0, 0])


def test_a_grid_for_the_batch_of_a_tensor():
    """The grid of a YOLO head, whose first axis has one entry, is tiled to the batch and to the anchors."""
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(2)), -1).astype(np.float32)[None, :, :, None]
    model = opened(
        ("grid", "tile", ["_CONSTANT_VALUE", -1, grid.tolist()], {"multiples": [N, 1, 1, 3, 1]}),
        ("cast", "cast", ["grid", 0, 0], {"dtype": "float32"}),
        ("x5", "expand_dims", ["x", 0, 0], {"axis": 3}),
        ("sum", "__operators__.add", ["x5", 0, 0], {"y": ["cast", 0, 0]}),
    )
    np.testing.assert_array_equal(model(X), X[:, :, :, None] + grid.repeat(3, 3))


def test_coordinates_beside_an_image():
    """As CoordConv has them: tf.range to the height, scaled, tiled, and joined to the channels."""
    model = opened(
        ("range", "range", ["height", 0, 0], {"dtype": "float32"}),
        ("scaled", "math.multiply", ["range", 0, 0], {"y": 2.0}),
        ("moved", "math.subtract", ["scaled", 0, 0], {"y": 1.0}),
        ("axes", "__operators__.getitem", ["moved", 0, 0], {"slice_spec": [None, EACH, None, None]}),
        ("tiled", "tile", ["axes", 0, 0], {"multiples": [N, 1, WIDTH, 1]}),
        ("both", "concat", [["x", 0, 0], ["tiled", 0, 0]], {"axis": 3}),
    )
    rows = np.broadcast_to(np.float32([-1, 1]).reshape(2, 1, 1), (3, 2, 4, 1))
    np.testing.assert_array_equal(model(X), np.concatenate([X, rows], -1))
    np.testing.assert_array_equal(model(X[:1]), model(X)[:1])


@pytest.mark.parametrize(
    ("function", "first", "words", "value"),
    [
        ("zeros", ["shape", 0, 0], {}, 0),
        ("ones", ["shape", 0, 0], {"dtype": "float32"}, 1),
        ("fill", ["shape", 0, 0], {"value": 2.5}, 2.5),
        ("broadcast_to", ["_CONSTANT_VALUE", -1, [1.5, 1.5]], {"shape": ["shape", 0, 0]}, 1.5),
    ],
)
def test_one_value_in_the_shape_of_a_tensor(function, first, words, value):
    model = opened(("c", function, first, words), ("y", "math.add", ["c", 0, 0], {"y": ["x", 0, 0]}))
    np.testing.assert_allclose(model(X), X + value, rtol=1e-6)


def test_sizes_taken_apart():
    """keras.backend.dot reshapes to the sizes that tf.unstack made of a shape."""
    model = opened(
        ("sizes", "unstack", ["shape", 0, 0], {}),
        ("y", "reshape", ["x", 0, 0], {"shape": [["sizes", 0, 0], ["sizes", 0, 2], ["sizes", 0, 1], 2]}),
    )
    np.testing.assert_array_equal(model(X), X.reshape(3, 4, 2, 2))


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        ([("c", "fill", ["_CONSTANT_VALUE", -1, [5000, 5000]], {"value": 1.0})], "Constants of more than 262,144"),
        ([("c", "tile", ["_CONSTANT_VALUE", -1, [[1.0, 2.0]]], {"multiples": [N, 3]})], "along axes of one entry"),
        ([("c", "range", ["_CONSTANT_VALUE", -1, 9999], {})], "at most 4096"),
        ([("c", "range", ["height", 0, 0], {"limit": 5, "delta": 0})], "`delta` must"),
        ([("r", "range", ["height", 0, 0], {}), ("c", "__operators__.getitem", ["r", 0, 0], {"slice_spec": [0.5]})],
         "not indexed with"),
        ([("c", "ones", ["shape", 0, 0], {})], "`outputs` must be symbolic tensors"),
    ],
)  # fmt: skip
def test_refused(calls, message):
    with pytest.raises(cn.ModelFormatError, match=message):
        opened(*calls)
