"""cn.explain: which algorithms can compute a convolution, what each would cost, and what a model runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _core, arguments
from ..graph import is_exact


class Explanation:
    """Rows of a table, each a dict; `str` prints it.

    >>> sorted(explain("n1h8w8c16_k3x3s1d1p1_oc16g1_linear").rows[0])
    ['chosen', 'cost', 'name', 'reason']
    """

    def __init__(self, title: str, rows: Sequence[dict[str, Any]]) -> None:
        self.title, self.rows = title, list(rows)

    def __str__(self) -> str:
        if not self.rows:
            return self.title
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        table = [names, *([_cell(row.get(name)) for name in names] for row in self.rows)]
        if "name" in names:
            at = names.index("name")
            table = [[*line[:at], shortened(line[at]), *line[at + 1 :]] for line in table]
        widths = [max(len(line[i]) for line in table) for i in range(len(names))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in table
        ]
        return "\n".join([self.title, *(line.rstrip() for line in lines)])

    __repr__ = __str__

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def shortened(name: str, most: int = 48) -> str:
    """The name of a step in a table: what is fused has the names of all its layers."""
    return name if len(name) <= most else f"{name[: most - 3]}..."


def _cell(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return ", ".join(map(_cell, value)) if isinstance(value, (list, tuple)) else str(value)


def explain(target: Any) -> Explanation:
    """Say how `target` is computed. `print` it for a table, iterate over it for dicts.

    target: a convolution in words such as "n1h56w56c64_k3x3s1d1p1_oc64g1_relu" (every algorithm with its cost in
    cycles or the reason why it refuses; one is chosen), a layer or a model that was called or built (every node
    with its algorithm and what was fused into it). Raises ValueError for text that is no problem, TypeError else.

        >>> any(row["chosen"] for row in explain("n1h8w8c16_k3x3s1d1p1_oc16g1_linear"))
        True
    """
    if isinstance(target, str):
        try:
            target = _core.ConvProblem.parse(target)
        except ValueError as error:
            raise ValueError(
                "`target` must be a convolution in words, such as 'n1h56w56c64_k3x3s1d1p1_oc64g1_relu'. "
                f"Received: target={arguments.shown(target)} ({error})."
            ) from None
    if isinstance(target, _core.ConvProblem):
        return Explanation(str(target), _core.explain(target, is_exact()))
    if hasattr(target, "explain"):
        return target.explain()
    raise TypeError(
        "`target` must be the text of a convolution, a layer or a model. "
        f"Received: target={arguments.shown(target)}."
    )
