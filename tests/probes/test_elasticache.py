"""An ElastiCache replication group: whether it takes writes, and the worst of its nodes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.aws.modelled import DENIED, NOW, ModelledAws, refusal

from probes.aws.elasticache import ElastiCacheReplicationGroup, ReplicationGroupParams
from probes.reading import Reading, Reason

FINAL = datetime(2026, 11, 23, 22, 26, tzinfo=UTC)
NODES = ("sessions-001", "sessions-002")
METRICS = {"memory_used", "engine_cpu", "connections", "evictions_per_min", "replication_lag_s"}
POINTS = {
    ("DatabaseMemoryUsagePercentage", "sessions-001"): 40.0,
    ("DatabaseMemoryUsagePercentage", "sessions-002"): 41.0,
    ("EngineCPUUtilization", "sessions-001"): 20.0,
    ("EngineCPUUtilization", "sessions-002"): 5.0,
    ("CurrConnections", "sessions-001"): 40.0,
    ("CurrConnections", "sessions-002"): 12.0,
    ("Evictions", "sessions-001"): 3.0,
    ("Evictions", "sessions-002"): 1.0,
    ("ReplicationLag", "sessions-002"): 0.4,
}


def group(**more: Any) -> dict[str, Any]:
    members = [
        {"CacheClusterId": node, "CurrentRole": role, "PreferredAvailabilityZone": "us-east-1a"}
        for node, role in zip(NODES, ("primary", "replica"), strict=True)
    ]
    return {
        "ReplicationGroupId": "sessions",
        "Status": "available",
        "MemberClusters": list(NODES),
        "NodeGroups": [{"NodeGroupId": "0001", "Status": "available", "NodeGroupMembers": members}],
        "AutomaticFailover": "enabled",
        "MultiAZ": "enabled",
        "TransitEncryptionEnabled": True,
        "TransitEncryptionMode": "required",
        "AtRestEncryptionEnabled": True,
        "PendingModifiedValues": {},
    } | more


def metrics(points: dict[tuple[str, str], float]) -> Any:
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        results = []
        for query in asked["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            value = points.get((metric["MetricName"], metric["Dimensions"][0]["Value"]))
            series = (
                {"Timestamps": [FINAL], "Values": [value]} if value is not None else {"Timestamps": [], "Values": []}
            )
            results.append({"Id": query["Id"], "StatusCode": "Complete"} | series)
        return {"MetricDataResults": results}

    return answer


async def read(found: dict[str, Any] | None = None, **on: Any) -> Reading:
    aws = ModelledAws()
    aws.on |= {
        "DescribeReplicationGroups": {"ReplicationGroups": [found or group()]},
        "GetMetricData": metrics(POINTS),
    } | on
    try:
        return await ElastiCacheReplicationGroup(ReplicationGroupParams(group="sessions"), aws.clients).read(NOW)
    finally:
        await aws.clients.close()


async def test_a_group_as_it_should_be() -> None:
    assert (await read()).values == {
        "status": "available",
        "available": True,
        "shards": 1,
        "shards_available": 1,
        "nodes": 2,
        "primary": "sessions-001",
        "automatic_failover": True,
        "multi_az": True,
        "encrypted_in_transit": True,
        "tls_required": True,
        "encrypted_at_rest": True,
        "changes_pending": False,
        "memory_used": 0.41,
        "engine_cpu": 0.2,
        "connections": 40,
        "evictions_per_min": 4,
        "replication_lag_s": 0.4,
    }


@pytest.mark.parametrize(
    ("found", "available"),
    [
        (group(Status="snapshotting"), True),
        (group(Status="creating"), False),
        (group(NodeGroups=[]), False),
        (group(NodeGroups=[{"NodeGroupId": "0001", "Status": "deleting"}]), False),
        (group(NodeGroups=[{"NodeGroupId": "0001", "Status": "modifying"}]), None),
        (group(NodeGroups=None), None),
        (group(Status="resting"), None),
    ],
)
async def test_it_is_available_with_each_of_its_shards(found: dict[str, Any], available: bool | None) -> None:
    reading = await read({name: value for name, value in found.items() if value is not None})
    assert reading.values.get("available") is available


async def test_an_answer_that_leaves_tls_out_does_not_say_that_it_is_off() -> None:
    found = {name: value for name, value in group().items() if name != "TransitEncryptionEnabled"}
    assert (await read(found)).unknown["tls_required"].reason is Reason.NO_DATA


async def test_a_failover_that_is_being_enabled_is_neither() -> None:
    reading = await read(
        group(AutomaticFailover="enabling", PendingModifiedValues={"AutomaticFailoverStatus": "enabled"})
    )
    assert reading.unknown["automatic_failover"].reason is Reason.NO_DATA
    assert reading.values["changes_pending"] is True


async def test_clients_without_tls_are_seen() -> None:
    values = (await read(group(TransitEncryptionMode="preferred"))).values
    assert (values["encrypted_in_transit"], values["tls_required"]) == (True, False)


async def test_with_cluster_mode_the_primary_is_not_shown() -> None:
    members = [{"CacheClusterId": node} for node in NODES]
    shard = {"NodeGroupId": "0001", "Status": "available", "NodeGroupMembers": members}
    assert (await read(group(NodeGroups=[shard]))).unknown["primary"].reason is Reason.NO_DATA


async def test_a_node_without_a_point_may_be_the_worst() -> None:
    reading = await read(GetMetricData=metrics({key: held for key, held in POINTS.items() if key[1] == NODES[0]}))
    assert set(reading.unknown) == METRICS
    assert NODES[1] in reading.unknown["memory_used"].detail


async def test_a_call_that_is_refused_blinds_its_own_fields_alone() -> None:
    assert set((await read(GetMetricData=DENIED)).unknown) == METRICS


@pytest.mark.parametrize("answer", [refusal("ReplicationGroupNotFoundFault", status=404), {"ReplicationGroups": []}])
async def test_a_group_that_is_not_there_is_not_found(answer: dict[str, Any]) -> None:
    reading = await read(DescribeReplicationGroups=answer)
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}
