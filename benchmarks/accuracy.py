"""Measure the rounding error of every convolution algorithm and write the table of docs/accuracy.md.

    python benchmarks/accuracy.py [--check]

The reference is NumPy in float64. r is an output's error in units of 2^-24 * S, S = sum |x||w| + |bias|; L2 is the
relative error of the whole output in the Euclidean norm. Each figure is the worst over the instruction sets that this
CPU can run (scalar code left out). --check exits with 1 where a figure exceeds its gate, and writes nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from conv2d_native import _core

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import oracle  # noqa: E402
from problems import ConvProblem, same  # noqa: E402

PAGE = ROOT / "docs" / "accuracy.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
KINDS = ("gauss", "post-ReLU")
PROBLEMS = (
    *(same(1, 14, 14, c, 64, 3, 3) for c in (64, 128, 256, 512)),
    same(1, 14, 14, 256, 64, 3, 3, dilation=2),
    same(1, 14, 14, 512, 512, 3, 3, groups=32),
    *(same(1, 28, 28, c, 64, k, k, stride=2) for k in (3, 4, 5, 7) for c in (64, 256)),
    same(1, 14, 14, 64, 64, 5, 5),
    same(1, 14, 14, 256, 64, 5, 5),
    *(same(1, 14, 14, c, 64, 7, 7) for c in (64, 256)),
    *(same(1, 14, 14, 128, 64, *kernel) for kernel in ((3, 5), (5, 3))),
    *(same(1, 16, 16, 384, 64, *kernel) for kernel in ((1, 3), (3, 1))),
    *(same(1, 16, 16, 192, 64, *kernel) for kernel in ((1, 5), (1, 7), (7, 1))),
    same(1, 28, 28, 64, 256, 1, 1),
    same(1, 14, 14, 1024, 256, 1, 1),
    same(1, 56, 56, 3, 64, 7, 7, stride=2),
    same(1, 28, 28, 64, 64, 3, 3, groups=64),
    same(1, 28, 28, 64, 64, 5, 5, stride=2, groups=64),
    same(1, 28, 28, 64, 64, 3, 3, groups=16),
    same(1, 56, 56, 16, 8, 3, 3),
    same(1, 56, 56, 6, 3, 5, 5),
)


def gate(algorithm: str, problem: ConvProblem) -> tuple[float, float]:
    """Largest r and relative L2 allowed on zero-mean and post-ReLU data."""
    direct = not algorithm.startswith("winograd")
    small_tiles = problem.kh <= {"winograd2": 3, "winograd_strided": 4}.get(algorithm, 0)
    return (8.0, 1e-6) if direct or small_tiles else (100.0, 1e-5)


def accepting(text: str, algorithm: str) -> list[str]:
    """The instruction sets on which `algorithm` takes the problem."""
    found = []
    for isa in [name for name in _core.isa_names() if name != "scalar"] or ["scalar"]:
        _core.use_isa(isa)
        rows = _core.explain(_core.ConvProblem.parse(text))
        found += [isa for row in rows if row["name"] == algorithm and row["reason"] is None]
    return found


def errors(text: str, algorithm: str, isas: list[str]) -> dict[str, tuple[float, float]]:
    problem = ConvProblem.parse(text)
    worst = dict.fromkeys(KINDS, (0.0, 0.0))
    for kind in KINDS:
        x, kernel, bias = problem.data()
        x = np.maximum(x, 0) if kind == "post-ReLU" else x
        y, scale = problem.reference(x, kernel, bias)
        for isa in isas:
            _core.use_isa(isa)
            got = _core.ConvPlan(_core.ConvProblem.parse(text), kernel, bias, algorithm)(x)
            found = oracle.error_ratio(got, y, scale), oracle.relative_l2(got, y)
            worst[kind] = max(worst[kind][0], found[0]), max(worst[kind][1], found[1])
    return worst


def rows() -> Iterator[tuple[str, str, dict[str, tuple[float, float]], tuple[float, float]]]:
    names = [row["name"] for row in _core.explain(_core.ConvProblem.parse(PROBLEMS[0]))]
    for algorithm in names:
        for text in PROBLEMS:
            if isas := accepting(text, algorithm):
                yield algorithm, text, errors(text, algorithm, isas), gate(algorithm, ConvProblem.parse(text))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare with the gates, write nothing")
    a = parser.parse_args()
    lines = [
        "| algorithm | problem | max r, gauss | max r, post-ReLU | gate | L2, gauss | L2, post-ReLU | gate |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    failed = False
    for algorithm, text, worst, (most, relative) in rows():
        ratios, norms = zip(*(worst[kind] for kind in KINDS), strict=True)
        failed |= max(ratios) > most or max(norms) > relative
        cells = [algorithm, f"`{text}`", *(f"{r:.1f}" for r in ratios), f"{most:.0f}"]
        cells += [*(f"{v:.1e}" for v in norms), f"{relative:.0e}"]
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    if not a.check:
        page = PAGE.read_text()
        head, rest = page.split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.split(END)[1]}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
