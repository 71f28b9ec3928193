"""Restoring: the way back, at any time. Objects stay where they are until they are swept."""

from __future__ import annotations

import hashlib
from functools import cache

from psycopg import sql

from cockpit.migration.database import Connection
from cockpit.migration.ledger import Claim
from cockpit.migration.object_store import Busy, Halting, StoreError
from cockpit.migration.settings import PART_BYTES, Source
from cockpit.migration.source_tables import names
from cockpit.migration.states import OPEN, ItemState, PhaseName
from cockpit.migration.worker_context import AGAIN_S, LeaseLost, Work


class Damaged(StoreError):  # noqa: N818
    """What S3 gave back is not the file."""


class Restore:
    """The restore phase: rows that still have their bytes only forget the key; the others get them back, checked."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def batch(self, connection: Connection) -> int:
        work = self.work
        work.be_safe()
        claims = await work.ledger.claim_to_check(connection, OPEN[PhaseName.RESTORE], work.batch()[0])
        with work.holding(claims):
            for number, claim in enumerate(claims):
                try:
                    await self._restore(connection, claim)
                except Halting as halting:
                    await work.halt(connection, halting)
                    await work.ledger.release(connection, claims[number:])
                    break
                except Busy:
                    await work.ledger.release(connection, [claim], after_s=AGAIN_S)
                except LeaseLost:
                    break
                except StoreError as error:
                    work.counters.errors += 1
                    await work.ledger.fail(connection, claim, PhaseName.RESTORE, str(error), after_s=5.0)
        return len(claims)

    async def _restore(self, connection: Connection, claim: Claim) -> None:
        work = self.work
        source = work.settings.source(claim.tbl)
        given = {"tbl": claim.tbl, "id": claim.doc_id, "epoch": claim.epoch, "key": claim.key}
        row = await (await connection.execute(_forget_key(source), given)).fetchone()
        if row is None and not await self._emptied(connection, source, claim):
            await work.ledger.close(connection, [claim], ItemState.SKIPPED)
            return
        if row is None:
            await work.pace.wait(1, claim.size)
            await self._stage(connection, claim)
            work.be_safe()
            row = await (await connection.execute(_bring_back(source), given)).fetchone()
        if row is not None:
            work.counters.files += 1
            work.counters.bytes += claim.size

    async def _emptied(self, connection: Connection, source: Source, claim: Claim) -> bool:
        query = sql.SQL("SELECT 1 FROM {table} WHERE {id} = %s::{type} AND {key} = %s AND {data} IS NULL")
        found = await connection.execute(query.format(**names(source)), (claim.doc_id, claim.key))
        return await found.fetchone() is not None

    async def _stage(self, connection: Connection, claim: Claim) -> None:
        """Fetch a file in pieces into the database, and prove the whole. Raises Damaged."""
        store, whole = self.work.store, hashlib.sha256()
        await connection.execute("DELETE FROM cutover.chunk WHERE tbl = %s AND doc_id = %s", (claim.tbl, claim.doc_id))
        starts = range(0, claim.size, PART_BYTES) if claim.size else ()
        for number, start in enumerate(starts):
            length = min(PART_BYTES, claim.size - start)

            async def fetch(start: int = start, length: int = length) -> bytes:
                return await store.fetch(claim.key, start, length, claim.size)

            piece = await self.work.insist(fetch)
            whole.update(piece)
            await connection.execute(
                "INSERT INTO cutover.chunk (tbl, doc_id, n, data) VALUES (%s, %s, %s, %b)",
                (claim.tbl, claim.doc_id, number, piece),
            )
        if whole.digest() != claim.sha256:
            raise Damaged("Damaged", "what S3 gave back has another SHA-256; the row keeps its key")


@cache
def _forget_key(source: Source) -> sql.Composed:
    return sql.SQL("""
        WITH mine AS (SELECT doc_id FROM cutover.item WHERE tbl = %(tbl)s AND doc_id = %(id)s AND epoch = %(epoch)s FOR UPDATE),
        freed AS (UPDATE {table} AS d SET {key} = NULL, {bucket} = NULL, {region} = NULL FROM mine
            WHERE d.{id} = %(id)s::{type} AND d.{key} = %(key)s AND d.{data} IS NOT NULL RETURNING 1),
        spare AS (UPDATE cutover.object SET state = 'orphan', last_intent_at = clock_timestamp()
            WHERE key = %(key)s AND EXISTS (SELECT FROM freed))
        UPDATE cutover.item SET state = 'restored', lease_until = NULL, owner = NULL, last_error = NULL, failed_in = NULL
        WHERE tbl = %(tbl)s AND doc_id = %(id)s AND EXISTS (SELECT FROM freed) RETURNING doc_id
    """).format(**names(source))


@cache
def _bring_back(source: Source) -> sql.Composed:
    return sql.SQL("""
        WITH mine AS (SELECT doc_id FROM cutover.item WHERE tbl = %(tbl)s AND doc_id = %(id)s AND epoch = %(epoch)s FOR UPDATE),
        bytes AS (SELECT coalesce(string_agg(data, ''::bytea ORDER BY n), ''::bytea) AS whole FROM cutover.chunk
            WHERE tbl = %(tbl)s AND doc_id = %(id)s),
        back AS (UPDATE {table} AS d SET {data} = b.whole, {key} = NULL, {bucket} = NULL, {region} = NULL
            FROM mine, bytes b WHERE d.{id} = %(id)s::{type} AND d.{key} = %(key)s AND d.{data} IS NULL RETURNING 1),
        spare AS (UPDATE cutover.object SET state = 'orphan', last_intent_at = clock_timestamp()
            WHERE key = %(key)s AND EXISTS (SELECT FROM back)),
        unstaged AS (DELETE FROM cutover.chunk WHERE tbl = %(tbl)s AND doc_id = %(id)s AND EXISTS (SELECT FROM back))
        UPDATE cutover.item SET state = 'restored', lease_until = NULL, owner = NULL, last_error = NULL, failed_in = NULL
        WHERE tbl = %(tbl)s AND doc_id = %(id)s AND EXISTS (SELECT FROM back) RETURNING doc_id
    """).format(**names(source))
