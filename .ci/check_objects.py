"""Wide registers only where they belong: zmm in the AVX-512 object, ymm in it and in AVX2's, no change of MXCSR at all.

python .ci/check_objects.py BUILD_FOLDER
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ALLOWED = {"zmm": {"avx512"}, "ymm": {"avx512", "avx2"}}


def main() -> None:
    objects = sorted(Path(sys.argv[1]).rglob("*.o"))
    assert any("kernels_avx512" in str(path) for path in objects) or len(objects) > 5, "no objects there"
    for path in objects:
        code = subprocess.run(
            ["objdump", "-d", "--no-show-raw-insn", str(path)], capture_output=True, text=True
        )
        kind = re.search(r"kernels_(\w+)\.dir", str(path))
        for register, kinds in ALLOWED.items():
            if kind is None or kind[1] not in kinds:
                assert f"%{register}" not in code.stdout, f"{register} in {path}"
        assert "ldmxcsr" not in code.stdout, f"ldmxcsr in {path}"
    print(f"{len(objects)} objects: zmm and ymm only in their own, no ldmxcsr")


if __name__ == "__main__":
    main()
