"""Recurrent layers by their formulas in float64, one step after the other: what tests compare with."""

import numpy as np

from conv2d_native import layers as L

RNG = np.random.default_rng(20)
X = RNG.standard_normal((3, 6, 5)).astype(np.float32)
SEEN = np.array([[0, 1, 1, 0, 1, 0], [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]], bool)
UNITS = 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def simple(x, states, kernel, recurrent, bias):
    return [np.tanh(x @ kernel + states[0] @ recurrent + bias)]


def lstm(x, states, kernel, recurrent, bias):
    i, f, c, o = np.split(x @ kernel + states[0] @ recurrent + bias, 4, axis=-1)
    carry = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(c)
    return [sigmoid(o) * np.tanh(carry), carry]


def gru(x, states, kernel, recurrent, bias):
    (z, r, c), (hz, hr, hc) = (
        np.split(part, 3, axis=-1) for part in (x @ kernel + bias[0], states[0] @ recurrent + bias[1])
    )
    update = sigmoid(z + hz)
    return [update * states[0] + (1 - update) * np.tanh(c + sigmoid(r + hr) * hc)]


def gru_reset_before(x, states, kernel, recurrent, bias):
    (z, r, c), (kz, kr, kc) = np.split(x @ kernel + bias, 3, axis=-1), np.split(recurrent, 3, axis=-1)
    update, reset = sigmoid(z + states[0] @ kz), sigmoid(r + states[0] @ kr)
    return [update * states[0] + (1 - update) * np.tanh(c + (reset * states[0]) @ kc)]


KINDS = {
    "SimpleRNN": (L.SimpleRNN, {}, simple),
    "LSTM": (L.LSTM, {}, lstm),
    "GRU": (L.GRU, {}, gru),
    "GRU, reset before": (L.GRU, {"reset_after": False}, gru_reset_before),
}


def randomized(layer, shape=(None, *X.shape[1:])):
    layer.build(shape)
    layer.set_weights([RNG.standard_normal(w.shape) * 0.5 for w in layer.weights])
    return layer


def made(kind, **words):
    cls, own, _ = KINDS[kind]
    return randomized(cls(UNITS, **own, **words))


def walked(kind, layer, x=X, states=None, seen=None, backwards=False, zeroes=False):
    """(outputs of all steps, states at the end) by the formula of one step."""
    count = 2 if kind == "LSTM" else 1
    states = [np.zeros((len(x), UNITS))] * count if states is None else states
    weights = [w.astype(np.float64) for w in layer.get_weights()]
    outputs, output = [], np.zeros((len(x), UNITS))
    for t in reversed(range(x.shape[1])) if backwards else range(x.shape[1]):
        new = KINDS[kind][2](x[:, t], states, *weights)
        shown = np.ones((len(x), 1), bool) if seen is None else seen[:, t, None]
        output = np.where(shown, new[0], 0 if zeroes else output)
        states = [np.where(shown, a, b) for a, b in zip(new, states, strict=True)]
        outputs.append(output)
    return np.stack(outputs, axis=1), states


def close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=2e-6)
