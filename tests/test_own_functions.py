"""Functions of the user's, as activations and in Lambda: steps of the core where they can be, else NumPy steps."""

import pickle

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import _core
from conv2d_native import layers as L

RNG = np.random.default_rng(41)
X = RNG.standard_normal((3, 6, 5, 4)).astype(np.float32)
OPS = cn.ops


def swish(x):
    return x * OPS.sigmoid(1.5 * x)


def normalized(x):
    mean, variance = OPS.moments(x, axes=[-1], keepdims=True)
    return (x - mean) / (variance + 1.0)


def branching(x):
    return x if OPS.max(x) > 100 else x * 2.0


def by_equality(x):
    return OPS.where(x == 0.0, 7.0, x)


BY_OPERATIONS = (swish, normalized, lambda x: OPS.relu(x) - 0.5, lambda x: x**2 / 4 + OPS.tanh(x))
BY_VALUES = (
    branching,
    lambda x: np.maximum(x, 0) * 2,
    lambda x: x - OPS.mean(x, axis=0),  # mixes the images of a batch
    lambda x: x.clip(-1, 1),
    lambda x: OPS.sort(x, axis=-1) + x.mean(),
)


def has_host_steps(layer):
    return " host " in str(layer.explain())


@pytest.mark.parametrize("function", BY_OPERATIONS)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_operations_are_steps_of_the_core(function, data_format):
    layer = L.Conv2D(4, 3, data_format=data_format, activation=function)
    plain = L.Conv2D(4, 3, data_format=data_format)
    plain(X)
    layer(X[:1])
    layer.set_weights(plain.get_weights())
    np.testing.assert_allclose(layer(X), function(plain(X)), rtol=1e-5, atol=1e-6)
    assert not has_host_steps(layer)
    for made in (L.Activation(function), L.Lambda(function)):
        np.testing.assert_allclose(made(X), function(X), rtol=1e-5, atol=1e-6)
        assert not has_host_steps(made)


def test_a_function_called_directly_sees_the_axes_of_its_array():
    x, f = np.ones((2, 3), np.float32), lambda x: x / x.sum(-1, keepdims=True)
    expected = np.full((2, 3), 1 / 3, np.float32)
    out, dense = np.zeros((2, 3), np.float32), L.Dense(3, activation=f)
    made = [cn.activations.get(f)(x), cn.functional.activate(x, f), dense.activation(x), L.Activation(f)(x)]
    np.testing.assert_array_equal([*made, cn.functional.activate(x, f, out=out)], [expected] * 5)
    assert cn.functional.activate(x, f, out=x) is x
    np.testing.assert_array_equal([out, x], [expected] * 2)
    assert cn.functional.activate(np.zeros((0, 3)), f).shape == (0, 3)
    with pytest.raises(ValueError, match=r"must keep the shape \(2, 3\). It returned \(2,\)"):
        cn.functional.activate(x, lambda x: x.sum(-1))


@pytest.mark.parametrize("function", BY_VALUES)
def test_what_needs_values_gets_arrays(function):
    layer = L.Dense(4, activation=function, kernel_initializer="identity")
    for made in (layer, L.Activation(function), L.Lambda(function)):
        np.testing.assert_allclose(made(X), function(X), rtol=1e-5, atol=1e-6)
        assert has_host_steps(made)


def test_equality_is_that_of_the_entries():
    x = np.float32([[0, 1, 0, 2]])
    for made in (L.Activation(by_equality), L.Lambda(by_equality)):
        assert made(x).tolist() == [[7, 1, 7, 2]]

    class Filling(L.Layer):
        def call(self, x):
            return OPS.where(x == OPS.max(x, axis=-1, keepdims=True), -1.0, x)

    assert Filling()(x).tolist() == [[0, 1, 0, -1]]
    source = cn.Input((4,))
    assert source == source and (source == 0.0) is False and [source].index(source) == 0
    assert (source > 0).dtype == OPS.isnan(source).dtype == "bool" and (source + 1).dtype == "float32"


def test_in_models_shared_and_pickled(tmp_path):
    model = cn.Sequential(
        [L.Conv2D(4, 3, activation=swish, input_shape=(None, None, 4)), L.Lambda(normalized)]
    )
    for x in (X, X[:1, 1:]):
        np.testing.assert_allclose(model(x), normalized(model.layers[0](x)), rtol=1e-5, atol=1e-6)
    assert " host " not in str(cn.explain(model))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))(X), model(X))
    stored = cn.Sequential(model.layers[:1])
    stored.save(tmp_path / "m.keras")
    loaded = cn.load_model(tmp_path / "m.keras", custom_objects={"swish": swish})
    np.testing.assert_array_equal(loaded(X), stored(X))
    loaded(X)
    assert " host " not in str(cn.explain(loaded))
    by_class = cn.models.clone_model(loaded)
    assert by_class.layers[0].activation == loaded.layers[0].activation


def test_layers_and_weights_inside_a_function():
    sharp = L.LeakyReLU(0.5)
    gain = L.Dense(4, use_bias=False, kernel_initializer="identity")
    layer = L.Activation(lambda x: sharp(x) + gain(x))
    np.testing.assert_allclose(layer(X), sharp(X) + X, rtol=1e-6)
    assert not has_host_steps(layer) and not sharp.__dict__.get("_inbound_nodes")
    gain.set_weights([2 * np.eye(4)])
    np.testing.assert_allclose(layer(X), sharp(X) + 2 * X, rtol=1e-6)


