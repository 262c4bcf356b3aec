"""Options of choice columns that were added, renamed or deleted by actions, and published.

What was never touched stands in the metadata; what was, in the store, under table and column.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal
from runner.sandbox.dataverse.metadata import entities
from runner.sandbox.dataverse.session import INVALID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from runner.sandbox.dataverse.metadata import Attribute, Entity
    from runner.sandbox.dataverse.session import Session
    from runner.sandbox.store import Store

ACTIONS = frozenset({"InsertOptionValue", "UpdateOptionValue", "DeleteOptionValue", "PublishXml"})
_ROWS = "#options"
_FIRST = 100_000_000
"""Where the values of a publisher without a prefix of its own begin."""


def current(
    store: Store, entity: Entity, attribute: Attribute, *, published: bool = False
) -> Attribute:
    """Return a column with the options that it has now, or as they were last published."""
    if attribute.type != "Picklist" or attribute.options is None:
        return attribute
    row = store.get(_ROWS, f"{entity.logical}.{attribute.name}")
    if row is None:
        return attribute
    told: Mapping[str, str] = row.body["published" if published else "options"]
    return replace(attribute, options={int(value): label for value, label in told.items()})


def act(session: Session, name: str) -> Response:
    """Answer one of the actions."""
    body = session.json()
    if name == "PublishXml":
        return _publish(session, str(body.get("ParameterXml", "")))
    entity = entities().get(str(body.get("EntityLogicalName")))
    column = entity.attributes.get(str(body.get("AttributeLogicalName"))) if entity else None
    if entity is None or column is None or column.type != "Picklist":
        raise Refusal(400, INVALID, "There is no such choice column.")
    options = dict(current(session.store, entity, column).options or {})
    value = body.get("Value")
    if name == "InsertOptionValue":
        value = value if value is not None else max(_FIRST - 1, *options) + 1
        if value in options:
            raise Refusal(400, INVALID, f"An option with the value {value} exists already.")
        options[value] = _label(body)
    elif value not in options:
        raise Refusal(400, INVALID, f"There is no option with the value {value}.")
    elif name == "UpdateOptionValue":
        options[value] = _label(body)
    else:
        del options[value]
    _keep(session.store, entity, column, options=options)
    if name != "InsertOptionValue":
        return session.answer(204)
    context = session.context("Microsoft.Dynamics.CRM.InsertOptionValueResponse")
    return session.answer(200, {"@odata.context": context, "NewOptionValue": value})


def _label(body: dict[str, Any]) -> str:
    told = body.get("Label")
    texts = told.get("LocalizedLabels") if isinstance(told, dict) else None
    if not texts or not texts[0].get("Label"):
        raise Refusal(400, INVALID, "The label of an option is missing.")
    return str(texts[0]["Label"])


def _keep(store: Store, entity: Entity, column: Attribute, **told: Mapping[int, str]) -> None:
    key = f"{entity.logical}.{column.name}"
    row = store.get(_ROWS, key)
    body = row.body if row else {"published": dict(column.options or {})}
    store.put(_ROWS, key, {**body, **told})


def _publish(session: Session, xml: str) -> Response:
    for row in list(session.store.rows(_ROWS)):
        if f"<entity>{row.key.partition('.')[0]}</entity>" in xml:
            session.store.put(_ROWS, row.key, {**row.body, "published": row.body["options"]})
    return session.answer(204)
