"""Variable: one weight of a layer. Its values are made when they are first asked for, and are read-only.

Several get new values together, all or none (assign_all), and are read together (held_together): what is compiled,
copied or saved while another thread assigns holds old or new weights, never a mix.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import repeat
from typing import Any

import numpy as np

from .. import arguments
from ..locks import fork_safe_lock
from .any_batch import call_given

_LOCK = fork_safe_lock()  # no other lock is taken, and no code of the user's is run, while it is held
_epoch = 0
_HELD: ContextVar[dict[Variable, np.ndarray]] = ContextVar("conv2d_native_held_weights")
_NONE: dict[Variable, np.ndarray] = {}


def weights_epoch() -> int:
    """A number that grows whenever a weight that was read gets new values, or a layer another setting.

    What was compiled before may be out of date.
    """
    with _LOCK:
        return _epoch


def count_change() -> None:
    """Make weights_epoch() grow."""
    global _epoch
    with _LOCK:
        _epoch += 1


def is_reading_held() -> bool:
    """Whether this thread is within held_together: a call is traced or recorded, say."""
    return _HELD.get(_NONE) is not _NONE


class Variable(np.lib.mixins.NDArrayOperatorsMixin):
    """A float32 array of a fixed shape with Keras's attributes.

    `value` is read-only, so that what is compiled from it stays true: assign() replaces it. `path` is the name after
    those of its layer and of the layers and models around it when it was made, as in Keras. Arithmetic, comparisons,
    indexing and NumPy's functions take the values as they are then; == alone asks whether two are the same variable.

        >>> layer = Dense(2, kernel_initializer="ones")
        >>> layer.build((None, 3))
        >>> (layer.kernel * 2)[0].tolist()
        [2.0, 2.0]
    """

    __eq__, __ne__, __hash__ = object.__eq__, object.__ne__, object.__hash__

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
        held = _HELD.get(_NONE).get(self)
        if held is not None:
            return held
        self._was_read = True
        if self._value is None:
            with call_given(()):
                made = np.asarray(self.initializer(self.shape, dtype=np.float32))
            made = made.reshape(()) if self.shape == () and made.size == 1 else made
            kept = self._plain(made, copy=not made.flags.owndata)
            with _LOCK:
                if self._value is None:  # else another thread was first: its values are the weight's
                    self._value = kept
        assert self._value is not None
        return self._value

    def assign(self, value: Any, copy: bool = True) -> None:
        """Replace the values. Without `copy` a plain array is kept itself: the caller must not write to it.

        Raises ValueError for another shape, TypeError for what is no real array.
        """
        assign_all([self], [value], arguments.flag("copy", copy))

    def assign_add(self, value: Any) -> None:
        """Replace the values by their sum with `value`. Raises as assign does."""
        self.assign(self.value + arguments.array("value", value))

    def assign_sub(self, value: Any) -> None:
        """Replace the values by what is left of them without `value`. Raises as assign does."""
        self.assign(self.value - arguments.array("value", value))

    def _plain(self, made: np.ndarray, copy: bool) -> np.ndarray:
        if made.shape != self.shape:
            raise ValueError(
                f"`{self.name}` must have shape {self.shape}. Received: {self.name} of shape {made.shape}."
            )
        kept = np.array(made, np.float32, order="C", copy=True) if copy else made.view()
        kept.flags.writeable = False
        return kept

    def numpy(self) -> np.ndarray:
        """Return a copy of the values."""
        return self.value.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = self.value
        if dtype is not None and np.dtype(dtype) != value.dtype:
            return value.astype(dtype)
        return value.copy() if copy else value

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(isinstance(out, Variable) for out in kwargs.get("out", ())):
            return NotImplemented  # values change by assign() alone
        return getattr(ufunc, method)(*(x.value if isinstance(x, Variable) else x for x in inputs), **kwargs)

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __round__(self, ndigits: int | None = None) -> Any:
        return np.round(self.value, ndigits or 0)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"


def assign_all(variables: Sequence[Variable], arrays: Sequence[Any], copy: bool = True) -> None:
    """Give every variable its array: all of them, or none where one does not fit or Ctrl-C is pressed."""
    global _epoch
    pairs = zip(variables, arrays, strict=True)
    kept = [v._plain(arguments.array(v.name, array), copy) for v, array in pairs]
    with _LOCK:
        read = True
        try:
            # One call without Python code in it: no signal is handled between two of the variables.
            deque(map(setattr, variables, repeat("_value"), kept), maxlen=0)
            read = any([v._was_read for v in variables])
            deque(map(setattr, variables, repeat("_was_read"), repeat(False)), maxlen=0)
        finally:
            _epoch += read


@contextmanager
def held_together(variables: Sequence[Variable]) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Within it, this thread reads the values that `variables` have together now, whatever is assigned meanwhile.

    Gives (weights_epoch(), the values).
    """
    for v in variables:
        v.value  # noqa: B018 - initializers run before the lock is taken
    with _LOCK:
        deque(map(setattr, variables, repeat("_was_read"), repeat(True)), maxlen=0)
        epoch, values = _epoch, [v._value for v in variables if v._value is not None]
    token = _HELD.set({**_HELD.get(_NONE), **dict(zip(variables, values, strict=True))})
    try:
        yield epoch, values
    finally:
        _HELD.reset(token)
