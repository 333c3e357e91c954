"""Loading of the native core.

OpenMP reads its settings once, while it is loaded. By default its idle threads look for new work for some milliseconds
after every call, at full speed; the core is loaded under a setting that lets them sleep after a fraction of one. The
variable is taken back at once, and nothing is touched where the user has a wish of their own (OMP_WAIT_POLICY,
GOMP_SPINCOUNT) or another library has loaded OpenMP before.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

_SPINS = "2500"


def load_core() -> ModuleType:
    """Import and return `conv2d_native._core`. Raises ImportError that says what to do where it is not there."""
    _check_interpreter()
    quiet = os.environ.keys().isdisjoint({"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"})
    if quiet:
        os.environ["GOMP_SPINCOUNT"] = _SPINS
    try:
        return importlib.import_module("conv2d_native._core")
    except ImportError as error:
        raise ImportError(
            f"The native core of conv2d_native cannot be loaded: {error}. It must be built for this version of "
            "Python, and libgomp.so.1 (package libgomp1) must be installed. Reinstall with `pip install "
            "--force-reinstall .` in the source folder."
        ) from error
    finally:
        if quiet:
            os.environ.pop("GOMP_SPINCOUNT", None)


def _check_interpreter() -> None:
    """Raise ImportError in a sub-interpreter of Python 3.10, where pybind11 would wait for a lock that it holds."""
    if sys.version_info < (3, 11):
        interpreters = importlib.import_module("_xxsubinterpreters")
        if interpreters.get_current() != interpreters.get_main():
            raise ImportError("conv2d_native is not for sub-interpreters of Python 3.10: take 3.11 or newer.")
