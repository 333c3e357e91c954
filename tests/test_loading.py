"""Models through files: saving and opening, custom objects, Keras 2's dialects, faults that name their layer."""

import io
import json
import math
import pickle

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.formats import write_keras
from conv2d_native.layers.registry import serialize
from conv2d_native.models.weights import layers_with_weights
from written import bytes_of

RNG = np.random.default_rng(6)


def network():
    x = cn.Input((10, 9, 3))
    stem = cn.Sequential([L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), L.ReLU(6.0)], name="stem")
    conv = L.Conv2D(4, 1, name="twice")
    y = conv(stem(x)) * 0.5 + conv(conv(stem(x)))[:, ::-1]
    y = L.Concatenate()([y, L.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)])
    inner_x = cn.Input((10, 9, 10))
    inner = cn.Model(inner_x, [L.GlobalMaxPooling2D()(inner_x), inner_x / 2.0], name="inner")
    top, rest = inner(y)
    steps = L.TimeDistributed(L.Dense(2, name="each"))(rest)
    model = cn.Model(x, {"top": L.Dense(3, activation="softmax")(top), "steps": steps}, name="network")
    model.set_weights([RNG.uniform(0.1, 1, w.shape) for w in model.get_weights()])
    return model


def test_save_and_open(tmp_path):
    model, x = network(), RNG.random((3, 10, 9, 3), np.float32)
    expected = model(x)
    model.save(tmp_path / "model.keras")
    held = bytes_of(model.save)
    for source in (
        tmp_path / "model.keras",
        str(tmp_path / "model.keras"),
        held,
        io.BytesIO(held),
    ):
        opened = cn.load_model(source)
        got = opened.predict(x, verbose=0)
        for key in expected:
            np.testing.assert_array_equal(got[key], expected[key])
    assert [w.shape for w in opened.get_weights()] == [w.shape for w in model.get_weights()]
    assert [layer.name for layer in opened.layers] == [layer.name for layer in model.layers]


def test_configuration_and_weights_apart(tmp_path):
    model, x = network(), RNG.random((3, 10, 9, 3), np.float32)
    model.save(tmp_path / "model.keras")
    again = cn.model_from_json(model.to_json())
    assert np.abs(again(x)["top"] - model(x)["top"]).max() > 1e-4
    again.load_weights(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x)["steps"], model(x)["steps"])


def test_weights_alone(tmp_path):
    model, x, held = network(), RNG.random((3, 10, 9, 3), np.float32), io.BytesIO()
    model.save_weights(tmp_path / "m.weights.h5")
    model.save_weights(held)
    for source in (tmp_path / "m.weights.h5", held.getvalue()):
        again = cn.model_from_json(model.to_json())
        again.load_weights(source)
        np.testing.assert_array_equal(again(x)["steps"], model(x)["steps"])
    again.load_weights(held.getvalue(), by_name=True)
    with pytest.raises(ValueError, match="`skip_mismatch` must be False"):
        again.load_weights(held.getvalue(), skip_mismatch=True)
    with pytest.raises(FileExistsError):
        model.save_weights(tmp_path / "m.weights.h5", overwrite=False)
    with pytest.raises(ValueError, match=r"must end in \.weights\.h5"):
        model.save_weights(tmp_path / "m.h5")
    with pytest.raises(ValueError, match="is not built"):
        cn.Sequential([L.Dense(2)]).save_weights(tmp_path / "other.weights.h5")
    assert [file.name for file in tmp_path.iterdir()] == ["m.weights.h5"]


def test_a_missing_weight_is_named():
    model = network()
    weights = {path: [v.value for v in layer._variables] for path, layer in layers_with_weights(model)}
    weights["stem", "batch_normalization_0"] = weights.pop(
        next(path for path in weights if path[-1].startswith("batch_normalization"))
    )
    weights.pop(("stem", "batch_normalization_0"))
    held = bytes_of(write_keras, serialize(model), weights)
    with pytest.raises(cn.ModelFormatError, match="batch_normalization"):
        cn.load_model(held)
    report = cn.check_model(held)
    assert not report and "batch_normalization" in str(report)


