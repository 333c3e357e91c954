"""Keras's older place for image files: `keras.preprocessing.image`."""

from __future__ import annotations

from . import image

__all__ = ["image"]
