"""A model as a picture: the graph in DOT, Graphviz's language, and as SVG or PNG where its program `dot` is."""

from __future__ import annotations

import os
from typing import Any

from .. import arguments
from ..layers.registry import class_name_of
from ..layers.weights import count_parameters
from .topology import calls_by_layer


def to_dot(model: Any, shapes: bool = True) -> str:
    """The model's graph in DOT: a box per layer with class, output shape and parameters; an arrow per tensor."""
    calls = calls_by_layer(model._nodes)
    called = list(dict.fromkeys(node.layer for node in model._nodes))
    operations = model.operations if model._own_call is None else called
    names = {id(layer): f"n{i}" for i, layer in enumerate(operations)}
    lines = [
        f"digraph {_quoted(model.name)} {{",
        '  node [shape=box, style="rounded,filled", fillcolor="#eef3fa", fontname="Helvetica", fontsize=10];',
        '  edge [color="#666666", arrowsize=0.7];',
    ]
    for layer in operations:
        parts = [layer.name, class_name_of(layer)]
        if shapes and calls[id(layer)]:
            parts.append(" ".join(str(tensor.shape) for tensor in calls[id(layer)][0].outputs))
        if count := count_parameters(layer.weights):
            parts.append(f"{count:,} parameters")
        lines.append(f"  {names[id(layer)]} [label={_quoted(chr(10).join(parts))}];")
    for node in model._nodes:
        for tensor in node.inputs:
            if tensor.node is not None:
                lines.append(f"  {names[id(tensor.node.layer)]} -> {names[id(node.layer)]};")
    return "\n".join([*lines, "}"]) + "\n"


def save_picture(model: Any, path: str | os.PathLike[str], shapes: bool = True) -> None:
    """Write the picture to `path`: .dot anywhere; .svg, .png and .pdf need Graphviz's program `dot`.

    Raises TypeError for what is no path, ValueError for other endings, OSError where `dot` is not installed or fails.
    """
    target, kind = arguments.path("path", path), kind_of_picture(path)
    text = to_dot(model, shapes)
    if kind in ("dot", "gv"):
        with open(target, "w", encoding="utf-8") as file:
            file.write(text)
        return
    import shutil  # these load modules that no other use of a model needs
    import subprocess

    program = shutil.which("dot")
    if program is None:
        raise OSError("Graphviz's program `dot` is not installed: write a .dot file, or install graphviz.")
    command = [program, f"-T{kind}", "-o", target]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    if done.returncode:
        raise OSError(f"`dot` failed: {done.stderr.decode(errors='replace').strip()[:300]}")


def kind_of_picture(path: Any) -> str:
    """The ending of `path` without its dot. Raises TypeError for what is no path, ValueError for other endings."""
    kind = os.path.splitext(arguments.path("path", path))[1].lower().removeprefix(".")
    if kind not in ("dot", "gv", "svg", "png", "pdf"):
        raise ValueError(arguments.must("path", "end in .dot, .svg, .png or .pdf", path))
    return kind


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
