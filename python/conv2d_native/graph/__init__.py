"""GraphBuilder: the interpreter of a layer's `call` that records operations in a native graph.

Its methods are the operations that `call(self, f, x)` may use; functional has the same names and signatures
on arrays. Values are Tensors, whose shape has None for the batch; weights and constants are arrays. Words are
Keras's and are checked here. Channels-first operations are transposed to channels-last and back; a transpose
that undoes the one before it is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import _core, activations
from .. import machine as machine  # warns where CONV2D_NATIVE_ISA cannot be had
from ..errors import BatchAxisError
from ..locks import fork_safe_lock
from ..newest import Newest
from ..structure import flatten, pack
from .elements import over_axes
from .tensor import Tensor, exact, is_exact
from .windows import WindowOperations

_EXECUTABLES = 8  # batch sizes that a traced call keeps
_LOCK = fork_safe_lock()

__all__ = [
    "GraphBuilder", "Tensor", "Traced", "TracedBatches", "exact", "is_exact", "over_axes", "traced_by_image",
]  # fmt: skip


class GraphBuilder(WindowOperations):
    """Records operations. `share` is a builder whose packed weights are used where the arrays are the same.

    batch: None where values are those of one image, for batches of any size; else the images of the one batch that the
    graph is for, whose number is the first size of its values.
    """

    def __init__(self, share: GraphBuilder | None = None, batch: int | None = None) -> None:
        self.core: Any = _core.Graph() if share is None else _core.Graph(share=share.core)
        self.batch = batch
        self.labelled = 0  # values from here on have no label
        self.host_functions: list[Any] = []

    def compile(
        self,
        outputs: Sequence[Tensor],
        n: int,
        exact: bool = False,
        optimize: bool = True,
        choices: Mapping[str, str] | None = None,
    ) -> Any:
        """The executable for batches of `n`. `choices`: algorithms by the text of a convolution of one sample."""
        times = n if self.batch is None else 1
        made = self.core.compile([y.id for y in outputs], times, exact, optimize, dict(choices or {}))
        made.host_functions = self.host_functions
        return made

    def input(self, shape: Sequence[int | None]) -> Tensor:
        """An input of `shape`, whose first entry counts in a graph of a whole batch alone."""
        return Tensor(self, self.core.input((1 if self.batch is None else shape[0], *shape[1:])))


def _activation_method(name: str) -> Callable[..., Any]:
    words = activations.signature(name, "self", "x")

    def method(self: GraphBuilder, x: Any, *args: Any, **kwargs: Any) -> Any:
        bound = words.bind(self, x, *args, **kwargs)
        return self.activate(x, activations.make(name, **dict(list(bound.arguments.items())[2:])))

    method.__name__ = method.__qualname__ = name
    method.__signature__ = words  # type: ignore[attr-defined]
    return method


for _name in activations.TABLE:
    setattr(GraphBuilder, _name, _activation_method(_name))
for _alias, _name in activations.ALIASES.items():
    setattr(GraphBuilder, _alias, getattr(GraphBuilder, _name))


class Traced:
    """A `call(builder, inputs)` traced for the sample shapes of its inputs: one graph, an executable per batch.

    `structure` is that of the inputs; `shapes` are those of its leaves, with the batch first (its size does not
    matter). `share` is an earlier one of the same weights; `choices` are as GraphBuilder.compile takes them.
    batch: as for GraphBuilder.
    """

    def __init__(
        self,
        call: Callable[[Any, Any], Any],
        structure: Any,
        shapes: Sequence[Any],
        share: Traced | TracedBatches | None = None,
        choices: Mapping[str, str] | None = None,
        batch: int | None = None,
    ) -> None:
        self.choices = choices
        self.builder: GraphBuilder = GraphBuilder(None if share is None else share.builder, batch)
        self.inputs = [self.builder.input((batch, *shape[1:])) for shape in shapes]
        self.structure = call(self.builder, pack(structure, self.inputs))
        self.outputs = flatten(self.structure)
        self.executables: Newest[tuple[int, bool], Any] = Newest(_EXECUTABLES)

    def of(self, n: int) -> Traced:
        """What computes batches of `n`: this."""
        return self

    def executable(self, n: int, exact: bool = False) -> Any:
        """The executable for batches of `n`. One thread compiles it, the others that want it wait."""
        made = self.executables.get((n, exact))
        if made is None:
            with _LOCK:  # else each of them would pack the weights
                made = self.executables.get((n, exact))
                if made is None:
                    made = self.executables[n, exact] = self._compiled(n, exact)
        return made

    def _compiled(self, n: int, exact: bool) -> Any:
        try:
            return self.builder.compile(self.outputs, n, exact, choices=self.choices)
        except MemoryError as error:
            shapes = ", ".join(str((n, *y.shape[1:])) for y in self.outputs[:3])
            raise MemoryError(f"{error}, for results of shape {shapes}") from None

    @property
    def arena_bytes(self) -> int:
        """Working memory of one call of each executable."""
        return sum(executable.arena_bytes for executable in list(self.executables.values()))

    @property
    def packed_bytes(self) -> int:
        """What the weights take that its executables, and those it shares with, have packed."""
        return self.builder.core.packed_bytes()

    def run(self, arrays: Sequence[np.ndarray], outs: Sequence[np.ndarray] | None = None) -> list[np.ndarray]:
        """Run on plain arrays of one batch size and return the outputs in the order of flatten(structure)."""
        n = arrays[0].shape[0]
        if any(len(array) != n for array in arrays):
            raise ValueError(
                "All inputs must have the same batch size. "
                f"Received: shapes {', '.join(str(array.shape) for array in arrays)}."
            )
        if n == 0:
            return [np.empty((0, *y.shape[1:]), np.float32) for y in self.outputs]
        return self.executable(n, is_exact()).run(list(arrays), None if outs is None else list(outs))


Trace = Callable[[int | None, Any], Traced]  # of `batch` and `share`


class TracedBatches:
    """A call with operations along the axis of the batch: traced for each batch size by itself, by trace(n, share).

    Outputs may have another first size than the inputs.
    """

    def __init__(self, trace: Trace, share: Traced | TracedBatches | None) -> None:
        self._trace, self._first = trace, None if share is None else share.builder
        self._sizes: Newest[int, Traced] = Newest(_EXECUTABLES)

    def of(self, n: int) -> Traced:
        """What computes batches of `n`. Raises ValueError for 0: nothing is known of its results."""
        if n == 0:
            raise ValueError(
                "`x` must hold at least one image where operations run along the axis of the batch. Received: none."
            )
        made = self._sizes.get(n)
        if made is None:
            made = self._sizes[n] = self._trace(n, self)
        return made

    @property
    def builder(self) -> GraphBuilder | None:
        """One whose packed weights may be shared, if there is any."""
        return next((traced.builder for traced in [*self._sizes.values()]), self._first)

    @property
    def executables(self) -> dict[Any, Any]:
        """Those of all batch sizes."""
        return {key: made for traced in [*self._sizes.values()] for key, made in traced.executables.items()}


def traced_by_image(trace: Trace, share: Traced | TracedBatches | None) -> Traced | TracedBatches:
    """trace(None, share), or where operations run along the axis of the batch, what traces whole batches."""
    try:
        return trace(None, share)
    except BatchAxisError:
        return TracedBatches(trace, share)
