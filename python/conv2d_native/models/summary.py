"""The table that `summary()` prints: layers, output shapes, parameters, connections; as Keras prints it."""

from __future__ import annotations

import math
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from .. import arguments
from ..layers.deserialization import class_name_of
from ..layers.symbolic import inbound_nodes

_BOX = {"top": "┏━┳┓", "under": "┡━╇┩", "between": "├─┼┤", "bottom": "└─┴┘", "head": "┃┃┃", "row": "│││"}
_PLAIN = {"top": "+-++", "under": "+=++", "between": "+-++", "bottom": "+-++", "head": "|||", "row": "|||"}


def summarize(
    model: Any,
    line_length: int | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    memory: str | None = None,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Print the table of `model`, or hand it to `print_fn` as one text."""
    expand_nested = arguments.flag("expand_nested", expand_nested)
    show_trainable = arguments.flag("show_trainable", show_trainable)
    linear = _is_linear(model)
    header = ["Layer (type)", "Output Shape", "Param #"] + ([] if linear else ["Connected to"])
    if show_trainable:
        header = [*header, "Trainable"]
    columns = max(40, min(120, shutil.get_terminal_size().columns - 1))
    length = columns if line_length is None else arguments.integer("line_length", line_length, 0)
    if length < 40:
        raise ValueError(f"`line_length` must be at least 40. Received: line_length={length}.")
    rows = [
        row
        for layer in _between(_shown(model), layer_range)
        for row in _rows(layer, model, linear, expand_nested, show_trainable, 0)
    ]
    widths = _widths([header, *rows], length - 3 * len(header) - 1)
    box = _BOX if print_fn is not None or _can_print("┏└") else _PLAIN
    lines = [f'Model: "{model.name}"', *_table(header, rows, widths, box), *_totals(model)]
    if memory:
        lines.append(f" {memory}")
    (print_fn or print)("\n".join(lines))


def _between(layers: list[Any], ends: Any) -> list[Any]:
    """The layers from the first to the last whose names match one of two regular expressions, in either order."""
    if ends is None:
        return layers
    if not isinstance(ends, (list, tuple)) or len(ends) != 2 or not all(isinstance(end, str) for end in ends):
        raise ValueError(f"`layer_range` must be two names. Received: layer_range={arguments.shown(ends)}.")
    first, last = ([i for i, layer in enumerate(layers) if re.match(end, layer.name)] for end in ends)
    if not first or not last:
        raise ValueError(
            f"`layer_range` must match names of layers. Received: layer_range={arguments.shown(ends)}."
        )
    if first[0] > last[-1]:
        first, last = last, first
    return layers[first[0] : last[-1] + 1]


def _widths(rows: Sequence[Sequence[str]], total: int) -> list[int]:
    """Widths of the columns, together at most `total`: narrow ones get what they need, wide ones share the rest."""
    needed = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths = [0] * len(needed)
    for rank, column in enumerate(sorted(range(len(needed)), key=needed.__getitem__)):
        widths[column] = min(needed[column], (total - sum(widths)) // (len(needed) - rank))
    return widths


def _can_print(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _shown(model: Any) -> list[Any]:
    return list(model.operations if model._graph_class == "Functional" else model.layers)


def _is_linear(model: Any) -> bool:
    if model._graph_class != "Functional":
        return True
    own = {id(node) for node in model._nodes}
    calls = [[node for node in inbound_nodes(layer) if id(node) in own] for layer in model.operations]
    taken = [tensor for node in model._nodes for tensor in node.inputs]
    return (
        all(len(nodes) == 1 and len(nodes[0].inputs) <= 1 for nodes in calls)
        and len({id(tensor) for tensor in taken}) == len(taken)
        and len(model.inputs) == 1
    )


def _rows(layer: Any, model: Any, linear: bool, expand: bool, trainable: bool, level: int) -> list[list[str]]:
    prefix = "   " * level + "└ " if level else ""
    row = [f"{prefix}{layer.name} ({class_name_of(layer)})", _shape_text(layer, model), _parameters(layer)]
    if not linear:
        row.append(_connections(layer, model) if level == 0 else "-")
    if trainable:
        row.append("-" if not layer.weights else "Y" if layer.trainable else "N")
    rows = [row]
    if expand and hasattr(layer, "_nodes"):
        for inner in layer.layers:
            rows += _rows(inner, layer, linear, expand, trainable, level + 1)
    return rows


def _shape_text(layer: Any, model: Any) -> str:
    own = {id(node) for node in model._nodes}
    nodes = [node for node in inbound_nodes(layer) if id(node) in own]
    nodes = nodes or [node for node in model._nodes if node.layer is layer] or inbound_nodes(layer)
    if not nodes:
        return "?"
    shapes = [str(tuple(tensor.shape)) for tensor in nodes[0].outputs]
    return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"


def _parameters(layer: Any) -> str:
    return f"{count_parameters(layer.weights):,}" if layer.built else "0 (unbuilt)"


def _connections(layer: Any, model: Any) -> str:
    own = {id(node) for node in model._nodes}
    found = []
    for node in inbound_nodes(layer):
        if id(node) in own:
            for tensor in node.inputs:
                source: Any = tensor.node
                number = [n for n in inbound_nodes(source.layer) if id(n) in own].index(source)
                found.append(f"{source.layer.name}[{number}][{tensor.index}]")
    return ", ".join(found) or "-"


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], box: Any
) -> list[str]:
    def rule(kind: str) -> str:
        left, line, cross, right = box[kind]
        return left + cross.join(line * (width + 2) for width in widths) + right

    def cells(values: Sequence[str], kind: str) -> list[str]:
        side = box[kind][0]
        wrapped = [_wrap(value, width) for value, width in zip(values, widths, strict=True)]
        lines = []
        for i in range(max(map(len, wrapped))):
            parts = [column[i] if i < len(column) else "" for column in wrapped]
            parts = [
                part.rjust(width) if header[k] == "Param #" else part.ljust(width)
                for k, (part, width) in enumerate(zip(parts, widths, strict=True))
            ]
            lines.append(f"{side} " + f" {side} ".join(parts) + f" {side}")
        return lines

    lines = [rule("top"), *cells(header, "head"), rule("under")]
    for i, row in enumerate(rows):
        lines += ([rule("between")] if i else []) + cells(row, "row")
    return [*lines, rule("bottom")]


def _wrap(text: str, width: int) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(text.lstrip(), width, initial_indent=indent, subsequent_indent=indent) or [""]


def _totals(model: Any) -> list[str]:
    parts = (
        ("Total", model.weights),
        ("Trainable", model.trainable_weights),
        ("Non-trainable", model.non_trainable_weights),
    )
    counts = [(word, count_parameters(variables)) for word, variables in parts]
    return [f" {word} params: {count:,} ({readable_bytes(4 * count)})" for word, count in counts]


def count_parameters(variables: Sequence[Any]) -> int:
    """The number of values in `variables`."""
    return sum(math.prod(variable.shape) for variable in variables)


def readable_bytes(count: float) -> str:
    """A size as Keras writes it: 6.39 MB, with units of 1024."""
    units = ["B", "KB", "MB", "GB", "TB"]
    while count >= 1024 and len(units) > 1:
        count /= 1024
        units.pop(0)
    return f"{count:.2f} {units[0]}"
