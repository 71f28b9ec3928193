"""A bucket as the plan says it is: by both clients, and proven by one object before any file moves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from migration.migration_bench import BUCKET

from cockpit.migration.object_store import Store
from cockpit.migration.preflight import bucket
from cockpit.migration.preflight_check import Check
from cockpit.migration.settings import Settings, settings_from
from cockpit.migration.store_errors import Busy, Halting, of_answer, of_obstore
from cockpit.migration_scope import Storage
from cockpit.rehearsal.object_store import ObjectStore, StoreFault

KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d"
BY_KMS = Storage("aws:kms", KEY, bucket_key=True)
SENT = "x-amz-server-side-encryption"


@pytest.fixture
async def opened(store: ObjectStore) -> AsyncIterator[Store]:
    """Opened once more, the same store is as its settings say then."""
    made = Store(Settings(BUCKET, "us-east-1", "documents/", ()))
    yield made
    made.close()


async def checked(store: Store, storage: Storage) -> dict[str, Check]:
    store.settings = replace(store.settings, storage=storage)
    store.open()
    return {check.what: check async for check in bucket(store, store.settings)}


async def test_files_whole_and_in_parts_are_encrypted_alike(store: ObjectStore, opened: Store) -> None:
    check = (await checked(opened, BY_KMS))["put, read, delete"]
    assert (check.ok, KEY in check.found, "with a bucket key" in check.found) == (True, True, True)
    await opened.put("whole", b"1", "text/plain")
    upload = await opened.begin_parts("parts", "text/plain")
    await opened.finish_parts("parts", upload, [await opened.put_part("parts", upload, 1, b"1", b"")])
    for key in ("whole", "parts"):
        stored = store.buckets[BUCKET].current(key)
        assert stored is not None
        assert stored.headers[SENT] == "aws:kms"
        assert stored.headers[f"{SENT}-aws-kms-key-id"] == KEY
        assert stored.headers[f"{SENT}-bucket-key-enabled"] == "true"


async def test_where_the_bucket_decides_nothing_is_asked_for_and_what_it_does_is_looked_at(
    store: ObjectStore, opened: Store
) -> None:
    check = (await checked(opened, Storage("")))["put, read, delete"]
    assert (check.ok, check.found) == (False, "the object is not encrypted"), "this bucket has no default"


async def test_requesters_pay_by_both_clients_or_are_refused_with_what_to_write(
    store: ObjectStore, opened: Store
) -> None:
    store.requester_pays = True
    refused = (await checked(opened, Storage()))["put, read, delete"]
    assert not refused.ok
    assert "migration.storage.requester_pays" in refused.fix
    assert (await checked(opened, Storage(requester_pays=True)))["put, read, delete"].ok


async def test_what_object_lock_keeps_is_found_before_and_the_trial_hides_what_it_cannot_remove(
    store: ObjectStore, opened: Store
) -> None:
    assert (await checked(opened, Storage()))["object lock"].found == "off"
    store.locked_days = 30
    checks = await checked(opened, Storage())
    assert checks["object lock"].ok is None
    assert "30 days" in checks["object lock"].found
    assert checks["put, read, delete"].ok
    assert "kept by Object Lock" in checks["put, read, delete"].found
    assert store.buckets[BUCKET].names() == []
    store.faults.append(StoreFault("status", status=403, code="AccessDenied", method="DELETE"))
    assert (await checked(opened, Storage()))["put, read, delete"].ok is False, "another refusal is one"


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        ("User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: kms:GenerateDataKey", "kms:Decrypt"),
        ("... with an explicit deny in a service control policy", "organization"),
        ("... because no VPC endpoint policy allows the s3:PutObject action", "VPC endpoint"),
        ("... with an explicit deny in a resource-based policy", "bucket's policy"),
        ("... because no permissions boundary allows the s3:PutObject action", "boundary"),
        ("Access Denied because object protected by object lock.", "retention"),
        ("Access Denied", "s3:PutObject"),
    ],
)
def test_each_refusal_comes_with_the_cure_that_fits(words: str, cure: str) -> None:
    answer = f"<Error><Code>AccessDenied</Code><Message>{words}</Message></Error>"
    for error in (
        of_answer(403, "AccessDenied", words),
        of_obstore(Exception(f"status code: 403 Forbidden: {answer}")),
    ):
        assert isinstance(error, Halting)
        assert cure in error.hint


def test_a_key_that_is_gone_halts_and_one_that_is_asked_too_often_is_waited_for() -> None:
    assert isinstance(of_answer(400, "KMS.NotFoundException", ""), Halting)
    assert isinstance(of_answer(400, "KMS.ThrottlingException", ""), Busy)


def test_a_run_begun_by_an_earlier_version_has_the_defaults() -> None:
    settings = Settings(BUCKET, "us-east-1", "documents/", (), storage=BY_KMS)
    held = json.loads(settings.as_json())
    assert settings_from(held) == settings
    del held["storage"]
    assert settings_from(held).storage == Storage()
