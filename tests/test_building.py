"""A build that fails leaves no trace: the layers can be built again, for other shapes. The batch is never settled."""

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L

X = np.zeros((1, 32, 32, 3), np.float32)


@pytest.mark.parametrize("method", ["predict", "__call__", "build"])
def test_a_stack_whose_first_call_failed(method):
    model = cn.Sequential([L.Conv2D(4, 3), L.Conv2D(4, 9)])
    small = (None, 4, 4, 1)
    with pytest.raises(ValueError, match="zero or negative"):
        getattr(model, method)(small if method == "build" else np.zeros((1, *small[1:]), np.float32))
    assert not model.built and model.weights == [] and not any(layer.built for layer in model.layers)
    assert model.predict(X, verbose=0).shape == (1, 22, 22, 4)
    assert model.input_shape == (None, 32, 32, 3)


@pytest.mark.parametrize(
    ("below", "first"),
    [
        ([], {"input_shape": (8, 8, 3)}),
        ([cn.Input((8, 8, 3))], {}),
        ([L.Conv2D(4, 3, input_shape=(8, 8, 3))], {}),
    ],
    ids=["empty", "input", "built"],
)
def test_a_layer_that_cannot_be_added(below, first):
    model, bad = cn.Sequential(below), L.Conv2D(4, 9, **first)
    count = len(model.layers)
    with pytest.raises(ValueError, match="zero or negative"):
        model.add(bad)
    assert len(model.layers) == count and not bad.built and bad.weights == []
    model.add(L.Flatten())
    assert model.predict(np.zeros((1, 8, 8, 3)), verbose=0).shape == (1, 144 if count else 192)
    assert bad(X).shape == (1, 24, 24, 4)


class Two(L.Layer):
    def __init__(self):
        super().__init__()
        self.parts = [L.Conv2D(2, 3), L.Conv2D(2, 9)]

    def build(self, input_shape):
        self.gain = self.add_weight((input_shape[-1],), "ones")
        for part in self.parts:
            part.build(input_shape)
            input_shape = part.compute_output_shape(input_shape)

    def call(self, f, x):
        return self.parts[1].call(f, self.parts[0].call(f, f.multiply(x, self.gain)))


@pytest.mark.parametrize(
    "make", [Two, lambda: L.Pipeline([L.Conv2D(2, 3), L.Conv2D(2, 9)])], ids=["own", "pipeline"]
)
def test_layers_inside_a_layer_that_failed(make):
    layer = make()
    with pytest.raises(ValueError, match="zero or negative"):
        layer(np.zeros((1, 4, 4, 1), np.float32))
    assert not layer.built and layer.weights == []
    assert layer(X).shape == (1, 22, 22, 2)


def test_layers_that_were_built_before_stay_so():
    first = L.Conv2D(4, 3)
    want = first(np.ones((1, 4, 4, 1), np.float32))
    with pytest.raises(ValueError, match="zero or negative"):
        cn.Sequential([cn.Input((4, 4, 1)), first, L.Conv2D(4, 9)])
    np.testing.assert_array_equal(first(np.ones((1, 4, 4, 1), np.float32)), want)


def test_a_model_that_cannot_be_extended_stays_as_it_was():
    model = cn.Sequential([L.Dense(2, name="a", input_shape=(3,))])
    inner = cn.Sequential([L.Dense(2, name="b")])
    with pytest.raises(ValueError, match="different names"):
        model.add(L.Dense(3, name="a"))
    model.add(inner)
    assert model.predict(np.zeros((1, 3)), verbose=0).shape == (1, 2)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_the_batch_of_an_input_is_no_limit(batch):
    source = cn.Input((12, 12, 3), batch_size=2)
    model = cn.Model(source, L.GlobalAveragePooling2D()(L.Conv2D(2, 3)(source)))
    assert model.input_shape == (2, 12, 12, 3) and model.output_shape == (2, 2)
    x = np.random.default_rng(7).standard_normal((batch, 12, 12, 3)).astype(np.float32)
    alone = np.concatenate([model(image[None]) for image in x])
    for got in (model(x), model.predict(x), model.predict(x, batch_size=2), model.predict_on_batch(x)):
        np.testing.assert_array_equal(got, alone)
    with pytest.raises(ValueError, match=r"shape \(None, 12, 12, 3\)\. Received: x of shape \(2, 9, 12, 3\)"):
        model.predict(np.zeros((2, 9, 12, 3)))


def test_one_input_by_name_may_be_given_alone():
    source = cn.Input((4,), name="image")
    model = cn.Model({"image": source}, source * 2)
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    for got in (model(x), model(x), model.predict(x), model({"image": x}), model.predict([x])):
        np.testing.assert_array_equal(got, 2 * x)
