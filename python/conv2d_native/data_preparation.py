"""Images, labels and batches before a network, pictures of it, names of one's own: what is in `keras.utils`."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from . import arguments
from .backend import clear_session
from .models import Model
from .models.picture import save_picture
from .picture_files import array_to_img, img_to_array, load_img, save_img
from .saving import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    register_keras_serializable,
)

__all__ = [
    "CustomObjectScope", "PyDataset", "Sequence", "array_to_img", "clear_session", "custom_object_scope",
    "get_custom_objects", "img_to_array", "load_img", "normalize", "plot_model", "register_keras_serializable",
    "save_img", "set_random_seed", "to_categorical",
]  # fmt: skip


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Return rows of zeros with a one where `x` says, float32.

    x: whole numbers from 0 on, any shape; a last axis of size 1 is dropped. num_classes: the length of the rows,
    default the largest number and one. Raises ValueError for numbers outside, TypeError for what are no whole numbers.

        >>> to_categorical([1, 0], 3).tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    labels = np.asarray(x)
    if labels.size and not np.array_equal(labels, labels.astype(np.int64)):
        raise TypeError(f"`x` must be whole numbers. Received: x={arguments.shown(x)}.")
    labels = labels.astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    count = int(labels.max(initial=-1)) + 1 if num_classes is None else num_classes
    count = arguments.integer("num_classes", count)
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
        raise TypeError(f"`model` must be a Model or Sequential. Received: model={arguments.shown(model)}.")
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