def test_check_and_load_agree_on_a_model_without_shapes():
    entry = {"class_name": "Dense", "config": {"name": "d", "units": 3}}
    held = bytes_of(write_keras, {"class_name": "Sequential", "config": {"name": "s", "layers": [entry]}}, {})
    with pytest.raises(cn.ModelFormatError, match="before its input shape was known"):
        cn.load_model(held)
    report = cn.check_model(held)
    assert not report and "before its input shape was known" in str(report)


def test_check_makes_a_layer_in_pipelines_once_by_itself_and_once_in_the_model():
    made = []

    class Mine(L.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            made.append(self)

    entry = {"class_name": "Mine", "config": {"name": "mine"}}
    for i in range(20):
        entry = {"class_name": "Pipeline", "config": {"name": f"p{i}", "layers": [entry]}}
    source = {"class_name": "InputLayer", "config": {"batch_shape": [None, 2], "name": "x"}}
    model = {"class_name": "Sequential", "config": {"name": "s", "layers": [source, entry]}}
    report = cn.check_model(json.dumps(model).encode(), {"Mine": Mine})
    assert report and report.layers["Pipeline"] == 20 and len(made) == 2
    report = cn.check_model(json.dumps(model).encode())
    assert [(problem.layer, problem.class_name) for problem in report.problems] == [("mine", "Mine")]


def keras2(layers, inputs, outputs):
    """A functional model as Keras 2 writes it: no modules, lists for nodes."""
    entries = []
    for class_name, name, config, nodes in layers:
        entry = {
            "class_name": class_name,
            "name": name,
            "config": {"name": name, **config},
            "inbound_nodes": nodes,
        }
        entries.append(entry)
    config = {"name": "old", "layers": entries, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "config": config, "keras_version": "2.11.0", "backend": "tensorflow"}


def node(*names, **kwargs):
    return [[[name, 0, 0, kwargs if i == 0 else {}] for i, name in enumerate(names)]]


def erf(x):
    return np.vectorize(math.erf)(x)


OLD = {
    "multiply": ("math.multiply", {"y": 2.0}, lambda x: x * 2),
    "add": ("__operators__.add", {"y": 1.5}, lambda x: x + 1.5),
    "subtract": ("math.subtract", {"y": 1.5}, lambda x: x - 1.5),
    "truediv": ("math.truediv", {"y": 4.0}, lambda x: x / 4),
    "relu": ("nn.relu", {}, lambda x: np.maximum(x, 0)),
    "sigmoid": ("math.sigmoid", {}, lambda x: 1 / (1 + np.exp(-x))),
    "mean": ("math.reduce_mean", {"axis": [1, 2], "keepdims": True}, lambda x: x.mean((1, 2), keepdims=True)),
    "reshape": ("reshape", {"shape": [-1, 30]}, lambda x: x.reshape(-1, 30)),
    "transpose": ("transpose", {"perm": [0, 2, 1, 3]}, lambda x: x.transpose(0, 2, 1, 3)),
    "expand": ("expand_dims", {"axis": 1}, lambda x: x[:, None]),
    "clip": ("clip_by_value", {"clip_value_min": 0.0, "clip_value_max": 0.5}, lambda x: x.clip(0, 0.5)),
    "pad": ("compat.v1.pad", {"paddings": [[0, 0], [1, 1], [0, 2], [0, 0]]},
            lambda x: np.pad(x, [[0, 0], [1, 1], [0, 2], [0, 0]])),
    "conjugate": ("compat.v1.transpose", {"perm": [0, 2, 1, 3], "conjugate": False},
                  lambda x: x.transpose(0, 2, 1, 3)),
    "gelu": ("nn.gelu", {}, lambda x: x / 2 * (1 + erf(x / 2**0.5))),
    "split": ("split", {"num_or_size_splits": [1, 3, 1], "axis": 1}, lambda x: x[:, :1]),
    "split_in_two": ("split", {"num_or_size_splits": 2, "axis": -1}, lambda x: x[..., :1]),
    "unstack": ("unstack", {"num": None, "axis": 2}, lambda x: x[:, :, 0]),
    "argmax": ("math.argmax", {"axis": -1, "output_type": "int32"}, lambda x: x.argmax(-1)),
    "gather": ("compat.v1.gather", {"indices": [1, 0], "axis": -1, "batch_dims": 0}, lambda x: x[..., ::-1]),
    "roll": ("roll", {"shift": 1, "axis": 1}, lambda x: np.roll(x, 1, 1)),
    "bias": ("nn.bias_add", {"bias": [1.0, 2.0], "data_format": None}, lambda x: np.add(x, [1, 2])),
    "bias in words": ("nn.bias_add", {"bias": [1.0, 2.0], "data_format": "NHWC"}, lambda x: np.add(x, [1, 2])),
    "cells": ("nn.space_to_depth", {"block_size": 1, "data_format": "NHWC"}, lambda x: x),
    "erf": ("math.erf", {}, erf),
    "norm": ("norm", {"ord": "euclidean", "axis": -1, "keepdims": None}, lambda x: np.linalg.norm(x, axis=-1)),
    "top_k": ("math.top_k", {"index_type": "int32"}, lambda x: x.max(-1, keepdims=True)),
    "sums": ("cumsum", {"axis": 1, "exclusive": False, "reverse": False}, lambda x: x.cumsum(1)),
    "moments": ("nn.moments", {"axes": [1, 2], "keepdims": True}, lambda x: x.mean((1, 2), keepdims=True)),
    "tensordot": ("tensordot", {"b": [[1.0, 2.0], [0.5, 3.0]], "axes": 1}, lambda x: x @ [[1, 2], [0.5, 3]]),
    "batch norm": ("nn.batch_normalization", {"mean": [1.0, 0.0], "variance": [1.0, 2.0], "offset": None, "scale": None,
                                              "variance_epsilon": 2.0}, lambda x: (x - [1, 0]) / np.sqrt([3, 4])),
    "pool": ("nn.max_pool2d", {"ksize": [1, 2, 1, 1], "strides": [1, 2, 1, 1], "padding": "VALID"},
             lambda x: x[:, :4].reshape(-1, 2, 2, 3, 2).max(2)),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD)
def test_functions_of_tensorflow(name):
    function, arguments, expected = OLD[name]
    tree = keras2(
        [
            ("InputLayer", "x", {"batch_input_shape": [None, 5, 3, 2], "dtype": "float32"}, []),
            (
                "TFOpLambda",
                "tf",
                {"function": function, "trainable": True, "dtype": "float32"},
                [["x", 0, 0, arguments]],
            ),
        ],
        [["x", 0, 0]],
        [["tf", 0, 0]],
    )
    model = cn.model_from_json(json.dumps(tree))
    x = RNG.standard_normal((4, 5, 3, 2)).astype(np.float32)
    np.testing.assert_allclose(model(x), expected(x), rtol=1e-5, atol=1e-6)
    again = cn.load_model(bytes_of(model.save))
    np.testing.assert_array_equal(again(x), model(x))
    if arguments.keys() & {"axis", "shape", "perm", "paddings"}:
        assert again.operations[-1].config, "Keras has such settings in the operation, not in its call"


def test_a_flag_of_tensorflow_that_is_not_computed():
    layers = [
        ("InputLayer", "x", {"batch_input_shape": [None, 3, 3]}, []),
        (
            "TFOpLambda",
            "tf",
            {"function": "linalg.matmul"},
            [["x", 0, 0, {"b": ["x", 0, 0], "b_is_sparse": True}]],
        ),
    ]
    with pytest.raises(cn.UnsupportedLayerError, match="b_is_sparse"):
        cn.model_from_json(keras2(layers, [["x", 0, 0]], [["tf", 0, 0]]))


def test_models_of_keras_2():
    inner = keras2(
        [
            ("InputLayer", "inner_x", {"batch_input_shape": [None, 6, 6, 2]}, []),
            ("Conv2D", "inner_conv", {"filters": 3, "kernel_size": [3, 3], "groups": 1}, node("inner_x")),
        ],
        [["inner_x", 0, 0]],
        [["inner_conv", 0, 0]],
    )["config"] | {"name": "inner"}
    tree = keras2(
        [
            ("InputLayer", "x", {"batch_input_shape": [None, 6, 6, 2]}, []),
            ("Model", "inner", inner, node("x")),
            ("BatchNormalization", "bn", {"axis": [3]}, [[["inner", 1, 0, {}]]]),
            ("LeakyReLU", "leaky", {"alpha": 0.1}, node("bn")),
            ("SpatialDropout2D", "drop", {"rate": 0.5, "noise_shape": None, "seed": None}, node("leaky")),
            ("RandomFlip", "flip", {"rng_type": "stateful", "mode": "horizontal", "seed": None}, node("drop")),
            ("Add", "add", {}, node("flip", "bn")),
            ("SlicingOpLambda", "cut", {"function": "__operators__.getitem", "trainable": True, "dtype": "float32"},
             [["add", 0, 0, {"slice_spec": [{"start": None, "stop": None, "step": None},
                                            {"start": 1, "stop": None, "step": None}]}]]),
            ("DepthwiseConv2D", "dw", {"kernel_size": [3, 3], "groups": 1, "padding": "same"}, node("cut")),
        ],
        [["x", 0, 0]],
        [["dw", 0, 0]],
    )  # fmt: skip
    model = cn.model_from_json(tree)
    x = RNG.standard_normal((2, 6, 6, 2)).astype(np.float32)
    h = model.get_layer("bn")(model.get_layer("inner")(x))
    h = np.where(h > 0, h, h * np.float32(0.1)) + h
    np.testing.assert_allclose(model(x), model.get_layer("dw")(h[:, 1:]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda layers: layers[1].update(inbound_nodes=node("nobody")), "nobody"),
        (lambda layers: layers[1].update(inbound_nodes=node("b")), "wait for each other"),
        (lambda layers: layers[1].update(inbound_nodes=[[["x", 5, 0, {}]]]), "'x'"),
        (lambda layers: layers[1]["config"].update(units=-3), r"'a' \(Dense\).*`units`"),
        (lambda layers: layers[2].update(name="a"), "name"),
    ],
)
def test_broken_graphs_are_refused(change, text):
    tree = keras2(
        [
            ("InputLayer", "x", {"batch_input_shape": [None, 6]}, []),
            ("Dense", "a", {"units": 3}, node("x")),
            ("Dense", "b", {"units": 3}, node("a")),
        ],
        [["x", 0, 0]],
        [["b", 0, 0]],
    )
    change(tree["config"]["layers"])
    with pytest.raises(cn.ModelFormatError, match=text):
        cn.model_from_json(tree)


