"""Which record a predicate means: by its GUID or by an alternate key (protocols A9)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal, key_values
from runner.sandbox.dataverse.session import BAD, missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.sandbox.dataverse.manners import AlternateKey
    from runner.sandbox.dataverse.metadata import Attribute, Entity
    from runner.sandbox.dataverse.session import Session
    from runner.sandbox.store import Body, Row

_FORBIDDEN = frozenset("/<>*%&:\\?+")
_NUMBERS = frozenset({"Integer", "BigInt", "Picklist", "Decimal", "Money", "Double"})


@dataclass(frozen=True, slots=True)
class Place:
    """What a predicate means. ``values`` are those of an alternate key, by columns as read.

    ``key`` is blank where an alternate key finds no record.
    """

    entity: Entity
    key: str
    row: Row | None
    predicate: str
    values: Body = field(default_factory=dict)

    def missing(self) -> Refusal:
        """Say that there is no such record."""
        if not self.values:
            return missing(self.entity, self.key)
        words = "A record with the specified key values does not exist in"
        return Refusal(404, "0x80060891", f"{words} {self.entity.logical} entity")


def guid(text: str) -> str:
    """Read a GUID; lower case, no braces."""
    try:
        return str(uuid.UUID(text.strip("{}")))
    except ValueError as error:
        raise Refusal(400, BAD, f"'{text}' is not a valid GUID.") from error


def located(session: Session, entity: Entity, predicate: str) -> Place:
    """Find what a predicate means; it stands as it was sent, percent-encoded."""
    named = key_values(predicate)
    if set(named) <= {"", entity.key}:
        key = guid(next(iter(named.values()), ""))
        return Place(entity, key, session.store.get(entity.set, key), key)
    alternate = _asked(session, entity, named)
    values = {name: _value(entity.properties[name], text) for name, text in named.items()}
    if any(_FORBIDDEN & set(text) for text in named.values()):
        raise Refusal(400, BAD, f"The values of the key {alternate.name} hold forbidden letters.")
    row = next(_having(session, entity, values), None)
    return Place(entity, row.key if row else "", row, predicate, values)


def must_be_alone(session: Session, entity: Entity, body: Body, key: str) -> None:
    """Refuse a record whose alternate key another one has; blanks are not compared."""
    for alternate in _of(session, entity):
        names = [entity.attributes[name].property for name in alternate.attributes]
        values = {name: body.get(name) for name in names}
        if not alternate.active or None in values.values():
            continue
        if any(row.key != key for row in _having(session, entity, values)):
            raise Refusal(
                session.manners.duplicate_key,
                "0x80060892",
                "A record that has the attribute values "
                f"{', '.join(alternate.attributes)} already exists.",
            )


def _of(session: Session, entity: Entity) -> list[AlternateKey]:
    return [key for key in session.manners.keys if key.entity == entity.logical]


def _asked(session: Session, entity: Entity, named: Mapping[str, str]) -> AlternateKey:
    for key in _of(session, entity):
        if key.active and {entity.attributes[n].property for n in key.attributes} == set(named):
            return key
    raise Refusal(
        400,
        "0x80060890",
        "The key in the request URI is not valid for resource "
        f"'Microsoft.Dynamics.CRM.{entity.logical}'.",
    )


def _value(attribute: Attribute, text: str) -> Any:
    if attribute.targets:
        return guid(text)
    if attribute.type in _NUMBERS:
        try:
            return Decimal(text)
        except InvalidOperation as error:
            raise Refusal(400, BAD, f"'{text}' is not a valid number.") from error
    return text


def _having(session: Session, entity: Entity, values: Body) -> Iterator[Row]:
    wanted = {name: _folded(value) for name, value in values.items()}
    for row in session.store.rows(entity.set):
        if all(_folded(row.body.get(name)) == value for name, value in wanted.items()):
            yield row


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
