"""Couplings listed, carried in files, and found by what records hold: over two folders of CSV."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli import pairs_file
from runner.state.pairs import Pair
from tests.cli.small import Small, golden, shown

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def made(tmp_path: Path) -> Small:
    return Small(tmp_path)


def test_matching_couples_and_writes_to_no_system(
    made: Small, request: pytest.FixtureRequest
) -> None:
    before = made.records()
    told = shown(
        made.run("couple", "people", "--match", "--dry-run"),
        made.run("couplings"),
        made.run("couple", "people", "--match"),
        made.run("couple", "people", "--match-by", "shop: name, depot: full_name, case: ignore"),
        made.run("couplings"),
        made.run("plan", "--record", "2", "people"),
    )
    golden("matching.txt", told, request)
    assert made.records() == before


def test_couplings_by_hand(made: Small, request: pytest.FixtureRequest) -> None:
    told = shown(
        made.run("couple", "people", "2", "B"),
        made.run("couple", "people", "2", "B"),
        made.run("couple", "people", "2", "C"),
        made.run("couple", "people", "3", "B"),
        made.run("couple", "people", "9", "C"),
        made.run("couple", "people", "9", "C", "--offline", "--dry-run"),
        made.run("couple", "people", "3"),
        made.run("couple", "people", "--match-by", "shop: name"),
        made.run("couple", "people", "1", "A", "--match"),
        made.run("couple", "people", "--match-by", "shop: nam, depot: phone"),
        made.run("couple", "peple", "2", "B"),
        made.run("couple", "people", "3", "C"),
        made.run("uncouple", "people", "2", "C", "4"),
        made.run("uncouple", "people", "2"),
        made.run("uncouple", "people"),
        made.run("couple", "people", "1", "A"),
        made.run("uncouple", "people", "--all"),
        made.run("couplings", "people"),
        made.run("uncouple", "people", "--all", "--yes"),
        made.run("couplings", "people"),
    )
    golden("by-hand.txt", told, request)


def test_a_mapping_without_match_says_so(made: Small) -> None:
    mapping = made.folder / "mappings" / "people.yaml"
    lines = mapping.read_text().splitlines(keepends=True)
    mapping.write_text("".join(line for line in lines if not line.startswith("match:")))
    told = made.run("couple", "people", "--match")
    assert told.stderr == (
        "error: mapping people has no `match:`\n"
        "  hint: say what to match by: --match-by 'shop: FIELD, depot: FIELD'\n"
    )


def test_listed_and_searched(made: Small, request: pytest.FixtureRequest) -> None:
    made.run("apply", "--yes")
    made.run("couple", "people", "3", "C")
    told = shown(made.run("couplings"), made.run("couplings", "--search", "AN"))
    golden("listed.txt", told, request)
    found = json.loads(made.run("couplings", "people", "--search", "ann", "--json").stdout)
    (mapping,) = found["mappings"]
    assert (found["version"], found["total"], mapping["total"]) == (1, 1, 1)
    assert mapping["couplings"] == [
        {"left": "1", "right": "A", "label": "Ann", "synchronized": True}
    ]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_is_exported_can_be_imported(made: Small, form: str, tmp_path: Path) -> None:
    file = str(tmp_path / f"pairs.{form}")
    made.run("apply", "--yes")
    before = made.run("couplings", "--json").stdout
    count = json.loads(before)["total"]
    assert made.run("couplings", "export", file).stdout == f"{count} couplings are in {file}.\n"
    people = made.folder / "shop" / "people.csv"
    people.write_text(people.read_text().replace(",11", ",99"))
    assert made.run("plan", "--out", str(tmp_path / "old.plan")).exit_code == 0
    made.run("uncouple", "people", "--all", "--yes")
    would = made.run("couplings", "import", file, "--dry-run")
    assert would.stdout == f"{count} would be coupled, 0 are coupled already.\n"
    done = made.run("couplings", "import", file)
    assert done.stdout == f"Coupled {count}, 0 are coupled already.\n"
    again = made.run("couplings", "import", file)
    assert again.stdout == f"Coupled 0, {count} are coupled already.\n"
    after = made.run("couplings", "--json").stdout.replace(
        '"synchronized": false', '"synchronized": true'
    )
    keys = [(c["left"], c["right"]) for c in json.loads(after)["mappings"][0]["couplings"]]
    assert keys == [(c["left"], c["right"]) for c in json.loads(before)["mappings"][0]["couplings"]]
    stale = made.run("apply", str(tmp_path / "old.plan"))
    assert (stale.exit_code, "the state moved on" in stale.stderr) == (4, True)


BAD = {
    "pairs.csv": """mapping,left,right
people,1,A
people,1,B
people,9,C
peple,2,B

people,,D
""",
    "pairs.json": """[
  {"mapping": "people", "left": "1", "right": "A"},
  {"mapping": "people",
   "left": 2, "right": "B"},
  {"left": "3", "right": "C"},
  7
]""",
    "unknown.csv": "mapping;left;right\npeple;2;B\npeople;3;Q\n",
    "columns.csv": "mapping,lft,right\npeople,1,A\n",
    "quotes.csv": 'mapping,left,right\npeople,1,A\npeople,"2,B\n',
    "broken.json": '{"couplings": [\n{"mapping" "people"}]}',
    "other.json": '{"pairs": []}',
    "pairs.txt": "",
    "clash.csv": "mapping,left,right\npeople,1,A\npeople,1,B\npeople,3,C\npeople,4,C\n",
    "missing.csv": "mapping,left,right\npeople,1,A\npeople,9,B\npeople,3,Q\n",
}


def test_a_bad_file_is_told_line_by_line_and_nothing_is_coupled(
    made: Small, request: pytest.FixtureRequest
) -> None:
    results = []
    for name, text in BAD.items():
        (made.folder / name).write_text(text, encoding="utf-8")
        results.append(made.run("couplings", "import", str(made.folder / name)))
    results.append(made.run("couplings", "import", "nowhere.csv"))
    results.append(made.run("couplings"))
    told = shown(*results).replace(str(made.folder), "DIR")
    golden("bad-files.txt", told, request)


texts = (
    st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), min_size=1)
    .map(str.strip)
    .filter(bool)
)


@given(
    rows=st.lists(st.tuples(texts, texts, texts), max_size=5), form=st.sampled_from(["csv", "json"])
)
def test_a_file_holds_exactly_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], form: str
) -> None:
    file = tmp_path_factory.getbasetemp() / f"law.{form}"
    pairs_file.written(
        file,
        [
            Pair(mapping=m, left_key=left, right_key=right, label=None, synchronized=True)
            for m, left, right in rows
        ],
    )
    read, problems = pairs_file.read(file)
    assert not problems
    assert [(pair.mapping, pair.left_key, pair.right_key) for pair in read] == rows


@given(before=st.sampled_from(["", "\n", "\n\n  "]), bad=st.integers(1, 4))
def test_a_bad_object_is_told_by_its_line(
    tmp_path_factory: pytest.TempPathFactory, before: str, bad: int
) -> None:
    good = '{"mapping": "m", "left": "1", "right": "2"}'
    items = [f"{before}{good if n != bad else '{}'}\n" for n in range(1, 5)]
    text = f'{{"version": [1, {{"a": "]"}}], "couplings": [{",".join(items)}]}}'
    file = tmp_path_factory.getbasetemp() / "law.json"
    file.write_text(text, encoding="utf-8")
    pairs, problems = pairs_file.read(file)
    line = text[: text.index("{}")].count("\n") + 1
    assert ({problem.at.line for problem in problems}, len(pairs)) == ({line}, 3)
