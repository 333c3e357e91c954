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

from conv2d_native.models import load_model, model_from_json

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
