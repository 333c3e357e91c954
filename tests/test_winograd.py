"""Winograd convolution: its error, its isolation of bad values, and that threads and batch change no bit."""

from __future__ import annotations

import numpy as np
import pytest

import oracle
from conv2d_native import _core
from problems import LAYERS, ODD, ConvProblem, same

FORMS = ("winograd4", "winograd2", "winograd_line", "winograd_strided")
KERNELS = {
    "winograd4": ((3, 3), (5, 5), (3, 5), (5, 3)),
    "winograd2": ((3, 3), (5, 5), (7, 7)),
    "winograd_line": ((1, 3), (1, 5), (1, 7), (3, 1), (5, 1), (7, 1)),
    "winograd_strided": ((3, 3), (4, 4), (5, 5), (7, 7)),
}
PAIRS = [(form, *kernel) for form in FORMS for kernel in KERNELS[form]]


def stride_of(form: str) -> int:
    return 2 if form == "winograd_strided" else 1


def gates(form, kh):
    return (8, 1e-6) if kh <= {"winograd2": 3, "winograd_strided": 4}.get(form, 0) else (100, 1e-5)


def can(algorithm: str, text: str) -> bool:
    rows = _core.explain(_core.ConvProblem.parse(text))
    reason = next(row["reason"] for row in rows if row["name"] == algorithm)
    return reason is None or "was asked for" in reason


def plan(text, kernel, bias, algorithm):
    return _core.ConvPlan(_core.ConvProblem.parse(text), kernel, bias, algorithm)


def reach(scale: np.ndarray, steps: int) -> np.ndarray:
    """The largest scale within `steps` pixels: outputs of one tile share their rounding errors."""
    padded = np.pad(scale, ((0, 0), (steps, steps), (steps, steps), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * steps + 1,) * 2, axis=(1, 2))
    return windows.max(axis=(-2, -1))


SIDES = (
    *(
        same(1, 6, 9, c, 40 - c, *kernel)
        for c, kernel in zip((3, 17, 24, 33), KERNELS["winograd_line"], strict=False)
    ),
    *(same(2, 9, 7, 19, 18, *kernel, dilation=2) for kernel in KERNELS["winograd_line"]),
    same(1, 7, 11, 20, 33, 5, 5, activation="relu"),
    same(1, 10, 9, 24, 8, 5, 5, dilation=3, groups=4),
    same(1, 9, 6, 21, 19, 7, 7, activation="relu"),
    same(2, 11, 13, 12, 34, 7, 7, dilation=2, groups=2),
    same(1, 7, 10, 18, 35, 3, 5, dilation=2),
    same(2, 10, 6, 33, 20, 5, 3),
    same(1, 5, 6, 700, 6, 3, 3),
    same(2, 13, 16, 17, 35, 3, 3, stride=2, activation="relu"),
    same(1, 1, 2, 33, 7, 3, 3, stride=2),
    "n1h10w9c24_k3x3s2d1p2.1.0.2_oc40g2",
    same(1, 11, 14, 20, 18, 4, 4, stride=2),
    same(1, 9, 13, 19, 34, 5, 5, stride=2, activation="relu"),
    same(2, 12, 7, 33, 7, 7, 7, stride=2),
    "n1h12w9c24_k5x5s2d1p2.1.0.2_oc40g2",
)
CASES = [(form, text) for text in (*ODD, *SIDES) for form in FORMS if can(form, text)]


