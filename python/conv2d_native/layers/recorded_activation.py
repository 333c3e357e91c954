"""Functions of the user's as activations of layers: steps of the core where they can be recorded, else host steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import activations
from .recorded_call import record_function
from .symbolic import KerasTensor


@dataclass(frozen=True)
class RecordedActivation(activations.Activation):
    """A function of the user's, run once on a symbolic tensor for every image size that a graph is made for."""

    def steps(self, f: Any, x: Any) -> Any:
        """What it makes of `x`; None where it cannot be recorded, or does not make numbers of the same shape."""
        recorded = None if self.function is None else record_function(self.function, x)
        made = recorded and recorded.made
        if not isinstance(made, KerasTensor) or made.shape[1:] != x.shape[1:] or made.dtype == "bool":
            return None
        return recorded.computed(f, x)  # type: ignore[union-attr]


def layer_activation(identifier: Any) -> activations.Activation:
    """activations.get(identifier) as a layer keeps it. Raises as that does."""
    made = activations.get(identifier)
    return made if made.function is None else RecordedActivation(made.name, (), made.function)
