"""cn.explain: which algorithms can compute a convolution, what each would cost, and what a model runs."""

from __future__ import annotations

from typing import Any

from .. import _core, arguments
from ..graph import is_exact
from .text_table import TextTable, shortened, table_lines


class Explanation(TextTable):
    """Rows of a table, each a dict; `str` prints it.

    >>> sorted(explain("n1h8w8c16_k3x3s1d1p1_oc16g1_linear").rows[0])
    ['chosen', 'cost', 'name', 'reason']
    """

    def __str__(self) -> str:
        if not self.rows:
            return self.title
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        cells = [[_cell(name, row.get(name)) for name in names] for row in self.rows]
        return "\n".join([self.title, *table_lines(names, cells)])


def _cell(column: str, value: Any) -> str:
    text = _shown(value)
    return shortened(text) if column == "name" else text


def _shown(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return ", ".join(map(_shown, value)) if isinstance(value, (list, tuple)) else str(value)


def explain(target: Any) -> Explanation:
    """Say how `target` is computed. `print` it for a table, iterate over it for dicts.

    target: a convolution in words such as "n1h56w56c64_k3x3s1d1p1_oc64g1_relu" (every algorithm with its cost in
    cycles or the reason why it refuses; one is chosen), a layer that was called, or a model that was called or is built
    for images of one size (every node with its algorithm and what was fused into it). Raises ValueError for text that
    is no problem and where the size of the images is not known yet, TypeError else.

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
    raise TypeError(arguments.must("target", "be the text of a convolution, a layer or a model", target))
