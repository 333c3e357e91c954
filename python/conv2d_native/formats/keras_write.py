"""Writes files that Keras 3 opens: `.keras` and `.weights.h5`.

The first is a zip of config.json, metadata.json and model.weights.h5, none of them compressed; the second is the last
of these alone. A path is written under a random name in the same folder and renamed when it is complete: an
interrupted save leaves the old file, and of several at once the last one stays, whole.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from .hdf5_write import ATTRIBUTES, write_hdf5
from .layer_paths import MASKS_OF_KERAS_2, Path, Tree, children, group_names, is_model, tells_all

_KERAS_VERSION = "3.0.0"  # the oldest reader of what is written here


def write_keras(
    target: Any, config: Tree, weights: Mapping[Path, Sequence[np.ndarray]], overwrite: bool = True
) -> None:
    """Write a model to `target`, a path or a binary file object that can seek.

    config:  Keras 3's tree, as ModelSpec.config has it
    weights: layer path (names from the model down) -> its arrays in Keras's order
    overwrite: False keeps a file that is there, also one that appears meanwhile
    Raises OSError (FileExistsError for such a file), and ValueError for what Keras cannot read back.
    """
    _write(target, lambda file: _write_archive(file, config, weights), overwrite)


def write_weights(
    target: Any, config: Tree, weights: Mapping[Path, Sequence[np.ndarray]], overwrite: bool = True
) -> None:
    """Write the weights of a model alone, as `.weights.h5`; arguments and errors are those of write_keras."""
    _write(target, lambda file: write_hdf5(file, _groups(config, weights)), overwrite)


def is_file_object(target: Any) -> bool:
    """Whether `target` is written to rather than opened: some paths have a write() too."""
    return hasattr(target, "write") and not isinstance(target, os.PathLike)


def _write(target: Any, write: Callable[[BinaryIO], None], overwrite: bool) -> None:
    """Let `write` fill a file object, or a file that takes the place of the one at the path when it is complete."""
    if is_file_object(target):
        write(target)
        return
    path = os.fsdecode(target)
    partial = os.path.join(os.path.dirname(path), f"{os.urandom(16).hex()}.partial")  # no other save has it
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    try:
        with open(partial, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        (os.replace if overwrite else _place_anew)(partial, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        if isinstance(error, OSError) and error.filename == partial:
            error.filename = path
        raise


def _place_anew(partial: str, path: str) -> None:
    """Rename `partial` to `path`, where nothing has that name: of several at once, one can."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
    except (AttributeError, NotImplementedError, OSError):  # a file system without links
        open(path, "xb").close()
        os.replace(partial, path)
    else:
        os.unlink(partial)


def _write_archive(target: BinaryIO, config: Tree, weights: Mapping[Path, Sequence[np.ndarray]]) -> None:
    import zipfile  # loads compression modules that only a save needs

    groups = _groups(config, weights)
    metadata = {"keras_version": _KERAS_VERSION, "date_saved": time.strftime("%Y-%m-%d@%H:%M:%S")}
    text = json.dumps(_for_keras(config))
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("metadata.json", json.dumps(metadata))
        archive.writestr("config.json", text)
        with archive.open("model.weights.h5", "w", force_zip64=True) as member:
            write_hdf5(member, groups)  # type: ignore[arg-type]


def _groups(config: Tree, weights: Mapping[Path, Sequence[np.ndarray]]) -> Tree:
    """The tree of HDF5 groups; every layer has one, also those without weights, as Keras writes it."""
    inner: dict[Path, dict[Path, None]] = defaultdict(dict)  # what is directly below a layer
    for path in weights:
        for depth in range(len(path)):
            inner[path[:depth]][path[: depth + 1]] = None
    used = set()

    def group(entry: Tree, path: Path) -> Tree:
        arrays = weights.get(path, [])
        used.add(path)
        made: Tree = {"vars": {str(i): array for i, array in enumerate(arrays)}}
        made["vars"][ATTRIBUTES] = {"name": path[-1] if path else str(entry["config"].get("name", "model"))}
        places, inside = group_names(entry), {}
        for name, child in children(entry).items():
            inside[places[name]] = group(child, (*path, name))
        if inside:
            made |= {"layers": inside} if is_model(entry) else inside
        untold = () if tells_all(entry) else [below for below in inner[path] if below not in used]
        for below in untold:  # layers inside one of the user's, which its configuration does not tell
            *folders, last = below[-1].split("/")
            place = made
            for folder in folders:
                place = place.setdefault(folder, {})
            place[last] = group({"config": {"name": last}}, below)
        return made

    tree = group(config, ())
    lost = [path for path in weights if path not in used and weights[path]]
    if lost:
        raise ValueError(f"Weights of layers that the configuration does not have: {lost[:10]}.")
    return tree


def _for_keras(value: Any) -> Any:
    """Numbers, lists and dicts of the configuration as Keras's JSON has them, which knows infinities too."""
    if isinstance(value, dict):
        return {str(key): _for_keras(inner) for key, inner in value.items() if key != MASKS_OF_KERAS_2}
    if isinstance(value, (list, tuple)):
        return [_for_keras(inner) for inner in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _for_keras(value.tolist())
    if isinstance(value, float) and math.isnan(value):
        raise ValueError("NaN is no value of an argument: a configuration that holds it cannot be saved.")
    if value == "hard_sigmoid_keras2":
        raise ValueError(
            "Keras 3 has no activation clip(0.2 x + 0.5), Keras 2's hard_sigmoid; it cannot be saved."
        )
    return value
