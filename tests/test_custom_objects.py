"""custom_objects: the user's own layers and functions for what a file names and this package does not have."""

import io
import json
import pickle
import threading
from functools import partial

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native import saving
from conv2d_native.formats import read_model, write_keras
from threads import in_threads

RNG = np.random.default_rng(6)


def with_layer(class_name, **config):
    """A file of Input, a layer of `class_name`, Dense; and the weights of the Dense."""
    entries = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "name": "x"}},
        {"class_name": class_name, "config": {"name": "odd", **config}},
        {"class_name": "Dense", "config": {"name": "dense", "units": 2}},
    ]
    kernel, bias = RNG.standard_normal((4, 2)).astype(np.float32), np.float32([1, 2])
    held = io.BytesIO()
    tree = {"class_name": "Sequential", "module": "keras", "config": {"name": "s", "layers": entries}}
    write_keras(held, tree, {("dense",): [kernel, bias]})
    return held.getvalue(), kernel, bias


@pytest.mark.parametrize(
    "stored",
    [
        {"class_name": "Net", "module": "hub.models", "registered_name": "hub>Net"},
        {"class_name": "Net", "module": "hub.models", "registered_name": "Net"},
        {"class_name": "hub>Net"},  # as in .h5
    ],
)
def test_models_of_packages_can_be_saved_as_plain_ones(stored):
    with pytest.raises(cn.UnsupportedLayerError, match=r"custom_objects.*'hub'.*keras.Model\(model.inputs, "):
        cn.model_from_json({"config": {"name": "net", "filters": 8}, **stored})
    for own in ({"module": "__main__"}, {"registered_name": "Custom>Net"}, {"module": None}):
        with pytest.raises(cn.UnsupportedLayerError, match=r"custom_objects=\{'Net': ...\}\)\.$"):
            cn.model_from_json({"class_name": "Net", "config": {"name": "net"}, **own})


class Shift(cn.layers.Layer):
    def __init__(self, by=1.0, **kwargs):
        super().__init__(**kwargs)
        self.by = by

    def call(self, f, x):
        return f.add(x, self.by)


def test_custom_objects():
    data, kernel, bias = with_layer("Shift", by=2.5)
    x = RNG.random((3, 4), np.float32)
    model = cn.load_model(data, custom_objects={"Shift": Shift})
    np.testing.assert_allclose(model(x), (x + 2.5) @ kernel + bias, rtol=1e-5)
    model = cn.load_model(data, custom_objects={"Shift": lambda x: np.sqrt(x)})
    np.testing.assert_allclose(model(x), np.sqrt(x) @ kernel + bias, rtol=1e-5)
    registered, kernel, bias = with_layer("own>Shift", by=2.5)  # as `.h5` files name registered classes
    for name in ("Shift", "own>Shift"):
        model = cn.load_model(registered, custom_objects={name: Shift})
        np.testing.assert_allclose(model(x), (x + 2.5) @ kernel + bias, rtol=1e-5)
    with pytest.raises(cn.UnsupportedLayerError, match=r"'odd' of class 'Shift'.*custom_objects"):
        cn.load_model(data)
    with pytest.raises(ValueError, match="layer classes and functions"):
        cn.load_model(data, custom_objects={"Shift": 3})
    with pytest.raises(ValueError, match="batch as its first axis"):
        cn.load_model(data, custom_objects={"Shift": lambda x: x.sum()})


def swish(x):
    return x / (1 + np.exp(-x))


@pytest.mark.parametrize(
    "stored",
    [
        "swish_1",
        {"class_name": "function", "config": "swish_1", "module": "builtins", "registered_name": "function"},
        {"class_name": "function", "config": "swish_1", "module": "own", "registered_name": "own>swish_1"},
    ],
    ids=["keras 2", "keras 3", "registered"],
)
def test_functions_for_activations(stored, tmp_path):
    entry = json.loads(cn.Sequential([L.Dense(2, activation="swish", input_shape=(3,), name="d")]).to_json())
    entry["config"]["layers"][1]["config"]["activation"] = stored
    model = cn.model_from_json(entry, {"swish_1": swish})
    x = RNG.random((3, 3), np.float32)
    expected = swish(x @ model.get_weights()[0])
    model.save(tmp_path / "m.keras")
    again = cn.load_model(tmp_path / "m.keras", {"swish_1": swish})
    for made in (model, again, pickle.loads(pickle.dumps(model))):
        np.testing.assert_allclose(made(x), expected, rtol=1e-5)
    with pytest.raises(
        cn.UnsupportedLayerError, match=r"'d' \(Dense\): its activation 'swish_1'.*custom_objects"
    ):
        cn.load_model(tmp_path / "m.keras")
    report = cn.check_model(tmp_path / "m.keras")
    assert (
        not report and "swish_1" in str(report) and cn.check_model(tmp_path / "m.keras", {"swish_1": swish})
    )


