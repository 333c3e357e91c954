"""How a layer is built: once, with a checked shape, by one thread, and as a whole or not at all."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..locks import fork_safe_lock
from .configuration import checked_shape

_LOCK = fork_safe_lock()


def built_once(build: Callable[..., None]) -> Callable[..., None]:
    """Check the shape, run `build` once, and say that the layer is built when the outermost build is done."""

    @functools.wraps(build)
    def wrapped(self: Any, input_shape: Any = None) -> None:
        if self.built:
            return
        with _LOCK:
            outermost = not self._in_build
            if outermost and input_shape is not None:
                input_shape = checked_shape(input_shape)
                self.check_shape(input_shape)
            self._in_build, kept = True, len(self._variables)
            try:
                build(self, input_shape)
            except BaseException:
                del self._variables[kept:]
                raise
            finally:
                self._in_build = not outermost
            if outermost:
                self._build_shape, self.built = input_shape, True

    return wrapped
