"""Files that Keras 2.13 wrote: .keras with its own group names, legacy .h5, .json with .weights.h5, against its
answers.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.formats.hdf5_write import ATTRIBUTES, write_hdf5
from conv2d_native.models import load_model, model_from_json
from written import bytes_of

RNG = np.random.default_rng(2)
FILES = Path(__file__).resolve().parent / "golden" / "keras_2_13.zip"


def stored(name: str) -> bytes:
    with zipfile.ZipFile(FILES) as archive:
        return archive.read(name)


@pytest.mark.parametrize("name", ["sequential", "functional"])
@pytest.mark.parametrize("form", [".keras", ".h5", ".json"])
def test_keras_2_answers(name, form):
    if form == ".json":
        model = model_from_json(stored(name + form))
        model.load_weights(stored(name + ".weights.h5"))
    else:
        model = load_model(stored(name + form))
    facts = np.load(io.BytesIO(stored(name + ".npz")))
    y = model.predict(facts["x"], verbose=0)
    assert np.abs(y - facts["y"]).max() <= 1e-5 * np.abs(facts["y"]).max()


@pytest.mark.parametrize("name", ["sequential", "functional"])
def test_legacy_weights_of_layers_with_other_names(name):
    """Taken in their order: kernels of depthwise layers have another name in Keras 2, those of separable ones not."""
    text = stored(name + ".json").decode()
    for layer in json.loads(text)["config"]["layers"]:
        own = layer["config"]["name"]
        text = text.replace(f'"{own}"', f'"other_{own}"')
    model = model_from_json(text)
    assert all(layer.name.startswith("other_") for layer in model.layers if layer.weights)
    model.load_weights(stored(name + ".h5"))
    facts = np.load(io.BytesIO(stored(name + ".npz")))
    assert np.abs(model(facts["x"]) - facts["y"]).max() <= 1e-5 * np.abs(facts["y"]).max()


def test_hard_sigmoid_is_that_of_keras_2():
    model = load_model(stored("sequential.keras"))
    assert model.layers[0].get_config()["activation"] == "hard_sigmoid_keras2"


def test_cells_that_keras_2_counted():
    """Weights of both directions bear the names of cells, which Keras 2 numbers, or the layers' alone."""
    layer = L.Bidirectional(L.LSTM(2), name="both")
    model = cn.Sequential([cn.Input((4, 3)), layer])
    arrays = [RNG.standard_normal(w.shape).astype(np.float32) for w in layer.weights]
    words = ("kernel:0", "recurrent_kernel:0", "bias:0")
    for cells in (("lstm_cell_1/", "lstm_cell_2/"), ("", "")):
        names = [
            f"both/{way}_lstm/{cell}{word}"
            for way, cell in zip(("forward", "backward"), cells, strict=True)
            for word in words
        ]
        held = {ATTRIBUTES: {f"weight_names{i}": name for i, name in enumerate(names)}}
        for name, array in zip(names, arrays, strict=True):
            place = held
            *groups, last = name.split("/")
            for group in groups:
                place = place.setdefault(group, {})
            place[last] = array
        model.set_weights([0 * array for array in arrays])
        model.load_weights(bytes_of(write_hdf5, {"both": held, ATTRIBUTES: {"layer_names0": "both"}}))
        assert all(map(np.array_equal, model.get_weights(), arrays))


def test_the_reset_gate_of_old_files():
    """Keras before 2.1.3 says nothing of it: it acts before the product."""
    gru = {"class_name": "GRU", "config": {"name": "gru", "units": 3, "batch_input_shape": [None, 4, 2]}}
    made = model_from_json({"class_name": "Sequential", "config": [gru], "keras_version": "2.0.8"})
    assert not made.layers[0].reset_after and made.layers[0].weights[2].shape == (9,)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_layers_for_cudnn(name, both):
    """A bias for inputs and one for states, each gate's matrix column by column: read for LSTM and GRU of any name."""
    gates, cell = 4 if name == "LSTM" else 3, getattr(L, name)(5, return_sequences=True, name="cu")
    model = cn.Sequential([cn.Input((4, 3)), L.Bidirectional(cell, name="top") if both else cell])
    arrays = [RNG.standard_normal(w.shape).astype(np.float32) for w in model.weights]
    top, ways = ("top", ["top/forward_cu/", "top/backward_cu/"]) if both else ("cu", ["cu/"])
    tree: dict = {}
    names = []
    for i, values in enumerate(arrays):
        word = ("kernel:0", "recurrent_kernel:0", "bias:0")[i % 3]
        names.append(ways[i // 3] + word)
        if i % 3 < 2:
            parts = np.split(values, gates, axis=1)
            values = np.hstack([part.ravel("F").reshape(part.shape) for part in parts])
        elif name == "LSTM":
            values = np.concatenate([0.25 * values, 0.75 * values])
        place = tree
        *groups, last = names[-1].split("/")
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = values.ravel() if i % 3 == 2 else values
    tree[ATTRIBUTES] = {f"weight_names{i}": each for i, each in enumerate(names)}
    entry = {"class_name": f"CuDNN{name}", "config": {"name": "cu", "units": 5, "return_sequences": True}}
    if both:
        entry = {"class_name": "Bidirectional", "config": {"name": "top", "layer": entry}}
    entry["config"]["batch_input_shape"] = [None, 4, 3]
    described = {"class_name": "Sequential", "config": [entry], "keras_version": "2.2.4"}
    other = cn.Sequential([cn.Input((4, 3)), type(model.layers[0]).from_config(model.layers[0].get_config())])
    other.layers[0].name = "of_another_name"
    for made in (model_from_json(described), other):
        made.load_weights(bytes_of(write_hdf5, {top: tree, ATTRIBUTES: {"layer_names0": top}}))
        for got, wanted in zip(made.get_weights(), arrays, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_names_of_classes_and_words_of_tensorflow_1():
    kernel = {"class_name": "GlorotUniform", "config": {"seed": None, "dtype": "float32"}}
    conv = {"name": "c", "filters": 2, "kernel_size": [3, 3], "kernel_initializer": kernel}
    layers = [
        {"class_name": "Conv2D", "config": {**conv, "batch_input_shape": [None, 8, 8, 3]}},
        {"class_name": "BatchNormalizationV1", "config": {"name": "b", "axis": [3]}},
    ]
    described = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    model = model_from_json({**described, "keras_version": "2.2.4-tf"})
    assert [type(layer).__name__ for layer in model.layers] == ["Conv2D", "BatchNormalization"]
    assert model.layers[1].axis in (3, -1)
    unified = {"class_name": "UnifiedGRU", "config": {"name": "g", "units": 2, "reset_after": True}}
    unified["config"]["batch_input_shape"] = [None, 4, 3]
    model = model_from_json({"class_name": "Sequential", "config": [unified], "keras_version": "2.2.4-tf"})
    assert type(model.layers[0]) is L.GRU and model.layers[0].reset_after
