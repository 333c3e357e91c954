"""Rows C18-C27, C40, C42 and C43 of the list of faults: configurations that ask for code, files, or the impossible."""

from __future__ import annotations

import base64
import copy
import json
import marshal
import os
from pathlib import Path

import numpy as np
import pytest

from conv2d_native.errors import ModelFormatError, UnsafeModelError, UnsupportedLayerError
from hostile_files import (
    BIAS,
    CONFIG,
    KERNEL,
    Watch,
    functional,
    h5,
    keras,
    layer,
    load,
    read,
    sequential,
    tensor,
)

CANARY = Path("/tmp/conv2d_native_canary")
TOUCH = f"import os; os.system('touch {CANARY}')"
CODE = base64.b64encode(marshal.dumps(compile(TOUCH, "x", "exec"))).decode()


@pytest.fixture(autouse=True, scope="module")
def everything_is_imported():
    load(keras())
    load(h5(CONFIG))


def refused(config, error=UnsupportedLayerError, match="bad") -> None:
    """Loading `config` from either format is this error; nothing is opened, imported or started, no file appears."""
    CANARY.unlink(missing_ok=True)
    for data in (keras(config), h5(config)):
        with pytest.raises(error, match=match) as caught, Watch() as watch:
            load(data)
        assert watch.events == [] and not CANARY.exists()
        assert len(str(caught.value)) < 4000


LAMBDAS = {
    "keras 2": {"function": [CODE, None, None], "function_type": "lambda", "module": "__main__"},
    "keras 3": {
        "function": {"class_name": "__lambda__", "config": {"code": CODE, "defaults": None, "closure": None}}
    },
    "raw": {"function": CODE, "function_type": "lambda"},
    "shape": {"function": {"class_name": "function", "config": "x"}, "output_shape": [CODE, None, None]},
}


@pytest.mark.parametrize("kind", LAMBDAS)
def test_c18_lambda_layers(kind):
    refused(sequential(layer("Lambda", **LAMBDAS[kind])), UnsafeModelError)


def test_c18_code_in_other_places():
    code = {"class_name": "__lambda__", "config": {"code": CODE}}
    refused(sequential(layer("Dense", units=4, activation=code)), UnsafeModelError)
    refused(sequential(layer("Dense", units=4, kernel_initializer=code)), UnsafeModelError)
    wrapped = layer("Lambda", function=[CODE, None, None])
    refused(sequential(layer("TimeDistributed", layer=wrapped)), UnsafeModelError)
    for name in ("TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"):
        refused(sequential(layer(name, module=CODE, filepath="/tmp", call_endpoint="x")), UnsafeModelError)


def test_c18_a_lambda_may_be_replaced_by_the_caller():
    from conv2d_native.models import load_model

    data = keras(sequential(layer("Lambda", function=[CODE, None, None])))
    model = load_model(data, custom_objects={"bad": lambda x: x * 2})
    x = np.ones((2, 4), np.float32)
    np.testing.assert_allclose(model(x), 2 * x @ KERNEL + BIAS)


@pytest.mark.parametrize(
    "entry",
    [
        layer("system", module="os"),
        layer("get_file", module="keras.utils", fname="x", origin="http://localhost/x"),
        layer("Popen", module="subprocess", args=["touch", str(CANARY)]),
        layer("Mine", module="evil_package.layers", registered_name="evil>Mine"),
        layer("function", module="builtins", config="eval"),
        layer("enable_unsafe_deserialization", module="keras.config"),
        layer("Model", module="keras.src.models.model"),
        layer("__import__", module="builtins"),
        layer("load_model", module="keras.saving", filepath="/etc/passwd"),
    ],
    ids=lambda entry: entry["class_name"],
)
def test_c19_c20_names_to_import(entry):
    refused(sequential(entry), ModelFormatError if entry["class_name"] == "Model" else UnsupportedLayerError)


def test_c19_names_to_import_inside_known_layers():
    call = {"module": "os", "class_name": "system", "config": f"touch {CANARY}", "registered_name": "system"}
    function = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    for value in (call, function):
        refused(sequential(layer("Dense", units=4, activation=value)), ModelFormatError)
        refused(sequential(layer("Activation", activation=value)), ModelFormatError)
        refused(sequential(layer("TimeDistributed", layer=value)), ModelFormatError, match=r"bad|layer")
    refused(call, ModelFormatError, match="system")
    refused(CONFIG | {"class_name": "Mine", "module": "evil"}, ModelFormatError, match="Mine")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        *dict.fromkeys(
            ("StringLookup", "TextVectorization", "IntegerLookup", "Hashing"), UnsupportedLayerError
        ).items(),
        ("CategoryEncoding", ModelFormatError),  # which is computed, but has no such words
    ],
)
def test_c22_paths_and_addresses_as_values(name, error):
    for place in ("/etc/passwd", "http://localhost:1/x", "gs://bucket/x"):
        refused(sequential(layer(name, vocabulary=place, idf_weights=place)), error)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a/b", "x" * 10**6, "", "a\0b", ".."])
