"""Recurrent layers against their formulas in float64: states, directions, masks, cells, files."""

import copy
import json
import pickle

import numpy as np
import pytest

import conv2d_native as cn
from conv2d_native import layers as L
from conv2d_native.layers import function_layer, recurrence
from recurrences import KINDS, RNG, SEEN, UNITS, X, close, made, randomized, walked
from threads import in_threads
from written import bytes_of


@pytest.mark.parametrize("seen", [None, SEEN], ids=["all steps", "masked"])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_states(kind, backwards, seen):
    """The last output, those of all steps, the states; from zeros and from states that are given."""
    words = {} if seen is None else {"mask": seen}
    given = [RNG.standard_normal((3, UNITS)).astype(np.float32) for _ in range(1 + (kind == "LSTM"))]
    layer = made(kind, return_sequences=True, return_state=True, go_backwards=backwards)
    last = KINDS[kind][0](UNITS, **KINDS[kind][1], go_backwards=backwards)
    last.build(X.shape)
    last.set_weights(layer.get_weights())
    for states, more in ((None, {}), (given, {"initial_state": given})):
        outputs, ends = walked(kind, layer, states=states, seen=seen, backwards=backwards)
        y, *got = layer(X, **words, **more)
        close(y, outputs)
        assert len(got) == len(ends)
        for a, b in zip(got, ends, strict=True):
            close(a, b)
        close(last(X, **words, **more), outputs[:, -1])


def test_masked_steps_may_give_zeros():
    layer = made("GRU", return_sequences=True, zero_output_for_mask=True)
    close(layer(X, mask=SEEN), walked("GRU", layer, seen=SEEN, zeroes=True)[0])
    assert (layer(X, mask=SEEN)[~SEEN] == 0).all() and layer.get_config()["zero_output_for_mask"]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("all_steps", [False, True])
def test_unrolled_steps_give_zeros_in_places_counted_from_the_first(all_steps, backwards):
    """As in Keras: of all steps where the mask is not seen in its own order, of the last one where its step is not."""
    words = {"return_sequences": all_steps, "go_backwards": backwards, "zero_output_for_mask": True}
    layer = made("GRU", **words, unroll=True)
    outputs = walked("GRU", layer, seen=SEEN, backwards=backwards)[0]
    last = SEEN[:, 0 if backwards else -1, None]
    close(layer(X, mask=SEEN), outputs * SEEN[..., None] if all_steps else outputs[:, -1] * last)


@pytest.mark.parametrize("value", [-1.0, 0.5, np.nan])
def test_any_number_but_0_is_seen(value):
    mask = np.where(SEEN, np.float32(value), 0)
    for unroll in (False, True):
        layer = made("GRU", return_sequences=True, zero_output_for_mask=True, unroll=unroll)
        np.testing.assert_array_equal(layer(X, mask=mask), layer(X, mask=SEEN))


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("images", [1, 3])
def test_the_pieces_that_are_moved_change_nothing(images, backwards, monkeypatch):
    words = {"return_state": True, "go_backwards": backwards}
    for keeps_all in (False, True):
        layer = made("LSTM", return_sequences=keeps_all, **words)
        whole = layer(X[:images])
        for size in (1, 50, 100):
            monkeypatch.setattr(recurrence, "PIECE", size)
            monkeypatch.setattr(function_layer, "PIECE", size)
            for got, expected in zip(layer(X[:images]), whole, strict=True):
                np.testing.assert_array_equal(got, expected)
        monkeypatch.undo()


def test_a_step_reads_the_state_that_the_one_before_left():
    """However many units: no result is written where the step still reads."""
    layer, last = L.SimpleRNN(700, return_sequences=True), L.SimpleRNN(700)
    x = RNG.standard_normal((8, 5, 20)).astype(np.float32)
    for each in (layer, last):
        each.build(x.shape)
    last.set_weights(layer.get_weights())
    np.testing.assert_array_equal(last(x), layer(x)[:, -1])


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_steps_may_be_no_numbers(kind):
    layer = made(kind)
    hidden = np.where(SEEN[..., None], X, np.nan).astype(np.float32)
    np.testing.assert_array_equal(layer(hidden, mask=SEEN), layer(X, mask=SEEN))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_batches_change_no_bit(kind, masked):
    layer = made(kind, return_sequences=True)
    x, seen = np.tile(X, (30, 1, 1)), np.tile(SEEN, (30, 1))
    whole = layer(x, mask=seen) if masked else layer(x)
    for n in (1, 2, 7, 64):
        part = layer(x[:n], mask=seen[:n]) if masked else layer(x[:n])
        np.testing.assert_array_equal(part, whole[:n])
    before = cn.get_num_threads()
    try:
        cn.set_num_threads(1)
        np.testing.assert_array_equal(layer(x, mask=seen) if masked else layer(x), whole)
    finally:
        cn.set_num_threads(before)


