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
