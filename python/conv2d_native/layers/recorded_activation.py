"""Functions of the user's as activations of layers: steps of the core where they can be recorded, else host steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from .. import activations
from .recorded_call import mixes_images, record_function
from .symbolic import KerasTensor


@dataclass(frozen=True)
class RecordedActivation(activations.Activation):
    """A function of the user's, run once on a symbolic tensor for every image size that a graph is made for.

    Of arrays it gets a large batch in parts, but a whole one where it was seen to mix images.
    """

    def steps(self, f: Any, x: Any) -> Any:
        """What it makes of `x`; None where parts of a batch will do, and it cannot be recorded or changes the shape."""
        function = self.function
        recorded = None if function is None else record_function(function, x)
        made = recorded and recorded.made
        if not isinstance(made, KerasTensor) or made.shape[1:] != x.shape[1:] or made.dtype == "bool":
            if function is None or not mixes_images(lambda a: [function(a)], [x.shape[1:]]):
                return None
            return f.apply(partial(activations.computed_by_numpy, self), [x], x.shape, whole_batch=True)
        return recorded.computed(f, x)  # type: ignore[union-attr]


def layer_activation(identifier: Any) -> activations.Activation:
    """activations.get(identifier) as a layer keeps it. Raises as that does."""
    made = activations.get(identifier)
    return made if made.function is None else RecordedActivation(made.name, (), made.function)
