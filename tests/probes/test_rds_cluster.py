"""A cluster of RDS, and an instance that only repeats what its cluster decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from support.aws.modelled import DENIED, NOW, ModelledAws, paged, refusal

from probes.aws.rds_cluster import ClusterParams, RdsCluster
from probes.aws.rds_instance import OF_THE_CLUSTER, InstanceParams, RdsInstance
from probes.reading import Bounds, Reading, Reason


def member(name: str, *, writes: bool = False, parameters: str = "in-sync") -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": name,
        "IsClusterWriter": writes,
        "DBClusterParameterGroupStatus": parameters,
        "PromotionTier": 1,
    }


def cluster(**more: Any) -> dict[str, Any]:
    """As DescribeDBClusters gives one of Aurora, Serverless v2."""
    return {
        "DBClusterIdentifier": "orders",
        "Status": "available",
        "Engine": "aurora-postgresql",
        "EngineVersion": "16.4",
        "AllocatedStorage": 1,
        "MultiAZ": True,
        "StorageEncrypted": True,
        "StorageType": "aurora-iopt1",
        "BackupRetentionPeriod": 14,
        "LatestRestorableTime": NOW - timedelta(minutes=5),
        "DBClusterParameterGroup": "orders-16",
        "DeletionProtection": True,
        "Endpoint": "orders.cluster-abc.us-east-1.rds.amazonaws.com",
        "ReaderEndpoint": "orders.cluster-ro-abc.us-east-1.rds.amazonaws.com",
        "DBClusterMembers": [member("orders-1", writes=True), member("orders-2")],
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 16.0},
    } | more


def instance(name: str = "orders-1", **more: Any) -> dict[str, Any]:
    """As DescribeDBInstances gives a member of Aurora: most of it stands there whatever the cluster has."""
    return {
        "DBInstanceIdentifier": name,
        "DBClusterIdentifier": "orders",
        "DBInstanceStatus": "available",
        "DBInstanceClass": "db.serverless",
        "Engine": "aurora-postgresql",
        "EngineVersion": "16.4",
        "PubliclyAccessible": False,
        "StorageEncrypted": False,
        "BackupRetentionPeriod": 1,
        "DeletionProtection": False,
        "MultiAZ": False,
        "AllocatedStorage": 1,
        "DBParameterGroups": [{"DBParameterGroupName": "pg", "ParameterApplyStatus": "in-sync"}],
        "Endpoint": {"Address": f"{name}.abc.us-east-1.rds.amazonaws.com", "Port": 5432},
    } | more


def snapshot(minutes: float, **more: Any) -> dict[str, Any]:
    return {
        "DBClusterSnapshotIdentifier": f"rds:orders-{minutes}",
        "SnapshotType": "automated",
        "Status": "available",
        "SnapshotCreateTime": NOW - timedelta(minutes=minutes),
    } | more


def capacity(*units: float) -> Any:
    """ServerlessDatabaseCapacity of the newest minutes that are over for longer than three, the newest last."""
    times = [NOW.replace(second=0) - timedelta(minutes=4 + back) for back in reversed(range(len(units)))]

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        (query,) = asked["MetricDataQueries"]
        metric = query["MetricStat"]["Metric"]
        assert (metric["MetricName"], metric["Dimensions"]) == (
            "ServerlessDatabaseCapacity",
            [{"Name": "DBClusterIdentifier", "Value": "orders"}],
        )
        found = {"Id": query["Id"], "StatusCode": "Complete", "Timestamps": times, "Values": list(units)}
        return {"MetricDataResults": [found]}

    return answer


def account(
    of: dict[str, Any] | None = None, *instances: dict[str, Any], on: Mapping[str, Any] | None = None
) -> ModelledAws:
    aws = ModelledAws()
    aws.on |= {
        "DescribeDBClusters": {"DBClusters": [of or cluster()]},
        "DescribeDBInstances": {"DBInstances": list(instances or (instance(), instance("orders-2")))},
        "DescribeDBClusterSnapshots": {"DBClusterSnapshots": [snapshot(60), snapshot(10, SnapshotType="manual")]},
        "GetMetricData": capacity(4.0),
        **(on or {}),
    }
    return aws


async def read(aws: ModelledAws, name: str = "orders") -> Reading:
    try:
        return await RdsCluster(ClusterParams(cluster=name), aws.clients).read(NOW)
    finally:
        await aws.clients.close()


async def read_member(aws: ModelledAws) -> Reading:
    try:
        return await RdsInstance(InstanceParams(instance="orders-1"), aws.clients).read(NOW)
    finally:
        await aws.clients.close()


async def test_a_cluster_as_it_should_be() -> None:
    aws = account()
    reading = await read(aws, "arn:aws:rds:us-east-1:123456789012:cluster:orders")
    assert reading.values == {
        "status": "available",
        "available": True,
        "engine": "aurora-postgresql",
        "engine_version": "16.4",
        "members": 2,
        "writer": "orders-1",
        "writer_available": True,
        "failover_members": 1,
        "multi_az": True,
        "parameter_group": "orders-16",
        "parameters_in_sync": True,
        "backup_retention_days": 14,
        "restorable_age_s": 300.0,
        "newest_snapshot_age_s": 600.0,
        "newest_manual_age_s": 600.0,
        "snapshots_unfinished": 0,
        "deletion_protection": True,
        "encrypted": True,
        "storage_type": "aurora-iopt1",
        "pending_changes": False,
        "serverless_min": 0.5,
        "serverless_max": 16.0,
        "serverless_now": 4.0,
        "serverless_utilization": 0.25,
        "host": "orders.cluster-abc.us-east-1.rds.amazonaws.com",
        "reader_host": "orders.cluster-ro-abc.us-east-1.rds.amazonaws.com",
    }
    assert set(reading.unknown) == {"allocated_bytes"}
    assert "grows by itself" in reading.unknown["allocated_bytes"].detail
    assert dict(aws.asked)["DescribeDBInstances"]["Filters"] == [{"Name": "db-cluster-id", "Values": ["orders"]}]


@pytest.mark.parametrize(
    ("told", "field", "value"),
    [
        ({"Status": "failing-over"}, "available", False),
        ({"Status": "backing-up"}, "available", True),
        ({"DeletionProtection": False}, "deletion_protection", False),
        ({"StorageEncrypted": False}, "encrypted", False),
        ({"BackupRetentionPeriod": 1}, "backup_retention_days", 1),
        ({"PendingModifiedValues": {"EngineVersion": "16.6"}}, "pending_changes", True),
        (
            {"DBClusterMembers": [member("orders-1", writes=True, parameters="pending-reboot")]},
            "parameters_in_sync",
            False,
        ),
        ({"DBClusterMembers": [member("orders-1", writes=True)]}, "failover_members", 0),
        ({"Engine": "postgres", "AllocatedStorage": 100}, "allocated_bytes", 100 * 1024**3),
    ],
)
async def test_each_bad_value_shows(told: dict[str, Any], field: str, value: Any) -> None:
    assert (await read(account(cluster(**told)))).values[field] == value


async def test_a_member_that_does_not_answer_cannot_take_over() -> None:
    values = (await read(account(None, instance(), instance("orders-2", DBInstanceStatus="rebooting")))).values
    assert (values["members"], values["failover_members"], values["writer_available"]) == (2, 0, True)


async def test_a_member_of_which_it_is_not_known_leaves_open_who_could_take_over() -> None:
    reading = await read(account(None, instance(), instance("orders-2", DBInstanceStatus="modifying")))
    assert reading.unknown["failover_members"].detail == "modifying may interrupt the database, or not"


async def test_a_member_that_is_not_described_leaves_open_who_could_take_over() -> None:
    assert (await read(account(None, instance()))).unknown["failover_members"].reason is Reason.PARTIAL


async def test_a_snapshot_in_a_new_status_is_neither_finished_nor_not() -> None:
    found = {"DBClusterSnapshots": [snapshot(60), snapshot(2, Status="failed"), snapshot(1, Status="sealing")]}
    why = (await read(account(on={"DescribeDBClusterSnapshots": found}))).unknown["snapshots_unfinished"]
    assert (why.bounds, "sealing" in why.detail) == (Bounds(1, 2), True)


async def test_a_copy_of_a_snapshot_is_no_younger_data() -> None:
    copied = snapshot(1, SnapshotType="manual", SourceDBClusterSnapshotArn="arn:aws:rds:us-east-1:123456789012:x")
    both = await read(account(on={"DescribeDBClusterSnapshots": {"DBClusterSnapshots": [snapshot(60), copied]}}))
    assert both.values["newest_snapshot_age_s"] == 3600.0
    assert both.unknown["newest_manual_age_s"].reason is Reason.NOT_FOUND


async def test_a_cluster_is_found_however_its_name_is_written() -> None:
    assert (await read(account(), "Orders")).values["serverless_now"] == 4.0


async def test_a_cluster_without_a_writer_says_so() -> None:
    reading = await read(account(cluster(DBClusterMembers=[member("orders-2")])))
    assert {reading.unknown[name].reason for name in ("writer", "writer_available")} == {Reason.NO_DATA}


async def test_a_cluster_that_is_not_serverless_has_no_such_capacity() -> None:
    reading = await read(account(cluster(ServerlessV2ScalingConfiguration={})))
    names = ("serverless_min", "serverless_max", "serverless_now", "serverless_utilization")
    assert {reading.unknown[name].detail for name in names} == {"the cluster has no serverless capacity"}


async def test_a_cluster_at_the_end_of_its_capacity_says_so() -> None:
    assert (await read(account(on={"GetMetricData": capacity(2.0, 16.0)}))).values["serverless_utilization"] == 1.0


async def test_a_paused_cluster_has_no_capacity_to_tell() -> None:
    reading = await read(account(on={"GetMetricData": capacity()}))
    assert "paused" in reading.unknown["serverless_now"].hint


async def test_unfinished_snapshots_give_no_age() -> None:
    unfinished = {
        "DBClusterSnapshots": [
            snapshot(1, Status="creating"),
            snapshot(5, Status="failed"),
            snapshot(9, Status="deleting"),
        ]
    }
    reading = await read(account(on={"DescribeDBClusterSnapshots": unfinished}))
    assert reading.values["snapshots_unfinished"] == 2
    assert reading.unknown["newest_snapshot_age_s"].reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("DescribeDBInstances", {"writer_available", "failover_members"}),
        ("DescribeDBClusterSnapshots", {"newest_snapshot_age_s", "newest_manual_age_s", "snapshots_unfinished"}),
        ("GetMetricData", {"serverless_now", "serverless_utilization"}),
    ],
)
async def test_a_call_that_is_refused_blinds_its_own_fields_alone(operation: str, fields: set[str]) -> None:
    reading = await read(account(on={operation: DENIED}))
    assert set(reading.unknown) == fields | {"allocated_bytes"}
    assert all(f":{operation}" in reading.unknown[name].hint for name in fields)


@pytest.mark.parametrize(
    ("said", "reason"),
    [(DENIED, Reason.ACCESS_DENIED), (refusal("DBClusterNotFoundFault", status=404), Reason.NOT_FOUND)],
)
async def test_not_knowing(said: Any, reason: Reason) -> None:
    reading = await read(account(on={"DescribeDBClusters": said}))
    assert (reading.values, {u.reason for u in reading.unknown.values()}) == ({}, {reason})


async def test_an_instance_of_a_cluster_says_what_its_cluster_decides() -> None:
    reading = await read_member(account(None, instance()))
    values = reading.values
    assert (values["cluster"], values["host"]) == ("orders", "orders-1.abc.us-east-1.rds.amazonaws.com")
    assert {name: values.get(name) for name in OF_THE_CLUSTER} == {
        "encrypted": True,
        "backup_retention_days": 14,
        "restorable_age_s": 300.0,
        "deletion_protection": True,
        "multi_az": True,
        "engine_version": "16.4",
        "allocated_bytes": None,
    }
    assert "grows by itself" in reading.unknown["allocated_bytes"].detail


@pytest.mark.parametrize(
    ("told", "field", "value"),
    [
        ({"Status": "failing-over"}, "available", False),
        (
            {"DBClusterMembers": [member("orders-1", writes=True, parameters="pending-reboot")]},
            "parameters_in_sync",
            False,
        ),
        ({"PendingModifiedValues": {"EngineVersion": "16.6"}}, "pending_changes", True),
    ],
)
async def test_what_waits_for_the_cluster_waits_for_its_instance(told: dict[str, Any], field: str, value: bool) -> None:
    assert (await read_member(account(cluster(**told), instance()))).values[field] is value


async def test_a_cluster_that_cannot_be_seen_leaves_open_what_it_decides() -> None:
    reading = await read_member(account(None, instance(), on={"DescribeDBClusters": DENIED}))
    joint = {"available", "parameters_in_sync", "pending_changes"}
    assert set(reading.unknown) == set(OF_THE_CLUSTER) | joint
    for unknown in reading.unknown.values():
        assert unknown.detail.startswith("the cluster orders decides it")
        assert unknown.hint == "allow rds:DescribeDBClusters, then press r"


async def test_a_fault_of_the_instance_itself_needs_no_cluster() -> None:
    waits = [{"DBParameterGroupName": "pg", "ParameterApplyStatus": "pending-reboot"}]
    bad = instance(DBInstanceStatus="stopped", DBParameterGroups=waits, PendingModifiedValues={"DBInstanceClass": "x"})
    values = (await read_member(account(None, bad, on={"DescribeDBClusters": DENIED}))).values
    assert (values["available"], values["parameters_in_sync"], values["pending_changes"]) == (False, False, True)


async def test_a_thousand_snapshots_are_read_a_handful_of_calls_a_reading() -> None:
    every = [snapshot(90 + number) for number in range(999)] + [snapshot(30)]
    listed = paged([{"DBClusterSnapshots": every[at : at + 100]} for at in range(0, 1000, 100)], "Marker", "Marker")
    aws = account(on={"DescribeDBClusterSnapshots": listed})
    probe = RdsCluster(ClusterParams(cluster="orders"), aws.clients)
    first, second = await probe.read(NOW), await probe.read(NOW)
    await aws.clients.close()
    assert [operation for operation, _ in aws.asked].count("DescribeDBClusterSnapshots") == 10
    assert first.unknown["newest_snapshot_age_s"].bounds == Bounds(0.0, 5400.0)
    assert second.values["newest_snapshot_age_s"] == 1800.0
