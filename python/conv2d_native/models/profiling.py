"""Where a model's time goes: one row per step of the compiled graph, as a table and as a Chrome trace."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

from .. import arguments
from ..functional.explanation import shortened

COLUMNS = ("name", "op", "problem", "algorithm", "ms", "share", "gflops", "gbs")
_HEADER = ("layer", "operation", "problem", "algorithm", "ms", "share", "GFLOP/s", "GB/s")


class Profile:
    """The steps of one call with their times. `print` shows the table, iteration gives a dict per step.

    `rows` have name, op, problem, algorithm, ms, share (of the total), gflops and gbs (GB/s). `total_ms` is the sum.
    """

    def __init__(self, title: str, nodes: Sequence[dict[str, Any]]) -> None:
        self.title = title
        self.total_ms = sum(node["ms"] for node in nodes)
        self.rows = [self._row(node) for node in nodes]

    def _row(self, node: dict[str, Any]) -> dict[str, Any]:
        seconds = max(node["ms"] * 1e-3, 1e-9)
        return {
            **{key: node.get(key) or "" for key in ("name", "op", "problem", "algorithm")},
            "ms": node["ms"],
            "share": node["ms"] / self.total_ms if self.total_ms else 0.0,
            "gflops": node["flops"] / seconds / 1e9,
            "gbs": node["bytes"] / seconds / 1e9,
        }

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        digits = 3 if self.total_ms >= 1 else 5
        cells = [
            [shortened(str(row[key])) for key in COLUMNS[:4]]
            + [f"{row['ms']:.{digits}f}", f"{row['share']:.1%}", f"{row['gflops']:.1f}", f"{row['gbs']:.1f}"]
            for row in self.rows
        ]
        widths = [max(len(line[i]) for line in [_HEADER, *cells]) for i in range(len(COLUMNS))]
        lines = ["  ".join(_aligned(line, widths)).rstrip() for line in [_HEADER, *cells]]
        return "\n".join([self.title, *lines, f"total {self.total_ms:.{digits}f} ms"])

    __repr__ = __str__

    def save_trace(self, path: str | PathLike[str]) -> None:
        """Write the steps as a Chrome trace: open it at chrome://tracing or ui.perfetto.dev."""
        events, start = [], 0.0
        for row in self.rows:
            facts = {key: row[key] for key in ("problem", "algorithm", "gflops", "gbs")}
            events.append(
                {
                    "name": row["name"] or row["op"],
                    "cat": row["op"],
                    "ph": "X",
                    "ts": start,
                    "dur": row["ms"] * 1e3,
                    "pid": 1,
                    "tid": 1,
                    "args": facts,
                }
            )
            start += row["ms"] * 1e3
        with open(arguments.path("path", path), "w", encoding="utf-8") as file:
            json.dump({"traceEvents": events, "displayTimeUnit": "ms"}, file)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        text.ljust(width) if i < 4 else text.rjust(width)
        for i, (text, width) in enumerate(zip(line, widths, strict=True))
    ]
