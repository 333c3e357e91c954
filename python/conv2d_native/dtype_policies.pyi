# ruff: noqa: F403
"""What type checkers see at Keras's place; the package's __init__ makes the module."""

from .layers.dtype_policy import *
