"""Images of other sizes than a model was made for: a Sequential takes what its layers take, as in Keras."""

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L

RNG = np.random.default_rng(0)


def images(*shape):
    return RNG.random(shape, np.float32)


@pytest.mark.parametrize("first", [[], [cn.Input((8, 8, 3))]], ids=["built by a call", "with an Input"])
def test_a_stack_takes_all_sizes_that_its_layers_take(first, tmp_path):
    conv = L.Conv2D(4, 3, activation="relu")
    model = cn.Sequential([*first, conv, L.UpSampling2D(2)])
    assert model.predict(images(2, 8, 8, 3)).shape == (2, 12, 12, 4)
    model.save(tmp_path / "m.keras")
    loaded = cn.load_model(tmp_path / "m.keras")
    for x in (images(5, 9, 7, 3), images(1, 20, 30, 3), images(3, 9, 7, 3).astype(np.float64)):
        expected = np.repeat(np.repeat(conv(x), 2, 1), 2, 2)
        np.testing.assert_array_equal(model.predict(x, batch_size=2), expected)
        np.testing.assert_array_equal(loaded(x), expected)
    assert model.input_shape == (None, 8, 8, 3) and model.profile(images(1, 9, 9, 3)).rows


@pytest.mark.parametrize("shape", [(1, 9, 8, 3), (1, 8, 8, 4), (8, 8, 3), (1, 0, 8, 3), (1, 2, 8, 3)])
def test_what_a_layer_of_the_stack_refuses_is_refused(shape):
    model = cn.Sequential([cn.Input((8, 8, 3)), L.Conv2D(4, 3), L.Flatten(), L.Dense(2)])
    with pytest.raises(ValueError, match=r"`x` must have shape \(None, 8, 8, 3\)\. Received: x of shape \("):
        model.predict(np.ones(shape, np.float32))
    assert model.predict(images(1, 8, 8, 3)).shape == (1, 2)


def test_a_model_of_inputs_and_outputs_takes_the_sizes_of_its_inputs():
    x = cn.Input((8, 8, 3))
    model = cn.Model(x, L.Conv2D(4, 3)(x))
    with pytest.raises(ValueError, match=r"\(None, 8, 8, 3\)"):
        model.predict(images(1, 9, 9, 3))
