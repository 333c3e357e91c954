"""Variable: one weight of a layer. Its values are made when they are first asked for, and are read-only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import arguments

_epoch = 0


def weights_epoch() -> int:
    """A number that grows whenever a weight that was read gets new values: what was compiled may be out of date."""
    return _epoch


class Variable:
    """A float32 array of a fixed shape with Keras's attributes.

    `value` is read-only, so that what is compiled from it stays true: assign() replaces it. `path` is the name with
    that of its layer before it.
    """

    def __init__(
        self,
        name: str,
        shape: Sequence[int],
        initializer: Callable[..., Any],
        regularizer: Callable[..., Any] | None = None,
        constraint: Callable[..., Any] | None = None,
        trainable: bool = True,
    ) -> None:
        self.name, self.path, self.shape = name, name, tuple(shape)
        self.initializer, self.regularizer, self.constraint = initializer, regularizer, constraint
        self.trainable = trainable
        self._value: np.ndarray | None = None
        self._was_read = False

    dtype = "float32"

    @property
    def value(self) -> np.ndarray:
        """The array, from the initializer where nothing was assigned."""
        self._was_read = True
        if self._value is None:
            made = np.asarray(self.initializer(self.shape, dtype=np.float32))
            made = made.reshape(()) if self.shape == () and made.size == 1 else made
            self._keep(made, copy=not made.flags.owndata)
        assert self._value is not None
        return self._value

    def assign(self, value: Any, copy: bool = True) -> None:
        """Replace the values. Without `copy` a plain array is kept itself: the caller must not write to it.

        Raises ValueError for another shape, TypeError for what is no real array.
        """
        global _epoch
        self._keep(arguments.array(self.name, value), copy)
        if self._was_read:
            self._was_read = False
            _epoch += 1

    def _keep(self, made: np.ndarray, copy: bool) -> None:
        if made.shape != self.shape:
            raise ValueError(
                f"`{self.name}` must have shape {self.shape}. Received: {self.name} of shape {made.shape}."
            )
        kept = np.array(made, np.float32, order="C", copy=True) if copy else made.view()
        kept.flags.writeable = False
        self._value = kept

    def numpy(self) -> np.ndarray:
        """Return a copy of the values."""
        return self.value.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = self.value
        if dtype is not None and np.dtype(dtype) != value.dtype:
            return value.astype(dtype)
        return value.copy() if copy else value

    def __repr__(self) -> str:
        return f"<Variable {self.name}, shape={self.shape}>"