def test_several_tensors_in_and_out():
    both = L.Lambda(lambda a, b: {"sum": a + b, "rest": [a - b]})
    made = both([X, 2 * X])
    np.testing.assert_array_equal(made["sum"], 3 * X)
    np.testing.assert_array_equal(made["rest"][0], -X)
    assert not has_host_steps(both)
    parts = L.Lambda(lambda pair: (pair[1], OPS.concatenate(pair, axis=-1)))([X, 2 * X])
    assert type(parts) is tuple and [part.shape[-1] for part in parts] == [4, 8]


def test_a_tensor_from_elsewhere_is_refused_and_stays_in_its_model():
    source = cn.Input((4,))
    inner = L.Dense(4, name="outside")(source)

    class Reaching(L.Layer):
        def call(self, x):
            return x + inner

    with pytest.raises(ValueError, match=r"computes with .*, which it was not given"):
        Reaching()(source)
    assert cn.Model(source, inner)(X[:, 0, 0]).shape == (3, 4)


def test_one_number_for_each_image_beside_an_array():
    layer = L.Lambda(lambda x: [np.asarray(x) * 2, np.sum(np.asarray(x), axis=(1, 2, 3))])
    twice, sums = layer(X)
    np.testing.assert_array_equal(twice, X * 2)
    np.testing.assert_allclose(sums, X.sum(axis=(1, 2, 3)), rtol=1e-5, atol=1e-5)
    assert sums.shape == (3,)


def test_objects_that_can_be_called():
    class Scaled:
        def __init__(self, by):
            self.by = by

        def __call__(self, x):
            return OPS.relu(x) * self.by

    model = cn.Sequential(
        [L.Dense(4, activation=Scaled(3.0), kernel_initializer="identity", input_shape=(4,))]
    )
    np.testing.assert_allclose(model(X[:, 0, 0]), np.maximum(X[:, 0, 0], 0) * 3)
    with pytest.raises(ValueError, match="activation that is a Scaled has no name"):
        model.to_json()


def test_weights_of_layers_that_are_called_from_outside_may_change():
    """A model follows them as its own; of models that compute with their own weights alone nothing is dropped."""
    outside = L.Dense(3)
    outside.build((None, 4))

    class Calls(cn.Model):
        def call(self, x):
            return outside(x)

    class Inside(L.Layer):
        def call(self, x):
            return outside(x) * 1.0

    x, v = cn.Input((4,)), X[:, 0, 0]
    models = [Calls(), cn.Model(x, Inside()(x)), cn.Model(x, L.Lambda(lambda t: outside(t))(x))]
    other = cn.Sequential([cn.Input((4,)), L.Dense(2)])
    for _ in range(3):
        other(v)
        kept = other._programs
        outside.set_weights([w * 2 for w in outside.get_weights()])
        for model in models:
            np.testing.assert_array_equal(model(v), outside(v))
            np.testing.assert_array_equal(model.predict(v), outside(v))
        other(v)
        assert other._programs is kept


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("function", [lambda x: x - OPS.mean(x, axis=0), lambda x: x - np.mean(x, axis=0)])
def test_images_are_mixed_with_all_of_a_batch_that_takes_long(function, several):
    """A function that treats images one by one lets the same network run the batch in parts."""
    sizes = {}

    def counted(kind, x):
        sizes.setdefault(kind, set()).add(len(x) if isinstance(x, np.ndarray) else 0)
        made = function(x) if kind == "mixing" else np.clip(x, 0.0, 1.0)
        return (made, made) if several else made

    source = cn.Input((96, 96, 32))
    y = L.GlobalAveragePooling2D()(L.Conv2D(96, 3)(source))
    x = RNG.random((48, 96, 96, 32), np.float32)
    _core.set_num_threads(1)
    for kind in ("mixing", "apart"):
        model = cn.Model(source, [y, L.Lambda(lambda x, kind=kind: counted(kind, x))(y)])
        means, made = model(x)
        expected = function(means) if kind == "mixing" else means.clip(0, 1)
        for array in made if several else [made]:
            np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-6)
    assert 48 in sizes["mixing"] and 48 not in sizes["apart"]


@pytest.mark.parametrize(
    "layer",
    [
        *(L.UnitNormalization(axis) for axis in (0, -2, [0, 1])),
        L.Activation(lambda x: x - np.mean(x, axis=0)),
        L.Dense(96, kernel_initializer="identity", activation=lambda x: x / OPS.max(x, axis=0)),
    ],
)
def test_layers_that_run_along_the_batch_get_all_of_it(layer):
    """The same network runs this batch in parts with other layers, as the test before shows."""
    source = cn.Input((96, 96, 32))
    y = L.GlobalAveragePooling2D()(L.Conv2D(96, 3)(source))
    _core.set_num_threads(1)
    means, made = cn.Model(source, [y, layer(y)])(RNG.random((48, 96, 96, 32), np.float32))
    np.testing.assert_allclose(made, layer(means), rtol=1e-5, atol=1e-6)
