"""Checks of the built package: wheel size, import cost, threads at import, what the shared object exposes.

python .ci/check_package.py FOLDER        (FOLDER: scratch space; conv2d_native must be installed)
"""

from __future__ import annotations

import importlib.util
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_WHEEL_BYTES = 3 << 20
MAX_IMPORT_SECONDS = 0.010

TIMER = """
import time, sys, os
import numpy
start = time.perf_counter()
import conv2d_native
spent = time.perf_counter() - start
heavy = sum(name.startswith(("tqdm", "h5py")) for name in sys.modules)
print(spent, len(os.listdir("/proc/self/task")), heavy)
"""


def run(*command: str, **options) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def check_wheel(folder: Path) -> str:
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT))
    wheel = next(folder.glob("conv2d_native-*.whl"))
    size = wheel.stat().st_size
    assert size <= MAX_WHEEL_BYTES, f"wheel of {size} bytes"
    return f"wheel: {size / 1e6:.2f} MB"


def check_import() -> str:
    samples = []
    for _ in range(9):
        done = subprocess.run(
            [sys.executable, "-c", TIMER], check=True, capture_output=True, text=True, cwd="/"
        )
        assert done.stderr == "", done.stderr
        spent, threads, heavy = done.stdout.split()
        before = int(run(sys.executable, "-c", "import os, numpy; print(len(os.listdir('/proc/self/task')))"))
        assert int(threads) == before, f"{threads} threads after import, {before} with NumPy alone"
        assert heavy == "0", "import brought in a reader or a progress bar"
        samples.append(float(spent))
    best = min(samples)
    assert best <= MAX_IMPORT_SECONDS, f"import takes {best * 1e3:.1f} ms over NumPy's own"
    return f"import: {best * 1e3:.1f} ms over NumPy's own (median {statistics.median(samples) * 1e3:.1f})"


def check_shared_object() -> str:
    spec = importlib.util.find_spec("conv2d_native")
    assert spec is not None and spec.origin is not None
    built = next(Path(spec.origin).parent.glob("_core*.so"))
    symbols = run("nm", "-D", "--defined-only", str(built)).splitlines()
    exported = {line.split()[-1] for line in symbols if line.strip() and line.split()[-2].isupper()}
    assert exported == {"PyInit__core"}, exported
    dynamic = run("readelf", "-dW", str(built))
    assert "NOW" in dynamic, "lazy binding"
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic and "TEXTREL" not in dynamic
    headers = run("readelf", "-lW", str(built))
    assert "GNU_RELRO" in headers
    assert re.search(r"GNU_STACK.*RW\s", headers), "executable stack"
    code = run("objdump", "-d", "--no-show-raw-insn", str(built))
    assert "ldmxcsr" not in code, "the floating-point environment is changed"
    return f"shared object: {built.stat().st_size / 1e6:.2f} MB, exports PyInit__core only"


def main() -> None:
    print(check_wheel(Path(sys.argv[1])))
    print(check_import())
    print(check_shared_object())


if __name__ == "__main__":
    main()
