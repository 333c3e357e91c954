"""Layers of the user's, written for Keras: call(self, x)."""

import copy
import pickle

import numpy as np
import pytest

import conv2d_native as cn
import own_layers
from conv2d_native import layers as L
from conv2d_native import ops
from conv2d_native.formats import read_model
from written import bytes_of

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
    assert [v.path for v in block.weights[:2]] == [
        f"{block.name}/{block.conv.name}/{word}" for word in ("kernel", "bias")
    ]
    assert len(block.weights) == 10
    x = block.norm(block.conv(X))
    for top in block.tops:
        x = top(np.maximum(x, 0) if top is block.tops[0] else x)
    np.testing.assert_allclose(got, x.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)
    block.conv.set_weights([w * 0 for w in block.conv.get_weights()])
    assert np.abs(block(X) - got).max() > 1e-3
    assert not block.conv.__dict__["_inbound_nodes"]


def test_in_networks(tmp_path):
    model = own_layers.make_network(cn, MADE)
    assert model.output_shape == [(None, 2), (None, 3)]
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


def test_sizes_that_are_not_known_are_computed_with():
    class Shuffle(L.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.conv, self.top = L.Conv2D(8, 3, padding="same"), L.Conv2D(1, 1)

        def call(self, x):
            batch, height, width, channels = ops.shape(self.conv(x))
            x = ops.reshape(self.conv(x), [batch, height, width, 2, 2, channels // 4])
            x = ops.transpose(x, [0, 1, 3, 2, 4, 5])
            return self.top(ops.reshape(x, [batch, height * 2, width * 2, channels // 4]))

    class Flat(L.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = L.Dense(3)

        def call(self, x):
            _, height, width, channels = ops.shape(x)
            return self.dense(ops.reshape(x, (-1, height * width * channels)))

    x = cn.Input((None, None, 3))
    shuffle, flat = Shuffle(), Flat()
    model = cn.Model(x, shuffle(x))
    assert model.output_shape == (None, None, None, 1)
    inner = shuffle.conv(X).reshape(2, 6, 5, 2, 2, 2).transpose(0, 1, 3, 2, 4, 5).reshape(2, 12, 10, 2)
    np.testing.assert_allclose(model(X), shuffle.top(inner), rtol=1e-4, atol=1e-6)
    assert model(X[:, :4]).shape == (2, 8, 10, 1)
    with pytest.raises(TypeError, match="NoneType"):  # its weights would depend on the size of the image
        flat(x)
    assert not flat.dense.built and flat(X).shape == (2, 3)


def test_operations_in_a_call_take_no_names_as_in_keras():
    class Sums(L.Layer):
        def call(self, x):
            return x + x + 1.0

    cn.backend.clear_session()
    x = cn.Input((4,))
    y = L.add([Sums()(x), x])
    assert [layer.name for layer in cn.Model(x, y + 1.0).layers] == ["input_layer", "sums", "add"]
    assert (y + 2.0).node.layer.name == "add_2"  # beside layers they are counted with those


@pytest.mark.parametrize(
    "base, settings",
    [
        (L.Conv2D, {"filters": 4}),
        (L.Conv1D, {"filters": 4}),
        (L.DepthwiseConv2D, {}),
        (L.SeparableConv2D, {"filters": 4}),
        (L.Conv2DTranspose, {"filters": 4}),
    ],
)
def test_calls_that_compute_with_the_weights_of_a_parent_class(base, settings):
    class Gained(base):
        def call(self, inputs):
            gain = sum(ops.mean(ops.square(weight)) for weight in self.weights)
            return super().call(inputs) * gain

    given = X[:, 0] if base is L.Conv1D else X
    layer, plain = (cls(kernel_size=3, padding="same", **settings) for cls in (Gained, base))
    source = cn.Input(given.shape[1:])
    model = cn.Model(source, layer(source))
    plain.build(given.shape)
    plain.set_weights(layer.get_weights())
    gain = sum(np.mean(weight**2) for weight in layer.get_weights())
    np.testing.assert_allclose(model(given), gain * plain(given), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{"strides": 2, "activation": "relu"}, {"groups": 2}, {"data_format": "channels_first"}]
)
def test_a_convolution_op_of_one_s_own_is_what_the_layer_computes(settings):
    class Doubled(L.Conv2D):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, kernel * 2.0)

    class Called(L.Conv2D):
        def call(self, inputs):
            return self.activation(self.convolution_op(inputs, self.kernel))

    x = RNG.random((2, 4, 5, 4), np.float32) - 0.5
    words = {"filters": 4, "kernel_size": 3, "bias_initializer": "ones", **settings}
    doubled, called, plain = (cls(**words) for cls in (Doubled, Called, L.Conv2D))
    source = cn.Input(x.shape[1:])
    models = [cn.Model(source, layer(source)) for layer in (doubled, called)]
    plain.build(x.shape)
    kernel, bias = plain.get_weights()
    for layer in (doubled, called):
        layer.set_weights([kernel, bias])
    plain.set_weights([2 * kernel, bias])
    np.testing.assert_allclose(models[0](x), plain(x), rtol=1e-5, atol=1e-5)
    plain.set_weights([kernel, 0 * bias])
    np.testing.assert_allclose(models[1](x), plain(x), rtol=1e-5, atol=1e-5)
    made = plain.activation(plain.convolution_op(x, kernel))
    np.testing.assert_allclose(made, plain(x), rtol=1e-5, atol=1e-5)


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
    spec = read_model(bytes_of(model.save))
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
    dense = L.Dense(3, kernel_initializer=cn.initializers.GlorotUniform(seed=11))  # no sum is close to zero
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


class Blend(L.Layer):
    """Two tensors, one of which may be left out, and a setting."""

    def call(self, x, y=None, scale=1.0):
        return x * scale if y is None else x * y * scale


def test_several_tensors_by_position_and_by_name():
    blend, source = Blend(), cn.Input((6, 5, 3))
    cases = [
        (((X, X + 1), {}), X * (X + 1)),
        (((X,), {"y": X + 1}), X * (X + 1)),
        (((), {"y": X, "x": X + 1}), X * (X + 1)),
        (((X, X[:, :1, :1], 3.0), {}), X * X[:, :1, :1] * 3),
        (((X,), {"scale": 3.0}), X * 3),
        (((X, np.asfortranarray(X)), {"scale": 2.0}), X * X * 2),
        (((X,), {}), X),
    ]
    for (args, kwargs), expected in cases:
        np.testing.assert_allclose(blend(*args, **kwargs), expected, rtol=1e-6)
    made = [blend(source, source + 1.0), blend(source, y=source + 1.0), blend(y=source + 1.0, x=source)]
    model = cn.Model(source, made)
    held = bytes_of(model.save)
    for network in (model, cn.load_model(held, {"Blend": Blend})):
        for y in network(X):
            np.testing.assert_allclose(y, X * (X + 1), rtol=1e-6)
    with pytest.raises(TypeError, match=r"call\(\) of layer 'blend.*unexpected keyword argument 'z'"):
        blend(X, z=X)
    with pytest.raises(ValueError, match="same batch size"):
        blend(X, X[:1])

    class Named(L.Layer):
        def build(self, a, b):
            pass

        def call(self, x, y):
            return x + y

    with pytest.raises(TypeError, match=r"build\(\).*one of x_shape, y_shape, or take one. Received: a"):
        Named()(X, X)


def test_the_first_argument_by_name():
    conv, source = L.Conv2D(2, 3), cn.Input((6, 5, 3))
    expected = conv(X)
    for made in (conv(inputs=X), conv(x=X), cn.Model(source, conv(inputs=source))(X)):
        np.testing.assert_array_equal(made, expected)
    np.testing.assert_array_equal(cn.Sequential([conv])(inputs=X), expected)
    assert L.Resizing(4, 4)(inputs=X[0]).shape == (4, 4, 3)
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        conv()
    with pytest.raises(TypeError, match="takes `x` alone"):
        L.Add()(X, X)


def test_super_calls_of_layers_of_the_package_and_of_one_s_own():
    class Swish(L.Conv2D):
        def call(self, x):
            return cn.activations.silu(super().call(x))

    class Twice(Swish):
        def call(self, inputs, training=None):
            return super().call(inputs) * 2.0

    class Norm(L.BatchNormalization):
        def call(self, inputs, training=None):
            return super().call(inputs, training) + super().call(inputs=inputs, training=training)

    class Sum(L.Add):
        def call(self, inputs):
            return super().call(inputs) + 1.0

    class Direct(L.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = L.Dense(3)

        def build(self, input_shape):
            self.dense.build(input_shape)

        def call(self, x):
            return self.dense.call(x)

    layer, source = Twice(2, 3), cn.Input((6, 5, 3))
    got = layer(X)
    plain = L.Conv2D(2, 3)
    plain.build(X.shape)
    plain.set_weights(layer.get_weights())
    y = plain(X)
    np.testing.assert_allclose(got, 2 * y / (1 + np.exp(-y)), rtol=1e-5)
    assert not vars(layer).get("_inbound_nodes")
    np.testing.assert_allclose(cn.Model(source, layer(source))(X), got, rtol=1e-6)
    norm = Norm()
    np.testing.assert_allclose(norm(X), 2 * X / np.sqrt(1.001), rtol=1e-5)
    np.testing.assert_allclose(Sum()([X, X]), 2 * X + 1, rtol=1e-6)
    direct = Direct()
    np.testing.assert_allclose(direct(X), direct.dense(X), rtol=1e-6)
