"""Keras's place for settings of the process: `keras.backend`. What they are cannot be changed here."""

from __future__ import annotations

from .layers.configuration import restart_names

__all__ = ["clear_session", "epsilon", "floatx", "image_data_format"]


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
    return 1e-7
