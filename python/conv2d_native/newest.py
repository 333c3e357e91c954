"""A dict of bounded size, for what is compiled and may be compiled again."""

from __future__ import annotations

from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Newest(dict[Key, Value]):
    """A dict that keeps the `most` entries that were set last. Threads may share it."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __setitem__(self, key: Key, value: Value) -> None:
        self.pop(key, None)
        super().__setitem__(key, value)
        # A list of the keys is made at once: other threads cannot change the dict meanwhile.
        for old in list(self)[: max(len(self) - self.most, 0)]:
            self.pop(old, None)
