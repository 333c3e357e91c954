"""Files, images, labels and batches before a network, pictures of it, names of one's own: what is in `keras.utils`."""

from __future__ import annotations

import hashlib
import os
import random
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from . import arguments
from .applications import keras_home
from .backend import (
    clear_session,
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
    is_keras_tensor,
    standardize_dtype,
)
from .models import Model
from .models.picture import save_picture
from .picture_files import array_to_img, img_to_array, load_img, save_img
from .saving import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)

__all__ = [
    "CustomObjectScope", "PyDataset", "Sequence", "array_to_img", "clear_session", "custom_object_scope",
    "deserialize_keras_object", "disable_interactive_logging", "enable_interactive_logging", "get_custom_objects",
    "get_file", "get_registered_name", "get_registered_object", "get_source_inputs", "img_to_array",
    "is_interactive_logging_enabled", "is_keras_tensor", "load_img", "normalize", "plot_model",
    "register_keras_serializable", "save_img", "serialize_keras_object", "set_random_seed", "standardize_dtype",
    "to_categorical",
]  # fmt: skip


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Return rows of zeros with a one where `x` says, float32.

    x: whole numbers from 0 on, any shape; a last axis of size 1 is dropped. num_classes: the length of the rows,
    default the largest number plus one. Raises ValueError for numbers outside, TypeError for those that are not whole.

        >>> to_categorical([1, 0], 3).tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    labels = np.asarray(x)
    if labels.size and not np.array_equal(labels, labels.astype(np.int64)):
        raise TypeError(arguments.must("x", "be whole numbers", x))
    labels = labels.astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        num_classes = int(labels.max(initial=-1)) + 1
        if num_classes < 1:
            words = "hold numbers from 0 on, of which the largest tells `num_classes`"
            raise ValueError(arguments.must("x", words, x))
    count = arguments.integer("num_classes", num_classes)
    if labels.size and not 0 <= labels.min() <= labels.max() < count:
        raise ValueError(
            f"`x` must be numbers from 0 to {count - 1}. Received: {labels.min()} to {labels.max()}."
        )
    made = np.zeros((labels.size, count), np.float32)
    made[np.arange(labels.size), labels.ravel()] = 1
    return made.reshape(*labels.shape, count)


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """Return `x` over its norm along `axis`; where that is 0, as it is.

    >>> normalize([[3.0, 4.0], [0.0, 0.0]]).round(6).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    return np.asarray(x) / np.where(norm == 0, 1, norm)


def get_file(
    fname: Any = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: Any = "auto",
    cache_dir: Any = None,
    force_download: bool = False,
) -> str:
    """Return the path of a file in Keras's cache. Nothing is downloaded: a file that is not there is an error.

    fname: its name there, default the last part of `origin`. cache_dir, cache_subdir: the folder, default
    ~/.keras/datasets, or datasets in KERAS_HOME. file_hash, md5_hash: what the file must have, sha256 where it has 64
    digits or hash_algorithm says so, else md5. Raises FileNotFoundError where the file is not there; ValueError without
    `fname` and `origin`, for another hash, and for `untar`, `extract` and `force_download`.

        >>> get_file("no_such.h5", "https://example.com/no_such.h5")
        Traceback (most recent call last):
            ...
        FileNotFoundError: Nothing is downloaded here: put https://example.com/no_such.h5 at ...
    """
    for word, value in (("untar", untar), ("extract", extract), ("force_download", force_download)):
        if arguments.flag(word, value):
            raise ValueError(f"`{word}` must be False: files are neither downloaded nor unpacked here.")
    name = os.fspath(fname or os.path.basename(urlsplit(origin or "").path))
    if not name or os.path.basename(name) != name:
        raise ValueError(arguments.must("fname", "be a name without folders", name))
    path = os.path.join(os.path.expanduser(cache_dir or keras_home()), cache_subdir, name)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"Nothing is downloaded here: put {origin or name} at {path}.")
    wanted = file_hash or md5_hash
    if wanted:
        is_sha256 = hash_algorithm == "sha256" or (hash_algorithm == "auto" and len(wanted) == 64)
        with open(path, "rb") as file:
            found = hashlib.sha256() if is_sha256 else hashlib.md5(usedforsecurity=False)
            for block in iter(lambda: file.read(1 << 20), b""):
                found.update(block)
        if found.hexdigest() != wanted:
            raise ValueError(f"{path} has the hash {found.hexdigest()}, not {wanted}.")
    return path


def get_source_inputs(tensor: Any) -> list[Any]:
    """Return the symbolic tensors of Input that `tensor` is made of. Raises TypeError where it is no symbolic tensor.

    >>> source = Input((3,))
    >>> get_source_inputs(Dense(2)(source) + 1.0)[0] is source
    True
    """
    if not is_keras_tensor(tensor):
        raise TypeError(arguments.must("tensor", "be a symbolic tensor", tensor))
    met, pending, found = set[int](), [tensor], []
    while pending:
        made = pending.pop()
        if id(made) in met:
            continue
        met.add(id(made))
        if made.node is None or not made.node.inputs:
            found.append(made)
        else:
            pending += reversed(made.node.inputs)
    return found


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> None:
    """Write the graph of a model as a picture: .dot, or .svg, .png and .pdf where Graphviz's `dot` is installed.

    show_shapes: put the output shapes into the boxes, under the names and classes of the layers, which are always
    there. The other words are Keras's, without effect. Raises what Model.save_picture raises, and TypeError where
    `model` is no model.

        >>> plot_model(Sequential([Dense(3, input_shape=(2,))]), "model.dot", show_shapes=True)
    """
    if not isinstance(model, Model):
        raise TypeError(arguments.must("model", "be a Model or Sequential", model))
    save_picture(model, to_file, shapes=arguments.flag("show_shapes", show_shapes))


def set_random_seed(seed: int) -> None:
    """Seed Python's and NumPy's random numbers. New weights of layers without a seed of their own follow from it.

    >>> set_random_seed(7)
    """
    seed = arguments.integer("seed", seed, low=0)
    random.seed(seed)
    np.random.seed(seed % 2**32)


class PyDataset:
    """Batches by number, for predict: a subclass has `__len__` and `__getitem__(number)`.

    >>> class Zeros(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, number):
    ...         return np.zeros((2, 5))
    >>> Sequential([Dense(1, input_shape=(5,))]).predict(Zeros()).shape
    (6, 1)
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        """Keras's words, without effect: batches are made when their turn comes."""


Sequence = PyDataset
