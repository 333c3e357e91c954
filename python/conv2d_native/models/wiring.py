"""A functional model's configuration: its layers, the calls between them, inputs and outputs; and back.

Calls are made in the order in which their inputs become known, each once, whatever the order of the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ..arguments import shown
from ..errors import ModelFormatError
from ..layers.deserialization import deserialize, history, reference, revive
from ..layers.function_layer import FunctionLayer
from ..layers.names import names_taken
from ..layers.registry import class_name_of, serialize
from ..layers.symbolic import KerasTensor, NodeLayer, inbound_nodes
from ..structure import map_structure
from .topology import calls_by_layer

Call = tuple[str, int]  # name of a layer, number of the call
_MOST_PARTS = 16_384  # tensors that the calls of a file may make beyond one each


def graph_config(model: Any) -> dict[str, Any]:
    """{"name", "trainable", "layers", "input_layers", "output_layers"} as Keras 3 writes them."""
    calls = calls_by_layer(model._graph_nodes)
    numbers = {id(node): number for nodes in calls.values() for number, node in enumerate(nodes)}

    def tensor_config(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            assert value.node is not None
            history = [value.node.layer.name, numbers[id(value.node)], value.index]
            config = {"shape": list(value.shape), "dtype": value.dtype, "keras_history": history}
            return {"class_name": "__keras_tensor__", "config": config}
        return _stand_in(value)

    def place(tensor: KerasTensor) -> list[Any]:
        assert tensor.node is not None
        layer, number = tensor.node.layer, numbers[id(tensor.node)]
        return [layer.name, number + _is_functional(layer), tensor.index]

    entries = []
    for layer in model.operations:
        nodes = [
            {"args": _mapped(tensor_config, node.args), "kwargs": _mapped(tensor_config, node.kwargs)}
            for node in calls[id(layer)]
            if node.inputs
        ]
        entries.append({**serialize(layer), "name": layer.name, "inbound_nodes": nodes})
    return {
        "name": model.name,
        "trainable": bool(model.trainable),
        "layers": entries,
        "input_layers": map_structure(place, model._input_structure),
        "output_layers": map_structure(place, model._output_structure),
    }


def _is_functional(layer: Any) -> bool:
    """Whether Keras's outputs of a model around `layer` count its calls from 1."""
    return getattr(layer, "_graph_class", None) == "Functional"


