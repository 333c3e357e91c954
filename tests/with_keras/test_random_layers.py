"""Every layer with random arguments, shapes and data: Keras's answer, shapes and configuration."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

import conv2d_native as cn
from random_layers import ANY, IMAGE, LINE, MERGES, VECTOR, Draw, random_layer, random_merge, random_weights
from random_layers import relative_error as error

SEED = int(os.environ.get("CONV2D_SEED", "0"))
CASES = int(os.environ.get("CONV2D_CASES", "6"))  # of each layer
EXACT, WINOGRAD = 2e-5, 1e-4
NAMES = [*ANY, *IMAGE, *LINE, *VECTOR, *MERGES]


def draw_for(name: str, case: int) -> Draw:
    return Draw([SEED, NAMES.index(name), case])


def answer(layer, words: dict, x) -> np.ndarray:
    """Keras's answer. That for channels-first images is asked for with the channels last: TensorFlow's own convolution
    of the former (with oneDNN) is wrong for some even kernels with padding "same". The activation comes after: it may
    run along the last axis.
    """
    if words.get("data_format") != "channels_first":
        return np.asarray(layer(x, training=False))
    without = {"activation": None} if "activation" in words else {}
    last = type(layer)(**(words | without | {"data_format": "channels_last"}))
    x = np.moveaxis(x, 1, -1)
    last.build((None, *x.shape[1:]))
    last.set_weights(layer.get_weights())
    y = np.asarray(last(x, training=False))
    y = np.moveaxis(y, -1, 1) if y.ndim > 2 else y
    return np.asarray(keras.activations.get(words.get("activation"))(y))


def check(draw: Draw, name: str, words: dict, shapes: list) -> None:
    n = draw.whole(1, 3)
    xs = [draw.rng.normal(0, 1, (n, *shape)).astype(np.float32) for shape in shapes]
    x = xs[0] if len(xs) == 1 else xs
    theirs = getattr(keras.layers, name)(**words)
    sizes = [(None, *shape) for shape in shapes]
    theirs.build(sizes[0] if len(sizes) == 1 else sizes)
    weights = random_weights(draw, theirs)
    theirs.set_weights(weights)
    expected = answer(theirs, words, x)
    for mine in (
        getattr(cn.layers, name)(**words),
        getattr(cn.layers, name).from_config(keras.saving.serialize_keras_object(theirs)["config"]),
    ):
        mine.build(sizes[0] if len(sizes) == 1 else sizes)
        mine.set_weights(weights)
        got = mine(x)
        assert got.shape == expected.shape and error(got, expected) <= WINOGRAD
        with cn.exact():
            assert error(mine(x), expected) <= EXACT
        config = mine.get_config()
        kept = getattr(keras.layers, name).from_config(config).get_config()
        assert all(kept[key] == config[key] for key in words if isinstance(config[key], (int, str, bool)))
        computed = mine.compute_output_shape(sizes[0] if len(sizes) == 1 else sizes)
        assert tuple(computed) == (None, *expected.shape[1:])


@pytest.mark.parametrize("case", range(CASES))
@pytest.mark.parametrize("name", [*ANY, *IMAGE, *LINE, *VECTOR])
def test_layer(name, case):
    draw = draw_for(name, case)
    words, shape = random_layer(draw, name)
    check(draw, name, words, [shape])


@pytest.mark.parametrize("case", range(CASES))
@pytest.mark.parametrize("name", MERGES)
def test_merge(name, case):
    draw = draw_for(name, case)
    words, shapes = random_merge(draw, name)
    check(draw, name, words, shapes)
