"""A plan as a comment on a change of its mappings: Markdown, no longer than a comment may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runner.plan import CHANGES, FINDINGS
from runner.views.actions import ARROWS, action_lines, fact
from runner.views.drawing import PLAIN, untied
from runner.views.text import GUARDED, allowing, incremental, interrupted, sentence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from runner.plan import Kind

Document = dict[str, Any]

LONGEST = 65_536
"""Characters of a comment on GitHub; other servers take more."""
SHOWN = 20
"""Actions of each kind that are drawn of a mapping."""

_ROOM = 200
"""Characters that are kept for saying what did not fit."""
_MORE = "… {:,} more\n"
_COUNT = 24
"""Characters that such a line takes at the most."""


def markdown(document: Document, *, longest: int = LONGEST) -> str:
    """Draw a plan: one sentence, a table of the mappings, then the actions, folded.

    What needs a person comes first. What does not fit into so many characters is counted.
    """
    title = " ".join(filter(None, (document["project"], document["environment"])))
    text = f"### sync-run plan: {_escaped(title)}\n\n{untied(sentence(document))}\n"
    if how := incremental(document):
        text += f"\n{how}\n"
    if document["interrupted"]:
        text += f"\n{interrupted(document['interrupted'])}\n"
    text, unsaid = _fitted(text, list(_guards(document["guards"])), longest - _ROOM)
    busy = [mapping for mapping in document["mappings"] if mapping["counts"]]
    rows = list(_table(busy))
    text, left = _fitted(text, rows, longest - _ROOM)
    left += unsaid
    idle = len(document["mappings"]) - len(busy)
    if idle:
        text += f"\n{idle} {'mapping' if idle == 1 else 'mappings'} without changes.\n"
    for kinds, title, attribute in ((FINDINGS, "to look at", " open"), (CHANGES, "changes", "")):
        for mapping in busy:
            fold = _fold(mapping, kinds, title, attribute, longest - _ROOM - len(text))
            left += fold is None
            text += fold or ""
    if left:
        text += "\nMore did not fit; `sync-run plan --full` shows all.\n"
    return text


def _guards(guards: Sequence[Document]) -> Iterator[str]:
    """Say what apply would stop at, and how to lift it."""
    if not guards:
        return
    command = f"```\nsync-run apply {allowing(guards)}\n```\n"
    yield f"\n**Guards: {GUARDED}.** If it is meant:\n\n{command}\n"
    for guard in guards:
        yield f"- {_escaped(guard['guard'])}: {_escaped(guard['what'])}\n"


def _table(mappings: Sequence[Document]) -> Iterator[str]:
    if not mappings:
        return
    yield "\n| mapping | | what |\n| --- | --- | --- |\n"
    for mapping in mappings:
        left, right = mapping["left"], mapping["right"]
        between = (
            f"{left['system']} {left['entity']} {ARROWS[mapping['direction']]} "
            f"{right['system']} {right['entity']}"
        )
        facts = ", ".join(fact(key, n) for key, n in mapping["counts"].items())
        cells = (mapping["mapping"], between, f"{facts}, {mapping['unchanged']} unchanged")
        yield "| " + " | ".join(map(_escaped, cells)) + " |\n"


def _fold(
    mapping: Document, kinds: Collection[Kind], title: str, attribute: str, room: int
) -> str | None:
    """Draw a mapping's actions of these kinds, as many as fit; ``None``: not one does."""
    actions = [action for action in mapping["actions"] if action["action"] in kinds]
    total = sum(n for key, n in mapping["counts"].items() if key.split()[0] in kinds)
    if not total:
        return ""
    blocks = ["\n".join(line[2:] for line in action_lines(a, PLAIN)) + "\n" for a in actions]
    # Values of records may hold backticks: the fence has more of them.
    ticks = max((len(run) for block in blocks for run in re.findall("`+", block)), default=0)
    fence = "`" * max(3, ticks + 1)
    name = f"{_escaped(mapping['mapping'])}: {total} {title}"
    before = f"\n<details{attribute}><summary>{name}</summary>\n\n{fence}\n"
    after = f"{fence}\n\n</details>\n"
    drawn, left = _fitted("", blocks, room - len(before) - len(after) - _COUNT)
    if not drawn:
        return None
    left += total - len(blocks)
    return before + drawn + (_MORE.format(left) if left else "") + after


def _fitted(text: str, pieces: Sequence[str], longest: int) -> tuple[str, int]:
    """Put on what fits; return how many pieces did not."""
    for n, piece in enumerate(pieces):
        if len(text) + len(piece) > longest:
            return text, len(pieces) - n
        text += piece
    return text, 0


def _escaped(text: str) -> str:
    """Let a name be a name: no markup, no cell of its own, nobody who is called."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|@#~])", r"\\\1", text)
