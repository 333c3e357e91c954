"""Time every named convolution on every algorithm that can run it, and on the NumPy baseline.

    python benchmarks/layers.py [--only TEXT] [--threads N] [--json FILE]

For each problem the candidates take turns, round after round, then the baseline, whose threads would disturb them;
a figure is the median over all calls. The planner's choice is marked with *. The machine's FMA peak and memory
bandwidth are measured in the same run: `peak` is the share of the arithmetic peak that the chosen algorithm's direct
operation count reaches (Winograd may exceed 1), `loss` is the chosen algorithm's time over the fastest candidate's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import conv2d_native as cn
from conv2d_native import _core

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from problems import LAYERS, ConvProblem

SLOW_FLOPS = 5e8
PAUSE = 0.1  # seconds in which the baseline's threads fall asleep


def numpy_baseline(p: ConvProblem, x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """relu(conv + bias) with sliding windows and one matrix product a group: x (n,h,w,c), kernel (kh,kw,c/g,oc)."""
    z = np.pad(x, ((0, 0), *p.padding, (0, 0)))
    extent = ((p.kh - 1) * p.dh + 1, (p.kw - 1) * p.dw + 1)
    windows = np.lib.stride_tricks.sliding_window_view(z, extent, axis=(1, 2))
    windows = windows[:, :: p.sh, :: p.sw, :, :: p.dh, :: p.dw].transpose(0, 1, 2, 4, 5, 3)
    n, oh, ow = windows.shape[:3]
    c, oc = x.shape[3] // p.groups, kernel.shape[3] // p.groups
    parts = [
        windows[..., g * c : (g + 1) * c].reshape(n * oh * ow, -1)
        @ kernel[..., g * oc : (g + 1) * oc].reshape(-1, oc)
        for g in range(p.groups)
    ]
    return np.maximum(np.concatenate(parts, axis=1).reshape(n, oh, ow, -1) + bias, 0)


def candidates(text: str) -> dict[str, Callable[[], object]]:
    problem = _core.ConvProblem.parse(text)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(problem.x_shape, dtype=np.float32)
    kernel = rng.standard_normal(problem.kernel_shape, dtype=np.float32)
    bias = rng.standard_normal(problem.kernel_shape[3], dtype=np.float32)
    out = np.empty(problem.y_shape, np.float32)
    runs: dict[str, Callable[[], object]] = {}
    for row in _core.explain(problem):
        if row["reason"] is None and (row["name"] != "reference" or problem.flops < SLOW_FLOPS):
            plan = _core.ConvPlan(problem, kernel, bias, row["name"])
            runs[row["name"]] = lambda plan=plan: plan(x, out)
    runs["numpy"] = lambda: numpy_baseline(ConvProblem.parse(text), x, kernel, bias)
    return runs


def median_seconds(runs: dict[str, Callable[[], object]], rounds: int, burst: float) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            end = time.perf_counter() + burst
            while not times[name] or time.perf_counter() < end:
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="only problems whose name or string holds this")
    parser.add_argument("--threads", type=int, default=cn.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--burst", type=float, default=0.05, help="seconds of calls a candidate and round")
    parser.add_argument("--json", help="write all figures to this file")
    a = parser.parse_args()
    threads = cn.set_num_threads(a.threads)
    machine = _core.machine()
    peak, bandwidth = machine["fma_gflops"][min(threads, 2) - 1], machine["memory_gbs"]
    print(
        f"{_core.active_isa()}, threads: {threads}, FMA peak {peak:.0f} GFLOP/s, memory {bandwidth:.0f} GB/s"
    )
    results, losses = {}, []
    for name, text in LAYERS.items():
        if a.only not in name and a.only not in text:
            continue
        problem = _core.ConvProblem.parse(text)
        chosen = next(row["name"] for row in _core.explain(problem) if row["chosen"])
        runs = candidates(text)
        baseline = {"numpy": runs.pop("numpy")}
        seconds = median_seconds(runs, a.rounds, a.burst) | median_seconds(baseline, a.rounds, a.burst)
        time.sleep(PAUSE)
        rate = {k: problem.flops / s / 1e9 for k, s in seconds.items()}
        best = min(s for k, s in seconds.items() if k != "numpy")
        losses.append(seconds[chosen] / best)
        cells = " ".join(f"{k}{'*' if k == chosen else ''} {rate[k]:.0f}" for k in seconds)
        print(
            f"{name:30s} peak {rate[chosen] / peak:4.2f}  numpy/native {seconds['numpy'] / seconds[chosen]:5.1f}"
            f"  loss {losses[-1]:4.2f}  GFLOP/s: {cells}",
            flush=True,
        )
        results[name] = {"problem": text, "chosen": chosen, "seconds": seconds, "flops": problem.flops}
    if not losses:
        sys.exit(f"no layer's name or problem holds {a.only!r}")
    right = sum(loss < 1.03 for loss in losses)
    print(f"the planner chose the fastest candidate (within 3 %) {right} times of {len(losses)};")
    print(f"mean loss {np.exp(np.mean(np.log(losses))):.3f}, worst {max(losses):.2f}")
    if a.json:
        Path(a.json).write_text(json.dumps({"machine": machine, "layers": results}, indent=1))


if __name__ == "__main__":
    main()
