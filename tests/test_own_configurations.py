"""Configurations of the user's classes: what constructors were given comes back, or saving says that it cannot."""

import copy
import io

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from written import bytes_of

X = np.random.default_rng(14).random((2, 3), np.float32)


class Gain(L.Layer):
    """Nothing is kept under the name of the argument."""

    def __init__(self, by=1.0, **kwargs):
        super().__init__(**kwargs)
        self._by = by[0] if isinstance(by, (list, tuple)) else by

    def call(self, x):
        return x * self._by


class Words(L.Layer):
    def __init__(self, **kwargs):
        self._by = kwargs.pop("by", 1.0)
        super().__init__(**kwargs)

    def call(self, x):
        return x * self._by


class Doubled(Gain):
    """The attribute of the name is another value, the list that is given is emptied."""

    def __init__(self, by, **kwargs):
        super().__init__(by.pop() if isinstance(by, list) else by, **kwargs)
        self.by = self._by = self._by * 2


class Kept(L.Layer):
    def __init__(self, by, **kwargs):
        super().__init__(**kwargs)
        self.by = by

    def call(self, x):
        return x * np.asarray(self.by)


class Scaled(L.Dense):
    def __init__(self, units, by=1.0, **kwargs):
        super().__init__(units, **kwargs)
        self._by = by

    def call(self, x):
        return super().call(x) * self._by


class Listed(L.Layer):
    def __init__(self, *rates, **kwargs):
        super().__init__(**kwargs)
        self.rates = rates

    def call(self, x):
        return x * float(np.prod(self.rates))


class Passing(L.Dense):
    """All arguments are handed on but one."""

    def __init__(self, *args, **kwargs):
        self._by = kwargs.pop("by", 1.0)
        super().__init__(*args, **kwargs)

    def call(self, x):
        return super().call(x) * self._by


class Silent(L.Dropout):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


class Placed(Gain):
    def __init__(self, by, /, **kwargs):
        super().__init__(by, **kwargs)


def opened(layer):
    """A network of `layer` out of the file that it was saved to."""
    model = cn.Sequential([cn.Input((3,)), layer])
    return model, cn.load_model(bytes_of(model.save), custom_objects={type(layer).__name__: type(layer)})


@pytest.mark.parametrize(
    "make",
    [
        lambda: Gain(3.0),
        lambda: Gain((3.0, (4, "a"))),
        lambda: Gain(np.float32(3)),
        lambda: Gain([np.int64(3)]),
        lambda: Gain(3.0, trainable=False, input_shape=(3,)),
        lambda: Words(by=3.0),
        lambda: Doubled(3.0),
        lambda: Doubled(np.float32(3)),
        lambda: Doubled([1.0, 3.0]),
        lambda: Kept(np.float32([1, 2, 3])),
        lambda: Scaled(3, 3.0, activation="tanh"),
        lambda: Scaled(3, 3.0, activation=cn.activations.relu, kernel_initializer=cn.initializers.Ones()),
        lambda: Listed(),
        lambda: Passing(4, by=3.0, activation="tanh"),
        lambda: Passing(4, None, False, cn.initializers.Ones()),
        lambda: Silent(0.5, (1, 3), seed=4),
    ],
)
def test_arguments_come_back(make):
    layer = make()
    model, again = opened(layer)
    assert again.layers[0].name == layer.name and again.layers[0].trainable == layer.trainable
    np.testing.assert_array_equal(again(X), model(X))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Gain(np.ones(3)), r"Layer 'gain' \(Gain\) cannot be saved: its argument `by` is no number"),
        (lambda: Gain({1: 2.0}), "`by` is no number, text, None or list or dict of them"),
        (lambda: Doubled(np.ones(3)), "`by`.*Define get_config"),
        (lambda: Gain(lambda x: x), "`by`"),
        (lambda: Gain({3.0}), "`by`"),
        (lambda: Kept(L.Dense(3)), "`by`.*Received: by=<Dense"),
        (lambda: Kept({3.0}), "`by`"),
        (lambda: Listed(2.0, 3.0), r"`rates` has no name to be given by.*Received: rates=\(2.0, 3.0\)"),
        (lambda: Placed(3.0), "`by` has no name to be given by"),
    ],
)
def test_arguments_that_a_file_cannot_hold_are_an_error(make, text):
    """As in Keras; it was silent, or an AttributeError, where no attribute had the argument's name."""
    layer = make()
    layer.name = layer.name.rpartition("_")[0] or layer.name
    with pytest.raises(NotImplementedError, match=text):
        layer.get_config()


