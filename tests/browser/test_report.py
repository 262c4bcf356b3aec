"""The page about a plan, in a real browser: what it shows, how fast; and nothing breaks out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from runner.views.page import page
from tests.browser import looking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver.chrome.webdriver import WebDriver

    from runner.views.document import Document

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>"
GUARD = f"customers.max_deletes: 30 coupled records are gone, or would be deleted {HOSTILE}"
REMEDY = "sync-run uncouple items 40"
COUNTERS = {"inserted": 5, "modified": 3, "deleted": 0, "coupled": 2, "failed": 1}


def field(name: str, old: str | None, new: str | None) -> Document:
    told: dict[str, Any] = {"field": name, "from": name, "old": old, "new": new, "source": None}
    return {**told, "known_after_apply": False, "drift": False}


def action(kind: str, system: str | None, left: str | None, **more: Any) -> Document:
    told: dict[str, Any] = {"action": kind, "system": system, "keys": {"nav": left, "crm": None}}
    told |= {"label": None, "reason": None, "hint": None, "id": None, "fields": []}
    return told | more


def clash(left: str, right: str, values: tuple[str | None, ...]) -> Document:
    names = ("left_value", "right_value", "left_base", "right_base")
    return {"left": left, "right": right, "reason": None, **dict(zip(names, values, strict=True))}


ACTIONS = [
    ("customers", action("create", "crm", "10", label="Alpha", fields=[field("name", None, "A")])),
    ("customers", action("update", "crm", "20", fields=[field("phone", "old 1", "new 2")])),
    (
        "customers",
        action("update", "crm", "21", label=HOSTILE, fields=[field(HOSTILE, HOSTILE, HOSTILE)]),
    ),
    (
        "customers",
        action(
            "conflict",
            None,
            "30",
            reason="both sides changed",
            hint="make both sides the same",
            fields=[clash("Phone_No", "telephone1", ("1", "2", "3", "3"))],
        ),
    ),
    ("items", action("error", None, "40", reason=HOSTILE, hint=f"uncouple it: `{REMEDY}`")),
]


def plan(mappings: dict[str, dict[str, int]]) -> Document:
    def end(system: str) -> dict[str, str]:
        return {"system": system, "entity": HOSTILE if system == "crm" else "Customer"}

    changes = sum(n for counts in mappings.values() for n in counts.values())
    return {
        "version": 1,
        "project": HOSTILE,
        "environment": "",
        "mode": "full",
        "created": "2026-11-26T12:00:00+00:00",
        "interrupted": 1,
        "changes": changes,
        "failures": 2,
        "guards": [{"guard": "customers.max_deletes", "what": HOSTILE, "limit": "20%"}],
        "mappings": [
            {
                "mapping": name,
                "direction": "both",
                "left": end("nav"),
                "right": end("crm"),
                "read": {},
                "unchanged": 7,
                "filtered": {"nav": 3},
                "counts": counts,
                "actions": [],
            }
            for name, counts in mappings.items()
        ],
    }


def graph() -> Document:
    ends = {"left": {"system": "nav", "entity": "Customer"}}
    ends |= {"right": {"system": "crm", "entity": HOSTILE}}
    return {
        "mappings": [
            {"mapping": "customers", "direction": "both", **ends, "needs": []},
            {
                "mapping": "items",
                "direction": "to right",
                **ends,
                "needs": [{"mapping": "customers", "depends_on": True, "lookups": [HOSTILE]}],
            },
        ]
    }


def runs(n: int) -> list[Document]:
    return [
        {
            "run": number,
            "command": HOSTILE,
            "started": "2026-11-26 12:00:00",
            "ended": None,
            "exit_code": 4,
            "state": "ended",
            "message": f"nothing was written, because of guards:\n  {GUARD}",
            "counters": COUNTERS,
        }
        for number in range(n, 0, -1)
    ]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    counts = {"customers": {"create crm": 1, "update crm": 2, "conflict": 1}, "items": {"error": 1}}
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(page(plan(counts), ACTIONS, graph(), runs(12)), encoding="utf-8")
    return file.as_uri()


def texts(browser: WebDriver, selector: str) -> list[str]:
    return [node.text for node in browser.find_elements(By.CSS_SELECTOR, selector)]


def test_nothing_breaks_out_and_nothing_is_fetched(browser: WebDriver, small: str) -> None:
    browser.get(small)
    assert browser.title == f"{HOSTILE} · sync-run"
    assert browser.find_element(By.TAG_NAME, "h1").text == HOSTILE
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert len(browser.find_elements(By.TAG_NAME, "script")) == 2
    assert looking.complaints(browser) == []
    script = "return performance.getEntriesByType('resource').length"
    assert browser.execute_script(script) == 0


def test_findings_stand_open_with_all_three_values_and_the_remedy(
    browser: WebDriver, small: str
) -> None:
    browser.get(small)
    conflict, error = browser.find_elements(By.CSS_SELECTOR, "#amiss details")
    row = conflict.find_element(By.CSS_SELECTOR, "tbody tr").text
    assert row == "Phone_No / telephone1 3 1 2"
    assert "hint: make both sides the same" in conflict.text
    assert HOSTILE in error.text
    assert texts(browser, "#amiss .hint code") == [REMEDY]


def test_guards_stand_before_the_summary_and_with_the_runs_they_stopped(
    browser: WebDriver, small: str
) -> None:
    browser.get(small)
    guards = browser.find_element(By.CSS_SELECTOR, "#summary [role=note]")
    assert "apply stops before its first write" in guards.text
    assert texts(browser, "#summary [role=note] li") == [f"customers.max_deletes: {HOSTILE}"]
    remedy = guards.find_element(By.TAG_NAME, "code").text
    assert remedy == "sync-run apply --allow customers.max_deletes"
    ended = browser.find_element(By.CSS_SELECTOR, "#runs tbody td:last-child").text
    assert ended == f"refused: nothing was written, because of guards:\n{GUARD}"


def test_search_and_filters_narrow_the_list(browser: WebDriver, small: str) -> None:
    browser.get(small)

    def status() -> str:
        return browser.find_element(By.CSS_SELECTOR, "#actions [role=status]").text

    assert status() == "5 of 5 actions"
    words = browser.find_element(By.NAME, "words")
    words.send_keys("NEW 2")
    WebDriverWait(browser, 5).until(lambda _: status() == "1 of 5 actions")
    assert texts(browser, "#actions .list .key") == ["nav 20"]
    words.clear()
    Select(browser.find_element(By.NAME, "kind")).select_by_visible_text("update")
    WebDriverWait(browser, 5).until(lambda _: status() == "2 of 5 actions")
    browser.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    WebDriverWait(browser, 5).until(lambda _: status() == "5 of 5 actions")
    browser.find_element(By.CSS_SELECTOR, "a[data-mapping='1']").click()
    WebDriverWait(browser, 5).until(lambda _: status() == "1 of 5 actions")
    assert texts(browser, "#actions .list .key") == ["nav 40"]


def test_a_keyboard_is_enough(browser: WebDriver, small: str) -> None:
    browser.get(small)
    body = browser.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the content"
    first = browser.find_element(By.CSS_SELECTOR, "#actions details summary")
    first.send_keys(Keys.ENTER)
    WebDriverWait(browser, 5).until(lambda _: texts(browser, "#actions details[open] td") == ["A"])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_can_be_read(browser: WebDriver, small: str, *, dark: bool) -> None:
    browser.get(small)
    looking.in_dark(browser, dark=dark)
    for summary in browser.find_elements(By.CSS_SELECTOR, "#actions details summary"):
        summary.click()
    assert looking.faint(browser) == []
    looking.in_dark(browser, dark=False)


def test_a_screen_reader_finds_its_way(browser: WebDriver, small: str) -> None:
    browser.get(small)
    assert looking.nameless(browser) == []


@pytest.fixture
def phone(browser: WebDriver) -> Iterator[WebDriver]:
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    yield browser
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_phone_scrolls_down_and_not_sideways(phone: WebDriver, small: str) -> None:
    phone.get(small)
    assert not looking.wider_than_the_window(phone)


def test_a_hundred_thousand_actions_open_fast(browser: WebDriver, tmp_path: Path) -> None:
    many = (
        (
            "customers",
            action(
                "update",
                "crm",
                f"C{n:06}",
                label=f"Customer number {n}",
                fields=[field(f"field_{i}", f"old value {n}", f"new value {n}") for i in range(4)],
            ),
        )
        for n in range(100_000)
    )
    told = page(plan({"customers": {"update crm": 100_000}}), many, graph(), runs(40))
    file = tmp_path / "many.html"
    file.write_text(told, encoding="utf-8")
    begin = time.monotonic()
    browser.get(file.as_uri())
    WebDriverWait(browser, 20, poll_frequency=0.05).until(
        lambda b: len(b.find_elements(By.CSS_SELECTOR, "#actions details")) == 100
    )
    loaded = time.monotonic() - begin
    begin = time.monotonic()
    browser.find_element(By.NAME, "words").send_keys("number 77777")
    status = browser.find_element(By.CSS_SELECTOR, "#actions [role=status]")
    WebDriverWait(browser, 20, poll_frequency=0.05).until(
        lambda _: status.text == "1 of 100,000 actions"
    )
    searched = time.monotonic() - begin
    print(f"{len(told) / 1e6:.1f} MB, loaded in {loaded:.2f} s, searched in {searched:.2f} s")  # noqa: T201
    assert loaded < 10
    assert searched < 10


def test_more_is_drawn_when_it_is_asked_for(browser: WebDriver, tmp_path: Path) -> None:
    some = [("customers", action("couple", None, str(n))) for n in range(250)]
    file = tmp_path / "some.html"
    file.write_text(page(plan({"customers": {"couple": 250}}), some, graph()), encoding="utf-8")
    browser.get(file.as_uri())
    more = browser.find_element(By.CSS_SELECTOR, "#actions .more")
    counts = []
    while more.is_displayed():
        counts.append(len(texts(browser, "#actions details")))
        more.click()
    assert [*counts, len(texts(browser, "#actions details"))] == [100, 200, 250]
    assert browser.switch_to.active_element.tag_name == "summary"
