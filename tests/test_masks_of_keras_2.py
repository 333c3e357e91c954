"""Masks in files of Keras 2: merges, layers that drop them, states beside them, as Keras 2 and not as Keras 3 does."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from written import bytes_of

FILE = Path(__file__).resolve().parent / "golden" / "keras_2_masks.zip"
RNG = np.random.default_rng(3)
A, B = RNG.standard_normal((2, 5, 6, 4)).astype(np.float32)
A[RNG.random((5, 6)) < 0.4] = 0
B[RNG.random((5, 6)) < 0.4] = 0
A[:, 0] = B[:, 0] = 1
FIRST, SECOND = (A != 0).any(-1), (B != 0).any(-1)
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")


def answers():
    """The model that Keras 2 wrote, what it was given and what it answered."""
    with zipfile.ZipFile(FILE) as archive:
        model, facts = cn.load_model(archive.read("masks.h5")), np.load(io.BytesIO(archive.read("masks.npz")))
    given = [facts[name] for name in sorted(facts) if name.startswith("x")]
    return model, given, [facts[name] for name in sorted(facts) if name.startswith("y")]


def assert_close(made, expected):
    for y, wanted in zip(made, expected, strict=True):
        assert np.abs(y - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_answers_of_keras_2():
    """Each mean over steps, and the LSTM, the decoder and the steps of steps behind them."""
    model, given, expected = answers()
    assert_close(model.predict(given), expected)


def test_copies_answer_alike():
    model, given, expected = answers()
    described = cn.model_from_json(model.to_json())
    for copy in (described, cn.models.clone_model(model), pickle.loads(pickle.dumps(model))):
        copy.set_weights(model.get_weights())
        assert_close(copy.predict(given), expected)


def written(*layers, version="2.13.1"):
    """A model of inputs a and b, their Masking, `layers` (class, name, what it is called on, configuration) and the
    mean of the last one's steps.
    """
    inputs = [("InputLayer", name, [], {"batch_input_shape": [None, 6, 4]}) for name in "ab"]
    hidden = [("Masking", f"hidden_{name}", [name], {"mask_value": 0.0}) for name in "ab"]
    mean = ("GlobalAveragePooling1D", "mean", [layers[-1][1]], {})
    entries = [
        {
            "class_name": kind,
            "name": name,
            "config": {"name": name, "trainable": True, **config},
            "inbound_nodes": [[[other, 0, 0, {}] for other in called]] if called else [],
        }
        for kind, name, called, config in (*inputs, *hidden, *layers, mean)
    ]
    ends = {"input_layers": [["a", 0, 0], ["b", 0, 0]], "output_layers": [["mean", 0, 0]]}
    config = {"name": "m", "layers": entries, **ends}
    return json.dumps({"class_name": "Functional", "config": config, "keras_version": version})


def mean_of(y, seen):
    return np.where(seen[..., np.newaxis], y, 0).sum(1) / seen.sum(1, keepdims=True)


@pytest.mark.parametrize("name", MERGES)
@pytest.mark.parametrize(
    ("called", "seen"),
    [
        (["hidden_a", "hidden_b"], FIRST & SECOND),
        (["hidden_a", "b"], FIRST),
        (["a", "hidden_b"], SECOND),
        (["a", "b"], np.ones_like(FIRST)),
    ],
)
def test_a_step_of_a_merge_counts_where_it_counts_in_all_that_have_a_mask(name, called, seen):
    model = cn.model_from_json(written((name, "merge", called, {})))
    merged = getattr(L, name)()([A, B])
    np.testing.assert_allclose(model([A, B]), mean_of(merged, seen), rtol=2e-5, atol=1e-6)


def test_joined_steps_keep_their_masks():
    joined = ("Concatenate", "merge", ["hidden_a", "hidden_b"], {"axis": 1})
    expected = mean_of(np.concatenate([A, B], 1), np.concatenate([FIRST, SECOND], 1))
    np.testing.assert_allclose(cn.model_from_json(written(joined))([A, B]), expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "config"),
    [("Identity", {}), ("Rescaling", {"scale": 1.0}), ("Normalization", {"mean": 0.0, "variance": 1.0})],
)
def test_layers_that_drop_masks(name, config):
    model = cn.model_from_json(written((name, "layer", ["hidden_a"], config)))
    np.testing.assert_allclose(model([A, B]), A.mean(1), rtol=2e-5, atol=1e-6)
    assert not model.get_layer("layer").supports_masking


@pytest.mark.parametrize("name", ["SimpleRNN", "GRU"])
def test_a_recurrent_layer_with_states_sees_the_mask_of_its_sequences(name):
    last = (name, "last", ["hidden_b"], {"units": 4})
    given = (name, "given", ["hidden_a", "last"], {"units": 4, "return_sequences": True})
    model = cn.model_from_json(written(last, given))
    rng = np.random.default_rng(6)
    model.set_weights([rng.standard_normal(w.shape) for w in model.get_weights()])
    first, second = model.get_layer("last"), model.get_layer("given")
    y = second(A, initial_state=first(B, mask=SECOND), mask=FIRST)
    np.testing.assert_allclose(model([A, B]), mean_of(y, FIRST), rtol=2e-5, atol=1e-6)


def test_files_of_keras_3_keep_the_rules_of_keras_3():
    text = written(("Add", "merge", ["hidden_a", "hidden_b"], {}), version="3.3.0")
    seen = FIRST | SECOND
    np.testing.assert_allclose(cn.model_from_json(text)([A, B]), mean_of(A + B, seen), rtol=2e-5, atol=1e-6)


def test_what_masks_reach_is_not_saved():
    """Keras 3 would answer otherwise; a merge in a model inside may get masks from around."""
    model, *_ = answers()
    with pytest.raises(ValueError, match=r"concatenate, .*add, .*identity.*bidirectional.*cannot be saved"):
        bytes_of(model.save)
    outer = cn.Sequential([cn.Input((6,)), L.Embedding(3, 4, mask_zero=True)])
    inner = {"class_name": "Identity", "config": {"name": "inner", "batch_input_shape": [None, 6, 4]}}
    described = {"class_name": "Sequential", "config": [inner], "keras_version": "2.13.1"}
    outer.add(cn.model_from_json(json.dumps(described)))
    with pytest.raises(ValueError, match="the layers inner are"):
        bytes_of(outer.save)


def test_what_masks_do_not_reach_is_saved_as_ever():
    model = cn.model_from_json(written(("Add", "merge", ["a", "b"], {})))
    assert "masks_of_keras_2" in model.to_json()
    stored = bytes_of(model.save)
    assert b"masks_of_keras_2" not in stored
    np.testing.assert_array_equal(cn.load_model(stored)([A, B]), model([A, B]))
