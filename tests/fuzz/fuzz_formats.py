"""Fuzz the readers of model files: python fuzz_formats.py keras|h5 [libFuzzer options] [corpus folder]

Needs atheris. Any error but ModelFormatError is a finding, and so is a file that takes 2 s of the processor or
256 MiB. Through the readers alone, and every eighth length of input through load_model where the native module is
built. The corpus is kept in tests/fuzz/corpus.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from pathlib import Path

import atheris

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "golden"), str(TESTS / "fuzz")]

with atheris.instrument_imports(include=["conv2d_native.formats"]):
    import conv2d_native.formats  # noqa: F401

from model_edits import TARGETS, load_all, model_file  # noqa: E402

import hostile_files  # noqa: E402
from conv2d_native.errors import ModelFormatError  # noqa: E402

SECONDS, KIBIBYTES = 2, 256 << 10
TARGET = sys.argv.pop(1)
assert TARGET in TARGETS, f"expected one of {TARGETS}"


def peak_kibibytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def one_input(data: bytes) -> None:
    made, peak, start = model_file(TARGET, data), peak_kibibytes(), time.process_time()
    whole = hostile_files.HAS_MODELS and len(data) % 8 == 0
    with contextlib.suppress(ModelFormatError):
        (hostile_files.load if whole else load_all)(made)
    assert time.process_time() - start < SECONDS
    assert peak_kibibytes() - peak < KIBIBYTES


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