def functional(layer, **call):
    """Keras's configuration of Input, `layer` called with the words of `call`."""
    name = layer["config"]["name"]
    tensor = {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 6, 5, 2], "keras_history": ["x", 0, 0]},
    }
    node = {"args": [tensor], "kwargs": call}
    entries = [
        {
            "class_name": "InputLayer",
            "config": {"batch_shape": [None, 6, 5, 2], "name": "x"},
            "inbound_nodes": [],
        },
        {**layer, "inbound_nodes": [node]},
    ]
    for entry in entries:
        entry["name"] = entry["config"]["name"]
    config = {"name": "m", "layers": entries, "input_layers": [["x", 0, 0]], "output_layers": [[name, 0, 0]]}
    return {"class_name": "Functional", "module": "keras.src.models.functional", "config": config}


@pytest.mark.parametrize(
    "class_name", ["RandomFlip", "Dropout", "CenterCrop", "Resizing", "BatchNormalization"]
)
def test_calls_that_were_recorded_for_training_are_inference_here(class_name):
    """Keras 3 records training=True, the default of its image layers, and overrides it in predict."""
    words = {
        "Dropout": {"rate": 0.5},
        "CenterCrop": {"height": 6, "width": 5},
        "Resizing": {"height": 6, "width": 5},
    }
    layer = {"class_name": class_name, "module": "keras.layers"}
    layer["config"] = {"name": "odd", "trainable": True, "dtype": "float32", **words.get(class_name, {})}
    model = cn.model_from_json(functional(layer, training=True))
    x = RNG.random((3, 6, 5, 2), np.float32)
    np.testing.assert_allclose(model(x), x, rtol=1e-3)


