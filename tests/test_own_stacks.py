"""Classes of the user's that connect layers and have others in attributes, which their call computes too."""

import copy
import io
import pickle

import numpy as np
import pytest

import conv2d_native as cn
import own_models
from answers import HERE
from conv2d_native import layers as L
from layer_cases import inputs_of
from written import bytes_of

MADE = own_models.make_classes(cn)
Headed, Topped = MADE["Headed"], MADE["Topped"]
for cls in (Headed, Topped):  # as if they stood at the top of this module, for pickle
    cls.__module__, cls.__qualname__ = __name__, cls.__name__
X = inputs_of("net", [(2, 6, 5, 3)])[0]


class Grown(cn.Sequential):
    """A constructor of its own, no get_config, and a layer that is named as one of the stack."""

    def __init__(self, units=2, **kwargs):
        super().__init__(**kwargs)
        self.add(L.Dense(4))
        self.add(L.Dense(4, name="top"))
        self.first = self.layers[0]
        self.top = L.Dense(units)

    def call(self, x):
        return self.top(super().call(x))


class Plain(cn.Sequential):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


def networks():
    x = cn.Input((6, 5, 3))
    return {
        "headed": Headed([L.Dense(4), L.Dense(3)]),
        "with input": Headed([x, L.Dense(4), L.Dense(3)]),
        "topped": Topped(5),
        "grown": Grown(5),
        "inside": cn.Sequential([x, Headed([L.Dense(4), L.Dense(3)]), L.Dense(2)]),
        "in a graph": cn.Model(x, L.Dense(2)(Topped(3)(x))),
        "plain": Plain([L.Dense(4), L.Dense(3)], name="plain"),
    }


@pytest.mark.parametrize("name", networks())
def test_copies_have_all_weights(name):
    model = networks()[name]
    expected = model(X)
    model.set_weights([np.random.default_rng(w.size).random(w.shape) for w in model.get_weights()])
    assert np.abs(model(X) - expected).max() > 0.1
    expected = model.predict(X)
    custom = {"Headed": Headed, "Topped": Topped, "Grown": Grown, "Plain": Plain}
    weights, other = io.BytesIO(), networks()[name]
    model.save_weights(weights)
    other(X)
    other.load_weights(weights.getvalue())
    made = [other, cn.load_model(bytes_of(model.save), custom_objects=custom)]
    for again in (*made, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again(X), expected)
        assert type(again) is type(model) and len(again.weights) == len(model.weights)


def test_layers_in_attributes_count():
    model = Headed([cn.Input((6, 5, 3)), L.Dense(4), L.Dense(3)])
    assert [layer.units for layer in model.layers] == [4, 3]  # as in Keras
    assert cn.load_model(bytes_of(model.save), custom_objects=MADE)(X).shape == (
        2,
        6,
        5,
        2,
    )  # saved before a call
    assert model(X).any() and len(model.weights) == 10
    model.more[1].set_weights([np.zeros((3, 2)), np.ones(2)])
    assert (model(X) == 1).all() and (model.predict(X) == 1).all()
    model.trainable = False
    assert not model.early.trainable


def test_operations_stand_among_what_is_connected():
    class Doubling(cn.Model):
        def __init__(self):
            x = cn.Input((6, 5, 3))
            super().__init__(x, L.Dense(2)(x) * 2.0)
            self.top = L.Dense(3)

        def call(self, x):
            return self.top(super().call(x))

    model = Doubling()
    again = cn.load_model(bytes_of(model.save), custom_objects={"Doubling": Doubling})
    assert [layer.name for layer in model.sublayers] == [layer.name for layer in (*model.layers, model.top)]
    np.testing.assert_array_equal(again(X), model.top(2 * model.layers[1](X)))


def test_arguments_of_models_that_hand_them_on():
    class Net(cn.Model):
        def __init__(self, *widths):
            super().__init__()
            self.stack = [L.Dense(width) for width in widths]

        def call(self, x):
            return self.stack[0](x)

    class Times(cn.Sequential):
        def __init__(self, *args, **kwargs):
            self.times = kwargs.pop("by", 1.0)
            super().__init__(*args, **kwargs)

    again = Times.from_config(Times([L.Dense(2)], name="named", by=3.0).get_config())
    assert again.times == 3.0 and again.name == "named" and again.layers[0].units == 2
    with pytest.raises(NotImplementedError, match="`widths` has no name"):
        Net(3, 4).get_config()


