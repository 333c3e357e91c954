"""Layers of the user's whose call(self, x) assigns to weights, as keras.io's PixelCNN masks its kernels.

What Keras answers, and which weights it is left with, was seen with TensorFlow.
"""

import copy
import pickle
import threading

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native import ops
from written import bytes_of

RNG = np.random.default_rng(27)
X = RNG.random((2, 5, 6, 1), np.float32)
MASK = np.zeros((3, 3, 1, 1))
MASK[0], MASK[1, :2] = 1.0, 1.0


class Masked(L.Layer):
    def __init__(self, filters=4, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv = L.Conv2D(filters, 3, padding="same")

    def build(self, input_shape):
        self.conv.build(input_shape)

    def call(self, inputs):
        self.conv.kernel.assign(self.conv.kernel * MASK)
        return self.conv(inputs)


class MaskedChild(L.Conv2D):
    def call(self, inputs):
        self.kernel.assign(self.kernel * MASK)
        return super().call(inputs)


class MaskedAround(L.Wrapper):
    def call(self, inputs):
        self.layer.kernel.assign(self.layer.kernel * MASK)
        return self.layer(inputs)


class MaskedAsAWhole(Masked):
    def call(self, inputs):
        kernel, bias = self.conv.get_weights()
        self.conv.set_weights([kernel * MASK, bias])
        return self.conv(inputs)


def masked_answer(kernel, bias, x):
    """The same convolution by a layer that nothing is assigned in."""
    plain = L.Conv2D(kernel.shape[-1], 3, padding="same")
    plain.build(x.shape)
    plain.set_weights([kernel * MASK, bias])
    return plain(x)


def network(layer=None):
    inputs = cn.Input((None, None, 1))
    return cn.Model(inputs, (layer or Masked())(inputs))


def new_weights(layer):
    return [RNG.standard_normal(v.shape).astype(np.float32) for v in layer.weights]


@pytest.mark.parametrize(
    "make",
    [
        Masked,
        MaskedAsAWhole,
        lambda: MaskedChild(4, 3, padding="same"),
        lambda: MaskedAround(L.Conv2D(4, 3, padding="same")),
    ],
)
@pytest.mark.parametrize("alone", [True, False], ids=["layer", "model"])
def test_every_call_computes_with_what_it_assigned(make, alone):
    """The weights keep it, and new ones are masked by the next call."""
    layer = make()
    model = layer if alone else network(layer)
    layer.build((None, None, None, 1))
    kernel, bias = layer.get_weights()
    assert np.any(kernel * (1 - MASK))  # symbolic calls have assigned nothing
    for x in (X, X, X[:, :3], np.repeat(X, 20, 0)):
        np.testing.assert_array_equal(model(x), masked_answer(kernel, bias, x))
        np.testing.assert_array_equal(layer.get_weights()[0], kernel * MASK.astype(np.float32))
    for _ in range(3):
        kernel, bias = new_weights(layer)
        layer.set_weights([kernel, bias])
        np.testing.assert_array_equal(layer.get_weights()[0], kernel)
        for x in (X, X):
            np.testing.assert_array_equal(model(x), masked_answer(kernel, bias, x))


def test_predict_in_batches():
    model = network()
    kernel, bias = model.get_weights()
    x = RNG.random((70, 5, 6, 1), np.float32)
    np.testing.assert_array_equal(model.predict(x, verbose=0), masked_answer(kernel, bias, x))
    kernel = new_weights(model)[0]
    model.set_weights([kernel, bias])
    made = model.predict(x[:32], batch_size=7, verbose=0)
    np.testing.assert_array_equal(made, masked_answer(kernel, bias, x[:32]))


def test_it_is_compiled_no_more_once_the_weights_stay():
    traced = []

    class Seen(Masked):
        def call(self, inputs):
            traced.append(inputs.shape)
            return super().call(inputs)

    model = network(Seen())
    model(X), model(X)
    count = len(traced)
    for _ in range(3):
        model(X), model.predict(X, verbose=0)
    assert len(traced) == count


@pytest.mark.parametrize("computed", [False, True])
def test_files_and_copies(tmp_path, computed):
    model = cn.Sequential([cn.Input((5, 6, 1)), Masked(4), MaskedChild(1, 3, padding="same", name="last")])
    kernel, bias, last, last_bias = model.get_weights()
    assert last.shape == (3, 3, 4, 1)
    expected = masked_answer(last, last_bias, masked_answer(kernel, bias, X))
    if computed:
        model(X)
    held = bytes_of(model.save)
    model.save_weights(tmp_path / "m.weights.h5")
    opened = cn.load_model(held, custom_objects={"Masked": Masked, "MaskedChild": MaskedChild})
    stored = kernel * MASK.astype(np.float32) if computed else kernel
    np.testing.assert_array_equal(opened.get_weights()[0], stored)
    again = cn.Sequential([cn.Input((5, 6, 1)), Masked(4), MaskedChild(1, 3, padding="same")])
    again(X)  # with weights of its own
    again.load_weights(tmp_path / "m.weights.h5")
    for made in (opened, again, pickle.loads(pickle.dumps(model)), copy.deepcopy(model), model):
        np.testing.assert_array_equal(made(X), expected)
        np.testing.assert_array_equal(made(X), expected)


def test_models_that_share_the_weights():
    """Another model sees them masked after the call, and not before."""
    layer = Masked()
    model, plain = network(layer), network(layer.conv)
    kernel, bias = layer.get_weights()
    before = plain(X)
    expected = model(X)
    assert not np.array_equal(before, expected)
    np.testing.assert_array_equal(plain(X), expected)
    np.testing.assert_array_equal(expected, masked_answer(kernel, bias, X))


def test_models_and_layers_around_it():
    class Twice(L.Layer):
        def __init__(self, inner, **kwargs):
            super().__init__(**kwargs)
            self.inner = inner

        def call(self, inputs):
            y = self.inner(self.inner(inputs))
            return y * ops.sum(self.inner.weights[0])

    class Whole(cn.Model):
        def __init__(self):
            super().__init__()
            self.first, self.inside = Masked(1), network(Masked(1))

        def call(self, inputs):
            return self.inside(self.first(inputs)) + inputs

    layer = Twice(Masked(1))
    layer.inner.build((None, None, None, 1))
    kernel, bias = layer.get_weights()
    once = masked_answer(kernel, bias, X)
    expected = masked_answer(kernel, bias, once) * (kernel * MASK).sum()
    for _ in range(2):
        np.testing.assert_allclose(layer(X), expected, rtol=1e-5)

    model = Whole()
    model.build((None, 5, 6, 1))
    kernel, bias, other, other_bias = model.get_weights()
    expected = masked_answer(other, other_bias, masked_answer(kernel, bias, X)) + X
    for _ in range(2):
        np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("alone", [True, False], ids=["layer", "model"])
def test_threads_that_predict_while_one_sets_weights(alone):
    """Answers are of one kernel, masked; the kernel that was set last is the one that is left, masked."""
    layer = Masked()
    model = layer if alone else network(layer)
    layer.build((None, None, None, 1))
    sets = [new_weights(layer) for _ in range(2)]
    allowed = [masked_answer(*weights, X) for weights in sets]
    layer.set_weights(sets[0])
    stop, wrong = threading.Event(), []

    def work():
        while not stop.is_set():
            try:
                got = model(X)
                if not any(np.array_equal(got, answer) for answer in allowed):
                    wrong.append(got)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(40):
        layer.set_weights(sets[i % 2])
        if not np.array_equal(model(X), allowed[i % 2]):
            wrong.append(i)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    np.testing.assert_array_equal(layer.get_weights()[0], sets[1][0] * MASK.astype(np.float32))


class Counting(L.Layer):
    def build(self, input_shape):
        self.seen = self.add_weight((), "zeros", trainable=False, name="seen")

    def call(self, inputs):
        self.seen.assign(self.seen + 1)
        return inputs * self.seen


class MaskedAfterwards(Masked):
    def call(self, inputs):
        made = self.conv(inputs)
        self.conv.kernel.assign(self.conv.kernel * MASK)
        return made


class ComputedBefore(Masked):
    def call(self, inputs):
        made = inputs * ops.sum(self.conv.kernel)
        self.conv.kernel.assign(self.conv.kernel * MASK)
        return made


class OnArrays(Masked):
    def call(self, inputs):
        self.conv.kernel.assign(self.conv.kernel * MASK)
        return inputs * self.conv(np.ones((1, 2, 2, 1), np.float32)).sum()


class OfTheInput(Counting):
    def call(self, inputs):
        self.seen.assign(ops.sum(inputs, axis=(1, 2, 3)))
        return inputs


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        (Counting, r"gives weight `counting\w*/seen` other values each time"),
        (
            MaskedAfterwards,
            r"gives weight `masked_afterwards\w*/conv2d\w*/kernel` other values after it was computed with",
        ),
        (
            ComputedBefore,
            r"gives weight `computed_before\w*/conv2d\w*/kernel` other values after it was computed with",
        ),
        (OnArrays, "gives a weight other values and then computes with it on arrays"),
    ],
)
def test_what_is_not_computed_is_an_error(cls, text):
    """In Keras the first batch is computed with other weights than the next ones. Nothing is changed."""
    for alone in (True, False):
        layer = cls()
        layer.build((None, None, None, 1))
        before = layer.get_weights()
        for _ in range(2):
            with pytest.raises(cn.UnsupportedLayerError, match=text):
                (layer if alone else network(layer))(X)
        for old, new in zip(before, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)


class CountingAside(Counting):
    def call(self, inputs):
        self.seen.assign_add(1)
        return inputs * 2


def test_a_counter_that_nothing_is_computed_of_is_no_error():
    layer = CountingAside()
    model = network(layer)
    for _ in range(2):
        np.testing.assert_array_equal(model(X), X * 2)
    assert layer.get_weights()[0] >= 1


def test_what_would_assign_nothing_else_is_none():
    """Weights that are masked already may be assigned at any place."""
    layer = MaskedAfterwards()
    model = network(layer)
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * MASK, bias])
    for _ in range(2):
        np.testing.assert_array_equal(model(X), masked_answer(kernel, bias, X))


def test_weights_of_the_input_are_refused():
    with pytest.raises(
        cn.UnsupportedLayerError, match="/seen` cannot be assigned what a call makes of its arg"
    ):
        OfTheInput()(X)