def test_threads_share_a_layer():
    layer = randomized(L.Bidirectional(L.LSTM(7, return_sequences=True)))
    xs = [RNG.standard_normal((n + 1, 6, 5)).astype(np.float32) for n in range(4)]
    expected = [layer(x) for x in xs]

    def work(n):
        for _ in range(30):
            np.testing.assert_array_equal(layer(xs[n % 4]), expected[n % 4])

    in_threads(6, work)


def test_sequences_of_any_length():
    """A model whose number of steps is not known takes each, as many as it has compiled and more."""
    source = cn.Input((None, 5))
    layer = L.LSTM(UNITS, return_sequences=True)
    model = cn.Model(source, layer(source))
    assert model.output_shape == (None, None, UNITS)
    randomized(layer)
    for steps in range(1, 13):
        x = RNG.standard_normal((2, steps, 5)).astype(np.float32)
        close(model.predict(x), walked("LSTM", layer, x)[0])


def test_new_weights_are_taken_up():
    layer = made("LSTM")
    first = layer(X)
    layer.cell.kernel.assign(layer.cell.kernel.value * 2)
    close(layer(X), walked("LSTM", layer)[0][:, -1])
    assert np.abs(layer(X) - first).max() > 1e-3


def test_weights_begin_as_in_keras():
    layer = L.LSTM(3)
    layer.build(X.shape)
    _, recurrent, bias = layer.get_weights()
    assert [w.name for w in layer.weights] == ["kernel", "recurrent_kernel", "bias"]
    assert layer.weights[0].path.endswith("lstm_cell/kernel")
    assert bias.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    close(recurrent @ recurrent.T, np.eye(3))
    plain = L.LSTM(3, unit_forget_bias=False, use_bias=True)
    plain.build(X.shape)
    assert not plain.get_weights()[2].any() and plain.count_params() == 12 * (5 + 3 + 1)
    assert [w.shape for w in made("GRU").weights] == [(5, 12), (4, 12), (2, 12)]
    assert [w.shape for w in made("GRU, reset before").weights] == [(5, 12), (4, 12), (12,)]
    assert len(randomized(L.SimpleRNN(2, use_bias=False)).weights) == 2


@pytest.mark.parametrize("mode", ["concat", "sum", "ave", "mul", None])
@pytest.mark.parametrize("all_steps", [False, True])
def test_both_directions(mode, all_steps):
    layer = randomized(
        L.Bidirectional(L.LSTM(UNITS, return_sequences=all_steps, return_state=True), merge_mode=mode)
    )
    forward, forward_states = walked("LSTM", layer.forward_layer)
    back, back_states = walked("LSTM", layer.backward_layer, backwards=True)
    forward, back = (forward, back[:, ::-1]) if all_steps else (forward[:, -1], back[:, -1])
    merge = {
        "concat": lambda: [np.concatenate([forward, back], -1)], "sum": lambda: [forward + back],
        "ave": lambda: [(forward + back) / 2], "mul": lambda: [forward * back], None: lambda: [forward, back],
    }  # fmt: skip
    expected = [*merge[mode](), *forward_states, *back_states]
    got = layer(X)
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        close(a, b)


def test_the_names_and_the_weights_of_both_directions_are_new():
    inner = made("LSTM", name="inner")
    layer = L.Bidirectional(inner)
    layer.build(X.shape)
    assert [x.name for x in layer.sublayers] == ["forward_inner", "backward_inner"]
    assert layer.backward_layer.go_backwards and not layer.forward_layer.go_backwards
    assert not np.array_equal(layer.get_weights()[0], inner.get_weights()[0])


def test_masks_of_both_directions():
    """Hidden steps of sequences are zeros, and the way back begins at the last step that is seen."""
    layer = randomized(L.Bidirectional(L.LSTM(UNITS, return_sequences=True)))
    forward, _ = walked("LSTM", layer.forward_layer, seen=SEEN, zeroes=True)
    back, _ = walked("LSTM", layer.backward_layer, seen=SEEN, zeroes=True, backwards=True)
    close(layer(X, mask=SEEN), np.concatenate([forward, back[:, ::-1]], -1))


