"""Every algorithm of the table on every instruction set: accuracy, same bits on any threads and in any batch."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import conv2d_native as cn
import oracle
from conv2d_native import _core
from conv2d_native import layers as L
from problems import LAYERS, ODD, ConvProblem, same

GATES = {"gauss": (8, 1e-6), "positive": (20, 1e-6), "integer": (0, 0)}
TRANSFORMED = ("winograd",)  # measured by tests of their own: their errors are those of a tile

SLOW_FLOPS = 3e6

SHAPED = (
    same(1, 7, 7, 1024, 48, 1, 1),
    same(1, 9, 8, 512, 70, 1, 1, stride=2),
    same(3, 1, 1, 700, 130, 1, 1, activation="relu"),
    same(1, 1, 1, 2048, 65, 1, 1),
    same(1, 3, 130, 3, 8, 3, 3, activation="relu"),
    same(1, 2, 260, 8, 10, 3, 5),
    "n1h1w301c20_k1x16s1x2d1p0.0.7.7_oc24g1_relu",
    "n1h1w90c70_k1x7s1d1p0.0.3.3_oc70g70_relu",
    "n1h1w47c40_k1x9s1x2d1x3p0.0.8.8_oc80g40",
    "n1h1w50c128_k1x5s1d1p0.0.2.2_oc128g4_relu",
    "n1h40w30c35_k40x1s1d1p0_oc35g35",
    same(2, 20, 33, 4, 5, 5, 5, stride=2),
    *(same(1, 5, 4 * o, 3, o, 3, 3) for o in (10, 11, 13, 16)),
    *(
        same(1, 7, 35 * s, 3, o, 3, 3, stride=s, activation="relu")
        for s, o in ((1, 16), (2, 16), (3, 12), (4, 8))
    ),
    same(2, 6, 75, 1, 15, 5, 5, stride=2),
    same(1, 92, 90, 4, 6, 3, 3, stride=2, activation="relu"),
    same(1, 40, 41, 24, 2, 5, 3),
    same(2, 27, 25, 64, 36, 3, 3, stride=3, groups=2),
    same(1, 31, 33, 40, 17, 3, 3, dilation=5),
    same(1, 3, 130, 100, 12, 5, 5, stride=2),
    same(1, 170, 2, 100, 9, 3, 3, stride=2),
    same(1, 6, 6, 300, 33, 3, 3, dilation=2),
    same(1, 19, 18, 3, 64, 7, 7, stride=2, activation="relu"),
    same(2, 9, 11, 160, 40, 3, 3, dilation=4, activation="relu"),
    same(1, 3, 45, 136, 17, 1, 3, dilation=20),
    same(1, 6, 20, 1024, 24, 3, 3, dilation=5),
    same(1, 5, 6, 260, 20, 3, 3, dilation=4),
    same(1, 9, 9, 320, 34, 3, 3, dilation=3, groups=2),
    *(
        same(1, 15, 17, c, c, k, k, stride=s, groups=c)
        for c, k, s in ((20, 7, 1), (130, 3, 2), (16, 7, 2), (3, 4, 3))
    ),
    same(1, 15, 17, 33, 33, 3, 3, dilation=2, groups=33, activation="relu"),
    same(1, 12, 11, 18, 18, 17, 19, groups=18, activation="relu"),
    same(1, 9, 14, 18, 18, 31, 31, groups=18, activation="gelu"),
    same(1, 19, 9, 17, 17, 51, 7, stride=2, groups=17, activation="relu"),
    same(1, 21, 23, 5, 10, 9, 40, dilation=2, groups=5, activation="relu"),
    same(2, 4, 90, 3, 3, 3, 140, groups=3),
    same(2, 5, 9, 256, 256, 5, 5, groups=256),
    same(1, 5, 9, 6, 150, 3, 3, stride=2, groups=6, activation="relu"),
    same(1, 9, 9, 7, 14, 3, 3, dilation=3, groups=7),
    "n1h12w12c8_k2x3s4d1p1_oc8g8_relu",
    *(same(1, 9, 17, g * c, g * c, 3, 3, groups=g) for g, c in ((5, 16), (3, 8), (7, 4), (2, 32))),
    same(2, 7, 9, 128, 128, 3, 3, stride=2, groups=32, activation="relu"),
    same(1, 13, 15, 24, 24, 5, 5, dilation=2, groups=3),
    same(1, 6, 5, 32, 64, 3, 3, groups=4),
    *(same(1, 5, 29, g * c, 2 * g * c, 3, 3, groups=g) for g, c in ((4, 4), (3, 8), (5, 2))),
    *(
        same(1, 5, 11 + o, (5 + o) * c, (5 + o) * o, 3, 3, stride=1 + c % 2, groups=5 + o, activation="relu")
        for c in (1, 2, 3, 4, 6, 12, 15, 16)
        for o in (1, 2, 3, 4, 8, 12)
    ),
)


def small(text: str) -> str:
    """The layer with at most two images of at most 11 rows and 15 columns."""
    p = ConvProblem.parse(text)
    return str(replace(p, n=min(p.n, 2), h=min(p.h, 11), w=min(p.w, 15)))


PROBLEMS = tuple(dict.fromkeys((*ODD, *SHAPED, *map(small, LAYERS.values()))))


def candidates(text: str) -> list[str]:
    """All that can; large problems are too slow for the plain loops."""
    rows = _core.explain(_core.ConvProblem.parse(text))
    slow = ConvProblem.parse(text).flops > SLOW_FLOPS
    return [
        row["name"] for row in rows if row["reason"] is None and not (slow and row["name"] == "reference")
    ]


def run(text: str, algorithm: str, x, kernel, bias, **arguments):
    return _core.ConvPlan(_core.ConvProblem.parse(text), kernel, bias, algorithm)(x, **arguments)


@pytest.fixture(autouse=True)
def one_thread(threads_restored):
    _core.set_num_threads(1)


@cache
def case(text: str, kind: str):
    """The problem without its activation: arrays, float64 result and scale."""
    problem = ConvProblem.parse(text)
    arrays = problem.data(kind)
    return arrays, *replace(problem, activation=None).reference(*arrays)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("text", PROBLEMS)
def test_accuracy(text, kind, isa):
    """Rows G12 (integers are exact), G13 (same signs) and G14 (a reference of zeros would prove nothing)."""
    problem = ConvProblem.parse(text)
    (x, kernel, bias), linear, scale = case(text, kind)
    assert oracle.trusted(linear)
    plain = str(replace(problem, activation=None))
    for algorithm in candidates(text):
        if algorithm.startswith(TRANSFORMED):
            continue
        got = run(plain, algorithm, x, kernel, bias, scratch_value=np.nan)
        ratio, relative = oracle.error_ratio(got, linear, scale), oracle.relative_l2(got, linear)
        assert ratio <= GATES[kind][0], f"{algorithm}: {ratio:.1f} units"
        assert relative <= GATES[kind][1], f"{algorithm}: {relative:.1e}"
        if problem.activation == "relu":
            active = run(text, algorithm, x, kernel, bias, scratch_value=np.nan)
            np.testing.assert_array_equal(active, np.maximum(got, 0), algorithm)
        elif problem.activation is not None:
            active = run(text, algorithm, x, kernel, bias, scratch_value=np.nan)
            np.testing.assert_allclose(
                active, oracle.activate(got, problem.activation), 2e-6, 1e-6, err_msg=algorithm
            )


@pytest.mark.parametrize("text", PROBLEMS)
def test_threads_and_batch_change_no_bit(text, isa):
    problem = ConvProblem.parse(text)
    x, kernel, bias = problem.data()
    x = np.concatenate([x, x[::-1] * np.float32(0.5)])
    batch, one = str(replace(problem, n=2 * problem.n)), str(replace(problem, n=1))
    for algorithm in candidates(text):
        got = run(batch, algorithm, x, kernel, bias)
        for threads in (2, 5):
            _core.set_num_threads(threads, True)
            shared = run(batch, algorithm, x, kernel, bias, scratch_value=np.nan)
            np.testing.assert_array_equal(shared, got, algorithm)
        _core.set_num_threads(1)
        for i in range(0, len(x), max(1, len(x) // 3)):
            np.testing.assert_array_equal(got[i : i + 1], run(one, algorithm, x[i : i + 1], kernel, bias))


@pytest.mark.parametrize(
    "text",
    [
        same(1, 13, 9, 70, 70, 3, 3, groups=70, activation="relu"),
        same(3, 17, 7, 20, 40, 5, 5, groups=20),
        same(1, 29, 6, 33, 33, 3, 3, dilation=2, groups=33, activation="relu"),
        same(1, 27, 9, 48, 48, 5, 5, stride=2, groups=48),
        same(1, 16, 5, 512, 512, 3, 3, groups=512),
        "n1h1w125c24_k1x8s1d1p0.0.3.4_oc40g1_relu",
        "n3h1w70c24_k1x5s1d1p0.0.2.2_oc40g1",
    ],
)
def test_odd_batches_are_cut_by_rows_and_pixels(text, isa):
    """Workers get rows of their own, or parts of the only one: no output is left out, none differs."""
    x, kernel, bias = ConvProblem.parse(text).data()
    for algorithm in candidates(text):
        alone = run(text, algorithm, x, kernel, bias)
        for threads in (2, 3):
            _core.set_num_threads(threads, True)
            shared = run(text, algorithm, x, kernel, bias, scratch_value=np.nan)
            np.testing.assert_array_equal(shared, alone, algorithm)
        _core.set_num_threads(1)


@pytest.mark.parametrize("kernel_size", [(3, 3), (5, 9)])
def test_depthwise_images_that_outgrow_the_caches(kernel_size, isa):
    """The next tile is asked for meanwhile: what an image alone gets, and right at its border."""
    text = same(3, 60, 61, 164, 164, *kernel_size, groups=164)
    problem = ConvProblem.parse(text)
    x, kernel, bias = problem.data()
    got = run(text, "depthwise", x, kernel, bias)
    for i in range(problem.n):
        alone = run(str(replace(problem, n=1)), "depthwise", x[i : i + 1], kernel, bias)
        np.testing.assert_array_equal(got[i : i + 1], alone)
    top = replace(problem, n=1, h=9)
    y, scale = top.reference(x[:1, :9], kernel, bias)
    rows = 9 - kernel_size[0] // 2  # the others see rows below
    assert oracle.error_ratio(got[:1, :rows], y[:, :rows], scale[:, :rows]) <= GATES["gauss"][0]


@pytest.mark.parametrize("weight", [np.inf, np.nan])
def test_weights_that_are_not_finite_meet_the_same_zeros_in_any_run(weight, isa):
    """Pixels that see only zeros are left out, but for such weights: what is left out depends on the threads."""
    text = same(3, 5, 45, 136, 17, 1, 3, dilation=20)
    x, kernel, bias = ConvProblem.parse(text).data()
    kernel[0, 0, -1, 3] = weight
    _core.set_num_threads(1)
    one = run(text, "gemm", x, kernel, bias)
    assert np.isnan(one[:, :, :20, 3]).all() and np.isfinite(np.delete(one, 3, axis=3)).all()
    for threads in (2, 3):
        _core.set_num_threads(threads, True)
        np.testing.assert_array_equal(run(text, "gemm", x, kernel, bias), one)


@pytest.mark.parametrize("text", [t for t in PROBLEMS if ConvProblem.parse(t).activation in (None, "relu")])
def test_residual_is_added_before_the_activation(text, isa):
    problem = ConvProblem.parse(text)
    (x, kernel, bias), linear, scale = case(text, "gauss")
    residual = np.random.default_rng(1).standard_normal(problem.output_shape, dtype=np.float32)
    expected = linear + residual
    for algorithm in candidates(text):
        if algorithm.startswith(TRANSFORMED):
            continue
        got = run(text, algorithm, x, kernel, bias, residual=residual, scratch_value=np.nan)
        if problem.activation:
            expected = np.maximum(expected, 0)
        assert oracle.error_ratio(got, expected, scale + abs(residual)) <= 8, algorithm


def test_every_algorithm_meets_a_problem():
    met = {name for text in PROBLEMS for name in candidates(text)}
    assert met == {row["name"] for row in _core.explain(_core.ConvProblem.parse(PROBLEMS[0]))}


@pytest.mark.parametrize("size, channels, outputs", [(3, 16, 3), (3, 300, 1), (5, 33, 2), (1, 64, 3)])
def test_few_outputs_are_the_same_from_a_slice(size, channels, outputs):
    """Pixels that lie apart are copied, dense ones read in place: sums are taken in one order."""
    source = cn.Input((11, 12, 8))
    made = L.Conv2D(channels, 1, activation="relu")(source)
    few = L.Conv2D(outputs, size)(made)
    beside = L.Concatenate()([made, L.Conv2D(24, 1)(source)])
    x = np.random.default_rng(0).standard_normal((2, 11, 12, 8)).astype(np.float32)
    with cn.exact():
        np.testing.assert_array_equal(cn.Model(source, few)(x), cn.Model(source, [few, beside])(x)[0])


def test_every_algorithm_stands_in_the_table_of_measured_errors():
    page = (Path(__file__).resolve().parent.parent / "docs" / "accuracy.md").read_text()
    for row in _core.explain(_core.ConvProblem.parse(same(1, 8, 8, 8, 8, 3, 3))):
        assert f"| {row['name']} | `n1h" in page, row["name"]


@pytest.mark.parametrize("groups", [1, 8])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_groups_of_few_channels_are_not_transformed(channels, groups, isa):
    """There Winograd's error, in units of the terms that an output sums, may pass its gate (docs/accuracy.md)."""
    sizes = [(14, 16, 3, 1), (112, 16, 3, 1), (56, 32, 5, 1), (28, 32, 7, 1), (56, 32, 3, 2), (56, 64, 5, 2)]
    for size, filters, kernel, stride in sizes:
        counts = (channels * groups, filters * groups)
        text = same(1, size, size, *counts, kernel, kernel, stride=stride, groups=groups)
        (chosen,) = (row["name"] for row in _core.explain(_core.ConvProblem.parse(text)) if row["chosen"])
        assert not chosen.startswith(TRANSFORMED), text
