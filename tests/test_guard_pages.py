"""Row B24 on every instruction set: see guard_pages.py, which does the work in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conv2d_native import _core
from subprocess_case import PACKAGE_FOLDER

FOLDER = Path(__file__).resolve().parent


@pytest.mark.timeout(600)
@pytest.mark.parametrize("isa", _core.isa_names())
def test_b24_nothing_beyond_the_arrays_is_touched(isa):
    done = subprocess.run(
        [sys.executable, str(FOLDER / "guard_pages.py"), isa, os.environ.get("CONV2D_SEED", "0")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{PACKAGE_FOLDER}{os.pathsep}{FOLDER}"},
    )
    assert done.returncode == 0, (
        f"{done.returncode} at {done.stdout.splitlines()[-1:]}\n{done.stderr[-3000:]}"
    )
    assert "swept" in done.stdout
