"""Rows that could kill the process run in one of their own: a signal, an exit code, a hang or a word on stderr fails.

run_case takes the text of a program. It starts with this module's header: NumPy, the package, a small network with its
float64 answer, `same`, which compares bits, and the functions of threads.py.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import signal
import subprocess
import sys
from pathlib import Path

import threads

_found = importlib.util.find_spec("conv2d_native")
assert _found is not None and _found.submodule_search_locations
PACKAGE_FOLDER = Path(next(iter(_found.submodule_search_locations))).resolve().parent
# Python 3.12 warns of what is tested here.
FORKS_BESIDE_THREADS = ("-W", "ignore:This process:DeprecationWarning")

HEADER = (
    inspect.getsource(threads)
    + '''
import os, sys, time
import numpy as np
from conv2d_native import _core

def network(size=24, channels=16, seed=0):
    """A graph of a 3x3 convolution, a depthwise one, pooling and a dense layer, for images of one size."""
    rng = np.random.default_rng(seed)
    def array(*shape):
        return (rng.standard_normal(shape) / 8).astype(np.float32)
    g = _core.Graph()
    x = g.input((1, size, size, 8))
    a = g.conv2d(x, array(3, 3, 8, channels), array(channels), padding=((1, 1), (1, 1)), activation="relu")
    b = g.conv2d(a, array(3, 3, 1, channels), None, groups=channels, activation="relu6")
    c = g.pool(b, "max", (2, 2), (2, 2))
    d = g.dense(g.reduce(c, "mean", [1, 2]), array(channels, 10), array(10))
    return g, [g.softmax(d), c]

def compiled(n=2, size=24, channels=16, seed=0):
    g, outputs = network(size, channels, seed)
    return g.compile(outputs, n)

def data(n=2, size=24, seed=1):
    return np.random.default_rng(seed).standard_normal((n, size, size, 8)).astype(np.float32)

def same(a, b):
    assert len(a) == len(b) and all(np.array_equal(p, q) for p, q in zip(a, b)), "the numbers differ"

'''
)


def run_case(
    program: str,
    *,
    seconds: float = 60.0,
    env: dict[str, str | None] | None = None,
    command: list[str] | None = None,
    options: list[str] | None = None,
    preexec=None,
    code: int = 0,
    stderr: str | None = "",
    cwd: str | None = None,
    before: str = "",
) -> str:
    """Run `program` and return what it printed; `stderr` None accepts anything there."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    environment["PYTHONPATH"] = str(PACKAGE_FOLDER)
    for name, value in (env or {}).items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    python = [sys.executable, *FORKS_BESIDE_THREADS, *(options or []), "-c", before + HEADER + program]
    process = subprocess.Popen(
        [*(command or []), *python],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=preexec,
        start_new_session=True,
        cwd=cwd,
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"no end after {seconds} s\n{out[-2000:]}\n{err[-4000:]}") from None
    assert process.returncode == code, f"ended with {process.returncode}\n{out[-2000:]}\n{err[-4000:]}"
    if stderr is not None:
        assert err.strip() == stderr, err[-4000:]
    return out
