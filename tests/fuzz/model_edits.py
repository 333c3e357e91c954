"""Turns any bytes into a model file with a few faults: sound .keras and .h5 files, edited in JSON, HDF5 and zip
structure.

The same bytes always give the same file, so that what a fuzzer finds is kept as a few bytes. `Choices` reads
decisions from them; when they run out every decision is the first one.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from functools import lru_cache
from typing import Any

from answers import MODEL_ANSWERS
from conv2d_native.formats import layer_paths, read_model
from hostile_files import CONFIG, HDF5, Member, h5, parts, weights_h5, zip_bytes

TARGETS = ("keras", "h5")
NUMBERS = [0, 1, 2, 3, 8, 16, 24, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF]
NUMBERS += [2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1]
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3, 4, 10**9, 2**63, 10**19, 0.5, -0.0, 1e308, "", "x", "d", "same", "valid", "relu",
    "softmax", "hard_sigmoid", "channels_first", "causal", "float16", "../x", [], {}, [None, 4], [0, 0], [[]],
    ["d", 0, 0], ["x", 0, 0], [["x", 0, 0, {}]],
    {"class_name": "__lambda__", "config": {"code": "4wEA"}},
    {"class_name": "__tuple__", "items": [1, 2]},
    {"class_name": "__numpy__", "config": {"value": [1], "dtype": "f"}},
    {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}},
    {"args": [], "kwargs": {}},
    *({"class_name": c, "config": {"name": "n"}} for c in ("Lambda", "Dense", "Sequential", "TFOpLambda", "ReLU")),
]  # fmt: skip
KEYS = """
    class_name config name layers inbound_nodes input_layers output_layers module args kwargs
    keras_history items batch_input_shape batch_shape dtype function layer activation axis groups
    build_config compile_config units
""".split()  # noqa: SIM905
MARKS = re.compile(rb"TREE|SNOD|HEAP|GCOL|OHDR|OCHK|FRHP|PK..")
GOLDEN = ("nested", "shared", "sequential")


class Choices:
    """Decisions out of bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.room = 1 << 16  # characters of JSON that edits may copy: 60 doublings would be 2**60 parts

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        width = 1 if limit <= 256 else 2 if limit <= 65536 else 4
        raw = self.data[self.at : self.at + width]
        self.at += width
        return int.from_bytes(raw, "little") % limit if limit > 1 else 0

    def one_of(self, values: Any) -> Any:
        return values[self.below(len(values))]

    def copy_of(self, part: Any) -> Any:
        """A copy of a part of a configuration, None when there is no room for more."""
        text = json.dumps(part)
        self.room -= len(text)
        return json.loads(text) if self.room >= 0 else None

    @property
    def done(self) -> bool:
        return self.at >= len(self.data)


def edit_json(tree: Any, choices: Choices) -> Any:
    """`tree` with one place changed: a value, a key, a part doubled, dropped or moved."""
    trail, here = [], tree
    while isinstance(here, (dict, list)) and here and choices.below(8):
        key = choices.one_of(list(here)) if isinstance(here, dict) else choices.below(len(here))
        trail.append((here, key))
        here = here[key]
    if not trail:
        return choices.copy_of(choices.one_of(VALUES))
    parent, key = trail[-1]
    action = choices.below(7)
    if action == 0:
        parent[key] = choices.copy_of(choices.one_of(VALUES))
    elif action == 1:
        del parent[key]
    elif action == 2 and isinstance(parent, dict):
        parent[choices.one_of(KEYS)] = choices.copy_of(choices.one_of(VALUES))
    elif action == 3:
        top, other = choices.one_of(trail)
        parent[key] = choices.copy_of(top[other])
    elif action == 4:
        parent[key] = [here] if choices.below(2) else {choices.one_of(KEYS): here}
    elif action == 5 and isinstance(parent, list):
        parent.insert(choices.below(len(parent) + 1), choices.copy_of(here))
    elif isinstance(here, (int, float)) and not isinstance(here, bool):
        parent[key] = choices.one_of([-here, here + 1, here * 2**31, float(here), str(here), 2**40])
    else:
        parent[key] = choices.copy_of(choices.one_of(VALUES))
    return tree


@lru_cache(64)
def marks_of(data: bytes) -> list[int]:
    """Where the structures of a file begin."""
    return [match.start() for match in MARKS.finditer(data)]


