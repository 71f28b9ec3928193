"""Verifying: what S3 holds is read back by a process that did not write it. A file that fails goes back to the database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import psycopg

from cockpit.migration import ledger
from cockpit.migration.database import Connection
from cockpit.migration.ledger import FAILED_AGAIN_S, Claim
from cockpit.migration.settings import Settings
from cockpit.migration.sql_files import table_statement
from cockpit.migration.states import OPEN, PhaseName
from cockpit.migration.store_errors import Missing
from cockpit.migration.worker_context import KEPT, Work

STALE = "stale: the application wrote the file again after it was copied"
_STALE_ROWS = table_statement("stale_rows")
_TAKE_BACK_ROW = table_statement("take_back_row")


class Named(Protocol):
    """A file, and the object its row names."""

    @property
    def tbl(self) -> str: ...
    @property
    def doc_id(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> bytes | None: ...


async def wrong_with(work: Work, file: Named, *, read: bool) -> tuple[str, str, bool]:
    """The object's version, what is wrong with it (empty: nothing), and whether every byte was read to see that.

    What S3 has no SHA-256 of the whole for is always read.
    """
    try:
        head = await work.insist(lambda: work.store.head(file.key))
    except Missing:
        return "", "the object is not in S3", False
    if head.size != file.size:
        return "", f"the object has {head.size} bytes, the file {file.size}", False
    if head.sha256 and head.sha256 != file.sha256:
        return "", "S3 recorded another SHA-256", False
    if not head.encryption:
        return "", "the object is not encrypted", False
    if not (head.in_parts or not head.sha256 or read):
        return head.version, "", False
    try:
        body = await work.insist(lambda: work.store.read(file.key))
    except Missing:
        return "", "the object is not in S3", True
    return head.version, "" if body.sha256 == file.sha256 else "the object read back has a different SHA-256", True


async def stale_ids(connection: Connection, settings: Settings, files: Sequence[Named]) -> list[str]:
    """Those files of one table whose rows hold other bytes than their objects: the application wrote them since."""
    given = {
        "ids": [one.doc_id for one in files],
        "keys": [one.key for one in files],
        "hashes": [one.sha256 for one in files],
    }
    rows = await connection.execute(_STALE_ROWS(settings.source(files[0].tbl)), given)
    return [row[0] for row in await rows.fetchall()]


class Verify:
    """The verify phase."""

    def __init__(self, work: Work) -> None:
        self.work = work

    async def batch(self, connection: Connection) -> int:
        work = self.work
        work.be_safe()
        async with work.taking(partial(self._claim, connection)) as claims:
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
            await self._verified(connection, await self._not_stale(connection, good))
        return len(claims)

    async def _claim(self, connection: Connection, *, alone: bool) -> list[Claim]:
        work = self.work
        return await work.ledger.claim_to_check(
            connection, OPEN[PhaseName.VERIFY], *work.batch(), alone=alone, independent=True
        )

    async def _not_stale(self, connection: Connection, good: Sequence[tuple[Claim, str]]) -> list[tuple[Claim, str]]:
        """Those whose rows still hold what was copied, or nothing; the others are copied again."""
        stale: set[Claim] = set()
        for label in {claim.tbl for claim, _ in good}:
            ours = [claim for claim, _ in good if claim.tbl == label]
            ids, failed = await self.work.apart(ours, lambda these: stale_ids(connection, self.work.settings, these))
            for claim, error in failed:
                await self.work.trouble(connection, claim, PhaseName.VERIFY, error)
            for claim in (claim for claim in ours if claim.doc_id in ids):
                await self.take_back(connection, claim, PhaseName.VERIFY, STALE)
            stale |= {claim for claim, _ in failed} | {claim for claim in ours if claim.doc_id in ids}
        return [(claim, version) for claim, version in good if claim not in stale]

    async def _check(self, claim: Claim) -> tuple[str, str]:
        """The object's version, and what is wrong with it (empty: nothing)."""
        await self.work.pace.wait(1, claim.size)
        read = self.work.chance.random() < self.work.settings.verify_share
        version, wrong, _ = await wrong_with(self.work, claim, read=read)
        return version, wrong

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
