"""RNN: a layer around any cell, which walks along an axis of steps.

What the inputs of all steps add to the gates is one matrix product of the core; the walk is a host step.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

from .. import arguments
from ..locks import fork_safe_lock
from ..structure import flatten, map_structure, pack
from .base import Layer
from .call_arguments import call_words
from .deserialization import with_layers_made
from .function_layer import computed_together
from .operations.operands import check_broadcast, constant, host, is_by_image
from .recurrence import Steps, Walk
from .recurrent_cells import RecurrentCell
from .registry import register_layer
from .stacked_cells import StackedRNNCells, checked_cell, output_size

_LOCK = fork_safe_lock()


@register_layer
class RNN(Layer):
    """Calls `cell` for one step of (batch, steps, ...) after the other, each with the states that the last one left.

    cell: SimpleRNNCell, LSTMCell, GRUCell, StackedRNNCells, a list of cells, or a layer of your own with a `state_size`
    and a call(self, inputs, states) that returns the output and the new states. return_sequences: the output has all
    steps, (batch, steps, units), instead of the last one, (batch, units). return_state: the states, each
    (batch, units), come after it. go_backwards: from the last step to the first; so are the outputs ordered.
    zero_output_for_mask: steps that are masked give zeros rather than the output before. unroll: of no effect else.
    A call takes the states to begin with (default: zeros) as `initial_state`, and returns those at the end with
    return_state. stateful: a batch, whose size has to be known when the layer is built, begins with the states at the
    end of the one before, in `states`; reset_state() makes them zeros. Calls from several threads come one by one.

    A call takes a `mask` (batch, steps): where it is False or 0 the states stay as they are.

        >>> RNN([LSTMCell(4), LSTMCell(3)], return_sequences=True)(np.ones((2, 5, 6))).shape
        (2, 5, 3)
    """

    _states: list[np.ndarray] | None = None
    _states_shapes: list[tuple[int, ...]] | None = None  # with the batch, where `stateful` keeps them

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cell = checked_cell("cell", StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else cell)
        self.return_sequences = arguments.flag("return_sequences", return_sequences)
        self.return_state = arguments.flag("return_state", return_state)
        self.go_backwards = arguments.flag("go_backwards", go_backwards)
        self.stateful = arguments.flag("stateful", stateful)
        self.unroll = arguments.flag("unroll", unroll)
        self.zero_output_for_mask = arguments.flag("zero_output_for_mask", zero_output_for_mask)

    @property
    def state_size(self) -> list[Any]:
        """The number of entries of each state; a list of them for each of stacked cells."""
        size = self.cell.state_size
        return list(size) if isinstance(size, (list, tuple)) else [size]

    def named_sublayers(self) -> list[tuple[str, Any]]:
        """The cell."""
        return [(self.cell.name, self.cell)]

    def _stored_sublayers(self) -> list[tuple[str, Any]]:
        """The cell, after its group."""
        return [("cell", self.cell)]

    def check_shape(self, shape: Any) -> None:
        """At least 3 axes, the last ones such as the cell takes."""
        super().check_shape(shape)
        if len(shape) < 3:
            raise ValueError(
                f"Layer '{self.name}' takes inputs of at least 3 axes, (batch, steps, ...). "
                f"Received: input_shape={shape}."
            )
        self.cell.check_shape((shape[0], *shape[2:]))

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build the cell for one step. With `stateful` the size of a batch must be known, for `states`."""
        self.cell.build((sequences_shape[0], *sequences_shape[2:]))
        if self.stateful:
            if not sequences_shape[0]:
                raise ValueError(
                    f"Layer '{self.name}' with stateful=True must know the size of a batch when it is built: "
                    f"Input(batch_shape=(8, ...)). Received: input_shape={sequences_shape}."
                )
            shapes = self._state_shapes(sequences_shape)
            self._states_shapes = [(sequences_shape[0], *shape) for shape in shapes]

    @property
    def states(self) -> Any:
        """At the end of the last call, where `stateful` keeps them; zeros, made when they are asked for, before."""
        if self._states is None and self._states_shapes is not None:
            self._states = [np.zeros(shape, np.float32) for shape in self._states_shapes]
        return self._states

    @states.setter
    def states(self, value: Any) -> None:
        self._states = value

    def reset_state(self) -> None:
        """Let the next call begin with zeros, where `stateful` keeps states.

        >>> layer = LSTM(3, stateful=True)
        >>> first, second = layer(np.ones((2, 5, 6))), layer(np.ones((2, 5, 6)))
        >>> layer.reset_state()
        >>> np.array_equal(layer(np.ones((2, 5, 6))), first), np.array_equal(first, second)
        (True, False)
        """
        with _LOCK:
            self._states = None

    def reset_states(self) -> None:
        """Another name of reset_state.

        >>> GRU(3).reset_states()
        """
        self.reset_state()

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return the states that sequences begin with, those of the cell or zeros.

        >>> [state.shape for state in LSTM(3).get_initial_state(2)]
        [(2, 3), (2, 3)]
        """
        given = getattr(self.cell, "get_initial_state", None)
        if given is not None:
            made = given(batch_size=batch_size)
            return list(made) if isinstance(made, (list, tuple)) else [made]
        return map_structure(lambda size: np.zeros((batch_size, size), np.float32), self.state_size)

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Build the cell, and check the other tensors of a call here, where the batch of arrays is known."""
        super()._build_for(args, kwargs)
        given = call_words(type(self)).bind(*args, **kwargs).arguments
        shape = (len(args[0]) if isinstance(args[0], np.ndarray) else None, *args[0].shape[1:])
        if given.get("initial_state") is not None:
            self._checked_states("initial_state", given["initial_state"], shape)
        if given.get("mask") is not None:
            self._mask(given["mask"], shape)

    def call(self, f: Any, sequences: Any, initial_state: Any = None, mask: Any = None) -> Any:
        """A matrix product for the inputs, and a host step."""
        cell, state_shapes = self.cell, self._state_shapes(sequences.shape)
        x, part_shapes = sequences, [sequences.shape[2:]]
        if isinstance(cell, RecurrentCell):
            x, part_shapes = cell.projected(f, sequences), state_shapes[:1] * cell.gates
        steps = Steps(cell, part_shapes, state_shapes, self.state_size)
        keeps = self.stateful and initial_state is None
        states = [] if keeps else self._initial_states(initial_state, sequences.shape)
        operands = [x, *states] if mask is None else [x, *states, self._mask(mask, sequences.shape)]
        walk = Walk(self.return_sequences, self.go_backwards, self.zero_output_for_mask, self.unroll)

        def results(x: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
            given, seen = others[: len(states)], others[len(states)] if mask is not None else None
            with _LOCK if self.stateful else nullcontext():
                made = steps.run(
                    x, self._kept_states(len(x), sequences.shape) if keeps else given, seen, walk
                )
                if self.stateful:
                    self.states = [np.array(state) for state in made[1:]]
            return made if self.return_state else made[:1]

        output_shape = (*sequences.shape[1 : 1 + self.return_sequences], *steps.output_shape)
        shapes = [output_shape, *(state_shapes if self.return_state else ())]
        apply = partial(host, f, whole_batch=self.stateful)
        made = computed_together(f, apply, results, operands, shapes)
        return (made[0], *pack(self.state_size, made[1:])) if self.return_state else made[0]

    def _kept_states(self, n: int, sequences_shape: Any) -> list[np.ndarray]:
        count = (self._states_shapes or [(n,)])[0][0]
        if count != n:
            raise ValueError(
                f"Layer '{self.name}' with stateful=True must be called on {count} sequences, as it was built. "
                f"Received: {n}."
            )
        return self._checked_states("states", self.states, (n, *sequences_shape[1:]))

    def _state_shapes(self, sequences_shape: Any) -> list[tuple[Any, ...]]:
        """The shape of every state without the batch."""
        sizes = flatten(self.state_size)
        if isinstance(self.cell, RecurrentCell):
            return [self.cell.state_shape((None, *sequences_shape[2:]))] * len(sizes)
        return [(size,) for size in sizes]

    def _initial_states(self, given: Any, sequences_shape: Any) -> list[Any]:
        """The states to begin with; those that are the same for all images have a batch of 1."""
        shapes = self._state_shapes(sequences_shape)
        if given is None and isinstance(self.cell, RecurrentCell):
            return [np.zeros((1, *shape), np.float32) for shape in shapes]
        given = self.get_initial_state(1) if given is None else given
        made = self._checked_states("initial_state", given, (None, *sequences_shape[1:]))
        for state, shape in zip(made, shapes, strict=True):
            check_broadcast(state, (None, *shape), type(self).__name__, "`initial_state`")
        return made

    def _checked_states(self, word: str, given: Any, sequences_shape: Any) -> list[Any]:
        """The states in `given` as a list. Raises ValueError where they are not those of the cell for the batch."""
        shapes, n = self._state_shapes(sequences_shape), sequences_shape[0]
        made = [constant(word, state) for state in flatten(given)]
        sizes = [tuple(state.shape) for state in made]
        if [size[1:] for size in sizes] != shapes or any(size[0] != n for size in sizes if n is not None):
            batch = "batch" if n is None else n
            each = " and ".join(f"({batch}, {', '.join(map(str, shape))})" for shape in shapes)
            words = (
                f"be {len(shapes)} tensors of shapes {each}" if shapes[1:] else f"be a tensor of shape {each}"
            )
            raise ValueError(
                f"`{word}` of layer '{self.name}' must {words}. Received: shapes {arguments.shown(sizes)}."
            )
        return made

    def _mask(self, given: Any, sequences_shape: Any) -> Any:
        mask = constant("mask", given)
        if len(mask.shape) != 2:
            raise ValueError(arguments.must("mask", "be of shape (batch, steps)", tuple(mask.shape)))
        if not is_by_image(mask) and not hasattr(given, "shape"):
            words = "be an array or a symbolic tensor, as the sequences are, of shape (batch, steps)"
            raise TypeError(arguments.must("mask", words, given))
        check_broadcast(mask, sequences_shape[:2], type(self).__name__, "`mask`")
        return mask

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """That of the sequences where all steps are returned; states have none."""
        mask = flatten(previous_mask)[0] if self.return_sequences else None
        return [mask, *[None] * len(self.state_size)] if self.return_state else mask

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """(batch, units), with the steps in between or the shapes of the states behind it, as the arguments say."""
        self.check_shape(sequences_shape)
        shapes = self._state_shapes(sequences_shape)
        own = isinstance(self.cell, RecurrentCell)
        output = (
            *sequences_shape[1 : 1 + self.return_sequences],
            *(shapes[0] if own else (output_size(self.cell),)),
        )
        batch = sequences_shape[0]
        states = pack(self.state_size, [(batch, *shape) for shape in shapes])
        return ((batch, *output), *states) if self.return_state else (batch, *output)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Make a layer, and the cell inside, from what get_config returned."""
        return super().from_config(with_layers_made(config, ("cell",), custom_objects))
