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


def joined():
    """An image beside its half at twice the size: odd sizes do not fit."""
    x = cn.Input((None, None, 3), name="image")
    y = L.UpSampling2D(2, name="up")(L.MaxPooling2D(2, name="half")(x))
    return cn.Model(x, L.Concatenate(name="skip")([x, y]), name="joined")


def test_where_images_do_not_fit_the_layer_is_named():
    """Of a model, of one inside another, and of a stack, as it is built and later; what the layer says follows."""
    model, size = joined(), images(1, 9, 9, 3)
    words = r"Layer 'skip' \(Concatenate\): .* shapes \[\(None, 9, 9, 3\), \(None, 8, 8, 3\)\]"
    stack = cn.Sequential([cn.Input((None, None, 3)), model])
    for call, place in ((model, ""), (model.predict, ""), (stack, r"Layer 'joined' \(Functional\): ")):
        with pytest.raises(ValueError, match=f"^{place}{words}"):
            call(size)
    assert model(images(1, 8, 8, 3)).shape == stack(images(1, 8, 8, 3)).shape == (1, 8, 8, 6)
    layers = [L.MaxPooling2D(4, name="pool"), L.Conv2D(2, 3, name="conv")]
    with pytest.raises(ValueError, match=r"^Layer 'conv' \(Conv2D\): Computed output size would be zero"):
        cn.Sequential([cn.Input((8, 8, 3)), *layers])
    with pytest.raises(
        ValueError, match=r"^Layer 'pool' \(MaxPooling2D\): Computed output size would be zero"
    ):
        cn.Sequential(layers)(images(1, 3, 3, 3))
