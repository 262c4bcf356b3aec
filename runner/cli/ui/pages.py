"""The pages as HTML, from documents and values alone; every text is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from runner.views import charts
from runner.views.actions import ARROWS
from runner.views.page import listed, looked_for, runs_table, second, summary
from runner.views.selection import about
from runner.views.text import COUNTERS, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.cli.ui.work import Job
    from runner.state.pairs import Pair

Document = dict[str, Any]
PLACES = {
    "": "Mappings",
    "plan": "Plan",
    "errors": "Errors",
    "couplings": "Couplings",
    "why": "Why",
    "runs": "Runs",
    "graph": "Graph",
}
"""Where one can go: the path below the token, and what it is called."""


class Pages:
    """Draws pages. ``base`` is the path that all of them are below, ``csrf`` proves our forms."""

    def __init__(self, base: str, csrf: str, title: str) -> None:
        self._base, self._csrf, self._title = base, csrf, title

    def page(
        self, place: str, body: str, *, job: Job | None = None, said: str = "", data: str = ""
    ) -> str:
        """Put a page together: where one is, what is being done, what was said, and the rest."""
        links = "".join(
            f'<li><a href="{self._base}/{path}"'
            f"{' aria-current=page' if path == place else ''}>{name}</a></li>"
            for path, name in PLACES.items()
        )
        script = f'<script type="application/json" id="data">{data}</script>' if data else ""
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{PLACES[place]} · {escape(self._title)} · sync-run</title>"
            f'<link rel="stylesheet" href="{self._base}/assets/page.css">'
            f'<link rel="icon" href="data:,"></head><body>'
            '<a class="skip" href="#main">Skip to the content</a>'
            f"<header><h1>{escape(self._title)}</h1>"
            f'<nav aria-label="Places"><ul>{links}</ul></nav></header>'
            f'<main id="main">{self._status(job, said)}{body}</main>{script}'
            f'<script src="{self._base}/assets/report.js" defer></script>'
            f'<script src="{self._base}/assets/ui.js" defer></script></body></html>'
        )

    def _status(self, job: Job | None, said: str) -> str:
        told = [f'<p class="said">{escape(said)}</p>'] if said else []
        if job is not None and job.error is not None:
            what, hint = job.error
            lines = "".join(f"<p>{escape(line)}</p>" for line in what.splitlines())
            more = _hint(hint) if hint else ""
            told.append(f'<div class="said error">{lines}{more}</div>')
        if job is not None and not job.done:
            told.append(
                f'<p class="said" data-job="{self._base}/job">{escape(job.name)}: '
                f"<span>{escape(job.line or 'begun')}</span> "
                f'<noscript><a href="{self._base}/{escape(job.name)}">look again</a></noscript></p>'
            )
        return f'<div role="status">{"".join(told)}</div>'

    def form(self, path: str, inner: str, *, label: str = "", kind: str = "ask") -> str:
        """Draw a form that changes something, with the proof that it is ours."""
        named = f' aria-label="{escape(label)}"' if label else ""
        return (
            f'<form class="{kind}" method="post" action="{self._base}/{path}"{named}>'
            f'<input type="hidden" name="csrf" value="{self._csrf}">{inner}</form>'
        )

    def mappings(self, mappings: Sequence[Document], coupled: Mapping[str, int]) -> str:
        """List the mappings: what each ties together, how many pairs it has, what one can do."""
        rows = "".join(self._mapping(one, coupled.get(one["mapping"], 0)) for one in mappings)
        return (
            f"<h2>Mappings</h2>{self.form('plan', '<button>Plan all of them</button>')}"
            '<div class="wide" role="region" aria-label="Mappings" tabindex="0">'
            '<table class="cards">'
            "<caption>In the order in which they run.</caption><thead><tr>"
            '<th scope="col">mapping</th><th scope="col" class="n">couplings</th>'
            '<th scope="col">needs</th><th scope="col">do</th>'
            f"</tr></thead><tbody>{rows}</tbody></table></div>"
        )

    def _mapping(self, one: Document, coupled: int) -> str:
        name = escape(one["mapping"])
        ends = f" {ARROWS[one['direction']]} ".join(
            f"{one[side]['system']} {one[side]['entity']}" for side in ("left", "right")
        )
        pairs = f"{self._base}/couplings?{urlencode({'mapping': one['mapping']})}"
        needs = ", ".join(escape(need["mapping"]) for need in one["needs"])
        button = (
            f'<input type="hidden" name="mapping" value="{name}">'
            f'<button aria-label="Plan {name}">Plan</button>'
        )
        return (
            f'<tr><th scope="row">{name}<span class="ends">{escape(ends)}</span></th>'
            f'<td class="n" data-of="couplings"><a href="{escape(pairs)}">{coupled:,}</a></td>'
            f'<td data-is="needs">{needs}</td>'
            f"<td>{self.form('plan', button, kind='inline')}</td></tr>"
        )

    def plan(self, planned: Document | None, report: Document | None) -> str:
        """Draw the plan that was made, with what one can do about it, or what came of it."""
        if report is not None:
            return self._report(report)
        if planned is None:
            button = "<button>Plan all mappings</button>"
            return f"<h2>Plan</h2><p>No plan has been made.</p>{self.form('plan', button)}"
        what = about(planned["selection"])
        guards = "".join(
            f'<label class="check"><input type="checkbox" name="allow {escape(guard["guard"])}" '
            f'value="yes"> <span class="error">lift {escape(guard["guard"])}</span>: '
            f"{escape(guard['what'])}</label>"
            for guard in planned["guards"]
        )
        apply = (
            self.form(
                "apply",
                f"{guards}"
                '<label class="check"><input type="checkbox" name="sure" value="yes" required> '
                "I have looked at it</label><button>Apply this plan</button>",
                label="Apply",
            )
            if planned["changes"]
            else ""
        )
        side = self.form("choose", "", label="Choose a side", kind="inline")
        ask = self.form("why", "", kind="inline")
        choose = f'<template id="choose">{side}</template><template id="ask">{ask}</template>'
        amiss = (
            f'<section id="amiss" aria-labelledby="amiss-head"><h2 id="amiss-head">To look at</h2>'
            f"{listed(open_=True)}</section>"
            if planned["failures"]
            else ""
        )
        return (
            f'<h2>Plan</h2><p class="lead">{escape(sentence(planned))}</p>'
            f"{f'<p>{escape(what)}</p>' if what else ''}{apply}{choose}{summary(planned)}{amiss}"
            '<section id="actions" aria-labelledby="actions-head">'
            f'<h2 id="actions-head">Actions</h2>{looked_for(planned)}{listed()}</section>'
        )

    def _report(self, report: Document) -> str:
        heads = "".join(f'<th scope="col" class="n">{name}</th>' for name in COUNTERS)
        rows = "".join(
            f'<tr><th scope="row">{escape(name)}</th>'
            + "".join(f'<td class="n" data-of="{c}">{counted[c]:,}</td>' for c in COUNTERS)
            + "</tr>"
            for name, counted in report["counters"].items()
        )
        failures = "".join(_failure(failure) for failure in report["failures"])
        stopped = f"<p>Stopped: {escape(report['stopped'])}</p>" if report["stopped"] else ""
        again = self.form("plan", "<button>Plan again</button>")
        return (
            f"<h2>Run {report['run']}</h2>{stopped}{again}"
            '<div class="wide" role="region" aria-label="Counters" tabindex="0">'
            '<table class="cards">'
            f'<caption>What was done.</caption><thead><tr><th scope="col">mapping</th>{heads}</tr>'
            f"</thead><tbody>{rows}</tbody></table></div>"
            f"{f'<h2>Failed</h2><ul>{failures}</ul>' if failures else ''}"
        )

    def couplings(self, asked: Document, pairs: Sequence[Pair], total: int) -> str:
        """List pairs that were searched for, each with a way out; and a form to make one.

        ``asked`` holds the ``mappings`` there are, the chosen ``mapping``, the ``words``, and the
        names of both ``ends``.
        """
        options = "".join(
            f"<option{' selected' if name == asked['mapping'] else ''}>{escape(name)}</option>"
            for name in asked["mappings"]
        )
        left, right = (escape(end) for end in asked["ends"])
        name = f'<input type="hidden" name="mapping" value="{escape(asked["mapping"])}">'
        rows = "".join(self._pair(pair, name) for pair in pairs)
        search = (
            f'<form class="ask" method="get" action="{self._base}/couplings" role="search">'
            f'<label>Mapping<select name="mapping">{options}</select></label>'
            f'<label>Keys and names<input type="search" name="words" '
            f'value="{escape(asked["words"])}"></label><button>Search</button></form>'
        )
        couple = self.form(
            "couple",
            f'{name}<label>Key in {left}<input name="left" required></label>'
            f'<label>Key in {right}<input name="right" required></label><button>Couple</button>',
            label="Couple two records",
        )
        return (
            f"<h2>Couplings</h2>{search}<p>{len(pairs):,} of {total:,} are shown.</p>"
            '<div class="wide" role="region" aria-label="Couplings" tabindex="0">'
            '<table class="cards">'
            "<caption>Which records belong together.</caption><thead><tr>"
            f'<th scope="col">{left}</th><th scope="col">{right}</th><th scope="col">name</th>'
            f'<th scope="col">do</th></tr></thead><tbody>{rows}</tbody></table></div>'
            f"<h2>Couple two records</h2>{couple}"
        )

    def _pair(self, pair: Pair, name: str) -> str:
        key = escape(pair.left_key)
        out = self.form(
            "uncouple",
            f'{name}<input type="hidden" name="key" value="{key}">'
            f'<button aria-label="Uncouple {key}">Uncouple</button>',
            kind="inline",
        )
        why = self.form(
            "why",
            f'{name}<input type="hidden" name="key" value="{key}">'
            f'<button aria-label="Why {key}">Why?</button>',
            kind="inline",
        )
        fresh = "" if pair.synchronized else ' <span class="quiet">(not synchronized yet)</span>'
        return (
            f'<tr><td class="key">{key}</td><td class="key">{escape(pair.right_key)}</td>'
            f"<td>{escape(pair.label or '')}{fresh}</td><td>{out}{why}</td></tr>"
        )

    def errors(self, errors: Sequence[Document]) -> str:
        """List the records that fail, with what one can decide about each."""
        if not errors:
            return "<h2>Errors</h2><p>No record fails.</p>"
        rows = "".join(self._error(error) for error in errors)
        heads = ("record", "what", "runs", "since", "do")
        head = "".join(f'<th scope="col">{name}</th>' for name in heads)
        return (
            '<h2>Errors</h2><div class="wide" role="region" aria-label="Errors" tabindex="0">'
            '<table class="cards"><caption>Records that fail, or were set aside. An error closes '
            f"by itself when a run finds it no more.</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table></div>"
        )

    def _error(self, error: Document) -> str:
        keys = [key for key in error["keys"].values() if key]
        named = escape(" ↔ ".join(keys))
        told = {"mapping": error["mapping"], "key": keys[0] if keys else ""}
        inputs = "".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">'
            for name, value in told.items()
        )
        choices = [("retry", "Try again"), ("why", "Why?")]
        choices.append(("unskip", "Take up again") if error["by_hand"] else ("skip", "Set aside"))
        forms = "".join(
            self.form(
                path,
                f'{inputs}<button aria-label="{words} {named}">{words}</button>',
                kind="inline",
            )
            for path, words in choices
        )
        label = f" {escape(error['label'])}" if error["label"] else ""
        hint = _hint(error["hint"]) if error["hint"] else ""
        state = "set aside" if error["skipped"] else error["kind"]
        where = f"in {escape(error['field'])}: " if error["field"] else ""
        return (
            f'<tr><th scope="row">{escape(error["mapping"])} '
            f'<span class="key">{named}</span>{label}'
            f'</th><td><span class="error">{escape(state)}</span> {where}'
            f"{escape(error['reason'] or '')}"
            f'{hint}</td><td class="n" data-is="runs">{error["attempts"]}</td>'
            f'<td data-is="since">{second(error["first_seen"])}</td>'
            f'<td class="do">{forms}</td></tr>'
        )

    def why(self, mappings: Sequence[str], reasons: Sequence[Document]) -> str:
        """Draw the form that asks about a record, and what was found out about the last one."""
        options = "".join(f"<option>{escape(name)}</option>" for name in mappings)
        form = self.form(
            "why",
            f'<label>Mapping<select name="mapping">{options}</select></label>'
            '<label>Key on either side<input name="key" required></label><button>Ask</button>',
            label="Ask why",
        )
        return f"<h2>Why?</h2>{form}{''.join(self._reason(one) for one in reasons)}"

    def _reason(self, one: Document) -> str:
        keys = " ↔ ".join(f"{system} {key}" for system, key in one["keys"].items() if key)
        because = "".join(
            f"<li>{escape(reason['what'])}{_place(reason['at'])}</li>" for reason in one["because"]
        )
        hints = "".join(_hint(hint) for hint in one["hints"])
        systems = list(one["keys"])
        heads = "".join(
            f'<th scope="col">{escape(head)}</th>'
            for head in ("field", *systems, *(f"{system} before" for system in systems), "what")
        )
        fields = sorted(one["fields"], key=lambda told: not told["moved"])
        rows = "".join(_field_row(told, systems) for told in fields)
        return (
            f'<section class="reason"><h3><span class="{escape(one["verdict"])}">'
            f"{escape(one['verdict'])}</span> {escape(one['mapping'])} "
            f'<span class="key">{escape(keys)}</span> {escape(one["label"] or "")}</h3>'
            f"<ul>{because}</ul>{hints}"
            '<div class="wide" role="region" aria-label="Fields" tabindex="0"><table>'
            f"<caption>What both sides hold, and held when they last agreed.</caption>"
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>"
        )


def past_runs(runs: Sequence[Document]) -> str:
    """Draw past runs."""
    if not runs:
        return "<h2>Runs</h2><p>No run yet.</p>"
    return f"<h2>Runs</h2>{charts.runs(runs)}{runs_table(runs)}"


def graph(drawn: str) -> str:
    """Draw the graph, which is SVG already."""
    return (
        '<h2>Which mapping needs which</h2><div class="picture" role="region" tabindex="0" '
        f'aria-label="Graph of mappings">{drawn}</div>'
    )


def _hint(text: str) -> str:
    """Write a hint, with what stands between backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    told = "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
    return f'<p class="hint">hint: {told}</p>'


def _failure(failure: Document) -> str:
    keys = escape(" ↔ ".join(filter(None, failure["keys"].values())))
    hint = f"<br>hint: {escape(failure['hint'])}" if failure["hint"] else ""
    what = f"{escape(failure['outcome'])}, {escape(failure['message'])}"
    return f"<li>{escape(failure['mapping'])} {keys}: {what}{hint}</li>"


def _place(at: str | None) -> str:
    return f' <span class="quiet">({escape(at)})</span>' if at else ""


def _field_row(told: Document, systems: Sequence[str]) -> str:
    name = " / ".join((told["left"] or "=", told["right"] or "="))
    held = "".join(_value(told["values"][system]) for system in systems)
    before = "".join(_value(told["base"][system]) for system in systems)
    what = escape(told["verdict"]) if told["moved"] else ""
    return f'<tr><th scope="row">{escape(name)}</th>{held}{before}<td>{what}</td></tr>'


def _value(value: str | None) -> str:
    return '<td class="blank">blank</td>' if value is None else f"<td>{escape(value)}</td>"
