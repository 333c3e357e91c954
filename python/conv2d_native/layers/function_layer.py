"""NumPy functions of the user's as layers: FunctionLayer for what a file only names, Lambda in programs.

Neither is in the table of classes: a file's Lambda is refused, whatever it holds.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..arguments import shown
from .base import Layer, unique_name


class FunctionLayer(Layer):
    """Computes `function(x)`, or `function(a, b, ...)` for a list of inputs, on float32 arrays with the batch first.

    It must treat images one by one: its result for a batch is the stack of its results for the images. The shape
    is found by running it on images of zeros.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        class_name: str = "Lambda",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.function, self.class_name = function, class_name

    def call(self, f: Any, x: Any, **unused: Any) -> Any:
        """Run the function as a host step."""
        xs = list(x) if isinstance(x, (list, tuple)) else [x]
        shape = self._shape([tensor.shape for tensor in xs])
        return f.apply(self._compute, xs, shape)

    def _compute(self, *arrays: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.function(*arrays), np.float32)

    def _shape(self, shapes: list[Any]) -> tuple[Any, ...]:
        made = np.shape(self._compute(*[np.zeros((2, *shape[1:]), np.float32) for shape in shapes]))
        if not made or made[0] != 2:
            raise ValueError(
                f"Layer '{self.name}': the function for {self.class_name} must return an array with the batch as its "
                f"first axis. Received: shape {made} for a batch of 2."
            )
        return (None, *made[1:])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the result, None where it follows an unknown size of the input."""
        single = not input_shape or not isinstance(input_shape[0], (tuple, list))
        shapes = [input_shape] if single else list(input_shape)
        made = [
            self._shape([tuple(unknown if n is None else n for n in shape) for shape in shapes])
            for unknown in (96, 160)
        ]
        return (None, *(m if m == n else None for m, n in zip(made[0][1:], made[1][1:], strict=True)))

    def get_config(self) -> dict[str, Any]:
        """Return the name; the function is not part of a configuration."""
        return {"name": self.name}


class Lambda(FunctionLayer):
    """Computes `function(x, **arguments)` by NumPy or conv2d_native.ops, on float32 arrays with the batch first.

    It must treat images one by one. output_shape, mask: Keras's words, of no effect; the shape is found by trial.
    Models with it can be pickled where the function can, and cannot be saved to files. Raises TypeError where
    `function` is none.

        >>> Lambda(lambda x: x / 4)(np.ones((1, 2))).tolist()
        [[0.25, 0.25]]
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if not callable(function):
            raise TypeError(f"`function` must be a function. Received: function={shown(function)}.")
        given = functools.partial(function, **arguments) if arguments else function
        super().__init__(given, "Lambda", kwargs.pop("name", None) or unique_name("lambda"), **kwargs)
