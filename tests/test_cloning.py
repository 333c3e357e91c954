"""clone_model with layers and inputs of the caller's choice; copies of stacks that are not built."""

import copy
import pickle

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
    assert made.inputs[0] is inputs["a"] and made.output_shape == [(1, 2), (1, 6)] and len(made.weights) == 4
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


def nested():
    source = cn.Input((3,))
    inside = cn.Model(source, L.Dense(2, name="in2")(source), name="graph")
    chain = cn.Sequential([cn.Input((6,)), L.Dense(3, name="in1")], name="chain")
    a, b = cn.Input((4,), name="a"), cn.Input((4,), name="b")
    shared = L.Dense(3, name="shared")
    y = cn.ops.concatenate([shared(a), shared(b) * 2], axis=-1)
    return cn.Model([a, b], [inside(chain(y)), y])


def test_clones_with_other_calls():
    """Keras calls `call_function` for every call of a layer, operations too, and inside models if recursive."""
    model, called = nested(), []

    def call(layer, *args, **kwargs):
        called.append(layer.name)
        made = layer(*args, **kwargs)
        return L.ReLU()(made) if isinstance(layer, L.Dense) else made

    made = cn.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)
    assert [name for name in called if not name.startswith(("multiply", "concatenate"))] == [
        *("shared", "shared", "chain", "graph")
    ]
    assert len(called) == 6 and made.get_layer("graph") is model.get_layer("graph")
    x = [RNG.standard_normal((5, 4)).astype(np.float32) for _ in range(2)]
    parts = [np.maximum(model.get_layer("shared")(part), 0) for part in x]
    np.testing.assert_allclose(made(x)[1], np.concatenate([parts[0], parts[1] * 2], axis=1), rtol=1e-6)
    called.clear()
    made = cn.models.clone_model(model, call_function=call, recursive=True)
    assert called[-2:] == ["in2", "graph"] and len(called) == 7 and len(made.get_layer("graph").layers) == 3
    assert len(made.get_layer("chain").layers) == 1 and (made(x)[0] >= 0).all()


def test_clones_of_models_inside():
    model, met = nested(), []

    def clone(layer):
        met.append(layer.name)
        return layer

    cn.models.clone_model(model, clone_function=clone)
    assert met == ["shared", "chain", "graph"]
    met.clear()
    made = cn.models.clone_model(model, clone_function=clone, recursive=True)
    assert met == ["shared", "in1", "in2"] and made.get_layer("chain") is not model.get_layer("chain")
    assert made.get_layer("chain").layers[0] is model.get_layer("chain").layers[0]
    made = cn.models.clone_model(model, recursive=True)
    assert [v.shape for v in made.weights] == [v.shape for v in model.weights]
    assert not {id(v) for v in made.weights} & {id(v) for v in model.weights}


def test_clones_that_cannot_be():
    model, chain = nested(), cn.Sequential([L.Dense(2, input_shape=(3,))])

    class Own(cn.Model):
        def call(self, x):
            return x

    def call(layer, *args, **kwargs):
        return layer(*args, **kwargs)

    for source, words, error, text in (
        (chain, {"call_function": call}, ValueError, "`call_function` is for models of Model"),
        (Own(), {"call_function": call}, ValueError, r"`call_function` .*has a call\(\) of its own"),
        (model, {"call_function": 3}, TypeError, "`call_function` must be a function of a layer"),
        (
            model,
            {"call_function": lambda *_: None},
            TypeError,
            "must return the 1 symbolic tensors.*'shared'",
        ),
    ):
        with pytest.raises(error, match=text):
            cn.models.clone_model(source, **words)


@pytest.mark.parametrize("copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy, copy.copy])
@pytest.mark.parametrize("first", [None, cn.Input((3,)), L.Dense(3)])
def test_copies_of_stacks_that_are_not_built(copied, first):
    """Weights of layers that are built already are kept; what is added to the copy the other has not."""
    if isinstance(first, L.Dense):
        first.build((None, 3))
    model = cn.Sequential([] if first is None else [first], name="stack")
    made, before = copied(model), model.get_weights()
    assert made.name == "stack" and not made.built and len(made.layers) == len(model.layers)
    assert all(map(np.array_equal, made.get_weights(), before))
    made.add(L.Dense(2, name="last"))
    y = made(np.ones((1, 3)))
    assert y.shape == (1, 2) and not model.built and "last" not in [layer.name for layer in model.layers]
    np.testing.assert_array_equal(copied(made)(np.ones((1, 3))), y)
