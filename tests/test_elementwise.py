"""Elementwise operations, softmax, normalization, reductions and resizing on every instruction set.

Activations are held to 4 units in the last place of float64 formulas that do not cancel; the oracle's plain formulas
decide about infinities and NaN.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import oracle
from conv2d_native import _core

ULP = 4
RNG = np.random.default_rng(0)


def graph_of(*arrays):
    """A graph and one input per array; dimension 0 is the batch."""
    g = _core.Graph()
    return g, [g.input((1, *a.shape[1:])) for a in arrays]


def run(build, *arrays):
    """The value that `build(graph, *inputs)` adds, for arrays that share a batch."""
    g, inputs = graph_of(*arrays)
    return g.compile([build(g, *inputs)], arrays[0].shape[0]).run(list(arrays))[0]


def careful(name, x):
    """The oracle's function in a form without cancellation."""
    erfc = np.vectorize(math.erfc, otypes=[np.float64])
    e = np.exp(-np.abs(x))
    z = 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    forms = {
        "gelu": lambda: 0.5 * x * erfc(-x / math.sqrt(2)),
        "gelu_tanh": lambda: x * oracle.sigmoid(z),
        "softplus": lambda: np.maximum(x, 0) + np.log1p(e),
        "mish": lambda: np.where(
            x < 0, x * (e * e + 2 * e) / (e * e + 2 * e + 2), x * (1 + 2 * e) / (1 + 2 * e + 2 * e * e)
        ),
        "hard_sigmoid": lambda: np.clip((x + 3) / 6, 0, 1),
        "hard_silu": lambda: x * np.clip((x + 3) / 6, 0, 1),
    }
    name = {"hard_swish": "hard_silu"}.get(name, name)
    return forms[name]() if name in forms else oracle.activate(x, name)


def spread():
    """Finite float32 numbers: an even grid, both sides of zero in powers, and random bits."""
    powers = np.geomspace(1e-45, 120, 8001)
    bits = RNG.integers(0, 2**32, 20000, dtype=np.uint32).view(np.float32)
    with np.errstate(invalid="ignore"):
        x = np.concatenate([np.linspace(-110, 110, 60001), np.linspace(-4, 4, 40001), powers, -powers, bits])
        x = x.astype(np.float32)
    return x[np.isfinite(x)]


@pytest.mark.parametrize("name", list(_core.activations()))
def test_activation_is_within_four_units(name, isa):
    """Row G8: from -110 to 110, every power of ten and any bits."""
    x = spread()
    with np.errstate(all="ignore"):
        expected = careful(name, x.astype(np.float64))
        rounded = expected.astype(np.float32)
        unit = np.maximum(np.spacing(np.abs(np.where(np.isfinite(rounded), rounded, 1))), np.float32(2**-149))
    got = run(lambda g, v: g.activation(v, name), x[None])[0]
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(got[~finite], rounded[~finite])
    with np.errstate(over="ignore"):
        error = np.abs(got[finite].astype(np.float64) - expected[finite]) / unit[finite]
    assert error.max() <= ULP, f"{error.max():.2f} units at {x[finite][error.argmax()]!r}"


@pytest.mark.parametrize("name", list(_core.activations()))
def test_activation_of_special_values(name, isa):
    """Row G7: relu(NaN) is NaN; infinities and signed zeros as in NumPy."""
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], np.float32)
    with np.errstate(all="ignore"):
        expected = oracle.activate(x, name)
    for lane in range(20):
        v = np.full((1, 37), 0.5, np.float32)
        v[0, lane : lane + 5] = x
        got = run(lambda g, a: g.activation(a, name), v)[0]
        np.testing.assert_array_equal(got[lane : lane + 5], expected.astype(np.float32))
        assert len(set(np.delete(got, range(lane, lane + 5)))) == 1


@pytest.mark.parametrize("name", list(_core.activations()))
def test_activation_does_not_depend_on_the_lane(name, isa):
    x = RNG.standard_normal((1, 201)).astype(np.float32) * 5
    whole = run(lambda g, v: g.activation(v, name), x)
    parts = [run(lambda g, v: g.activation(v, name), x[:, i : i + 7].copy()) for i in range(0, 201, 7)]
    np.testing.assert_array_equal(whole, np.concatenate(parts, axis=1))


