"""Recurrent layers given what they cannot take, and what becomes of the states that they keep."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import time

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.layers import recurrence
from recurrences import KINDS, SEEN, UNITS, X, close, made, randomized, walked
from threads import in_threads
from written import bytes_of


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: L.LSTM(0), ValueError, "`units` must be a positive integer. Received: units=0"),
        (
            lambda: L.GRU(3, stateful=True).build((None, 4, 2)),
            ValueError,
            r"size of a batch .*\(None, 4, 2\)",
        ),
        (
            lambda: randomized(L.Bidirectional(L.GRU(3)))(X[..., :4]),
            ValueError,
            "gru_cell.* expected axis -1",
        ),
        (lambda: L.LSTM(3, cell=3), TypeError, r"LSTM\(\) got an unexpected keyword argument 'cell'"),
        (
            lambda: randomized(L.Bidirectional(L.GRU(3, name="in")))(X[0]),
            ValueError,
            '"forward_in" .*ndim=3, found ndim=2',
        ),
        (
            lambda: L.Bidirectional(L.GRU(3), backward_layer=L.GRU(3, stateful=True, go_backwards=True)),
            ValueError,
            "the same stateful",
        ),
        (
            lambda: cn.Model(x := cn.Input((6, 5)), L.GRU(4)(x, initial_state=X[:, 0, :4]))(X),
            cn.UnsupportedLayerError,
            "mixes the images",
        ),
        (lambda: L.LSTM(3, use_cudnn="yes"), ValueError, "`use_cudnn` must be 'auto', True or False"),
        (lambda: L.LSTM(3, activation="none"), ValueError, "none"),
        (lambda: L.LSTM(3, dropout=-1), ValueError, "`dropout` must be a finite number >= 0"),
        (lambda: L.LSTM(3)(X[0]), ValueError, "ndim=3, found ndim=2"),
        (lambda: made("LSTM")(X[..., :4]), ValueError, "axis -1"),
        (
            lambda: made("LSTM")(X, initial_state=[X[:, 0, :4]]),
            ValueError,
            r"2 tensors of shapes \(3, 4\) and \(3, 4\)\. Received: shapes \[\(3, 4\)\]",
        ),
        (
            lambda: made("GRU")(X, initial_state=[X[:, 0]]),
            ValueError,
            r"`initial_state` .* must be a tensor of shape \(3, 4\)\. Received: shapes \[\(3, 5\)\]",
        ),
        (
            lambda: L.GRU(4)(cn.Input((6, 5)), initial_state=cn.Input((5,))),
            ValueError,
            r"`initial_state` .* must be a tensor of shape \(batch, 4\)\. Received: shapes \[\(None, 5\)\]",
        ),
        (
            lambda: L.Bidirectional(L.GRU(4, name="in"))(X, initial_state=[X[:1, 0, :4]] * 2),
            ValueError,
            r"`initial_state` of layer 'forward_in' must be a tensor of shape \(3, 4\)\. Received: shapes \[\(1, 4\)\]",
        ),
        (
            lambda: made("GRU")(X, initial_state=1j * X[:, 0, :4]),
            TypeError,
            "`initial_state` must be an array of real",
        ),
        (lambda: made("GRU")(X, SEEN * 1j), TypeError, "`initial_state` must be an array of real"),
        (lambda: made("GRU")(X, mask=SEEN * 1j), TypeError, "`mask` must be an array of real"),
        (
            lambda: made("GRU")(X, mask=SEEN.tolist()),
            TypeError,
            "`mask` must be an array or a symbolic tensor",
        ),
        (lambda: L.GRU(3, recurrent_activation=3), TypeError, "`recurrent_activation` must be a name"),
        (lambda: L.GRU(3, recurrent_activation="tahn"), ValueError, "`recurrent_activation` must be one of"),
        (lambda: L.GRU(3, recurrent_activation={}), ValueError, "`recurrent_activation` must be a known"),
        (lambda: L.GRU(3, use_cudnn=X), ValueError, "`use_cudnn` must be 'auto', True or False"),
        (
            lambda: L.GRU(3, stateful=True)(X[:0]),
            ValueError,
            r"size of a batch .*\(0, 6, 5\)",
        ),
        (
            lambda: randomized(L.RNN([L.GRUCell(3, name="first")]))(X[..., :4]),
            ValueError,
            '"first" is incompatible with the layer: expected axis -1',
        ),
        (lambda: made("GRU")(X, mask=SEEN[:, :3]), ValueError, "`mask` must be broadcast to"),
        (lambda: made("GRU")(X, mask=X), ValueError, r"`mask` must be of shape \(batch, steps\)"),
        (lambda: L.RNN(L.Dense(3)), TypeError, "`cell` must be a layer with a `state_size`"),
        (lambda: L.RNN([]), TypeError, "`cells` must be a list of cells"),
        (lambda: L.StackedRNNCells([3]), TypeError, "`cells` must be a layer with a `state_size`"),
        (lambda: L.Bidirectional(L.Dense(3)), TypeError, "`layer` must be a recurrent layer"),
        (
            lambda: L.Bidirectional(L.GRU(3), name="b")(X, initial_state=X[:, 0, :3]),
            ValueError,
            "`initial_state` of layer 'b' must be a list of the states of both directions.* Received: one tensor",
        ),
        (
            lambda: L.Bidirectional(L.LSTM(3), name="b")(X, initial_state=[X[:, 0, :3]] * 3),
            ValueError,
            "`initial_state` of layer 'b' must be a list of the states of both directions.* Received: 3",
        ),
        (lambda: L.Bidirectional(L.GRU(3), merge_mode="max"), ValueError, "`merge_mode` must be one of"),
        (lambda: L.Bidirectional(L.GRU(3), weights=[X]), ValueError, "`weights` must be None"),
        (lambda: L.Bidirectional(L.GRU(3), backward_layer=L.GRU(3)), ValueError, "different directions"),
        (
            lambda: L.Bidirectional(L.GRU(3), backward_layer=L.GRU(3, go_backwards=True, return_state=True)),
            ValueError,
            "the same return_state",
        ),
    ],
)
def test_mistakes_are_named(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_an_array_that_stands_for_no_activation_is_named_by_its_argument():
    with pytest.raises(TypeError, match="`recurrent_activation` must be a name, None, a function"):
        L.LSTMCell(3, recurrent_activation=np.ones(3))


def test_a_bias_without_an_initializer_has_the_default_one():
    layer = L.LSTM(3, bias_initializer=None)
    layer.build(X.shape)
    bias = layer.get_weights()[2].reshape(4, 3)
    assert (bias[1] == 1).all() and bias[[0, 2, 3]].all() and np.abs(bias[[0, 2, 3]]).max() < 2


@pytest.mark.parametrize(
    "zeroes", [{}, {"zero_output_for_mask": True}, {"zero_output_for_mask": True, "unroll": True}]
)
def test_a_mask_may_be_the_same_for_all_steps(zeroes):
    """Of shape (batch, 1): such sequences are seen or not."""
    layer, one = made("LSTM", return_sequences=True, **zeroes), SEEN[:, :1]
    np.testing.assert_array_equal(layer(X, mask=one), layer(X, mask=np.repeat(one, X.shape[1], axis=1)))
    assert not layer(X, mask=one)[0].any() and layer(X, mask=one)[1].all()


def keeping(kind):
    cls, words, _ = KINDS[kind]
    return randomized(cls(UNITS, **words, stateful=True), X.shape)


@pytest.mark.parametrize("kind", KINDS)
def test_states_may_be_assigned(kind):
    """Of any real dtype. What is none is named, and the next call is right."""
    layer = keeping(kind)
    states = [np.full((3, UNITS), value) for value in (0.5, 0.25)[: len(layer.get_initial_state(1))]]
    layer(X)
    layer.states = states
    expected = walked(kind, layer, states=states)[0][:, -1]
    wrong = (
        ([None] * 2, TypeError),
        ([], ValueError),
        ([np.ones((3, 5))], ValueError),
        (["a"] * 2, TypeError),
    )
    for given, error in wrong:
        layer.states = given
        with pytest.raises(error, match="`states`"):
            layer(X)
    layer.states = states
    close(layer(X), expected)


def test_threads_take_turns_with_the_states():
    """Each call begins where another ended: here they count the steps of all."""
    layer = L.SimpleRNN(1, activation="linear", stateful=True)
    x = np.ones((1, 2000, 1), np.float32)
    layer.build(x.shape)
    layer.set_weights([np.ones((1, 1)), np.ones((1, 1)), np.zeros(1)])
    got: list[float] = []
    in_threads(4, lambda _: got.extend(layer(x).item() for _ in range(5)))
    assert sorted(got) == [2000.0 * (i + 1) for i in range(20)]


def test_a_large_batch_keeps_its_states_whole():
    """Also in a network that is computed in parts of the batch for the time that it takes."""
    layer = L.LSTM(5, stateful=True)
    images = cn.Input(batch_shape=(48, 96, 96, 32))
    parts = L.Reshape((4, 24))(L.GlobalAveragePooling2D()(L.Conv2D(96, 3)(images)))
    model = cn.Model(images, [parts, layer(parts)])
    x = np.random.default_rng(3).random((48, 96, 96, 32), np.float32)
    threads = cn.get_num_threads()
    try:
        cn.set_num_threads(1)
        sequences, y = model(x)
    finally:
        cn.set_num_threads(threads)
    layer.reset_state()
    np.testing.assert_array_equal(layer(sequences), y)


class Walking(L.Layer):
    """A recurrent layer as users write it, that knows no masks."""

    return_sequences = return_state = stateful = False

    def __init__(self, go_backwards=False, **kwargs):
        super().__init__(**kwargs)
        self.go_backwards = go_backwards

    def call(self, x):
        return x[:, 0] if self.go_backwards else x[:, -1]


def test_a_mask_is_for_the_directions_that_take_one():
    layer = L.Bidirectional(Walking(), backward_layer=L.GRU(3, go_backwards=True))
    expected = layer.backward_layer(X, mask=SEEN)
    np.testing.assert_array_equal(layer(X, mask=SEEN), np.concatenate([X[:, -1], expected], axis=-1))


def test_both_directions_are_reset():
    layer = L.Bidirectional(L.GRU(3, stateful=True))
    first = layer(X)
    assert np.abs(layer(X) - first).max() > 1e-3
    layer.reset_states()
    np.testing.assert_array_equal(layer(X), first)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_steps_that_are_broken_off_leave_the_states(error, monkeypatch):
    """The next call is right."""
    layer = keeping("LSTM")
    layer(X)
    before = [state.copy() for state in layer.states]
    whole = recurrence.Steps._parts_of_steps

    def broken_off(self, x, backwards):
        yield from itertools.islice(whole(self, x, backwards), 3)
        raise error

    monkeypatch.setattr(recurrence.Steps, "_parts_of_steps", broken_off)
    with pytest.raises(error):
        layer(X)
    monkeypatch.undo()
    np.testing.assert_array_equal(layer.states, before)
    close(layer(X), walked("LSTM", layer, states=before)[0][:, -1])


def test_dropout_is_a_share():
    layer = L.LSTM(3, dropout=2, recurrent_dropout=1.5)
    assert layer.dropout == layer.recurrent_dropout == 1.0


def test_a_failed_call_leaves_states_as_they_were():
    layer = keeping("LSTM")
    layer(X)
    before = [state.copy() for state in layer.states]
    for words in ({"mask": SEEN[:, :3]}, {"initial_state": [X]}, {"mask": SEEN * 1j}):
        with pytest.raises((TypeError, ValueError)):
            layer(X, **words)
    with pytest.raises(ValueError, match="must be called on 3 sequences"):
        layer(X[:2])
    assert layer(X[:0]).shape == (0, UNITS)
    np.testing.assert_array_equal(layer.states, before)
    close(layer(X), walked("LSTM", layer, states=before)[0][:, -1])


def inside_one_another(layer, depth, word="activation"):
    """The entry of `layer` with that of another as its activation, and so on."""
    entry = L.serialize(layer)
    holder = entry["config"]["layer"]["config"] if "layer" in entry["config"] else entry["config"]
    if depth:
        holder[word] = inside_one_another(layer, depth - 1, word)
    return entry


def test_layers_inside_one_another_take_no_time_that_doubles():
    """A recurrent layer serializes its activations once; of Bidirectional layers a few at most are inside others."""
    start = time.perf_counter()
    entry = inside_one_another(L.LSTM(2), 40)
    again = L.serialize(L.deserialize(entry))
    for _ in range(40):
        again = again["config"]["activation"]
    assert again["config"]["activation"] == "tanh" and again["config"]["units"] == 2
    both = L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="sum", name="both")
    assert L.deserialize(inside_one_another(both, 2)).forward_layer.activation.name == "both"
    with pytest.raises(cn.ModelFormatError, match="`layer` of 'both' must not hold 3 Bidirectional layers"):
        L.deserialize(inside_one_another(both, 30))
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("shape", "layer"),
    [((3, None, 5), L.LSTM(4, stateful=True)), ((3, None, 8, 8, 2), L.ConvLSTM2D(4, 3, stateful=True))],
)
def test_a_file_takes_no_memory_for_the_states_of_a_batch(shape, layer):
    """However large it says that the batch is; a call says of how many sequences it has to be."""
    model = cn.Sequential([cn.Input(batch_shape=shape), layer])
    entry = json.loads(model.to_json())
    entry["config"]["layers"][0]["config"]["batch_shape"][0] = 2**31 - 1
    huge = cn.model_from_json(json.dumps(entry))
    with pytest.raises(
        ValueError, match=r"must be called on 2147483647 sequences, as it was built\. Received: 1"
    ):
        huge(np.ones((1, 2, *shape[2:])))


def test_copies_of_models_and_files_begin_with_zeros():
    """As in Keras; the model itself goes on."""
    stack = [cn.Input(batch_shape=(3, None, 5)), L.LSTM(UNITS, stateful=True, return_sequences=True)]
    model = cn.Sequential([*stack, L.Bidirectional(L.GRU(2, stateful=True))])
    first = model.predict(X)
    states = [state.copy() for state in model.layers[0].states]
    copies = [
        cn.load_model(bytes_of(model.save)),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        cn.models.clone_model(model),
    ]
    copies[-1].set_weights(model.get_weights())
    for each in copies:
        np.testing.assert_array_equal(each.predict(X), first)
    np.testing.assert_array_equal(model.layers[0].states, states)
    assert np.abs(model.predict(X) - first).max() > 1e-3
