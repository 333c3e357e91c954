"""The native core as a process sees it: threads, instruction sets, and what was built.

Importing this module loads the core; every module that computes imports it. It warns once where
CONV2D_NATIVE_ISA asks for an instruction set that this machine or build does not have.
"""

from __future__ import annotations

import re
import sys
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from . import _core, arguments

_IMPORTING = {__name__.partition(".")[0], "importlib", "_frozen_importlib", "_frozen_importlib_external"}


def _warn(message: str) -> None:
    """Warn of the line that made the package load the core, whatever modules lie between."""
    frame = sys._getframe()
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] in _IMPORTING:
        frame = frame.f_back
    warnings.warn_explicit(message, RuntimeWarning, frame.f_code.co_filename, frame.f_lineno)


if _message := _core.isa_warning():
    _warn(_message)


def set_num_threads(n: int) -> int:
    """Compute on at most `n` threads from now on. Returns the effective number.

    At first it is the number of CPUs that the process may use: affinity, container quota, OMP_NUM_THREADS. More
    than that is never used. Results do not depend on the number of threads. Raises TypeError or ValueError where
    `n` is not a positive integer.

        >>> set_num_threads(1)
        1
    """
    return _core.set_num_threads(min(arguments.integer("n", n, high=arguments.LARGEST_STEP), 2**31 - 1))


def get_num_threads() -> int:
    """Return the number of threads that the next call uses.

    >>> get_num_threads() >= 1
    True
    """
    return _core.get_num_threads()


def version() -> str:
    """Return the version of this package.

    >>> version() == cn.__version__
    True
    """
    return str(_core.config()["version"])


def show_config() -> dict[str, Any]:
    """Print and return version, compiler, instruction sets (built, active), threads and OpenMP.

    >>> config = show_config()  # doctest: +ELLIPSIS
    version      ...
    >>> config["isa_active"] in config["isa_built"]
    True
    """
    config = dict(_core.config())
    for key, value in config.items():
        print(f"{key:12s} {', '.join(value) if isinstance(value, (list, tuple)) else value}")
    return config


def device(device_name: str) -> AbstractContextManager[None]:
    """Return a context for Keras's `with keras.device("cpu:0")`: everything is computed there in any case.

    Raises ValueError for any other device.

        >>> with device("cpu:0"):
        ...     model = Sequential([Dense(2, input_shape=(3,))])
    """
    words = device_name.lower() if isinstance(device_name, str) else ""
    if not re.fullmatch(r"(.*/)?(device:)?cpu(:\d+)?", words):
        raise ValueError(arguments.must("device_name", "be 'cpu' or 'cpu:0'", device_name))
    return nullcontext()
