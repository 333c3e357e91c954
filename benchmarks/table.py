"""Print the table of docs/performance.md: layers, their limit, this package's distance to it, and the other engines.

    python benchmarks/table.py RESULT.json [LAYERS.json]

RESULT maps a layer to {engine: seconds}, as the side-by-side benchmark of the engines writes it; "native" is this
package. LAYERS (default: layers.json beside this file) maps it to [n, h, w, c, oc, kh, kw, stride, dilation, groups,
padding]. The limit is the longer of two times: the direct operation count over the FMA peak, and the bytes of input,
weights and output over the bandwidth, both measured now. Winograd may be faster than the first.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from conv2d_native import _core

ENGINES = ("openvino", "ort", "ort_nchw", "torch", "litert", "tf", "ncnn", "mnn", "numpy")


def limit(
    machine: dict,
    sizes: tuple[int, int, int, int, int, int, int],
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    padding: str = "same",
) -> tuple[float, str]:
    """Seconds, and "arithmetic" or "bytes". `sizes` holds n, h, w, c, oc, kh, kw."""
    n, h, w, c, oc, kh, kw = sizes
    if padding == "valid":
        h, w = h - (kh - 1) * dilation, w - (kw - 1) * dilation
    oh, ow = -(-h // stride), -(-w // stride)
    weights = kh * kw * c // groups * oc
    arithmetic = 2e-9 * n * oh * ow * weights / machine["fma_gflops"][1]
    traffic = 4e-9 * (n * sizes[1] * sizes[2] * c + weights + n * oh * ow * oc) / machine["memory_gbs"]
    return max((arithmetic, "arithmetic"), (traffic, "bytes"))


def main() -> None:
    result = json.loads(Path(sys.argv[1]).read_text())
    layers = json.loads(
        Path(sys.argv[2] if len(sys.argv) > 2 else Path(__file__).with_name("layers.json")).read_text()
    )
    engines = [e for e in ENGINES if any(e in times for times in result.values())]
    print("| layer | ms | GFLOP/s | limit | of the limit | best other | " + " | ".join(engines) + " |")
    print("| --- |" + " ---: |" * 2 + " --- |" + " ---: |" * (2 + len(engines)))
    machine, best = _core.machine(), []
    for name, times in result.items():
        seconds, what = limit(machine, tuple(layers[name][:7]), *layers[name][7:])
        native = times["native"]
        ratios = {e: times[e] / native for e in engines if e in times}
        best.append(min(ratio for e, ratio in ratios.items() if e != "numpy"))
        cells = [
            name,
            f"{native * 1e3:.3f}",
            f"{times['gflop'] / native:.0f}",
            what,
            f"{seconds / native:.2f}",
        ]
        cells += [f"**{best[-1]:.2f}**", *(f"{ratios[e]:.2f}" if e in ratios else "" for e in engines)]
        print("| " + " | ".join(cells) + " |")
    print(f"\nFMA peak {machine['fma_gflops'][1]:.0f} GFLOP/s, memory {machine['memory_gbs']:.0f} GB/s.")
    mean = math.exp(sum(map(math.log, best)) / len(best))
    print(f"Best other engine: geometric mean {mean:.2f}, worst {min(best):.2f}.")


if __name__ == "__main__":
    main()
