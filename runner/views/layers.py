"""Places for the boxes of a graph without cycles: columns by depth, few lines that cross. Pure.

Sugiyama's way: a box stands right of all it needs; a line that passes columns gets a place in each
of them; then every column is sorted by where its neighbours stand, forth and back, and what crosses
least is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GAP, _BETWEEN, _LANE, _MARGIN = 18.0, 70.0, 14.0, 8.0
"""Pixels between boxes of a column, between columns, for a line that passes, and around all."""
_SWEEPS = 8

Point = tuple[float, float]
Edge = tuple[str, str]
_Node = tuple[str, str, int]
"""A box (its name, nothing, 0), or the place of a line (from, to, column)."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box by its name and size in pixels."""

    name: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands: boxes as x, y, width and height; lines as points, left to right."""

    boxes: Mapping[str, tuple[float, float, float, float]]
    routes: Mapping[Edge, tuple[Point, ...]]
    width: float
    height: float


def laid_out(boxes: Sequence[Box], edges: Sequence[Edge]) -> Layout:
    """Lay a graph out. ``boxes`` stand in an order in which each comes after all it needs.

    An edge leads from what is needed to what needs it. The same graph gives the same picture.
    """
    depths = _depths(boxes, edges)
    chains = {edge: _chain(edge, depths) for edge in dict.fromkeys(edges)}
    columns = _columns(boxes, depths, chains)
    columns = _sorted(columns, chains)
    sizes = {box.name: box for box in boxes}
    places, width, height = _places(columns, sizes)
    return Layout(
        boxes={name: places[name, "", 0] for name in sizes},
        routes={edge: _route(chain, places) for edge, chain in chains.items()},
        width=width,
        height=height,
    )


def _depths(boxes: Sequence[Box], edges: Sequence[Edge]) -> dict[str, int]:
    depths: dict[str, int] = {}
    for box in boxes:
        needed = [source for source, target in edges if target == box.name]
        depths[box.name] = max((depths[name] + 1 for name in needed), default=0)
    return depths


def _chain(edge: Edge, depths: Mapping[str, int]) -> tuple[_Node, ...]:
    """A line as the nodes it goes through, one a column."""
    source, target = edge
    between = range(depths[source] + 1, depths[target])
    return ((source, "", 0), *((source, target, n) for n in between), (target, "", 0))


def _columns(
    boxes: Sequence[Box],
    depths: Mapping[str, int],
    chains: Mapping[Edge, Sequence[_Node]],
) -> list[list[_Node]]:
    columns: list[list[_Node]] = [[] for _ in range(max(depths.values(), default=-1) + 1)]
    for box in boxes:
        columns[depths[box.name]].append((box.name, "", 0))
    for chain in chains.values():
        for node in chain[1:-1]:
            columns[node[2]].append(node)
    return columns


def _sorted(
    columns: list[list[_Node]], chains: Mapping[Edge, Sequence[_Node]]
) -> list[list[_Node]]:
    """Sort each column by where its neighbours stand, until nothing gets better."""
    lines = [pair for chain in chains.values() for pair in pairwise(chain)]
    before: dict[_Node, list[_Node]] = {}
    after: dict[_Node, list[_Node]] = {}
    for left, right in lines:
        before.setdefault(right, []).append(left)
        after.setdefault(left, []).append(right)
    best, fewest = columns, _crossings(columns, lines)
    for sweep in range(_SWEEPS):
        forth = sweep % 2 == 0
        neighbours = before if forth else after
        order = range(1, len(columns)) if forth else range(len(columns) - 2, -1, -1)
        columns = [list(column) for column in columns]
        for n in order:
            at = _positions(columns)
            columns[n].sort(key=lambda node: _middle(node, neighbours, at))
        crossings = _crossings(columns, lines)
        if crossings < fewest:
            best, fewest = columns, crossings
    return best


def _positions(columns: Sequence[Sequence[_Node]]) -> dict[_Node, float]:
    """Where each node stands in its column, from 0 to 1."""
    return {node: (n + 0.5) / len(column) for column in columns for n, node in enumerate(column)}


def _middle(
    node: _Node, neighbours: Mapping[_Node, Sequence[_Node]], at: Mapping[_Node, float]
) -> float:
    near = neighbours.get(node, ())
    return sum(at[other] for other in near) / len(near) if near else at[node]


def _crossings(columns: Sequence[Sequence[_Node]], lines: Sequence[tuple[_Node, _Node]]) -> int:
    at = {node: n for column in columns for n, node in enumerate(column)}
    of = {node: n for n, column in enumerate(columns) for node in column}
    found = 0
    for i, (a, b) in enumerate(lines):
        for c, d in lines[i + 1 :]:
            if of[a] == of[c] and (at[a] - at[c]) * (at[b] - at[d]) < 0:
                found += 1
    return found


def _places(
    columns: Sequence[Sequence[_Node]], sizes: Mapping[str, Box]
) -> tuple[dict[_Node, tuple[float, float, float, float]], float, float]:
    """Give every node its place: columns side by side and centred, boxes as wide as the widest.

    So every line leaves its column at once, and hides behind no box.
    """

    def size(node: _Node) -> tuple[float, float]:
        box = sizes[node[0]]
        return (0.0, _LANE) if node[1] else (box.width, box.height)

    heights = [
        sum(size(node)[1] for node in column) + _GAP * (len(column) - 1) for column in columns
    ]
    tallest, x = max(heights, default=0.0), _MARGIN
    places: dict[_Node, tuple[float, float, float, float]] = {}
    for column, height in zip(columns, heights, strict=True):
        wide = max(size(node)[0] for node in column)
        y = _MARGIN + (tallest - height) / 2
        for node in column:
            high = size(node)[1]
            places[node] = (x, y, wide, high)
            y += high + _GAP
        x += wide + _BETWEEN
    return places, max(x - _BETWEEN + _MARGIN, 2 * _MARGIN), tallest + 2 * _MARGIN


def _route(
    chain: Sequence[_Node], places: Mapping[_Node, tuple[float, float, float, float]]
) -> tuple[Point, ...]:
    """Lead a line from the right of one box to the left of another, straight through columns."""
    points: list[Point] = []
    for n, node in enumerate(chain):
        x, y, width, height = places[node]
        middle = y + height / 2
        points += [(x, middle)] if n > 0 else []
        points += [(x + width, middle)] if n < len(chain) - 1 else []
    return tuple(points)
