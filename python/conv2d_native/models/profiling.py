"""Where a model's time goes: one row per step of the compiled graph, as a table and as a Chrome trace."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

import numpy as np

from .. import arguments
from ..functional.text_table import TextTable, shortened, table_lines

_TEXTS = ("name", "op", "problem", "algorithm")
_HEADER = ("layer", "operation", "problem", "algorithm", "ms", "share", "GFLOP/s", "GB/s")


def timed_nodes(executable: Any, arrays: Sequence[Any], repeats: int) -> list[dict[str, Any]]:
    """The steps of one call, `ms` the median of `repeats` calls after one that is not counted."""
    calls = [executable.profile(arrays) for _ in range(repeats + 1)][1:]
    steps = zip(*calls, strict=True)
    return [{**nodes[0], "ms": float(np.median([node["ms"] for node in nodes]))} for nodes in steps]


def call_times(call: Callable[[], Any], budget: float) -> list[float]:
    """Seconds that each call takes, for `budget` seconds and three calls at least."""
    times: list[float] = []
    end = time.perf_counter() + budget
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


class Profile(TextTable):
    """The steps of one call with their times. `print` shows the table, iteration gives a dict per step.

    `rows` have name, op, problem, algorithm, ms, share (of the total), gflops and gbs (GB/s). `total_ms` is the sum.
    """

    def __init__(self, title: str, nodes: Sequence[dict[str, Any]]) -> None:
        self.total_ms = sum(node["ms"] for node in nodes)
        super().__init__(title, [self._row(node) for node in nodes])

    def _row(self, node: dict[str, Any]) -> dict[str, Any]:
        seconds = max(node["ms"] * 1e-3, 1e-9)
        return {
            **{key: node.get(key) or "" for key in _TEXTS},
            "ms": node["ms"],
            "share": node["ms"] / self.total_ms if self.total_ms else 0.0,
            "gflops": node["flops"] / seconds / 1e9,
            "gbs": node["bytes"] / seconds / 1e9,
        }

    def __str__(self) -> str:
        digits = 3 if self.total_ms >= 1 else 5
        cells = [
            [shortened(str(row[key])) for key in _TEXTS]
            + [f"{row['ms']:.{digits}f}", f"{row['share']:.1%}", f"{row['gflops']:.1f}", f"{row['gbs']:.1f}"]
            for row in self.rows
        ]
        lines = table_lines(_HEADER, cells, len(_TEXTS))
        return "\n".join([self.title, *lines, f"total {self.total_ms:.{digits}f} ms"])

    def save_trace(self, path: str | PathLike[str]) -> None:
        """Write the steps as a Chrome trace: open it at chrome://tracing or ui.perfetto.dev."""
        events, start = [], 0.0
        for row in self.rows:
            facts = {key: row[key] for key in ("problem", "algorithm", "gflops", "gbs")}
            event = {"name": row["name"] or row["op"], "cat": row["op"], "ph": "X", "pid": 1, "tid": 1}
            events.append({**event, "ts": start, "dur": row["ms"] * 1e3, "args": facts})
            start += row["ms"] * 1e3
        with open(arguments.path("path", path), "w", encoding="utf-8") as file:
            json.dump({"traceEvents": events, "displayTimeUnit": "ms"}, file)
