"""The instance as AWS describes it: available, backed up, not exposed, and what waits for a reboot."""

from __future__ import annotations

import doctest
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws
from support.aws.wire import AnsweringAws, query_refusal, wire

import probes.aws.rds_status
from probes.aws.rds_instance import InstanceParams, RdsInstance
from probes.aws.rds_status import GIB
from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Reason, Unknown

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
NAME = "transparent-trust-db-prod"
GOOD = {
    "DBInstanceStatus": "available",
    "PubliclyAccessible": "false",
    "StorageEncrypted": "true",
    "BackupRetentionPeriod": "7",
    "LatestRestorableTime": "2026-11-23T22:26:00.000Z",
    "PendingModifiedValues": "",
    "DBParameterGroups": "<DBParameterGroup><DBParameterGroupName>pg</DBParameterGroupName>"
    "<ParameterApplyStatus>in-sync</ParameterApplyStatus></DBParameterGroup>",
    "DeletionProtection": "true",
    "MultiAZ": "true",
    "EngineVersion": "16.4",
    "DBInstanceClass": "db.t4g.medium",
    "AllocatedStorage": "100",
    "Endpoint": "<Address>transparent-trust-db-prod.abc.us-east-1.rds.amazonaws.com</Address><Port>5432</Port>",
}


@pytest.fixture
async def aws() -> AsyncIterator[AnsweringAws]:
    answering = AnsweringAws()
    yield answering
    await answering.clients.close()


def told(described: dict[str, str] | None) -> Any:
    inner = "".join(f"<{key}>{value}</{key}>" for key, value in (described or {}).items())
    instance = (
        ""
        if described is None
        else f"<DBInstance><DBInstanceIdentifier>{NAME}</DBInstanceIdentifier>{inner}</DBInstance>"
    )
    result = f"<DescribeDBInstancesResult><DBInstances>{instance}</DBInstances></DescribeDBInstancesResult>"
    return wire(
        f"<DescribeDBInstancesResponse>{result}<ResponseMetadata><RequestId>R-1</RequestId></ResponseMetadata></DescribeDBInstancesResponse>"
    )


async def read(aws: AnsweringAws, *without: str, **more: str) -> Reading:
    described = {key: value for key, value in (GOOD | more).items() if key not in without}
    aws.on["DescribeDBInstances"] = told(described)
    return await RdsInstance(InstanceParams(instance=NAME), aws.clients).read(NOW)


async def test_an_instance_as_it_should_be(aws: AnsweringAws) -> None:
    reading = await read(aws)
    assert reading.values == {
        "status": "available",
        "available": True,
        "publicly_accessible": False,
        "encrypted": True,
        "backup_retention_days": 7,
        "restorable_age_s": 240.0,
        "pending_changes": False,
        "parameters_in_sync": True,
        "deletion_protection": True,
        "multi_az": True,
        "engine_version": "16.4",
        "instance_class": "db.t4g.medium",
        "allocated_bytes": 100 * GIB,
        "host": "transparent-trust-db-prod.abc.us-east-1.rds.amazonaws.com",
    }
    assert reading.unknown == {"cluster": Unknown(Reason.NO_DATA, "it belongs to no cluster")}
    assert reading.evidence.request_id == "R-1"
    assert NAME in reading.evidence.console_url
    assert aws.asked[0][1]["DBInstanceIdentifier"] == NAME


@pytest.mark.parametrize(
    ("key", "told_as", "field", "value"),
    [
        ("DBInstanceStatus", "storage-full", "available", False),
        ("DBInstanceStatus", "rebooting", "available", False),
        ("PubliclyAccessible", "true", "publicly_accessible", True),
        ("StorageEncrypted", "false", "encrypted", False),
        ("BackupRetentionPeriod", "0", "backup_retention_days", 0),
        ("DeletionProtection", "false", "deletion_protection", False),
        ("MultiAZ", "false", "multi_az", False),
        ("PendingModifiedValues", "<DBInstanceClass>db.t4g.large</DBInstanceClass>", "pending_changes", True),
        ("LatestRestorableTime", "2026-11-23T20:30:00Z", "restorable_age_s", 7200.0),
    ],
)
async def test_each_bad_value_shows(aws: AnsweringAws, key: str, told_as: str, field: str, value: Any) -> None:
    assert (await read(aws, **{key: told_as})).values[field] == value


@pytest.mark.parametrize(
    "status", ["backing-up", "configuring-enhanced-monitoring", "storage-optimization", "storage-initialization"]
)
async def test_a_database_that_works_while_something_is_done_to_it_is_available(aws: AnsweringAws, status: str) -> None:
    assert (await read(aws, DBInstanceStatus=status)).values["available"] is True


