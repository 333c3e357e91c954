"""What the call of a layer assigns to weights while it is recorded: it holds for that call from there on.

Every call of Keras's assigns anew; here a call is computed many times and recorded once. The two are the same where
nothing is computed of a weight before it gets other values in a call, and where another call would leave it as it is:
kernel.assign(kernel * mask) in front of the convolution. Anything else is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import UnsupportedLayerError
from ..scopes import set_within

_CALL: ContextVar[AssignedInCall | None] = ContextVar("conv2d_native_assigned_in_call", default=None)


@dataclass
class _Recording:
    """One call that is being recorded: nodes so far, and how many there were when a weight was first read."""

    nodes: list[Any] = field(default_factory=list)
    read: dict[Any, int] = field(default_factory=dict)

    def computes_with(self, weight: Any) -> bool:
        """Whether a node has `weight`, or may have an array that was made of it."""
        read_before = self.read.get(weight, len(self.nodes)) < len(self.nodes)
        return read_before or any(weight in node.layer.weights for node in self.nodes)


class AssignedInCall:
    """`values` that weights have in a call beside those held; those that `changed`, with what they had before."""

    def __init__(self, values: Mapping[Any, np.ndarray]) -> None:
        self.values = dict(values)
        self.changed: dict[Any, np.ndarray] = {}
        self._recordings: list[_Recording] = []
        self._computed: set[Any] = set()

    def note_read(self, weight: Any) -> None:
        """A call that is being recorded reads `weight`."""
        if self._recordings:
            recording = self._recordings[-1]
            recording.read.setdefault(weight, len(recording.nodes))

    def note_node(self, node: Any) -> None:
        """A call that is being recorded has recorded `node`."""
        if self._recordings:
            self._recordings[-1].nodes.append(node)

    def note_computed(self, layer: Any) -> None:
        """`layer` computes with its weights, those of the layers inside left out."""
        if layer._own_call is None:
            self._computed.update(layer._variables)

    def assign(
        self, weights: Sequence[Any], before: Sequence[np.ndarray], arrays: Sequence[np.ndarray]
    ) -> bool:
        """Give `weights`, whose values are `before`, those of `arrays`, and tell whether any are others.

        Raises UnsupportedLayerError where something was computed of a weight that changes; none is changed then.
        """
        given = zip(weights, before, arrays, strict=True)
        changing = [(w, old, new) for w, old, new in given if not _same_bits(old, new)]
        for weight, _, _ in changing:
            if weight in self._computed or any(r.computes_with(weight) for r in self._recordings):
                raise UnsupportedLayerError(
                    f"A call gives weight `{weight.path}` other values after it was computed with, which is not "
                    "computed here: assign to it first."
                )
        for weight, old, new in changing:
            self.values[weight] = new
            self.changed.setdefault(weight, old)
            for recording in self._recordings:
                recording.read.pop(weight, None)
        return bool(changing)

    def changed_and_computed(self) -> list[Any]:
        """The weights that changed and that something was computed of."""
        return [weight for weight in self.changed if weight in self._computed]

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Within it one call is recorded."""
        recording = _Recording()
        self._recordings.append(recording)
        try:
            yield
        finally:
            self._recordings.pop()
            self._computed.update(recording.read)


def _same_bits(first: np.ndarray, second: np.ndarray) -> bool:
    return np.array_equal(first.view(np.int32), second.view(np.int32))


call_in_progress = _CALL.get


def assigned_in_call(values: Mapping[Any, np.ndarray]) -> AbstractContextManager[Any]:
    """Within it, calls that this thread records assign to what it gives, and weights have `values` to begin with."""
    return set_within(_CALL, AssignedInCall(values))


def recorded_assignments() -> AbstractContextManager[Any]:
    """Within it one call is recorded. Where none is computed around it, nothing is kept of what it assigns."""
    around = _CALL.get()
    return assigned_in_call({}) if around is None else around.recording()
