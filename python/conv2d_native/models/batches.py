"""What `predict` takes and gives: arrays, lists and dicts of arrays, iterables of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import arguments, shapes
from ..structure import pack


def check_predict_words(verbose: Any, callbacks: Any) -> None:
    """Raise ValueError for what predict's words of Keras cannot mean here."""
    if callbacks:
        raise ValueError(arguments.must("callbacks", "be None: predict calls none", callbacks))
    if verbose not in ("auto", 0, 1, 2):
        raise ValueError(arguments.must("verbose", "be 'auto', 0, 1 or 2", verbose))


def is_batches(x: Any) -> bool:
    """Whether `x` gives batches one after the other: a generator, a data loader, any iterable, a keras PyDataset."""
    if isinstance(x, (np.ndarray, list, tuple, Mapping, str, bytes, memoryview)):
        return False
    if any(hasattr(x, word) for word in ("__array__", "__dlpack__", "__array_interface__", "__buffer__")):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or _is_indexed(x)


def _is_indexed(x: Any) -> bool:
    """Whether `x` has batches by number only, as Keras's Sequence and PyDataset."""
    return not hasattr(x, "__iter__") and hasattr(x, "__len__") and hasattr(x, "__getitem__")


def each_batch(x: Any) -> Iterable[Any]:
    """What is_batches accepts, as an iterable."""
    return (x[i] for i in range(len(x))) if _is_indexed(x) else x


def count_of(x: Any) -> int | None:
    """The number of batches of what is_batches accepts, None where it does not tell."""
    try:
        return len(x)
    except TypeError:  # data loaders have __len__, and raise it where they do not know
        return None


def features(batch: Any) -> Any:
    """The input of a batch: of a tuple (x, labels, ...), as data loaders give it, the first."""
    return batch[0] if isinstance(batch, tuple) and batch else batch


def arrange(x: Any, names: Sequence[str], structure: Any, ranks: Sequence[int]) -> list[Any]:
    """The inputs as a list in the order of `names`, whose entries have `ranks` axes, the batch included.

    `structure`: that of the model's inputs, which `x` may have. A dict by names is accepted for every model, an array
    alone for those with one input, a list for all but those whose inputs are a dict with its keys in another order than
    the sorted one.
    """
    by_key = isinstance(structure, Mapping)
    items = structure.values() if by_key else structure if isinstance(structure, (list, tuple)) else ()
    if any(isinstance(item, (list, tuple, Mapping)) for item in items):
        found = _in_structure(x, structure)
        if found is not None:
            return found
        if isinstance(x, (list, tuple)) and any(isinstance(item, Mapping) for item in x):
            form = arguments.shown(pack(structure, names))
            raise ValueError(arguments.must("x", f"have the form of the inputs, {form}", x))
    if isinstance(x, Mapping):
        missing = [name for name in names if name not in x]
        if missing:
            raise ValueError(
                f"`x` must have an entry for every input: {', '.join(names)}. Received: keys {sorted(map(str, x))}."
            )
        return [x[name] for name in names]
    listed = isinstance(x, (list, tuple)) and len(x) == len(names)
    if by_key and len(names) > 1 and not (listed and list(structure) == sorted(structure)):
        raise TypeError(arguments.must("x", f"be a dict with the keys {', '.join(names)}", x))
    if len(names) == 1:
        wrapped = isinstance(x, (list, tuple)) and len(x) == 1 and getattr(x[0], "ndim", None) == ranks[0]
        return [x[0] if wrapped else x]
    if not listed:
        raise ValueError(arguments.must("x", f"be a list of {len(names)} arrays ({', '.join(names)})", x))
    return list(x)


def _in_structure(x: Any, structure: Any) -> list[Any] | None:
    """The parts of `x` in the places of the leaves of `structure`, by the order of flatten(); None: it has others."""
    if isinstance(structure, Mapping):
        fits, keys = isinstance(x, Mapping) and x.keys() == structure.keys(), sorted(structure)
    elif isinstance(structure, (list, tuple)):
        fits, keys = isinstance(x, (list, tuple)) and len(x) == len(structure), list(range(len(structure)))
    else:
        return [x]
    found = [_in_structure(x[key], structure[key]) for key in keys] if fits else [None]
    return None if None in found else [leaf for part in found for leaf in part or ()]


def as_array(name: str, x: Any) -> np.ndarray:
    """`x` as an ndarray of any real dtype: batches of it are converted one by one."""
    return x if type(x) is np.ndarray and x.dtype.kind in "fiu" else arguments.array(name, x)


def fit_shape(
    name: str, x: np.ndarray, shape: tuple[int | None, ...], takes: Callable[[Any], bool]
) -> np.ndarray:
    """`x` where it agrees with `shape` (None: any size), with a last axis of 1 added or dropped as Keras does.

    As in Keras, any batch agrees: one that the model's Input has says how it was made, not what it takes.
    `takes`: whether another shape of as many axes, none added or dropped, agrees too.
    """
    shape = (None, *shape[1:])
    made = x
    if x.ndim == len(shape) - 1 and shape[-1] == 1:
        made = x[..., np.newaxis]
    elif x.ndim == len(shape) + 1 and x.shape[-1] == 1:
        made = x[..., 0]
    agrees = made.ndim == len(shape) and all(n in (None, m) for m, n in zip(made.shape, shape, strict=True))
    if not agrees and not (x.ndim == len(shape) and takes(x.shape)):
        raise ValueError(
            f"`{name}` must have shape {shape}. Received: {name} of shape {x.shape}."
            f"{shapes.advice(x.shape, shape)}"
        )
    arguments.no_empty_axes(name, made.shape)
    return made


def batch_count(names: Sequence[str], arrays: Sequence[np.ndarray]) -> int:
    """The number of images, which all inputs must share."""
    if len({len(array) for array in arrays}) > 1:
        counts = ", ".join(f"{name} {len(array)}" for name, array in zip(names, arrays, strict=True))
        raise ValueError(f"All inputs must have the same batch. Received: {counts}.")
    return len(arrays[0])


def concatenated(parts: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Outputs of several batches, one array per output. Raises ValueError for images of several output shapes."""
    for column in zip(*parts, strict=True):
        sizes = {made.shape[1:] for made in column}
        if len(sizes) > 1:
            raise ValueError(
                "`x` must hold batches whose outputs have one shape, to be put together: call the model on each batch "
                f"instead. Received: outputs of shapes {', '.join(map(str, sorted(sizes)))}."
            )
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def pieces(count: int, size: int) -> Iterator[slice]:
    """Slices of `size` that cover range(count); the last may be shorter."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
