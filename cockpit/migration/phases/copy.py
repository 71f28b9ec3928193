"""Copying: claim, read, put, switch. A lane does this for a batch at a time; several lanes and several workers do it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import psycopg

from cockpit.migration.database import Connection
from cockpit.migration.ledger import Claim, Copied
from cockpit.migration.phases.upload import Burnt, Changed, Put, put_in_parts, put_whole
from cockpit.migration.settings import PART_BYTES, Source
from cockpit.migration.sql_files import table_statement
from cockpit.migration.states import ItemState, PhaseName
from cockpit.migration.store_errors import Halting, StoreError
from cockpit.migration.worker_context import LeaseLost, Work
from probes.frozen import frozen

_READ_ROWS = table_statement("read_rows")


@frozen
class _Row:
    claim: Claim
    xmin: str
    size: int
    body: bytes | None


class Copy:
    """The copy phase."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def batch(self, connection: Connection) -> int:
        work = self.work
        work.be_safe()
        async with work.taking(partial(self._claim, connection)) as claims:
            by_table: dict[str, list[Claim]] = {}
            for claim in claims:
                by_table.setdefault(claim.tbl, []).append(claim)
            for label, ours in by_table.items():
                await self._copy(connection, work.settings.source(label), ours)
        return len(claims)

    async def _claim(self, connection: Connection, *, alone: bool) -> list[Claim]:
        """As many as are allowed now (a pilot copies so many and no more)."""
        ledger = self.work.ledger
        asked, size = self.work.batch()
        if not self.work.limited:
            return await ledger.claim_to_copy(connection, asked, size, alone=alone)
        async with (
            connection.transaction()
        ):  # a run whose files are all allowed is at its end once none of them is leased
            asked = await ledger.allow(connection, 1 if alone else asked)
            claims = await ledger.claim_to_copy(connection, asked, size, alone=alone) if asked else []
            if asked > len(claims):
                await ledger.give_back(connection, asked - len(claims))
        return claims

    async def _copy(self, connection: Connection, source: Source, claims: Sequence[Claim]) -> None:
        rows, unread = await self._read(connection, source, claims)
        await self.work.pace.wait(len(rows), sum(row.size for row in rows if row.body is not None))
        seen = {row.claim.doc_id for row in rows} | {claim.doc_id for claim in unread}
        await self._closed(connection, source, [claim for claim in claims if claim.doc_id not in seen])
        small = [row for row in rows if row.body is not None]
        results = await asyncio.gather(*(self._put(row) for row in small), return_exceptions=True)
        done: list[Copied] = []
        halting: list[tuple[Claim, Halting]] = []
        for row, result in zip(small, results, strict=True):
            if isinstance(result, Put):
                done.append(_copied(row, result))
            elif isinstance(result, Halting):
                halting.append((row.claim, result))
            else:
                await self._trouble(connection, row.claim, result)
        if halting:
            await self.work.halt(connection, halting[0][1], halting[0][0].resumed)
            await self.work.ledger.replan(connection, [claim for claim, _ in halting], why=str(halting[0][1]))
        if done:
            await self._switch(connection, source, done)
        for row in rows:
            if row.body is None:
                await self._copy_large(connection, source, row)

    async def _copy_large(self, connection: Connection, source: Source, row: _Row) -> None:
        async with self.work.large:
            try:
                put = await put_in_parts(self.work, connection, source, row.claim, row.xmin, row.size)
            except (Burnt, Changed, LeaseLost, StoreError, psycopg.Error) as error:
                await self._trouble(connection, row.claim, error)
                return
            await self._switch(connection, source, [_copied(row, put)])

    async def _read(
        self, connection: Connection, source: Source, claims: Sequence[Claim]
    ) -> tuple[list[_Row], list[Claim]]:
        """The rows as they are now, with the bytes of all but the large; and the claims of those that cannot be read."""
        ours = {claim.doc_id: claim for claim in claims}

        async def read(these: Sequence[Claim]) -> list[_Row]:
            cursor = connection.cursor(binary=True, row_factory=psycopg.rows.tuple_row)
            await cursor.execute(_READ_ROWS(source), {"most": PART_BYTES, "ids": [claim.doc_id for claim in these]})
            return [
                _Row(ours[row[0]], row[1], row[2], None if row[3] is None else bytes(row[3]))
                for row in await cursor.fetchall()
            ]

        rows, failed = await self.work.apart(claims, read)
        for claim, error in failed:
            await self._trouble(connection, claim, error)
        return rows, [claim for claim, _ in failed]

    async def _put(self, row: _Row) -> Put:
        assert row.body is not None
        return await put_whole(self.work, row.claim, row.body)

    async def _switch(self, connection: Connection, source: Source, done: Sequence[Copied]) -> None:
        work = self.work
        if not work.safe():
            return  # the leases lapse, and whoever takes the files next finds them in S3
        ids, failed = await self.work.apart(done, lambda these: work.ledger.switch(connection, source, these))
        for copied, error in failed:
            await self._trouble(connection, copied.claim, error)
        refused = {copied.claim.doc_id for copied, _ in failed}
        switched = {copied.claim.doc_id: copied for copied in done if copied.claim.doc_id in ids}
        left = [c for c in done if c.claim.doc_id not in switched and c.claim.doc_id not in refused]
        await self._skipped(connection, source, left, switched)
        work.counters.files += len(switched)
        work.counters.bytes += sum(copied.size for copied in switched.values())

    async def _skipped(
        self, connection: Connection, source: Source, left: Sequence[Copied], switched: dict[str, Copied]
    ) -> None:
        """Rows that the switch left out without an error; those that can be switched after all are added to `switched`."""
        work = self.work
        if not left:
            return
        now = await work.ledger.look(connection, source, [c.claim.doc_id for c in left])
        unchanged = [c.claim for c in left if now.get(c.claim.doc_id, ("",))[0] == c.xmin]
        await self._closed(connection, source, [c.claim for c in left if c.claim not in unchanged], now)
        # Unchanged, so it is locked, or a trigger keeps it, or the lease is no longer ours (then nothing changes).
        for copied in (c for c in left if c.claim in unchanged):

            async def switch(copied: Copied = copied) -> bool:
                return bool(await work.ledger.switch(connection, source, [copied]))

            if await work.insist_on_row(connection, source, copied.claim, PhaseName.COPY, switch):
                switched[copied.claim.doc_id] = copied

    async def _closed(
        self,
        connection: Connection,
        source: Source,
        claims: Sequence[Claim],
        now: dict[str, tuple[str, bool, str | None]] | None = None,
    ) -> None:
        """Rows that can no longer be copied as claimed: gone, taken over by the application, or changed and to be read again."""
        if not claims:
            return
        ledger = self.work.ledger
        now = await ledger.look(connection, source, [c.doc_id for c in claims]) if now is None else now
        gone = [c for c in claims if c.doc_id not in now]
        taken = [c for c in claims if c.doc_id in now and (now[c.doc_id][2] is not None or not now[c.doc_id][1])]
        await ledger.close(connection, gone, ItemState.GONE)
        await ledger.close(
            connection, taken, ItemState.SKIPPED, kept=[key for _, _, key in now.values() if key is not None]
        )
        again = [c for c in claims if c not in gone and c not in taken]
        await ledger.replan(connection, again, why="the row changed while it was copied")

    async def _trouble(self, connection: Connection, claim: Claim, error: BaseException) -> None:
        """One file did not get there: whose fault it is decides what happens to it."""
        work = self.work
        if isinstance(error, Burnt):
            await work.ledger.replan(connection, [claim], new_key=True, why="its key held a different object")
        elif isinstance(error, Changed):
            await work.ledger.replan(connection, [claim], why="the row changed while it was copied")
        else:
            await work.trouble(connection, claim, PhaseName.COPY, error)


def _copied(row: _Row, put: Put) -> Copied:
    return Copied(row.claim, row.xmin, put.sha256, put.size, put.content_type, put.version, put.remark)
