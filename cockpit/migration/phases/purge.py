"""Purging: bytes leave the database only by a statement that proves them identical to a verified object."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache

from psycopg import sql

from cockpit.migration.database import Connection
from cockpit.migration.ledger import Claim
from cockpit.migration.object_store import Busy, Halting, Missing, StoreError
from cockpit.migration.phases.verify import Verify
from cockpit.migration.settings import Source
from cockpit.migration.source_tables import names
from cockpit.migration.states import OPEN, ItemState, PhaseName
from cockpit.migration.worker_context import AGAIN_S, LeaseLost, Work


class Purge:
    """The purge phase. After its first file a rollback of the application loses files: fix forward."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._verify = Verify(work)

    async def batch(self, connection: Connection) -> int:
        work = self.work
        work.be_safe()
        claims = await work.ledger.claim_to_check(
            connection, OPEN[PhaseName.PURGE], work.batch()[0], soak_s=work.settings.soak_s
        )
        with work.holding(claims):
            found = await asyncio.gather(*(self._look(claim) for claim in claims), return_exceptions=True)
            ready: dict[str, list[Claim]] = {}
            unseen: list[Claim] = []
            for claim, result in zip(claims, found, strict=True):
                if result == "":
                    ready.setdefault(claim.tbl, []).append(claim)
                elif isinstance(result, str):
                    work.counters.errors += 1
                    await self._verify.take_back(connection, claim, result)
                elif isinstance(result, (Halting, Busy)):
                    unseen.append(claim)
                    await work.trouble(connection, result)
                elif not isinstance(result, LeaseLost):
                    raise result
            await work.ledger.release(connection, unseen, after_s=AGAIN_S)
            for label, ours in ready.items():
                work.be_safe()
                await self._purge(connection, work.settings.source(label), ours)
        return len(claims)

    async def _look(self, claim: Claim) -> str:
        """What speaks against it now: the object must be there, the very version that was verified."""
        work = self.work
        await work.pace.wait(1, 0)
        try:
            head = await work.insist(lambda: work.store.head(claim.key))
        except Missing:
            return "the object is no longer in S3"
        except (Busy, Halting):
            raise
        except StoreError as error:
            return str(error)
        if head.size != claim.size or (head.sha256 and head.sha256 != claim.sha256):
            return "the object is no longer the one that was verified"
        if claim.version_id and head.version != claim.version_id:
            return "the object was replaced after it was verified"
        return ""

    async def _purge(self, connection: Connection, source: Source, claims: Sequence[Claim]) -> None:
        rows = await (
            await connection.execute(
                _drop_bytes(source),
                {
                    "tbl": source.label,
                    "ids": [c.doc_id for c in claims],
                    "epochs": [c.epoch for c in claims],
                    "bucket": self.work.settings.bucket,
                },
            )
        ).fetchall()
        purged = {row[0] for row in rows}
        self.work.counters.files += len(purged)
        self.work.counters.bytes += sum(c.size for c in claims if c.doc_id in purged)
        for claim in claims:
            if claim.doc_id not in purged:
                await self._unpurged(connection, source, claim)

    async def _unpurged(self, connection: Connection, source: Source, claim: Claim) -> None:
        """Why a row kept its bytes: it is gone, no longer ours, was locked, or has new bytes, which are copied again."""
        ledger = self.work.ledger
        query = sql.SQL(
            "SELECT {data} IS NULL, {key} IS NOT DISTINCT FROM %s, sha256({data}) = %s FROM {table} WHERE {id} = %s::{type}"
        ).format(**names(source))
        row = await (await connection.execute(query, (claim.key, claim.sha256, claim.doc_id))).fetchone()
        if row is None:
            await ledger.close(connection, [claim], ItemState.GONE)
            return
        emptied, ours, same = row
        if not ours:
            await ledger.close(connection, [claim], ItemState.SKIPPED)
        elif emptied:
            await connection.execute(
                """UPDATE cutover.item SET state = 'purged', lease_until = NULL, remark = 'emptied by the application'
                   WHERE tbl = %s AND doc_id = %s AND epoch = %s""",
                (claim.tbl, claim.doc_id, claim.epoch),
            )
        elif same:
            await ledger.release(connection, [claim], after_s=AGAIN_S)
        else:
            await self._verify.take_back(connection, claim, "the application changed the file after it was copied")


@cache
def _drop_bytes(source: Source) -> sql.Composed:
    return sql.SQL("""
        WITH ours AS (SELECT i.doc_id, i.key, i.sha256 FROM cutover.item i
            JOIN unnest(%(ids)s::text[], %(epochs)s::int[]) AS v (id, epoch) ON v.id = i.doc_id AND v.epoch = i.epoch
            WHERE i.tbl = %(tbl)s AND i.state = 'verified' ORDER BY i.doc_id FOR UPDATE OF i),
        free AS (SELECT {id} AS id FROM {table} WHERE {id} = ANY(%(ids)s::{type}[]) FOR NO KEY UPDATE SKIP LOCKED),
        emptied AS (UPDATE {table} AS d SET {data} = NULL FROM ours o JOIN free f ON f.id::text = o.doc_id
            WHERE d.{id} = f.id AND d.{key} = o.key AND d.{bucket} = %(bucket)s AND sha256(d.{data}) = o.sha256
            RETURNING d.{id}::text AS id)
        UPDATE cutover.item i SET state = 'purged', lease_until = NULL, owner = NULL FROM emptied e
        WHERE i.tbl = %(tbl)s AND i.doc_id = e.id RETURNING i.doc_id
    """).format(**names(source))
