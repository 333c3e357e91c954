"""Tensor, a value of a graph, and the switch that keeps to direct sums."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

from ..arguments import flag
from ..scopes import set_within

_EXACT: ContextVar[bool] = ContextVar("conv2d_native_exact", default=False)
is_exact = _EXACT.get


def exact(enabled: bool = True) -> AbstractContextManager[bool]:
    """Within `with exact():` convolutions only use algorithms that add up products directly: Winograd is off.

    Winograd's error can be ten to thirty times that of a direct sum: docs/accuracy.md has it by kernel. The setting
    belongs to the thread or task that enters it.

        >>> x, kernel = np.ones((1, 8, 8, 16)), np.ones((3, 3, 16, 16))
        >>> with exact():
        ...     conv2d(x, kernel)[0, 0, 0, 0].item()
        144.0
    """
    return set_within(_EXACT, flag("enabled", enabled))


class Tensor:
    """A value of a graph. `shape` has None for the batch; `source` is (tensor, order) where it is a transpose.

    mask: another value, that is not 0 where entries of this one count; None where all do.
    """

    __slots__ = ("builder", "id", "mask", "shape", "source")

    def __init__(self, builder: Any, id: int, source: tuple[Tensor, tuple[int, ...]] | None = None) -> None:
        self.builder, self.id, self.source = builder, id, source
        self.mask: Tensor | None = None
        self.shape: tuple[Any, ...] = (None, *builder.core.shape(id)[1:])

    @property
    def batch_shape(self) -> tuple[Any, ...]:
        """`shape` with its first size where that is known: in a graph of a whole batch."""
        return self.shape if self.builder.batch is None else tuple(self.builder.core.shape(self.id))

    def masked(self, mask: Tensor | None) -> Tensor:
        """The same value with another mask."""
        made = Tensor(self.builder, self.id, self.source)
        made.mask = mask
        return made

    @property
    def rank(self) -> int:
        """Number of axes, the batch included."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"Tensor(shape={self.shape})"
