"""Models made at random by Keras, opened here from both formats: its answers, fused or not; Keras opens ours."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

import conv2d_native as cn
from random_graphs import random_graph
from random_layers import Draw, random_weights, relative_error

SEED = int(os.environ.get("CONV2D_SEED", "0"))
CASES = 10 * int(os.environ.get("CONV2D_CASES", "6"))
GATE = 1e-4


def leaves(structure) -> list[np.ndarray]:
    if isinstance(structure, dict):
        return [np.asarray(structure[key]) for key in sorted(structure)]
    return (
        [np.asarray(y) for y in structure]
        if isinstance(structure, (list, tuple))
        else [np.asarray(structure)]
    )


def unfused(model, xs: list[np.ndarray]) -> list[np.ndarray]:
    """The answers of the graph as the layers describe it."""
    program = model._program_for(tuple(x.shape[1:] for x in xs))
    return program.builder.compile(program.outputs, len(xs[0]), optimize=False).run(xs)


@pytest.mark.parametrize("case", range(CASES))
def test_graph(case, tmp_path):
    keras.backend.clear_session()
    draw = Draw([SEED, 1000 + case])
    model, shapes = random_graph(draw)
    model.set_weights(random_weights(draw, model))
    xs = [draw.rng.normal(0, 1, (draw.whole(1, 3), *shapes[0])).astype(np.float32)]
    xs += [draw.rng.normal(0, 1, xs[0].shape).astype(np.float32) for _ in shapes[1:]]
    x = xs if len(xs) > 1 else xs[0]
    expected = leaves(model(x, training=False))
    for suffix in (".keras", ".h5"):
        path = tmp_path / f"model{suffix}"
        model.save(path)
        opened = cn.load_model(path)
        answers = {"predict": leaves(opened.predict(x, verbose=0)), "unfused": unfused(opened, xs)}
        with cn.exact():
            answers["exact"] = leaves(opened.predict(x, verbose=0))
        if suffix == ".keras":
            opened.save(tmp_path / "again.keras")
            answers["Keras again"] = leaves(
                keras.models.load_model(tmp_path / "again.keras")(x, training=False)
            )
        for word, got in answers.items():
            assert len(got) == len(expected)
            for a, b in zip(got, expected, strict=True):
                assert a.shape == b.shape and relative_error(a, b) <= GATE, (word, suffix)