def test_relu_with_parameters(isa):
    x = np.array([[-np.inf, -3, -0.5, 0, 0.4, 0.5, 3, 9, np.inf, np.nan]], np.float32)
    for slope, most, threshold in ((0.1, 6, 0.5), (0, np.inf, 0.5), (0.3, np.inf, 0), (0, 6, 0)):
        got = run(lambda g, v, t=f"relu({slope},{most},{threshold})": g.activation(v, t), x)
        np.testing.assert_allclose(got, oracle.relu(x, slope, most, threshold), rtol=1e-6)


KINDS = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
SHAPES = (
    ((2, 5, 6, 70), (2, 5, 6, 70)),
    ((3, 40, 50, 3), (3, 1, 1, 3)),
    ((2, 5, 6, 33), (2, 1, 1, 33)),
    ((2, 5, 6, 17), (2, 5, 6, 1)),
    ((2, 1, 7, 1, 3), (2, 4, 1, 5, 1)),
    ((4, 1), (4, 7)),
    ((1, 1), (1, 1)),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_binary(shapes, kind, isa):
    a, b = (RNG.uniform(0.5, 2, s).astype(np.float32) for s in shapes)
    got = run(lambda g, u, v: g.binary(kind, u, v), a, b)
    np.testing.assert_array_equal(got, KINDS[kind](a, b))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(), (3,), (5, 1), (4, 5, 3), (1, 5, 1)], ids=str)
def test_binary_with_a_constant(shape, kind, isa):
    x = RNG.uniform(0.5, 2, (2, 4, 5, 3)).astype(np.float32)
    c = RNG.uniform(0.5, 2, shape).astype(np.float32).reshape(shape or (1,))
    got = run(lambda g, v: g.binary(kind, v, g.constant(c)), x)
    np.testing.assert_array_equal(got, KINDS[kind](x, c))
    got = run(lambda g, v: g.activation(g.binary(kind, g.constant(c), v), "tanh"), x)
    np.testing.assert_allclose(got, np.tanh(KINDS[kind](c, x)), rtol=1e-6)


def test_maximum_and_minimum_keep_nan(isa):
    a = np.ones((1, 70), np.float32)
    for i in range(70):
        b, c = a.copy(), a.copy()
        b[0, i] = np.nan
        c[0, 69 - i] = np.nan
        for kind in ("maximum", "minimum"):
            got = run(lambda g, u, v, k=kind: g.binary(k, u, v), b, c)
            np.testing.assert_array_equal(np.isnan(got), np.isnan(b + c))


ROWS = ((1, 1), (7, 3), (500, 3), (33, 17), (5, 70), (2, 1000), (1, 6000))


@pytest.mark.parametrize("shape", ROWS, ids=str)
def test_rows(shape, isa):
    x = RNG.standard_normal(shape).astype(np.float32)
    scale, shift = RNG.standard_normal((2, shape[1])).astype(np.float32)
    near = dict(rtol=1e-6, atol=1e-6)
    exact = x.astype(np.float64)
    cases = (
        (lambda g, v: g.scale_shift(v, scale, shift), exact * scale + shift),
        (lambda g, v: g.scale_shift(v, None, shift), exact + shift),
        (lambda g, v: g.activation(g.scale_shift(v, scale, None), "gelu"), oracle.gelu(exact * scale)),
        (lambda g, v: g.binary("prelu", v, g.constant(scale)), oracle.prelu(x, scale)),
        (
            lambda g, v: g.reduce(v, "sum", [1]) if shape[1] > 1 else v,
            exact.sum(1) if shape[1] > 1 else exact,
        ),
    )
    for build, expected in cases[:4]:
        np.testing.assert_allclose(run(build, x), expected, **near)
    assert oracle.error_ratio(run(cases[4][0], x), cases[4][1], abs(exact).sum(1) + 1) <= 8


@pytest.mark.parametrize("size", [1, 3, 16, 100, 1000])
@pytest.mark.parametrize("width", [1, 30, 200])
def test_softmax_is_within_four_units(size, width, isa):
    x = (RNG.standard_normal((9, size)) * width).astype(np.float32)
    got = run(lambda g, v: g.softmax(v), x)
    expected = oracle.softmax(x)
    unit = np.maximum(np.spacing(expected.astype(np.float32)).astype(np.float64), 2.0**-126)
    assert (np.abs(got - expected) / unit).max() <= ULP
    np.testing.assert_allclose(got.sum(axis=1), 1, atol=4 * 2**-24 * size + 2**-24)
    logs = run(lambda g, v: g.softmax(v, True), x)
    np.testing.assert_allclose(logs, oracle.log_softmax(x), rtol=1e-6, atol=1e-6)


