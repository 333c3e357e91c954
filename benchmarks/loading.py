"""Time from a model file to the first answer, and the memory that it takes. Linux.

    python benchmarks/loading.py resnet50.keras [--runs 5] [--cold]

Every run is a process of its own. Seconds begin after the import and are the least of all runs; --cold drops the file
from the system's cache before each. Memory is the peak of the process (VmHWM) above that after the import. Measure an
installed package: from a source tree without byte code, Python's compiler is a part of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path


def peak_mib() -> float:
    """The largest resident memory of this process so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def measure(path: str) -> dict[str, float]:
    """One run in this process."""
    import numpy as np

    import conv2d_native as cn

    before, start = peak_mib(), time.perf_counter()
    model = cn.load_model(path)
    loaded = time.perf_counter()
    x = np.full((1, *(size or 224 for size in model.input_shape[1:])), 0.5, np.float32)
    model.predict(x, verbose=0)
    ready = time.perf_counter()
    program = next(iter(model._programs.values()))
    return {
        "load_model, s": loaded - start,
        "first predict, s": ready - loaded,
        "both, s": ready - start,
        "peak, MiB": peak_mib() - before,
        "weights, MiB": 4 * model.count_params() / 2**20,
        "packed, MiB": program.builder.core.packed_bytes() / 2**20,
        "arena, MiB": program.arena_bytes / 2**20,
    }


def drop_from_cache(path: str) -> None:
    with open(path, "rb") as file:
        os.fdatasync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--here", action="store_true", help="one run in this process, as JSON")
    a = parser.parse_args()
    if a.here:
        print(json.dumps(measure(a.model)))
        return
    found = []
    for _ in range(max(a.runs, 1)):
        if a.cold:
            drop_from_cache(a.model)
        made = subprocess.run([sys.executable, __file__, a.model, "--here"], stdout=subprocess.PIPE)
        if made.returncode:  # it has said why
            sys.exit(made.returncode)
        found.append(json.loads(made.stdout))
    for name in found[0]:
        values = sorted(run[name] for run in found)
        print(f"{name:18}{values[0]:8.2f} to {values[-1]:.2f}")


if __name__ == "__main__":
    main()
