"""How far `predict` is: a bar on a terminal, and whether the process wants any."""

from __future__ import annotations

import sys
import time
from typing import Any

_BAR_AFTER_SECONDS = 1.0
_interactive = True


def is_interactive() -> bool:
    """Whether predict may show on a terminal how far it is, where its caller leaves that open."""
    return _interactive


def set_interactive(value: bool) -> None:
    """Say so for the whole process."""
    global _interactive
    _interactive = value


class Progress:
    """A bar on standard error that appears once the work has lasted a second.

    `verbose`: "auto" shows it on a terminal where is_interactive(), 1 always, 0 never. `total` may be unknown (None).
    `unit`: what is counted.
    """

    def __init__(self, total: int | None, verbose: Any, unit: str = "image") -> None:
        self._wanted = sys.stderr is not None and (
            verbose == 1 or (verbose == "auto" and _interactive and sys.stderr.isatty())
        )
        self._total, self._done, self._unit = total, 0, unit
        self._bar: Any = None
        self._start = time.monotonic()

    def advance(self, count: int) -> None:
        """Count `count` more as done."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif self._wanted and time.monotonic() - self._start > _BAR_AFTER_SECONDS:
            from tqdm import tqdm  # type: ignore[import-untyped]

            self._bar = tqdm(total=self._total, initial=self._done, unit=self._unit, file=sys.stderr)

    def close(self) -> None:
        """Leave the terminal in order."""
        if self._bar is not None:
            self._bar.close()
