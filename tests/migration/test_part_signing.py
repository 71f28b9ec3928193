"""A part is not hashed again for its signature: of a file of 300 MB that was a tenth of what a worker cost."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from migration.migration_bench import BUCKET

from cockpit.migration.object_store import Store
from cockpit.migration.settings import Settings
from cockpit.migration.store_errors import StoreError
from cockpit.migration_scope import Limits
from cockpit.rehearsal.object_store import ObjectStore

KEY, BODY = "documents/one", b"a part of a file" * 4096


async def test_a_part_is_signed_by_the_digest_it_carries_and_refused_where_its_bytes_have_another(
    store: ObjectStore,
) -> None:
    opened = Store(Settings(BUCKET, "us-east-1", "documents/", (), Limits()))
    opened.open()
    signed: list[str] = []

    def keep(request: Any, **_: Any) -> None:
        signed.append(request.headers["X-Amz-Content-SHA256"].decode())

    opened._client.meta.events.register("before-send.s3", keep)
    try:
        upload = await opened.begin_parts(KEY, "application/pdf")
        right, wrong = hashlib.sha256(BODY).digest(), hashlib.sha256(b"other").digest()
        part = await opened.put_part(KEY, upload, 1, BODY, right)
        with pytest.raises(StoreError):
            await opened.put_part(KEY, upload, 2, BODY, wrong)
        assert signed[1:] == [right.hex(), wrong.hex()], "nobody looked at the bytes again"
        await opened.finish_parts(KEY, upload, [part])
    finally:
        opened.close()
    kept = store.buckets[BUCKET].current(KEY)
    assert kept is not None
    assert kept.body == BODY
