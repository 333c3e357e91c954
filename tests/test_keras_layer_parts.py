"""Parts of keras.layers for classes of the user's: serialize, deserialize, InputSpec, Wrapper."""

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from written import bytes_of

RNG = np.random.default_rng(15)


class Twice(L.Wrapper):
    def __init__(self, layer, by=2.0, **kwargs):
        super().__init__(layer, **kwargs)
        self._by = by

    def call(self, x):
        return self.layer(x) * self._by


class Shift(L.Layer):
    def call(self, x):
        return x + 1.0


def test_serialize_and_deserialize():
    for layer in (
        L.Conv2D(3, 2, activation="relu"),
        cn.Sequential([L.Dense(2)]),
        L.TimeDistributed(L.Dense(2)),
    ):
        entry = L.serialize(layer)
        assert (
            entry == cn.saving.serialize_keras_object(layer) and entry["class_name"] == type(layer).__name__
        )
        made = L.deserialize(entry)
        assert type(made) is type(layer) and made.get_config() == layer.get_config()
    assert type(L.deserialize(config=L.serialize(Shift()), custom_objects={"Shift": Shift})) is Shift
    with pytest.raises(cn.UnsupportedLayerError, match="'Shift' is not computed here"):
        L.deserialize(L.serialize(Shift()))
    for given in (3, L.Dense, cn.initializers.Ones()):
        with pytest.raises(TypeError, match="`layer` must be a layer or a model"):
            L.serialize(given)
    with pytest.raises(cn.ModelFormatError, match="A layer is a dict"):
        L.deserialize("x")


def test_wrappers_of_ones_own():
    x = RNG.random((2, 3), np.float32)
    custom = {"Twice": Twice, "Shift": Shift}
    for inner in (L.Dense(4, activation="relu"), Shift(), cn.Sequential([L.Dense(2), Shift()])):
        layer = Twice(inner, 3.0)
        model = cn.Sequential([cn.Input((3,)), layer])
        np.testing.assert_allclose(model(x), 3 * inner(x), rtol=1e-6)
        opened = cn.load_model(bytes_of(model.save), custom_objects=custom)
        np.testing.assert_array_equal(opened(x), model(x))
        assert opened.layers[0]._by == 3.0 and type(opened.layers[0].layer) is type(inner)
    assert L.Wrapper(L.Dense(3))(x).shape == (2, 3)  # in Keras it is abstract
    with pytest.raises(TypeError, match="`layer` must be a layer"):
        L.Wrapper(3)


class Checked(L.Layer):
    def __init__(self, spec, **kwargs):
        super().__init__(name="checked", **kwargs)
        self.input_spec = spec

    def call(self, x):
        for leaf in x.values() if isinstance(x, dict) else x if isinstance(x, list) else [x]:
            return leaf * 1.0


def ones(*shape):
    return np.ones(shape, np.float32)


S = cn.InputSpec
NAMED = [S(ndim=2, name="a"), S(ndim=3, name="b")]


@pytest.mark.parametrize(
    ("spec", "x"),
    [
        (None, ones(2, 3)),
        (S(), ones(2, 3)),
        (S(dtype="int32", shape=[None, 3], axes={-1: 3, 0: None}), np.ones((2, 3), np.int32)),
        ([S(ndim=2), None], [ones(2, 3), ones(2, 3)]),
        (NAMED, {"b": ones(2, 3, 3), "a": ones(2, 3)}),
        (S(shape=(None, 28, 1), allow_last_axis_squeeze=True), ones(2, 28)),
        (S(shape=(None, 28), allow_last_axis_squeeze=True), ones(2, 28, 1)),
        (S(shape=(2, 3)), ones(2, 3)),
        (S(ndim=2), [[1.0, 2.0]]),
        (S(shape=(None, 3)), cn.Input((None,))),
        (S(dtype="float32"), ones(2, 3)),
        (S(dtype=np.float32), np.ones((2, 3), np.float64)),
        (S(dtype="uint8"), np.ones((2, 3), np.uint8)),
        (S(dtype="float32"), cn.Input((3,), dtype="float16")),
        (S(dtype="int32"), cn.Input((3,), dtype="int32")),
    ],
)
def test_shapes_that_an_input_spec_takes(spec, x):
    """Keras takes the same."""
    assert Checked(spec)(x).shape