def test_weights_that_a_file_lacks_are_an_error():
    """Keras's .h5 has the stack alone, and Keras opens it with new weights for the rest."""
    data = np.load(HERE / "own_models.npz")["headed.h5"].tobytes()
    with pytest.raises(cn.ModelFormatError, match=r"holds weights of . layers, .*; the model has"):
        cn.load_model(data, custom_objects=MADE)


def test_arguments_beside_the_stack():
    class Times(cn.Sequential):
        def __init__(self, layers=None, by=1.0, **kwargs):
            super().__init__(layers, **kwargs)
            self.times = by

        def call(self, x):
            return super().call(x) * self.times

    model = Times([L.Dense(2)], 3.0, name="named", trainable=False)
    expected = model(X)
    again = cn.load_model(bytes_of(model.save), custom_objects={"Times": Times})
    np.testing.assert_array_equal(again(X), expected)
    assert again.name == "named" and not again.trainable
    with pytest.raises(NotImplementedError, match="`by`"):
        Times([L.Dense(2)], np.ones(2)).get_config()


def test_what_a_call_adds_to_the_loss_of_training_is_dropped():
    class Penalised(L.Layer):
        def build(self, input_shape):
            self.gain = self.add_weight((input_shape[-1],), "ones", name="gain")

        def call(self, x):
            self.add_loss(0.01 * cn.ops.sum(cn.ops.square(self.gain)))
            self.add_loss(0.01 * cn.ops.mean(x) + cn.ops.max(x, axis=0))  # over the images of a batch
            return x * self.gain * 2.0

    class Net(cn.Model):
        def __init__(self):
            super().__init__()
            self.penalised = Penalised()

        def call(self, x):
            y = self.penalised(x)
            self.add_loss(cn.ops.sum(y, axis=-1))
            return y

    source = cn.Input((6, 5, 3))
    for made in (Penalised(), cn.Model(source, Penalised()(source)), Net()):
        np.testing.assert_array_equal(made(X), 2 * X)
        assert made.losses == []


@pytest.mark.parametrize(
    "use",
    [
        lambda x: cn.ops.mean(x),
        lambda x: x - cn.ops.mean(x),
        lambda x: L.ReLU()(cn.ops.max(x)),
        lambda x: x + cn.ops.moments(x, [0, 1, 2])[0],
        lambda x: sum(cn.ops.unstack(x)),
    ],
)
def test_what_mixes_images_is_refused_where_it_is_used(use):
    class Mixing(L.Layer):
        def call(self, x):
            return use(x)

    with pytest.raises(cn.UnsupportedLayerError, match="the batch axis is not computed here"):
        Mixing()(cn.Input((5, 3)))


def test_pictures_and_summaries_of_a_call_that_goes_on_after_the_graph():
    """Before a call of the class was met there is the graph alone, afterwards what its call does."""
    model, said = Topped(5), []
    model.summary(print_fn=said.append)
    assert "Total params" in said[0] and model.to_dot().count("[label=") == len(model.operations)
    model(X)
    model.summary(print_fn=said.append)
    text = model.to_dot()
    assert "Total params: 152" in said[1] and "InheritedCall" in text
    assert rf"{model.top.name}\nDense\n" in text and text.count(" -> ") == text.count("[label=") - 1


def test_the_loss_of_a_text_reader_is_dropped():
    """Its sizes, of texts too whose length is not known, are cast and multiplied for a loss alone."""

    class Loss(L.Layer):
        def call(self, y_true, y_pred):
            batch, steps = (cn.ops.cast(n, "int64") for n in cn.ops.shape(y_pred)[:2])
            lengths = steps * cn.ops.ones((batch, 1), dtype="int64")
            texts = cn.ops.cast(cn.ops.shape(y_true)[1], "int64") * cn.ops.ones((batch, 1), dtype="int64")
            self.add_loss(cn.ops.sum(cn.ops.squeeze(lengths + texts, axis=-1)))
            return y_pred

    text, steps = cn.Input((None,)), cn.Input((5, 3))
    model = cn.Model([text, steps], Loss()(text, steps))
    x = np.ones((2, 5, 3), np.float32)
    np.testing.assert_array_equal(model([np.ones((2, 7)), x]), x)
    with pytest.raises(TypeError):
        cn.ops.cast(None, "int64")  # outside of a call it is no size