@pytest.mark.parametrize(
    ("status", "hint"),
    [("modifying", "postgres.pool"), ("delete-precheck", "postgres.pool"), ("thinking", "does not know")],
)
async def test_a_status_that_does_not_say_whether_it_answers_is_unknown(
    aws: AnsweringAws, status: str, hint: str
) -> None:
    reading = await read(aws, DBInstanceStatus=status)
    assert (reading.values["status"], reading.unknown["available"].reason) == (status, Reason.NO_DATA)
    assert hint in reading.unknown["available"].hint


async def test_nothing_waits_when_the_answer_has_no_pending_values(aws: AnsweringAws) -> None:
    assert (await read(aws, "PendingModifiedValues")).values["pending_changes"] is False


async def test_a_parameter_that_waits_for_a_reboot_shows(aws: AnsweringAws) -> None:
    waits = GOOD["DBParameterGroups"].replace("in-sync", "pending-reboot")
    reading = await read(aws, DBParameterGroups=waits)
    assert (reading.values["parameters_in_sync"], reading.values["available"]) == (False, True)
    assert reading.evidence.lines == ("pg: pending-reboot",)


async def test_a_parameter_group_without_a_status_is_neither(aws: AnsweringAws) -> None:
    silent = GOOD["DBParameterGroups"].replace("<ParameterApplyStatus>in-sync</ParameterApplyStatus>", "")
    assert (await read(aws, DBParameterGroups=silent)).unknown["parameters_in_sync"].reason is Reason.NO_DATA


async def test_a_pending_password_is_named_and_not_shown(aws: AnsweringAws) -> None:
    reading = await read(aws, PendingModifiedValues="<MasterUserPassword>hunter2</MasterUserPassword>")
    assert reading.values["pending_changes"] is True
    assert reading.evidence.lines[0] == "pending: MasterUserPassword"
    assert "hunter2" not in repr(reading)


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("DBInstanceStatus", {"status", "available"}),
        ("PubliclyAccessible", {"publicly_accessible"}),
        ("StorageEncrypted", {"encrypted"}),
        ("BackupRetentionPeriod", {"backup_retention_days"}),
        ("LatestRestorableTime", {"restorable_age_s"}),
        ("DBParameterGroups", {"parameters_in_sync"}),
        ("DeletionProtection", {"deletion_protection"}),
        ("MultiAZ", {"multi_az"}),
        ("EngineVersion", {"engine_version"}),
        ("DBInstanceClass", {"instance_class"}),
        ("AllocatedStorage", {"allocated_bytes"}),
        ("Endpoint", {"host"}),
    ],
)
async def test_what_the_answer_leaves_out_is_unknown(aws: AnsweringAws, key: str, fields: set[str]) -> None:
    reading = await read(aws, key)
    assert set(reading.unknown) - {"cluster"} == fields
    assert {u.reason for u in reading.unknown.values()} == {Reason.NO_DATA}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (query_refusal("AccessDenied", status=403), Reason.ACCESS_DENIED),
        (query_refusal("Throttling", "Rate exceeded"), Reason.THROTTLED),
        (query_refusal("DBInstanceNotFound", status=404), Reason.NOT_FOUND),
        (told(None), Reason.NOT_FOUND),
        (ReadTimeoutError(endpoint_url="https://rds"), Reason.TIMEOUT),
    ],
)
async def test_not_knowing(aws: AnsweringAws, said: Any, reason: Reason) -> None:
    aws.on["DescribeDBInstances"] = said
    reading = await RdsInstance(InstanceParams(instance=NAME), aws.clients).read(NOW)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert "rds:DescribeDBInstances" in reading.unknown["available"].hint


async def test_against_a_simulated_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        boto3.client("rds", "us-east-1").create_db_instance(
            DBInstanceIdentifier=NAME, DBInstanceClass="db.t4g.medium", Engine="postgres", AllocatedStorage=100,
            MasterUsername="app", MasterUserPassword="hunter2hunter2", StorageEncrypted=True, BackupRetentionPeriod=7,
        )  # fmt: skip
        clients = Clients(AwsOptions(region="us-east-1"))
        reading = await RdsInstance(InstanceParams(instance=NAME), clients).read(NOW)
        gone = await RdsInstance(InstanceParams(instance="gone"), clients).read(NOW)
        await clients.close()
    assert (reading.values["available"], reading.values["encrypted"]) == (True, True)
    assert reading.values["pending_changes"] is False
    assert reading.values["allocated_bytes"] == 100 * GIB
    assert gone.unknown["available"].reason is Reason.NOT_FOUND


def test_the_examples_of_its_statuses_hold() -> None:
    assert doctest.testmod(probes.aws.rds_status).failed == 0
