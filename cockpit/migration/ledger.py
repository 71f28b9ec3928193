"""Claims, and what follows from them: every change of the ledger is one statement, so there is no moment in between."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from psycopg import sql

from cockpit.migration.database import Connection
from cockpit.migration.object_keys import NEW_KEY
from cockpit.migration.settings import Settings, Source
from cockpit.migration.source_tables import names
from cockpit.migration.states import ItemState, PhaseName

MOST_FAILURES = 5
"""After so many failures of its own a file is quarantined: somebody must look."""
MOST_ATTEMPTS = 40
"""A file claimed this often takes its worker down with it."""
MAY_BEGIN = """EXISTS (SELECT FROM cutover.run r WHERE r.id = %(run)s AND r.wanted = 'run' AND r.halted IS NULL
    AND r.held_since IS NULL AND (NOT r.guarded OR r.guard_until > clock_timestamp()))"""
"""New files begin only while the run is wanted, nothing holds it, and somebody is judging its guards."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Copied:
    """A file that is in S3 as read: what the switch needs to prove that nothing changed since."""

    claim: Claim
    xmin: str
    sha256: bytes
    size: int
    content_type: str
    version_id: str
    remark: str = ""


_COLUMNS = "tbl, doc_id, epoch, key, size, kind, name, upload_id, sha256, version_id, state"
_CLAIM_TO_COPY = f"""
WITH picked AS (
    SELECT i.tbl, i.doc_id, i.size FROM cutover.item i WHERE {MAY_BEGIN} AND i.state IN ('planned', 'uploading', 'diverged')
        AND (i.tbl, i.doc_id) > (%(after_tbl)s, %(after_id)s)
        AND (i.state <> 'uploading' AND i.not_before <= clock_timestamp()
             OR i.state = 'uploading' AND i.lease_until < clock_timestamp())
    ORDER BY i.tbl, i.doc_id LIMIT %(files)s FOR UPDATE SKIP LOCKED),
fits AS (SELECT tbl, doc_id, sum(size) OVER (ORDER BY tbl, doc_id) - size AS before FROM picked),
taken AS (
    UPDATE cutover.item i SET state = 'uploading', owner = %(owner)s, run_id = %(run)s, epoch = i.epoch + 1,
        attempt = i.attempt + 1, lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
        key = CASE WHEN i.state = 'diverged' OR i.key IS NULL THEN {{key}} ELSE i.key END,
        upload_id = CASE WHEN i.state = 'diverged' THEN NULL ELSE i.upload_id END
    FROM fits f WHERE i.tbl = f.tbl AND i.doc_id = f.doc_id AND f.before < %(bytes)s
    RETURNING i.tbl, i.doc_id, i.epoch, i.key, i.size, i.kind, i.name, i.upload_id, i.sha256, i.version_id, i.state),
intent AS (
    INSERT INTO cutover.object AS o (key, tbl, doc_id, state)
    SELECT DISTINCT ON (key) key, tbl, doc_id, 'intent' FROM taken
    ON CONFLICT (key) DO UPDATE SET last_intent_at = clock_timestamp()
        WHERE o.tbl = excluded.tbl AND o.doc_id = excluded.doc_id AND o.state = 'intent'
    RETURNING o.key, o.tbl, o.doc_id)
SELECT {{columns}}, EXISTS (SELECT FROM intent o WHERE o.key = t.key AND o.tbl = t.tbl AND o.doc_id = t.doc_id) AS ours
FROM taken t ORDER BY tbl, doc_id
"""
_CLAIM_TO_CHECK = f"""
WITH picked AS (
    SELECT i.tbl, i.doc_id FROM cutover.item i WHERE {MAY_BEGIN} AND i.state = ANY(%(states)s)
        AND (i.tbl, i.doc_id) > (%(after_tbl)s, %(after_id)s) AND (i.lease_until IS NULL OR i.lease_until < clock_timestamp())
        AND i.not_before <= clock_timestamp() AND i.copied_by IS DISTINCT FROM %(not_by)s
        AND (%(soak)s::float8 IS NULL OR i.switched_at < clock_timestamp() - make_interval(secs => %(soak)s))
    ORDER BY i.tbl, i.doc_id LIMIT %(files)s FOR UPDATE SKIP LOCKED)
UPDATE cutover.item i SET owner = %(owner)s, run_id = %(run)s, epoch = i.epoch + 1,
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM picked p WHERE i.tbl = p.tbl AND i.doc_id = p.doc_id
RETURNING i.tbl, i.doc_id, i.epoch, i.key, i.size, i.kind, i.name, i.upload_id, i.sha256, i.version_id, i.state
"""


