"""Sources of weights: Keras 3's groups of numbered variables, the legacy names of `.h5`, arrays of an `.npz`.

Each is asked for one layer at a time, with the shapes that the configuration implies; a stored array of another
shape is an error before its data is read. Legacy weights are found by name: their order differs between writers and
changes when layers are frozen. Everything comes out as float32.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..arguments import shown
from ..errors import ModelFormatError, UnsafeModelError
from .archive import Archive
from .cudnn_weights import Shapes, in_own_layout, shapes_in_file
from .hdf5 import Hdf5, shown_path
from .hdf5_data import to_float32
from .layer_paths import NAMED_HERE, GroupFinder, LayerTree, Path

_COUNTERS = {"count"}  # integers that inference does not use
_NAMELESS = re.compile(r"variable(_\d+)?")
_MAX_ALIKE = 100  # weights of one name below layers of one name
_MAX_GROUPS, _MAX_DEPTH = 50_000, 64  # below one layer of the user's


def _owner(path: Path) -> str:
    return f"layer '{shown_path(path)}'" if path else "the model"


def _wrong(source: str, path: Path, text: str) -> ModelFormatError:
    return ModelFormatError(f"{source}: weights of {_owner(path)}: {text}")


class GroupWeights:
    """Keras 3: `layers/conv2d/vars/0`. `config` gives the groups; without it, paths are group names."""

    def __init__(self, file: Hdf5, config: dict[str, Any] | None, check_names: bool) -> None:
        self._file, self._finder, self._check_names = file, GroupFinder(file, config), check_names
        self._read: set[Path] = set()

    def get(self, path: Path, names: Sequence[str], shapes: Shapes) -> list[np.ndarray]:
        """The weights `names` of the layer at `path`, see WeightSource."""
        path = tuple(path)
        group, entry = self._finder.find(path)
        group, source = (*group, "vars"), self._file.name
        self._read.add(group)
        missing = [name for i, name in enumerate(names) if not self._file.exists((*group, str(i)))]
        if missing:
            raise _wrong(source, path, f"{missing} of {list(names)} are missing in '{shown_path(group)}'.")
        may_count = entry is not None and entry["class_name"] == "Normalization"
        more = self._file.exists((*group, str(len(names)))) if names else self._holds_weights(group)
        if more and not may_count:
            raise _wrong(source, path, f"expected {list(names)}, but '{shown_path(group)}' holds more.")
        if self._check_names and names and entry is not None and path and NAMED_HERE not in entry:
            label = self._file.strings(group, "name")
            if label is not None and label != [path[-1]]:
                raise _wrong(
                    source, path, f"'{shown_path(group)}' belongs to layer '{shown_path(tuple(label))}'."
                )
        named = enumerate(zip(names, shapes, strict=True))
        return [
            _read(self._file, path, (*group, str(i)), name, shape, _is_scaled(name, names))
            for i, (name, shape) in named
        ]

    def check_all_read(self, path: Path) -> None:
        """Raise ModelFormatError where the layer at `path`, or one below it, has stored weights that nobody asked for.

        Single numbers and integers do not count: states of random generators and of metrics.
        """
        for group in self._groups_of_weights(path):
            if group not in self._read and self._holds_weights(group):
                raise _wrong(
                    self._file.name,
                    path,
                    f"those in '{shown_path(group)}' belong to no layer that it holds in its attributes.",
                )

    def _groups_of_weights(self, path: Path) -> Iterator[Path]:
        """The groups "vars" of the layer at `path` and of all below it."""
        top = self._finder.find(path)[0]
        pending, seen = [top], 0
        while pending:
            group, seen = pending.pop(), seen + 1
            if seen > _MAX_GROUPS or len(group) > len(top) + _MAX_DEPTH:
                raise _wrong(self._file.name, path, "stored in too many groups, or too deeply.")
            for name in self._file.names(group) or []:
                if name == "vars":
                    yield (*group, name)
                elif (*group, name) != ("optimizer",):
                    pending.append((*group, name))

    def _holds_weights(self, group: Path) -> bool:
        return any(_is_weight(self._file, (*group, name)) for name in self._file.names(group) or [])


class _LayerNames:
    """The weight names under one group of a legacy file, by the weight's own name and a layer on the way to it."""

    def __init__(self, group: Path, entries: list[str]) -> None:
        self.group, self.entries = group, entries
        self._found: dict[tuple[str, str | None], list[str]] = defaultdict(list)
        for entry in entries:
            for owner in {None, *_split(entry)[:-1]}:
                self._found[_leaf(entry), owner].append(entry)

    def find(self, name: str, owner: str | None) -> list[str]:
        """Entries of weight `name`; with an owner, only those below that layer."""
        return self._found.get((name, owner), [])


