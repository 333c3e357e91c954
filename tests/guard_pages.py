"""Row B24: every algorithm on arrays that end, and that begin, at an unmapped page. One byte too far is a fault.

python guard_pages.py ISA [SEED]: a process of its own, which prints each problem before it runs it.
"""

from __future__ import annotations

import ctypes
import mmap
import sys

import numpy as np

from conv2d_native import _core
from problems import TAIL_CHANNELS, same

PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)


class Guarded:
    """One mapping with an unmapped page at both ends; arrays are placed flush against either."""

    def __init__(self, limit: int = 1 << 20):
        self.limit = limit
        self.memory = mmap.mmap(-1, limit + 2 * PAGE)
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        for at in (self.base, self.base + PAGE + limit):
            assert libc.mprotect(ctypes.c_void_p(at), PAGE, 0) == 0

    def place(self, array: np.ndarray, at_end: bool) -> np.ndarray:
        assert array.nbytes <= self.limit, array.shape
        offset = PAGE + (self.limit - array.nbytes if at_end else 0)
        view = np.frombuffer(self.memory, np.float32, array.size, offset).reshape(array.shape)
        view[...] = array
        return view


def problems(rng: np.random.Generator) -> list[str]:
    names = []
    for c in range(1, 71):
        oc, w, h = int(rng.choice(TAIL_CHANNELS)), int(rng.integers(1, 71)), int(rng.integers(1, 8))
        names += [
            same(1, h, w, c, oc, 3, 3),
            same(1, w, h, oc, c, 1, 1, activation="relu"),
            same(1, h, w, c, c, 3, 3, groups=c, activation="relu6"),
        ]
    for w in range(1, 71):
        c, oc = int(rng.choice(TAIL_CHANNELS)), int(rng.choice(TAIL_CHANNELS))
        names += [
            same(1, 5, w, c, oc, 3, 3, stride=2),
            same(1, 4, w, c, c, 5, 5, stride=1 + w % 2, groups=c),
            same(1, 3, w, int(rng.integers(1, 5)), int(rng.integers(1, 5)), 3, 3),
            same(2, 6, w, 4 * (1 + w % 8), 4 * (1 + w % 8), 3, 3, groups=4 if w % 2 else 2),
            same(1, 5, w, 3 * (1 + w % 8), 2 * (1 + w % 8), 3, 3, groups=1 + w % 8),
            same(1, 1, w, 8 * (1 + w % 8), 8 * (1 + w % 8), 1 + 2 * (w % 2), 3, groups=2 * (1 + w % 8)),
            same(1, 7, w, c, 7, 3, 3, dilation=2),
            same(1, 9, w, 3, oc, 7, 7, stride=2),
            same(1, 1, 1, c * w, oc, 1, 1),
            same(1, 5, w, c, oc, 1 + 4 * (w % 2), 5 - 4 * (w % 2)),
        ]
    return names


def sweep(isa: str, seed: int) -> int:
    _core.use_isa(isa)
    rng = np.random.default_rng(seed)
    spaces = [Guarded(4 << 20) for _ in range(5)]
    count = 0
    for name in problems(rng):
        problem = _core.ConvProblem.parse(name)
        shapes = problem.x_shape, problem.kernel_shape, problem.y_shape[3:], problem.y_shape, problem.y_shape
        fresh = np.random.default_rng(1)
        arrays = [fresh.standard_normal(shape).astype(np.float32) for shape in shapes]
        for row in _core.explain(problem):
            if row["reason"] is not None:
                continue
            print(name, row["name"], flush=True)
            # One worker fills the last scratch, behind which AddressSanitizer sees every read.
            _core.set_num_threads(1 + count % 2, True)
            results = []
            for at_end in (True, False):
                x, kernel, bias, residual, y = (
                    space.place(array, at_end) for space, array in zip(spaces, arrays, strict=True)
                )
                plan = _core.ConvPlan(problem, kernel, bias, row["name"])
                plan(x, out=y, residual=residual)
                results.append(y.copy())
                np.testing.assert_array_equal(x, arrays[0])
                np.testing.assert_array_equal(residual, arrays[3])
            np.testing.assert_array_equal(*results)
            count += 1
    return count


def sweep_graph(isa: str) -> int:
    """Everything else that a graph computes: pooling, elementwise operations, copies, dense layers."""
    _core.use_isa(isa)
    spaces = [Guarded() for _ in range(4)]
    rng = np.random.default_rng(3)
    for c in range(1, 71):
        w = int(rng.integers(2, 40))
        for at_end in (True, False):
            print("graph", c, w, flush=True)
            vector = spaces[1].place(rng.standard_normal(c).astype(np.float32), at_end)
            dense = spaces[2].place(rng.standard_normal((c, 5)).astype(np.float32), at_end)
            x_data = rng.standard_normal((1, 5, w, c)).astype(np.float32)
            for build in (
                lambda g, x: g.pool(x, "max", (3, 2), (2, 1), ((1, 1), (0, 1))),
                lambda g, x: g.pool(x, "average", (2, 2), (1, 2)),
                lambda g, x: g.reduce(x, "mean", [1, 2]),
                lambda g, x: g.reduce(x, "max", [2]),
                lambda g, x: g.softmax(x),
                lambda g, x: g.activation(x, "gelu"),
                lambda g, x: g.scale_shift(x, vector, vector),  # noqa: B023
                lambda g, x: g.binary("prelu", x, g.constant(vector)),  # noqa: B023
                lambda g, x: g.normalize(x, 1e-3, vector, vector),  # noqa: B023
                lambda g, x: g.binary("add", x, g.constant(vector)),  # noqa: B023
                lambda g, x: g.binary("maximum", x, x),
                lambda g, x: g.dense(x, dense),  # noqa: B023
                lambda g, x: g.concat([x, g.activation(x, "relu")], 3),
                lambda g, x: g.pad(x, [(0, 0), (1, -1), (2, 0), (0, 1)], 1.0),
                lambda g, x: g.transpose(x, [0, 3, 1, 2]),
                lambda g, x: g.resize(x, "bilinear", (7, 9)),
                lambda g, x: g.resize(x, "nearest", (3, 11)),
            ):
                g = _core.Graph()
                e = g.compile([build(g, g.input(x_data.shape))], 1)
                x = spaces[0].place(x_data, at_end)
                want = e.run([x_data])[0]
                y = spaces[3].place(want * 0, at_end)
                e.run([x], [y])
                np.testing.assert_array_equal(y, want)
    return 70


if __name__ == "__main__":
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print("swept", sweep(sys.argv[1], seed) + sweep_graph(sys.argv[1]))