def test_functions_for_activations_keep_shapes_and_give_numbers():
    entry = json.loads(cn.Sequential([L.Dense(2, name="d", input_shape=(3,))]).to_json())
    entry["config"]["layers"][1]["config"]["activation"] = "odd"
    x = RNG.random((2, 3), np.float32)
    for function, error, text in (
        (lambda x: x.sum(), ValueError, r"'odd' must keep the shape \(2, 2\). It returned \(\)"),
        (lambda x: x > 0, TypeError, "'odd' must return real numbers, not bool"),
    ):
        with pytest.raises(error, match=text):
            cn.model_from_json(entry, {"odd": function})(x)
    np.testing.assert_array_equal(cn.model_from_json(entry, {"odd": np.ones_like})(x), np.ones((2, 2)))


def cube(x):
    return x**3


def test_functions_as_activations(tmp_path):
    x = RNG.random((2, 3), np.float32)
    for function in (
        cube,
        np.tanh,
        cn.ops.tanh,
        lambda x: cn.ops.sigmoid(x) * 2,
        partial(np.clip, a_min=0, a_max=1),
    ):
        model = cn.Sequential([L.Dense(2, activation=function, input_shape=(3,)), L.Activation(function)])
        wanted = function(np.asarray(function(x @ model.get_weights()[0])))
        np.testing.assert_allclose(model(x), wanted, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(cn.dense(x, np.eye(3), activation=function), function(x), rtol=1e-5)
    model = cn.Sequential([L.Dense(2, activation=cube, input_shape=(3,))])
    model.save(tmp_path / "m.keras")
    for again in (cn.load_model(tmp_path / "m.keras", {"cube": cube}), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again(x), model(x))
    for function, word in ((lambda x: x, "lambda"), (partial(np.clip, a_min=0, a_max=1), "partial")):
        model = cn.Sequential([L.Dense(2, activation=function, input_shape=(3,))])
        with pytest.raises(ValueError, match=f"activation that is a {word} has no name to be stored by"):
            model.save(tmp_path / "none.keras")
        assert not (tmp_path / "none.keras").exists()
    with pytest.raises(TypeError, match="must be a name, None, a function or an activation layer"):
        cn.dense(np.ones((1, 2)), np.eye(2), activation=L.BatchNormalization())


def test_two_functions_of_one_name_are_not_mixed_up():
    def made(power):
        def act(x):
            return x**power

        return act

    model = cn.Sequential([L.Dense(2, activation=made(n)) for n in (2, 3)])
    model.build((None, 3))
    with pytest.raises(ValueError, match="called 'act'"):
        cn.models.clone_model(model)


def test_custom_layers_inside_wrappers():
    inner = {"class_name": "Shift", "module": "own", "config": {"name": "inner", "by": 2.0}}
    entry = json.loads(cn.Sequential([L.TimeDistributed(L.Dense(3), input_shape=(4, 2))]).to_json())
    entry["config"]["layers"][1]["config"]["layer"] = inner
    with pytest.raises(cn.UnsupportedLayerError, match="'inner' of class 'Shift'"):
        cn.model_from_json(entry)
    model = cn.model_from_json(entry, {"Shift": Shift})
    x = RNG.random((2, 4, 2), np.float32)
    for made in (model, pickle.loads(pickle.dumps(model))):
        np.testing.assert_allclose(made(x), x + 2, rtol=1e-6)


def test_lambda_layers_need_their_function_from_the_user():
    data, kernel, bias = with_layer("Lambda", function=["4wEAAAA", None, None], function_type="lambda")
    with pytest.raises(cn.UnsafeModelError, match="'odd' is a Lambda"):
        cn.load_model(data)
    x = RNG.random((3, 4), np.float32)
    for name in ("Lambda", "odd"):
        model = cn.load_model(data, custom_objects={name: lambda x: x / 255})
        np.testing.assert_allclose(model(x), x / 255 @ kernel + bias, rtol=1e-5)
    with pytest.raises(ValueError, match="Functions cannot be written"):
        model.save(io.BytesIO())


def columns(x, start=0, stop=None, factors=(1, 1)):
    return x[:, start:stop] * np.float32(factors)


@pytest.mark.parametrize("given", [columns, lambda x, start, **rest: columns(x, start, **rest)])
@pytest.mark.parametrize("factors", [[2, 3], {"class_name": "__tuple__", "items": [2, 3]}])
def test_arguments_that_a_file_has_for_a_lambda_reach_the_function(given, factors):
    stored = {"start": 1, "stop": 3, "factors": factors}
    data, *_ = with_layer("Lambda", function="columns", function_type="function", arguments=stored)
    spec = read_model(data)
    entry = {
        **spec.config,
        "config": {**spec.config["config"], "layers": spec.config["config"]["layers"][:2]},
    }
    x = RNG.random((3, 4), np.float32)
    model = cn.model_from_json(entry, {"Lambda": given})
    np.testing.assert_allclose(model(x), x[:, 1:3] * [2, 3], rtol=1e-6)
    np.testing.assert_array_equal(cn.models.clone_model(model)(x), model(x))


@pytest.mark.parametrize(
    "stored",
    [
        "halve",
        {"class_name": "function", "config": "halve", "module": "builtins", "registered_name": "function"},
        {
            "class_name": "function",
            "config": "own>halve",
            "module": "builtins",
            "registered_name": "function",
        },
    ],
    ids=["keras 2", "keras 3", "registered"],
)
def test_the_function_of_a_lambda_is_found_by_the_name_that_a_file_has_for_it(stored):
    data, kernel, bias = with_layer(
        "Lambda", function=stored, function_type="function", arguments={"by": 2.0}
    )
    x = RNG.random((3, 4), np.float32)
    model = cn.load_model(data, {"halve": lambda x, by: x / by})
    np.testing.assert_allclose(model(x), x / 2 @ kernel + bias, rtol=1e-5)
    with pytest.raises(
        cn.UnsafeModelError, match=r"names the Python function '(own>)?halve'.*\{'by': 2.0\}\.$"
    ):
        cn.load_model(data)
    coded, *_ = with_layer("Lambda", function=["4wEAAAA", None, None], function_type="lambda")
    with pytest.raises(cn.UnsafeModelError, match=r"holds Python code.*of the batch\.$"):
        cn.load_model(coded)


def test_arguments_that_the_function_for_a_lambda_does_not_take_are_left():
    code = {"class_name": "__lambda__", "config": {"value": "4wEAAAA"}}
    data, kernel, bias = with_layer("Lambda", function="halve", arguments={"x": 9, "by": 2.0, "then": code})
    x = RNG.random((3, 4), np.float32)
    for given in (
        lambda x: x / 2,
        lambda x, by=1, then=1: x / by * then,
        partial(np.multiply, np.float32(0.5)),
    ):
        model = cn.load_model(data, {"Lambda": given})
        np.testing.assert_allclose(model(x), x / 2 @ kernel + bias, rtol=1e-5)


def test_dropout_of_efficientnet(tmp_path):
    data, kernel, bias = with_layer("FixedDropout", rate=0.2, noise_shape=[None, 1], seed=None)
    x = RNG.random((3, 4), np.float32)
    model = cn.load_model(data)
    np.testing.assert_allclose(model(x), x @ kernel + bias, rtol=1e-5)
    entry = json.loads(model.to_json())["config"]["layers"][1]
    assert (entry["module"], entry["registered_name"]) == (None, "FixedDropout")  # keras.layers has none
    assert entry["config"]["rate"] == 0.2 and entry["config"]["noise_shape"] == [None, 1]


@pytest.mark.parametrize(
    "function",
    [
        lambda v: np.abs(v[0] - v[1]),
        lambda v, power=1: np.abs(v[0] - v[1]) ** power,
        lambda a, b: np.abs(a - b),
        lambda *v: np.abs(v[0] - v[1]),
        lambda v: np.abs(np.subtract(*v)),
    ],
)
def test_lambda_of_several_inputs_gets_the_list_or_each_as_an_argument(function):
    a, b = RNG.random((2, 2, 3), np.float32)
    sources = [cn.Input((3,)), cn.Input((3,))]
    model = cn.Model(sources, L.Lambda(function)(sources))
    np.testing.assert_array_equal(model([a, b]), np.abs(a - b))
    np.testing.assert_array_equal(L.Lambda(function)([a, b]), np.abs(a - b))
    assert L.Lambda(np.subtract)([a, b]).shape == L.Lambda(lambda v: v[0])([a]).shape == (2, 3)
    assert L.Lambda(lambda v: v["a"] - v["b"])({"a": a, "b": b}).shape == (2, 3)
    entry = json.loads(cn.Model(sources, L.Subtract(name="lam")(sources)).to_json())
    layer = next(layer for layer in entry["config"]["layers"] if layer["name"] == "lam")
    layer |= {"class_name": "Lambda", "config": {"name": "lam", "function": "odd"}}
    loaded = cn.model_from_json(entry, {"lam": function})
    np.testing.assert_array_equal(loaded([a, b]), np.abs(a - b))


def test_lambda_returns_several_arrays_and_runs_once_for_them():
    calls = []
    layer = L.Lambda(lambda x: calls.append(len(x)) or [x, x[:, ::2, :1] * 2])
    x = RNG.random((3, 4, 5), np.float32)
    source = cn.Input((None, 5))
    first, second = layer(source)
    assert (first.shape, second.shape) == ((None, None, 5), (None, None, 1))
    model = cn.Model(source, [first, second])
    for made in (layer(x), model(x), model.predict(x)):
        np.testing.assert_array_equal(made[0], x)
        np.testing.assert_array_equal(made[1], x[:, ::2, :1] * 2)
    assert calls.count(3) == 3
    made = L.Lambda(lambda x: {"half": x / 2, "one": x[:, 0]})(x)
    np.testing.assert_array_equal(made["half"], x / 2)
    assert made["one"].shape == (3, 5) and len(L.Lambda(lambda x: [x])(x)) == 1
    with pytest.raises(
        ValueError, match=r"batch as its first axis, or several. Received: shape \(1,\) for a batch"
    ):
        L.Lambda(lambda x: [x, x.sum()])(x)


def test_lambda_layers_in_programs(tmp_path):
    x = RNG.random((2, 4, 5, 3), np.float32)
    source = cn.Input((None, None, 3))
    halves = L.Lambda(lambda a, by: a[:, ::2] / by, arguments={"by": 2.0}, name="halves")
    model = cn.Model(source, L.Lambda(lambda ab: ab, name="both")(halves(source)))
    np.testing.assert_allclose(model(x), x[:, ::2] / 2, rtol=1e-6)
    joined = L.Lambda(lambda a, b: np.concatenate([a, b], axis=-1))([cn.Input((3,)), cn.Input((2,))])
    assert joined.shape == (None, 5) and L.Lambda(np.abs).name.startswith("lambda")
    with pytest.raises(ValueError, match="Functions cannot be written to a file: layers halves, both"):
        model.save(tmp_path / "m.keras")
    inner = cn.Sequential([L.Lambda(np.abs, name="inside")])
    for outer in (inner, L.TimeDistributed(inner)):
        with pytest.raises(ValueError, match="Functions cannot be written to a file: layers inside"):
            cn.Sequential([cn.Input((4, 3)), outer]).save(tmp_path / "m.keras")
    pickled = pickle.loads(pickle.dumps(cn.Sequential([L.Lambda(np.abs, input_shape=(3,))])))
    np.testing.assert_array_equal(pickled(-np.ones((1, 3))), np.ones((1, 3)))
    with pytest.raises(TypeError, match="`function` must be a function"):
        L.Lambda(3)


def known(name):
    return saving.get_registered_object(name) is not None


def test_a_scope_belongs_to_its_thread():
    """One thread leaves its scope while another is within its own; nothing is left over."""
    steps = threading.Barrier(2, timeout=30)

    def first():
        with saving.custom_object_scope({"a": np.abs}):
            steps.wait()
            steps.wait()
            assert known("a") and not known("b")
        steps.wait()

    def second():
        steps.wait()
        with saving.custom_object_scope({"b": np.abs}):
            steps.wait()
            steps.wait()
            assert known("b") and not known("a")

    in_threads(2, lambda number: second() if number else first())
    assert saving.get_custom_objects() == {} and not known("a")


def test_scopes_go_before_what_is_entered_for_all_files():
    entered = saving.get_custom_objects()
    with saving.custom_object_scope({"f": np.abs, "g": np.sign}), saving.custom_object_scope({"f": np.exp}):
        made = saving.register_keras_serializable("mine", "f")(lambda x: x)
        found = [saving.get_registered_object(name) for name in ("f", "g", "mine>f")]
        assert found == [np.exp, np.sign, made] and list(entered) == ["f", "mine>f"]
    try:
        assert saving.get_registered_object("f") is made and not known("g")
        with saving.custom_object_scope(None):
            assert saving.get_registered_name(made) == "mine>f"
        with pytest.raises(TypeError, match="`custom_objects` must be a dict"), saving.custom_object_scope(3):
            pass
    finally:
        entered.clear()
