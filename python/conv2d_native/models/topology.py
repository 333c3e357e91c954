"""The calls between a model's inputs and outputs, in the order that Keras gives them.

Keras numbers and saves layers by depth (calls to the farthest output), then by the order in which a walk from
the outputs meets them. Files name weights by that order, so it is kept here: keras/src/ops/function.py,
map_graph. The walk keeps its own stack: deep networks do not exhaust Python's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ..layers.input_layer import Input, InputLayer
from ..layers.names import unique_name
from ..layers.symbolic import (
    KerasTensor,
    Node,
    Values,
    inbound_nodes,
    mark_along_batch,
    symbolic_leaves,
)
from ..structure import flatten, map_structure

_MOST_CALLS = 50_000
Calls = defaultdict[int, list[Node]]  # by the id of the layer


def map_graph(inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> tuple[list[Node], list[Any]]:
    """Return (nodes in an order that can be computed, layers in Keras's order).

    Raises ValueError where an output cannot be reached from `inputs`, or where two layers have one name.
    """
    nodes, positions = _walk(inputs, outputs)
    member = {id(node) for node in nodes}
    depths: dict[int, int] = {}
    layer_depths: dict[int, int] = {}
    layers = {id(node.layer): node.layer for node in nodes}
    for node in reversed(nodes):
        depth = max(depths.get(id(node), 0), layer_depths.get(id(node.layer), 0))
        layer_depths[id(node.layer)] = depths[id(node)] = depth
        for tensor in node.inputs:
            parent = tensor.node
            if parent is not None and id(parent) in member:
                depths[id(parent)] = max(depth + 1, depths.get(id(parent), 0))
    for tensor in inputs:
        assert tensor.node is not None
        layer = tensor.node.layer
        if id(layer) not in layers and not tensor.node.inputs:
            layers[id(layer)], layer_depths[id(layer)], positions[id(layer)] = layer, 0, -1
            nodes.append(tensor.node)
    order = sorted(layers, key=lambda key: (-layer_depths[key], positions[key]))
    _check_names([layers[key].name for key in order])
    return nodes, [layers[key] for key in order]


def with_own_inputs(inputs: Any, outputs: Any) -> tuple[Any, Any]:
    """`inputs` and `outputs` where all inputs come from Input(...).

    Where layers make some, new ones stand in their places, as in Keras, and the calls from there are recorded anew.
    Raises ValueError where that is not enough for the outputs.
    """
    given = flatten(inputs)
    if all(tensor.node is None or isinstance(tensor.node.layer, InputLayer) for tensor in given):
        return inputs, outputs
    nodes, _ = map_graph(given, flatten(outputs))
    values = Values((tensor, _own_input(tensor)) for tensor in given)
    for node in nodes:
        if not values.has(node) and all(id(tensor) in values for tensor in node.inputs):
            made = Node(node.layer, *values.arguments(node), map_structure(_copied, node.output_structure))
            further = zip(node.outputs, made.outputs, strict=True)
            values.enter((tensor, value) for tensor, value in further if id(tensor) not in values)
    for tensor in flatten(outputs):
        if id(tensor) not in values:
            raise ValueError(f"The model's inputs are not all that its output {tensor!r} needs.")
    return values.in_place(inputs), values.in_place(outputs)


def _own_input(tensor: KerasTensor) -> KerasTensor:
    assert tensor.node is not None
    if isinstance(tensor.node.layer, InputLayer):
        return tensor
    name = unique_name(f"{tensor.name}CLONE")
    return Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)


def _copied(tensor: KerasTensor) -> KerasTensor:
    return KerasTensor(tensor.shape, tensor.name, tensor.dtype, tensor.along_batch)


def calls_by_layer(nodes: Sequence[Node]) -> Calls:
    """The calls of each layer, in the order of their recording."""
    calls: Calls = defaultdict(list)
    for node in nodes:
        calls[id(node.layer)].append(node)
    for own in calls.values():
        if len(own) > 1:
            recorded = {id(node): number for number, node in enumerate(inbound_nodes(own[0].layer))}
            own.sort(key=lambda node: recorded.get(id(node), 0))
    return calls


def infer_shapes(nodes: Sequence[Node], values: Values) -> None:
    """Add to `values`, symbolic tensors, what `nodes` make of them; nothing is recorded."""
    for node in nodes:
        if node.inputs and not values.has(node):
            args, kwargs = values.arguments(node)
            made = node.layer.compute_output_spec(*args, **kwargs)
            mark_along_batch(node.layer, symbolic_leaves((args, kwargs)), flatten(made))
            values.enter(zip(node.outputs, flatten(made), strict=True))


def checked_count(name: str, nodes: Sequence[Node]) -> int:
    """How many calls of layers model `name` computes, those within the models that it calls included.

    Raises ValueError above _MOST_CALLS: a model that calls a model twice that calls a model twice ... never ends.
    """
    count = sum(_calls_in(node.layer) for node in nodes if node.inputs)
    if count > _MOST_CALLS:
        raise ValueError(
            f"Model '{name[:100]}' must compute at most {_MOST_CALLS:,} calls of layers, those in the models that it "
            f"calls included. Received: {count:,} calls."
        )
    return count


def _calls_in(layer: Any) -> int:
    known: int | None = vars(layer).get("_call_count")
    inner = layer.sublayers if known is None else ()
    return known or 1 + sum(map(_calls_in, inner))


def _walk(inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> tuple[list[Node], dict[int, int]]:
    """Nodes in post-order of a depth-first walk from the outputs, and the order in which layers were met."""
    given = {id(tensor) for tensor in inputs}
    finished: set[int] = set()
    nodes: list[Node] = []
    positions: dict[int, int] = {}
    for output in outputs:
        stack: list[tuple[KerasTensor, bool]] = [(output, False)]
        while stack:
            tensor, done = stack.pop()
            node = tensor.node
            if node is None:
                raise ValueError(f"{tensor!r} comes from no layer and is no input of the model.")
            if done:
                finished.add(id(node))
                nodes.append(node)
                continue
            if id(node) in finished:
                continue
            positions.setdefault(id(node.layer), len(positions))
            stack.append((tensor, True))
            if id(tensor) not in given:
                if not node.inputs:
                    raise ValueError(
                        f"The model's outputs need '{node.layer.name}', which is not among its inputs."
                    )
                stack.extend((parent, False) for parent in reversed(node.inputs))
    return nodes, positions


def _check_names(names: list[str]) -> None:
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    if twice:
        raise ValueError(f"Layers of a model need different names. Used twice: {', '.join(sorted(twice))}.")


def shapes_of(structure: Any) -> Any:
    """The shape of the one tensor of a structure; a flat list of the shapes of several."""
    shapes = [tensor.shape for tensor in flatten(structure)]
    return shapes[0] if len(shapes) == 1 else shapes


def alone(structure: Any) -> Any:
    """The one tensor of a list with a single one, as Keras returns it of arrays; any other structure as it is."""
    single = isinstance(structure, (list, tuple)) and len(structure) == 1
    return structure[0] if single and isinstance(structure[0], KerasTensor) else structure
