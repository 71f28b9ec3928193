"""Verifying: what S3 holds is read back by a process that did not write it. A file that fails goes back to the database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psycopg

from cockpit.migration import ledger
from cockpit.migration.database import Connection
from cockpit.migration.ledger import FAILED_AGAIN_S, Claim
from cockpit.migration.sql_files import table_statement
from cockpit.migration.states import OPEN, PhaseName
from cockpit.migration.store_errors import Missing
from cockpit.migration.worker_context import KEPT, Work

_TAKE_BACK_ROW = table_statement("take_back_row")


class Verify:
    """The verify phase."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def batch(self, connection: Connection) -> int:
        work = self.work
        work.be_safe()
        claims = await work.ledger.claim_to_check(connection, OPEN[PhaseName.VERIFY], *work.batch(), independent=True)
        with work.holding(claims):
            found = await asyncio.gather(*(self._check(claim) for claim in claims), return_exceptions=True)
            good: list[tuple[Claim, str]] = []
            for claim, result in zip(claims, found, strict=True):
                if isinstance(result, tuple):
                    version, wrong = result
                    if wrong:
                        await self.take_back(connection, claim, PhaseName.VERIFY, wrong)
                    else:
                        good.append((claim, version))
                else:
                    await work.trouble(connection, claim, PhaseName.VERIFY, result)
            await self._verified(connection, good)
        return len(claims)

    async def _check(self, claim: Claim) -> tuple[str, str]:
        """The object's version, and what is wrong with it (empty: nothing)."""
        work = self.work
        await work.pace.wait(1, claim.size)
        try:
            head = await work.insist(lambda: work.store.head(claim.key))
        except Missing:
            return "", "the object is not in S3"
        if head.size != claim.size:
            return "", f"the object has {head.size} bytes, the file {claim.size}"
        if head.sha256 and head.sha256 != claim.sha256:
            return "", "S3 recorded another SHA-256"
        if not head.encryption:
            return "", "the object is not encrypted"
        if head.in_parts or not head.sha256 or work.chance.random() < work.settings.verify_share:
            try:
                body = await work.insist(lambda: work.store.read(claim.key))
            except Missing:
                return "", "the object is not in S3"
            if body.sha256 != claim.sha256:
                return "", "the object read back has a different SHA-256"
        return head.version, ""

    async def take_back(self, connection: Connection, claim: Claim, phase: PhaseName, wrong: str) -> None:
        """The database still has the bytes: the row forgets the key, and the file is copied again under a new one."""
        source = self.work.settings.source(claim.tbl)
        given = {
            "tbl": claim.tbl,
            "id": claim.doc_id,
            "epoch": claim.epoch,
            "key": claim.key,
            "why": wrong,
            "kept": f"; and its key cannot be taken back: {KEPT}",
            "after": FAILED_AGAIN_S,
            "most": ledger.MOST_FAILURES,
        }
        self.work.counters.errors += 1
        try:
            await connection.execute(_TAKE_BACK_ROW(source), given)
        except psycopg.Error as error:
            await self.work.trouble(connection, claim, phase, error)

    async def _verified(self, connection: Connection, good: Sequence[tuple[Claim, str]]) -> None:
        if not good:
            return
        self.work.counters.files += len(good)
        self.work.counters.bytes += sum(claim.size for claim, _ in good)
        await self.work.ledger.verified(connection, good)
