"""The application: each page asks the core once, and draws what it answers."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from runner.cli.couple import coupled_by_hand
from runner.cli.couplings import labels_of
from runner.cli.errors import set_aside, taken_up
from runner.cli.ui import pages
from runner.cli.ui.guard import Guard
from runner.errors import RunnerError
from runner.model import Selection
from runner.state import held, pairs
from runner.views import graph as graphs
from runner.views.page import asset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from runner.cli.ui.work import Workbench

    Answer = Callable[[Request], Awaitable[Response]]

_SHOWN = 100
_ASSETS = {"page.css": "text/css", "report.js": "text/javascript", "ui.js": "text/javascript"}
_ALLOW = "allow "
"""What the names of boxes begin with that lift a guard."""
_MOST = 64 * 1024
"""Bytes that a form of ours never reaches."""


def application(work: Workbench, *, host: str, token: str) -> ASGIApp:
    """Return the pages of a project, behind their guard."""
    site = _Site(work, token)
    routes = [
        Route("/", site.mappings),
        Route("/plan", site.plan),
        Route("/plan", site.make_plan, methods=["POST"]),
        Route("/choose", site.choose, methods=["POST"]),
        Route("/apply", site.apply, methods=["POST"]),
        Route("/couplings", site.couplings),
        Route("/couple", site.couple, methods=["POST"]),
        Route("/uncouple", site.uncouple, methods=["POST"]),
        Route("/errors", site.errors),
        Route("/retry", site.retry, methods=["POST"]),
        Route("/skip", site.skip, methods=["POST"]),
        Route("/unskip", site.unskip, methods=["POST"]),
        Route("/why", site.why),
        Route("/why", site.ask, methods=["POST"]),
        Route("/runs", site.runs),
        Route("/graph", site.graph),
        Route("/job", site.job),
        Route("/assets/{name}", site.asset),
    ]
    return Guard(Starlette(routes=routes), host=host, token=token)


class _Site:
    def __init__(self, work: Workbench, token: str) -> None:
        self._work, self._base = work, f"/{token}"
        self._csrf = secrets.token_urlsafe(32)
        project = work.project
        title = f"{project.name} ({project.environment})" if project.environment else project.name
        self._pages = pages.Pages(self._base, self._csrf, title)

    async def mappings(self, _: Request) -> Response:
        def drawn() -> str:
            project = self._work.project
            with held(project.state, "ui") as store, store.opened() as state:
                totals, _ = pairs.listed(state, self._labels(), limit=1)
            return self._pages.mappings(graphs.of_project(project)["mappings"], totals)

        return await self._page("", drawn)

    async def plan(self, _: Request) -> Response:
        planned = self._work.planned
        if self._work.busy:
            return self._drawn("plan", "<h2>Plan</h2>")
        body = self._pages.plan(planned.document if planned else None, self._work.report)
        return self._drawn("plan", body, planned.data if planned else "")

    async def couplings(self, request: Request) -> Response:
        asked, words = request.query_params, request.query_params.get("words", "")
        names = [mapping.name for mapping in self._work.project.mappings]
        name = asked.get("mapping", "")
        name = name if name in names else names[0]

        def drawn() -> str:
            mapping = self._work.project.mapping(name)
            labels = {name: self._labels()[name]}
            with held(self._work.project.state, "ui") as store, store.opened() as state:
                totals, found = pairs.listed(state, labels, search=words, limit=_SHOWN)
            ends = [f"{end.system} {end.entity}" for end in (mapping.left, mapping.right)]
            told = {"mappings": names, "mapping": name, "words": words, "ends": ends}
            return self._pages.couplings(told, found, totals.get(name, 0))

        return await self._page("couplings", drawn)

    async def why(self, _: Request) -> Response:
        names = [mapping.name for mapping in self._work.project.mappings]
        return self._drawn("why", self._pages.why(names, self._work.reasons))

    async def errors(self, _: Request) -> Response:
        return await self._page("errors", lambda: self._pages.errors(self._work.errors()))

    async def runs(self, _: Request) -> Response:
        return await self._page("runs", lambda: pages.past_runs(self._work.runs()))

    async def graph(self, _: Request) -> Response:
        drawn = graphs.svg(graphs.of_project(self._work.project))
        return self._drawn("graph", pages.graph(drawn))

    async def job(self, _: Request) -> Response:
        job = self._work.job
        return JSONResponse({"line": job.line if job else "", "done": job is None or job.done})

    async def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            return Response(status_code=404)
        return Response(asset(name), media_type=_ASSETS[name])

    async def make_plan(self, request: Request) -> Response:
        async def done(told: dict[str, str]) -> None:
            names = tuple(mapping.name for mapping in self._work.project.mappings)
            chosen = (told["mapping"],) if told.get("mapping") in names else names
            self._work.plan(Selection(mappings=chosen))

        return await self._did(request, done, "plan")

    async def choose(self, request: Request) -> Response:
        """Plan one record so that one side wins; nothing is written before that is applied."""

        async def done(told: dict[str, str]) -> None:
            self._work.plan(
                Selection(
                    mappings=(self._named(told),), records=(told["key"],), prefer=told["system"]
                )
            )

        return await self._did(request, done, "plan")

    async def apply(self, request: Request) -> Response:
        async def done(told: dict[str, str]) -> None:
            if told.get("sure") == "yes":
                lifted = (name.removeprefix(_ALLOW) for name in told if name.startswith(_ALLOW))
                self._work.apply(tuple(lifted))

        return await self._did(request, done, "plan")

    async def ask(self, request: Request) -> Response:
        async def done(told: dict[str, str]) -> None:
            self._work.ask(self._named(told), told["key"].strip())

        return await self._did(request, done, "why")

    async def retry(self, request: Request) -> Response:
        """Forget how often a record failed, and plan it; it is written when that is applied."""

        async def done(told: dict[str, str]) -> None:
            name, key = self._named(told), told["key"]
            await run_in_threadpool(taken_up, self._work.project, name, [key])
            self._work.plan(Selection(mappings=(name,), records=(key,)))

        return await self._did(request, done, "plan")

    async def skip(self, request: Request) -> Response:
        async def done(told: dict[str, str]) -> None:
            name, key = self._named(told), told["key"]
            await run_in_threadpool(set_aside, self._work.project, name, key)
            self._work.said = f"{name} {key} is set aside."

        return await self._did(request, done, "errors")

    async def unskip(self, request: Request) -> Response:
        async def done(told: dict[str, str]) -> None:
            name, key = self._named(told), told["key"]
            await run_in_threadpool(taken_up, self._work.project, name, [key])
            self._work.said = f"{name} {key} is taken up again by the next run."

        return await self._did(request, done, "errors")

    async def couple(self, request: Request) -> Response:
        async def done(told: dict[str, str]) -> None:
            mapping = self._work.project.mapping(self._named(told))
            left, right = told["left"].strip(), told["right"].strip()
            self._work.said = await run_in_threadpool(
                coupled_by_hand, self._work.project, mapping, left, right
            )

        return await self._did(request, done, "couplings")

    async def uncouple(self, request: Request) -> Response:
        def forget(name: str, key: str) -> str:
            with held(self._work.project.state, "ui uncouple") as store, store.opened() as state:
                found = pairs.coupled(state, name, [key])
                if found:
                    pairs.uncouple(state, name, found)
            return f"Uncoupled {' ↔ '.join(found[0])}." if found else f"'{key}' is not coupled."

        async def done(told: dict[str, str]) -> None:
            name = self._named(told)
            self._work.said = await run_in_threadpool(forget, name, told["key"])

        return await self._did(request, done, "couplings")

    def _labels(self) -> dict[str, tuple[str, ...]]:
        return {m.name: tuple(labels_of(m)) for m in self._work.project.mappings}

    def _named(self, told: dict[str, str]) -> str:
        names = [mapping.name for mapping in self._work.project.mappings]
        if told.get("mapping") not in names:
            raise RunnerError("there is no such mapping")
        return told["mapping"]

    def _drawn(self, place: str, body: str, data: str = "") -> Response:
        said, self._work.said = self._work.said, ""
        return HTMLResponse(self._pages.page(place, body, job=self._work.job, said=said, data=data))

    async def _page(self, place: str, drawn: Callable[[], str]) -> Response:
        """Draw a page that asks the state, which a run may hold just now."""
        try:
            return self._drawn(place, await run_in_threadpool(drawn))
        except RunnerError as error:
            self._work.said = f"{error}" + (f" ({error.hint})" if error.hint else "")
            return self._drawn(place, f"<h2>{pages.PLACES[place]}</h2>")

    async def _did(
        self, request: Request, done: Callable[[dict[str, str]], Awaitable[None]], place: str
    ) -> Response:
        """Do what a form of ours asks for, then lead to the page that shows it."""
        body = await request.body()
        told = {name: values[0] for name, values in parse_qs(body[:_MOST].decode()).items()}
        if not secrets.compare_digest(told.get("csrf", "").encode(), self._csrf.encode()):
            return Response("this form is not ours, or of another time: go back and reload", 403)
        try:
            await done(told)
        except RunnerError as error:
            self._work.said = f"{error}" + (f" ({error.hint})" if error.hint else "")
        except KeyError as error:
            return Response(f"the form lacks {error}", 400)
        return RedirectResponse(f"{self._base}/{place}", 303)
