"""clone_model with layers and inputs of the caller's choice."""

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L

RNG = np.random.default_rng(9)


def two_branches():
    a, b = cn.Input((4,), name="a"), cn.Input((4,), name="b")
    shared = L.Dense(3, activation="relu", name="shared")
    y = cn.ops.concatenate([shared(a), shared(b) * 2], axis=-1)
    return cn.Model({"a": a, "b": b}, [L.Dense(2, name="top")(y), y], name="two")


def test_clones_by_a_function():
    model, met = two_branches(), []

    def clone(layer):
        met.append(layer.name)
        return (
            layer
            if layer.name == "top"
            else type(layer).from_config({**layer.get_config(), "activation": "linear"})
        )

    made = cn.models.clone_model(model, clone_function=clone)
    assert met == ["shared", "top"] and made.name == "two" and made.get_layer("top") is model.get_layer("top")
    made.set_weights(model.get_weights())
    x = {word: RNG.standard_normal((2, 4)).astype(np.float32) for word in "ab"}
    kernel, bias = model.get_layer("shared").get_weights()
    np.testing.assert_allclose(made(x)[1][:, 3:], 2 * (x["b"] @ kernel + bias), rtol=1e-5, atol=1e-6)
    assert made.get_layer("shared").activation.name == "linear" and made.input_names == ["a", "b"]
    chain = cn.Sequential(
        [cn.Input((4,)), L.Dense(3, activation="relu"), L.Dense(3, name="top")], name="chain"
    )
    made = cn.models.clone_model(chain, clone_function=clone)
    assert isinstance(made, cn.Sequential) and made.name == "chain" and made.layers[1] is chain.layers[1]
    assert made.input_shape == (None, 4) and made.layers[0].activation.name == "linear"


def test_clones_on_other_inputs():
    model = two_branches()
    inputs = {word: cn.Input((4,), 1, name=word * 2) for word in "ab"}
    made = cn.models.clone_model(model, inputs)
    assert (
        made.inputs[0] is inputs["a"]
        and made.output_shape == [(None, 2), (None, 6)]
        and len(made.weights) == 4
    )
    made.set_weights(model.get_weights())
    x = {word: RNG.standard_normal((1, 4)).astype(np.float32) for word in "ab"}
    np.testing.assert_array_equal(made(x)[0], model(x)[0])
    chain = cn.Sequential([L.Dense(3)])
    assert cn.models.clone_model(chain, cn.Input((7,))).input_shape == (None, 7)
    for given in (3, cn.Input((4,)), [inputs["a"]] * 3):
        with pytest.raises(ValueError, match="`input_tensors` must"):
            cn.models.clone_model(model, given)
    with pytest.raises(TypeError, match="`clone_function` must be a function"):
        cn.models.clone_model(model, clone_function=3)
    with pytest.raises(TypeError, match="`clone_function` must return a layer"):
        cn.models.clone_model(model, clone_function=lambda layer: None)
