"""Input and InputLayer: where a network's symbolic tensors begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import arguments
from .base import Layer
from .registry import register_layer
from .symbolic import KerasTensor, Node


@register_layer
class InputLayer(Layer):
    """The layer that stands for a network's input. `output` is its symbolic tensor.

    shape: sizes without the batch, None for those that vary. batch_size or batch_shape give the batch too.
    Raises ValueError where neither or both of `shape` and `batch_shape` are given.

        >>> InputLayer((32, 32, 3)).output.shape
        (None, 32, 32, 3)
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if shape is None:
            shape = self.input_shape_argument
        if (shape is None) == (batch_shape is None):
            raise ValueError("Give `shape` or `batch_shape` of the input, one of the two.")
        if sparse or ragged or input_tensor is not None:
            raise ValueError(
                "Inputs are dense arrays here: `sparse`, `ragged` and `input_tensor` are not computed."
            )
        if batch_shape is None:
            batch_shape = (batch_size, *arguments.sizes("shape", shape))
        self.batch_shape = arguments.sizes("batch_shape", batch_shape)
        self.input_dtype = arguments.element_type("float32" if dtype is None else dtype)
        self.optional, self.built = arguments.flag("optional", optional), True
        self._begin()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._begin()

    def _begin(self) -> None:
        """Make `output`, which copies do not share."""
        Node(self, (), {}, KerasTensor(self.batch_shape, self.name, self.input_dtype))

    @property
    def input(self) -> Any:
        """No tensor: []."""
        return []

    def compute_output_shape(self, input_shape: Any) -> Any:
        """An input has the shape that it was given."""
        return self.batch_shape

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration."""
        return {
            "batch_shape": list(self.batch_shape),
            "dtype": self.input_dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """Return the symbolic tensor of a new input of `shape`, the batch left out; None for sizes that vary.

    batch_size or batch_shape give the batch too. dtype, name: kept. Raises ValueError where neither or both of
    `shape` and `batch_shape` are given, and for sparse, ragged and `tensor`, which are not computed here.

        >>> Input((32, 32, 3)).shape
        (None, 32, 32, 3)
    """
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name)
    made: KerasTensor = layer.output
    return made
