"""Nested lists, tuples and dicts of values: flattening and mapping, dicts in the order of their keys as in Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def flatten(structure: Any) -> list[Any]:
    """Return the leaves of nested lists, tuples and dicts (by sorted keys) from left to right."""
    leaves: list[Any] = []
    _gather(structure, leaves)
    return leaves


def _sorted_keys(structure: Mapping[Any, Any]) -> list[Any]:
    """The keys of a dict in order. Raises TypeError where they have none, as 1 and "a"."""
    try:
        return sorted(structure)
    except TypeError:
        raise TypeError(
            f"Keys of a dict must have an order: take strings alone. Received: keys {str([*structure])[:200]}."
        ) from None


def _gather(structure: Any, leaves: list[Any]) -> None:
    if isinstance(structure, (list, tuple)):
        for item in structure:
            _gather(item, leaves)
    elif isinstance(structure, Mapping):
        for key in _sorted_keys(structure):
            _gather(structure[key], leaves)
    else:
        leaves.append(structure)


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """Return the same structure with function(leaf) in place of every leaf; dicts are visited by sorted keys."""
    if isinstance(structure, (list, tuple)):
        made = [map_structure(function, item) for item in structure]
        return made if isinstance(structure, list) else tuple(made)
    if isinstance(structure, Mapping):
        mapped = {key: map_structure(function, structure[key]) for key in _sorted_keys(structure)}
        return {key: mapped[key] for key in structure}
    return function(structure)


def copied(structure: Any) -> Any:
    """The same lists, tuples and dicts of the same leaves: what is put into the given ones later is not in these."""
    return map_structure(lambda leaf: leaf, structure)


def pack(structure: Any, leaves: Sequence[Any]) -> Any:
    """Return `structure` with its leaves, in the order of flatten(), replaced by `leaves`."""
    rest = iter(leaves)
    return map_structure(lambda _: next(rest), structure)