@pytest.mark.parametrize("kind", KINDS)
def test_states_that_a_layer_keeps(kind):
    """A batch goes on where the one before ended: in calls, predict and models, until reset_state."""
    layer = KINDS[kind][0](UNITS, **KINDS[kind][1], stateful=True, return_sequences=True)
    model = cn.Sequential([cn.Input(batch_shape=(3, None, 5)), layer])
    randomized(layer)
    whole = walked(kind, layer)[0]
    for compute in (model, model.predict, layer, cn.load_model(bytes_of(model.save)).predict):
        for start, end in ((0, 2), (2, 3), (3, 6)):
            close(compute(X[:, start:end]), whole[:, start:end])
        layer.reset_state()
    parts = np.concatenate([X[:, :3], X[:, 3:]])
    close(model.predict(parts, batch_size=3), np.concatenate([whole[:, :3], whole[:, 3:]]))
    close(layer.states[0], whole[:, -1])
    start = [RNG.standard_normal((3, UNITS)).astype(np.float32) for _ in layer.states]
    close(layer(X, initial_state=start), walked(kind, layer, states=start)[0])
    with pytest.raises(ValueError, match=r"with stateful=True must be called on 3 sequences.*Received: 2"):
        layer(X[:2])


def test_a_decoder_begins_with_the_states_of_an_encoder():
    source, target = cn.Input((None, 5)), cn.Input((None, 5))
    encoder, decoder = L.LSTM(UNITS, return_state=True), L.LSTM(UNITS, return_sequences=True)
    _, *states = encoder(source)
    model = cn.Model([source, target], decoder(target, initial_state=states))
    for layer in (encoder, decoder):
        randomized(layer)
    expected = walked("LSTM", decoder, X[:, ::-1], states=walked("LSTM", encoder)[1])[0]
    for each in (model, cn.load_model(bytes_of(model.save)), cn.models.clone_model(model)):
        each.set_weights(model.get_weights())
        close(each.predict([X, X[:, ::-1]]), expected)


def test_stacked_cells():
    layer = randomized(L.RNN([L.LSTMCell(UNITS), L.GRUCell(UNITS)], return_state=True))
    first, second = made("LSTM", return_sequences=True), L.GRU(UNITS, return_state=True)
    first.set_weights(layer.get_weights()[:3])
    y = first(X)
    second.build(y.shape)
    second.set_weights(layer.get_weights()[3:])
    output, carry, last = layer(X)
    expected, state = second(y)
    close(output, expected)
    close(last, state)
    assert layer.state_size == [[UNITS, UNITS], UNITS] and [s.shape for s in carry] == [(3, UNITS)] * 2


def test_cells_compute_one_step():
    for cls, count, kind in (
        (L.LSTMCell, 2, "LSTM"),
        (L.GRUCell, 1, "GRU"),
        (L.SimpleRNNCell, 1, "SimpleRNN"),
    ):
        cell = randomized(cls(UNITS), (None, 5))
        states = [RNG.standard_normal((3, UNITS)).astype(np.float32) for _ in range(count)]
        output, new = cell(X[:, 0], states)
        expected = KINDS[kind][2](X[:, 0], states, *[w.astype(np.float64) for w in cell.get_weights()])
        close(output, expected[0])
        for a, b in zip(new, expected, strict=True):
            close(a, b)
        again = cls.from_config(cell.get_config())
        assert again.get_config() == cell.get_config() and again.state_size == cell.state_size
    output, new = cell(X[:, 0], states[0])  # one tensor rather than a list of one
    close(output, expected[0])
    close(new, expected[0])
    source, state = cn.Input((5,)), cn.Input((UNITS,))
    output, new = cell(source, state)
    assert output.shape == new.shape == (None, UNITS)
    close(cn.Model([source, state], output)([X[:, 0], states[0]]), expected[0])


