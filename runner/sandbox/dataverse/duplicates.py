"""Duplicate detection: off, unless a request turns it on (protocols A15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.sandbox.answers import Refusal

if TYPE_CHECKING:
    from runner.sandbox.dataverse.metadata import Entity
    from runner.sandbox.dataverse.session import Session
    from runner.sandbox.store import Body

_HEADER = "mscrm.suppressduplicatedetection"


def must_be_none(session: Session, entity: Entity, body: Body, key: str) -> None:
    """Refuse a record that looks like another one, where the request asks for that."""
    names = session.manners.duplicates.get(entity.logical, ())
    asked = session.call.headers.get(_HEADER, "").lower() == "false"
    if not asked or not names or any(body.get(name) is None for name in names):
        return
    wanted = [_folded(body[name]) for name in names]
    for row in session.store.rows(entity.set):
        if row.key != key and [_folded(row.body.get(name)) for name in names] == wanted:
            # Microsoft documents a 500, whatever one thinks of it.
            raise Refusal(
                500,
                "0x80040333",
                "A record was not created or updated because a "
                "duplicate of the current record already exists.",
            )


def _folded(value: object) -> str:
    return str(value).strip().casefold()
