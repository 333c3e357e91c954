"""Reads the golden files: Keras's answers, and the inputs and weights that belong to them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pattern import weight

HERE = Path(__file__).resolve().parent
MODELS = {entry["name"]: entry for entry in json.loads((HERE / "models.json").read_text())}
MODEL_ANSWERS = np.load(HERE / "models.npz")
SIGNATURES = dict(json.loads((HERE / "signatures.json").read_text()))


def _layer_answers() -> dict:
    entries = json.loads((HERE / "layers.json").read_text())
    values = np.load(HERE / "layers.npz")["values"]
    answers, start = {}, 0
    for entry in entries:
        end = start + int(np.prod(entry["output"]))
        answers[entry["id"]] = entry, values[start:end].reshape(entry["output"])
        start = end
    return answers


LAYER_ANSWERS = _layer_answers()  # case id -> (entry of layers.json, Keras's output)


def pattern_weights(named_shapes: list, key: str) -> list:
    """The weights of a case: [(name, shape)] in Keras's order. Normalization's count stays zero."""
    made = []
    for i, (name, shape) in enumerate(named_shapes):
        values = weight(name, tuple(shape), f"{key}/{i}")
        made.append(np.zeros_like(values) if name == "count" else values)
    return made


def relative_error(got, expected) -> float:
    """Largest difference over the largest expected value."""
    assert np.shape(got) == expected.shape
    return float(np.abs(np.asarray(got, np.float64) - expected).max() / np.abs(expected).max())
