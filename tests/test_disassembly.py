"""The hot loops of the built module keep their sums in registers: no vector moves to or from the stack."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess

import pytest

from conv2d_native import _core

VECTOR_ON_STACK = re.compile(r"\bv?mov[au]p[sd]\b.*(\(%rsp|-0x[0-9a-f]+\(%rbp)")


def innermost_loops(lines: list[str]):
    """Runs of instructions that end with a jump back to their first and hold no other jump back."""
    at: dict[str, int] = {}
    last_back = -1
    for i, line in enumerate(lines):
        address, _, code = line.strip().partition(":")
        at[address] = i
        jump = re.match(r"j\w+\s+([0-9a-f]+)", code.strip())
        start = at.get(jump[1]) if jump else None
        if start is not None:
            if start > last_back:
                yield lines[start : i + 1]
            last_back = i


def is_product(loop: list[str]) -> bool:
    """At least 8 multiply-adds, two fifths of the loop; not a whole unrolled window, where a few moves cost little.

    Only products broadcast: their loops are unrolled over k, and long. What divides is a polynomial of an activation.
    """
    if any("vdivps" in line for line in loop):
        return False
    count = sum("vfmadd" in line for line in loop)
    most = 256 if any("vbroadcastss" in line for line in loop) else 128
    return count >= 8 and 0.4 * len(loop) <= count and len(loop) <= most


@pytest.mark.skipif(platform.machine() != "x86_64", reason="reads x86-64 code")
def test_hot_loops_do_not_spill():
    if not shutil.which("objdump"):
        pytest.skip("objdump is not installed")
    command = ["objdump", "-d", "--no-show-raw-insn", str(_core.__file__)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    code = [line for line in text.splitlines() if re.match(r"\s+[0-9a-f]+:\t", line)]
    hot = [loop for loop in innermost_loops(code) if is_product(loop)]
    assert len(hot) >= 20, "the products of every tile size are loops of multiply-adds"
    spilled = ["\n".join(loop) for loop in hot if any(VECTOR_ON_STACK.search(line) for line in loop)]
    assert not spilled, f"{len(spilled)} of {len(hot)} hot loops spill:\n" + "\n\n".join(spilled[:3])
