"""Claims, and what follows from them: every change of the ledger is one statement, so there is no moment in between."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from cockpit.migration import schema
from cockpit.migration.database import Connection
from cockpit.migration.settings import Settings, Source
from cockpit.migration.sql_files import statement, table_statement
from cockpit.migration.states import OPEN, ItemState, PhaseName
from probes.frozen import frozen

MOST_FAILURES = 5
"""After so many failures of its own a file is quarantined: somebody must look."""
MOST_ATTEMPTS = 5
"""After so many claims in a row whose end nobody reported, a file takes its workers down with it: it is quarantined."""
FAILED_AGAIN_S = 1.0
"""Until a failed file is tried again; twice as long each time."""
_CLAIM_TO_COPY = statement("claim_to_copy")
_CLAIM_TO_CHECK = statement("claim_to_check")
_GIVE_UP_DEADLY = statement("give_up_deadly")
_RENEW_LEASES = statement("renew_leases")
_RELEASE_CLAIMS = statement("release_claims")
_REPLAN_CLAIMS = statement("replan_claims")
_FAIL_CLAIM = statement("fail_claim")
_CLOSE_CLAIMS = statement("close_claims")
_REMEMBER_UPLOAD = statement("remember_upload")
_VERIFY_CLAIMS = statement("verify_claims")
_NOTE_EMPTIED_ROW = statement("note_emptied_row")
_RELEASE_WORKER = statement("release_worker")
_HALT_RUN = statement("halt_run")
_TAKE_ALLOWANCE = statement("take_allowance")
_GIVE_BACK_ALLOWANCE = statement("give_back_allowance")
_NOTE = statement("note")
_NOTE_DECISION = statement("note_decision")
_IS_DECIDED = statement("is_decided")
_MINUTES_SINCE_DECIDED = statement("minutes_since_decided")
_BEGIN_ONE_BY_ONE = statement("begin_one_by_one")
_LOOK_AT_ROWS = table_statement("look_at_rows")
_POINT_ROWS_AT_OBJECTS = table_statement("point_rows_at_objects")


@frozen
class Claim:
    """One file that is ours until its lease ends. `epoch` proves it: nobody else has this number."""

    tbl: str
    doc_id: str
    epoch: int
    key: str
    size: int
    kind: str
    name: str
    upload_id: str | None
    sha256: bytes | None
    version_id: str | None
    state: str
    resumed: int
    """How often the run had been resumed when this was claimed."""


@frozen
class Copied:
    """A file that is in S3 as read: what the switch needs to prove that nothing changed since."""

    claim: Claim
    xmin: str
    sha256: bytes
    size: int
    content_type: str
    version_id: str
    remark: str = ""


class Ledger:
    """The statements of one run, for one worker. `owner` is the worker's id; nothing here keeps state but cursors."""

    def __init__(self, settings: Settings, run: int, owner: str) -> None:
        self.settings = settings
        self.run = run
        self.owner = owner
        self._after = ("", "")

    # -- taking ------------------------------------------------------------------------------------------------------

    async def claim_to_copy(self, connection: Connection, files: int, size: int, *, alone: bool = False) -> list[Claim]:
        """Up to `files` files of about `size` bytes in all, their keys and intents written: [] when there are none now.

        `alone`: one of those that two workers have ended with; without it, none of them.
        """
        for _ in range(2):
            given = self._given(files, alone=alone) | {"bytes": size, "prefix": self.settings.prefix}
            rows = await (await connection.execute(_CLAIM_TO_COPY, given)).fetchall()
            if rows:
                self._after = (rows[-1][0], rows[-1][1])
                foreign = [Claim(*row[:-1]) for row in rows if not row[-1]]
                if foreign:
                    await self.replan(connection, foreign, new_key=True)
                return [Claim(*row[:-1]) for row in rows if row[-1]]
            if self._after == ("", ""):
                break
            self._after = ("", "")
        if alone:
            await self._give_up_deadly(connection, OPEN[PhaseName.COPY])
        return []

    async def claim_to_check(
        self,
        connection: Connection,
        states: Sequence[ItemState],
        files: int,
        size: int,
        *,
        alone: bool = False,
        soak_s: float | None = None,
        independent: bool = False,
    ) -> list[Claim]:
        """Up to `files` files of about `size` bytes in all in these states, leased without changing their state.

        `alone` as of `claim_to_copy`; `independent`: none this worker has copied.
        """
        for _ in range(2):
            given = self._given(files, alone=alone) | {
                "bytes": size,
                "states": list(states),
                "soak": soak_s,
                "not_by": self.owner if independent else "",
            }
            rows = await (await connection.execute(_CLAIM_TO_CHECK, given)).fetchall()
            if rows:
                claims = sorted((Claim(*row) for row in rows), key=lambda c: (c.tbl, c.doc_id))
                self._after = (claims[-1].tbl, claims[-1].doc_id)
                return claims
            if self._after == ("", ""):
                break
            self._after = ("", "")
        if alone:
            await self._give_up_deadly(connection, states)
        return []

    async def _give_up_deadly(self, connection: Connection, states: Sequence[ItemState]) -> None:
        """Nothing is left to claim: what no worker may take over any more is quarantined."""
        given = {"run": self.run, "states": list(states), "attempts": MOST_ATTEMPTS}
        await connection.execute(_GIVE_UP_DEADLY, given)

    def _given(self, files: int, *, alone: bool) -> dict[str, Any]:
        return {
            "alone": alone,
            "run": self.run,
            "owner": self.owner,
            "files": 1 if alone else files,
            "lease": self.settings.lease_s,
            "after_tbl": self._after[0],
            "after_id": self._after[1],
            "attempts": MOST_ATTEMPTS,
        }

    async def renew(self, connection: Connection, held: Collection[Claim]) -> None:
        """What is being worked on stays ours for another lease. What a lane has given up is left to lapse."""
        if not held:
            return
        await connection.execute(
            _RENEW_LEASES,
            _given(list(held)) | {"lease": self.settings.lease_s},
        )

    async def release(self, connection: Connection, claims: Sequence[Claim], *, after_s: float = 0.0) -> None:
        """What could not be checked now is anybody's again, in the state it is in."""
        if not claims:
            return
        await connection.execute(
            _RELEASE_CLAIMS,
            _given(claims) | {"after": after_s},
        )

    # -- copying -----------------------------------------------------------------------------------------------------

    async def switch(self, connection: Connection, source: Source, done: Sequence[Copied]) -> set[str]:
        """Point these rows at their objects, where nothing has changed since they were read; the ids that were."""
        rows = await (
            await connection.execute(
                _POINT_ROWS_AT_OBJECTS(source),
                {
                    "tbl": source.label,
                    "ids": [c.claim.doc_id for c in done],
                    "keys": [c.claim.key for c in done],
                    "epochs": [c.claim.epoch for c in done],
                    "xmins": [c.xmin for c in done],
                    "hashes": [c.sha256 for c in done],
                    "sizes": [c.size for c in done],
                    "types": [c.content_type for c in done],
                    "versions": [c.version_id or None for c in done],
                    "remarks": [c.remark or None for c in done],
                    "bucket": self.settings.bucket,
                    "region": self.settings.region,
                    "owner": self.owner,
                },
            )
        ).fetchall()
        return {row[0] for row in rows}

    async def look(
        self, connection: Connection, source: Source, ids: Sequence[str]
    ) -> dict[str, tuple[str, bool, str | None]]:
        """Rows as they are now, by id: xmin, whether there are bytes, the key. Those gone are absent."""
        rows = await (await connection.execute(_LOOK_AT_ROWS(source), {"ids": list(ids)})).fetchall()
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    async def replan(
        self,
        connection: Connection,
        claims: Sequence[Claim],
        *,
        new_key: bool = False,
        after_s: float = 0.0,
        why: str = "",
    ) -> None:
        """Back to planned, if still ours. A key that is given up stays known, as an orphan."""
        if not claims:
            return
        await connection.execute(
            _REPLAN_CLAIMS,
            _given(claims) | {"after": after_s, "fresh": new_key, "why": why},
        )

    async def fail(self, connection: Connection, claim: Claim, phase: PhaseName, why: str) -> None:
        """One failure of this file's own; after some of them it is quarantined, and its key given up."""
        await connection.execute(
            _FAIL_CLAIM,
            {
                "why": why,
                "phase": phase,
                "after": FAILED_AGAIN_S,
                "most": MOST_FAILURES,
                "tbl": claim.tbl,
                "id": claim.doc_id,
                "epoch": claim.epoch,
                "owner": self.owner,
            },
        )

    async def close(
        self, connection: Connection, claims: Sequence[Claim], state: ItemState, kept: Collection[str] = ()
    ) -> None:
        """The row is `gone`, or `skipped` because the application has its own key: our object is an orphan, if there is one.

        `kept`: keys that rows carry. Their objects stay what they are.
        """
        if not claims:
            return
        await connection.execute(
            _CLOSE_CLAIMS,
            _given(claims) | {"state": state, "kept": list(kept)},
        )

    async def remember_upload(self, connection: Connection, claim: Claim, upload_id: str | None) -> bool:
        """Write down an upload in parts before its first part; False if the file is no longer ours."""
        given = {"upload": upload_id, "tbl": claim.tbl, "id": claim.doc_id, "epoch": claim.epoch}
        cursor = await connection.execute(_REMEMBER_UPLOAD, given)
        return cursor.rowcount == 1

    async def let_go(self, connection: Connection) -> None:
        """A worker that ends by itself leaves nothing leased."""
        await connection.execute(_RELEASE_WORKER, {"owner": self.owner})

    # -- checking ----------------------------------------------------------------------------------------------------

    async def verified(self, connection: Connection, good: Sequence[tuple[Claim, str]]) -> None:
        """These objects were read back and are the files; with the version that was read."""
        versions = [version or None for _, version in good]
        await connection.execute(_VERIFY_CLAIMS, _given([claim for claim, _ in good]) | {"versions": versions})

    async def emptied(self, connection: Connection, claim: Claim) -> None:
        """The row points at the object and has no bytes, though nobody here took them."""
        await connection.execute(_NOTE_EMPTIED_ROW, {"tbl": claim.tbl, "id": claim.doc_id, "epoch": claim.epoch})

    # -- the run -----------------------------------------------------------------------------------------------------

    async def halt(self, connection: Connection, code: str, detail: str, hint: str, resumed: int) -> None:
        """Something is wrong for every file: the whole run stops, with one error.

        `resumed`: under which resumption the work was begun that found it. After another it changes nothing.
        """
        given = {"code": code, "detail": detail, "hint": hint, "run": self.run, "resumed": resumed}
        cursor = await connection.execute(_HALT_RUN, given)
        if cursor.rowcount:
            await note(connection, self.run, self.owner, "halted", f"{code}: {detail}")

    async def allow(self, connection: Connection, files: int) -> int:
        """How many more files a limited run may begin, of those asked for; they count as used."""
        cursor = await connection.execute(_TAKE_ALLOWANCE, {"run": self.run, "files": files})
        row = await cursor.fetchone()
        return files if row is None else int(row[0])

    async def give_back(self, connection: Connection, files: int) -> None:
        await connection.execute(_GIVE_BACK_ALLOWANCE, {"run": self.run, "files": files})


