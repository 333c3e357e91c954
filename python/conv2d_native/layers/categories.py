"""Numbers of categories beside images: CategoryEncoding and Discretization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import arguments
from ..errors import UnsupportedLayerError
from .base import Layer
from .configuration import checked_config
from .registry import register_layer


class _Encoded(Layer):
    """A layer whose numbers of categories become zeros and ones, or counts, as `output_mode` says."""

    output_mode: str
    _depth: int

    def _encoded_shape(self, shape: Any) -> Any:
        """one_hot: with an axis for the categories, in the place of a last one of size 1; else (batch, depth)."""
        shape = tuple(shape)
        if self.output_mode == "int":
            return shape
        if len(shape) < 2 or (self.output_mode != "one_hot" and len(shape) != 2):
            rank = "at least 2" if self.output_mode == "one_hot" else "2"
            raise ValueError(
                f"Layer '{self.name}' takes inputs of {rank} axes with output_mode={self.output_mode!r}. "
                f"Received: input_shape={shape}."
            )
        alone = self.output_mode == "one_hot" and shape[-1] != 1
        return (*(shape if alone else shape[:-1]), self._depth)

    def _encode(self, numbers: np.ndarray, weights: np.ndarray | float = 1.0) -> np.ndarray:
        """`numbers` as they are, or encoded; of those from `_depth` on nothing is seen."""
        if self.output_mode == "int":
            return numbers.astype(np.float32)
        whole = np.trunc(numbers)
        if self.output_mode == "one_hot":
            places = whole[..., None] == np.arange(self._depth)
            return np.squeeze(places, -2) if numbers.shape[-1] == 1 else places
        if (numbers <= -1).any():
            raise ValueError(f"Layer '{self.name}' takes no negative numbers. Received: {numbers.min():g}.")
        counts = np.zeros((len(numbers), self._depth), np.float32)
        seen = np.nonzero(whole < self._depth)
        places = seen[0], whole[seen].astype(np.int64)
        if self.output_mode == "multi_hot":
            counts[places] = 1
        else:
            np.add.at(counts, places, np.broadcast_to(weights, numbers.shape)[seen])
        return counts

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the encoded numbers."""
        self.check_shape(input_shape)
        return self._encoded_shape(input_shape)


@register_layer
class CategoryEncoding(_Encoded):
    """Zeros, and ones in the places of the numbers of categories: (batch, n) becomes (batch, num_tokens).

    num_tokens: how many categories there are. output_mode: "multi_hot", "count" (how often each comes; a call takes
    `count_weights` of the input's shape) or "one_hot", which takes any rank from 2 and adds an axis of num_tokens, in
    the place of a last one of size 1. sparse: without effect. Numbers from num_tokens on are left out.

        >>> CategoryEncoding(4)(np.array([[0, 1], [3, 3]])).tolist()
        [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """

    def __init__(
        self, num_tokens: Any = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        output_mode = "multi_hot" if output_mode == "binary" else output_mode
        self.num_tokens = self._depth = arguments.integer("num_tokens", num_tokens)
        self.output_mode = arguments.choice("output_mode", output_mode, ("multi_hot", "one_hot", "count"))
        self.sparse = arguments.flag("sparse", sparse)

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration."""
        return {word: value for word, value in super().get_config().items() if word != "sparse"}

    def call(self, f: Any, x: Any, count_weights: Any = None) -> Any:
        """A host step."""
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f"`count_weights` needs output_mode='count'. Received: output_mode={self.output_mode!r}."
            )
        if count_weights is not None and getattr(count_weights, "shape", ())[1:] != x.shape[1:]:
            expected = f"be an array of the input's shape {(None, *x.shape[1:])}"
            raise ValueError(arguments.must("count_weights", expected, count_weights))
        given = [x] if count_weights is None else [x, count_weights]
        return f.apply(self._encode, given, self._encoded_shape(x.shape), "CategoryEncoding")


@register_layer
class Discretization(_Encoded):
    """For each number, in which of the ranges between `bin_boundaries` it is: 0 below the first of them.

    bin_boundaries: rising numbers; num_bins, epsilon: of `adapt`, which is not computed here. output_mode: "int", or as
    in CategoryEncoding, of len(bin_boundaries) + 1 categories. sparse: without effect.

        >>> Discretization([0.0, 1.0])(np.array([[-1.0, 0.5, 1.0]])).tolist()
        [[0.0, 1.0, 2.0]]
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if bin_boundaries is None:
            raise UnsupportedLayerError(
                f"Layer '{self.name}' needs its `bin_boundaries`: adapt it with Keras. Received: num_bins={num_bins}."
            )
        bounds = arguments.array("bin_boundaries", bin_boundaries, 1)
        if np.isnan(bounds).any() or (np.diff(bounds) < 0).any():
            raise ValueError(arguments.must("bin_boundaries", "rise", bin_boundaries))
        self.bin_boundaries = bounds.tolist()
        self.num_bins = None if num_bins is None else arguments.integer("num_bins", num_bins)
        self.epsilon = arguments.number("epsilon", epsilon)
        self.output_mode = arguments.choice(
            "output_mode", output_mode, ("int", "one_hot", "multi_hot", "count")
        )
        self.sparse, self._depth = arguments.flag("sparse", sparse), len(bounds) + 1

    def get_config(self) -> dict[str, Any]:
        """Return Keras's configuration, which has no `trainable`."""
        made = {**super().get_config(), "dtype": self.dtype}
        return {word: value for word, value in made.items() if word != "trainable"}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """Make a layer of what get_config (or Keras's, of an adapted one too) returned."""
        return cls(**{word: value for word, value in checked_config(config).items() if word != "trainable"})

    def call(self, f: Any, x: Any) -> Any:
        """A host step."""
        bounds = np.float32(self.bin_boundaries)
        return f.apply(
            lambda a: self._encode(np.digitize(a, bounds)),
            [x],
            self._encoded_shape(x.shape),
            "Discretization",
        )
