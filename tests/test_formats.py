"""Model files as data: Keras's own files in both formats, what the configuration becomes, where weights are found."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from answers import MODEL_ANSWERS, MODELS
from conv2d_native.errors import ModelFormatError, UnsafeModelError
from conv2d_native.formats import layer_paths, read_model, read_weights
from conv2d_native.formats.dialect import normalise
from conv2d_native.named_objects import to_snake_case
from written import bytes_of


def stored(name: str) -> bytes:
    return MODEL_ANSWERS[name].tobytes()


def leaves(entry, path=()):
    """(path, entry) of every layer that is not a model."""
    for name, child in layer_paths.children(entry).items():
        if layer_paths.is_model(child) or layer_paths.children(child):
            yield from leaves(child, (*path, name))
        else:
            yield (*path, name), child


def weight_facts(spec, path):
    """Names and shapes of a layer's weights as a legacy file lists them."""
    source, file = spec.weights, spec.weights._file
    _, owner = source._tree.owner(path)
    entries = [e for e in source.stored(path[0]).entries if owner is None or owner in e.split("/")[:-1]]
    shapes = [file.dataset((*source._root, path[0], *entry.split("/"))).shape for entry in entries]
    return [entry.split("/")[-1].split(":")[0] for entry in entries], shapes


@pytest.mark.parametrize("name", MODELS)
def test_both_formats_hold_the_same_model(name):
    spec, legacy = read_model(stored(name + ".keras")), read_model(stored(name + ".h5"))
    assert (
        spec.keras_version == legacy.keras_version
        and spec.config["class_name"] == legacy.config["class_name"]
    )
    found = 0
    for path, entry in leaves(spec.config):
        if entry["class_name"] in ("LSTM", "GRU", "StackedRNNCells"):
            continue  # a configuration does not tell of cells: test_golden.py opens their files
        names, shapes = weight_facts(legacy, path)
        mine, theirs = spec.weights.get(path, names, shapes), legacy.weights.get(path, names, shapes)
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
            assert (a.dtype == np.float32 and a.any()) or entry["class_name"] == "Normalization"
        found += len(mine)
    assert found > 0 or name in ("operations", "translation")


@pytest.mark.parametrize("name", MODELS)
def test_both_formats_become_one_tree(name):
    def plain(entry):
        inner = entry["config"]
        if "layers" in inner:
            inner = inner | {"layers": [plain(child) for child in inner["layers"]]}
            inner.pop("build_input_shape", None)
        inner = inner | {word: plain(inner[word]) for word in layer_paths.WRAPPED if word in inner}
        is_operation = entry["module"].startswith("keras.src.ops")
        nodes = json.dumps(entry.get("inbound_nodes", []))
        return {"class": entry["class_name"], "operation": is_operation, "nodes": nodes} | {
            k: v for k, v in inner.items() if not k.endswith(("initializer", "regularizer", "constraint"))
        }

    spec, legacy = read_model(stored(name + ".keras")), read_model(stored(name + ".h5"))
    assert plain(spec.config) == plain(legacy.config)


def test_a_source_is_a_path_bytes_or_a_file_object(tmp_path):
    data = stored("sequential.keras")
    path = tmp_path / "model.h5"  # the ending does not matter
    path.write_bytes(data)
    for source in (path, str(path), data, bytearray(data), io.BytesIO(data)):
        assert read_model(source).config["class_name"] == "Sequential"
    with path.open("rb") as file:
        spec = read_model(file)
    assert spec.weights.get(("conv2d",), ["kernel", "bias"], [(3, 3, 3, 4), (4,)])[0].shape == (3, 3, 3, 4)
    with pytest.raises(TypeError, match="path, bytes or a binary file object"):
        read_model(7)
    with pytest.raises(TypeError, match="binary"):
        read_model(io.StringIO("{}"))
    with path.open() as file, pytest.raises(TypeError, match="binary mode"):  # whose bytes are no text either
        read_model(file)