class NamedWeights:
    """Legacy `.h5`: group `model_weights/<layer>` with attribute weight_names, `conv/kernel:0` or `conv/kernel`."""

    def __init__(self, file: Hdf5, config: dict[str, Any] | None) -> None:
        self._file, self._tree, self.source = file, LayerTree(config), file.name
        self._root: Path = ("model_weights",) if file.exists(("model_weights",)) else ()
        self._listed = chunked_strings(file, self._root, "layer_names")
        self._layers = set(self._listed)
        self._names: dict[str, _LayerNames] = {}

    def get(self, path: Path, names: Sequence[str], shapes: Shapes) -> list[np.ndarray]:
        """The weights `names` of the layer at `path`, see WeightSource."""
        path = tuple(path)
        stored = self.stored(path[0] if path else "top_level_model_weights")
        alone, owner = self._tree.owner(path)
        if alone and len(names) == len(stored.entries) == 1:
            found = stored.entries  # Keras calls the weight of some layers `variable`
        else:
            found = [self._pick(path, name, stored, owner) for name in names]
        weights = [e for e in _kept(stored.entries) if _leaf(e) not in _COUNTERS and not _is_lora(_leaf(e))]
        if not names:
            weights = [entry for entry in weights if _is_weight(self._file, (*stored.group, *_split(entry)))]
        if alone and len(weights) > len(found):
            raise _wrong(
                self._file.name, path, f"expected {list(names)}, but {stored.entries[:20]} are stored."
            )
        arrays = self._read_all(path, stored, found, names, shapes)
        pairs = zip(arrays, found, strict=True)
        return [self._with_lora(values, path, stored, entry) for values, entry in pairs]

    def _read_all(
        self, path: Path, stored: _LayerNames, entries: list[str], names: Sequence[str], shapes: Shapes
    ) -> list[np.ndarray]:
        """The weights `names` of the layer at `path`, which are `entries` in the file."""
        places = [(*stored.group, *_split(entry)) for entry in entries]

        def found(i: int) -> tuple[int, ...] | None:
            dataset = self._file.dataset(places[i])
            return None if dataset is None else dataset.shape

        written = shapes_in_file(names, shapes, found)
        arrays = [
            _read(self._file, path, *facts, _is_scaled(facts[1], names))
            for facts in zip(places, names, written, strict=True)
        ]
        return in_own_layout(names, shapes, written, arrays)

    def _with_lora(self, values: np.ndarray, path: Path, stored: _LayerNames, entry: str) -> np.ndarray:
        """`values` with what Keras's enable_lora adds to them: alpha / rank times the product of two thin matrices."""
        around, _, leaf = entry.rpartition("/")
        names = [f"lora_{leaf}_{word}" for word in "ab"]
        if f"{around}/{names[0]}" not in stored.find(names[0], None) or not values.ndim:
            return values
        places = [(*stored.group, *_split(f"{around}/{name}")) for name in names]
        thin = self._file.dataset(places[0])
        rank = thin.shape[-1] if thin is not None and thin.shape else 0
        shapes = [(*values.shape[:-1], rank), (rank, values.shape[-1])]
        a, b = (_read(self._file, path, *facts) for facts in zip(places, names, shapes, strict=True))
        alpha = ((self._tree.entry(path) or {}).get("config") or {}).get("lora_alpha")
        if alpha is None:
            alpha = rank
        if not isinstance(alpha, (int, float)) or not abs(alpha) < 1e30:
            raise _wrong(self._file.name, path, f"`lora_alpha` must be a number. Found: {shown(alpha)}.")
        return values + np.float32(alpha / max(rank, 1)) * np.matmul(a, b)

    def layer_names(self) -> list[str]:
        """The layers directly below the whole model that have weights, in the order of the file."""
        return [name for name in self._listed if _kept(self.stored(name).entries)]

    def in_order(self, top: str, names: Sequence[str], shapes: Shapes) -> list[np.ndarray]:
        """All weights of the layer `top`, those of the layers in it too, by their order: that of `names`."""
        stored = self.stored(top)
        entries = _kept(stored.entries)
        leaves = [_leaf(entry) for entry in entries]
        if len(leaves) != len(names) or not all(map(_is_called, leaves, names)):
            text = f"expected {list(names)[:40]}, but {entries[:40]} are stored."
            raise _wrong(self._file.name, (top,), text)
        return self._read_all((top,), stored, entries, names, shapes)

    def stored(self, top: str) -> _LayerNames:
        """What is stored for the layer or model `top` directly below the whole model."""
        if top not in self._names:
            group = (*self._root, *_split(top))
            known = top in self._layers or not self._layers or top == "top_level_model_weights"
            entries = chunked_strings(self._file, group, "weight_names") if known else []
            self._file.budget.spend("structure", sum(map(len, entries)), self._file.name)
            self._names[top] = _LayerNames(group, entries)
        return self._names[top]

    def _pick(self, path: Path, name: str, stored: _LayerNames, owner: str | None) -> str:
        found = stored.find(name, owner)
        if not found and name == "kernel":
            found = stored.find("depthwise_kernel", owner)
        if 1 < len(found) <= _MAX_ALIKE:
            scores = [_likeness(_split(entry)[:-1], path) for entry in found]
            found = [entry for entry, score in zip(found, scores, strict=True) if score == max(scores)]
        if len(found) != 1:
            text = "missing" if not found else f"ambiguous between {found[:10]}"
            raise _wrong(self._file.name, path, f"{name!r} is {text}; stored: {stored.entries[:40]}.")
        return found[0]


