"""Every network of keras.applications, saved by Keras as .keras and .h5, opened here."""

from __future__ import annotations

import numpy as np
import pytest

import applications
import conv2d_native as cn


@pytest.fixture(scope="module", params=applications.SIZES)
def network(request, tmp_path_factory):
    """(paths by suffix, the network)"""
    name = request.param
    made = applications.make_application(name, applications.SIZES[name][0])
    folder = tmp_path_factory.mktemp(name)
    paths = {suffix: folder / f"{name}{suffix}" for suffix in (".keras", ".h5")}
    for path in paths.values():
        made.model.save(path)
    yield paths, made
    for path in paths.values():
        path.unlink()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_application(network, suffix, record_property):
    paths, made = network
    expected, got = made.exact, cn.load_model(paths[suffix]).predict(made.x, verbose=0)
    assert got.shape == expected.shape and got.dtype == np.float32
    error = applications.relative_error(got, expected)
    for name, value in (("error", error), ("error of Keras", made.keras_error), ("spread", made.spread)):
        record_property(name, value)
    assert made.keras_error <= applications.WELL_CONDITIONED, "the network amplifies rounding"
    assert made.spread > 0.01, "all images look the same to the network"
    assert error <= applications.GATE
    np.testing.assert_array_equal(got.argmax(axis=1), expected.argmax(axis=1))