def pipeline(*inside):
    layers = [
        {"class_name": name, "module": "keras.layers", "config": {"name": f"inside_{i}", **words}}
        for i, (name, words) in enumerate(inside)
    ]
    entry = {"class_name": "Pipeline", "module": "keras.layers", "config": {"name": "odd", "layers": layers}}
    return functional(entry | {"build_config": {"input_shape": [None, 6, 5, 2]}})


def test_layers_with_weights_in_a_pipeline(tmp_path):
    model = cn.model_from_json(pipeline(("Conv2D", {"filters": 3, "kernel_size": 2}), ("RandomFlip", {})))
    kernel, bias = RNG.random((2, 2, 2, 3), np.float32), RNG.random(3, np.float32)
    model.set_weights([kernel, bias])
    model.save(tmp_path / "m.keras")
    x = RNG.random((3, 6, 5, 2), np.float32)
    for made in (model, cn.load_model(tmp_path / "m.keras"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_allclose(made(x), cn.conv2d(x, kernel, bias), rtol=1e-5)


def test_what_a_pipeline_may_not_hold():
    with pytest.raises(cn.UnsupportedLayerError, match="'inside_0' of class 'Mine'"):
        cn.model_from_json(pipeline(("Mine", {})))
    with pytest.raises(cn.UnsafeModelError, match="'inside_0' is a Lambda"):
        cn.model_from_json(pipeline(("Lambda", {"function": ["code", None, None]})))
    model = cn.model_from_json(pipeline(("Mine", {})), custom_objects={"Mine": lambda x: x + 1})
    assert (model(np.ones((1, 6, 5, 2))) == 2).all()
    with pytest.raises(TypeError, match="`layers` must be a list of layers"):
        L.Pipeline(L.RandomFlip())


def test_a_random_crop_says_its_size_and_leaves_images_whole():
    """As Keras 3's predict: what comes after may take images of another size than the file says."""
    model = cn.Sequential([L.RandomCrop(4, 3, input_shape=(6, 5, 2)), L.GlobalAveragePooling2D()])
    x = RNG.random((3, 6, 5, 2), np.float32)
    assert model.layers[0].compute_output_shape((None, 6, 5, 2)) == (None, 4, 3, 2)
    np.testing.assert_allclose(model.predict(x), x.mean(axis=(1, 2)), rtol=1e-5)


def test_a_random_crop_of_keras_2_is_the_largest_window_resized():
    words = {"name": "odd", "trainable": True, "dtype": "float32", "height": 2, "width": 2, "seed": 3,
             "rng_type": "stateful"}  # fmt: skip
    layers = [{"class_name": "RandomCrop", "config": words | {"batch_input_shape": [None, 4, 6, 1]}}]
    text = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}, "keras_version": "2.15.0"}
    x = RNG.random((2, 4, 6, 1), np.float32)
    expected = x[:, :, 1:5].reshape(2, 2, 2, 2, 2, 1).mean(axis=(2, 4))
    np.testing.assert_allclose(cn.model_from_json(text).predict(x), expected, rtol=1e-6)


