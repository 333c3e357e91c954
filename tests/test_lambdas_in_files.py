"""A Lambda of a function that has a name is saved by that name, and opened where the user gives the function."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from test_custom_objects import RNG, cube, with_layer


def test_the_name_of_the_function_is_stored(tmp_path):
    path, x = tmp_path / "m.keras", RNG.random((3, 4), np.float32)
    stored = {"class_name": "function", "config": "own>halve", "registered_name": "function"}
    data, kernel, bias = with_layer("Lambda", function=stored, arguments={"by": 2.0, "more": 1})
    cn.load_model(data, {"halve": lambda x, by: x / by}).save(path)
    again = cn.load_model(path, {"own>halve": lambda x, by, more: x / by + more})
    np.testing.assert_allclose(again(x), (x / 2 + 1) @ kernel + bias, rtol=1e-5)
    data, kernel, bias = with_layer("Lambda", function=["4wEAAAA", None, None], function_type="lambda")
    cn.load_model(data, {"odd": cube}).save(path)
    np.testing.assert_allclose(cn.load_model(path, {"cube": cube})(x), x**3 @ kernel + bias, rtol=1e-5)

    def scaled(x, by, then):
        return x * by + then[1]

    cn.saving.register_keras_serializable("mine")(scaled)
    try:
        layer = L.Lambda(scaled, arguments={"by": np.float32(3), "then": (1, 2)}, input_shape=(4,))
        config = layer.get_config()
        assert config["function"]["config"] == "mine>scaled"
        assert config["arguments"] == {"by": 3.0, "then": [1, 2]}
        cn.Sequential([layer]).save(path)
        np.testing.assert_allclose(cn.load_model(path)(x), x * 3 + 2, rtol=1e-6)
    finally:
        for name in ("mine>scaled", "scaled"):
            cn.saving.get_custom_objects().pop(name)
    with pytest.raises(cn.UnsafeModelError, match="names the Python function 'mine>scaled'"):
        cn.load_model(path)
    unclear = L.Lambda(scaled, arguments={"by": 1, "then": [1, np.ones(1)]}, input_shape=(4,), name="odd")
    with pytest.raises(
        ValueError, match=r"'odd': `arguments` must be numbers, .*Received: arguments=\{'by': 1"
    ):
        cn.Sequential([unclear]).save(path)


def test_models_of_named_functions_are_copied_without_a_file():
    def twice(x):
        return x * 2

    x = RNG.random((3, 4), np.float32)
    model = cn.Sequential(
        [L.Lambda(twice, input_shape=(4,)), L.Lambda(lambda x, by: x + by, arguments={"by": 1})]
    )
    for made in (copy.deepcopy(model), cn.models.clone_model(model)):
        np.testing.assert_array_equal(made(x), x * 2 + 1)