def _mapped(function: Any, value: Any) -> Any:
    """`function` of every leaf, in lists and dicts: JSON has no tuples."""
    if isinstance(value, dict):
        return {key: _mapped(function, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mapped(function, item) for item in value]
    return function(value)


def _stand_in(value: Any) -> Any:
    """What Keras's JSON has for a slice, an Ellipsis, an array or a NumPy number; all else as it is."""
    if isinstance(value, slice):
        return {
            "class_name": "__slice__",
            "config": {"start": value.start, "stop": value.stop, "step": value.step},
        }
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if hasattr(value, "tolist"):
        number = value.tolist()
        if not isinstance(number, list):
            return number
        return {"class_name": "__numpy__", "config": {"value": number, "dtype": str(value.dtype)}}
    return value


def connect(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None) -> tuple[Any, Any]:
    """Make the layers of a functional configuration, repeat the calls, and return (inputs, outputs).

    Raises ModelFormatError for calls of layers that are not there and for calls that wait for each other.
    """
    entries = config.get("layers")
    if not isinstance(entries, list) or not entries:
        raise ModelFormatError(f"A functional model has a list of 'layers'. Found: {shown(entries)}.")
    layers: dict[str, Any] = {}
    calls: dict[Call, Any] = {}
    for entry in entries:
        layer = deserialize(entry, custom_objects)
        name = entry.get("name", layer.name)
        if not isinstance(name, str) or name in layers:
            raise ModelFormatError(f"Layers need different names. Used twice: {shown(name)}.")
        layers[name] = layer
        nodes = entry.get("inbound_nodes") or []
        if not isinstance(nodes, list):
            raise ModelFormatError(f"Layer {shown(name)}: 'inbound_nodes' is no list. Found: {shown(nodes)}.")
        calls.update(((name, number), node) for number, node in enumerate(nodes))
    repeated = _Calls(layers, calls)
    with names_taken(layers):
        repeated.make()
    inputs, outputs = config.get("input_layers"), config.get("output_layers")
    _placed(repeated.note_end, outputs)
    return _placed(repeated.end, inputs), _placed(repeated.end, outputs)


def _placed(function: Any, places: Any, inside: bool = False) -> Any:
    """Map references [name, node, index] in lists and dicts of them; a list of one is that one, but `inside` others."""
    if isinstance(places, Mapping):
        return {str(key): _placed(function, value, inside=True) for key, value in places.items()}
    if isinstance(places, (list, tuple)) and places and not isinstance(places[0], str):
        made = [_placed(function, place, inside=True) for place in places]
        return made[0] if len(made) == 1 and not inside and isinstance(made[0], KerasTensor) else made
    return function(places)


class _Calls:
    """The calls of a configuration, and the tensors that came out of those that were made."""

    def __init__(self, layers: Mapping[str, Any], nodes: Mapping[Call, Any]) -> None:
        self.layers, self.nodes = layers, nodes
        self.results: dict[Call, list[KerasTensor]] = {}
        self._counts = Counter(name for name, _ in nodes)
        self._counted_from_1 = {
            name
            for node in nodes.values()
            for name, number in _references(node)
            if self._is_beyond(name, number)
        }
        self._ends_counted_from_1 = {name for name, layer in layers.items() if _is_functional(layer)}

    def make(self) -> None:
        """Make every call once, after those whose results it takes."""
        for name, layer in self.layers.items():
            if (name, 0) not in self.nodes and inbound_nodes(layer):
                self.results[name, 0] = inbound_nodes(layer)[0].outputs
        parts = 0
        for call in self._ordered():
            self.results[call] = self._call(self.layers[call[0]], self.nodes[call])
            parts += len(self.results[call]) - 1
            if parts > _MOST_PARTS:
                raise ModelFormatError(
                    f"Layer {shown(call[0])}: calls with several results make more than {_MOST_PARTS} tensors."
                )

    def tensor(self, name: str, number: int, index: int) -> KerasTensor:
        """The tensor that a reference in a call means."""
        outputs = self.results.get(self._numbered(name, number))
        if outputs is None or index >= len(outputs):
            raise ModelFormatError(f"There is no tensor {index} of call {number} of layer {name[:100]!r}.")
        return outputs[index]

    def note_end(self, place: Any) -> None:
        """Find out by an output of the model how the outputs count the calls of its layer: Keras 2 from 1."""
        name, number, _ = reference(place)
        if self._is_beyond(name, number):
            self._ends_counted_from_1.add(name)

    def end(self, place: Any) -> KerasTensor:
        """The tensor that an input or output of the model means."""
        name, number, index = reference(place)
        counted_from_1 = name in self._ends_counted_from_1 - self._counted_from_1
        return self.tensor(name, max(number - counted_from_1, 0), index)

    def _is_beyond(self, name: str, number: int) -> bool:
        """Whether `number` is beyond the calls of a nested model: Keras 2 numbered them from 1."""
        return bool(getattr(self.layers.get(name), "_graph_class", None) and number >= self._counts[name] > 0)

    def _numbered(self, name: str, number: int) -> Call:
        return name, max(number - (name in self._counted_from_1), 0)

    def _ordered(self) -> list[Call]:
        """The calls in the order in which their inputs become known."""
        order: TopologicalSorter[Call] = TopologicalSorter(dict.fromkeys(self.nodes, ()))
        for call, node in self.nodes.items():
            needed = {self._numbered(*other) for other in _references(node)}.difference(self.results)
            for name, _ in needed.difference(self.nodes):
                raise ModelFormatError(
                    f"Layer {shown(call[0])} takes a tensor of {name!r}, which is not there."
                )
            order.add(call, *needed)
        try:
            return list(order.static_order())
        except CycleError as error:
            names = ", ".join(sorted({name for name, _ in error.args[1]}))
            raise ModelFormatError(f"These layers wait for each other: {names[:300]}.") from None

    def _call(self, layer: Any, node: Any) -> list[KerasTensor]:
        if not isinstance(node, Mapping):
            raise ModelFormatError(
                f"Layer '{layer.name[:100]}': a call is a dict of 'args' and 'kwargs': {shown(node)}."
            )
        try:
            args = revive(node.get("args") or [], self.tensor)
            kwargs = revive(node.get("kwargs") or {}, self.tensor)
            if isinstance(layer, FunctionLayer):
                args, kwargs = layer.arranged(args, kwargs)
            before = len(inbound_nodes(layer))
            made = layer(*args, **kwargs)
            nodes = inbound_nodes(layer)[before:]
            has_no_node = isinstance(layer, NodeLayer) and not nodes
            if has_no_node:  # sizes, or several operations, which a list has the results of
                return made if isinstance(made, list) else [made]
            return nodes[0].outputs
        except ModelFormatError:
            raise
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, ZeroDivisionError) as error:
            name, kind = layer.name[:100], class_name_of(layer)[:100]
            raise ModelFormatError(f"Layer '{name}' ({kind}): {error}") from error


def _references(value: Any) -> set[Call]:
    """The calls whose results a call takes."""
    found: set[Call] = set()
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            if item.get("class_name") == "__keras_tensor__" and isinstance(item.get("config"), Mapping):
                found.add(history(item["config"])[:2])
            else:
                pending.extend(item.values())
        elif isinstance(item, (list, tuple)):
            pending.extend(item)
    return found
