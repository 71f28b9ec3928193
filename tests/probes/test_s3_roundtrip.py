"""An object there and back: only with consent, and never left behind without saying so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from moto import mock_aws
from pydantic import ValidationError
from support.aws.wire import AnsweringAws, wire, xml_refusal

from probes.aws.s3_roundtrip import RoundtripParams, S3Roundtrip
from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Reason

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
BUCKET = "transparent-trust-documents-prod"


async def read(clients: Clients, **params: Any) -> Reading:
    given = {"bucket": BUCKET, "consent": True} | params
    probe = S3Roundtrip(RoundtripParams.model_validate(given), clients)
    try:
        return await probe.read(NOW)
    finally:
        await probe.close()


# -- a bucket that keeps its word --------------------------------------------------------------------------------------


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield s3


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions(region="us-east-1", account="123456789012"))
    yield opened
    await opened.close()


async def test_without_consent_it_asks_first_and_writes_nothing(bucket: Any, clients: Clients) -> None:
    reading = await read(clients, consent=False)
    assert not reading.values
    assert all("asks first" in unknown.detail for unknown in reading.unknown.values())
    assert "Contents" not in bucket.list_objects_v2(Bucket=BUCKET)
    assert S3Roundtrip.writes


async def test_there_and_back_in_a_versioned_bucket(bucket: Any, clients: Clients) -> None:
    bucket.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    reading = await read(clients, encryption="AES256")
    assert reading.values == {
        "ok": True,
        "written": True,
        "read_back": True,
        "checksum_matches": True,
        "encrypted": True,
        "versioned": True,
        "deleted": True,
    }
    assert not reading.unknown
    assert "Contents" not in bucket.list_objects_v2(Bucket=BUCKET)
    assert "--key cutover-probe/20261123T223000-" in reading.evidence.query


async def test_a_bucket_without_versions(bucket: Any, clients: Clients) -> None:
    reading = await read(clients)
    assert (reading.values["versioned"], reading.values["written"], reading.values["deleted"]) == (False, True, True)
    assert "Versions" not in bucket.list_object_versions(Bucket=BUCKET)


async def test_a_bucket_that_is_not_there(bucket: Any, clients: Clients) -> None:
    reading = await read(clients, bucket="gone")
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.NOT_FOUND}


# -- one that does not -------------------------------------------------------------------------------------------------


class Store:
    """S3's four answers, of which a test may change some."""

    def __init__(self) -> None:
        self.aws = AnsweringAws()
        self.body = b""
        self.digest = ""
        self.aws.on = {
            "PutObject": self.put,
            "HeadObject": self.head,
            "GetObject": lambda _: (200, {"content-type": "text/plain"}, self.body),
            "DeleteObject": wire("", 204),
        }
        self.looked: dict[str, str] = {"x_amz_server_side_encryption": "AES256"}

    def put(self, asked: dict[str, Any]) -> Any:
        held = {name.lower(): value for name, value in asked["headers"].items()}
        self.digest = _text(held["x-amz-checksum-sha256"])
        return wire("", x_amz_version_id="v1")

    def head(self, _: dict[str, Any]) -> Any:
        headers: dict[str, Any] = {"x_amz_checksum_sha256": self.digest} | self.looked
        return wire("", **headers)

    def asked(self) -> list[str]:
        return [operation for operation, _ in self.aws.asked]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    made = Store()
    yield made
    await made.aws.clients.close()


async def test_what_comes_back_is_not_what_was_written(store: Store) -> None:
    store.body = b"something else"
    reading = await read(store.aws.clients)
    assert (reading.values["read_back"], reading.values["ok"]) == (False, False)
    assert (reading.values["checksum_matches"], reading.values["deleted"]) == (True, True)


async def test_another_checksum(store: Store) -> None:
    store.looked["x_amz_checksum_sha256"] = "AAAA"
    assert (await read(store.aws.clients)).values["checksum_matches"] is False


async def test_a_store_without_checksums_does_not_say(store: Store) -> None:
    store.looked["x_amz_checksum_sha256"] = ""
    assert (await read(store.aws.clients)).unknown["checksum_matches"].reason is Reason.NO_DATA


@pytest.mark.parametrize(
    ("kept", "asked", "good"), [("", "", False), ("AES256", "aws:kms", False), ("aws:kms", "", True)]
)
async def test_how_it_is_kept(store: Store, kept: str, asked: str, good: bool) -> None:
    store.looked["x_amz_server_side_encryption"] = kept
    reading = await read(store.aws.clients, encryption=asked)
    assert reading.values["encrypted"] is good
    if not good:
        assert reading.values["ok"] is False


DENIED = xml_refusal("AccessDenied", "not authorized", 403)


@pytest.mark.parametrize(
    ("said", "reason"),
    [(DENIED, Reason.ACCESS_DENIED), (xml_refusal("NoSuchBucket", status=404), Reason.NOT_FOUND)],
)
async def test_a_write_that_is_refused_leaves_all_open_and_nothing_to_delete(
    store: Store, said: Any, reason: Reason
) -> None:
    store.aws.on["PutObject"] = said
    reading = await read(store.aws.clients)
    assert not reading.values
    assert {unknown.reason for unknown in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert "s3:PutObject" in reading.unknown["written"].hint
    assert store.asked() == ["PutObject"]


async def test_a_write_without_an_answer_may_have_happened_and_is_deleted(store: Store) -> None:
    store.aws.on["PutObject"] = ReadTimeoutError(endpoint_url="https://s3")
    reading = await read(store.aws.clients)
    assert reading.unknown["written"].reason is Reason.TIMEOUT
    assert reading.unknown["ok"].reason is Reason.TIMEOUT
    assert reading.values == {"deleted": True}
    assert store.asked() == ["PutObject", "DeleteObject"]


@pytest.mark.parametrize(
    ("operation", "fields", "action"),
    [
        ("HeadObject", {"checksum_matches", "encrypted"}, "s3:GetObject"),
        ("GetObject", {"read_back"}, "s3:GetObject"),
        ("DeleteObject", {"deleted"}, "s3:DeleteObject"),
    ],
)
async def test_each_later_refusal_leaves_its_own_fields_open(
    store: Store, operation: str, fields: set[str], action: str
) -> None:
    store.aws.on[operation] = wire("", 403) if operation == "HeadObject" else DENIED
    reading = await read(store.aws.clients)
    for name in fields:
        assert reading.unknown[name].reason is Reason.ACCESS_DENIED
        assert action in reading.unknown[name].hint
    assert reading.values["written"] is True
    assert store.asked()[-1] == "DeleteObject"
    if operation == "DeleteObject":
        assert any("left behind" in line for line in reading.evidence.lines)


async def test_nobody_there(store: Store) -> None:
    for operation in store.aws.on:
        store.aws.on[operation] = EndpointConnectionError(endpoint_url="https://s3")
    reading = await read(store.aws.clients)
    assert not reading.values
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.UNREACHABLE}


def test_permissions_are_needed_under_the_prefix_only(store: Store) -> None:
    asked = S3Roundtrip(RoundtripParams(bucket=BUCKET), store.aws.clients).resources()
    assert set(asked) == {"s3:PutObject", "s3:GetObject", "s3:DeleteObject"}
    assert set(asked.values()) == {(f"arn:aws:s3:::{BUCKET}/cutover-probe/*",)}


def test_parameters_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValidationError):
        RoundtripParams.model_validate({"bucket": BUCKET, "encryption": "rot13"})
