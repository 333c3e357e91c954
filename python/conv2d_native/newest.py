"""What is computed once and kept for a while: a dict of bounded size, and answers about classes and functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

Key = TypeVar("Key")
Value = TypeVar("Value")


class Newest(dict[Key, Value]):
    """A dict that keeps the `most` entries that were set last, and of them those of `most_bytes` together.

    `bytes_of` says how large a value is. Threads may share the dict.
    """

    def __init__(
        self, most: int, most_bytes: int = 0, bytes_of: Callable[[Value], int] = lambda value: 0
    ) -> None:
        super().__init__()
        self.most, self.most_bytes, self.bytes_of = most, most_bytes, bytes_of

    def __setitem__(self, key: Key, value: Value) -> None:
        self.pop(key, None)
        super().__setitem__(key, value)
        total = 0
        # A list of the entries is made at once: other threads cannot change the dict meanwhile.
        for age, (old, kept) in enumerate(reversed(list(self.items()))):
            total += self.bytes_of(kept)
            if age >= self.most or total > self.most_bytes:
                self.pop(old, None)


def once_for_each(answer: Callable[[Any], Value]) -> Callable[[Any], Value]:
    """`answer` of a class or function, computed once and forgotten with it; what it returns must not refer to that."""
    kept: WeakKeyDictionary[Any, Value] = WeakKeyDictionary()

    @wraps(answer)
    def kept_answer(asked: Any) -> Value:
        try:
            return kept[asked]
        except KeyError:
            return kept.setdefault(asked, answer(asked))

    return kept_answer
