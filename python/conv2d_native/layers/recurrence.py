"""The loop of recurrent layers: the step of a cell as a graph of its own, run for one step after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph import Traced, is_exact
from ..structure import flatten
from .function_layer import PIECE
from .recurrent_cells import RecurrentCell
from .stacked_cells import stepped


@dataclass(frozen=True)
class Walk:
    """How a layer walks: whether it keeps the outputs of all steps, begins at the last one, and, where a step is not
    seen, has zeros as its output rather than the output before.

    unrolled: as Keras does, which then puts the zeros in places that are counted from the first step in any case.
    """

    keeps_all: bool
    backwards: bool
    zeroes: bool
    unrolled: bool


class Steps:
    """The step of `cell`, for a part of the input for each gate, or one for all, and states in the form of `states`."""

    def __init__(
        self, cell: Any, part_shapes: Sequence[Any], state_shapes: Sequence[Any], states: Any
    ) -> None:
        self.cell, self.part_count, self.state_shapes = cell, len(part_shapes), list(state_shapes)
        self.places: list[int] = []  # of the output and then of each state, among the results of the graph
        shapes = [(None, *shape) for shape in (*part_shapes, *self.state_shapes)]
        self.traced = Traced(self._results, [[0] * self.part_count, states], shapes)
        self.output_shape = self.traced.outputs[self.places[0]].shape[1:]

    def _results(self, f: Any, given: Any) -> list[Any]:
        """What a step makes, each tensor once: the output may be a state too."""
        parts, states = given
        if isinstance(self.cell, RecurrentCell):
            new = self.cell.step(f, parts, states)
            made = [new[0], *new]
        else:
            output, new = stepped(self.cell, f, parts[0], states)
            made = [output, *flatten(new)]
        if [tensor.shape[1:] for tensor in made[1:]] != self.state_shapes:
            raise ValueError(
                f"call() of cell '{self.cell.name}' must return an output and states of its `state_size`, the shapes "
                f"{self.state_shapes}. It returned states of shapes {[tensor.shape[1:] for tensor in made[1:]]}."
            )
        results = list({tensor.id: tensor for tensor in made}.values())
        self.places = [[tensor.id for tensor in results].index(tensor.id) for tensor in made]
        return results

    def run(
        self, x: np.ndarray, states: Sequence[np.ndarray], seen: np.ndarray | None, walk: Walk
    ) -> list[np.ndarray]:
        """The outputs of all steps or the last one, then the states: of images (batch, steps, ...), states and mask.

        Where `seen` (batch, steps) is 0, a step changes no state. Nothing is allocated from step to step without it.
        """
        n, count = x.shape[:2]
        states = [np.ascontiguousarray(np.broadcast_to(s, (n, *s.shape[1:]))) for s in states]
        seen = None if seen is None else np.broadcast_to(seen, (n, count))
        zeroes_afterwards = walk.zeroes and walk.unrolled and walk.keeps_all
        run, (place, *state_places) = self.traced.executable(n, is_exact()).run, self.places
        shapes = [(n, *y.shape[1:]) for y in self.traced.outputs]
        kept = count if walk.keeps_all else 2
        results = [
            np.empty((kept if i == place and seen is None else 2, *shape), np.float32)
            for i, shape in enumerate(shapes)
        ]
        outputs = results[place] if seen is None else np.zeros((kept, *shapes[place]), np.float32)
        for i, parts in enumerate(self._parts_of_steps(x, walk.backwards)):
            made = [result[i % len(result)] for result in results]
            run([*parts, *states], made)
            new = [made[j] for j in state_places]
            if seen is not None:
                t = count - 1 - i if walk.backwards else i
                before = outputs[i % kept - 1]  # zeros before the first step
                if walk.zeroes and not zeroes_afterwards:
                    before = np.zeros_like(before)
                outputs[i % kept] = _where(seen[:, t], made[place], before)
                new = [_where(seen[:, t], value, old) for value, old in zip(new, states, strict=True)]
            states = new
        output = outputs.swapaxes(0, 1) if walk.keeps_all else outputs[(count - 1) % kept]
        if seen is not None and zeroes_afterwards:
            output *= (seen != 0).reshape(n, count, *[1] * len(self.output_shape))
        return [output, *states]

    def _parts_of_steps(self, x: np.ndarray, backwards: bool) -> Iterator[np.ndarray]:
        """(parts, batch, ...) of one step of (batch, steps, ...) after the other, made for some steps at a time."""
        count = x.shape[1]
        starts = range(0, count, max(1, PIECE * count // x.size))
        for start in reversed(starts) if backwards else starts:
            parts = self._parts(x[:, start : start + starts.step])
            yield from parts[::-1] if backwards else parts

    def _parts(self, x: np.ndarray) -> np.ndarray:
        """(batch, steps, ...) as (steps, parts, batch, ...): parts lie side by side on the axis of the channels."""
        axis = 2 if getattr(self.cell, "channel_axis", -1) == 1 else x.ndim - 1
        parted = x.reshape(*x.shape[:axis], self.part_count, -1, *x.shape[axis + 1 :])
        return np.ascontiguousarray(np.moveaxis(parted, (0, axis), (2, 1)))


def _where(seen: np.ndarray, value: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`value` for the images that are `seen`, `other` for the rest."""
    return np.where(seen.reshape(-1, *[1] * (value.ndim - 1)) != 0, value, other)
