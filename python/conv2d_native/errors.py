"""Exceptions of model loading. Everything else raises Python's own ValueError, TypeError and MemoryError."""

from __future__ import annotations


class ModelFormatError(ValueError):
    """A model file is damaged, incomplete or not what it says. The message names the file and the key.

    >>> load_model(b"nothing")
    Traceback (most recent call last):
    conv2d_native.errors.ModelFormatError: <bytes>: not a Keras model: ...
    """


class UnsafeModelError(ModelFormatError):
    """A model file asks for code, links or paths outside itself. Nothing of it was run or opened.

    >>> model_from_json('{"class_name": "Lambda", "config": {"name": "double", "function": "f"}}')
    Traceback (most recent call last):
    conv2d_native.errors.UnsafeModelError: ...
    """


class UnsupportedLayerError(ModelFormatError):
    """A model holds a layer, an argument or an operation that this package does not compute.

    >>> model_from_json('{"class_name": "Conv3D", "config": {"filters": 3}}')
    Traceback (most recent call last):
    conv2d_native.errors.UnsupportedLayerError: ...
    """


class BatchAxisError(UnsupportedLayerError):
    """An operation runs along the axis of the batch, or moves it: one image alone does not tell its result."""
