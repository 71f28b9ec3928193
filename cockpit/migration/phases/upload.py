"""One file into S3: whole, or in parts that a restart goes on with. A key that is taken is read back and adopted, or given up."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import psycopg

from cockpit.migration.database import Connection
from cockpit.migration.ledger import Claim
from cockpit.migration.object_keys import content_type
from cockpit.migration.object_store import Body
from cockpit.migration.settings import PART_BYTES, Source
from cockpit.migration.sql_files import statement, table_statement
from cockpit.migration.store_errors import Exists, Missing
from cockpit.migration.worker_context import Work
from cockpit.migration_scope import MIB
from probes.clients.threads import in_thread
from probes.frozen import frozen

IN_THREAD = 2 * MIB
SLICE_BYTES = 2 * MIB
"""Of one row at a time: the server keeps the memory for these (see `keep_memory`), and not for values of a whole part."""
_KEEP_MEMORY = statement("keep_memory")
_READ_PART = table_statement("read_part")


class Burnt(Exception):  # noqa: N818
    """The key holds something else: the file needs a new one."""


class Changed(Exception):  # noqa: N818
    """The row changed while it was read."""


@frozen
class Put:
    sha256: bytes
    size: int
    content_type: str
    version: str
    remark: str


async def digest(body: bytes) -> bytes:
    """SHA-256; of much, in a thread."""
    if len(body) < IN_THREAD:
        return hashlib.sha256(body).digest()
    return await in_thread(lambda: hashlib.sha256(body).digest())


async def put_whole(work: Work, claim: Claim, body: bytes) -> Put:
    """Store a file of one request. Raises Burnt, and the store's errors."""
    kind, known = content_type(claim.kind, claim.name, body[:16])
    sha = await digest(body)
    try:
        version = await work.insist(lambda: work.store.put(claim.key, body, kind))
        work.counters.uploads += 1
    except Exists:
        version = await adopt(work, claim, sha, len(body), kind)
    return Put(sha, len(body), kind, version, "" if known else f"unknown file type '{claim.kind}': stored as {kind}")


async def adopt(work: Work, claim: Claim, sha: bytes, size: int, kind: str) -> str:
    """Something is under our key already: if it is this very file, it is ours and need not be sent again; its version."""
    there: Body = await work.insist(lambda: work.store.read(claim.key))
    if there.sha256 != sha or there.size != size or there.content_type != kind:
        raise Burnt
    work.counters.adopted += 1
    return there.version


async def put_in_parts(work: Work, connection: Connection, source: Source, claim: Claim, xmin: str, size: int) -> Put:
    """Store a large file, read and sent part by part. Raises Burnt, Changed, and the store's errors."""
    if connection not in work.roomy:
        await connection.execute(_KEEP_MEMORY)
        work.roomy.add(connection)
    head = await read_part(connection, source, claim, xmin, 0, 16)
    kind, known = content_type(claim.kind, claim.name, head)
    upload = claim.upload_id
    there: dict[int, dict[str, Any]] = {}
    if upload is not None:
        try:
            there = await work.insist(lambda: work.store.parts(claim.key, str(upload)))
        except Missing:
            upload = None
    if upload is None:
        upload = await work.insist(lambda: work.store.begin_parts(claim.key, kind))
        if not await work.ledger.remember_upload(connection, claim, upload):
            await work.store.abort_parts(claim.key, upload)
            raise Changed
    sha, parts = await _send_parts(work, connection, source, claim, xmin, size, upload, there)
    try:
        version = await work.insist(lambda: work.store.finish_parts(claim.key, str(upload), parts))
        work.counters.uploads += 1
    except Exists:
        await work.store.abort_parts(claim.key, upload)
        version = await adopt(work, claim, sha, size, kind)
    except Missing:
        # Finished by an earlier request whose answer was lost, or aborted by the bucket's lifecycle.
        version = await adopt_or_forget(work, connection, claim, sha, size, kind)
    return Put(sha, size, kind, version, "" if known else f"unknown file type '{claim.kind}': stored as {kind}")


async def adopt_or_forget(work: Work, connection: Connection, claim: Claim, sha: bytes, size: int, kind: str) -> str:
    try:
        return await adopt(work, claim, sha, size, kind)
    except Missing:
        await work.ledger.remember_upload(connection, claim, None)
        raise Changed from None


async def _send_parts(
    work: Work,
    connection: Connection,
    source: Source,
    claim: Claim,
    xmin: str,
    size: int,
    upload: str,
    there: dict[int, dict[str, Any]],
) -> tuple[bytes, list[dict[str, Any]]]:
    """Read part by part; send those that are not there, one while the next is read."""
    whole, sent = hashlib.sha256(), []
    sending: asyncio.Task[dict[str, Any]] | None = None
    try:
        for number, start in enumerate(range(0, size, PART_BYTES), 1):
            body = await read_part(connection, source, claim, xmin, start, min(PART_BYTES, size - start))
            own = await digest(body)
            await in_thread(whole.update, body)
            if sending is not None:
                sent.append(await sending)
                sending = None
            held = there.get(number)
            if held is not None and held.get("ChecksumSHA256") == _base64(own):
                sent.append({"PartNumber": number, "ETag": held["ETag"], "ChecksumSHA256": held["ChecksumSHA256"]})
                continue
            sending = asyncio.ensure_future(_send(work, claim.key, upload, number, body, own))
        if sending is not None:
            sent.append(await sending)
            sending = None
    finally:
        if sending is not None:
            sending.cancel()
            await asyncio.wait({sending})
    return whole.digest(), sent


async def _send(work: Work, key: str, upload: str, number: int, body: bytes, sha: bytes) -> dict[str, Any]:
    await work.pace.wait(0, len(body))
    return await work.insist(lambda: work.store.put_part(key, upload, number, body, sha))


def _base64(digest_: bytes) -> str:
    import base64

    return base64.b64encode(digest_).decode()


async def read_part(connection: Connection, source: Source, claim: Claim, xmin: str, start: int, length: int) -> bytes:
    """A stretch of a file, if its row is still the one that was read at first. Raises Changed."""
    ends = start + length
    slices = range(start, ends, SLICE_BYTES)
    return b"".join(
        [await _read_slice(connection, source, claim, xmin, at, min(SLICE_BYTES, ends - at)) for at in slices]
    )


async def _read_slice(
    connection: Connection, source: Source, claim: Claim, xmin: str, start: int, length: int
) -> bytes:
    given = {"start": start + 1, "length": length, "id": claim.doc_id, "xmin": xmin}
    cursor = connection.cursor(binary=True, row_factory=psycopg.rows.tuple_row)
    row = await (await cursor.execute(_READ_PART(source), given)).fetchone()
    if row is None:
        raise Changed
    return bytes(row[0])
