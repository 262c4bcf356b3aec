"""The examples of pipelines, run for real: summary, approval, apply; a stale plan is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.pipelines.vendors import Azure, GitHub

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipelines.vendors import Server

PLANNED = "Plan: 1 to create, 1 to update, 2 to couple."


def said(server: Server, step: str) -> str:
    found = [told for name, _, told in server.log if name == step]
    assert found, f"{step} did not run"
    return found[-1]


def by_hand(server: Server, command: str) -> None:
    code, told = server.bash(f'ln -sfn "$STATE" .sync-run; {command}', server.checkout(), "by hand")
    assert code == 0, told


@pytest.fixture(params=[GitHub, Azure])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Server:
    made: Server = request.param(tmp_path / "server")
    return made


def test_from_a_pull_request_to_what_was_approved(server: Server) -> None:
    server.event = "pull_request"
    assert server.job("plan") == 0, server.log
    comment = server.commented.read_text()
    if isinstance(server, Azure):
        (only,) = json.loads(comment)["comments"]
        comment = only["content"]
        words = server.commented.with_suffix(".words").read_text()
        assert (
            "https://dev.example.com/contoso/p/_apis/git/repositories/r/pullRequests/7/threads"
            in words
        )
    assert comment.startswith(
        "### sync-run plan: contoso\n\nPlan: 1 to create, 1 to update, 2 to couple."
    )
    assert "telephone1  (blank) → '+44 20 5550 0101'" in comment
    with pytest.raises(AssertionError, match="apply does not run"):
        server.job("apply")

    server.event = "push"
    assert server.job("plan") == 0, server.log
    assert server.artifacts["plan"].name == "sync.plan"
    assert server.job("apply") == 0, server.log
    told = said(server, "Apply what was approved")
    assert PLANNED in told
    assert "Run 1" in told
    assert "\x1b" not in "".join(text for _, _, text in server.log)

    # The same plan a second time: it is known.
    assert server.job("apply") == 0, server.log
    assert "carried out already, by run 1" in said(server, "Apply what was approved")

    # A plan that waits for approval while the state moves on.
    by_hand(server, "sync-run uncouple customers --all --yes")
    assert server.job("plan") == 0, server.log
    by_hand(server, "sync-run couple customers --match --yes")
    assert server.job("apply") == 4
    told = said(server, "Apply what was approved")
    assert "error: Saved plan is stale: the state moved on since" in told


def test_where_nothing_is_left_to_do_nobody_is_asked(tmp_path: Path) -> None:
    server = GitHub(tmp_path / "server")
    place = server.checkout()
    done = 'ln -sfn "$STATE" .sync-run; sync-run apply --yes'
    assert server.bash(done, place, "by hand")[0] == 0
    assert server.job("plan") == 0
    assert not server.artifacts
    with pytest.raises(AssertionError, match="apply does not run"):
        server.job("apply")


def test_a_mapping_that_is_wrong_goes_no_further(server: Server) -> None:
    fresh = server.checkout

    def checkout() -> Path:
        place = fresh()
        mapping = place / "mappings" / "customers.yaml"
        mapping.write_text(mapping.read_text().replace("direction: both", "direction: bth"))
        return place

    server.checkout = checkout  # type: ignore[method-assign]
    assert server.job("plan") == 1
    assert [name for name, _, _ in server.log] == ["Check the mappings"]
    assert "mappings/customers.yaml:3:12: " in said(server, "Check the mappings")
