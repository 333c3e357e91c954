"""Layers of the user's, written for Keras: call(self, x)."""

import copy
import io
import pickle

import numpy as np
import pytest

import conv2d_native as cn
import own_layers
from conv2d_native import layers as L
from conv2d_native import ops
from conv2d_native.formats import read_model

RNG = np.random.default_rng(10)
X = RNG.random((2, 6, 5, 3), np.float32)
MADE = own_layers.make_layers(cn)
Scale, Block = MADE["Scale"], MADE["Block"]
globals().update({name: cls for name, cls in MADE.items()})
for cls in MADE.values():  # as if they stood at the top of this module, for pickle
    cls.__module__, cls.__qualname__ = __name__, cls.__name__


def test_on_arrays():
    np.testing.assert_allclose(Scale()(X), 2 * X + 1, rtol=1e-6)
    np.testing.assert_allclose(Scale()(X[:1, :2]), 2 * X[:1, :2] + 1, rtol=1e-6)
    layer = Scale()
    layer(X)
    layer.set_weights([np.array([0, 1, 2])])
    np.testing.assert_allclose(layer(X), X * [0, 1, 2] + 1, rtol=1e-6)


def test_layers_inside():
    block = Block(4)
    got = block(X)
    assert [v.path.partition("/")[2] for v in block.weights][:2] == ["kernel", "bias"] and len(
        block.weights
    ) == 10
    x = block.norm(block.conv(X))
    for top in block.tops:
        x = top(np.maximum(x, 0) if top is block.tops[0] else x)
    np.testing.assert_allclose(got, x.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)
    block.conv.set_weights([w * 0 for w in block.conv.get_weights()])
    assert np.abs(block(X) - got).max() > 1e-3
    assert not block.conv.__dict__["_inbound_nodes"]


