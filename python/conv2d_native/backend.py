"""Keras's place for settings of the process: `keras.backend`, `keras.config`. What they are cannot be changed here."""

from __future__ import annotations

from typing import Any

from . import arguments
from .layers.dtype_policy import dtype_policy, set_dtype_policy
from .layers.names import restart_names
from .layers.symbolic import KerasTensor
from .models.progress import is_interactive, set_interactive

__all__ = [
    "backend", "clear_session", "disable_interactive_logging", "disable_traceback_filtering",
    "dtype_policy", "enable_interactive_logging", "enable_unsafe_deserialization", "epsilon",
    "floatx", "image_data_format", "is_interactive_logging_enabled", "is_keras_tensor",
    "is_traceback_filtering_enabled", "set_dtype_policy", "set_epsilon", "set_floatx",
    "set_image_data_format", "standardize_dtype",
]  # fmt: skip


def backend() -> str:
    """Return what arrays are made with, by Keras's names.

    >>> backend()
    'numpy'
    """
    return "numpy"


def disable_interactive_logging() -> None:
    """Let predict(x, verbose="auto") show no progress bar, on no terminal.

    >>> disable_interactive_logging()
    >>> is_interactive_logging_enabled()
    False
    """
    set_interactive(False)


def enable_interactive_logging() -> None:
    """Let predict(x, verbose="auto") show its progress bar again, as in the beginning.

    >>> enable_interactive_logging()
    >>> is_interactive_logging_enabled()
    True
    """
    set_interactive(True)


def is_interactive_logging_enabled() -> bool:
    """Return whether predict(x, verbose="auto") may show a progress bar on a terminal.

    >>> is_interactive_logging_enabled()
    True
    """
    return is_interactive()


def disable_traceback_filtering() -> None:
    """Let errors show all calls that lead to them, as they do in any case.

    >>> disable_traceback_filtering()
    """


def is_traceback_filtering_enabled() -> bool:
    """Return False: errors show all calls that lead to them.

    >>> is_traceback_filtering_enabled()
    False
    """
    return False


def enable_unsafe_deserialization() -> None:
    """Raise ValueError: code in files is never run here.

    >>> enable_unsafe_deserialization()
    Traceback (most recent call last):
    ValueError: Code in files is never run: give functions by load_model(..., custom_objects={name: function}).
    """
    raise ValueError(
        "Code in files is never run: give functions by load_model(..., custom_objects={name: function})."
    )


def standardize_dtype(dtype: Any) -> str:
    """Return the name of a dtype: of NumPy's dtypes and classes, and of Python's numbers; None is floatx().

    Raises ValueError for anything else.

        >>> standardize_dtype(np.float32), standardize_dtype(None)
        ('float32', 'float32')
    """
    return floatx() if dtype is None else arguments.element_type(dtype)


def clear_session() -> None:
    """Start automatic names anew: conv2d, conv2d_1. There is nothing else to clear; models that exist stay.

    >>> clear_session()
    >>> Dense(3).name
    'dense'
    """
    restart_names()


def image_data_format() -> str:
    """Return where images have their channels, unless a layer says otherwise.

    >>> image_data_format()
    'channels_last'
    """
    return "channels_last"


def floatx() -> str:
    """Return the dtype of all computation.

    >>> floatx()
    'float32'
    """
    return "float32"


def epsilon() -> float:
    """Return Keras's small number against divisions by zero.

    >>> epsilon()
    1e-07
    """
    return arguments.EPSILON


def is_keras_tensor(x: Any) -> bool:
    """Return whether `x` is a symbolic tensor, what Input and layers called on it return.

    >>> is_keras_tensor(Input((3,))), is_keras_tensor(np.ones((1, 3)))
    (True, False)
    """
    return isinstance(x, KerasTensor)


def set_image_data_format(data_format: str) -> None:
    """Take 'channels_last', which it is. Raises ValueError for anything else: layers have a `data_format` each.

    >>> set_image_data_format("channels_last")
    """
    _keep("data_format", data_format, image_data_format())


def set_floatx(value: str) -> None:
    """Take 'float32', which it is. Raises ValueError for anything else.

    >>> set_floatx("float32")
    """
    _keep("value", value, floatx())


def set_epsilon(value: float) -> None:
    """Take 1e-7, which it is. Raises ValueError for anything else: layers have an `epsilon` each.

    >>> set_epsilon(1e-7)
    """
    _keep("value", value, epsilon())


def _keep(name: str, value: Any, kept: Any) -> None:
    if type(value) is not type(kept) or value != kept:
        raise ValueError(arguments.must(name, f"be {kept!r}", value))
