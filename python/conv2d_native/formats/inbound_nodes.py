"""How layers were called: the inbound nodes of Keras 2 and 3 in the form of Keras 3.

A node is {"args": [...], "kwargs": {...}} with tensors as {"class_name": "__keras_tensor__"}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ModelFormatError
from .layer_paths import Tree


def settled_nodes(nodes: Any, fault: Callable[[str], ModelFormatError]) -> list[Tree]:
    """The calls of a layer, whose errors `fault` makes of a text."""
    if not isinstance(nodes, list):
        raise fault(f"inbound_nodes must be a list, found {str(nodes)[:200]}.")
    made = []
    kwargs: Tree
    for node in nodes:
        if isinstance(node, dict) and node.keys() == {"args", "kwargs"}:
            if not isinstance(node["args"], list) or not isinstance(node["kwargs"], dict):
                raise fault("an inbound node's args must be a list and its kwargs an object.")
            # Keras 3's predict sets `training` of every call to False, whatever the file says.
            kwargs = {key: value for key, value in node["kwargs"].items() if key != "training"}
            made.append({"args": node["args"], "kwargs": kwargs})
        else:
            kwargs = {}
            alone = isinstance(node, list) and len(node) == 1
            argument = _old_tensors(node[0] if alone else node, kwargs, fault)
            kwargs.pop("name", None)
            made.append({"args": [argument], "kwargs": kwargs})
    return made


def _old_tensors(value: Any, kwargs: Tree, fault: Callable[[str], ModelFormatError]) -> Any:
    """Keras 2's [layer, node, tensor, kwargs], or lists and dicts of those; their kwargs are added to `kwargs`."""
    if (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and not isinstance(value[1], list)
    ):
        if len(value) == 4 and isinstance(value[3], dict):
            kwargs |= {key: _old_argument(inner) for key, inner in value[3].items()}
        if value[0] == "_CONSTANT_VALUE":
            return plain(value[2])
        if is_tensor_place(value[:3]):
            return _tensor(value)
    elif isinstance(value, list):
        return [_old_tensors(inner, kwargs, fault) for inner in value]
    elif isinstance(value, dict):
        return {key: _old_tensors(inner, kwargs, fault) for key, inner in value.items()}
    raise fault(f"an inbound node cannot be understood: {str(value)[:200]}.")


def _old_argument(value: Any) -> Any:
    if isinstance(value, list):
        return _tensor(value) if is_tensor_place(value) else [_old_argument(inner) for inner in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _old_argument(inner) for key, inner in value.items()}
    return plain(value)


def with_states_named(node: Tree) -> Tree:
    """The call of a recurrent layer, which Keras 2 gives the states to begin with behind the sequences, in one list."""
    kwargs = {key: value for key, value in node["kwargs"].items() if value is not None}
    first, *others = node["args"]
    if isinstance(first, list) and len(first) > 1:
        first, kwargs["initial_state"] = first[0], first[1:]
    return {"args": [first, *others], "kwargs": kwargs}


def is_tensor_place(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in value[1:3])
    )


def _tensor(place: list[Any]) -> Tree:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": place[:3]}}


def plain(value: Any) -> Any:
    """JSON's stand-ins for tuples, shapes and NumPy values replaced by lists and numbers."""
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("class_name")
    if kind in ("__tuple__", "TensorShape") and isinstance(value.get("items"), list):
        return [plain(inner) for inner in value["items"]]
    config = value.get("config")
    if kind in ("__numpy__", "__tensor__") and isinstance(config, dict) and "value" in config:
        return plain(config["value"])
    return {key: plain(inner) for key, inner in value.items()}
