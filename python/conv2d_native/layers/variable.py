"""Variable: one weight of a layer. Its values are made when they are first asked for, and are read-only.

Several get new values together, all or none (assign_all), and are read together (held_together): what is compiled,
copied or saved while another thread assigns holds old or new weights, never a mix. What a recorded call assigns the
weights get when it is computed (computed_with).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from itertools import repeat
from typing import Any, TypeVar

import numpy as np

from .. import arguments, initializers
from ..errors import UnsupportedLayerError
from ..locks import fork_safe_lock
from ..scopes import set_within
from .any_batch import call_given, is_recording
from .assigned_in_call import assigned_in_call, call_in_progress
from .names import path_in, unique_name
from .symbolic import KerasTensor

_LOCK = fork_safe_lock()  # no other lock is taken, and no code of the user's is run, while it is held
_epoch = 0
_HELD: ContextVar[dict[Variable, np.ndarray]] = ContextVar("conv2d_native_held_weights")
_NONE: dict[Variable, np.ndarray] = {}
_OTHERS: ContextVar[list[Variable] | None] = ContextVar("conv2d_native_other_weights", default=None)
_Made = TypeVar("_Made")


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


def _checked_shape(shape: Any, path: str) -> tuple[int, ...]:
    """The sizes of the weight at `path`. Raises TypeError or ValueError for what is no shape."""
    if isinstance(shape, str) or not hasattr(shape, "__iter__"):
        words = "be a tuple of positive integers, and `name` is given by its name"
        raise TypeError(arguments.must("shape", words, shape))
    sizes = tuple(arguments.integer("shape", size) for size in shape)
    if math.prod(sizes) > arguments.LARGEST_STEP // 4:
        raise ValueError(f"A weight must have fewer than 2^61 entries. Received: {path!r} of shape {sizes}.")
    return sizes


class Variable(np.lib.mixins.NDArrayOperatorsMixin):
    """A float32 array of a fixed shape with Keras's attributes.

    initializer: the values, or the name of an initializer or a function of a shape, which needs `shape` and runs when
    they are first asked for. name: default "variable" with a number. dtype, autocast, aggregation, synchronization and
    layout are Keras's words, without effect on float32 inference. An attribute of a layer, by itself or in lists and
    dicts, is a weight of the layer. Raises ValueError without a shape, TypeError for what is no shape or no real array.

    `value` is read-only, so that what is compiled from it stays true: assign() replaces it. `path` is the name after
    those of its layer and of the layers and models around it when it was made, as in Keras. Arithmetic, comparisons,
    indexing and NumPy's functions take the values as they are then; == alone asks whether two are the same variable.

        >>> layer = Dense(2, kernel_initializer="ones")
        >>> layer.build((None, 3))
        >>> (layer.kernel * 2)[0].tolist()
        [2.0, 2.0]
        >>> cn.Variable("ones", shape=(2,), name="gain")
        <Variable path=gain, shape=(2,), dtype=float32>
    """

    __eq__, __ne__, __hash__ = object.__eq__, object.__ne__, object.__hash__

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        layout: Any = None,
        *,
        regularizer: Callable[..., Any] | None = None,
        constraint: Callable[..., Any] | None = None,
    ) -> None:
        self._trainable = arguments.flag("trainable", trainable)
        self._value: np.ndarray | None = None
        self._was_read = False
        self.name = unique_name("variable") if name is None else name
        self.path = path_in(self.name)
        self.initializer: Any = initializers.get(initializer) if isinstance(initializer, str) else initializer
        if callable(self.initializer):
            if shape is None:
                raise ValueError("`shape` must be given with an initializer. Received: shape=None.")
            self.shape = _checked_shape(shape, self.path)
        else:
            value = arguments.array("initializer", initializer)
            self.shape = value.shape if shape is None else _checked_shape(shape, self.path)
            self._value, self.initializer = self._plain(value, copy=True), None
        self.regularizer, self.constraint = regularizer, constraint

    dtype = "float32"
    _frozen = False  # whether its layer has trainable=False

    @property
    def trainable(self) -> bool:
        """Whether training would change it: not where its layer has trainable=False."""
        return self._trainable and not self._frozen

    @trainable.setter
    def trainable(self, value: Any) -> None:
        self._trainable, self._frozen = arguments.flag("trainable", value), False

    @property
    def value(self) -> np.ndarray:
        """The array, from the initializer where nothing was assigned."""
        held = _HELD.get(_NONE).get(self)
        call = call_in_progress()
        if call is not None:
            if is_recording():
                call.note_read(self)
            held = call.values.get(self, held)
        if held is not None:
            return held
        self._was_read = True
        others = _OTHERS.get()
        if others is not None:
            others.append(self)
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

        In the call(self, x) of a layer the values hold from there on, and stay when the call is computed. Raises
        ValueError for another shape, TypeError for what is no real array, UnsupportedLayerError for a
        symbolic tensor, and in a call that has computed with the variable or would give it other values each time.
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
    pairs = list(zip(variables, arrays, strict=True))
    for v, array in pairs:
        if isinstance(array, KerasTensor):
            raise UnsupportedLayerError(
                f"Weight `{v.path}` cannot be assigned what a call makes of its arguments. Received: {array!r}."
            )
    kept = [v._plain(arguments.array(v.name, array), copy) for v, array in pairs]
    call = call_in_progress()
    if call is None or not is_recording():
        _replace_all(variables, kept)
        return
    with call_given(()):  # these reads are not the call's
        before = [v.value for v in variables]
    if call.assign(variables, before, kept):
        count_change()  # layers that the call computes on arrays meanwhile look at their weights


def _set_each(variables: Sequence[Variable], word: str, values: Iterable[Any]) -> None:
    """Set an attribute of each, in one call without Python code in it: no signal is handled between two of them."""
    deque(map(setattr, variables, repeat(word), values), maxlen=0)


def _replace_all(variables: Sequence[Variable], kept: Sequence[np.ndarray]) -> None:
    global _epoch
    with _LOCK:
        read = True
        try:
            _set_each(variables, "_value", kept)
            read = any([v._was_read for v in variables])
            _set_each(variables, "_was_read", repeat(False))
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
        _set_each(variables, "_was_read", repeat(True))
        epoch, values = _epoch, [v._value for v in variables if v._value is not None]
    with set_within(_HELD, {**_HELD.get(_NONE), **dict(zip(variables, values, strict=True))}):
        yield epoch, values


def other_reads() -> AbstractContextManager[Any]:
    """Within it, the weights that this thread reads are in the list that it gives, but for those held together."""
    return set_within(_OTHERS, [])


def computed_with(variables: Sequence[Variable], make: Callable[[], _Made]) -> _Made:
    """What `make` makes of the values that `variables` have together now, and of those that calls in it assign.

    The variables get the latter, but for those that were given others meanwhile. `make` runs twice where they differ.
    Raises UnsupportedLayerError, with nothing changed, where they would differ each time.
    """
    around = call_in_progress()
    if around is not None and not around.values.keys().isdisjoint(variables):
        raise UnsupportedLayerError(
            "A call gives a weight other values and then computes with it on arrays, which is not computed here: "
            "compute on what the call is given."
        )
    with held_together(variables):
        with assigned_in_call({}) as first:
            made = make()
        if not first.changed:
            return made
        with assigned_in_call(first.values) as again:
            made = make()
        if unsteady := again.changed_and_computed():
            raise UnsupportedLayerError(
                f"A call gives weight `{unsteady[0].path}` other values each time, which is not computed "
                "here: assign what another call leaves as it is, kernel * mask for instance."
            )
    _replace_where_unchanged(first.changed, first.values)
    return made


def _replace_where_unchanged(
    before: Mapping[Variable, np.ndarray], values: Mapping[Variable, np.ndarray]
) -> None:
    """Give the variables that still have the arrays of `before` those of `values`, all at once."""
    global _epoch
    with _LOCK:
        kept = [v for v, array in before.items() if v._value is array]
        _epoch += 1  # first: Ctrl-C leaves nothing that is taken for up to date
        _set_each(kept, "_value", [values[v] for v in kept])