def test_auto_contrast_leaves_channels_of_one_value():
    x = RNG.random((2, 4, 5, 3), np.float32)
    x[1, :, :, 1] = 7
    y = L.AutoContrast((1, 0))(x)
    assert (y[1, :, :, 1] == 7).all() and y[0].min() == 0 and y[0].max() == 1
    with pytest.raises(ValueError, match="`value_range` must be two different numbers"):
        L.AutoContrast((1, 1))


def test_keras_activations_on_tensors():
    """keras.activations.relu records an operation of class ReLU; `.h5` files leave its module out."""
    words = {"name": "odd", "negative_slope": 0.25, "max_value": 0.5, "threshold": 0.0}
    x = RNG.uniform(-1, 1, (3, 6, 5, 2)).astype(np.float32)
    for module in ({"module": "keras.src.activations.activations"}, {}):
        model = cn.model_from_json(functional({"class_name": "ReLU", **module, "config": words}))
        np.testing.assert_allclose(model(x), np.where(x < 0, x / 4, np.minimum(x, 0.5)), rtol=1e-6)


def test_spatial_dropout_is_written_as_keras_takes_it():
    """Its constructor has no `trainable`."""
    for layer in (L.SpatialDropout1D(0.2), L.SpatialDropout2D(0.2), L.SpatialDropout3D(0.2)):
        assert layer.get_config().keys() <= {"name", "dtype", "rate", "seed", "data_format"}
        assert type(layer).from_config(layer.get_config()).rate == 0.2
