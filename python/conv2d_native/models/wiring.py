"""A functional model's configuration: its layers, the calls between them, inputs and outputs; and back.

Calls are made in the order in which their inputs become known, each once, whatever the order of the file.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

from ..arguments import shown
from ..errors import ModelFormatError
from ..layers.deserialization import class_name_of, deserialize, history, reference, revive, serialize
from ..layers.symbolic import KerasTensor, inbound_nodes
from ..structure import map_structure

Call = tuple[str, int]  # name of a layer, number of the call
_MOST_PARTS = 16_384  # tensors that the calls of a file may make beyond one each


def graph_config(model: Any) -> dict[str, Any]:
    """{"name", "trainable", "layers", "input_layers", "output_layers"} as Keras 3 writes them."""
    own = {id(node) for node in model._graph_nodes}
    numbers: dict[int, int] = {}
    for layer in model.operations:
        kept = [node for node in inbound_nodes(layer) if id(node) in own]
        numbers.update((id(node), i) for i, node in enumerate(kept))

    def tensor_config(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            assert value.node is not None
            place = [value.node.layer.name, numbers[id(value.node)], value.index]
            config = {"shape": list(value.shape), "dtype": value.dtype, "keras_history": place}
            return {"class_name": "__keras_tensor__", "config": config}
        return _plain(value)

    def place(tensor: KerasTensor) -> list[Any]:
        assert tensor.node is not None
        layer, number = tensor.node.layer, numbers[id(tensor.node)]
        return [layer.name, number + _is_functional(layer), tensor.index]

    entries = []
    for layer in model.operations:
        calls = [node for node in inbound_nodes(layer) if id(node) in own and node.inputs]
        nodes = [
            {"args": list(_mapped(tensor_config, node.args)), "kwargs": _mapped(tensor_config, node.kwargs)}
            for node in calls
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
    if isinstance(value, dict):
        return {key: _mapped(function, item) for key, item in value.items()}
    return (
        [_mapped(function, item) for item in value] if isinstance(value, (list, tuple)) else function(value)
    )


def _plain(value: Any) -> Any:
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
        for number, node in enumerate(nodes):
            calls[name, number] = node
    shifted = _shifted(layers, calls)
    made = _repeat(layers, calls, shifted)

    def tensor(found: Any) -> KerasTensor:
        name, number, index = reference(found)
        if _is_functional(layers.get(name)) or name in shifted:
            number = max(number - 1, 0)
        return _output(made, name, number, index)

    return _placed(tensor, config.get("input_layers")), _placed(tensor, config.get("output_layers"))


def _placed(function: Any, places: Any) -> Any:
    """Map references [name, node, index] in lists and dicts of them; a list of one is that one."""
    if isinstance(places, Mapping):
        return {str(key): _placed(function, value) for key, value in places.items()}
    if isinstance(places, (list, tuple)) and places and not isinstance(places[0], str):
        made = [_placed(function, place) for place in places]
        return made[0] if len(made) == 1 else made
    return function(places)


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


def _shifted(layers: Mapping[str, Any], calls: Mapping[Call, Any]) -> set[str]:
    """Nested models whose calls Keras 2 numbered from 1."""
    counts: dict[str, int] = defaultdict(int)
    for name, _ in calls:
        counts[name] += 1
    return {
        name
        for node in calls.values()
        for name, number in _references(node)
        if name in layers and getattr(layers[name], "_graph_class", None) and number >= counts[name] > 0
    }


def _repeat(layers: Mapping[str, Any], calls: Mapping[Call, Any], shifted: set[str]) -> dict[Call, list[Any]]:
    """Call the layers as the configuration says; the results by call."""
    made: dict[Call, list[Any]] = {}
    for name, layer in layers.items():
        if (name, 0) not in calls and inbound_nodes(layer):
            made[name, 0] = inbound_nodes(layer)[0].outputs
    needs = {call: {(n, max(i - (n in shifted), 0)) for n, i in _references(calls[call])} for call in calls}
    waiting: dict[Call, list[Call]] = defaultdict(list)
    missing: dict[Call, int] = {}
    for call, wanted in needs.items():
        for other in wanted:
            if other not in calls and other not in made:
                raise ModelFormatError(
                    f"Layer {shown(call[0])} takes a tensor of {other[0]!r}, which is not there."
                )
        missing[call] = len(wanted - set(made))
        for other in wanted - set(made):
            waiting[other].append(call)
    ready = deque(call for call in calls if not missing[call])
    parts = 0
    while ready:
        call = ready.popleft()
        made[call] = _call(layers[call[0]], calls[call], made, shifted)
        parts += len(made[call]) - 1
        if parts > _MOST_PARTS:
            raise ModelFormatError(
                f"Layer {shown(call[0])}: calls with several results make more than {_MOST_PARTS} tensors."
            )
        for other in waiting[call]:
            missing[other] -= 1
            if not missing[other]:
                ready.append(other)
    if len([call for call in calls if call in made]) < len(calls):
        stuck = sorted({name for name, number in calls if (name, number) not in made})
        raise ModelFormatError(f"These layers wait for each other: {', '.join(stuck)[:300]}.")
    return made


def _output(made: Mapping[Call, list[Any]], name: str, number: int, index: int) -> KerasTensor:
    outputs = made.get((name, number))
    if outputs is None or index >= len(outputs):
        raise ModelFormatError(f"There is no tensor {index} of call {number} of layer {name[:100]!r}.")
    tensor: KerasTensor = outputs[index]
    return tensor


def _call(layer: Any, node: Any, made: Mapping[Call, list[Any]], shifted: set[str]) -> list[Any]:
    if not isinstance(node, Mapping):
        raise ModelFormatError(
            f"Layer '{layer.name[:100]}': a call is a dict of 'args' and 'kwargs': {shown(node)}."
        )

    def tensors(name: str, number: int, index: int) -> KerasTensor:
        return _output(made, name, max(number - (name in shifted), 0), index)

    try:
        args = revive(node.get("args") or [], tensors)
        kwargs = revive(node.get("kwargs") or {}, tensors)
        before = len(inbound_nodes(layer))
        layer(*args, **kwargs)
        return inbound_nodes(layer)[before].outputs
    except ModelFormatError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ZeroDivisionError) as error:
        name, kind = layer.name[:100], class_name_of(layer)[:100]
        raise ModelFormatError(f"Layer '{name}' ({kind}): {error}") from error
