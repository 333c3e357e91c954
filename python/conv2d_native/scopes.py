"""Settings that hold within a `with` block, for the thread or task that enters it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Value = TypeVar("Value")


@contextmanager
def set_within(variable: ContextVar[Value], value: Value) -> Iterator[Value]:
    """Within it `variable` has `value`, which it gives."""
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)
