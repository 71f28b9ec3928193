"""A bucket's settings: having none is an answer, not being allowed to ask is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws
from support.aws.wire import REQUEST_ID, AnsweringAws, wire, xml_refusal

from probes.aws.s3_bucket import BucketParams, S3Bucket
from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Reason

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
BUCKET = "transparent-trust-documents-prod"
LIFECYCLE = ("has_lifecycle", "archive_after_days", "archive_class", "expires", "abort_multipart_days")
ABORT = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>"


def moves(days: int = 90, kind: str = "STANDARD_IA", key: str = "Days") -> str:
    when = f"<Days>{days}</Days>" if key == "Days" else "<Date>2027-01-01T00:00:00Z</Date>"
    return f"<Transition>{when}<StorageClass>{kind}</StorageClass></Transition>"


def rules(*inside: str, status: str = "Enabled", scope: str = "<Filter/>") -> Any:
    body = "".join(f"<Rule><ID>r</ID>{scope}<Status>{status}</Status>{part}</Rule>" for part in inside)
    return wire(f"<LifecycleConfiguration>{body}</LifecycleConfiguration>")


def versioning(status: str) -> Any:
    return wire(f"<VersioningConfiguration>{status and f'<Status>{status}</Status>'}</VersioningConfiguration>")


def encryption(algorithm: str) -> Any:
    default = f"<ApplyServerSideEncryptionByDefault><SSEAlgorithm>{algorithm}</SSEAlgorithm></ApplyServerSideEncryptionByDefault>"
    return wire(f"<ServerSideEncryptionConfiguration><Rule>{default}</Rule></ServerSideEncryptionConfiguration>")


def access(*flags: str) -> Any:
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    body = "".join(f"<{name}>{flag}</{name}>" for name, flag in zip(names, flags, strict=False))
    return wire(f"<PublicAccessBlockConfiguration>{body}</PublicAccessBlockConfiguration>")


@pytest.fixture
async def aws() -> AsyncIterator[AnsweringAws]:
    answering = AnsweringAws()
    answering.on = {
        "HeadBucket": wire("", x_amz_bucket_region="us-east-1"),
        "GetBucketVersioning": versioning("Enabled"),
        "GetBucketEncryption": encryption("AES256"),
        "GetBucketLifecycleConfiguration": rules(moves() + ABORT),
        "GetPublicAccessBlock": access("true", "true", "true", "true"),
    }
    yield answering
    await answering.clients.close()


async def read(aws: AnsweringAws, **on: Any) -> Reading:
    aws.on |= on
    return await S3Bucket(BucketParams(bucket=BUCKET), aws.clients).read(NOW)


async def test_a_bucket_as_it_should_be(aws: AnsweringAws) -> None:
    reading = await read(aws)
    assert reading.values == {
        "exists": True,
        "region": "us-east-1",
        "in_region": True,
        "versioning": "Enabled",
        "versioned": True,
        "encryption": "AES256",
        "encrypted": True,
        "public_access_blocked": True,
        "has_lifecycle": True,
        "archive_after_days": 90,
        "archive_class": "STANDARD_IA",
        "expires": False,
        "abort_multipart_days": 7,
    }
    assert not reading.unknown
    assert BUCKET in reading.evidence.console_url
    assert reading.evidence.request_id == REQUEST_ID
    assert reading.evidence.lines == (
        "rule r Enabled: whole bucket: STANDARD_IA after 90, AbortIncompleteMultipartUpload",
    )


async def test_every_question_names_the_owner_we_expect(aws: AnsweringAws) -> None:
    await read(aws)
    owners = {asked["headers"].get("x-amz-expected-bucket-owner") for _, asked in aws.asked}
    assert {str(owner.decode() if isinstance(owner, bytes) else owner) for owner in owners} == {"123456789012"}


@pytest.mark.parametrize(("status", "said"), [("Suspended", "Suspended"), ("", "Off")])
async def test_suspended_or_never_enabled_is_not_versioned(aws: AnsweringAws, status: str, said: str) -> None:
    values = (await read(aws, GetBucketVersioning=versioning(status))).values
    assert (values["versioning"], values["versioned"]) == (said, False)


async def test_no_encryption_is_an_answer(aws: AnsweringAws) -> None:
    none = xml_refusal("ServerSideEncryptionConfigurationNotFoundError", "The server side encryption ...", 404)
    values = (await read(aws, GetBucketEncryption=none)).values
    assert (values["encryption"], values["encrypted"]) == ("none", False)
    values = (await read(aws, GetBucketEncryption=encryption("aws:kms"))).values
    assert (values["encryption"], values["encrypted"]) == ("aws:kms", True)


@pytest.mark.parametrize("flags", [("true", "true", "true", "false"), ("true", "true", "true")])
async def test_public_access_is_blocked_only_by_all_four(aws: AnsweringAws, flags: tuple[str, ...]) -> None:
    assert (await read(aws, GetPublicAccessBlock=access(*flags))).values["public_access_blocked"] is False


async def test_no_public_access_block_is_an_answer(aws: AnsweringAws) -> None:
    none = xml_refusal("NoSuchPublicAccessBlockConfiguration", status=404)
    assert (await read(aws, GetPublicAccessBlock=none)).values["public_access_blocked"] is False


async def test_no_lifecycle_is_an_answer(aws: AnsweringAws) -> None:
    none = xml_refusal("NoSuchLifecycleConfiguration", status=404)
    reading = await read(aws, GetBucketLifecycleConfiguration=none)
    assert (reading.values["has_lifecycle"], reading.values["expires"]) == (False, False)
    for name in ("archive_after_days", "archive_class", "abort_multipart_days"):
        assert reading.unknown[name].reason is Reason.NOT_FOUND


async def test_a_rule_that_is_switched_off_does_nothing(aws: AnsweringAws) -> None:
    reading = await read(aws, GetBucketLifecycleConfiguration=rules(moves() + ABORT, status="Disabled"))
    assert reading.values["has_lifecycle"] is False
    assert reading.unknown["archive_class"].reason is Reason.NOT_FOUND


async def test_the_first_move_counts_and_glacier_is_told_by_name(aws: AnsweringAws) -> None:
    both = rules(moves(180, "DEEP_ARCHIVE") + moves(90, "GLACIER"))
    values = (await read(aws, GetBucketLifecycleConfiguration=both)).values
    assert (values["archive_after_days"], values["archive_class"]) == (90, "GLACIER")


async def test_a_move_on_a_date_is_not_no_move(aws: AnsweringAws) -> None:
    reading = await read(aws, GetBucketLifecycleConfiguration=rules(moves(key="Date")))
    assert reading.unknown["archive_after_days"].reason is Reason.NO_DATA
    assert "date" in reading.unknown["archive_after_days"].detail


TAG = "<Tag><Key>cold</Key><Value>yes</Value></Tag>"


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("<Prefix>logs/</Prefix>", "prefix logs/"),
        ("<Filter><Prefix>logs/</Prefix></Filter>", "prefix logs/"),
        (f"<Filter>{TAG}</Filter>", "tag cold"),
        ("<Filter><ObjectSizeGreaterThan>500</ObjectSizeGreaterThan></Filter>", "ObjectSizeGreaterThan 500"),
        (f"<Filter><And><Prefix>logs/</Prefix>{TAG}</And></Filter>", "prefix logs/, tag cold"),
    ],
)
async def test_a_rule_for_some_objects_does_not_archive_the_bucket(aws: AnsweringAws, scope: str, said: str) -> None:
    reading = await read(aws, GetBucketLifecycleConfiguration=rules(moves() + ABORT, scope=scope))
    assert reading.values["has_lifecycle"] is True
    for name in ("archive_after_days", "archive_class", "abort_multipart_days"):
        assert reading.unknown[name].reason is Reason.NOT_FOUND
        assert "whole bucket" in reading.unknown[name].detail
    assert f"rule r Enabled: {said}: STANDARD_IA after 90" in reading.evidence.lines[0]


async def test_a_rule_that_deletes_some_objects_is_still_one_that_deletes(aws: AnsweringAws) -> None:
    deletes = rules("<Expiration><Days>30</Days></Expiration>", scope="<Filter><Prefix>logs/</Prefix></Filter>")
    assert (await read(aws, GetBucketLifecycleConfiguration=deletes)).values["expires"] is True


@pytest.mark.parametrize("scope", ["<Prefix></Prefix>", "<Filter><Prefix></Prefix></Filter>", ""])
async def test_an_empty_prefix_is_the_whole_bucket(aws: AnsweringAws, scope: str) -> None:
    whole = rules(moves() + ABORT, scope=scope)
    assert (await read(aws, GetBucketLifecycleConfiguration=whole)).values["archive_after_days"] == 90


async def test_a_rule_that_deletes_objects_shows(aws: AnsweringAws) -> None:
    deletes = rules("<Expiration><Days>30</Days></Expiration>")
    assert (await read(aws, GetBucketLifecycleConfiguration=deletes)).values["expires"] is True
    markers = rules("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>")
    assert (await read(aws, GetBucketLifecycleConfiguration=markers)).values["expires"] is False


PARTS = [
    ("GetBucketVersioning", ("versioning", "versioned"), "s3:GetBucketVersioning"),
    ("GetBucketEncryption", ("encryption", "encrypted"), "s3:GetEncryptionConfiguration"),
    ("GetBucketLifecycleConfiguration", LIFECYCLE, "s3:GetLifecycleConfiguration"),
    ("GetPublicAccessBlock", ("public_access_blocked",), "s3:GetBucketPublicAccessBlock"),
]


@pytest.mark.parametrize(("operation", "fields", "action"), PARTS)
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (xml_refusal("AccessDenied", "Access Denied", 403), Reason.ACCESS_DENIED),
        (xml_refusal("SlowDown", "Please reduce your request rate.", 503), Reason.THROTTLED),
        (ReadTimeoutError(endpoint_url="https://s3"), Reason.TIMEOUT),
    ],
)
async def test_a_part_that_fails_makes_only_its_fields_unknown(
    aws: AnsweringAws, operation: str, fields: tuple[str, ...], action: str, said: Any, reason: Reason
) -> None:
    reading = await read(aws, **{operation: said})
    assert set(reading.unknown) == set(fields)
    assert {u.reason for u in reading.unknown.values()} == {reason}
    assert reading.values["exists"] is True
    if reason is Reason.ACCESS_DENIED:
        assert action in reading.unknown[fields[0]].hint


@pytest.mark.parametrize(("operation", "fields"), [(o, f) for o, f, _ in PARTS[1:]])
async def test_an_empty_answer_is_not_an_answer(aws: AnsweringAws, operation: str, fields: tuple[str, ...]) -> None:
    reading = await read(aws, **{operation: wire("")})
    assert set(reading.unknown) == set(fields)
    assert {u.reason for u in reading.unknown.values()} == {Reason.NO_DATA}


async def test_a_bucket_that_is_not_there_does_not_exist(aws: AnsweringAws) -> None:
    gone = xml_refusal("NoSuchBucket", status=404)
    reading = await read(aws, **dict.fromkeys((o for o, _, _ in PARTS), gone), HeadBucket=wire("", 404))
    assert reading.values == {"exists": False}
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}


async def test_a_bucket_of_another_account_is_not_said_to_exist(aws: AnsweringAws) -> None:
    reading = await read(aws, HeadBucket=wire("", 403))
    assert {name: u.reason for name, u in reading.unknown.items()} == {
        "exists": Reason.ACCESS_DENIED,
        "region": Reason.ACCESS_DENIED,
        "in_region": Reason.ACCESS_DENIED,
    }
    assert "s3:ListBucket" in reading.unknown["exists"].hint


async def test_expired_credentials_are_recognised_though_head_cannot_say_so(aws: AnsweringAws) -> None:
    expired = xml_refusal("ExpiredToken", "The provided token has expired.")
    reading = await read(aws, **dict.fromkeys((o for o, _, _ in PARTS), expired), HeadBucket=wire("", 400))
    assert {u.reason for u in reading.unknown.values()} == {Reason.EXPIRED_CREDENTIALS}


@pytest.mark.parametrize(
    ("said", "reason"),
    [(wire("", 503), Reason.ERROR), (ReadTimeoutError(endpoint_url="https://s3"), Reason.TIMEOUT)],
)
async def test_a_bucket_that_cannot_be_seen_is_unknown_altogether(aws: AnsweringAws, said: Any, reason: Reason) -> None:
    reading = await read(aws, HeadBucket=said)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}


async def test_against_a_simulated_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        s3 = boto3.client("s3", "us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        clients = Clients(AwsOptions(region="us-east-1", account="123456789012"))
        probe = S3Bucket(BucketParams(bucket=BUCKET), clients)
        bare = await probe.read(NOW)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        block = dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        )
        s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=block)
        move = {
            "ID": "a",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Transitions": [{"Days": 90, "StorageClass": "STANDARD_IA"}],
        }
        s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [move]})
        furnished = await probe.read(NOW)
        gone = await S3Bucket(BucketParams(bucket="gone"), clients).read(NOW)
        await clients.close()
    assert (bare.values["versioned"], bare.values["has_lifecycle"], bare.values["public_access_blocked"]) == (
        False,
    ) * 3
    assert (furnished.values["versioned"], furnished.values["public_access_blocked"]) == (True, True)
    assert (furnished.values["archive_after_days"], furnished.values["archive_class"]) == (90, "STANDARD_IA")
    assert gone.values == {"exists": False}


async def test_a_bucket_in_another_region_is_not_where_the_plan_says(aws: AnsweringAws) -> None:
    values = (await read(aws, HeadBucket=wire("", x_amz_bucket_region="eu-west-1"))).values
    assert (values["exists"], values["region"], values["in_region"]) == (True, "eu-west-1", False)
    silent = await read(aws, HeadBucket=wire(""))
    assert silent.unknown["in_region"].reason is Reason.NO_DATA
