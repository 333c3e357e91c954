"""Networks of images and tables: Keras's answers, from its files and to them."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import conv2d_native as cn

L = keras.layers


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_images_and_tables(mode, ending, tmp_path):
    image, row, kind = keras.Input((6, 6, 3)), keras.Input((2,)), keras.Input((3,), dtype="int32")
    adapted = L.Discretization(num_bins=4)
    adapted.adapt(np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32))
    parts = [
        L.GlobalAveragePooling2D()(L.Conv2D(3, 3)(image)),
        L.Flatten()(L.Discretization([0.0, 1.0], output_mode=mode)(row)),
        L.Flatten()(L.CategoryEncoding(5, output_mode=mode)(kind)),
        L.Rescaling(1.0, dtype="float32")(adapted(row)),
    ]
    model = keras.Model([image, row, kind], L.Dense(2)(L.Concatenate()(parts)))
    rng = np.random.default_rng(1)
    given = [
        rng.random((4, 6, 6, 3)).astype(np.float32),
        rng.normal(0, 2, (4, 2)).astype(np.float32),
        rng.integers(0, 7, (4, 3)).astype(np.int32),
    ]
    expected = model.predict(given, verbose=0)
    model.save(tmp_path / f"theirs{ending}")
    ours = cn.load_model(tmp_path / f"theirs{ending}")
    np.testing.assert_allclose(ours.predict(given), expected, rtol=1e-5, atol=1e-6)
    ours.save(tmp_path / "ours.keras")
    again = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(again.predict(given, verbose=0), expected, rtol=1e-5, atol=1e-6)
