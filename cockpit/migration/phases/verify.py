"""Verifying: what S3 holds is read back by a process that did not write it. A file that fails goes back to the database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache

from psycopg import sql

from cockpit.migration.database import Connection
from cockpit.migration.ledger import Claim
from cockpit.migration.object_store import Busy, Halting, Missing, StoreError
from cockpit.migration.settings import Source
from cockpit.migration.source_tables import names
from cockpit.migration.states import OPEN, PhaseName
from cockpit.migration.worker_context import AGAIN_S, LeaseLost, Work


class Verify:
    """The verify phase."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def batch(self, connection: Connection) -> int:
        work = self.work
        work.be_safe()
        claims = await work.ledger.claim_to_check(connection, OPEN[PhaseName.VERIFY], work.batch()[0], independent=True)
        with work.holding(claims):
            found = await asyncio.gather(*(self._check(claim) for claim in claims), return_exceptions=True)
            good: list[tuple[Claim, str]] = []
            unseen: list[Claim] = []
            for claim, result in zip(claims, found, strict=True):
                if isinstance(result, tuple):
                    version, wrong = result
                    if wrong:
                        work.counters.errors += 1
                        await self.take_back(connection, claim, wrong)
                    else:
                        good.append((claim, version))
                elif isinstance(result, (Halting, Busy)):
                    unseen.append(claim)
                    await work.trouble(connection, result)
                elif not isinstance(result, LeaseLost):
                    raise result
            await self._verified(connection, good)
            await work.ledger.release(connection, unseen, after_s=AGAIN_S)
        return len(claims)

    async def _check(self, claim: Claim) -> tuple[str, str]:
        """The object's version, and what is wrong with it (empty: nothing)."""
        work = self.work
        await work.pace.wait(1, claim.size)
        try:
            head = await work.insist(lambda: work.store.head(claim.key))
        except Missing:
            return "", "the object is not in S3"
        except (Busy, Halting):
            raise
        except StoreError as error:
            return "", str(error)
        if head.size != claim.size:
            return "", f"the object has {head.size} bytes, the file {claim.size}"
        if head.sha256 and head.sha256 != claim.sha256:
            return "", "S3 recorded another SHA-256"
        if not head.encryption:
            return "", "the object is not encrypted"
        if head.in_parts or not head.sha256 or work.chance.random() < work.settings.verify_share:
            body = await work.insist(lambda: work.store.read(claim.key))
            if body.sha256 != claim.sha256:
                return "", "what was read back has another SHA-256"
        return head.version, ""

    async def take_back(self, connection: Connection, claim: Claim, wrong: str) -> None:
        """The database still has the bytes: the row forgets the key, and the file is copied again under a new one."""
        query = _take_back(self.work.settings.source(claim.tbl))
        given = {
            "tbl": claim.tbl,
            "id": claim.doc_id,
            "epoch": claim.epoch,
            "key": claim.key,
            "why": wrong,
        }
        await connection.execute(query, given)

    async def _verified(self, connection: Connection, good: Sequence[tuple[Claim, str]]) -> None:
        if not good:
            return
        self.work.counters.files += len(good)
        self.work.counters.bytes += sum(claim.size for claim, _ in good)
        await connection.execute(
            """UPDATE cutover.item i SET state = 'verified', version_id = v.version, lease_until = NULL,
                   owner = NULL, last_error = NULL, failed_in = NULL
               FROM unnest(%s::text[], %s::text[], %s::int[], %s::text[]) AS v (tbl, id, epoch, version)
               WHERE i.tbl = v.tbl AND i.doc_id = v.id AND i.epoch = v.epoch AND i.state = 'switched'""",
            (
                [c.tbl for c, _ in good],
                [c.doc_id for c, _ in good],
                [c.epoch for c, _ in good],
                [version or None for _, version in good],
            ),
        )


@cache
def _take_back(source: Source) -> sql.Composed:
    """Row and ledger in one statement.

    With its bytes the row goes back to the database. Without them there is nothing to go back to: it stands still, and somebody
    must look. A row that carries another key is the application's own.
    """
    return sql.SQL("""
        WITH mine AS (SELECT tbl, doc_id FROM cutover.item WHERE tbl = %(tbl)s AND doc_id = %(id)s AND epoch = %(epoch)s
            AND state IN ('switched', 'verified') FOR UPDATE),
        freed AS (UPDATE {table} AS d SET {key} = NULL, {bucket} = NULL, {region} = NULL FROM mine
            WHERE d.{id} = %(id)s::{type} AND d.{key} = %(key)s AND d.{data} IS NOT NULL RETURNING 1),
        stands AS (SELECT {key} = %(key)s AND {data} IS NULL AS still FROM {table}, mine WHERE {id} = %(id)s::{type}),
        left_over AS (UPDATE cutover.object SET state = 'orphan', last_intent_at = clock_timestamp()
            WHERE key = %(key)s AND EXISTS (SELECT FROM mine) AND NOT EXISTS (SELECT FROM stands WHERE still))
        UPDATE cutover.item i SET owner = NULL, lease_until = NULL, last_error = %(why)s, failed_in = 'verify',
            failures = failures + 1,
            state = CASE WHEN EXISTS (SELECT FROM freed) THEN 'diverged'
                WHEN NOT EXISTS (SELECT FROM stands) THEN 'gone'
                WHEN EXISTS (SELECT FROM stands WHERE still) THEN 'quarantined' ELSE 'skipped' END
        FROM mine m WHERE i.tbl = m.tbl AND i.doc_id = m.doc_id
    """).format(**names(source))
