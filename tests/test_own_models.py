"""Models of the user's, written for Keras: calls of their own, functional style, Sequential; Keras's files of them."""

import copy
import io
import pickle

import numpy as np
import pytest

import conv2d_native as cn
import own_models
from answers import HERE, relative_error
from conv2d_native import layers as L
from conv2d_native import ops
from conv2d_native.structure import flatten
from layer_cases import inputs_of
from threads import in_threads
from written import bytes_of

MADE = own_models.make_classes(cn)
NETWORKS = own_models.make_networks(cn, MADE)
ANSWERS = np.load(HERE / "own_models.npz")
Net, Deep, Pair, Trained = (MADE[name] for name in ("Net", "Deep", "Pair", "Trained"))
globals().update({name: cls for name, cls in MADE.items()})
for cls in MADE.values():  # as if they stood at the top of this module, for pickle
    cls.__module__, cls.__qualname__ = __name__, cls.__name__
X = inputs_of("net", [(2, 6, 5, 3)])[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_files_of_keras(name):
    """Keras's answers: out of its file, with its weights in a network made here, and of both saved again."""
    xs = inputs_of(name, [(2, 6, 5, 3)] * (2 if name == "pair" else 1))
    x = xs if len(xs) > 1 else xs[0]
    data = ANSWERS[f"{name}.keras"].tobytes()
    opened, built = cn.load_model(data, custom_objects=MADE), NETWORKS[name]()
    built(x)
    built.load_weights(data)
    weights = bytes_of(built.save_weights)
    other = NETWORKS[name]()
    other.predict(x)
    other.load_weights(weights)
    again = cn.load_model(bytes_of(opened.save), custom_objects=MADE)
    for model in (opened, built, other, again, cn.load_model(bytes_of(built.save), custom_objects=MADE)):
        for ys in (model(x), model.predict(x, batch_size=1)):
            for i, y in enumerate(flatten(ys)):
                assert relative_error(y, ANSWERS[f"{name}/y{i}"]) <= 1e-5
    for copied in (pickle.loads(pickle.dumps(opened)), copy.deepcopy(opened)):
        for y, expected in zip(flatten(copied(x)), flatten(opened(x)), strict=True):
            np.testing.assert_array_equal(y, expected)
    report = cn.check_model(data, custom_objects=MADE)
    assert report.ok and report.parameters == opened.count_params()
    assert not cn.check_model(data).ok


def test_the_model_is_one_of_the_package_s():
    net = Net()
    assert not net.built and [layer.name[:5] for layer in net.layers] == ["conv2", "dense", "batch", "dense"]
    lines = []
    net.summary(print_fn=lines.append)
    assert "0 (unbuilt)" in lines[0]
    expected = net(X)
    net.summary(print_fn=lines.append)
    assert "(None, 4, 3, 3)" in lines[1] and "Total params: 116" in lines[1]
    assert net.count_params() == 116 and len(net.trainable_weights) == 8
    assert net.profile(X, repeats=1).rows[0]["name"] == net.conv.name
    assert net.get_layer(index=0) is net.conv
    assert rf"{net.conv.name}\nConv2D\n(None, 4, 3, 3)" in net.to_dot()
    np.testing.assert_array_equal(net(X, training=False), expected)
    np.testing.assert_array_equal(net(inputs=X), expected)
    np.testing.assert_array_equal(net.predict(iter([X[:1], X[1:]])), expected)
    np.testing.assert_array_equal(net.predict(X.astype(np.float64), batch_size=1), expected)
    assert net(X[:, :4]).shape == (2, 2) and net(X[:0]).shape == (0, 2)
    assert len(cn.autotune(net, X, repeats=1)) == 3
    net.top.set_weights([w * 0 for w in net.top.get_weights()])
    assert not net(X).any()
    built = Net()
    built.build((None, None, None, 3))
    assert built(X).shape == (2, 2) and built.get_build_config() == {"input_shape": (None, None, None, 3)}
    assert cn.models.clone_model(net)(X).shape == (2, 2)


def test_constructor_arguments_are_kept_as_keras_keeps_them():
    """`classes` is in no attribute and there is no get_config."""
    net = Net(5)
    expected = net(X)
    assert net.get_config()["classes"] == 5
    for made in (
        cn.load_model(bytes_of(net.save), {"Net": Net}),
        cn.model_from_json(net.to_json(), {"Net": Net}),
    ):
        made.set_weights(net.get_weights())
        np.testing.assert_array_equal(made(X), expected)


def test_a_class_without_a_constructor():
    class Plain(cn.Model):
        def build(self, input_shape):
            self.dense = L.Dense(input_shape[-1])

        def call(self, x):
            return self.dense(x)

    plain = Plain(name="plain", trainable=False)
    expected = plain(X)
    assert plain.get_config().keys() == {"name", "trainable", "dtype"}
    opened = cn.load_model(bytes_of(plain.save), {"Plain": Plain})
    assert opened.name == "plain" and not opened.trainable and not opened.trainable_weights
    np.testing.assert_array_equal(opened(X), expected)


def test_registered_names_and_constructors_without_further_words():
    before = dict(cn.saving.get_custom_objects())
    try:

        @cn.saving.register_keras_serializable("pkg")
        class Head(cn.Model):
            def __init__(self, units=2):
                super().__init__()
                self.dense = L.Dense(units)

            def call(self, x):
                return self.dense(x)

        head = Head(3)
        expected = head(X)
        data = bytes_of(head.save)
        assert '"registered_name": "pkg>Head"' in head.to_json()
        np.testing.assert_array_equal(cn.load_model(data)(X), expected)
    finally:
        cn.saving.get_custom_objects().clear()
        cn.saving.get_custom_objects().update(before)
    for name in ("Head", "pkg>Head"):
        np.testing.assert_array_equal(cn.load_model(data, {name: Head})(X), expected)
    with pytest.raises(cn.UnsupportedLayerError, match=r"class 'Head' is not computed here.*custom_objects"):
        cn.load_model(data)


def test_weights_that_a_class_has_no_place_for_are_an_error():
    class Less(cn.Model):
        def __init__(self, classes, **kwargs):
            super().__init__(**kwargs)
            self.conv = L.Conv2D(3, 3)

        def call(self, x):
            return self.conv(x)

    class More(Net):
        def __init__(self, classes, **kwargs):
            super().__init__(7, **kwargs)

    with pytest.raises(cn.ModelFormatError, match=r"of the model: those in '.*' belong to no layer"):
        cn.load_model(ANSWERS["net.keras"].tobytes(), custom_objects={"Net": Less})
    with pytest.raises(cn.ModelFormatError, match="expected shape"):
        cn.load_model(ANSWERS["net.keras"].tobytes(), custom_objects={"Net": More})


class Two(cn.Model):
    """Two arguments."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = L.Dense(3), L.Dense(3)

    def call(self, x, y, scale=1.0, training=False):
        return self.first(x) + self.second(y) * scale


def test_several_arguments():
    two = Two()
    expected = two(X, X + 1)
    for made in (two(X, y=X + 1), two(y=X + 1, x=X), two(X, X + 1, training=False)):
        np.testing.assert_array_equal(made, expected)
    assert two.get_build_config() == {"shapes_dict": {"x_shape": (None, 6, 5, 3), "y_shape": (None, 6, 5, 3)}}
    np.testing.assert_array_equal(cn.load_model(bytes_of(two.save), {"Two": Two})(X, X + 1), expected)
    source = cn.Input((6, 5, 3))
    model = cn.Model(source, two(source, y=source + 1.0, scale=2.0))
    twice = two.first(X) + 2 * two.second(X + 1)
    np.testing.assert_allclose(model(X), twice, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(cn.load_model(bytes_of(model.save), {"Two": Two})(X), model(X))
    with pytest.raises(TypeError, match=r"call\(\) of layer 'two.*missing a required argument: 'y'"):
        two.predict(X)
    with pytest.raises(TypeError, match="called on arrays alone: give settings to its constructor"):
        two(X, X, scale=2.0)
    with pytest.raises(ValueError, match=r"form of its first call. Received: \(\[array, array\], array\)"):
        two([X, X], X)
    with pytest.raises(cn.ModelFormatError, match=r"cannot be built.*'y'.*build_from_config"):
        cn.model_from_json(two.to_json().replace("shapes_dict", "input_shape"), {"Two": Two})


def test_training_is_false_wherever_it_stands():
    class Train(Net):
        def call(self, inputs, training):
            return super().call(inputs, training=training)

    class Inner(cn.Model):
        def __init__(self):
            super().__init__()
            self.net = cn.Sequential([Train(name="train")])

        def call(self, x, training=None, mask=None):
            return self.net(x, training=training)

    for model in (Train(), Inner()):
        expected = model(X)
        for made in (model(X, training=False), model(X, False), model.predict(X)):
            np.testing.assert_array_equal(made, expected)
        with pytest.raises(ValueError, match="inference only"):
            model(X, True)


def test_mistakes_are_named():
    class Nothing(cn.Model):
        pass

    class Branch(Net):
        def call(self, x):
            return x if ops.max(x, axis=-1) > 0 else -x

    class Values(Net):
        def call(self, x):
            return x.numpy()

    class Parts(Net):
        def call(self, x):
            return [part for part in x]

    cases = [
        (lambda: Nothing()(X), ValueError, r"define call\(self, inputs\) in Nothing"),
        (lambda: Branch()(X), TypeError, r"condition: choose with ops.where"),
        (lambda: Values()(X), TypeError, r"gets symbolic tensors: compute with conv2d_native.ops.*'numpy'"),
        (lambda: Parts()(X), TypeError, r"iterated over: take its parts with x\[:, i\]"),
        (lambda: Net()(X, training=True), ValueError, "inference only"),
        (lambda: Net()(), TypeError, "missing a required argument: 'inputs'"),
        (lambda: Net().build(None), ValueError, "`input_shape` of model"),
        (lambda: Net().predict(X > 0), TypeError, "real numbers"),
        (lambda: Net()(np.float32(3)), ValueError, "must have a batch axis"),
        (lambda: Pair()([X, X[:1]]), ValueError, "same batch"),
        (lambda: Net().save(io.BytesIO()), ValueError, "is not built"),
        (lambda: Net().input_shape, AttributeError, r"has no input_shape: the call\(\) of its class"),
        (lambda: Net().fit(X), AttributeError, "inference only"),
    ]
    for call, error, text in cases:
        with pytest.raises(error, match=text):
            call()
    net = Net()
    with pytest.raises(ValueError, match="expected ndim=4"):
        net(X[0, 0])
    assert not net.built and not net.conv.built  # nothing was changed
    assert net(X).shape == (2, 2)
    with pytest.raises(ValueError, match=r"Received: \(\[array\]\) after \(array\)"):
        net([X])


def test_one_model_in_many_threads():
    net, made = Net(), []
    in_threads(6, lambda _: made.append(net(X)))
    assert len(made) == 6 and all(np.array_equal(y, made[0]) for y in made) and len(net.weights) == 10


def test_functional_style_around_operations():
    source = cn.Input((6, 5, 3))
    made = [Trained(source, ops.depth_to_space(L.Conv2D(8, 3)(source) * 2.0, 2)) for _ in range(2)]
    made[1].set_weights(made[0].get_weights())
    for model in (made[1], cn.load_model(bytes_of(made[0].save), custom_objects=MADE)):
        np.testing.assert_array_equal(model(X), made[0](X))


def test_names_of_attributes_are_the_user_s():
    class Wide(cn.Model):
        def __init__(self, rank=4, **kwargs):
            super().__init__(**kwargs)
            self.rank, self._channels = rank, 7
            self.inputs, self.outputs = L.Dense(3), L.Dense(rank)

        def call(self, x):
            return self.outputs(self.inputs(x))

    wide = Wide(8)
    assert wide(X).shape == (2, 6, 5, 8) and wide.predict(X).shape == (2, 6, 5, 8)
    np.testing.assert_array_equal(cn.load_model(bytes_of(wide.save), {"Wide": Wide})(X), wide(X))
    net = Net()
    net(X)
    assert cn.Sequential([net, L.Dense(4)])(X).shape == (2, 4)


def test_a_call_that_assigns_its_settings_is_compiled_once():
    calls = []

    class Gain(L.Layer):
        def __init__(self, gain=1.0, **kwargs):
            super().__init__(**kwargs)
            self.gain = gain

        def call(self, x):
            calls.append(self)
            self.gain = 2.0
            return x * self.gain

    class Plain(Gain):
        def call(self, f, x):
            calls.append(self)
            self.gain = 2.0
            return f.multiply(x, self.gain)

    class Gains(cn.Model):
        def __init__(self, gain=1.0):
            super().__init__()
            self.gain, self.inner = gain, Gain()

        def call(self, x):
            self.gain = 3.0
            return self.inner(x) * self.gain

    for model in (Gain(), Plain(), Gains(), cn.Sequential([Gain(), Plain()])):
        expected = model(X)
        calls.clear()
        if isinstance(model, cn.Model):
            model.summary(print_fn=str)
            calls.clear()
            np.testing.assert_array_equal(model.predict(X), expected)
        np.testing.assert_array_equal(model(X), expected)
        assert not calls
    gains = Gains()
    before = gains(X)
    gains.inner.gain = 5.0  # the call assigns it again, but the user's assignment is new
    calls.clear()
    np.testing.assert_array_equal(gains(X), before)
    assert calls


@pytest.mark.parametrize(
    "shape", ["6653", 5, {}, {"a": 3}, [None, 6.5, 5, 3], [None, "6", 5, 3], [[[]], 1.0]]
)
@pytest.mark.parametrize("words", ["input_shape", "shapes_dict"])
def test_shapes_of_a_file_that_are_none(shape, words):
    net = Net()
    net(X)
    entry = {**cn.saving.serialize_keras_object(net)}
    entry["build_config"] = {words: shape if words == "input_shape" else {"inputs_shape": shape}}
    with pytest.raises(cn.ModelFormatError, match=r"Model 'net.*' \(.*Net\) cannot be built for the shapes"):
        cn.model_from_json(entry, custom_objects=MADE)


def test_the_error_of_many_shapes_is_short():
    gate = Two()
    gate(X, X)
    entry = {**cn.saving.serialize_keras_object(gate)}
    entry["build_config"] = {"shapes_dict": {"x_shape": [[None, 3]] * 9999, "y_shape": [None, 3]}}
    with pytest.raises(cn.ModelFormatError, match="must be called on one tensor") as raised:
        cn.model_from_json(entry, custom_objects={"Two": Two})
    assert len(str(raised.value)) < 3000


def test_a_model_frozen_is_all_its_layers_frozen():
    inside = cn.Sequential([L.TimeDistributed(L.Dense(2), input_shape=(4, 3)), L.BatchNormalization()])
    source = cn.Input((4, 3))
    model = cn.Model(source, L.Dense(3)(inside(source)))
    held = [*model.layers, *inside.layers, inside.layers[0].layer]
    model.trainable = False
    assert not any(layer.trainable for layer in held) and not inside.trainable_weights
    assert not cn.model_from_json(model.to_json()).layers[1].layers[1].trainable
    inside.layers[1].trainable = True  # the models around it are frozen still
    assert not model.trainable_weights and not inside.trainable_weights
    model.trainable = True
    assert all(layer.trainable for layer in held) and len(model.trainable_weights) == 6
    frozen = cn.Sequential([L.Dense(2, input_shape=(3,))], trainable=False)
    assert frozen.layers[0].trainable and not frozen.trainable_weights


def test_another_layer_in_an_attribute_is_taken_up():
    net = Net()
    assert net(X).any() and net.predict(X).any()
    net.top = L.Dense(2, kernel_initializer="zeros")
    assert not net(X).any() and not net.predict(X).any()
    assert net.top in net.layers and len(net.get_weights()) == 10
