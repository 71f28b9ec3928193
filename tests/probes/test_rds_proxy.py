"""An RDS Proxy: its targets, what it lets clients wait for, and how near its connections are to their limit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.aws.modelled import DENIED, NOW, ModelledAws, refusal

from probes.aws.rds_proxy import ProxyParams, RdsProxy
from probes.reading import Reading, Reason

METRICS = ("connections", "connections_allowed", "pinned", "borrow_wait_s", "utilization")
FINAL = datetime(2026, 11, 23, 22, 26, tzinfo=UTC)
"""The beginning of the newest minute that is over for longer than two, and one more while its lateness is not known."""
POINTS = {
    "DatabaseConnections": 18.0,
    "MaxDatabaseConnectionsAllowed": 90.0,
    "DatabaseConnectionsCurrentlySessionPinned": 3.0,
    "DatabaseConnectionsBorrowLatency": 2500.0,
}


def target(role: str = "READ_WRITE", state: str = "AVAILABLE", **more: Any) -> dict[str, Any]:
    health = {"State": state} | more
    return {"RdsResourceId": "orders-1", "Type": "RDS_INSTANCE", "Role": role, "Port": 5432, "TargetHealth": health}


TRACKED = {"RdsResourceId": "orders", "Type": "TRACKED_CLUSTER", "Port": 5432}


def metric_data(points: dict[str, float], at: datetime = FINAL) -> Any:
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        results = []
        for query in asked["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            assert metric["Dimensions"] == [{"Name": "ProxyName", "Value": "orders"}]
            value = points.get(metric["MetricName"])
            told = {"Timestamps": [], "Values": []} if value is None else {"Timestamps": [at], "Values": [value]}
            results.append({"Id": query["Id"], "StatusCode": "Complete"} | told)
        return {"MetricDataResults": results}

    return answer


async def read(*targets: dict[str, Any], status: str = "available", on: Mapping[str, Any] | None = None) -> Reading:
    aws = ModelledAws()
    pool = {"MaxConnectionsPercent": 80, "MaxIdleConnectionsPercent": 40, "ConnectionBorrowTimeout": 120}
    aws.on |= {
        "DescribeDBProxies": {"DBProxies": [{"DBProxyName": "orders", "Status": status, "RequireTLS": True}]},
        "DescribeDBProxyTargetGroups": {"TargetGroups": [{"TargetGroupName": "default", "ConnectionPoolConfig": pool}]},
        "DescribeDBProxyTargets": {"Targets": list(targets)},
        "GetMetricData": metric_data(POINTS),
        **(on or {}),
    }
    try:
        return await RdsProxy(ProxyParams(proxy="orders"), aws.clients).read(NOW)
    finally:
        await aws.clients.close()


async def test_a_proxy_as_it_should_be() -> None:
    reading = await read(target(), target("READ_ONLY"), TRACKED)
    assert reading.values == {
        "status": "available",
        "available": True,
        "requires_tls": True,
        "targets": 2,
        "targets_available": 2,
        "all_available": True,
        "writer_available": True,
        "borrow_timeout_s": 120.0,
        "borrow_wait_s": 0.0025,
        "max_connections_percent": 80,
        "connections": 18,
        "connections_allowed": 90,
        "utilization": 0.2,
        "pinned": 3,
    }
    assert set(reading.unknown) == {"reasons"}


async def test_a_target_it_cannot_use_is_told_with_its_reason() -> None:
    refused = target(state="UNAVAILABLE", Reason="AUTH_FAILURE", Description="Proxy does not have any credentials")
    reading = await read(refused, target("READ_ONLY"))
    values = reading.values
    assert (values["all_available"], values["writer_available"], values["targets_available"]) == (False, False, 1)
    assert values["reasons"] == ("AUTH_FAILURE",)
    assert reading.evidence.lines[0].startswith("orders-1 READ_WRITE UNAVAILABLE AUTH_FAILURE")


@pytest.mark.parametrize("state", ["UNUSED", "SLEEPING"])
async def test_a_health_that_is_not_known_is_no_health(state: str) -> None:
    reading = await read(target(state=state))
    assert {reading.unknown[name].reason for name in ("all_available", "writer_available")} == {Reason.NO_DATA}


@pytest.mark.parametrize(
    ("targets", "writes"),
    [
        ([target("UNKNOWN")], None),
        ([target("UNKNOWN"), target()], True),
        ([target("UNKNOWN", "UNAVAILABLE")], False),
        ([target(state="UNAVAILABLE"), target(state="UNUSED")], None),
        ([target("READ_ONLY")], False),
    ],
)
async def test_a_target_whose_role_is_not_known_may_write(targets: list[dict[str, Any]], writes: bool | None) -> None:
    assert (await read(*targets)).values.get("writer_available") is writes


async def test_a_proxy_without_targets_is_never_available() -> None:
    reading = await read()
    assert (reading.values["targets"], reading.unknown["all_available"].reason) == (0, Reason.NO_DATA)


@pytest.mark.parametrize(("status", "available"), [("suspended", False), ("modifying", None), ("new", None)])
async def test_a_status_counts_as_documented(status: str, available: bool | None) -> None:
    assert (await read(target(), status=status)).values.get("available") is available


@pytest.mark.parametrize("data", [metric_data({}), metric_data(POINTS, FINAL + timedelta(minutes=1))])
async def test_without_a_final_minute_connections_are_unknown(data: Any) -> None:
    reading = await read(target(), on={"GetMetricData": data})
    assert {reading.unknown[name].reason for name in METRICS} == {Reason.NO_DATA}
    assert reading.values["all_available"] is True


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("DescribeDBProxyTargets", {"targets", "targets_available", "all_available", "writer_available"}),
        ("DescribeDBProxyTargetGroups", {"borrow_timeout_s", "max_connections_percent"}),
        ("GetMetricData", set(METRICS)),
    ],
)
async def test_a_call_that_is_refused_blinds_its_own_fields_alone(operation: str, fields: set[str]) -> None:
    reading = await read(target(), on={operation: DENIED})
    assert set(reading.unknown) == fields | {"reasons"}
    assert {reading.unknown[name].reason for name in fields} == {Reason.ACCESS_DENIED}


async def test_a_proxy_that_is_not_there_is_not_found() -> None:
    reading = await read(on={"DescribeDBProxies": refusal("DBProxyNotFoundFault", status=404)})
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}
