"""Models between any tensors of others."""

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L


def test_a_model_from_what_a_layer_makes(tmp_path):
    """As in Keras, an Input takes its place: the layers before are none of the model's."""
    source = cn.Input((4,))
    halves = cn.ops.split(L.Dense(6, name="first")(source), 2, axis=1)
    made = L.Dense(2, name="second")(halves[0] * 2)
    model = cn.Model([halves[0], source], [made, L.Add()([made, L.Dense(2, name="other")(source)])])
    names = [layer.name for layer in model.layers]
    assert len(names) == 5 and names[0].endswith("CLONE") and "first" not in names
    assert model.count_params() == 3 * 2 + 2 + 4 * 2 + 2 and model.input_shape == [(None, 3), (None, 4)]
    xs = [np.ones((1, 3), np.float32), np.ones((1, 4), np.float32)]
    model.save(tmp_path / "part.keras")
    clone = cn.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for other in (cn.load_model(tmp_path / "part.keras"), clone):
        for y, expected in zip(other(xs), model(xs), strict=True):
            np.testing.assert_array_equal(y, expected)
    np.testing.assert_allclose(
        model(xs)[0], 2 * xs[0] @ model.get_layer("second").get_weights()[0], rtol=1e-6
    )
    whole = cn.Model(source, made)
    assert "first" in [layer.name for layer in whole.layers] and whole(xs[1]).shape == (1, 2)
    with pytest.raises(ValueError, match="not all that its output"):
        cn.Model(halves[0], [made, halves[1]])


@pytest.mark.parametrize("built", [False, True])
def test_the_output_of_a_sequential_inside_is_that_of_its_first_call(built, tmp_path):
    """As Keras 3.15 has it: a part of the outer model ends there."""
    inner = cn.Sequential([*[cn.Input((6, 6, 2))] * built, L.Conv2D(3, 3), L.ReLU()], name="inner")
    x = cn.Input((6, 6, 2))
    shifted = L.Rescaling(2.0, -1.0)(x)
    made = inner(shifted)
    inner(cn.Input((6, 6, 2)))
    assert inner.output is made and inner.input is shifted
    assert inner.outputs[0] is not made and inner.inputs[0] is not shifted
    model = cn.Model(x, L.GlobalAveragePooling2D()(made))
    model.save(tmp_path / "m.keras")
    images = np.random.default_rng(4).random((2, 6, 6, 2), np.float32)
    for one in (model, cn.load_model(tmp_path / "m.keras"), cn.models.clone_model(model)):
        one.set_weights(model.get_weights())
        part = cn.Model(one.input, one.get_layer("inner").output)
        expected = one.get_layer("inner")(2 * images - 1)
        np.testing.assert_allclose(part(images), expected, rtol=1e-5, atol=1e-6)
    alone = cn.Sequential([cn.Input((6, 6, 2)), L.Conv2D(3, 3)])
    assert alone.output is alone.outputs[0] and alone.input is alone.inputs[0]