def test_c23_a_layers_name_is_a_label(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = copy.deepcopy(CONFIG)
    config["config"]["layers"].insert(1, layer("ReLU", name=name))
    for data in (keras(config), h5(config)):
        with Watch() as watch:
            try:
                load(data)
            except ValueError as error:
                assert isinstance(error, ModelFormatError) and len(str(error)) < 4000
        assert watch.events == [] and os.listdir(tmp_path) == []


def test_c24_unknown_layers():
    refused(sequential(layer("Mystery")), match=r"bad.*Mystery")


@pytest.mark.parametrize(
    "entry",
    [
        layer("Dense", units=4, causal=True),
        layer("DepthwiseConv2D", kernel_size=3, groups=2),
        layer("ReLU", negative_slop=0.5),
        layer("Dropout", rate=0.5, scale=3),
        layer("BatchNormalization", axis=-1, invert=True),
    ],
    ids=lambda entry: entry["class_name"],
)
def test_c25_unknown_arguments(entry):
    refused(sequential(entry), ModelFormatError, match=r"bad")


def node(*places) -> list[dict]:
    return [
        {"args": [tensor(*place) if isinstance(place, tuple) else place for place in places], "kwargs": {}}
    ]


def graph(*layers: dict, output="d") -> dict:
    first, last = ({**entry, "name": entry["config"]["name"]} for entry in CONFIG["config"]["layers"])
    first["inbound_nodes"] = []
    last.setdefault("inbound_nodes", node(("x", 0, 0)))
    return functional([first, last, *layers], (output, 0, 0))


def relu(name: str, *places) -> dict:
    return layer("ReLU", name=name) | {"name": name, "inbound_nodes": node(*places)}


def test_c26_graphs_that_are_sound():
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    for config in (graph(), graph(relu("r", ("d", 0, 0)))):
        np.testing.assert_allclose(load(keras(config))(x), x @ KERNEL + BIAS, rtol=1e-6)
    shared = graph(relu("r", ("d", 0, 0)), output="r")
    np.testing.assert_allclose(load(keras(shared))(x), np.maximum(x @ KERNEL + BIAS, 0), rtol=1e-6)


WRONG_GRAPHS = {
    "self": graph(relu("r", ("r", 0, 0)), output="r"),
    "cycle": graph(relu("a", ("b", 0, 0)), relu("b", ("a", 0, 0)), output="b"),
    "missing": graph(relu("r", ("nobody", 0, 0)), output="r"),
    "node": graph(relu("r", ("d", 5, 0)), output="r"),
    "tensor": graph(relu("r", ("d", 0, 7)), output="r"),
    "negative": graph(relu("r", ("d", -1, 0)), output="r"),
    "huge": graph(relu("r", ("d", 2**70, 0)), output="r"),
    "text": graph(relu("r", ("d", "0", 0)), output="r"),
    "twice": graph(relu("d", ("x", 0, 0))),
    "output": graph(output="nobody"),
    "no input": graph(relu("r"), output="r"),
    "args": graph(relu("r", "text", ("d", 0, 0)), output="r"),
    "code": graph(relu("r", {"class_name": "__lambda__", "config": {"code": CODE}}), output="r"),
}


@pytest.mark.parametrize("name", WRONG_GRAPHS)
def test_c26_graphs_that_are_not(name):
    refused(WRONG_GRAPHS[name], ModelFormatError, match=r"'\w+'|layer|call takes|integer")


@pytest.mark.parametrize("depth", [70, 10_000])
def test_c27_deep_models(depth):
    inner = json.dumps(CONFIG)
    opening = inner[: inner.index('{"module": "keras.layers"')]
    closing = ']}, "registered_name": null}'
    text = opening * depth + inner + closing * depth
    for data in (keras(text.encode()), h5(text.encode())):
        with pytest.raises(ModelFormatError, match=r"nested|JSON"):
            load(data)


def test_c40_what_build_config_says_is_not_believed():
    config = copy.deepcopy(CONFIG)
    config["config"]["layers"][1]["build_config"] = {"input_shape": [None, 10**9]}
    config["build_config"] = {"input_shape": [None, 77]}
    assert load(keras(config)).output_shape == (None, 3)


def test_c42_training_is_never_looked_at():
    nonsense = {
        "optimizer": {"class_name": "__lambda__", "config": {"code": CODE}},
        "loss": 7,
        "metrics": [[[]]],
    }
    for key in ("compile_config", "training_config", "optimizer_config"):
        x = np.ones((1, 4), np.float32)
        np.testing.assert_allclose(load(keras(CONFIG | {key: nonsense}))(x), x @ KERNEL + BIAS)


@pytest.mark.parametrize(
    "dtype", ["mixed_float16", {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}]
)
def test_c43_policies_compute_in_float32(dtype):
    config = copy.deepcopy(CONFIG)
    config["config"]["layers"][1]["config"]["dtype"] = dtype
    x = np.ones((1, 4), np.float32)
    np.testing.assert_allclose(load(keras(config))(x), x @ KERNEL + BIAS)


def test_c43_keras_2_dialect():
    dense = {
        "class_name": "Dense",
        "config": {"name": "d", "units": 3, "batch_input_shape": [None, 4], "dtype": "float32"},
    }
    old = {"class_name": "Sequential", "config": {"name": "m", "layers": [dense]}, "keras_version": "2.3.1"}
    x = np.ones((1, 4), np.float32)
    np.testing.assert_allclose(load(h5(old))(x), x @ KERNEL + BIAS)
    np.testing.assert_array_equal(read(h5(old))[0], KERNEL)