class Pipe(io.RawIOBase):
    """Gives at most 1,000 bytes at once, and notes what it was asked for."""

    def __init__(self, data):
        self.rest, self.asked = data, []

    def readable(self):
        return True

    def readinto(self, buffer):
        self.asked.append(len(buffer))
        piece, self.rest = self.rest[:1000], self.rest[1000:]
        buffer[: len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize("max_bytes", [1 << 30, (1 << 63) - 1])
def test_a_file_object_is_read_in_pieces(max_bytes):
    pipe = Pipe(stored("sequential.keras"))
    (kernel, _) = read_model(pipe, max_bytes=max_bytes).weights.get(
        ("conv2d",), ["kernel", "bias"], [(3, 3, 3, 4), (4,)]
    )
    assert kernel.any() and max(pipe.asked) <= 1 << 20


def test_a_file_object_may_not_go_on_for_ever():
    with pytest.raises(ModelFormatError, match=r"<file object>: holds more than 8000 bytes.*max_bytes"):
        read_model(Pipe(bytes(5 << 20)), max_bytes=1000)


def test_weights_say_what_is_wrong():
    for suffix in (".keras", ".h5"):
        get = read_model(stored("sequential" + suffix)).weights.get
        with pytest.raises(
            ModelFormatError, match=r"conv2d.*kernel.*expected shape \(5, 5, 3, 4\), got \(3, 3, 3, 4\)"
        ):
            get(("conv2d",), ["kernel", "bias"], [(5, 5, 3, 4), (4,)])
        with pytest.raises(ModelFormatError, match=r"conv2d.*expected.*kernel"):
            get(("conv2d",), ["kernel"], [(3, 3, 3, 4)])
        with pytest.raises(ModelFormatError, match=r"conv2d.*missing"):
            get(("conv2d",), ["kernel", "bias", "alpha"], [(3, 3, 3, 4), (4,), (4,)])
        with pytest.raises(ModelFormatError, match=r"'other'.*missing"):
            get(("other",), ["kernel"], [(3, 3, 3, 4)])


def test_a_configuration_alone_takes_weights_from_a_second_file():
    archive, text = stored("sequential.keras"), json.dumps(read_model(stored("sequential.keras")).config)
    assert read_model(text.encode()).weights is None
    for weights in (archive, stored("sequential.h5")):
        spec = read_model(text.encode(), weights=weights)
        (kernel, _) = spec.weights.get(("conv2d",), ["kernel", "bias"], [(3, 3, 3, 4), (4,)])
        assert kernel.any()
    arrays = {"conv2d/kernel": kernel.astype(np.float64), "conv2d/bias": np.ones(4, np.float16)}
    again, bias = read_weights(bytes_of(np.savez, **arrays)).get(
        ("conv2d",), ["kernel", "bias"], [(3, 3, 3, 4), (4,)]
    )
    np.testing.assert_array_equal(again, kernel)
    assert bias.tolist() == [1, 1, 1, 1] and again.dtype == bias.dtype == np.float32


def normal(class_name, version="2.15.0", **config):
    return normalise(
        {"class_name": class_name, "config": {"name": "a", "trainable": True} | config}, version, "f"
    )["config"]


def test_keras_2_layers_become_keras_3():
    assert "groups" not in normal("DepthwiseConv2D", groups=1)
    assert "groups" not in normal("Conv2DTranspose", groups=1)
    assert normal("DepthwiseConv2D", groups=2)["groups"] == 2
    assert normal("Conv2D", groups=1)["groups"] == 1
    assert "kernel_initializer" not in normal("SeparableConv2D", groups=1, kernel_initializer={})
    assert normal("BatchNormalization", axis=[3])["axis"] == 3
    assert normal("BatchNormalization", axis={"class_name": "__tuple__", "items": [1]})["axis"] == 1
    assert normal("LeakyReLU", alpha=0.1) == {"name": "a", "trainable": True, "negative_slope": 0.1}
    scalar = {"class_name": "__numpy__", "config": {"value": 6.0, "dtype": "float32"}}
    assert normal("ReLU", max_value=scalar)["max_value"] == 6.0
    assert normal("Dense", activation="hard_sigmoid")["activation"] == "hard_sigmoid_keras2"
    assert normal("Dense", "3.1.0", activation="hard_sigmoid")["activation"] == "hard_sigmoid"
    function = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "relu"}
    assert normal("Activation", activation=function)["activation"] == "relu"
    policy = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
    assert normal("Dense", dtype=policy)["dtype"] == "mixed_float16"
    assert normal("InputLayer", batch_input_shape=[None, 8, 8, 3], sparse=False, ragged=False) == {
        "name": "a",
        "trainable": True,
        "batch_shape": [None, 8, 8, 3],
    }
    assert normal("Strange", anything={"x": [1]})["anything"] == {"x": [1]}