@pytest.mark.parametrize(("form", "text"), CASES)
def test_odd_problems(form, text, isa):
    problem = ConvProblem.parse(text)
    x, kernel, bias = problem.data()
    residual = np.random.default_rng(1).standard_normal(problem.output_shape, dtype=np.float32)
    linear = oracle.conv2d(x, kernel, bias, **problem.arguments) + residual
    scale = oracle.conv2d_scale(x, kernel, bias, **problem.arguments) + abs(residual)
    steps = 3 * max(problem.dh, problem.dw)  # from one end of a tile to the other
    run = plan(text.removesuffix(f"_{problem.activation}"), kernel, bias, form)
    got = run(x, residual=residual)
    assert oracle.error_ratio(got, linear, reach(scale, steps)) <= gates(form, problem.kh)[0]
    if problem.activation in (None, "relu"):
        active = plan(text, kernel, bias, form)(x, residual=residual)
        np.testing.assert_array_equal(active, np.maximum(got, 0) if problem.activation else got)


@pytest.mark.parametrize("kind", ["gauss", "post-ReLU"])
@pytest.mark.parametrize("channels", [16, 64, 256, 512])
@pytest.mark.parametrize(("form", "kh", "kw"), PAIRS)
def test_real_channel_counts(form, kh, kw, channels, kind, isa):
    size = (6, 6) if isa == "scalar" else (14, 14)
    text = same(1, *size, channels, 24, kh, kw, stride=stride_of(form))
    problem = ConvProblem.parse(text)
    x, kernel, bias = problem.data()
    x = np.maximum(x, 0) if kind == "post-ReLU" else x
    y, scale = problem.reference(x, kernel, bias)
    got = plan(text, kernel, bias, form)(x)
    most, relative = gates(form, kh)
    assert oracle.error_ratio(got, y, scale) <= most
    assert oracle.relative_l2(got, y) <= relative


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, 1e30])
@pytest.mark.parametrize(("form", "kh", "kw"), PAIRS)
@pytest.mark.parametrize("size", [(1, 13, 14, 20, 40), (1, 9, 9, 3, 5)])
def test_a_bad_value_stays_in_its_windows(size, form, kh, kw, bad, isa):
    stride = stride_of(form)
    dilation = 2 if size[1] == 9 and stride == 1 else 1
    activation = "relu" if dilation == 2 else None
    text = same(*size, kh, kw, stride=stride, dilation=dilation, activation=activation)
    problem = ConvProblem.parse(text)
    x, kernel, bias = problem.data()
    kernel[:, :, 1] *= 0.1
    clean = plan(text, kernel, bias, form)(x)
    for row, column in ((0, 0), (4, 5), (problem.h - 1, problem.w - 1), (5, 0)):
        spoilt = x.copy()
        spoilt[0, row, column, 1] = bad
        got = plan(text, kernel, bias, form)(spoilt)
        with np.errstate(invalid="ignore", over="ignore"):
            y, scale = problem.reference(spoilt, kernel, bias)
        seen = oracle.conv2d_scale(spoilt != x, np.ones_like(kernel), **problem.arguments) > 0
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(np.isnan(got), np.isnan(y))
            np.testing.assert_array_equal(np.isinf(got), np.isinf(y.astype(np.float32)))
        assert oracle.error_ratio(got[~seen], y[~seen], scale[~seen]) <= 100
        far = reach(seen, 4 * problem.dh) == 0
        np.testing.assert_array_equal(got[far], clean[far])


@pytest.mark.parametrize("form", ["winograd4", "winograd2", "winograd_strided"])
def test_long_direct_sums_keep_the_gate(form, isa):
    """Data of one sign, outputs that do not see the huge pixel of their tile."""
    text = same(1, 8, 8, 1024, 4, 3, 3, stride=stride_of(form))
    problem = ConvProblem.parse(text)
    x, kernel, bias = (np.abs(array) for array in problem.data())
    x[0, 1, 1, 5] = 1e25
    got = plan(text, kernel, bias, form)(x)
    y, scale = problem.reference(x, kernel, bias)
    row = 3 if stride_of(form) == 1 else 2
    assert scale[0, row, :row].max() < 1e10 < scale[0, 0, 0].max()
    assert oracle.error_ratio(got[0, row, :row], y[0, row, :row], scale[0, row, :row]) <= 2


