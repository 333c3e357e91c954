"""How a layer is built: once, by one thread, as a whole or not at all; and which inputs it takes then."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .. import shapes
from ..arguments import must, shown
from ..locks import fork_safe_lock
from .any_batch import call_given
from .configuration import checked_shape, is_users
from .names import path_of
from .symbolic import is_shape

_REQUIRED = inspect.Parameter.empty
_LOCK = fork_safe_lock()
_begun: list[tuple[Any, dict[str, Any]]] = []  # layers in a build, with their state before it


@contextmanager
def undone_where_it_fails(layer: Any) -> Iterator[None]:
    """Within it `layer` may be changed and layers be built: an error puts all of them back to what they were."""
    with _LOCK:
        state = vars(layer).copy()
        for name, value in state.items():
            if type(value) in (list, dict, set):
                state[name] = value.copy()
        start = len(_begun)
        _begun.append((layer, state))
        try:
            yield
        except BaseException:
            for begun, before in reversed(_begun[start:]):
                begun.__dict__ = before
            del _begun[start:]
            raise
        finally:
            if not start:
                _begun.clear()


def built_once(build: Callable[..., None]) -> Callable[..., None]:
    """Check the shape, run `build` once, and say that the layer is built when the outermost build is done.

    A `build` of this package whose input_shape has no default needs it: None is refused.
    """
    needs_shape = (
        not is_users(build) and [*inspect.signature(build).parameters.values()][1].default is _REQUIRED
    )

    @functools.wraps(build)
    def wrapped(self: Any, input_shape: Any = None, *others: Any, **named: Any) -> None:
        if self.built:
            return
        with undone_where_it_fails(self), path_of(self), call_given(()):
            outermost = not self._in_build
            if outermost and (needs_shape or input_shape is not None):
                input_shape = checked_shape(input_shape)
                self.check_shape(input_shape)
            self._in_build = True
            build(self, input_shape, *others, **named)
            if outermost:
                self._build_inside(input_shape)
            if self._is_users:
                self._hold(vars(self))  # lists of weights may have grown
            self._in_build = not outermost
            if outermost:
                if others or named:
                    given = inspect.signature(build).bind(self, input_shape, *others, **named).arguments
                    self._build_shapes = dict(list(given.items())[1:])
                self._build_shape, self.built = input_shape, True

    return wrapped


def build_config(layer: Any) -> dict[str, Any] | None:
    """The shapes that `layer` was built for, in Keras's form."""
    if layer._build_shapes is not None:
        return {"shapes_dict": layer._build_shapes}
    return None if layer._build_shape is None else {"input_shape": layer._build_shape}


def build_by_config(layer: Any, config: Any) -> None:
    """Build `layer` for the shapes of build_config. Raises TypeError for anything else."""
    if not config:
        return
    if isinstance(config, Mapping) and "input_shape" in config:
        layer.build(config["input_shape"])
    elif isinstance(config, Mapping) and isinstance(config.get("shapes_dict"), Mapping):
        shapes = {word: checked_shape(shape) for word, shape in config["shapes_dict"].items()}
        layer.build(*inspect.signature(type(layer).build).bind(layer, **shapes).args[1:])
    else:
        raise TypeError(must("config", "be a dict with 'input_shape' or 'shapes_dict'", config))


def check_input(name: str, shape: Any, fixed_rank: int | None, channels: Mapping[int, int]) -> None:
    """Raise ValueError, in Keras's words, where layer `name` cannot take `shape`: another rank, other channels."""
    rank, fault = len(shape) if fixed_rank is None else fixed_rank, ""
    expected: list[Any] = [None] * rank
    for axis, size in channels.items():
        if not -rank <= axis < rank or (len(shape) == rank and shape[axis] not in (size, None)):
            fault = f"axis {axis} of input shape to have value {size}, but received input with shape {shape}."
        else:
            expected[axis] = size
    if len(shape) != rank:
        fault = f"ndim={rank}, found ndim={len(shape)}. Full shape received: {shape}."
    if fault:
        raise ValueError(
            f'Input 0 of layer "{name}" is incompatible with the layer: expected {fault}'
            f"{shapes.advice(shape, expected)}"
        )


def takes_shape(layer: Any, shape: Any) -> bool:
    """Whether `layer` has an output shape for inputs of `shape`."""
    try:
        layer.compute_output_shape(shape)
    except ValueError:
        return False
    return True


def check_one_tensor(name: str, shape: Any) -> None:
    """Raise ValueError where `shape` is that of a list or dict of tensors: layer `name` takes a tensor."""
    if not is_shape(shape):
        raise ValueError(
            f"Layer '{name}' must be called on one tensor, not on a list or dict of them. "
            f"Received: input_shape={shown(shape)}."
        )
