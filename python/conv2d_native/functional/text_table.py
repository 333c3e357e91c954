"""Rows of facts that print as a table: what explain, autotune and profile return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

_LONGEST_NAME = 48


class TextTable:
    """Rows, each a dict of facts: iteration gives them, `print` shows them under `title`."""

    def __init__(self, title: str, rows: Sequence[dict[str, Any]]) -> None:
        self.title, self.rows = title, list(rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return str(self)


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]], texts: int | None = None) -> list[str]:
    """The lines of a table. The first `texts` columns (None: all) stand on the left, the others on the right."""
    columns = []
    for i, column in enumerate(zip(header, *rows, strict=True)):
        place = str.ljust if texts is None or i < texts else str.rjust
        width = max(map(len, column))
        columns.append([place(cell, width) for cell in column])
    return ["  ".join(line).rstrip() for line in zip(*columns, strict=True)]


def shortened(name: str) -> str:
    """The name of a step in a table: what is fused has the names of all its layers."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
