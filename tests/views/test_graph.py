"""The graph of mappings: golden pictures, and what holds for the places of every graph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config import load
from runner.views import graph
from runner.views.layers import Box, laid_out
from tests.cli.quickstart import REPOSITORY
from tests.views.test_text import golden
from tests.world import AGENTS, CUSTOMERS, world

if TYPE_CHECKING:
    from pathlib import Path

    from runner.views.document import Document


@pytest.fixture(scope="module")
def document() -> Document:
    return graph.of_project(load(REPOSITORY / "examples" / "quickstart", environment=""))


def test_as_text(document: Document, request: pytest.FixtureRequest) -> None:
    golden("graph.txt", graph.text(document, 100), request)


def test_as_mermaid(document: Document, request: pytest.FixtureRequest) -> None:
    golden("graph.mmd", graph.mermaid(document), request)


def test_as_svg(document: Document, request: pytest.FixtureRequest) -> None:
    golden("graph.svg", graph.svg(document), request)


def test_some_mappings_come_with_what_they_need(document: Document) -> None:
    project = load(REPOSITORY / "examples" / "quickstart", environment="")
    some = graph.of_project(project, ["units"])
    assert [m["mapping"] for m in some["mappings"]] == ["unit-groups", "units"]
    assert len(document["mappings"]) == 20


def test_a_dependency_without_a_lookup(tmp_path: Path) -> None:
    after = replace(CUSTOMERS, name="after", fields=CUSTOMERS.fields[:2], depends_on=("agents",))
    project = world(tmp_path, AGENTS, after).project
    (need,) = graph.of_project(project)["mappings"][1]["needs"]
    assert need == {"mapping": "agents", "depends_on": True, "lookups": []}
    assert "└─ after" in graph.text(graph.of_project(project))
    assert "m1 --> m2" in graph.mermaid(graph.of_project(project))


def test_names_cannot_break_out_of_the_picture(document: Document) -> None:
    name = '</text><script>alert("1")</script>'
    hostile = {**document, "mappings": [{**document["mappings"][0], "mapping": name}]}
    ET.fromstring(graph.svg(hostile))  # noqa: S314 - our own
    assert "<script>" not in graph.svg(hostile)
    assert '"1"' not in graph.mermaid(hostile)


names = st.integers(0, 8)
edges = st.lists(st.tuples(names, names).filter(lambda e: e[0] < e[1]), max_size=20)


@given(edges)
def test_boxes_never_overlap_and_lines_lead_from_left_to_right(
    found: list[tuple[int, int]],
) -> None:
    boxes = [Box(f"m{n}", 40 + 7 * n, 46) for n in range(9)]
    layout = laid_out(boxes, [(f"m{a}", f"m{b}") for a, b in found])
    places = list(layout.boxes.values())
    for i, (x, y, w, h) in enumerate(places):
        assert x >= 0
        assert y >= 0
        assert x + w <= layout.width
        assert y + h <= layout.height
        for other_x, other_y, other_w, other_h in places[:i]:
            apart = x >= other_x + other_w or other_x >= x + w
            assert apart or y >= other_y + other_h or other_y >= y + h
    for (source, target), points in layout.routes.items():
        xs = [x for x, _ in points]
        assert xs == sorted(xs)
        assert points[0][0] == layout.boxes[source][0] + layout.boxes[source][2]
        assert points[-1][0] == layout.boxes[target][0]


def test_the_same_graph_gives_the_same_picture(document: Document) -> None:
    assert graph.svg(document) == graph.svg(document)
