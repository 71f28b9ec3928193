"""Purging: bytes leave the database only by a statement that proves them identical to a verified object."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cockpit.migration.database import Connection
from cockpit.migration.ledger import Claim
from cockpit.migration.object_store import Busy, Halting, Missing, StoreError
from cockpit.migration.phases.verify import Verify
from cockpit.migration.settings import Source
from cockpit.migration.sql_files import table_statement
from cockpit.migration.states import OPEN, ItemState, PhaseName
from cockpit.migration.worker_context import AGAIN_S, LeaseLost, Work

_DROP_BYTES = table_statement("drop_bytes")
_WHY_NOT_PURGED = table_statement("why_not_purged")


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
                _DROP_BYTES(source),
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
        given = {"key": claim.key, "sha256": claim.sha256, "id": claim.doc_id}
        row = await (await connection.execute(_WHY_NOT_PURGED(source), given)).fetchone()
        if row is None:
            await ledger.close(connection, [claim], ItemState.GONE)
            return
        emptied, ours, same = row
        if not ours:
            await ledger.close(connection, [claim], ItemState.SKIPPED)
        elif emptied:
            await ledger.emptied(connection, claim)
        elif same:
            await ledger.release(connection, [claim], after_s=AGAIN_S)
        else:
            await self._verify.take_back(connection, claim, "the application changed the file after it was copied")