async def note(connection: Connection, run: int | None, who: str, kind: str, text: str) -> None:
    """One line of the migration's history."""
    await connection.execute(_NOTE, {"run": run, "who": who, "kind": kind, "text": text[:500]})


async def is_decided(connection: Connection, statement: str) -> bool:
    """Whether a run was begun by `statement`."""
    row = await (await connection.execute(_IS_DECIDED, {"statement": f"{statement}: "})).fetchone()
    return bool(row and row[0])


async def minutes_since_decided(connection: Connection) -> float | None:
    """Since a run was last begun by a statement; None where none was, or there is no ledger."""
    if not await schema.is_there(connection):
        return None
    row = await (await connection.execute(_MINUTES_SINCE_DECIDED)).fetchone()
    return row[0] if row else None


async def note_decision(connection: Connection, who: str, statement: str, text: str) -> bool:
    """The line that a run is begun by: `statement`, which tells it from all others, then the text; False if it is there.

    In a transaction: until that ends nobody else's line is looked for, so of two at once the second finds the first's.
    """
    await connection.execute(_BEGIN_ONE_BY_ONE)
    given = {"who": who, "statement": f"{statement}: ", "text": f"{statement}: {text}"[:500]}
    return bool((await connection.execute(_NOTE_DECISION, given)).rowcount)


def _given(claims: Sequence[Claim]) -> dict[str, Any]:
    return {
        "tbls": [c.tbl for c in claims],
        "ids": [c.doc_id for c in claims],
        "epochs": [c.epoch for c in claims],
        "keys": [c.key for c in claims],
    }


@frozen
class Event:
    at: datetime
    who: str
    kind: str
    text: str
