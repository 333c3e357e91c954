"""Draw measured ratios as an SVG: one bar for each layer or network, best other engine's time over this package's.

    python benchmarks/picture.py docs/performance.svg "one layer=layer_times.json" "networks=network_times.json"

Each JSON is a RESULT of table.py: it maps a name to {engine: seconds}.
"""

from __future__ import annotations

import argparse
import math
from html import escape
from pathlib import Path

from table import best_other, geometric_mean, read_times

LEFT, WIDTH, ROW, TOP, LIMIT = 250, 420, 17, 44, 8.0


def ratios(path: str) -> list[tuple[str, float, str]]:
    """(name, best other engine's seconds / native's, that engine) for each entry."""
    return [(name, *best_other(times)) for name, times in read_times(path).items()]


def position(ratio: float) -> float:
    """x of a ratio on a logarithmic axis from 1/2 to LIMIT."""
    share = (math.log2(min(max(ratio, 0.5), LIMIT)) + 1) / (math.log2(LIMIT) + 1)
    return LEFT + share * WIDTH


def draw(sections: list[tuple[str, list[tuple[str, float, str]]]]) -> str:
    """The whole picture: a section for each file, a bar for each row, lines at 1/2, 1, 2, 4, 8."""
    height = TOP + sum((len(rows) + 2) * ROW for _, rows in sections)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 150}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="100%" fill="white"/><text x="{LEFT}" y="16" font-size="13">'
        "time of the fastest other engine / time of conv2d_native</text>",
    ]
    for tick in (0.5, 1, 2, 4, 8):
        x, colour = position(tick), "#333" if tick == 1 else "#ccc"
        out.append(f'<line x1="{x:.1f}" y1="36" x2="{x:.1f}" y2="{height - 6}" stroke="{colour}"/>')
        out.append(f'<text x="{x:.1f}" y="32" text-anchor="middle">{tick:g}</text>')
    y = TOP
    for title, rows in sections:
        y += ROW
        mean = f"geometric mean {geometric_mean(ratio for _, ratio, _ in rows):.2f}"
        out.append(f'<text x="8" y="{y}" font-weight="bold">{escape(title)} ({mean})</text>')
        for name, ratio, engine in rows:
            y += ROW
            x0, x1 = sorted((position(1), position(ratio)))
            colour = "#2a7f62" if ratio >= 1 else "#c0504d"
            out.append(f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{escape(name)}</text>')
            out.append(f'<rect x="{x0:.1f}" y="{y - 10}" width="{x1 - x0:.1f}" height="12" fill="{colour}"/>')
            out.append(f'<text x="{x1 + 5:.1f}" y="{y}">{ratio:.2f} ({escape(engine)})</text>')
        y += ROW
    return "\n".join([*out, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw measured ratios as an SVG.")
    parser.add_argument("picture", type=Path)
    parser.add_argument("sections", nargs="+", metavar="TITLE=FILE")
    arguments = parser.parse_args()
    if not all("=" in text for text in arguments.sections):
        parser.error(f"a section is TITLE=FILE. Received: {', '.join(arguments.sections)}")
    sections = [(text.partition("=")[0], ratios(text.partition("=")[2])) for text in arguments.sections]
    arguments.picture.write_text(draw(sections))


if __name__ == "__main__":
    main()