def test_softmax_of_special_values(isa):
    """Row G8: NaN, infinities and 1e4 as in NumPy, without overflow."""
    x = np.zeros((6, 19), np.float32)
    x[1, 18] = np.nan
    x[2, 3] = np.inf
    x[3, 5] = -np.inf
    x[4] = -np.inf
    x[5, :2] = 1e4, -1e4
    with np.errstate(invalid="ignore"):
        expected = oracle.softmax(x)
    np.testing.assert_allclose(run(lambda g, v: g.softmax(v), x), expected, rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("offset", [0, 1000])
def test_normalize(offset, isa):
    x = (RNG.standard_normal((4, 3, 77)) + offset).astype(np.float32)
    gamma, beta = RNG.standard_normal((2, 77)).astype(np.float32)
    got = run(lambda g, v: g.normalize(v, 1e-3, gamma, beta), x)
    expected = oracle.layer_normalization(x, gamma, beta)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 if offset == 0 else 2e-3)


@pytest.mark.parametrize("kind", ["mean", "max", "sum"])
@pytest.mark.parametrize("axes", [(1, 2), (1,), (2,), (3,), (1, 2, 3)], ids=str)
def test_reduce(axes, kind, isa):
    x = RNG.uniform(0.5, 1, (2, 60, 41, 19)).astype(np.float32)
    got = run(lambda g, v: g.reduce(v, kind, list(axes)), x)
    expected = getattr(np, kind)(x.astype(np.float64), axis=axes)
    np.testing.assert_allclose(got.reshape(expected.shape), expected, rtol=1.5e-6)


@pytest.mark.parametrize("n", [0, 1])
def test_reduce_of_no_channels(n):
    x = np.zeros((n, 4, 5, 0), np.float32)
    assert run(lambda g, v: g.reduce(v, "sum", [1, 2]), x).shape == (n, 0)


@pytest.mark.parametrize("kind", ["nearest", "bilinear"])
@pytest.mark.parametrize("sizes", [(4, 5, 8, 10), (7, 3, 5, 9), (8, 8, 4, 4), (1, 1, 3, 3)], ids=str)
def test_resize(sizes, kind, isa):
    h, w, oh, ow = sizes
    x = RNG.standard_normal((2, h, w, 19)).astype(np.float32)
    got = run(lambda g, v: g.resize(v, kind, (oh, ow)), x)
    np.testing.assert_allclose(
        got, oracle.resize2d(x, size=(oh, ow), interpolation=kind), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("axes", [(0, 3, 1, 2), (0, 2, 1, 3), (0, 1, 3, 2)], ids=str)
def test_transpose(axes, isa):
    x = RNG.standard_normal((2, 5, 6, 7)).astype(np.float32)
    np.testing.assert_array_equal(run(lambda g, v: g.transpose(v, list(axes)), x), x.transpose(axes))


def test_threads_and_batch_change_no_bit(isa):
    x = RNG.standard_normal((5, 9, 11, 33)).astype(np.float32)
    c = RNG.standard_normal(33).astype(np.float32)

    def outputs(v, threads):
        _core.set_num_threads(threads)
        g = _core.Graph()
        a = g.input((1, 9, 11, 33))
        values = [
            g.activation(g.binary("multiply", a, g.constant(c)), "gelu"),
            g.reduce(a, "mean", [1, 2]),
            g.reduce(a, "sum", [3]),
            g.softmax(a),
            g.normalize(a, 1e-3, c, c),
            g.resize(a, "bilinear", (13, 7)),
        ]
        return g.compile(values, v.shape[0]).run([v])

    whole = outputs(x, 1)
    for got, expected in zip(outputs(x, 2), whole, strict=True):
        np.testing.assert_array_equal(got, expected)
    for got, expected in zip(outputs(x[3:4].copy(), 2), whole, strict=True):
        np.testing.assert_array_equal(got[0], expected[3])
