"""Many new records of a table in one request: all of them, or none (protocols A12)."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from runner.connectors.line.failures import MaybeSentError
from runner.connectors.line.http import Request
from runner.connectors.odata import language as odata
from runner.connectors.odata.rows import decoded
from runner.connectors.problems import UnreadableError, html_of
from runner.errors import SystemUnavailableError
from runner.wire import Page, Unknown, Unsent, WireQuery, WriteKind, Written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from runner.connectors.line.http import Client
    from runner.connectors.microsoft.dataverse_writer import Writer
    from runner.connectors.microsoft.definitions import Definition
    from runner.wire import Outcome, Write

WORTH_IT = 20
"""New records from which on one request for all, and another to read them, beat batches."""
MOST = 100
"""New records in one request: enough to pay, few enough to be done again one by one."""
_NOT_HERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
"""How an organisation answers for a table that takes no bulk messages."""


class _Made(msgspec.Struct):
    ids: list[str] = msgspec.field(name="Ids")


_MADE = msgspec.json.Decoder(_Made)


class Bulk:
    """Creates records by ``CreateMultiple``, under keys that we chose.

    Changes are no matter for it: none of its records can be bound to a version. ``pages`` reads
    what became of the new records, for the answer tells no more than their keys.
    """

    def __init__(
        self,
        client: Client,
        base: str,
        headers: Mapping[str, str],
        pages: Callable[[WireQuery], AsyncIterator[Page]],
    ) -> None:
        self._client, self._base, self._headers, self._pages = client, base, headers, pages
        self._refused: set[str] = set()

    def takes(self, writes: Sequence[Write], definition: Definition) -> bool:
        """Whether these are many new records of one table, as far as is known one that takes them.

        A state is none of a new record's fields: such records go one by one.
        """
        return (
            len(writes) >= WORTH_IT
            and definition.type.name not in self._refused
            and all(
                write.kind is WriteKind.CREATE
                and write.key is not None
                and write.entity == definition.type.name
                and write.returning == writes[0].returning
                and not definition.states.intersection(write.values)
                for write in writes
            )
        )

    async def created(
        self, writes: Sequence[Write], definition: Definition, writer: Writer
    ) -> Sequence[Outcome] | None:
        """Create all, and say what came of each; ``None``: nothing was done, one has to be wrong.

        Which one, the organisation does not tell reliably: they have to be written one by one.
        """
        try:
            targets = [self._target(write, definition, writer) for write in writes]
        except ValueError:
            return None
        request = Request(
            method="POST",
            url=f"{self._base}/{definition.type.name}/Microsoft.Dynamics.CRM.CreateMultiple",
            headers={**self._headers, **odata.JSON},
            about=f"{len(writes)} new {definition.type.name}",
            content=odata.encoded({"Targets": targets}),
        )
        try:
            reply = await self._client.write(request)
        except MaybeSentError as error:
            return [Unknown(message=self._client.words(str(error)))] * len(writes)
        except SystemUnavailableError as error:
            return [Unsent(why=error)] * len(writes)
        if reply.status // 100 == 2:  # noqa: PLR2004 - it is done
            if (page_told := html_of(reply.content)) is not None:
                words = self._client.words(f"HTML came where JSON was asked for: {page_told}")
                return [Unknown(message=words)] * len(writes)
            return await self._read(writes, self._keys(reply.content, writes))
        if reply.status in _NOT_HERE or reply.status == HTTPStatus.NOT_IMPLEMENTED:
            self._refused.add(definition.type.name)
            return None
        if reply.status < HTTPStatus.INTERNAL_SERVER_ERROR and (
            reply.status != HTTPStatus.REQUEST_TIMEOUT
        ):
            return None
        return [Unknown(message=self._client.words(reply.fault.words))] * len(writes)

    def _target(self, write: Write, definition: Definition, writer: Writer) -> dict[str, object]:
        return {
            "@odata.type": f"Microsoft.Dynamics.CRM.{definition.logical}",
            definition.key.property: write.key,
            **writer.body(write),
        }

    def _keys(self, content: bytes, writes: Sequence[Write]) -> list[str]:
        """Return the keys that were given: ours, and told in our order."""
        try:
            made = [key.lower() for key in decoded(content, _MADE).ids]
        except UnreadableError:
            made = []
        return made if len(made) == len(writes) else [(write.key or "").lower() for write in writes]

    async def _read(self, writes: Sequence[Write], keys: Sequence[str]) -> Sequence[Outcome]:
        """Read the new records as the system has them; without that they are made all the same."""
        query = WireQuery(entity=writes[0].entity, fields=writes[0].returning, keys=tuple(keys))
        found: dict[str, Page] = {}
        try:
            async for page in self._pages(query):
                found |= dict(zip(page.keys, _rows(page), strict=True))
        except SystemUnavailableError:
            pass
        return [Written(key=key, page=found.get(key)) for key in keys]


def _rows(page: Page) -> list[Page]:
    """Take a page apart into pages of one row."""
    return [
        replace(
            page,
            keys=[page.keys[n]],
            etags=[page.etags[n]],
            columns={name: [column[n]] for name, column in page.columns.items()},
        )
        for n in range(len(page.keys))
    ]
