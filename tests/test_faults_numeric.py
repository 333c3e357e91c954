"""Rows G of the fault list for every algorithm and instruction set.

Rows with tests elsewhere: G4 to G6 pooling (test_pool.py), G7 and G8 activations (test_elementwise.py), G12 and G13
integers and same-sign data (test_conv_algorithms.py), G14 is `trusted` in error_measure.py, G20 golden files
(test_golden.py, test_models.py).
"""

from __future__ import annotations

import numpy as np
import pytest

import conv2d_native as cn
import oracle
from conv2d_native import _core
from error_measure import error_ratio
from problems import ConvProblem, same
from subprocess_case import run_case
from test_faults_environment import MXCSR, on_x86

NAMES = (
    same(1, 9, 14, 6, 10, 3, 3),
    same(1, 8, 9, 33, 17, 3, 3, activation="relu"),
    same(1, 7, 6, 16, 24, 1, 1),
    same(1, 9, 11, 20, 20, 3, 3, groups=20),
    same(1, 9, 11, 20, 20, 5, 5, stride=2, groups=20),
    same(1, 8, 9, 16, 16, 3, 3, groups=4),
    same(1, 11, 13, 3, 8, 7, 7, stride=2, activation="relu"),
    same(1, 6, 20, 3, 2, 3, 3, activation="relu"),
    same(1, 9, 9, 5, 7, 3, 3, dilation=2),
    same(1, 1, 1, 70, 33, 1, 1),
    same(1, 9, 8, 6, 9, 5, 1),
)


def cases():
    for name in NAMES:
        for row in _core.explain(_core.ConvProblem.parse(name)):
            if row["reason"] is None:
                yield pytest.param(name, row["name"], id=f"{name}-{row['name']}")


CASES = list(cases())
every_case = pytest.mark.parametrize("name, algorithm", CASES)


def run(name, algorithm, x, kernel, bias):
    problem = _core.ConvProblem.parse(name)
    if any(r["name"] == algorithm and r["reason"] is not None for r in _core.explain(problem)):
        pytest.skip("this set leaves the problem to another algorithm")
    return _core.ConvPlan(problem, kernel, bias, algorithm)(x)


