"""The table that `summary()` prints: layers, output shapes, parameters, connections; as Keras prints it."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from .. import arguments
from ..layers.registry import class_name_of
from ..layers.symbolic import inbound_nodes
from ..layers.weights import count_parameters
from .topology import Calls, calls_by_layer

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
    import shutil  # loads modules that no other use of a model needs

    expand_nested = arguments.flag("expand_nested", expand_nested)
    calls = calls_by_layer(model._nodes)
    columns: dict[str, Callable[[_Entry], str]]
    columns = {"Layer (type)": _title, "Output Shape": _output_shape, "Param #": _parameters}
    if not _is_linear(model, calls):
        columns["Connected to"] = _connections
    if arguments.flag("show_trainable", show_trainable):
        columns["Trainable"] = _trainable
    terminal = max(40, min(120, shutil.get_terminal_size().columns - 1))
    length = terminal if line_length is None else arguments.integer("line_length", line_length, 0)
    if length < 40:
        raise ValueError(arguments.must("line_length", "be at least 40", length))
    layers = model.operations if model._graph_class == "Functional" else model.layers
    entries = _entries(_between(list(layers), layer_range), calls, expand_nested)
    rows = [[cell(entry) for cell in columns.values()] for entry in entries]
    widths = _widths([[*columns], *rows], length - 3 * len(columns) - 1)
    box = _BOX if print_fn is not None or _can_print("┏└") else _PLAIN
    lines = [f'Model: "{model.name}"', *_table([*columns], rows, widths, box), *_totals(model)]
    if memory:
        lines.append(f" {memory}")
    (print_fn or print)("\n".join(lines))


@dataclass(frozen=True)
class _Entry:
    """A layer to list, `level` models deep; `calls` are those of the model around it."""

    layer: Any
    level: int
    calls: Calls


def _entries(layers: Sequence[Any], calls: Calls, nested: bool, level: int = 0) -> Iterator[_Entry]:
    for layer in layers:
        yield _Entry(layer, level, calls)
        if nested and hasattr(layer, "_nodes"):
            yield from _entries(layer.layers, calls_by_layer(layer._nodes), nested, level + 1)


def _between(layers: list[Any], ends: Any) -> list[Any]:
    """The layers from the first to the last whose names match one of two regular expressions, in either order."""
    if ends is None:
        return layers
    if not isinstance(ends, (list, tuple)) or len(ends) != 2 or not all(isinstance(end, str) for end in ends):
        raise ValueError(arguments.must("layer_range", "be two names", ends))
    try:
        first, last = ([i for i, layer in enumerate(layers) if re.match(end, layer.name)] for end in ends)
    except re.error as error:
        words = f"be two names or regular expressions ({error})"
        raise ValueError(arguments.must("layer_range", words, ends)) from None
    if not first or not last:
        raise ValueError(arguments.must("layer_range", "match names of layers", ends))
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


def _is_linear(model: Any, calls: Calls) -> bool:
    """Whether each layer takes what the one before it makes, so that connections need no words."""
    if model._graph_class != "Functional":
        return True
    taken = [tensor for node in model._nodes for tensor in node.inputs]
    return (
        all(len(nodes) == 1 and len(nodes[0].inputs) <= 1 for nodes in calls.values())
        and len(set(map(id, taken))) == len(taken)
        and len(model.inputs) == 1
    )


def _title(entry: _Entry) -> str:
    prefix = "   " * entry.level + "└ " if entry.level else ""
    return f"{prefix}{entry.layer.name} ({class_name_of(entry.layer)})"


def _output_shape(entry: _Entry) -> str:
    nodes = entry.calls[id(entry.layer)] or inbound_nodes(entry.layer)
    if not nodes:
        return "?"
    shapes = [str(tensor.shape) for tensor in nodes[0].outputs]
    return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"


def _parameters(entry: _Entry) -> str:
    return f"{count_parameters(entry.layer.weights):,}" if entry.layer.built else "0 (unbuilt)"


def _connections(entry: _Entry) -> str:
    found = []
    for node in entry.calls[id(entry.layer)] if entry.level == 0 else ():
        for tensor in node.inputs:
            source: Any = tensor.node
            number = entry.calls[id(source.layer)].index(source)
            found.append(f"{source.layer.name}[{number}][{tensor.index}]")
    return ", ".join(found) or "-"


def _trainable(entry: _Entry) -> str:
    return "-" if not entry.layer.weights else "Y" if entry.layer.trainable else "N"


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
        for line in zip_longest(*wrapped, fillvalue=""):
            parts = [
                part.rjust(width) if name == "Param #" else part.ljust(width)
                for name, part, width in zip(header, line, widths, strict=True)
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
    parts = {
        "Total": model.weights,
        "Trainable": model.trainable_weights,
        "Non-trainable": model.non_trainable_weights,
    }
    counts = {word: count_parameters(variables) for word, variables in parts.items()}
    return [f" {word} params: {count:,} ({readable_bytes(4 * count)})" for word, count in counts.items()]


def readable_bytes(count: float) -> str:
    """A size as Keras writes it: 6.39 MB, with units of 1024."""
    units = ["B", "KB", "MB", "GB", "TB"]
    while count >= 1024 and len(units) > 1:
        count /= 1024
        units.pop(0)
    return f"{count:.2f} {units[0]}"