class Ledger:
    """The statements of one run, for one worker. `owner` is the worker's id; nothing here keeps state but cursors."""

    def __init__(self, settings: Settings, run: int, owner: str) -> None:
        self.settings = settings
        self.run = run
        self.owner = owner
        self._key = sql.SQL(NEW_KEY.replace("{prefix}", "%(prefix)s").replace("{{", "{").replace("}}", "}"))
        self._claim = sql.SQL(_CLAIM_TO_COPY).format(key=self._key, columns=sql.SQL(_COLUMNS))
        self._after = ("", "")

    # -- taking ------------------------------------------------------------------------------------------------------

    async def claim_to_copy(self, connection: Connection, files: int, size: int) -> list[Claim]:
        """Up to `files` files of about `size` bytes in all, their keys and intents written: [] when there are none now."""
        for _ in range(2):
            given = self._given(files) | {"bytes": size, "prefix": self.settings.prefix}
            rows = await (await connection.execute(self._claim, given)).fetchall()
            if rows:
                self._after = (rows[-1][0], rows[-1][1])
                foreign = [Claim(*row[:-1]) for row in rows if not row[-1]]
                if foreign:
                    await self.replan(connection, foreign, new_key=True)
                return [Claim(*row[:-1]) for row in rows if row[-1]]
            if self._after == ("", ""):
                return []
            self._after = ("", "")
        return []

    async def claim_to_check(
        self,
        connection: Connection,
        states: Sequence[ItemState],
        files: int,
        *,
        soak_s: float | None = None,
        independent: bool = False,
    ) -> list[Claim]:
        """Files in these states, leased without changing their state. `independent`: none this worker has copied."""
        for _ in range(2):
            given = self._given(files) | {
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
                return []
            self._after = ("", "")
        return []

    def _given(self, files: int) -> dict[str, Any]:
        return {
            "run": self.run,
            "owner": self.owner,
            "files": files,
            "lease": self.settings.lease_s,
            "after_tbl": self._after[0],
            "after_id": self._after[1],
        }

    async def renew(self, connection: Connection, held: Collection[Claim]) -> None:
        """What is being worked on stays ours for another lease. What a lane has given up is left to lapse."""
        if not held:
            return
        # A row somebody has locked is being finished by one of our lanes: to wait for it is to wait for each other.
        await connection.execute(
            """WITH ours AS (SELECT i.tbl, i.doc_id FROM cutover.item i
                JOIN unnest(%(tbls)s::text[], %(ids)s::text[], %(epochs)s::int[]) AS g (tbl, id, epoch)
                ON i.tbl = g.tbl AND i.doc_id = g.id AND i.epoch = g.epoch
                WHERE i.lease_until > clock_timestamp() FOR UPDATE OF i SKIP LOCKED)
               UPDATE cutover.item i SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
               FROM ours o WHERE i.tbl = o.tbl AND i.doc_id = o.doc_id""",
            _given(list(held)) | {"lease": self.settings.lease_s},
        )

    async def release(self, connection: Connection, claims: Sequence[Claim], *, after_s: float = 0.0) -> None:
        """What could not be checked now is anybody's again, in the state it is in."""
        if not claims:
            return
        await connection.execute(
            """UPDATE cutover.item i SET owner = NULL, lease_until = NULL,
                   not_before = clock_timestamp() + make_interval(secs => %(after)s)
               FROM unnest(%(tbls)s::text[], %(ids)s::text[], %(epochs)s::int[]) AS g (tbl, id, epoch)
               WHERE i.tbl = g.tbl AND i.doc_id = g.id AND i.epoch = g.epoch""",
            _given(claims) | {"after": after_s},
        )

    # -- copying -----------------------------------------------------------------------------------------------------

    async def switch(self, connection: Connection, source: Source, done: Sequence[Copied]) -> set[str]:
        """Point these rows at their objects, where nothing has changed since they were read; the ids that were."""
        rows = await (
            await connection.execute(
                _switch(source),
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
        query = sql.SQL(
            "SELECT {id}::text, xmin::text, {data} IS NOT NULL, {key} FROM {table} WHERE {id} = ANY(%s::{type}[])"
        ).format(**names(source))
        rows = await (await connection.execute(query, (list(ids),))).fetchall()
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
            """WITH given AS (SELECT * FROM unnest(%(tbls)s::text[], %(ids)s::text[], %(epochs)s::int[], %(keys)s::text[])
                    AS g (tbl, id, epoch, key)),
               back AS (UPDATE cutover.item i SET state = 'planned', owner = NULL, lease_until = NULL,
                    not_before = clock_timestamp() + make_interval(secs => %(after)s),
                    upload_id = CASE WHEN %(fresh)s THEN NULL ELSE i.upload_id END,
                    key = CASE WHEN %(fresh)s THEN NULL ELSE i.key END, last_error = coalesce(nullif(%(why)s, ''), i.last_error)
                FROM given g WHERE i.tbl = g.tbl AND i.doc_id = g.id AND i.epoch = g.epoch AND i.state = 'uploading'
                RETURNING i.tbl, i.doc_id, g.key)
               UPDATE cutover.object o SET state = 'orphan', last_intent_at = clock_timestamp() FROM back b
               WHERE %(fresh)s AND o.key = b.key AND o.tbl = b.tbl AND o.doc_id = b.doc_id AND o.state = 'intent'""",
            _given(claims) | {"after": after_s, "fresh": new_key, "why": why},
        )

    async def fail(self, connection: Connection, claim: Claim, phase: PhaseName, why: str, *, after_s: float) -> None:
        """One failure of this file's own; after some of them it is quarantined, and its key given up."""
        await connection.execute(
            """WITH failed AS (UPDATE cutover.item SET failures = failures + 1, last_error = %(why)s, failed_in = %(phase)s,
                   owner = NULL, lease_until = NULL,
                   not_before = clock_timestamp() + make_interval(secs => %(after)s),
                   state = CASE WHEN failures + 1 >= %(most)s OR attempt >= %(attempts)s THEN 'quarantined'
                       WHEN state = 'uploading' THEN 'planned' ELSE state END
               WHERE tbl = %(tbl)s AND doc_id = %(id)s AND epoch = %(epoch)s AND owner = %(owner)s RETURNING state, key)
               UPDATE cutover.object o SET state = 'orphan', last_intent_at = clock_timestamp() FROM failed f
               WHERE f.state = 'quarantined' AND o.key = f.key AND o.state = 'intent'""",
            {
                "why": why,
                "phase": phase,
                "after": after_s,
                "most": MOST_FAILURES,
                "attempts": MOST_ATTEMPTS,
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
            """WITH given AS (SELECT * FROM unnest(%(tbls)s::text[], %(ids)s::text[], %(epochs)s::int[]) AS g (tbl, id, epoch)),
               shut AS (UPDATE cutover.item i SET state = %(state)s, owner = NULL, lease_until = NULL
                FROM given g WHERE i.tbl = g.tbl AND i.doc_id = g.id AND i.epoch = g.epoch RETURNING i.key)
               UPDATE cutover.object o SET state = 'orphan', last_intent_at = clock_timestamp() FROM shut s
               WHERE o.key = s.key AND o.state IN ('intent', 'live') AND o.key <> ALL(%(kept)s)""",
            _given(claims) | {"state": state, "kept": list(kept)},
        )

    async def remember_upload(self, connection: Connection, claim: Claim, upload_id: str | None) -> bool:
        """Write down an upload in parts before its first part; False if the file is no longer ours."""
        cursor = await connection.execute(
            "UPDATE cutover.item SET upload_id = %s WHERE tbl = %s AND doc_id = %s AND epoch = %s AND state = 'uploading'",
            (upload_id, claim.tbl, claim.doc_id, claim.epoch),
        )
        return cursor.rowcount == 1

    async def let_go(self, connection: Connection) -> None:
        """A worker that ends by itself leaves nothing leased."""
        await connection.execute(
            """UPDATE cutover.item SET owner = NULL, lease_until = NULL,
               state = CASE WHEN state = 'uploading' THEN 'planned' ELSE state END
               WHERE owner = %s AND lease_until IS NOT NULL""",
            (self.owner,),
        )

    # -- the run -----------------------------------------------------------------------------------------------------

    async def halt(self, connection: Connection, code: str, detail: str, hint: str) -> None:
        """Something is wrong for every file: the whole run stops, with one error."""
        cursor = await connection.execute(
            """UPDATE cutover.run SET halted = jsonb_build_object('code', %s::text, 'detail', %s::text, 'hint', %s::text,
               'at', clock_timestamp()) WHERE id = %s AND halted IS NULL""",
            (code, detail, hint, self.run),
        )
        if cursor.rowcount:
            await note(connection, self.run, self.owner, "halted", f"{code}: {detail}")

    async def allow(self, connection: Connection, files: int) -> int:
        """How many more files a limited run may begin, of those asked for; they count as used."""
        row = await (
            await connection.execute(
                """WITH was AS (SELECT allowance FROM cutover.run WHERE id = %(run)s FOR UPDATE)
                   UPDATE cutover.run r SET allowance = greatest(w.allowance - %(n)s, 0) FROM was w
                   WHERE r.id = %(run)s AND w.allowance IS NOT NULL RETURNING least(w.allowance, %(n)s)""",
                {"run": self.run, "n": files},
            )
        ).fetchone()
        return files if row is None else int(row[0])

    async def give_back(self, connection: Connection, files: int) -> None:
        await connection.execute(
            "UPDATE cutover.run SET allowance = allowance + %s WHERE id = %s AND allowance IS NOT NULL",
            (files, self.run),
        )


async def note(connection: Connection, run: int | None, who: str, kind: str, text: str) -> None:
    """One line of the migration's history."""
    await connection.execute(
        "INSERT INTO cutover.event (run_id, who, kind, text) VALUES (%s, %s, %s, %s)", (run, who, kind, text[:500])
    )


@cache
def _switch(source: Source) -> sql.Composed:
    return sql.SQL("""
        WITH v AS (SELECT * FROM unnest(%(ids)s::text[], %(keys)s::text[], %(epochs)s::int[], %(xmins)s::xid[],
                %(hashes)s::bytea[], %(sizes)s::bigint[], %(types)s::text[], %(versions)s::text[], %(remarks)s::text[])
                AS v (id, key, epoch, x, hash, size, type, version, remark)),
        ours AS (SELECT i.doc_id FROM cutover.item i JOIN v ON v.id = i.doc_id AND v.epoch = i.epoch AND v.key = i.key
            WHERE i.tbl = %(tbl)s AND i.state = 'uploading' ORDER BY i.doc_id FOR UPDATE OF i),
        free AS (SELECT {id} AS id FROM {table} WHERE {id} = ANY(%(ids)s::{type}[]) FOR NO KEY UPDATE SKIP LOCKED),
        pointed AS (UPDATE {table} AS d SET {key} = v.key, {bucket} = %(bucket)s, {region} = %(region)s
            FROM v JOIN ours o ON o.doc_id = v.id JOIN free f ON f.id::text = v.id
            WHERE d.{id} = f.id AND d.xmin = v.x AND d.{key} IS NULL AND d.{data} IS NOT NULL RETURNING d.{id}::text AS id),
        live AS (UPDATE cutover.object o SET state = 'live', sha256 = v.hash, version_id = v.version
            FROM v JOIN pointed p ON p.id = v.id WHERE o.key = v.key)
        UPDATE cutover.item i SET state = 'switched', sha256 = v.hash, size = v.size, content_type = v.type,
            version_id = v.version, remark = coalesce(v.remark, i.remark), switched_at = clock_timestamp(), copied_by = %(owner)s,
            lease_until = NULL, upload_id = NULL, failures = 0, last_error = NULL, failed_in = NULL
        FROM v JOIN pointed p ON p.id = v.id WHERE i.tbl = %(tbl)s AND i.doc_id = v.id
        RETURNING i.doc_id
    """).format(**names(source))


def _given(claims: Sequence[Claim]) -> dict[str, Any]:
    return {
        "tbls": [c.tbl for c in claims],
        "ids": [c.doc_id for c in claims],
        "epochs": [c.epoch for c in claims],
        "keys": [c.key for c in claims],
    }


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    who: str
    kind: str
    text: str