@pytest.mark.parametrize(
    ("spec", "x", "text"),
    [
        (S(ndim=2), ones(2, 3, 3), "expected ndim=2, found ndim=3. Received: shape"),
        (S(min_ndim=3), ones(2, 3), "expected min_ndim=3, found ndim=2"),
        (S(max_ndim=1), ones(2, 3), "expected max_ndim=1, found ndim=2"),
        (S(shape=(None, 4)), ones(2, 3), r"expected shape=\(None, 4\)"),
        (S(shape=(None, 4)), cn.Input((3,)), r"expected shape=\(None, 4\)"),
        (S(shape=(2, 3)), ones(4, 3), r"expected shape=\(2, 3\)"),
        (S(axes={-1: 4}), ones(2, 3), "expected axis -1 of the input to have size 4"),
        (S(axes={5: 4}), ones(2, 3), "expected axis 5 of the input to have size 4"),
        ([S(ndim=2), S(ndim=3)], [ones(2, 3), ones(2, 3)], 'Input 1 of layer "checked" is incompatible'),
        ([S(ndim=2), S(ndim=3)], ones(2, 3), "takes 2 inputs. Received: 1"),
        (S(ndim=2), [ones(2, 3), ones(2, 3)], "takes 1 inputs. Received: 2"),
        (NAMED, {"b": ones(2, 3, 3)}, 'Missing data for input "a"'),
        (S(shape=(None, 28, 1), allow_last_axis_squeeze=True), ones(2, 27), "expected shape"),
        (S(dtype="int32"), ones(2, 3), "expected dtype=int32, found dtype=float32"),
        (S(dtype="float64"), np.ones((2, 3)), "expected dtype=float64, found dtype=float32"),
        (S(dtype="float32"), np.ones((2, 3), np.uint8), "expected dtype=float32, found dtype=uint8"),
        (S(dtype=int), cn.Input((3,), dtype="int32"), "expected dtype=int64, found dtype=int32"),
    ],
)
def test_shapes_that_an_input_spec_refuses(spec, x, text):
    layer = Checked(spec)
    with pytest.raises(ValueError, match=text):
        layer(x)
    assert not layer.built


def test_an_input_spec_is_checked_at_every_call():
    layer = Checked(S(ndim=2))
    layer(ones(2, 3))
    layer.input_spec = S(axes={-1: 4})
    with pytest.raises(ValueError, match="size 4"):
        layer(ones(2, 3))
    assert layer(ones(2, 4)).shape == (2, 4)
    source = cn.Input((None, None, 3))
    model = cn.Model(source, Checked(S(shape=(None, 8, None, 3)))(source))
    assert model.predict(ones(5, 8, 6, 3)).shape == (5, 8, 6, 3)
    with pytest.raises(
        ValueError, match=r'Input 0 of layer "checked" .* expected shape=\(None, 8, None, 3\)'
    ):
        model.predict(ones(5, 9, 6, 3))

    class Net(cn.Model):
        def __init__(self):
            super().__init__()
            self.input_spec, self.dense = S(ndim=3), L.Dense(2)

        def call(self, x):
            return self.dense(x)

    net = Net()
    for call in (net, net.predict):
        with pytest.raises(ValueError, match="expected ndim=3"):
            call(ones(2, 3))
    assert not net.built and net(ones(2, 3, 4)).shape == (2, 3, 2)


def test_the_dtype_of_an_input_spec_is_checked_at_every_call():
    class Net(cn.Model):
        def call(self, x):
            return x * 2

    for layer in (Checked(S(dtype="uint8")), Net()):
        layer.input_spec = S(dtype="uint8")
        for _ in range(2):
            layer(np.ones((2, 3), np.uint8))
            with pytest.raises(ValueError, match="expected dtype=uint8, found dtype=float32"):
                layer(ones(2, 3))
    source = cn.Input((3,), dtype="uint8")
    model = cn.Model(source, Checked(S(dtype="uint8"))(source))
    assert model(np.ones((2, 3), np.uint8)).shape == (2, 3)


def test_words_of_an_input_spec():
    spec = S(shape=(None, 3), axes={-1: 3})
    assert spec.get_config() == {
        **{"dtype": None, "shape": (None, 3), "ndim": 2, "max_ndim": None, "min_ndim": None},
        **{"axes": {-1: 3}, "optional": False},
    }
    assert S.from_config(spec.get_config()).get_config() == spec.get_config() and L.InputSpec is S
    for words, error, text in (
        ({"axes": 3}, TypeError, "`axes` must be a dict"),
        ({"axes": {"x": 3}}, TypeError, "`axes` must be an integer"),
        ({"axes": {2: 3}, "ndim": 2}, ValueError, "`axes` must be from -2 to 1"),
        ({"ndim": "a"}, TypeError, "`ndim` must be a non-negative integer"),
        ({"shape": 3}, TypeError, "`shape` must be a tuple of sizes"),
        ({"dtype": "flot32"}, ValueError, "`dtype` must be one of .*Did you mean 'float32'"),
        ({"dtype": 3}, ValueError, "`dtype` must be one of .*Received: dtype=3"),
    ):
        with pytest.raises(error, match=text):
            S(**words)
    for spec in (3, "x", [S(), 3]):
        with pytest.raises(TypeError, match="`input_spec` must be an InputSpec"):
            Checked(spec)


def test_weights_of_several_axes_have_keras_s_order():
    """Keras sorts the axes as they are given: of [1, -1] the last one comes first, and the numbers fill them so."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((3, 4, 4, 2)).astype(np.float32)
    layer = L.LayerNormalization(axis=[1, -1], epsilon=1e-6)
    layer.build(x.shape)
    assert layer.gamma.shape == (2, 4)
    gamma = rng.standard_normal((2, 4)).astype(np.float32)
    layer.set_weights([gamma, np.zeros((2, 4))])
    plain = (x - x.mean((1, 3), keepdims=True)) / np.sqrt(x.var((1, 3), keepdims=True) + 1e-6)
    np.testing.assert_allclose(layer(x), plain * gamma.reshape(1, 4, 1, 2), rtol=1e-4, atol=1e-5)
