"""Restoring: the way back, at any time. Objects stay where they are until they are swept."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

import psycopg

from cockpit.migration.database import Connection
from cockpit.migration.ledger import Claim
from cockpit.migration.settings import PART_BYTES, Source
from cockpit.migration.sql_files import statement, table_statement
from cockpit.migration.states import OPEN, ItemState, PhaseName
from cockpit.migration.store_errors import Halting, StoreError
from cockpit.migration.worker_context import AGAIN_S, KEPT, LeaseLost, Work

_FORGET_KEY = table_statement("forget_key")
_BRING_BACK_BYTES = table_statement("bring_back_bytes")
_IS_EMPTIED = table_statement("is_emptied")
_IS_STAGED = statement("is_staged")
_DROP_CHUNKS = statement("drop_chunks")
_ADD_CHUNK = statement("add_chunk")


class Damaged(StoreError):  # noqa: N818
    """What S3 gave back is not the file."""


class Restore:
    """The restore phase: rows that still have their bytes only forget the key; the others get them back, checked."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def batch(self, connection: Connection) -> int:
        work = self.work
        work.be_safe()
        async with work.taking(partial(self._claim, connection)) as claims:
            for number, claim in enumerate(claims):
                try:
                    await self._restore(connection, claim)
                except Halting as halting:
                    await work.halt(connection, halting, claim.resumed)
                    await work.ledger.release(connection, claims[number:])
                    break
                except LeaseLost:
                    break
                except (StoreError, psycopg.Error) as error:
                    await work.trouble(connection, claim, PhaseName.RESTORE, error)
        return len(claims)

    async def _claim(self, connection: Connection, *, alone: bool) -> list[Claim]:
        work = self.work
        return await work.ledger.claim_to_check(connection, OPEN[PhaseName.RESTORE], *work.batch(), alone=alone)

    async def _restore(self, connection: Connection, claim: Claim) -> None:
        work = self.work
        source = work.settings.source(claim.tbl)
        given = {"tbl": claim.tbl, "id": claim.doc_id, "epoch": claim.epoch, "key": claim.key}
        row = await (await connection.execute(_FORGET_KEY(source), given)).fetchone()
        if row is None:
            row = await self._without_bytes(connection, source, claim, given)
        if row is not None:
            work.counters.files += 1
            work.counters.bytes += claim.size

    async def _without_bytes(
        self, connection: Connection, source: Source, claim: Claim, given: dict[str, Any]
    ) -> object | None:
        """It did not forget its key: it has no bytes and gets them, is not ours, or is kept; the row if restored."""
        work = self.work
        found = await (await connection.execute(_IS_EMPTIED(source), {"id": claim.doc_id, "key": claim.key})).fetchone()
        if found is None:
            await work.ledger.close(connection, [claim], ItemState.SKIPPED)
            return None
        if not found[0]:
            await work.fail(connection, claim, PhaseName.RESTORE, KEPT)
            return None
        await work.pace.wait(1, claim.size)
        await self._stage(connection, claim)
        work.be_safe()
        row = await (await connection.execute(_BRING_BACK_BYTES(source), given)).fetchone()
        if row is None:
            await self._not_brought_back(connection, source, claim)
        return row

    async def _not_brought_back(self, connection: Connection, source: Source, claim: Claim) -> None:
        """Another worker's chunks were among ours, or the row has changed, and it is looked at again; or it is kept as it is."""
        found = await connection.execute(_IS_STAGED, {"tbl": claim.tbl, "id": claim.doc_id})
        again = await connection.execute(_IS_EMPTIED(source), {"id": claim.doc_id, "key": claim.key})
        row, staged = await again.fetchone(), await found.fetchone()
        if row is not None and row[0] and staged is not None and staged[0]:
            await self.work.fail(connection, claim, PhaseName.RESTORE, KEPT)
        else:
            await self.work.ledger.release(connection, [claim], after_s=AGAIN_S)

    async def _stage(self, connection: Connection, claim: Claim) -> None:
        """Fetch a file in pieces into the database, and prove the whole. Raises Damaged, and LeaseLost once it is not ours."""
        store, whole = self.work.store, hashlib.sha256()
        ours = {"tbl": claim.tbl, "id": claim.doc_id, "epoch": claim.epoch}
        await connection.execute(_DROP_CHUNKS, ours)
        starts = range(0, claim.size, PART_BYTES) if claim.size else ()
        for number, start in enumerate(starts):
            length = min(PART_BYTES, claim.size - start)

            async def fetch(start: int = start, length: int = length) -> bytes:
                return await store.fetch(claim.key, start, length, claim.size)

            piece = await self.work.insist(fetch)
            whole.update(piece)
            if not (await connection.execute(_ADD_CHUNK, ours | {"n": number, "data": piece})).rowcount:
                raise LeaseLost
        if whole.digest() != claim.sha256:
            raise Damaged("Damaged", "the object from S3 has a different SHA-256; the row keeps its key")
