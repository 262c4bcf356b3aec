"""A plot of seconds by records, both axes logarithmic, as SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    Point = tuple[float, float]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 60, 190, 20, 45
COLOURS = (
    "#1668b8", "#c2410c", "#15803d", "#7c3aed", "#a16207", "#be185d", "#0e7490", "#4b5563",
    "#111827",
)  # fmt: skip


def lines(rows: Sequence[dict[str, Any]]) -> dict[str, list[Point]]:
    """Put the measurements of planning together as lines: ours by work, theirs by peer."""
    found: dict[str, dict[float, float]] = {}
    for row in rows:
        if row["work"] in ("snapshots to plan", "pages to plan"):
            for name, seconds in (
                (f"sync-run, {row['work']}", row["ours"]),
                (row["peer"], row["theirs"]),
            ):
                if seconds is not None:  # it ran out of memory
                    found.setdefault(name, {})[row["size"]] = seconds
    return {name: sorted(points.items()) for name, points in found.items()}


def scaling(rows: Sequence[dict[str, Any]]) -> str:
    """Draw them."""
    drawn = lines(rows)
    points = [point for line in drawn.values() for point in line]
    across = _decades([x for x, _ in points])
    up = _decades([y for _, y in points])

    def at(point: Point) -> Point:
        x, y = (math.log10(value) for value in point)
        return (
            LEFT + (x - across[0]) / (across[-1] - across[0]) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - up[0]) / (up[-1] - up[0]) * (HEIGHT - TOP - BOTTOM),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        "<style>text {font: 12px sans-serif}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for decade in across:
        x, bottom = at((10**decade, 10 ** up[0]))
        parts += [_line((x, TOP), (x, bottom)), _text(x, bottom + 16, f"{10**decade:,}", "middle")]
    for decade in up:
        x, y = at((10 ** across[0], 10**decade))
        label = _text(x - 6, y + 4, f"{10.0**decade:g}", "end")
        parts += [_line((x, y), (WIDTH - RIGHT, y)), label]
    parts += [
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "records a side", "middle"),
        _text(LEFT - 45, TOP - 6, "seconds", "start"),
    ]
    # What ends close to another is written a line lower.
    taken: list[float] = []
    ended = sorted(drawn.items(), key=lambda item: at(item[1][-1])[1])
    for (name, line), colour in zip(ended, COLOURS * 2, strict=False):
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(at, line))
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in map(at, line)
        ]
        y = max(at(line[-1])[1] + 4, *(last + 15 for last in taken), TOP)
        taken.append(y)
        parts.append(_text(WIDTH - RIGHT + 12, y, name, "start", colour))
    return "\n".join([*parts, "</svg>", ""])


def _decades(values: Sequence[float]) -> list[int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return list(range(low, max(high, low + 1) + 1))


def _line(begin: Point, end: Point) -> str:
    (x1, y1), (x2, y2) = begin, end
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, words: str, anchor: str, colour: str = "#333") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(words)}</text>"
    )
