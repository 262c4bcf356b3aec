"""The options of a choice column as records: ``accounts.paymenttermscode`` (protocols A3).

An option has a number, its key, and a label. Options belong to the definition of their table: they
are written by actions, one after the other, and are there for all once they are published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import msgspec

from runner.connectors.line.http import Request
from runner.connectors.odata import language as odata
from runner.connectors.odata import writing
from runner.connectors.odata.rows import decoded
from runner.wire import (
    EntityType,
    FieldType,
    Page,
    Rejected,
    Type,
    Unknown,
    WriteKind,
    Written,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from runner.connectors.line.http import Client, Reply
    from runner.connectors.microsoft.definitions import Definition, Definitions
    from runner.wire import Outcome, WireQuery, Write

KEY, LABEL = "value", "label"
_ENGLISH = 1033
_ACTIONS = {
    WriteKind.CREATE: "InsertOptionValue",
    WriteKind.UPDATE: "UpdateOptionValue",
    WriteKind.DELETE: "DeleteOptionValue",
}
_FIELDS = {
    KEY: FieldType(name=KEY, type=Type.INTEGER, on_update=False, required=True),
    LABEL: FieldType(name=LABEL, type=Type.TEXT, required=True),
}


class _Label(msgspec.Struct):
    text: str | None = msgspec.field(default=None, name="Label")
    language: int | None = msgspec.field(default=None, name="LanguageCode")


class _Labels(msgspec.Struct):
    mine: _Label | None = msgspec.field(default=None, name="UserLocalizedLabel")


class _Option(msgspec.Struct):
    value: int = msgspec.field(name="Value")
    labels: _Labels | None = msgspec.field(default=None, name="Label")


class _Set(msgspec.Struct):
    options: list[_Option] = msgspec.field(default_factory=list, name="Options")
    name: str | None = msgspec.field(default=None, name="Name")
    shared: bool | None = msgspec.field(default=None, name="IsGlobal")


class _Told(msgspec.Struct):
    set: _Set = msgspec.field(name="OptionSet")


_TOLD = msgspec.json.Decoder(_Told)


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice column as it is told now. ``shared`` is the name of its global set, or empty."""

    table: str
    column: str
    shared: str
    language: int
    options: Mapping[int, str]

    @property
    def place(self) -> dict[str, str]:
        """Name the column in an action."""
        if self.shared:
            return {"OptionSetName": self.shared}
        return {"EntityLogicalName": self.table, "AttributeLogicalName": self.column}

    @property
    def published(self) -> str:
        """What is to be published once an option was written."""
        if self.shared:
            inner = f"<optionsets><optionset>{escape(self.shared)}</optionset></optionsets>"
        else:
            inner = f"<entities><entity>{escape(self.table)}</entity></entities>"
        return f"<importexportxml>{inner}</importexportxml>"


