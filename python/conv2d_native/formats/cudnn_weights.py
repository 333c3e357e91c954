"""Weights that CuDNNLSTM and CuDNNGRU of Keras 2 wrote, brought to the layout of LSTM and GRU.

Such a layer has a bias for the inputs and one for the states, one behind the other, and the matrix of each gate column
by column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

Shapes = Sequence[tuple[int, ...]]
_NAMES = ("kernel", "recurrent_kernel", "bias")


def shapes_in_file(
    names: Sequence[str], shapes: Shapes, found: Callable[[int], tuple[int, ...] | None]
) -> list[tuple[int, ...]]:
    """`shapes` of the weights `names`, but those of both biases where found(i), the shape of the i-th, is theirs."""
    made = list(shapes)
    for i in _recurrent(names, shapes):
        (units, columns), bias = shapes[i + 1], (2 * shapes[i + 1][1],)
        # That of LSTM, or of GRU whose gate acts after the product.
        own = (columns,) if columns == 4 * units else (2, columns)
        if tuple(shapes[i + 2]) == own and found(i + 2) == bias:
            made[i + 2] = bias
    return made


def in_own_layout(
    names: Sequence[str], shapes: Shapes, stored: Shapes, arrays: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """`arrays` of the shapes `stored`, which shapes_in_file tells, in `shapes`."""
    made = list(arrays)
    for i in _recurrent(names, shapes):
        if stored[i + 2] != shapes[i + 2]:
            gates = shapes[i + 1][1] // shapes[i + 1][0]
            for at in (i, i + 1):
                parts = np.hsplit(made[at], gates)
                made[at] = np.hstack([part.ravel().reshape(part.shape, order="F") for part in parts])
            biases = made[i + 2].reshape(2, -1)
            made[i + 2] = biases if gates == 3 else biases.sum(axis=0)
    return made


def _recurrent(names: Sequence[str], shapes: Shapes) -> Iterator[int]:
    """Where the weights of recurrent layers begin, but for those that are convolutions."""
    starts = range(len(names) - 2)
    return (i for i in starts if tuple(names[i : i + 3]) == _NAMES and len(shapes[i + 1]) == 2)
