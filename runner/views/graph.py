"""Which mapping needs which: as a document, an indented tree, Mermaid, or SVG."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from runner.model import Side
from runner.views.actions import ARROWS
from runner.views.drawing import breadth, tied, wrapped
from runner.views.layers import Box, laid_out

if TYPE_CHECKING:
    from collections.abc import Collection

    from runner.model import Mapping, Project
    from runner.views.layers import Layout

Document = dict[str, Any]
VERSION = 1


def of_project(project: Project, chosen: Collection[str] = ()) -> Document:
    """Describe the mappings in the order in which they run, each with what it needs and why.

    ``chosen``: those alone, and what they need; empty: all.
    """
    needs = {mapping.name: _needs(mapping) for mapping in project.mappings}
    wanted = _closed(set(chosen), needs) if chosen else set(needs)
    return {
        "version": VERSION,
        "project": project.name,
        "mappings": [
            {
                "mapping": mapping.name,
                "direction": mapping.direction.value,
                "left": {"system": mapping.left.system, "entity": mapping.left.entity},
                "right": {"system": mapping.right.system, "entity": mapping.right.entity},
                "needs": needs[mapping.name],
            }
            for mapping in project.mappings
            if mapping.name in wanted
        ],
    }


def _closed(names: set[str], needs: dict[str, list[Document]]) -> set[str]:
    """Add what the named mappings need, and what that needs."""
    more = names | {need["mapping"] for name in names for need in needs[name]}
    return names if more == names else _closed(more, needs)


def _needs(mapping: Mapping) -> list[Document]:
    """Tell the mappings that one waits for: because it says so, or looks references up there."""
    found: dict[str, Document] = {}

    def need(name: str) -> Document:
        return found.setdefault(name, {"mapping": name, "depends_on": False, "lookups": []})

    for name in mapping.depends_on:
        need(name)["depends_on"] = True
    for rule in mapping.fields:
        for lookup in rule.lookups:
            ways = [side for side in (Side.RIGHT, Side.LEFT) if rule.direction.to(side)]
            need(lookup.mapping)["lookups"].append(
                rule.name(ways[0]) or rule.name(ways[0].other) or "a value of several fields"
            )
    if mapping.coupled_by:
        need(mapping.coupled_by)["lookups"].append("coupled_by")
    for end in (mapping.left, mapping.right):
        if end.comes_with:
            need(end.comes_with)["lookups"].append("comes_with")
    return list(found.values())


def _heading(mapping: Document) -> str:
    left, right = mapping["left"], mapping["right"]
    arrow = ARROWS[mapping["direction"]]
    return f"{left['system']} {left['entity']} {arrow} {right['system']} {right['entity']}"


def text(document: Document, width: int = 120) -> str:
    """Draw a tree: each mapping once, below the last of those that it waits for."""
    mappings = {mapping["mapping"]: mapping for mapping in document["mappings"]}
    depths = _depths(mappings)
    below: dict[str, list[str]] = {}
    for name, mapping in mappings.items():
        needed = [need["mapping"] for need in mapping["needs"]]
        parent = max(needed, key=lambda n: (depths[n], list(mappings).index(n)), default="")
        below.setdefault(parent, []).append(name)
    lines: list[str] = []

    def draw(name: str, parent: str, lead: str, turn: str) -> None:
        mapping, children = mappings[name], below.get(name, [])
        lines.append(f"{lead}{turn}{name}  {_heading(mapping)}")
        inner = lead + {"": "", "├─ ": "│  ", "└─ ": "   "}[turn]
        gap = "│ " if children else "  "
        told = [
            tied(_need(need))
            for need in mapping["needs"]
            if need["mapping"] != parent or need["lookups"]
        ]
        if told:
            room = width - breadth(inner) - 4
            parts = wrapped(f"needs {', '.join(told)}", room)
            lines.extend(f"{inner}{gap}  {part}" for part in parts)
        for child in children:
            draw(child, name, inner, "└─ " if child == children[-1] else "├─ ")

    for root in below.get("", []):
        draw(root, "", "", "")
    return "\n".join(lines)


def _need(need: Document) -> str:
    why = f" ({', '.join(need['lookups'])})" if need["lookups"] else ""
    return f"{need['mapping']}{why}"


def _depths(mappings: dict[str, Document]) -> dict[str, int]:
    """How many mappings come before each one, on the longest way."""
    depths: dict[str, int] = {}
    for name, mapping in mappings.items():
        depths[name] = max((depths[n["mapping"]] + 1 for n in mapping["needs"]), default=0)
    return depths


def mermaid(document: Document) -> str:
    """Write the graph for Mermaid, which wikis and forges draw; a dotted line is a lookup."""
    ids = {m["mapping"]: f"m{n}" for n, m in enumerate(document["mappings"], start=1)}
    lines = ["flowchart LR"]
    for m in document["mappings"]:
        words = f"<b>{_mermaid(m['mapping'])}</b><br>{_mermaid(_heading(m))}"
        lines.append(f'  {ids[m["mapping"]]}["{words}"]')
    for m in document["mappings"]:
        for need in m["needs"]:
            line = "-.->" if need["lookups"] else "-->"
            label = _mermaid(", ".join(need["lookups"]))
            words = f'|"{label}"|' if label else ""
            lines.append(f"  {ids[need['mapping']]} {line}{words} {ids[m['mapping']]}")
    return "\n".join(lines)


def _mermaid(words: str) -> str:
    """Write a text as Mermaid takes it: what could end it by its number."""
    return "".join(c if c.isalnum() or c in " ._-,()↔→←⇄" else f"#{ord(c)};" for c in words)


@dataclass(frozen=True, slots=True)
class _Ink:
    """What the drawing looks like: sizes in pixels."""

    letter: float = 7.2
    pad: int = 12
    height: int = 46


_STYLE = """
.sr-graph { font: 13px system-ui, sans-serif; color: #1b1f24; }
.sr-graph rect { fill: #f6f8fa; stroke: #57606a; }
.sr-graph text { fill: currentColor; }
.sr-graph .name { font-weight: 600; }
.sr-graph .ends { font-size: 11px; }
.sr-graph path { fill: none; stroke: #57606a; stroke-width: 1.4; }
.sr-graph .lookup { stroke-dasharray: 4 3; stroke: #0969da; }
.sr-graph marker path { fill: #57606a; stroke: none; }
@media (prefers-color-scheme: dark) {
  .sr-graph { color: #e6edf3; }
  .sr-graph rect { fill: #21262d; stroke: #8b949e; }
  .sr-graph path { stroke: #8b949e; }
  .sr-graph .lookup { stroke: #58a6ff; }
  .sr-graph marker path { fill: #8b949e; }
}
"""


def svg(document: Document) -> str:
    """Draw the graph, from what is needed on the left to what needs it; a dashed line looks up."""
    ink, mappings = _Ink(), document["mappings"]
    boxes = [
        Box(
            m["mapping"],
            2 * ink.pad + ink.letter * max(breadth(m["mapping"]), breadth(_heading(m)) * 0.86),
            ink.height,
        )
        for m in mappings
    ]
    edges = [(need["mapping"], m["mapping"]) for m in mappings for need in m["needs"]]
    layout = laid_out(boxes, edges)
    parts = [*_edges(mappings, layout), *(_node(m, layout, ink) for m in mappings)]
    width, height = round(layout.width), round(layout.height)
    label = f"{len(mappings)} mappings and what each of them needs"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sr-graph" role="img" '
        f'aria-label="{label}" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f"<style>{_STYLE}</style>"
        '<defs><marker id="sr-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


def _edges(mappings: list[Document], layout: Layout) -> list[str]:
    lines = []
    for m in mappings:
        for need in m["needs"]:
            points = layout.routes[need["mapping"], m["mapping"]]
            kind = ' class="lookup"' if need["lookups"] else ""
            why = ", ".join(need["lookups"]) or "depends_on"
            title = escape(f"{need['mapping']} → {m['mapping']}: {why}")
            path = _curve(points)
            lines.append(
                f'<path{kind} d="{path}" marker-end="url(#sr-arrow)"><title>{title}</title></path>'
            )
    return lines


def _curve(points: tuple[tuple[float, float], ...]) -> str:
    """Lay a smooth line through points that go from left to right."""
    x, y = points[0]
    path = f"M{x:.0f} {y:.0f}"
    for to_x, to_y in points[1:]:
        half = (x + to_x) / 2
        path += f"C{half:.0f} {y:.0f} {half:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
        x, y = to_x, to_y
    return path


def _node(m: Document, layout: Layout, ink: _Ink) -> str:
    x, y, width, height = layout.boxes[m["mapping"]]
    texts = [("name", 19, m["mapping"]), ("ends", 36, _heading(m))]
    lines = [
        f'<text class="{kind}" x="{x + ink.pad:.0f}" y="{y + down:.0f}">{escape(words)}</text>'
        for kind, down, words in texts
    ]
    rect = f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="6"/>'
    return f"<g>{rect}{''.join(lines)}</g>"
