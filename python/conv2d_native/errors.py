"""Exceptions of model loading. Everything else raises Python's own ValueError, TypeError and MemoryError."""

from __future__ import annotations


class ModelFormatError(ValueError):
    """A model file is damaged, incomplete or not what it says. The message names the file and the key."""


class UnsafeModelError(ModelFormatError):
    """A model file asks for code, links or paths outside itself. Nothing of it was run or opened."""


class UnsupportedLayerError(ModelFormatError):
    """A model holds a layer, an argument or an operation that this package does not compute."""