def test_weights_alone_need_no_arguments():
    x, held = cn.Input((3,)), io.BytesIO()
    made = [cn.Model(x, L.Dense(2)(Listed(2.0, 3.0)(x))) for _ in range(2)]
    with pytest.raises(NotImplementedError, match="`rates`"):
        made[0].save(io.BytesIO())
    made[0].save_weights(held)
    made[1].load_weights(held.getvalue())
    np.testing.assert_array_equal(made[1](X), made[0](X))


def test_what_a_configuration_holds_is_a_copy():
    layer = Gain([3.0])
    layer.get_config()["by"].append(4.0)
    assert layer.get_config()["by"] == [3.0]


def test_arguments_beside_inputs_and_outputs():
    class Times(cn.Model):
        def __init__(self, inputs, outputs, by=1.0, **kwargs):
            super().__init__(inputs, outputs, **kwargs)
            self.times = by

    x = cn.Input((3,))
    model = Times(x, L.Dense(2)(x), 3.0, name="named")
    again = Times.from_config(model.get_config())
    assert again.times == 3.0 and again.name == "named" and again.output_shape == (None, 2)
    with pytest.raises(NotImplementedError, match="`by`"):
        Times(x, L.Dense(2)(x), np.ones(3)).get_config()


def with_gain(base):
    """A subclass of a layer as programs for Keras have it: an argument more, the others handed on and asked for."""

    class Gained(base):
        def __init__(self, *args, gain=1.0, **kwargs):
            base.__init__(self, *args, **kwargs)
            self.gain = gain

        def call(self, x):
            return super().call(x) * self.gain

        def get_config(self):
            return {**super().get_config(), "gain": self.gain}

    return Gained


IMAGES = np.random.default_rng(15).random((2, 6, 6, 4), np.float32) - 0.5


@pytest.mark.parametrize(
    ("base", "given"),
    [
        (L.Conv2D, {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}),
        (L.Dense, {"units": 3, "activation": "tanh", "use_bias": False}),
        (L.BatchNormalization, {"epsilon": 0.5, "scale": False}),
        (L.ReLU, {"max_value": 0.2, "threshold": 0.1}),
        (L.UpSampling2D, {"size": 3, "interpolation": "bilinear"}),
        (L.Rescaling, {"scale": 3.0, "offset": 1.0}),
        (L.MaxPooling2D, {"pool_size": 3, "strides": 1, "padding": "same"}),
        (L.Dropout, {"rate": 0.25}),
        (L.Softmax, {"axis": 1}),
        (L.TimeDistributed, {"layer": L.Dense(2)}),
    ],
)
def test_own_classes_get_the_configuration_of_the_layer_that_they_derive_from(base, given):
    """super().get_config() has all arguments of the package's layer, in files, clones and copies."""
    layer = with_gain(base)(**given, gain=2.0, name="own")
    assert layer.get_config() == {**base(**given, name="own").get_config(), "gain": 2.0}
    model = cn.Sequential([cn.Input((6, 6, 4)), layer])
    again = cn.load_model(bytes_of(model.save), custom_objects={"Gained": type(layer)})
    cloned = cn.models.clone_model(model)
    cloned.set_weights(model.get_weights())
    for other in (again, cloned, copy.deepcopy(model)):
        np.testing.assert_array_equal(other(IMAGES), model(IMAGES))


def test_own_classes_may_take_words_out_of_a_configuration():
    """Words of the constructor that the layer of the package lacks are the user's to add, as in Keras."""

    class Square(L.Conv2D):
        def __init__(self, size, function=None, **kwargs):
            super().__init__(size, size, padding="same", **kwargs)
            self.size, self.function = size, function

        def get_config(self):
            config = super().get_config()
            assert not {"size", "function"} & config.keys()
            del config["filters"], config["kernel_size"]
            config.pop("padding")
            return {**config, "size": self.size}

    layer = Square(3, print, strides=2, name="own")
    again = Square.from_config(layer.get_config())
    assert (again.size, again.filters, again.strides, again.name) == (3, 3, (2, 2), "own")


def test_layers_and_models_of_ones_own_get_what_every_layer_has():
    class Words(L.Layer):
        def __init__(self, words, **kwargs):
            super().__init__(**kwargs)
            self.words = words

        def get_config(self):
            return super().get_config()

    class Net(cn.Model):
        def __init__(self, words, **kwargs):
            super().__init__(**kwargs)
            self.words = words

        def call(self, x):
            return x * 2.0

        def get_config(self):
            return super().get_config()

    for cls in (Words, Net):
        assert set(cls("a").get_config()) == {"name", "trainable", "dtype"}