class ArrayWeights:
    """An `.npz` with one array per weight, called <layer>/<weight>."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def get(self, path: Path, names: Sequence[str], shapes: Shapes) -> list[np.ndarray]:
        """The weights `names` of the layer at `path`, see WeightSource."""
        prefix = "".join(f"{name}/" for name in path)
        stored = {
            name[len(prefix) : -4]
            for name in self._archive.names
            if name.startswith(prefix) and name.endswith(".npy")
        }
        missing = [name for name in names if name not in stored]
        extra = sorted(name for name in stored - set(names) - _COUNTERS if "/" not in name)
        if missing or extra:
            raise _wrong(self._archive.name, path, f"missing: {missing}, not expected: {extra}.")
        return [self._read(f"{prefix}{name}.npy", shape) for name, shape in zip(names, shapes, strict=True)]

    def _read(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        extent = self._archive.member(name)
        head = extent.read(0, min(10, extent.size))
        width = 2 if head[6:7] == b"\x01" else 4
        size = int.from_bytes(head[8 : 8 + width], "little")
        if head[:6] != b"\x93NUMPY" or size > 10_000:
            raise ModelFormatError(f"{extent.name}: not a NumPy array.")
        text = extent.read(8 + width, size).decode("latin-1")
        form = re.fullmatch(
            r"\{'descr': '([^']{2,8})', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \}\s*", text
        )
        if form is None or "O" in form[1]:
            raise UnsafeModelError(
                f"{extent.name}: holds Python objects (pickle) or records; only plain arrays are read."
            )
        if [n.strip() for n in form[3].split(",") if n.strip()] != [str(n) for n in shape]:
            raise ModelFormatError(f"{extent.name}: expected shape {tuple(shape)}, got ({form[3][:200]}).")
        if not re.fullmatch(r"[<>=|]?f[248]", form[1]):
            raise ModelFormatError(f"{extent.name}: expected floating point numbers, found type {form[1]!r}.")
        count = int(np.prod(shape, dtype=np.int64))
        self._archive.budget.spend("weights", 4 * count, extent.name)
        self._archive.budget.spend("expanded", 4 * count, extent.name)
        values = extent.array(8 + width + size, np.dtype(form[1]), count)
        values = values.reshape(shape, order="F" if form[2] == "True" else "C")
        return np.ascontiguousarray(to_float32(values, form[1]))


def chunked_strings(file: Hdf5, path: Path, name: str) -> list[str]:
    """A list of names that Keras may have cut into attributes name0, name1, ... ([] where there is none)."""
    whole = file.strings(path, name)
    if whole is not None:
        return whole
    found: list[str] = []
    number = 0
    while (part := file.strings(path, f"{name}{number}")) is not None:
        found += part
        number += 1
    return found


def _is_weight(file: Hdf5, place: Path) -> bool:
    """Whether an array at `place` may be one: states of random generators are integers, those of metrics numbers."""
    dataset = file.dataset(place)
    return dataset is not None and bool(dataset.shape) and dataset.is_float


def _is_scaled(name: str, names: Sequence[str]) -> bool:
    """Whether the weight is one of 8 bits, which a layer with weights `names` has scales for."""
    return f"{name}_scale" in names


def _read(
    file: Hdf5, path: Path, place: Path, name: str, shape: tuple[int, ...], integers: bool = False
) -> np.ndarray:
    """Weight `name` of the layer at `path`, stored at `place`."""
    dataset = file.dataset(place)
    if dataset is None:
        raise ModelFormatError(f"{file.name}: '{shown_path(place)}' is listed but not stored.")
    return dataset.read(
        tuple(shape), integers=integers or name in _COUNTERS, what=f", {name!r} of {_owner(path)}"
    )


def _split(name: str) -> Path:
    return tuple(part for part in name.split("/") if part)


def _kept(entries: list[str]) -> list[str]:
    """Those that are no states of random generators."""
    return [entry for entry in entries if not _leaf(entry).startswith("seed_")]


def _leaf(entry: str) -> str:
    return re.sub(r":\d+$", "", entry.rsplit("/", 1)[-1])


def _is_lora(leaf: str) -> bool:
    """Whether a weight is one of the two that Keras's enable_lora adds to another."""
    return re.fullmatch(r"lora_\w+_[ab]", leaf) is not None


def _is_called(leaf: str, name: str) -> bool:
    """Whether a weight `name` is stored as `leaf`: Keras 2 calls the kernel of a depthwise layer otherwise.

    Those of the user's without a name are counted through the program that wrote the file.
    """
    nameless = _NAMELESS.fullmatch(leaf) and _NAMELESS.fullmatch(name)
    return leaf in (name, f"depthwise_{name}") or nameless is not None


def _likeness(left: Path, right: Path) -> tuple[int, int]:
    """How many names two paths share at their ends, and then anywhere: Keras 2 counts cells that it makes itself."""
    count = 0
    while count < min(len(left), len(right)) and left[-1 - count] == right[-1 - count]:
        count += 1
    return count, len({*left} & {*right})