class Choices:
    """Reads and writes the options of choice columns."""

    def __init__(
        self, base: str, client: Client, definitions: Definitions, headers: Mapping[str, str]
    ) -> None:
        self._base, self._client, self._headers = base, client, headers
        self._definitions = definitions

    @staticmethod
    def owns(entity: str) -> bool:
        """Whether a name is that of a choice column, and no entity set."""
        return "." in entity

    def explain(self, query: WireQuery) -> str:
        """Say how the options are asked for."""
        definition = self._definitions.known(query.entity.partition(".")[0])
        if definition is None:
            return f"GET {self._base}/EntityDefinitions"
        return f"GET {self._address(definition, query.entity.partition('.')[2])}"

    async def type(self, entity: str) -> EntityType | None:
        """Describe the options of a column; ``None`` where there is no such choice."""
        found = await self._column(entity)
        return EntityType(name=entity, key=KEY, label=LABEL, fields=_FIELDS) if found else None

    async def pages(self, query: WireQuery) -> AsyncIterator[Page]:
        """Yield the options asked for, as one page."""
        options = (await self._told(query.entity)).options.items()
        wanted = dict(query.where)
        rows = [
            (value, label)
            for value, label in options
            if (not query.keys or str(value) in query.keys)
            and all(held == wanted.get(n, held) for n, held in ((KEY, value), (LABEL, label)))
        ]
        yield _page(query.fields, rows)

    async def count(self, entity: str) -> int:
        """Count the options of a column."""
        return len((await self._told(entity)).options)

    async def write(self, write: Write) -> Outcome:
        """Write one option, and publish it."""
        choice = await self._told(write.entity)
        number = write.values.get(KEY) if write.key is None else int(write.key)
        label = write.values.get(LABEL)
        body: dict[str, Any] = {**choice.place, KEY.capitalize(): number}
        if write.kind is not WriteKind.DELETE:
            body["Label"] = _localized(str(label or ""), choice.language)
        if write.kind is WriteKind.UPDATE:
            body["MergeLabels"] = True
        if number is None:
            body.pop(KEY.capitalize())

        async def judged(reply: Reply) -> Outcome:
            return await self._judged(write, choice, reply, number, str(label or ""))

        request = self._post(_ACTIONS[write.kind], body, write.entity)
        return await writing.sent(self._client, request, judged)

    async def _judged(
        self, write: Write, choice: Choice, reply: Reply, number: Any, label: str
    ) -> Outcome:
        if reply.status // 100 != 2:  # noqa: PLR2004 - it is not done
            new = write.kind is WriteKind.CREATE
            if new:
                # It may be there since a run that was cut off before it published.
                await self._publish(choice, write.entity)
            there = number in (await self._told(write.entity)).options
            return Rejected(
                code=reply.fault.code,
                message=self._client.words(reply.fault.message or reply.fault.words),
                duplicate=new and there,
                missing=not new and not there,
            )
        if number is None:
            number = decoded(reply.content, _NEW).value
        if not isinstance(await self._publish(choice, write.entity), Written):
            return Unknown(message="the option is written, and not published yet")
        page = None if write.kind is WriteKind.DELETE else _page(write.returning, [(number, label)])
        return Written(key=str(number), page=page)

    async def _publish(self, choice: Choice, about: str) -> Outcome:
        request = self._post("PublishXml", {"ParameterXml": choice.published}, about)
        return await writing.sent(self._client, request, _published)

    def _post(self, action: str, body: dict[str, Any], about: str) -> Request:
        return Request(
            method="POST",
            url=f"{self._base}/{action}",
            headers={**self._headers, **odata.JSON},
            about=about,
            content=odata.encoded(body),
        )

    async def _told(self, entity: str) -> Choice:
        found = await self._column(entity)
        if found is None:
            raise self._client.unavailable(f"there is no choice column '{entity}'")
        definition, column = found
        request = Request(
            method="GET",
            url=self._address(definition, column),
            headers=self._headers,
            about=entity,
        )
        told = (await self._client.read(request, lambda content: decoded(content, _TOLD))).set
        mine = [o.labels.mine for o in told.options if o.labels and o.labels.mine]
        return Choice(
            table=definition.logical,
            column=column,
            shared=told.name or "" if told.shared else "",
            language=next((m.language for m in mine if m.language), _ENGLISH),
            options={
                o.value: (o.labels.mine.text or "") if o.labels and o.labels.mine else ""
                for o in told.options
            },
        )

    def _address(self, definition: Definition, column: str) -> str:
        return (
            f"{self._base}/EntityDefinitions(LogicalName='{definition.logical}')"
            f"/Attributes(LogicalName='{column}')"
            "/Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
            "?$select=LogicalName&$expand=OptionSet($select=Options,Name,IsGlobal)"
        )

    async def _column(self, entity: str) -> tuple[Definition, str] | None:
        table, _, column = entity.partition(".")
        found = await self._definitions.of([table])
        return (found[0], column) if found and column in found[0].choices else None


class _New(msgspec.Struct):
    value: int = msgspec.field(name="NewOptionValue")


_NEW = msgspec.json.Decoder(_New)


async def _published(reply: Reply) -> Outcome:
    done = reply.status // 100 == 2  # noqa: PLR2004 - done
    return Written(key="") if done else Unknown(message=reply.fault.words)


def _localized(label: str, language: int) -> dict[str, Any]:
    kind = "Microsoft.Dynamics.CRM"
    text = {"@odata.type": f"{kind}.LocalizedLabel", "Label": label, "LanguageCode": language}
    return {"@odata.type": f"{kind}.Label", "LocalizedLabels": [text]}


def _page(names: Sequence[str], rows: Sequence[tuple[int, str]]) -> Page:
    columns: dict[str, list[str | int | bool | None]] = {
        KEY: [value for value, _ in rows],
        LABEL: [label or None for _, label in rows],
    }
    return Page(
        keys=[str(value) for value, _ in rows],
        etags=[None] * len(rows),
        columns={name: columns[name] for name in names},
    )
