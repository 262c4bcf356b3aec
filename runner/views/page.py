"""A plan, the graph of its mappings and past runs as one page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from runner.views import charts
from runner.views.actions import ARROWS, FINDINGS, SYMBOLS, in_order
from runner.views.compact import compacted, in_script
from runner.views.graph import svg
from runner.views.history import how
from runner.views.text import GUARDED, allowing, incremental, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Document = dict[str, Any]


def page(
    plan: Document,
    actions: Iterable[tuple[str, Document]],
    graph: Document,
    runs: Sequence[Document] = (),
) -> str:
    """Write the page. ``plan`` is the plan's document, whose own actions are not looked at.

    ``actions`` are all of them, each with the name of its mapping; ``runs`` are past runs, the
    newest first.
    """
    data = compacted(plan["mappings"], actions)
    amiss = any(key.split()[0] in FINDINGS for m in plan["mappings"] for key in m["counts"])
    parts = [
        ("summary", "Summary", _guards(plan["guards"]) + summary(plan)),
        *([("amiss", "To look at", listed(open_=True))] if amiss else []),
        ("actions", "Actions", looked_for(plan) + listed()),
        ("graph", "Which mapping needs which", _graph(graph)),
        *([("runs", "Past runs", _runs(runs))] if runs else []),
    ]
    environment = f" ({plan['environment']})" if plan["environment"] else ""
    title = f"{plan['project']}{environment}"
    how = f"{escape(said)} " if (said := incremental(plan)) else ""
    head = (
        f"<h1>{escape(title)}</h1>"
        f'<p class="lead">{escape(sentence(plan))}</p>'
        f'<p class="quiet">{how}Planned {_moment(plan["created"])}; nothing was written by that. '
        "This page holds the records it is about: keep it as you keep those.</p>"
    )
    return document(title, head, parts, in_script(data))


def document(title: str, head: str, parts: Sequence[tuple[str, str, str]], data: str) -> str:
    """Put a page together: its head, then parts by id, heading and HTML; ``data`` is JSON."""
    script, style = asset("report.js"), asset("page.css")
    allowed = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            "style-src 'unsafe-inline'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    links = "".join(f'<li><a href="#{name}">{heading}</a></li>' for name, heading, _ in parts)
    sections = "".join(
        f'<section id="{name}" aria-labelledby="{name}-head">'
        f'<h2 id="{name}-head">{heading}</h2>{body}</section>'
        for name, heading, body in parts
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)} · sync-run</title><style>{style}</style></head><body>"
        '<a class="skip" href="#main">Skip to the content</a>'
        f'<header>{head}<nav aria-label="Sections"><ul>{links}</ul></nav></header>'
        f'<main id="main">{sections}</main>'
        '<footer class="quiet"><p>Made by sync-run.</p></footer>'
        f'<script type="application/json" id="data">{data}</script>'
        f"<script>{script}</script></body></html>\n"
    )


def asset(name: str) -> str:
    """Read what stands beside this module for browsers."""
    return files("runner.views").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _moment(instant: str) -> str:
    """Write an instant of ISO 8601, in UTC, for people."""
    told = f"{instant[:10]} {instant[11:16]} UTC"
    return f'<time datetime="{escape(instant)}">{escape(told)}</time>'


def _guards(found: Sequence[Document]) -> str:
    """Say at which ceilings an apply of this plan stops, and how they are lifted."""
    if not found:
        return ""
    items = "".join(
        f"<li><strong>{escape(guard['guard'])}</strong>: {escape(guard['what'])}</li>"
        for guard in found
    )
    return (
        f'<div class="said error" role="note"><p>Guards: {GUARDED}.</p><ul>{items}</ul>'
        f"<p>If it is meant: <code>sync-run apply {escape(allowing(found))}</code></p></div>"
    )


def summary(plan: Document) -> str:
    """Draw the table of what is planned by mapping; its numbers lead to the actions."""
    keys = in_order({key: 0 for mapping in plan["mappings"] for key in mapping["counts"]})
    keys.sort(key=lambda key: key not in FINDINGS)  # on a phone, these are what one sees
    heads = "".join(f'<th scope="col" class="n">{_head(key)}</th>' for key in keys)
    rows = "".join(_row(n, mapping, keys) for n, mapping in enumerate(plan["mappings"]))
    interrupted = ""
    if plan["interrupted"]:
        interrupted = (
            f"<p>An earlier run was interrupted: the outcome of {plan['interrupted']} writes is "
            "open. <code>sync-run apply</code> asks the systems about them first.</p>"
        )
    return (
        f'{interrupted}<div class="wide" role="region" aria-label="Summary table" tabindex="0">'
        '<table class="cards"><caption>What is planned in each mapping. A number leads to its '
        "actions.</caption>"
        f'<thead><tr><th scope="col">mapping</th>{heads}<th scope="col" class="n">unchanged</th>'
        f'<th scope="col" class="n">filtered</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _head(key: str) -> str:
    kind, _, system = key.partition(" ")
    where = f' <span class="ends">in {escape(system)}</span>' if system else ""
    return f"{SYMBOLS[kind][0]} {kind}{where}"


def _row(number: int, mapping: Document, keys: Sequence[str]) -> str:
    left, right = mapping["left"], mapping["right"]
    ends = f" {ARROWS[mapping['direction']]} ".join(
        f"{end['system']} {end['entity']}" for end in (left, right)
    )
    cells = "".join(_cell(number, key, mapping["counts"].get(key, 0)) for key in keys)
    filtered = sum(mapping["filtered"].values())
    name = escape(mapping["mapping"])
    link = f'<a href="#actions" data-mapping="{number}">{name}</a>' if mapping["counts"] else name
    rest = "".join(
        f'<td class="n" data-of="{word}">{_count(n)}</td>'
        for word, n in (("unchanged", mapping["unchanged"]), ("filtered", filtered))
    )
    head = f'<th scope="row">{link}<span class="ends">{escape(ends)}</span></th>'
    return f"<tr>{head}{cells}{rest}</tr>"


def _cell(number: int, key: str, n: int) -> str:
    if not n:
        return '<td class="n"></td>'
    kind, _, system = key.partition(" ")
    of_kind = list(SYMBOLS).index(kind)
    told = f"{kind} in {system}" if system else kind  # where a phone has no room for the heads
    link = f'<a href="#actions" data-mapping="{number}" data-kind="{of_kind}">{n:,}</a>'
    return f'<td class="n" data-of="{escape(told)}">{link}</td>'


def _count(n: int) -> str:
    return f"{n:,}" if n else ""


def looked_for(plan: Document) -> str:
    """Draw the form that actions are looked for with."""
    mappings = "".join(
        f'<option value="{n}">{escape(mapping["mapping"])}</option>'
        for n, mapping in enumerate(plan["mappings"])
        if mapping["counts"]
    )
    there = {key.split()[0] for mapping in plan["mappings"] for key in mapping["counts"]}
    kinds = "".join(
        f'<option value="{n}">{kind}</option>' for n, kind in enumerate(SYMBOLS) if kind in there
    )
    return (
        '<form class="ask" role="search"><label>Search keys, names, fields and values'
        '<input type="search" name="words" autocomplete="off"></label>'
        '<label>Mapping<select name="mapping"><option value="">all</option>'
        f'{mappings}</select></label><label>Kind<select name="kind"><option value="">all</option>'
        f'{kinds}</select></label><button type="reset">Show all</button></form>'
        '<p role="status" class="quiet"></p><noscript><p>Without scripts the actions are not '
        "drawn: <code>sync-run plan --full</code> lists them.</p></noscript>"
    )


def listed(*, open_: bool = False) -> str:
    """Leave room for actions, which are drawn when they are looked at; ``open_``: unfolded."""
    words = "Show more of these" if open_ else "Show more"
    return f'<div class="list"></div><button class="more" type="button" hidden>{words}</button>'


def _graph(graph: Document) -> str:
    return (
        "<p>A line leads from what is needed to what needs it; a dashed one looks references up."
        '</p><div class="picture" role="region" aria-label="Graph of mappings" tabindex="0">'
        f"{svg(graph)}</div>"
    )


def _runs(runs: Sequence[Document]) -> str:
    return f"{charts.runs(runs)}{runs_table(runs)}"


def runs_table(runs: Sequence[Document]) -> str:
    """Draw past runs, one a row."""
    heads = ("run", "command", "began", "ended", *charts.SHOWN, "exit code", "how it ended")
    numbers = {*charts.SHOWN, "run", "exit code"}
    head = "".join(
        f'<th scope="col"{" class=n" if name in numbers else ""}>{name}</th>' for name in heads
    )
    rows = "".join(_run(run) for run in runs)
    return (
        '<div class="wide" role="region" aria-label="Table of runs" tabindex="0">'
        '<table class="cards">'
        f"<caption>The last runs, the newest first; times are UTC.</caption><thead><tr>{head}</tr>"
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def _run(run: Document) -> str:
    counted = "".join(
        f'<td class="n" data-of="{name}">{_count(run["counters"].get(name, 0))}</td>'
        for name in charts.SHOWN
    )
    code = "" if run["exit_code"] is None else str(run["exit_code"])
    return (
        f'<tr><th scope="row" class="n" data-is="run">{run["run"]}</th>'
        f'<td>{escape(run["command"])}</td><td data-is="began">{second(run["started"])}</td>'
        f'<td data-is="ended">{second(run["ended"] or "never")}</td>{counted}'
        f'<td class="n" data-is="exit code">{code}</td><td>{_how(run)}</td></tr>'
    )


def second(instant: str) -> str:
    """Write an instant as people do; that it is UTC is said above."""
    return escape(instant.replace("T", " ").removesuffix("Z"))


def _how(run: Document) -> str:
    """Say how a run ended; what stopped it stands below that, as a guard's ceilings do."""
    more = [line.strip() for line in (run["message"] or "").splitlines()[1:]]
    return escape(how(run)) + "".join(f'<span class="ends">{escape(line)}</span>' for line in more)
