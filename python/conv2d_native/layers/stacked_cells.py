"""StackedRNNCells: several cells as one, and what any cell has to have, of this package or a layer of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import arguments
from ..structure import flatten
from .base import Layer
from .deserialization import deserialize, with_layers_made
from .recurrent_cells import RecurrentCell
from .registry import is_layer, register_layer
from .symbolic import call_layer
from .weights import held_layers


def checked_cell(word: str, cell: Any) -> Any:
    """`cell`, or that of Keras's configuration.

    Raises TypeError for what is no layer with a `state_size` of numbers, ValueError for numbers below 1.
    """
    made = deserialize(cell) if isinstance(cell, Mapping) else cell
    if not is_layer(made) or getattr(made, "state_size", None) is None:
        raise TypeError(arguments.must(word, "be a layer with a `state_size`, a cell", cell))
    for size in flatten(made.state_size):
        arguments.integer("state_size", size)
    return made


def output_size(cell: Any) -> int:
    """The number of entries of a cell's output: that of its first state where it does not say."""
    size = getattr(cell, "output_size", None)
    return arguments.integer("output_size", flatten(cell.state_size if size is None else size)[0])


def stepped(cell: Any, f: Any, x: Any, states: Any) -> tuple[Any, Any]:
    """(output, new states): what a call of `cell` makes. Raises ValueError where it returns anything else."""
    made = call_layer(cell, f, x, states)
    if not isinstance(made, (list, tuple)) or len(made) != 2:
        raise ValueError(
            f"call() of cell '{cell.name}' must return an output and the new states. Received: {arguments.shown(made)}."
        )
    return made[0], made[1]


@register_layer
class StackedRNNCells(Layer):
    """Several cells as one: each takes the output of the one before it. Its states are the list of theirs.

    cells: a list of cells, of this package or layers of your own with a `state_size` and a call(self, inputs, states)
    that returns the output and the new states.

        >>> RNN(StackedRNNCells([LSTMCell(4), GRUCell(3)]))(np.ones((2, 5, 6))).shape
        (2, 3)
    """

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(cells, (list, tuple)) or not cells:
            raise TypeError(arguments.must("cells", "be a list of cells", cells))
        self.cells = [checked_cell("cells", cell) for cell in cells]

    def named_sublayers(self) -> list[tuple[str, Any]]:
        """The cells."""
        return [(cell.name, cell) for cell in self.cells]

    def _stored_sublayers(self) -> list[tuple[str, Any]]:
        """The cells, after their groups."""
        return held_layers("cells", self.cells)

    @property
    def state_size(self) -> list[Any]:
        """Those of the cells."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """That of the last cell."""
        return output_size(self.cells[-1])

    def check_shape(self, shape: Any) -> None:
        """What the first cell takes."""
        super().check_shape(shape)
        self.cells[0].check_shape(shape)

    def build(self, input_shape: Any) -> None:
        """Build each cell for what the one before it returns."""
        for cell in self.cells:
            cell.build(input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def call(self, f: Any, inputs: Any, states: Any) -> Any:  # type: ignore[override]
        """One step of each cell: (output, list of their new states)."""
        made = []
        for cell, own in zip(self.cells, states, strict=True):
            one = not isinstance(own, (list, tuple))
            inputs, new = stepped(cell, f, inputs, [own] if one else list(own))
            made.append(new[0] if one and isinstance(new, (list, tuple)) else new)
        return inputs, made

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, entries of the last cell's output)."""
        return (input_shape[0], self.output_size)

    compute_output_spec = RecurrentCell.compute_output_spec

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Make the cells from what get_config returned."""
        return super().from_config(with_layers_made(config, ("cells",), custom_objects))
