"""What quantize("int8") makes of a network: Keras's answers from its file, and a file that Keras opens."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import conv2d_native as cn


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_network_of_8_bits(ending, tmp_path):
    x = np.random.default_rng(0).standard_normal((4, 8, 8, 3)).astype(np.float32)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(20, activation="relu"),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    model.quantize("int8", filters="dense")
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / f"theirs{ending}")
    ours = cn.load_model(tmp_path / f"theirs{ending}")
    np.testing.assert_allclose(ours.predict(x), expected, rtol=1e-5, atol=1e-6)
    ours.save(tmp_path / "ours.keras")
    again = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), expected, rtol=1e-6, atol=1e-7)
