"""Layers of the user's that were written for Keras: `call(self, x)` instead of `call(self, f, x)`.

Such a call is run on symbolic tensors. It records nodes, of operations and of layers in it, which are then computed
with the operations of `f`. The nodes are taken off the layers again: they belong to no model.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..named_objects import to_snake_case
from ..structure import flatten, map_structure
from .registry import class_name_of
from .symbolic import KerasTensor, Node, compute_node, inbound_nodes, map_shapes
from .weights import WeightOwner


def adapt_call(cls: Any) -> None:
    """Where `cls` defines call(self, x, ...), put call(self, f, x) in its place, and find output shapes and layers."""
    own = vars(cls).get("call")
    if not inspect.isfunction(own) or own.__code__.co_varnames[1:2] == ("f",):
        return
    parameters = list(inspect.signature(own).parameters)
    if parameters[1:2] == ["f"]:
        return
    words = {"training": False} if "training" in parameters else {}

    def record(
        layer: Any, x: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            made = own(layer, x, *args, **words, **(kwargs or {}))
        except TypeError as error:
            if "KerasTensor" not in str(error):
                raise
            raise TypeError(
                f"call() of layer '{layer.name}' gets symbolic tensors: compute with conv2d_native.ops. {error}"
            ) from error
        if not all(isinstance(tensor, KerasTensor) for tensor in flatten(made)):
            raise TypeError(
                f"call() of layer '{layer.name}' must return what operators, conv2d_native.ops and layers make of `x`. "
                f"It returned {type(made).__name__}."
            )
        return made

    def call(self: Any, f: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        given = (x, args, kwargs)
        places = map_structure(_place, given)
        made = record(self, *places)
        known = zip(flatten(places), flatten(given), strict=True)
        values = {id(place): value for place, value in known if isinstance(place, KerasTensor)}
        for node in _taken_off(made):
            compute_node(f, node, values)
        return map_structure(lambda tensor: values[id(tensor)], made)

    def compute_output_shape(self: Any, input_shape: Any) -> Any:
        made = record(self, map_shapes(KerasTensor, input_shape))
        _taken_off(made)
        return map_structure(lambda tensor: tensor.shape, made)

    call.__doc__, compute_output_shape.__doc__ = own.__doc__, "The shape of what call returns."
    cls.call = call
    if "compute_output_shape" not in vars(cls):
        cls.compute_output_shape = compute_output_shape
    if "named_sublayers" not in vars(cls):
        cls.named_sublayers = _attributes
        cls._stored_sublayers, cls._sublayers_in_config = WeightOwner._stored_sublayers, False


def _place(value: Any) -> Any:
    """A symbolic tensor in place of a value that is computed; constants as they are."""
    return KerasTensor((None, *value.shape[1:])) if hasattr(value, "shape") else value


def _taken_off(made: Any) -> list[Node]:
    """The nodes that lead to `made`, in an order that can be computed; no layer lists them any more."""
    nodes: list[Node] = []
    pending = [(tensor.node, False) for tensor in flatten(made)]
    met: set[int] = set()
    while pending:
        node, done = pending.pop()
        if node is None:
            continue
        if done:
            nodes.append(node)
        elif id(node) not in met:
            met.add(id(node))
            inbound_nodes(node.layer).remove(node)
            pending += [(node, True), *((tensor.node, False) for tensor in node.inputs)]
    return nodes


def _attributes(layer: Any) -> list[tuple[str, Any]]:
    """The layers in attributes, in the order of these. One in several has the name that Keras's files take."""
    held = {name: held_layers(name, value) for name, value in list(vars(layer).items())}
    names: dict[int, str] = {}
    for attribute in sorted(held, key=lambda name: (name.startswith("_"), name)):
        for name, inner in held[attribute]:
            names.setdefault(id(inner), name)
    found = {id(inner): inner for pairs in held.values() for _, inner in pairs}
    return [(names[key], inner) for key, inner in found.items()]


def held_layers(place: str, value: Any, around: tuple[int, ...] = ()) -> list[tuple[str, Any]]:
    """The layers in `value`, a layer or nested lists, tuples and dicts, after their groups in Keras 3's files."""
    if isinstance(value, WeightOwner):
        return [(place, value)]
    if not isinstance(value, (list, tuple, dict)) or id(value) in around:
        return []
    found: list[tuple[str, Any]] = []
    counts: Counter[str] = Counter()
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, WeightOwner):
            word = to_snake_case(class_name_of(item))
        elif isinstance(item, (list, tuple, dict)):
            word = "container"
        else:
            continue
        name = f"{word}_{counts[word]}" if counts[word] else word
        counts[word] += 1
        found += held_layers(f"{place}/{name}", item, (*around, id(value)))
    return found