def edit_bytes(data: bytearray, marks: list[int], choices: Choices) -> None:
    """Change one field, most often near the beginning of a structure, to a number that structures care about."""
    near = choices.below(4) and marks
    at = (choices.one_of(marks) + choices.below(256)) if near else choices.below(max(1, len(data)))
    at -= at % choices.one_of([1, 2, 4, 8])
    width = choices.one_of([1, 2, 4, 8])
    kind = choices.below(5)
    if kind == 0 and marks:
        value = choices.one_of(marks)
    elif kind == 1:
        value = len(data) - choices.below(64)
    elif kind == 2:
        value = int.from_bytes(data[at : at + width], "little") ^ (1 << choices.below(8 * width))
    elif kind == 3:
        value = int.from_bytes(data[at : at + width], "little") + choices.below(17) - 8
    else:
        value = choices.one_of(NUMBERS)
    if at + width <= len(data):
        data[at : at + width] = (value % 2 ** (8 * width)).to_bytes(width, "little")


def without_defaults(value: Any) -> Any:
    """A configuration without what no reader looks at, so that edits meet what matters."""
    idle = ("initializer", "regularizer", "constraint", "compile_config", "build_config", "registered_name")
    if isinstance(value, list):
        return [without_defaults(inner) for inner in value]
    if isinstance(value, dict):
        return {key: without_defaults(inner) for key, inner in value.items() if not key.endswith(idle)}
    return value


def _bases() -> tuple[list[tuple[dict, bytes]], list[bytes]]:
    """Pairs of configuration and weights for .keras; whole .h5 files."""
    pairs, files = [(CONFIG, weights_h5())], [HDF5["plain.legacy"]]
    for name in ("gzip", "chunks", "latest", "float16", "virtual", "soft_link", "fletcher32"):
        pairs.append((CONFIG, HDF5[f"{name}.keras3"]))
        files.append(HDF5[f"{name}.legacy"])
    for name in GOLDEN:
        with zipfile.ZipFile(io.BytesIO(MODEL_ANSWERS[name + ".keras"].tobytes())) as archive:
            pairs.append(
                (without_defaults(json.loads(archive.read("config.json"))), archive.read("model.weights.h5"))
            )
        files.append(MODEL_ANSWERS[name + ".h5"].tobytes())
    return pairs, files


PAIRS, FILES = _bases()
TEXTS = {id(config): json.dumps(config).encode() for config, _ in PAIRS}


@lru_cache(64)
def compressed(name: bytes, data: bytes) -> Member:
    return Member(name, data, method=8)


def spoiled(sound: bytes, choices: Choices) -> bytes:
    """The file with edits until the choices are used up."""
    made, marks = bytearray(sound), marks_of(sound)
    while not choices.done:
        edit_bytes(made, marks, choices)
    return bytes(made)


def model_file(target: str, data: bytes) -> bytes:
    """The file that `data` stands for."""
    choices = Choices(data)
    if target == "h5":
        if choices.below(3) == 0:
            config = json.loads(TEXTS[id(choices.one_of(PAIRS)[0])])
            while not choices.done:
                config = edit_json(config, choices)
            return h5(config)
        return spoiled(choices.one_of(FILES), choices)
    kind = choices.below(4)
    config, weights = choices.one_of(PAIRS)
    if kind == 0:
        config = json.loads(TEXTS[id(config)])
        while not choices.done:
            config = edit_json(config, choices)
    elif kind == 1:
        weights = spoiled(weights, choices)
    members = parts(config if kind == 0 else TEXTS[id(config)], weights)
    if kind == 2:
        for member in members:
            if choices.below(2):
                member.facts["packed" if choices.below(2) else "size"] = choices.one_of(NUMBERS) & 0xFFFFFFFF
            if choices.below(4) == 0:
                packed = compressed(member.name, member.data)
                member.data, member.facts = packed.data, packed.facts
    made = zip_bytes(members)
    return spoiled(made, choices) if kind >= 2 else made


def load_all(data: bytes) -> None:
    """Read a model file to its last weight, as load_model does, asking for what its sound ancestor would have."""
    spec = read_model(data)
    asked = 0
    stack: list[tuple[tuple[str, ...], Any]] = [((), spec.config)]
    while stack and asked < 64:
        path, entry = stack.pop()
        for name, child in layer_paths.children(entry).items():
            stack.append(((*path, name), child))
            if spec.weights is not None and not layer_paths.children(child):
                asked += 1
                shapes = [(4, 3), (3,)] if name == "d" else [(3, 3, 2, 4), (4,)]
                count = 1 + asked % 2
                spec.weights.get((*path, name), ["kernel", "bias"][:count], shapes[:count])