def test_a_keras_2_sequential_gets_an_input_layer():
    conv = {
        "class_name": "Conv2D",
        "config": {"name": "c", "batch_input_shape": [None, 8, 8, 3], "dtype": "float32"},
    }
    relu = {"class_name": "ReLU", "config": {"name": "r", "batch_input_shape": [None, 6, 6, 3]}}
    tree = normalise({"class_name": "Sequential", "config": [conv, relu]}, "2.1.6", "f")
    first, *others = tree["config"]["layers"]
    assert first["class_name"] == "InputLayer" and first["config"]["batch_shape"] == [None, 8, 8, 3]
    assert [entry["config"]["name"] for entry in others] == ["c", "r"]
    assert not any("batch_input_shape" in entry["config"] for entry in others)
    with pytest.raises(ModelFormatError, match="two layers have this name"):
        normalise({"class_name": "Sequential", "config": [conv, conv]}, "2.1.6", "f")


def test_keras_2_nodes_become_arguments():
    def layer(name, nodes, class_name="Conv2D", **config):
        return {
            "class_name": class_name,
            "name": name,
            "config": {"name": name} | config,
            "inbound_nodes": nodes,
        }

    tree = {
        "class_name": "Model",
        "config": {
            "name": "m",
            "layers": [
                layer("x", [], "InputLayer", batch_input_shape=[None, 4, 4, 1]),
                layer("a", [[["x", 0, 0, {}]]]),
                layer("add", [[["x", 0, 0, {}], ["a", 0, 0, {}]]], "Add"),
                layer(
                    "mul", [["add", 0, 0, {"y": 2.0, "name": None}]], "TFOpLambda", function="math.multiply"
                ),
                layer("sum", [["mul", 0, 0, {"y": ["a", 0, 0]}]], "TFOpLambda", function="math.add"),
            ],
            "input_layers": [["x", 0, 0]],
            "output_layers": [["sum", 0, 0], ["a", 0, 0]],
        },
    }
    made = normalise(tree, "2.11.0", "f")
    assert made["class_name"] == "Functional" and made["config"]["input_layers"] == ["x", 0, 0]
    assert made["config"]["output_layers"] == [["sum", 0, 0], ["a", 0, 0]]
    nodes = {entry["name"]: entry["inbound_nodes"] for entry in made["config"]["layers"]}

    def tensor(*place):
        return {"class_name": "__keras_tensor__", "config": {"keras_history": list(place)}}

    assert nodes["a"] == [{"args": [tensor("x", 0, 0)], "kwargs": {}}]
    assert nodes["add"] == [{"args": [[tensor("x", 0, 0), tensor("a", 0, 0)]], "kwargs": {}}]
    assert nodes["mul"] == [{"args": [tensor("add", 0, 0)], "kwargs": {"y": 2.0}}]
    assert nodes["sum"] == [{"args": [tensor("mul", 0, 0)], "kwargs": {"y": tensor("a", 0, 0)}}]


def test_keras_1_is_refused():
    with pytest.raises(ModelFormatError, match="Keras 1"):
        normal("Dense", "1.2.2")
    with pytest.raises(ModelFormatError, match=r"'a'.*border_mode.*Keras 1"):
        normal("Convolution2D", "", border_mode="same", nb_filter=3)


CODE = {"class_name": "__lambda__", "config": {"code": "4wEAAA=="}}


def test_code_is_left_out_or_refused():
    for function in (
        ["4wEAAA==", None, None],
        CODE,
        None,
    ):
        made = normal(
            "Lambda", function=function, function_type="lambda", arguments={"x": CODE, "by": [2, None]}
        )
        assert made == {"name": "a", "trainable": True, "function": "<code>", "arguments": {"by": [2, None]}}
    made = normal("Lambda", function=CODE, arguments={"x": CODE})
    assert made == {"name": "a", "trainable": True, "function": "<code>"}
    assert (
        normal("Lambda", function={"class_name": "function", "config": "mine"})["function"]["config"]
        == "mine"
    )
    with pytest.raises(UnsafeModelError, match=r"'a' \(Dense\)"):
        normal("Dense", activation=CODE)
    with pytest.raises(UnsafeModelError, match=r"'a' \(TFSMLayer\)"):
        normal("TFSMLayer", filepath="/tmp/x")


def test_keras_counts_layers_of_a_class():
    assert to_snake_case("Conv2DTranspose") == "conv2d_transpose"
    assert [to_snake_case(name) for name in ("PReLU", "ReLU", "GlobalMaxPooling2D", "Conv2D")] == [
        *("p_re_lu", "re_lu", "global_max_pooling2d", "conv2d")
    ]
    stored_names = ["conv2d", "conv2d_2", "conv2d_10", "dense"]
    places = {"a": "conv2d", "b": "conv2d_1", "c": "conv2d_2", "d": "dense", "e": "relu"}
    assert layer_paths._renumbered(places, stored_names) == {
        **{"a": "conv2d", "b": "conv2d_2", "c": "conv2d_10", "d": "dense", "e": "relu"}
    }
