"""Losses and metrics in the graph of a Keras 2 model (add_loss, add_metric): what leads to them alone is left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_LOSSES = ("AddLoss", "AddMetric")
_OPERATIONS = ("SlicingOpLambda", "TFOpLambda")  # without weights


def without_losses(layers: list[Any], ends: Any) -> list[Any]:
    """The entries of a functional model without losses and metrics, and without operations that only these ask for.

    ends: where the model's outputs are named, anyhow nested. Layers stay, since files have their weights.
    """
    entries = {_name(entry): entry for entry in layers if isinstance(entry, dict)}
    if not any(entry.get("class_name") in _LOSSES for entry in entries.values()):
        return layers
    pending = [
        name for name, entry in entries.items() if entry.get("class_name") not in (*_LOSSES, *_OPERATIONS)
    ]
    pending += [text for text in _texts(ends) if text in entries]
    needed = set(pending)
    while pending:
        asked = set(_texts(entries[pending.pop()].get("inbound_nodes"))) & entries.keys()
        pending += asked - needed
        needed |= asked
    return [entry for entry in layers if not isinstance(entry, dict) or _name(entry) in needed]


def _name(entry: dict[str, Any]) -> str:
    config = entry.get("config")
    return str(entry.get("name") or (config.get("name") if isinstance(config, dict) else None))


def _texts(value: Any) -> Iterable[str]:
    """Every text in nested lists and dicts: names of layers, among others."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, list):
            pending += item
