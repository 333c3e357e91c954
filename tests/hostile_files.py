"""Builds model files with faults: zip archives byte by byte, HDF5 files out of tests/hostile, and what loading them
does.
"""

from __future__ import annotations

import copy
import json
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conv2d_native.errors import ModelFormatError
from conv2d_native.formats import layer_paths, read_model
from conv2d_native.formats.hdf5_write import write_hdf5
from conv2d_native.models import load_model as load  # noqa: F401 - for the tests
from written import bytes_of

HOSTILE = Path(__file__).resolve().parent / "hostile"
CONFIG = json.loads((HOSTILE / "config.json").read_text())
KERNEL, BIAS = np.arange(12, dtype=np.float32).reshape(4, 3), np.ones(3, np.float32)
with zipfile.ZipFile(HOSTILE / "hdf5.zip") as archive:
    HDF5 = {name: archive.read(name) for name in archive.namelist()}


def weights_h5(kernel: Any = KERNEL, bias: Any = BIAS, **extra: Any) -> bytes:
    """model.weights.h5 of the model of config.json; a None leaves an array out."""
    arrays = {"0": kernel, "1": bias} | extra
    variables = {k: v for k, v in arrays.items() if v is not None}
    return bytes_of(write_hdf5, {"layers": {"dense": {"vars": variables}}})


SOUND_WEIGHTS = weights_h5()


class Member:
    """One member of a zip; every field of its two headers can be told to lie."""

    def __init__(self, name: str | bytes, data: bytes, method: int = 0, **lies: Any) -> None:
        self.name = name if isinstance(name, bytes) else name.encode()
        self.data = data if method != 8 else zlib.compress(data, 9)[2:-4]  # without zlib's own frame
        told = {
            "flags": 0,
            "method": method,
            "crc": zlib.crc32(data),
            "packed": len(self.data),
            "size": len(data),
        }
        other = {"mode": 0, "offset": None, "extra": b"", "local": {}, "local_name": self.name}
        self.facts = told | other | lies

    def named(self, name: str, **lies: Any) -> Member:
        """The same data under another name."""
        made = copy.copy(self)
        made.name = name.encode()
        made.facts = self.facts | {"local_name": made.name} | lies
        return made


def zip_bytes(
    members: Iterable[Member], before: bytes = b"", after: bytes = b"", count: int | None = None
) -> bytes:
    """An archive of `members`; one with an offset has no place of its own. `count`: how many its end tells of."""

    def head(told: dict[str, Any]) -> bytes:
        words = [told[word] for word in ("flags", "method", "crc", "packed", "size")]
        return struct.pack("<HHHHHIII", 20, *words[:2], 0, 33, *words[2:])

    members = list(members)
    body, directory = bytearray(before), bytearray()
    for member in members:
        facts = member.facts
        here = len(body) if facts["offset"] is None else facts["offset"]
        if facts["offset"] is None:
            name = facts["local_name"]
            body += b"PK\3\4" + head(facts | facts["local"]) + struct.pack("<HH", len(name), 0) + name
            body += member.data
        lengths = len(member.name), len(facts["extra"])
        directory += b"PK\1\2" + struct.pack("<H", 20) + head(facts)
        directory += struct.pack("<HHHHHII", *lengths, 0, 0, 0, facts["mode"] << 16, here)
        directory += member.name + facts["extra"]
    n = (len(members) if count is None else count) & 0xFFFF
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, n, n, len(directory), len(body), 0)
    return bytes(body + directory + end + after)


def parts(config: Any = None, weights: bytes | None = None, **lies: Any) -> list[Member]:
    """The members of a sound .keras file, or with another configuration (an object or bytes) and other weights."""
    config = CONFIG if config is None else config
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    return [
        Member("metadata.json", b'{"keras_version": "3.15.1"}'),
        Member("config.json", text, **lies),
        Member("model.weights.h5", SOUND_WEIGHTS if weights is None else weights),
    ]


def keras(config: Any = None, weights: bytes | None = None) -> bytes:
    return zip_bytes(parts(config, weights))


