"""Replays what fuzzing found and kept (tests/fuzz): every file is loaded or refused in words, quickly."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from conv2d_native.errors import ModelFormatError
from hostile_files import load

FUZZ = Path(__file__).resolve().parent / "fuzz"
sys.path.append(str(FUZZ))

from model_edits import TARGETS, load_all, model_file  # noqa: E402

KEPT = [(target, path) for target in TARGETS for path in sorted((FUZZ / "corpus" / target).iterdir())]


@pytest.mark.parametrize(("target", "path"), KEPT, ids=lambda value: getattr(value, "name", value))
def test_a_kept_file(target, path):
    data = model_file(target, path.read_bytes())
    start = time.perf_counter()
    for load_it in (load_all, load):
        try:
            load_it(data)
        except ModelFormatError as error:
            assert 0 < len(str(error)) < 4000
    assert time.perf_counter() - start < 4
