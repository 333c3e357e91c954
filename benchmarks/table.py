"""Print the tables of docs/performance.md from what the side-by-side benchmark of the engines wrote.

    python benchmarks/table.py RESULT.json

RESULT maps a layer or a network to {engine: seconds}; "native" is this package, and the figures of the others are
their seconds over native's. For a layer of layers.json ([n, h, w, c, oc, kh, kw, stride, dilation, groups, padding])
the limit is the longer of two times: the direct operation count over the FMA peak, and the bytes of input, weights
and output over the bandwidth, both measured now. Winograd can be faster than the first, caches than the second.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterable
from pathlib import Path

from conv2d_native import _core

ENGINES = ("openvino", "ort", "ort_nchw", "torch", "litert", "tf", "keras_predict", "ncnn", "mnn", "numpy")
NOT_RIVALS = {"native", "numpy", "gflop"}  # numpy: no engine; gflop: no time
LAYERS = json.loads(Path(__file__).with_name("layers.json").read_text())


def best_other(times: dict[str, float]) -> tuple[float, str]:
    """The fastest other engine: its seconds over this package's, and its name."""
    seconds, engine = min((seconds, name) for name, seconds in times.items() if name not in NOT_RIVALS)
    return seconds / times["native"], engine


def geometric_mean(ratios: Iterable[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, ratios)))


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


def read_times(path: str) -> dict[str, dict[str, float]]:
    """{layer or network: {engine: seconds}} of a file. Ends the program where it holds anything else."""
    result = json.loads(Path(path).read_text())
    if not all(isinstance(times, dict) and "native" in times for times in result.values()):
        raise SystemExit(f'{path} must map names to {{engine: seconds}}, "native" among the engines.')
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("result", metavar="RESULT.json")
    result = read_times(parser.parse_args().result)
    machine = _core.machine()
    engines = [e for e in ENGINES if any(e in times for times in result.values())]
    layers = all(name in LAYERS for name in result)
    heads = ["", "ms", *(["GFLOP/s", "limit", "limit / native"] if layers else []), "best other", *engines]
    print("| " + " | ".join(heads) + " |\n| --- |" + " ---: |" * (len(heads) - 1))
    best = {}
    for name, times in result.items():
        native = times["native"]
        best[name], _ = best_other(times)
        cells = [name, f"{native * 1e3:.3g}"]
        if layers:
            seconds, kind = limit(machine, tuple(LAYERS[name][:7]), *LAYERS[name][7:])
            cells += [f"{times['gflop'] / native:.0f}", kind, f"{seconds / native:.2f}"]
        cells += [f"**{best[name]:.2f}**"]
        cells += [f"{times[e] / native:.2f}" if e in times else "" for e in engines]
        print("| " + " | ".join(cells) + " |")
    mean, slowest = geometric_mean(best.values()), min(best, key=best.__getitem__)
    print(f"\nFMA peak {machine['fma_gflops'][1]:.0f} GFLOP/s, memory {machine['memory_gbs']:.0f} GB/s.")
    print(f"Best other engine: geometric mean {mean:.2f}, worst {best[slowest]:.2f} ({slowest}).")


if __name__ == "__main__":
    main()
