"""Where a layer's weights stand: from layer names to the groups that Keras's saving writes.

`layers/<snake case of the class>[_n]/vars/<i>` in the order of the model's layers; n counts the layers of one class
that come before. Keras 2.12 and 2.13 write `_layer_checkpoint_dependencies` in place of `layers`, and count some
layers twice. Wrappers keep their layer under `layer`. Operation nodes are not layers and are not counted.
"""

from __future__ import annotations

import re
from typing import Any

from ..activations import LAYERS as FUSED
from ..named_objects import OPERATION_MODULES, numbered, to_snake_case
from .hdf5 import Hdf5

WRAPPED = ("layer", "forward_layer", "backward_layer", "cell")  # words under which wrappers keep their layers
NAMED_HERE = "named_here"  # of an entry: the file does not tell the layer's name, "name" is made up
MASKS_OF_KERAS_2 = "masks_of_keras_2"  # of an entry, True: the layer does with masks as in Keras 2
MODEL_CLASSES = ("Sequential", "Functional", "Model")
CLASSES_WITH_LAYERS = (*MODEL_CLASSES, "Pipeline")  # their configurations list layers
_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
Tree = dict[str, Any]
Path = tuple[str, ...]


def is_model(entry: Tree) -> bool:
    """Whether the entry of a configuration, {"class_name", "config"}, holds layers in a list."""
    return lists_layers(str(entry.get("class_name")), entry.get("config", {}))


def tells_all(entry: Tree) -> bool:
    """Whether a configuration holds all layers inside: one of a class of the user's may have others in attributes."""
    return is_model(entry) and entry.get("class_name") in CLASSES_WITH_LAYERS


def lists_layers(class_name: str, config: Tree) -> bool:
    """Whether `layers` in a configuration are layers, rather than numbers that a class of the user's calls so."""
    found = config.get("layers")
    return isinstance(found, list) and (
        class_name in CLASSES_WITH_LAYERS or any(isinstance(entry, dict) for entry in found)
    )


def layer_name(entry: Tree) -> str:
    """The name of the layer of an entry, "" where it has none."""
    return str(entry.get("name") or entry["config"].get("name") or "")


def children(entry: Tree) -> dict[str, Tree]:
    """Layers directly inside a model or a wrapper, by name."""
    return {layer_name(child): child for _, child in _grouped(entry)}


def group_names(entry: Tree) -> dict[str, str]:
    """Layer name -> name of its group, for the layers of a model (or of a wrapper)."""
    return {layer_name(child): group for group, child in _grouped(entry)}


def _grouped(entry: Tree) -> list[tuple[str, Tree]]:
    """The layers directly inside a model or a wrapper, after the names of their groups."""
    config = entry.get("config", {})
    if not is_model(entry):
        inside = [(word, config[word]) for word in WRAPPED if is_layer(config.get(word))]
        activation = config.get("activation")
        if is_layer(activation) and activation["class_name"] not in FUSED:
            inside.append(("activation", activation))
        return inside
    counts: dict[str, int] = {}
    return [
        (numbered(counts, to_snake_case(child["class_name"])), child)
        for child in config["layers"]
        if not str(child.get("module", "")).startswith(OPERATION_MODULES)
    ]


def is_layer(value: Any) -> bool:
    """Whether a value in a configuration describes a layer."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("config"), dict)
        and isinstance(value.get("class_name"), str)
    )


class LayerTree:
    """The layers of a configuration by path; `children` looks at each model once."""

    def __init__(self, config: Tree | None) -> None:
        self._config = config
        self._children: dict[int, dict[str, Tree]] = {}

    def children(self, entry: Tree) -> dict[str, Tree]:
        """As the function `children`; `entry` must be a part of the configuration."""
        if id(entry) not in self._children:
            self._children[id(entry)] = children(entry)
        return self._children[id(entry)]

    def entry(self, path: Path) -> Tree | None:
        """What the configuration has of the layer at `path`; None where it does not tell it."""
        found = self._config
        for name in path:
            found = None if found is None else self.children(found).get(name)
        return found

    def owner(self, path: Path) -> tuple[bool, str | None]:
        """How a legacy file names the weights of the layer at `path`.

        First, whether path[0] is one plain layer, whose group holds nothing else. Second, the layer below path[0] whose
        name the weights bear (a wrapper's, not that of the layer in it); None where path[0] is no model.
        """
        entry, owner = self._config, None if self._config else path[-1]
        for depth, name in enumerate(path):
            if entry is None:
                break
            if is_model(entry) and depth:
                owner = name
            entry = self.children(entry).get(name)
        known = entry is not None and bool(self.children(entry))
        return len(path) == 1 and not known, owner if len(path) > 1 else None


class GroupFinder:
    """Finds groups of an HDF5 file by layer names; without a configuration, names are group names."""

    def __init__(self, file: Hdf5, config: Tree | None) -> None:
        self._file, self._layers = file, LayerTree(config)
        self._found: dict[Path, tuple[Path, Tree | None]] = {(): ((), config)}
        self._places: dict[Path, dict[str, Path]] = {}

    def find(self, path: Path) -> tuple[Path, Tree | None]:
        """The group of the layer at `path` (it may not exist) and the layer's entry in the configuration."""
        if path not in self._found:
            above, entry = self.find(path[:-1])
            if entry is not None and above not in self._places:
                self._places[above] = self._group_names(above, entry)
            place = self._places.get(above, {}).get(path[-1], tuple(path[-1].split("/")))
            child = None if entry is None else self._layers.children(entry).get(path[-1])
            private = (*above, *place[:-1], f"_{place[-1]}")  # of MultiHeadAttention in Keras 2: _query_dense
            is_private = not self._file.exists((*above, *place)) and self._file.exists(private)
            self._found[path] = private if is_private else (*above, *place), child
        return self._found[path]

    def _group_names(self, above: Path, entry: Tree) -> dict[str, Path]:
        places = group_names(entry)
        if not is_model(entry):
            return {name: (place,) for name, place in places.items()}
        container = _CONTAINERS[0]
        if not self._file.exists((*above, container)) and self._file.exists((*above, _CONTAINERS[1])):
            container = _CONTAINERS[1]
            places = _renumbered(places, self._file.names((*above, container)) or [])
        return {name: (container, place) for name, place in places.items()}


def _renumbered(places: dict[str, str], stored: list[str]) -> dict[str, str]:
    """Match the k-th layer of a class with the k-th stored group of that class, whatever their numbers."""
    made: dict[str, str] = {}
    for base in {re.sub(r"_\d+$", "", place) for place in places.values()}:
        own = [name for name, place in places.items() if re.sub(r"_\d+$", "", place) == base]
        there = [name for name in stored if re.sub(r"_\d+$", "", name) == base]
        there.sort(key=lambda name: int(name[len(base) + 1 :] or 0))
        same = len(own) == len(there)
        made |= dict(zip(own, there, strict=True)) if same else {name: places[name] for name in own}
    return made
