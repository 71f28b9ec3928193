"""Purging: bytes leave the database only by a statement that proves them identical to a verified object."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from cockpit.migration.database import Connection
from cockpit.migration.ledger import Claim
from cockpit.migration.phases.verify import STALE, Verify
from cockpit.migration.settings import Source
from cockpit.migration.sql_files import table_statement
from cockpit.migration.states import OPEN, ItemState, PhaseName
from cockpit.migration.store_errors import Missing
from cockpit.migration.worker_context import Work

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
        async with work.taking(partial(self._claim, connection)) as claims:
            found = await asyncio.gather(*(self._look(claim) for claim in claims), return_exceptions=True)
            ready: dict[str, list[Claim]] = {}
            for claim, result in zip(claims, found, strict=True):
                if result == "":
                    ready.setdefault(claim.tbl, []).append(claim)
                elif isinstance(result, str):
                    await self._verify.take_back(connection, claim, PhaseName.PURGE, result)
                else:
                    await work.trouble(connection, claim, PhaseName.PURGE, result)
            for label, ours in ready.items():
                work.be_safe()
                await self._purge(connection, work.settings.source(label), ours)
        return len(claims)

    async def _claim(self, connection: Connection, *, alone: bool) -> list[Claim]:
        work = self.work
        soak_s = work.settings.soak_s
        return await work.ledger.claim_to_check(
            connection, OPEN[PhaseName.PURGE], *work.batch(), alone=alone, soak_s=soak_s
        )

    async def _look(self, claim: Claim) -> str:
        """What speaks against it now: the object must be there, the very version that was verified."""
        work = self.work
        await work.pace.wait(1, 0)
        try:
            head = await work.insist(lambda: work.store.head(claim.key))
        except Missing:
            return "the object is no longer in S3"
        if head.size != claim.size or (head.sha256 and head.sha256 != claim.sha256):
            return "the object is no longer the one that was verified"
        if claim.version_id and head.version != claim.version_id:
            return "the object was replaced after it was verified"
        return ""

    async def _purge(self, connection: Connection, source: Source, claims: Sequence[Claim]) -> None:
        work = self.work
        ids, failed = await work.apart(claims, lambda these: self._drop(connection, source, these))
        for claim, error in failed:
            await work.trouble(connection, claim, PhaseName.PURGE, error)
        purged = {claim for claim in claims if claim.doc_id in ids}
        refused = {claim for claim, _ in failed}
        purged |= {c for c in claims if c not in purged | refused and await self._unpurged(connection, source, c)}
        work.counters.files += len(purged)
        work.counters.bytes += sum(claim.size for claim in purged)

    async def _drop(self, connection: Connection, source: Source, claims: Sequence[Claim]) -> list[str]:
        given = {
            "tbl": source.label,
            "ids": [claim.doc_id for claim in claims],
            "epochs": [claim.epoch for claim in claims],
            "bucket": self.work.settings.bucket,
        }
        return [row[0] for row in await (await connection.execute(_DROP_BYTES(source), given)).fetchall()]

    async def _unpurged(self, connection: Connection, source: Source, claim: Claim) -> bool:
        """Why a row kept its bytes: it is gone, no longer ours, was locked, or has new bytes, which are copied again.

        Whether it has lost them after all.
        """
        ledger = self.work.ledger
        given = {"key": claim.key, "sha256": claim.sha256, "id": claim.doc_id}
        row = await (await connection.execute(_WHY_NOT_PURGED(source), given)).fetchone()
        if row is None:
            await ledger.close(connection, [claim], ItemState.GONE)
            return False
        emptied, ours, same = row
        if not ours:
            await ledger.close(connection, [claim], ItemState.SKIPPED)
        elif emptied:
            await ledger.emptied(connection, claim)
        elif same:

            async def drop() -> bool:
                return bool(await self._drop(connection, source, [claim]))

            return await self.work.insist_on_row(connection, source, claim, PhaseName.PURGE, drop)
        else:
            await self._verify.take_back(connection, claim, PhaseName.PURGE, STALE)
        return False
