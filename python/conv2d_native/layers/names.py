"""Names of layers and operations, counted where none are given, and the paths that Keras makes of them."""

from __future__ import annotations

import functools
from collections.abc import Collection
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

from .. import arguments
from ..locks import fork_safe_lock
from ..named_objects import numbered, to_snake_case
from ..scopes import set_within

_LOCK = fork_safe_lock()
_prefix_of_class = functools.lru_cache(512)(to_snake_case)
_counters: dict[str, int] = {}
_counted_apart: ContextVar[dict[str, int] | None] = ContextVar("counted_apart", default=None)
_taken: ContextVar[Collection[str]] = ContextVar("taken", default=())
_path_around: ContextVar[str] = ContextVar("path_around", default="")


def unique_name(prefix: str) -> str:
    """Keras's automatic names: conv2d, conv2d_1, conv2d_2, ..."""
    with _LOCK:
        return numbered(_counters, prefix)


def operation_name(prefix: str) -> str:
    """The automatic name of an operation: counted with those of layers, or apart in a call that is recorded."""
    apart = _counted_apart.get()
    while True:
        name = unique_name(prefix) if apart is None else numbered(apart, prefix)
        if name not in _taken.get():
            return name


def names_taken(names: Collection[str]) -> AbstractContextManager[Any]:
    """Within it no operation is named as one of `names`, those of a file's layers: masks make some that it lacks."""
    return set_within(_taken, names)


def operations_counted_apart() -> AbstractContextManager[Any]:
    """Within it operations are counted anew, and layers outside are named as if there were none."""
    return set_within(_counted_apart, {})


def settled_path(layer: Any) -> str:
    """Keras's path of a layer: its name after the path of the one in which it is built or called first."""
    if layer._path_around is None:
        layer._path_around = _path_around.get()
    return joined_path(layer._path_around, layer.name)


def path_in(name: str) -> str:
    """Keras's path of a weight called `name` that is made now."""
    return joined_path(_path_around.get(), name)


def path_of(layer: Any) -> AbstractContextManager[str]:
    """Within it, `layer` is the one in which others are built or called."""
    return set_within(_path_around, settled_path(layer))


def name_scope(name: str) -> AbstractContextManager[str]:
    """Within it, paths of variables and layers that are made have `name` before theirs. It may hold no "/".

    >>> with name_scope("block"):
    ...     cn.Variable(1.0, name="gain").path
    'block/gain'
    """
    if not isinstance(name, str) or "/" in name:
        raise ValueError(arguments.must("name", "be a string without '/'", name))
    return set_within(_path_around, path_in(name))


def joined_path(around: str | None, name: str) -> str:
    """`name` after the path around it, if there is one."""
    return f"{around}/{name}" if around else name


def restart_names() -> None:
    """Let automatic names begin anew."""
    with _LOCK:
        _counters.clear()


def layer_name(name: Any, class_name: str) -> str:
    """`name`, or an automatic one for None. Raises TypeError or ValueError for what no layer may be called."""
    if name is None:
        return unique_name(_prefix_of_class(class_name))
    if not isinstance(name, str):
        raise TypeError(arguments.must("name", "be a string", name))
    if not name or len(name) > 1000 or not name.isprintable():
        raise ValueError(arguments.must("name", "be 1 to 1000 printable characters", name))
    return name
