"""Open every network of keras.applications as Keras saves it and compare answers at the network's own image size.

    python benchmarks/applications.py [NAMES ...]       prints rows of the table in docs/accuracy.md

Keras and TensorFlow must be installed. Every network is a process of its own. Errors are the largest difference from
Keras computing in float64, relative to the largest output; `Keras float32` is Keras's own error; `spread` is how far
apart the answers for two images are. The exit code is 1 where a file gives another top class or an error above 1e-4,
where both images get the same answer, and where Keras's own error says that the network amplifies rounding.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

HEAD = "| network | image | parameters | .keras | .h5 | Keras float32 | same class | spread |"


def row(name: str, side: int) -> tuple[str, bool]:
    """A row of the table, and whether the network passed."""
    import applications
    import conv2d_native as cn

    made = applications.make_application(name, side or applications.SIZES[name][1], images=2)
    errors, same = [], True
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".keras", ".h5"):
            path = Path(folder) / f"model{suffix}"
            made.model.save(path)
            got = cn.load_model(path).predict(made.x, verbose=0)
            errors.append(applications.relative_error(got, made.exact))
            same &= bool((got.argmax(axis=1) == made.exact.argmax(axis=1)).all())
            path.unlink()
    cells = [name, f"{made.x.shape[1]}", f"{made.model.count_params() / 1e6:.1f} M"]
    cells += [f"{error:.1e}" for error in [*errors, made.keras_error]]
    passed = same and max(errors) <= applications.GATE and made.spread > 0.01
    passed = passed and made.keras_error <= applications.WELL_CONDITIONED
    return "| " + " | ".join([*cells, "yes" if same else "**no**", f"{made.spread:.2f}"]) + " |", passed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="default: all")
    parser.add_argument("--side", type=int, default=0, help="of the images; default: the network's own")
    parser.add_argument("--here", action="store_true", help="the one network in this process")
    a = parser.parse_args()
    if a.here:
        text, passed = row(a.names[0], a.side)
        print(text, flush=True)
        sys.exit(not passed)
    import applications

    failed = []
    print(HEAD, "| " + " | ".join(["---"] * 8) + " |", sep="\n", flush=True)
    for name in a.names or applications.SIZES:
        command = [sys.executable, __file__, name, "--side", str(a.side), "--here"]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