def _value_of_model_config() -> tuple[bytes, bytes]:
    """The sound .h5, cut before and after the attribute's value (length, address of the heap collection, index)."""
    sound, text = HDF5["plain.legacy"], json.dumps(CONFIG).encode()
    at = sound.index(text)
    heap, index = sound.rindex(b"GCOL", 0, at), struct.unpack_from("<H", sound, at - 16)[0]
    before, after = sound.split(struct.pack("<IQI", len(text), heap, index))
    return before, after


BEFORE_CONFIG, AFTER_CONFIG = _value_of_model_config()


def h5(config: Any) -> bytes:
    """A whole-model .h5 with this configuration (an object or bytes) and the sound weights."""
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    end = len(HDF5["plain.legacy"])
    collection = struct.pack("<4sB3xQ", b"GCOL", 1, 16 + 16 + (len(text) + 7) // 8 * 8 + 16)
    collection += struct.pack("<HH4xQ", 1, 1, len(text)) + text + bytes(-len(text) % 8) + bytes(16)
    made = BEFORE_CONFIG + struct.pack("<IQI", len(text), end, 1) + AFTER_CONFIG + collection
    return made[:40] + struct.pack("<Q", len(made)) + made[48:]


def both(fault: str) -> list[bytes]:
    """The `fault` of tests/hostile as a .keras and as a whole-model .h5."""
    return [keras(CONFIG, HDF5[f"{fault}.keras3"]), HDF5[f"{fault}.legacy"]]


def sequential(*layers: dict) -> dict:
    """config.json's model with `layers` between its input and its Dense layer."""
    first, *rest = CONFIG["config"]["layers"]
    return CONFIG | {"config": CONFIG["config"] | {"layers": [first, *layers, *rest]}}


def layer(
    class_name: str, module: str = "keras.layers", registered_name: str | None = None, **config: Any
) -> dict:
    config = {"name": "bad", "trainable": True, "dtype": "float32"} | config
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered_name}


def functional(layers: Iterable[dict], output: Sequence = ("x", 0, 0), **config: Any) -> dict:
    """A model of these layers, among them its input `x`."""
    ends = {"input_layers": ["x", 0, 0], "output_layers": list(output)}
    config = {"name": "m", "layers": list(layers), **ends, **config}
    return {"module": "keras", "class_name": "Functional", "config": config}


def tensor(*place: Any) -> dict:
    """A tensor among the arguments of a call: (layer, node, index)."""
    config = {"shape": [None, 4], "dtype": "float32", "keras_history": list(place)}
    return {"class_name": "__keras_tensor__", "config": config}


def read(source: Any, shapes: tuple = ((4, 3), (3,)), **arguments: Any) -> list[np.ndarray]:
    """Everything that the formats do for the model of config.json: its configuration and the weights of layer "d"."""
    spec = read_model(source, **arguments)
    assert spec.weights is not None
    return spec.weights.get(("d",), ["kernel", "bias"], shapes)


class Watch:
    """Audit events while a model is loaded: a context manager; `events` holds what happened inside."""

    PREFIXES = (
        "open", "import", "exec", "compile", "os.", "socket.", "subprocess.", "pickle.", "marshal.", "ctypes.",
        "shutil.", "tempfile.", "urllib.", "http.", "glob.", "pty.", "webbrowser.", "code.", "pathlib.",
    )  # fmt: skip
    active: Watch | None = None

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def __enter__(self) -> Watch:
        Watch.active = self
        return self

    def __exit__(self, *_: object) -> None:
        Watch.active = None


def _hear(event: str, arguments: tuple) -> None:
    if Watch.active is not None and event.startswith(Watch.PREFIXES):
        Watch.active.events.append((event, str(arguments)[:200]))


sys.addaudithook(_hear)


def read_each(
    source: Any, names: Sequence[str] = ("kernel", "bias"), shapes: Sequence = ((4, 3), (3,))
) -> None:
    """Ask for the weights of every layer, also after errors; raises the first of them."""
    spec, first = read_model(source), None
    pending: list[tuple[tuple[str, ...], dict]] = [((), spec.config)]
    while pending:
        path, entry = pending.pop()
        for name, child in layer_paths.children(entry).items():
            pending.append(((*path, name), child))
            try:
                assert spec.weights is not None
                spec.weights.get((*path, name), names, shapes)
            except ModelFormatError as error:
                first = first or error
    if first is not None:
        raise first