@pytest.mark.parametrize("form", ["winograd4", "winograd2", "winograd_strided"])
@pytest.mark.parametrize("weight", [np.inf, np.nan, 1e30])
def test_spoilt_weights_are_left_to_gemm(form, weight):
    text = same(1, 8, 8, 16, 16, 3, 3, stride=stride_of(form))
    x, kernel, bias = ConvProblem.parse(text).data()
    kernel[1, 1, 3, 5] = weight
    expected = plan(text, kernel, bias, "gemm")(x)
    np.testing.assert_array_equal(plan(text, kernel, bias, form)(x), expected)


@pytest.mark.parametrize("form", ["winograd4", "winograd2", "winograd_strided"])
@pytest.mark.parametrize("size", ["h19w23c40_1_70g1_relu", "h7w7c300_1_200g1", "h17w15c24_2_36g2"])
def test_threads_and_batch_change_no_bit(form, size):
    image, dilation, outputs = size.split("_", 2)
    strided = stride_of(form) == 2
    taps = "s2d1p1" if strided else f"s1d{dilation}p{dilation}"
    text = f"n3{image}_k3x3{taps}_oc{outputs}"
    problem = ConvProblem.parse(text)
    x, kernel, bias = problem.data()
    got = plan(text, kernel, bias, form)(x)
    single = plan(text.replace(f"n{problem.n}h", "n1h", 1), kernel, bias, form)
    for i in range(problem.n):
        np.testing.assert_array_equal(single(x[i : i + 1])[0], got[i])
    _core.set_num_threads(1)
    np.testing.assert_array_equal(plan(text, kernel, bias, form)(x), got)


def test_the_planner_takes_winograd_where_it_pays():
    for text, form in {
        LAYERS["vgg 56 256->256 3x3"]: "winograd4",
        LAYERS["resnet 56 64->64 3x3"]: "winograd4",
        same(1, 56, 56, 128, 128, 3, 3, stride=2): "winograd_strided",
        same(1, 64, 64, 64, 128, 4, 4, stride=2): "winograd_strided",
        same(1, 28, 28, 128, 256, 5, 5, stride=2): "winograd_strided",
        same(1, 56, 56, 32, 64, 7, 7, stride=2): "winograd_strided",
    }.items():
        rows = _core.explain(_core.ConvProblem.parse(text))
        assert [row["name"] for row in rows if row["chosen"]] == [form]
        exact = _core.explain(_core.ConvProblem.parse(text), exact=True)
        assert not any(row["chosen"] for row in exact if row["name"] in FORMS)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (1, 7), (3, 5)])
def test_in_a_graph(n, kernel, isa):
    """Its input transformed while it is read, its output one slice of a concatenation, a residual added."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((n, 15, 14, 32)).astype(np.float32)
    scale, shift = rng.standard_normal((2, 32)).astype(np.float32)
    weights = [rng.standard_normal((*kernel, 32, 32)).astype(np.float32) / 20 for _ in range(2)]
    padding = tuple((k // 2, k // 2) for k in kernel)
    g = _core.Graph()
    source = g.input((1, 15, 14, 32))
    a = g.conv2d(g.activation(g.scale_shift(source, scale, shift), "relu"), weights[0], padding=padding)
    b = g.activation(g.binary("add", g.conv2d(source, weights[1], padding=padding), source), "relu")
    executable = g.compile([g.concat([a, b, source], 3)], n)
    names = [node.get("algorithm") for node in executable.nodes if node["op"] == "conv"]
    assert isa == "scalar" or all(name.startswith("winograd") for name in names), names
    pre = np.maximum(x * scale.astype(np.float64) + shift, 0)
    first = oracle.conv2d(pre, weights[0], padding=padding)
    second = np.maximum(oracle.conv2d(x, weights[1], padding=padding) + x, 0)
    got = executable.run([x])[0]
    assert oracle.relative_l2(got, np.concatenate([first, second, x], 3)) < 2e-6
