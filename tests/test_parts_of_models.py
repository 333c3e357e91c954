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