def places(p):
    return {(0, 0), (p.h // 2, p.w // 2), (p.h - 1, p.w - 1), (0, p.w - 1)}


def seen_by(p, kernel, row, column):
    """The output pixels whose window holds the input pixel, and the output channels that read its last channel."""
    marked = np.zeros((1, p.h, p.w, p.c))
    marked[0, row, column, -1] = 1
    return oracle.conv2d(marked, np.ones_like(kernel), **p.arguments) > 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
@every_case
def test_g1_g2_bad_values_stay_in_their_windows(name, algorithm, bad, isa):
    """NaN exactly where the reference has it, infinities as the reference rounded, all else within the gate."""
    p = ConvProblem.parse(name)
    x, kernel, bias = p.data(seed=2)
    kernel *= 0.1
    for row, column in places(p):
        spoilt = x.copy()
        spoilt[0, row, column, -1] = bad
        got = run(name, algorithm, spoilt, kernel, bias)
        with np.errstate(invalid="ignore", over="ignore"):
            ref, scale = p.reference(spoilt, kernel, bias)
            rounded = ref.astype(np.float32)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(rounded))
        np.testing.assert_array_equal(np.isinf(got), np.isinf(rounded))
        seen = seen_by(p, kernel, row, column)
        assert error_ratio(got[~seen], ref[~seen], np.broadcast_to(scale, ref.shape)[~seen]) <= 100


@every_case
def test_g2_both_infinities_in_one_window(name, algorithm, isa):
    p = ConvProblem.parse(name)
    x, kernel, bias = p.data(seed=2)
    kernel = np.abs(kernel) + 0.1
    x[0, p.h // 2, p.w // 2, -1] = np.inf
    x[0, p.h // 2, max(p.w // 2 - 1, 0), -1] = -np.inf
    got = run(name, algorithm, x, kernel, bias)
    with np.errstate(invalid="ignore"):
        ref, _ = p.reference(x, kernel, bias)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(ref))
    np.testing.assert_array_equal(np.isposinf(got), np.isposinf(ref))
    np.testing.assert_array_equal(np.isneginf(got), np.isneginf(ref))


@every_case
def test_g3_infinite_weight_at_the_padding(name, algorithm, isa):
    """Outputs away from the border are the reference's. At the border the zeros of the padding may meet the weight:
    Inf * 0 makes NaN there, as in TensorFlow (docs/reliability.md), and nothing else.
    """
    p = ConvProblem.parse(name)
    x, kernel, bias = p.data(seed=3)
    x = np.abs(x) + 0.1
    kernel[0, 0, -1, -1] = np.inf
    got = run(name, algorithm, x, kernel, bias)
    with np.errstate(invalid="ignore"):
        ref, _ = p.reference(x, kernel, bias)
    border = oracle.conv2d(np.ones_like(x), np.ones_like(kernel), **p.arguments) < p.products
    np.testing.assert_array_equal(np.isnan(got)[~border], np.isnan(ref)[~border])
    np.testing.assert_array_equal(np.isinf(got)[~border], np.isinf(ref)[~border])
    assert np.isfinite(got[..., :-1]).all()


@every_case
def test_g9_subnormals_are_kept(name, algorithm, isa):
    p = ConvProblem.parse(name)
    x, kernel, bias = p.data(seed=4)
    x = (x * np.float32(1e-39)).astype(np.float32)
    ref, scale = p.reference(x, kernel, bias * 0)
    got = run(name, algorithm, x, kernel, bias * 0)
    # One rounding to 2^-149 for each product and sum besides the usual bound; transforms make more of them.
    terms = 40 * (p.products + 3)
    assert (np.abs(got - ref) <= 100 * 2.0**-24 * scale + terms * 2.0**-149).all()
    assert np.count_nonzero(got) > 0 or algorithm.startswith("winograd")


@every_case
def test_g11_cancellation(name, algorithm, isa):
    """Sums of x and -x: the error is bounded by the size of the terms, not of the result."""
    p = ConvProblem.parse(name)
    x, kernel, bias = p.data(seed=5)
    if p.groups == 1 and p.c > 1:
        half = p.c // 2
        kernel[:, :, half : 2 * half] = -kernel[:, :, :half]
        x[..., half : 2 * half] = x[..., :half]
    ref, scale = p.reference(x * 1000, kernel, bias)
    assert error_ratio(run(name, algorithm, x * 1000, kernel, bias), ref, scale) <= 100


@every_case
def test_g15_threads_change_no_bit(name, algorithm, isa):
    p = ConvProblem.parse(name)
    x, kernel, bias = p.data(seed=6)
    results = []
    for threads in (1, 2, 3, 7, 16):
        _core.set_num_threads(threads, True)
        results.append(run(name, algorithm, x, kernel, bias))
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


@every_case
def test_g16_the_batch_changes_no_bit(name, algorithm):
    p = ConvProblem.parse(name)
    x, kernel, bias = p.data(seed=7)
    one = run(name, algorithm, x, kernel, bias)
    for n in (7, 64):
        batch = np.random.default_rng(8).standard_normal((n, *x.shape[1:])).astype(np.float32)
        for place in {0, n // 2, n - 1}:
            batch[place] = x[0]
        got = run(name.replace("n1h", f"n{n}h", 1), algorithm, batch, kernel, bias)
        for place in {0, n // 2, n - 1}:
            np.testing.assert_array_equal(got[place], one[0])


@every_case
def test_g17_a_thousand_runs_are_equal(name, algorithm):
    p = ConvProblem.parse(name)
    x, kernel, bias = p.data(seed=9)
    plan = _core.ConvPlan(_core.ConvProblem.parse(name), kernel, bias, algorithm)
    first, out = plan(x).tobytes(), np.empty(p.output_shape, np.float32)
    for _ in range(1000):
        plan(x, out=out)
        assert out.tobytes() == first


@every_case
def test_g18_instruction_sets_agree(name, algorithm):
    p = ConvProblem.parse(name)
    x, kernel, bias = p.data(seed=10)
    _, scale = p.reference(x, kernel, bias)
    before, results = _core.active_isa(), []
    for isa in _core.isa_names():
        _core.use_isa(isa)
        if all(
            r["reason"] is None
            for r in _core.explain(_core.ConvProblem.parse(name))
            if r["name"] == algorithm
        ):
            results.append(_core.ConvPlan(_core.ConvProblem.parse(name), kernel, bias, algorithm)(x))
    _core.use_isa(before)
    gate = 200 if "winograd" in algorithm else 16
    for other in results[1:]:
        assert error_ratio(other, results[0].astype(np.float64), scale) <= gate


@every_case
def test_g19_scaling_and_zero_weights(name, algorithm, isa):
    """A power of two goes through exactly; zero weights leave the bias."""
    p = ConvProblem.parse(name)
    x, kernel, bias = p.data(seed=11)
    y = run(name, algorithm, x, kernel, bias)
    np.testing.assert_array_equal(run(name, algorithm, x * 8, kernel, bias * 8), y * 8)
    empty = run(name, algorithm, x, kernel * 0, bias)
    expected = np.maximum(bias, 0) if p.activation == "relu" else bias
    np.testing.assert_array_equal(empty, np.broadcast_to(expected, empty.shape))


def test_g19_identity_and_permutation(isa):
    rng = np.random.default_rng(12)
    x = rng.standard_normal((2, 7, 9, 16)).astype(np.float32)
    identity = np.eye(16, dtype=np.float32)[None, None]
    np.testing.assert_array_equal(cn.conv2d(x, identity), x)
    order = rng.permutation(24)
    kernel = rng.standard_normal((3, 3, 16, 24)).astype(np.float32)
    y = cn.conv2d(x, kernel, padding="same")
    np.testing.assert_array_equal(
        cn.conv2d(x, np.ascontiguousarray(kernel[..., order]), padding="same"), y[..., order]
    )
    depthwise = rng.standard_normal((3, 3, 16, 1)).astype(np.float32)
    z = cn.depthwise_conv2d(x, depthwise, padding="same")
    flipped = cn.depthwise_conv2d(x[:, ::-1], depthwise[::-1], padding="same")
    assert np.abs(flipped[:, ::-1] - z).max() < 1e-5


def test_g10_overflow_of_a_partial_sum():
    """A partial sum beyond float32 makes Inf, though the true sum is finite; without one the sum is right."""
    x = np.full((1, 1, 1, 4), 3e38, np.float32)
    kernel = np.array([1, 1, -1, -1], np.float32).reshape(1, 1, 4, 1)
    y = cn.conv2d(x, kernel)
    assert y[0, 0, 0, 0] == 0 or not np.isfinite(y[0, 0, 0, 0])
    assert cn.conv2d(x, kernel[:, :, [0, 2, 1, 3]] * np.float32(0.25))[0, 0, 0, 0] == 0


@pytest.mark.parametrize("variance, gamma", [(1e-12, 1.0), (0.0, 1e4), (1e8, 1e6), (1.0, 1e-12)])
def test_g21_folding_of_extreme_normalization(variance, gamma):
    rng = np.random.default_rng(13)
    kernel = (rng.standard_normal((3, 3, 8, 16)) / 8).astype(np.float32)
    x = rng.standard_normal((1, 9, 9, 8)).astype(np.float32)
    scale = np.full(16, gamma / np.sqrt(variance + 1e-3), np.float32)
    shift = rng.standard_normal(16).astype(np.float32)
    g = _core.Graph()
    v = g.scale_shift(g.conv2d(g.input((1, 9, 9, 8)), kernel), scale, shift)
    got = g.compile([v], 1).run([x])[0]
    ref = oracle.conv2d(x, kernel) * scale.astype(np.float64) + shift
    size = oracle.conv2d_scale(x, kernel) * np.abs(scale) + np.abs(shift)
    assert error_ratio(got, ref, size) <= 100


@on_x86
def test_g22_floating_point_environment_is_kept():
    """MXCSR is the same after each call, and subnormals live in every worker."""
    run_case(
        MXCSR
        + """
import conv2d_native as cn
_core.set_num_threads(4, True)
before = mxcsr()
x = np.random.default_rng(0).standard_normal((2, 12, 12, 8)).astype(np.float32)
cn.conv2d(x, np.ones((3, 3, 8, 8), np.float32), padding="same", activation="gelu"); assert mxcsr() == before
cn.max_pool2d(x); cn.softmax(x); cn.dense(x, np.ones((8, 4), np.float32)); assert mxcsr() == before
e = compiled(); e.run([data()]); assert mxcsr() == before
tiny = np.full((64, 1, 1, 16), 1e-42, np.float32)
y = cn.conv2d(tiny, np.eye(16, dtype=np.float32)[None, None])
assert np.array_equal(y, tiny) and np.finfo(np.float32).smallest_subnormal > 0
"""
    )