class Decaying(L.Layer):
    """A cell as users write it, with a state beside its output."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units, self.state_size = units, [units, units]

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units), name="kernel")

    def call(self, inputs, states):
        total = states[1] * 0.5 + cn.ops.matmul(inputs, self.kernel)
        return cn.ops.tanh(total), [cn.ops.tanh(total), total]


def test_a_cell_of_one_s_own():
    layer = L.RNN(Decaying(3), return_sequences=True, return_state=True)
    outputs, _, total = layer(X)
    expected, sums = [], np.zeros((3, 3))
    for t in range(X.shape[1]):
        sums = sums * 0.5 + X[:, t] @ layer.cell.get_weights()[0]
        expected.append(np.tanh(sums))
    close(outputs, np.stack(expected, 1))
    close(total, sums)
    source = cn.Input(X.shape[1:])
    model = cn.Model(source, layer(source)[0])
    again = cn.load_model(bytes_of(model.save), {"Decaying": Decaying})
    np.testing.assert_array_equal(again(X), outputs)


class Counting(L.Layer):
    """A cell with one state, which it gets and returns as `form` says."""

    state_size = 3

    def __init__(self, form=list, **kwargs):
        super().__init__(**kwargs)
        self.form = form

    def call(self, inputs, states):
        total = states[0] + cn.ops.sum(inputs, axis=-1, keepdims=True)
        return total, [total] if self.form is list else total


@pytest.mark.parametrize("form", [list, None])
def test_a_cell_of_one_s_own_among_others(form):
    """Stacked cells hand it a list of its one state, as RNN does, and take that alone or in a list."""
    layer = randomized(L.RNN([L.GRUCell(UNITS), Counting(form)]))
    first = L.GRU(UNITS, return_sequences=True)
    first.build(X.shape)
    first.set_weights(layer.get_weights())
    sums = first(X).sum(axis=(1, 2))
    close(layer(X), np.repeat(sums[:, None], 3, axis=1))
    _, states = layer.cell(X[:, 0], [np.zeros((3, UNITS)), np.zeros((3, 3))])
    assert [state.shape for state in states] == [(3, UNITS), (3, 3)]


def half(x):
    return x / 2


def test_functions_of_the_user_s_as_activations():
    """By NumPy or ops, in both places, in files and pickles."""
    model = cn.Sequential(
        [cn.Input(X.shape[1:]), L.GRU(3, activation=half, recurrent_activation=cn.ops.sigmoid)]
    )
    expected = model(X)
    held = {"half": half}
    copies = (
        cn.load_model(bytes_of(model.save), held),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    )
    for each in copies:
        np.testing.assert_array_equal(each(X), expected)
    both = cn.Sequential([cn.Input(X.shape[1:]), L.Bidirectional(L.SimpleRNN(3, activation=half))])
    assert both(X).shape == (3, 6)
    with pytest.raises(cn.UnsupportedLayerError, match="activation 'half'"):
        cn.load_model(bytes_of(model.save))


def test_words_of_keras_2():
    """Its own words, and states in one list with the sequences."""
    source, state = cn.Input((6, 5), name="x"), cn.Input((UNITS,), name="state")
    model = cn.Model([source, state], L.GRU(UNITS, name="gru")(source, initial_state=[state]))
    entry = json.loads(model.to_json())
    gru = entry["config"]["layers"][-1]
    gru["config"] |= {"time_major": False, "implementation": 2, "recurrent_activation": "hard_sigmoid"}
    gru["inbound_nodes"] = [[["x", 0, 0, {"constants": None}], ["state", 0, 0, {}]]]
    old = cn.model_from_json({**entry, "keras_version": "2.9.0"})
    assert old.layers[-1].recurrent_activation.name == "hard_sigmoid_keras2"
    other = cn.model_from_json({**entry, "keras_version": "2.9.0"})
    other.set_weights(old.get_weights())
    start = RNG.standard_normal((3, UNITS)).astype(np.float32)
    np.testing.assert_array_equal(old([X, start]), other([X, start]))
    assert np.abs(old([X, start]) - old([X, 0 * start])).max() > 1e-3
    gru["config"]["time_major"] = True
    with pytest.raises(cn.ModelFormatError, match=r"'gru' .*time_major"):
        cn.model_from_json({**entry, "keras_version": "2.9.0"})


def test_a_cell_must_return_its_states():
    class Wrong(Decaying):
        def call(self, inputs, states):
            return states[0], states[:1]

    class Alone(Decaying):
        def call(self, inputs, states):
            return states[0]

    with pytest.raises(ValueError, match="must return an output and states"):
        L.RNN(Wrong(3))(X)
    for cells in (Alone(3), [L.GRUCell(3), Alone(3)]):
        with pytest.raises(
            ValueError, match=r"call\(\) of cell 'alone.*' must return an output and the new states"
        ):
            L.RNN(cells)(X)


@pytest.mark.parametrize(
    ("size", "error"), [("abc", TypeError), ([3, -1], ValueError), ([3, None], TypeError)]
)
def test_sizes_of_states_are_positive_integers(size, error):
    class Sized(L.Layer):
        state_size = size

        def call(self, inputs, states):
            return inputs, states

    with pytest.raises(error, match="`state_size` must be a positive integer"):
        L.RNN(Sized())
