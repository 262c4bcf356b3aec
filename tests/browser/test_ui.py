"""The pages of ``sync-run ui``: in a real browser, and against those who should not get in."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from runner.cli.ui.app import application
from runner.cli.ui.work import Workbench
from runner.config import load
from tests.browser import looking
from tests.cli.small import Small

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver.chrome.webdriver import WebDriver

TOKEN = "a-token-that-nobody-guesses"


class Served:
    """A small project with a conflict and an error, and its pages."""

    def __init__(self, small: Small, host: str) -> None:
        self.small, self.host = small, host
        self.url = f"http://{host}/{TOKEN}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    small = Small(tmp_path_factory.mktemp("ui"))
    small.run("apply", "--yes")
    for name, old, new in (
        ("shop/people.csv", "Ann,11", "Ann,12"),
        ("depot/persons.csv", "Ann,11", "Ann,13"),
        ("shop/people.csv", "Bob,22", "<b>Bob</b>,22"),
    ):
        path = small.folder / name
        path.write_text(path.read_text().replace(old, new), encoding="utf-8")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    work = Workbench(load(small.folder, environment=""), tmp_path_factory.mktemp("work"))
    app = application(work, host=host, token=TOKEN)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield Served(small, host)
    server.should_exit = True
    thread.join()


def ask(served: Served, method: str, path: str, **headers: str) -> httpx.Response:
    return httpx.request(method, f"http://{served.host}{path}", headers=headers, data={"csrf": "x"})


def test_nobody_gets_in_without_the_address(served: Served) -> None:
    assert ask(served, "GET", f"/{TOKEN}/").status_code == 200
    for path in (
        "/",
        "/plan",
        "/wrong/plan",
        f"/{TOKEN[:-1]}/",
        f"/{TOKEN}x/",
        "//",
        f"//{TOKEN}/",
    ):
        told = ask(served, "GET", path)
        assert told.status_code == 404, path
        assert TOKEN not in told.text


def test_a_name_made_to_lead_here_is_turned_away(served: Served) -> None:
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1", "127.0.0.1:1", ""):
        assert ask(served, "GET", f"/{TOKEN}/", Host=host).status_code in {400, 421}, host


@pytest.mark.parametrize(
    "path", ["plan", "apply", "choose", "couple", "uncouple", "why", "retry", "skip", "unskip"]
)
def test_other_pages_cannot_change_anything(served: Served, path: str) -> None:
    before = served.small.records()
    own = f"http://{served.host}"
    for origin in (
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": f"{own}0"},
    ):
        assert ask(served, "POST", f"/{TOKEN}/{path}", **origin).status_code == 403
    # From here, but not by a form of ours.
    assert ask(served, "POST", f"/{TOKEN}/{path}", Origin=own).status_code == 403
    assert ask(served, "GET", f"/{TOKEN}/{path}").status_code in {200, 405}
    assert served.small.records() == before


def test_pages_tell_browsers_to_keep_to_themselves(served: Served) -> None:
    headers = ask(served, "GET", f"/{TOKEN}/plan").headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]


def go(browser: WebDriver, served: Served, place: str = "") -> None:
    browser.get(f"{served.url}/{place}")


def press(browser: WebDriver, words: str) -> None:
    browser.find_element(By.XPATH, f"//button[normalize-space()={words!r}]").click()


def wait_for(browser: WebDriver, words: str) -> None:
    """Wait until a page says so; while a job is done, it is another page every moment."""
    passing = (StaleElementReferenceException, NoSuchElementException)
    WebDriverWait(browser, 60, ignored_exceptions=passing).until(
        lambda b: (
            words in b.find_element(By.TAG_NAME, "main").text
            and not b.find_elements(By.CSS_SELECTOR, "[data-job]")
        ),
        f"no {words!r}",
    )


def main_of(browser: WebDriver) -> str:
    return browser.find_element(By.TAG_NAME, "main").text


def test_a_plan_a_choice_and_its_apply(browser: WebDriver, served: Served) -> None:
    go(browser, served)
    assert "people" in main_of(browser)
    press(browser, "Plan all of them")
    wait_for(browser, "1 conflict")
    assert browser.find_elements(By.CSS_SELECTOR, "main b") == [], "a value became markup"
    press(browser, "Take depot")
    wait_for(browser, "depot wins where both sides changed")
    assert "Plan: 0 to create, 1 to update" in main_of(browser)
    assert "Ann,12" in served.small.records()[0], "nothing is written before it is applied"
    browser.find_element(By.NAME, "sure").click()
    press(browser, "Apply this plan")
    wait_for(browser, "What was done.")
    assert "Ann,13" in (served.small.folder / "shop/people.csv").read_text()
    assert looking.complaints(browser) == []


def test_couplings_are_searched_forgotten_and_made(browser: WebDriver, served: Served) -> None:
    go(browser, served, "couplings?mapping=people&words=ann")
    (row,) = browser.find_elements(By.CSS_SELECTOR, "tbody tr")
    assert row.text.startswith("1 A Ann")
    row.find_element(By.XPATH, ".//button[normalize-space()='Uncouple']").click()
    wait_for(browser, "Uncoupled 1 ↔ A.")
    browser.find_element(By.NAME, "left").send_keys("1")
    browser.find_element(By.NAME, "right").send_keys("nobody")
    press(browser, "Couple")
    wait_for(browser, "depot has no persons 'nobody'")
    browser.find_element(By.NAME, "left").send_keys("1")
    browser.find_element(By.NAME, "right").send_keys("A")
    press(browser, "Couple")
    wait_for(browser, "Coupled shop 1 ↔ depot A.")


def test_an_error_is_set_aside_taken_up_and_tried_again(browser: WebDriver, served: Served) -> None:
    go(browser, served, "errors")
    assert "ambiguous match" in main_of(browser)
    press(browser, "Set aside")
    wait_for(browser, "people 3 is set aside.")
    press(browser, "Take up again")
    wait_for(browser, "people 3 is taken up again by the next run.")
    press(browser, "Try again")
    wait_for(browser, "Only record 3.")
    assert "1 error to look at" in main_of(browser)


def test_why_is_answered(browser: WebDriver, served: Served) -> None:
    go(browser, served, "why")
    browser.find_element(By.NAME, "key").send_keys("4")
    press(browser, "Ask")
    wait_for(browser, "the two records are coupled, by run")
    browser.find_element(By.NAME, "key").send_keys("4711")
    press(browser, "Ask")
    wait_for(browser, "there is no record '4711'")


@pytest.mark.parametrize("place", ["", "plan", "errors", "couplings", "why", "runs", "graph"])
def test_every_page_can_be_read_by_all(browser: WebDriver, served: Served, place: str) -> None:
    go(browser, served, place)
    assert looking.nameless(browser) == []
    for dark in (True, False):
        looking.in_dark(browser, dark=dark)
        assert looking.faint(browser) == []
