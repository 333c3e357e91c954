"""Row F1: every native allocation fails once. MemoryError each time, nothing leaked, the next call right.

Needs the test build: .ci/variant FOLDER -DCONV2D_FAULTS=ON, then PYTHONPATH=FOLDER/python. The loop is SQLite's
("How SQLite Is Tested", section 3.1).
"""

import ctypes
import gc

import numpy as np
import pytest

from conv2d_native import _core

native = ctypes.CDLL(_core.__file__)
if not hasattr(native, "conv2d_fail_allocation"):
    pytest.skip("needs the build with CONV2D_FAULTS", allow_module_level=True)
native.conv2d_failures.restype = ctypes.c_long
native.conv2d_live_allocations.restype = ctypes.c_long
RNG = np.random.default_rng(0)


def array(*shape):
    return (RNG.standard_normal(shape) / 4).astype(np.float32)


def live():
    gc.collect()
    return native.conv2d_live_allocations()


def fail_every_allocation(action, same):
    """Run `action` with its k-th native allocation failing, for k = 1, 2, ... until none is left to fail."""
    want = action()
    baseline, k = live(), 0
    while True:
        k += 1
        native.conv2d_fail_allocation(ctypes.c_long(k))
        try:
            got = action()
        except MemoryError:
            got = None
        finally:
            native.conv2d_fail_allocation(ctypes.c_long(0))
        failed = native.conv2d_failures()
        if got is not None and failed:
            same(got, want)  # an allocation that can be done without
        elif got is not None:
            same(got, want)
            break
        del got
        assert live() <= baseline, f"allocation {k} leaves {live() - baseline} blocks"
        same(action(), want)
    return k - 1


def same(a, b):
    for p, q in zip(a, b, strict=True):
        np.testing.assert_array_equal(p, q)


def build(g, x):
    kernel, bias = KERNEL, BIAS
    a = g.conv2d(x, kernel, bias, padding=((1, 1), (1, 1)), activation="relu")
    b = g.activation(g.scale_shift(a, BIAS, BIAS), "gelu")
    c = g.concat([b, g.pool(a, "average", (3, 3), (1, 1), ((1, 1), (1, 1)))], 3)
    d = g.conv2d(c, POINTWISE, None, activation="relu")
    e = g.binary("add", g.conv2d(d, DEPTHWISE, None, padding=((1, 1), (1, 1)), groups=8), d)
    f = g.reduce(g.pad(e, [(0, 0), (1, 0), (0, 1), (0, 0)], 1.0), "mean", [1, 2])
    return [g.softmax(g.dense(f, DENSE, None)), g.transpose(e, [0, 2, 1, 3])]


KERNEL, BIAS, POINTWISE, DEPTHWISE, DENSE = (
    array(3, 3, 4, 8),
    array(8),
    array(1, 1, 16, 8),
    array(3, 3, 1, 8),
    array(8, 5),
)
X = array(2, 9, 8, 4)


def test_f1_build_compile_run():
    def action():
        g = _core.Graph()
        return g.compile(build(g, g.input((1, 9, 8, 4))), 2).run([X])

    assert fail_every_allocation(action, same) > 100


def test_f1_run_of_a_new_executable():
    g = _core.Graph()
    outputs = build(g, g.input((1, 9, 8, 4)))
    assert fail_every_allocation(lambda: g.compile(outputs, 2).run([X]), same) > 30


def test_f1_run_again_after_a_failure():
    """One executable throughout: a failure inside run leaves it well."""
    g = _core.Graph()
    e = g.compile(build(g, g.input((1, 9, 8, 4))), 2)
    fail_every_allocation(lambda: e.run([X]), same)


def test_f1_host_step():
    g = _core.Graph()
    e = g.compile(
        [g.host([g.activation(g.input((1, 6)), "relu")], lambda v: np.cumsum(v, axis=1), (1, 6))], 1
    )
    fail_every_allocation(lambda: e.run([np.ones((1, 6), np.float32)]), same)


@pytest.mark.parametrize(
    "row", _core.explain(_core.ConvProblem.parse("n1h9w9c8_k3x3s1d1p1_oc8g1_relu")), ids=lambda r: r["name"]
)
def test_f1_every_algorithm(row):
    names = [
        "n2h9w9c8_k3x3s1d1p1_oc8g1_relu",
        "n1h9w9c8_k3x3s1d1p1_oc8g8",
        "n1h9w9c8_k5x5s1d1p2_oc8g2",
        "n1h1w1c64_k1x1s1d1p0_oc33g1",
        "n1h9w9c3_k3x3s2d1p1_oc2g1",
    ]
    for name in names:
        problem = _core.ConvProblem.parse(name)
        rows = {r["name"]: r for r in _core.explain(problem)}
        if rows[row["name"]]["reason"]:
            continue
        x, kernel = array(*problem.x_shape), array(*problem.kernel_shape)
        action = lambda: [_core.ConvPlan(problem, kernel, None, row["name"])(x)]  # noqa: B023, E731
        assert fail_every_allocation(action, same) > 3


def test_f1_messages():
    """Texts of errors are allocations too."""

    def action():
        g = _core.Graph()
        x = g.input((1, 4, 4, 3))
        for wrong in (
            lambda: g.conv2d(x, KERNEL, None),
            lambda: g.activation(x, "nonsense"),
            lambda: g.reshape(x, (1, 5)),
            lambda: _core.ConvProblem.parse("nonsense"),
            lambda: _core.use_isa("nonsense"),
        ):
            with pytest.raises(ValueError):
                wrong()
        return [np.zeros(1)]

    assert fail_every_allocation(action, same) > 10