def test_in_networks(tmp_path):
    model = own_layers.make_network(cn, MADE)
    assert model.output_shape == {"top": (None, 2), "total": (None, 3)}
    expected = model.predict(X)
    np.testing.assert_allclose(expected["total"], (6 * X + 2 + X).max(axis=(1, 2)), rtol=1e-5)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    again = own_layers.make_network(cn, MADE)
    again.load_weights(tmp_path / "m.weights.h5")
    opened = cn.load_model(tmp_path / "m.keras", custom_objects=MADE)
    for made in (opened, again, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        for key, value in made.predict(X).items():
            np.testing.assert_array_equal(value, expected[key])
    with pytest.raises(cn.UnsupportedLayerError, match="'scaled' of class 'Scale'"):
        cn.load_model(tmp_path / "m.keras")


def test_unknown_sizes():
    x = cn.Input((None, None, 3))
    model = cn.Model(x, [Block(4)(x), Scale()(x)])
    assert model.output_shape == [(None, 2), (None, None, None, 3)]
    assert [y.shape for y in model(X[:, :4])] == [(2, 2), (2, 4, 5, 3)]


def test_words_and_mistakes():
    class Power(L.Layer):
        def call(self, x, by=2.0):
            return ops.power(x, by)

    x = cn.Input((6, 5, 3))
    np.testing.assert_allclose(cn.Model(x, Power()(x, by=3.0))(X), X**3, rtol=1e-5)

    class Wrong(L.Layer):
        def call(self, x):
            return np.ones(3)

    with pytest.raises(TypeError, match=r"call\(\) of layer 'wrong' must return .* It returned ndarray"):
        Wrong(name="wrong")(X)

    class Roots(L.Layer):
        def call(self, x):
            return np.sqrt(x)

    with pytest.raises(TypeError, match=r"call\(\) of layer 'roots' gets symbolic tensors: .*ops"):
        Roots(name="roots")(X)

    class Inside(L.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.block = Block(4)

        def call(self, x, training=None):
            return {"same": x, "top": self.block(L.Dropout(0.5)(x, training=training))}

    inside = Inside()
    got = inside(X)
    np.testing.assert_array_equal(got["same"], X)
    np.testing.assert_allclose(got["top"], inside.block(X), rtol=1e-5)
    assert len(inside.weights) == 10

    class Lost(L.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self._units = units

    assert Lost.from_config(Lost(3).get_config())._units == 3  # as Keras, which keeps plain arguments itself
    with pytest.raises(AttributeError, match="'units'"):
        Lost(np.ones(3)).get_config()


class Mixed(L.Layer):
    """Weights that training changes and others, in turn."""

    def build(self, input_shape):
        self.g = self.add_weight((3,), "zeros", name="g")
        self.h = self.add_weight((3,), "zeros", name="h", trainable=False)
        self.i = self.add_weight((3,), "zeros", name="i")

    def call(self, x):
        return (x + self.h) * self.g + self.i


def test_trainable_weights_come_first_as_in_keras():
    """Keras's files and lists hold g, i, h: with equal shapes another order is another answer."""
    layer = Mixed()
    layer(X)
    assert layer.weight_names == ["g", "i", "h"]
    layer.set_weights([np.full(3, 2.0), np.full(3, 3.0), np.full(3, 4.0)])
    np.testing.assert_allclose(layer(X), (X + 4) * 2 + 3, rtol=1e-6)
    model = cn.Sequential([cn.Input((6, 5, 3)), layer])
    held = io.BytesIO()
    model.save(held)
    spec = read_model(held.getvalue())
    stored = spec.weights.get((layer.name,), ["g", "i", "h"], [(3,)] * 3)
    assert [value[0] for value in stored] == [2, 3, 4]


ARITHMETIC = {
    "plus": (lambda x, a: x * (1 + a), lambda x, a: x * (1 + a)),
    "power": (lambda x, a: x * a**2, lambda x, a: x * a**2),
    "under one": (lambda x, a: x * (1.0 / a), lambda x, a: x / a),
    "axes": (lambda x, a: x + a[None, None], lambda x, a: x + a),
    "a part": (lambda x, a: x * a[0] - a[-1], lambda x, a: x * a[0] - a[-1]),
    "on the left": (lambda x, a: a * x - a, lambda x, a: a * x - a),
    "on the right": (lambda x, a: x / a, lambda x, a: x / a),
    "on both": (lambda x, a: (a - x) * abs(-a) / (a + a), lambda x, a: (a - x) / 2),
    "compared": (lambda x, a: (a > x) * 2.0 + (x < a), lambda x, a: (x < a) * 3.0),
    "functions": (lambda x, a: x * np.exp(a) + np.sum(a), lambda x, a: x * np.exp(a) + a.sum()),
    "operations": (lambda x, a: x * ops.exp(a) + ops.sum(a), lambda x, a: x * np.exp(a) + a.sum()),
    "activation": (lambda x, a: x * cn.activations.relu(a), lambda x, a: x * a),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_with_weights(name):
    function, expected = ARITHMETIC[name]

    class Weighted(L.Layer):
        def build(self, input_shape):
            self.a = self.add_weight((3,), "ones")

        def call(self, x):
            return function(x, self.a)

    layer, source = Weighted(), cn.Input((6, 5, 3))
    model = cn.Model(source, layer(source))
    for values in (np.float32([1, 2, 3]), np.float32([0.5, 0.25, 4])):
        layer.set_weights([values])
        for made in (layer(X), model(X)):
            np.testing.assert_allclose(made, expected(X, values), rtol=2e-5)


def test_weights_are_arrays_to_operators():
    dense = L.Dense(3)
    dense(X)
    kernel, values = dense.kernel, dense.kernel.numpy()
    for made in (kernel * 2, 2 * kernel, np.multiply(kernel, 2), kernel + kernel, values + kernel):
        np.testing.assert_array_equal(made, values * 2)
        assert type(made) is np.ndarray and made.dtype == np.float32
    np.testing.assert_array_equal(X @ kernel, X @ values)
    np.testing.assert_array_equal(kernel[:, None, 1], values[:, None, 1])
    np.testing.assert_array_equal(np.add.reduce(kernel), values.sum(axis=0))
    source = cn.Input((6, 5, 3))
    np.testing.assert_allclose(cn.Model(source, source @ kernel)(X), X @ values, rtol=1e-5)
    assert kernel.ndim == 2 and (kernel > 0).dtype == np.bool_ and kernel in [kernel] and len({kernel}) == 1
    assert kernel != dense.bias and bool(kernel)
    with pytest.raises(TypeError, match="out"):
        np.add(values, 1, out=kernel)
    with pytest.raises(ValueError, match="read-only"):
        kernel[:][0] = 1
    np.testing.assert_array_equal(kernel, values)
    scalar = L.Layer().add_weight((), "ones")
    assert float(scalar) == int(scalar) == round(scalar) == 1
