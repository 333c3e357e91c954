"""Values for every image of a batch whose size is not known yet: spread weights and random numbers in a recorded call.

Such a value has no operand to take the size from. Within a recorded call its node takes a tensor that the call was
given, and of that nothing but the size of its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

import numpy as np

from ..arguments import must
from ..scopes import set_within
from .symbolic import Batch, KerasTensor, Node, NodeLayer, symbolic_leaves

_GIVEN: ContextVar[tuple[KerasTensor, ...]] = ContextVar("conv2d_native_given_tensors", default=())


def call_given(arguments: Any) -> AbstractContextManager[Any]:
    """Within it, a call that was given `arguments` is recorded; one that was given no symbolic tensors is not."""
    return set_within(_GIVEN, tuple(symbolic_leaves(arguments)))


def is_recording() -> bool:
    """Whether this thread records a call, and builds no layer meanwhile."""
    return bool(_GIVEN.get())


def is_batch(size: Any) -> bool:
    """Whether `size` is that of a batch: of any, or of one that the recorded call was given."""
    return size is None or (isinstance(size, Batch) and any(x.shape[:1] == (size,) for x in _GIVEN.get()))


def for_batch(
    make: Callable[[int], np.ndarray], shape: Sequence[int | None], whole_batch: bool = False
) -> KerasTensor:
    """The symbolic tensor of `shape`, the batch first, that make(batch size) has the values of.

    The batch is the one that was given with that size, or first. A large batch is run in parts, each with a call of
    `make` for its size, unless `whole_batch`. Raises ValueError where no call is recorded: nothing has a batch there.
    """
    if not is_recording():
        raise ValueError(must("shape", "be known outside of a layer's call", tuple(shape)))
    given = _GIVEN.get()
    like = next((x for x in given if isinstance(shape[0], Batch) and x.shape[:1] == (shape[0],)), given[0])
    made = KerasTensor((like.shape[0], *shape[1:]))
    Node(_ForBatch(make, made.shape, whole_batch), (like,), {}, made)
    return made


def spread(values: Any, batch: int | None = None) -> KerasTensor:
    """The symbolic tensor of `values`, whose first axis has one entry, for every image of the batch of that size."""
    array = np.array(values, np.float32)
    if array.shape[:1] != (1,):
        raise ValueError(
            f"What is the same for every image must have a batch of 1. Received: shape {array.shape}."
        )
    return for_batch(lambda n: np.broadcast_to(array, (n, *array.shape[1:])), (batch, *array.shape[1:]))


def for_every_image(value: Any) -> Any:
    """`value` spread where it is a weight or an array with a batch of 1; all else, symbolic tensors too, as it is."""
    is_array = hasattr(value, "shape") and not isinstance(value, KerasTensor)
    return spread(value) if is_array and value.shape[:1] == (1,) else value


class _ForBatch(NodeLayer):
    """`make` of the size of its argument's batch, which returns `shape`."""

    name = "for_batch"

    def __init__(
        self, make: Callable[[int], np.ndarray], shape: Sequence[int | None], whole_batch: bool
    ) -> None:
        self.make, self.shape, self.whole_batch = make, shape, whole_batch

    def call(self, f: Any, x: Any) -> Any:
        """Compute with the operations of `f`."""
        one_entry = f.crop(x, [(0, 0), *((0, n - 1) for n in x.shape[1:])])
        return f.apply(lambda a: self.make(len(a)), [one_entry], self.shape, whole_batch=self.whole_batch)
