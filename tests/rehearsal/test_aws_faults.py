"""Faults on demand: boto3 sees the very code AWS would send, for the caller, service and operation meant, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from rehearsal.test_aws_desk import APPLICATION, COCKPIT, OPERATOR, Desk, code_of, open_desk

from cockpit.rehearsal.aws.services.call_faults import AwsFault, Kind

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "cloudwatch": ("describe_alarms", {}),
    "ecs": ("list_clusters", {}),
    "logs": ("describe_log_groups", {}),
    "secretsmanager": ("list_secrets", {}),
    "acm": ("list_certificates", {}),
    "elbv2": ("describe_load_balancers", {}),
    "rds": ("describe_db_instances", {}),
    "iam": ("list_roles", {}),
    "sts": ("get_caller_identity", {}),
    "sns": ("list_topics", {}),
    "ec2": ("describe_vpcs", {}),
    "s3": ("list_buckets", {}),
}
BORN_WITH_QUERY = {"cloudwatch", "elbv2", "rds", "iam", "sts", "sns"}


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with open_desk() as opened:
        yield opened


def expected(service: str, kind: Kind) -> str:
    if service == "s3":
        return {"throttle": "SlowDown", "slow_down": "SlowDown", "deny": "AccessDenied", "expired": "ExpiredToken"}[
            kind
        ]
    if service == "ec2":
        return {
            "throttle": "RequestLimitExceeded",
            "slow_down": "ServiceUnavailable",
            "deny": "UnauthorizedOperation",
            "expired": "RequestExpired",
        }[kind]
    plain = {
        "throttle": "Throttling",
        "slow_down": "ServiceUnavailable",
        "deny": "AccessDenied",
        "expired": "ExpiredToken",
    }[kind]
    return plain if service in BORN_WITH_QUERY or kind == "slow_down" else f"{plain}Exception"


@pytest.mark.parametrize("service", CALLS)
def test_boto3_recognises_every_refusal_in_the_protocol_of_the_service(desk: Desk, service: str) -> None:
    operation, parameters = CALLS[service]
    call = getattr(desk.client(service), operation)
    for kind in ("throttle", "deny", "slow_down", "expired"):
        desk.aws.faults.set("f", AwsFault("*", "*", kind))
        with pytest.raises(ClientError) as refused:
            call(**parameters)
        desk.aws.faults.clear("f")
        assert code_of(refused) == expected(service, kind)
    call(**parameters)


def test_a_dropped_connection_gives_no_answer_and_the_next_call_works(desk: Desk) -> None:
    desk.aws.faults.set("f", AwsFault("sts", "*", "drop"))
    with pytest.raises(ConnectionClosedError):
        desk.client("sts").get_caller_identity()
    desk.aws.faults.clear("f")
    assert desk.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_a_denial_names_the_missing_action(desk: Desk) -> None:
    desk.aws.faults.set("f", AwsFault("monitoring", "GetMetricData", "deny"))
    with pytest.raises(ClientError, match="not authorized to perform: cloudwatch:GetMetricData"):
        desk.client("cloudwatch").get_metric_data(MetricDataQueries=[], StartTime=1, EndTime=2)
    desk.client("cloudwatch").describe_alarms()
    desk.aws.faults.clear("f")


def test_a_fault_strikes_only_the_caller_it_is_meant_for(desk: Desk) -> None:
    desk.client("s3", OPERATOR).create_bucket(Bucket="documents")
    desk.aws.faults.set("app", AwsFault("s3", "PutObject", "deny", caller="app"))
    with pytest.raises(ClientError) as refused:
        desk.client("s3", APPLICATION).put_object(Bucket="documents", Key="a", Body=b"a")
    assert code_of(refused) == "AccessDenied"
    desk.client("s3", COCKPIT).put_object(Bucket="documents", Key="a", Body=b"a")
    desk.client("s3", APPLICATION).get_object(Bucket="documents", Key="a")
    desk.aws.faults.set("app", AwsFault("s3", "PutObject", "deny", caller="cockpit"))
    with pytest.raises(ClientError):
        desk.client("s3", COCKPIT).put_object(Bucket="documents", Key="a", Body=b"a")
    desk.client("s3", APPLICATION).put_object(Bucket="documents", Key="a", Body=b"a")
    desk.aws.faults.clear("app")


def test_whoever_drives_the_rehearsal_is_spared(desk: Desk) -> None:
    desk.aws.faults.set("f", AwsFault("*", "*", "expired"))
    desk.client("secretsmanager", OPERATOR).list_secrets()
    desk.aws.faults.clear("f")


def test_a_rate_strikes_that_share_of_the_calls(desk: Desk) -> None:
    desk.aws.faults.set("f", AwsFault("sts", "*", "throttle", rate=0.5))
    refused = 0
    for _ in range(60):
        try:
            desk.client("sts").get_caller_identity()
        except ClientError:
            refused += 1
    desk.aws.faults.clear("f")
    assert 15 < refused < 45


def test_latency_delays_and_then_answers(desk: Desk) -> None:
    slept: list[float] = []
    desk.aws.faults.sleep = slept.append
    desk.aws.faults.set("f", AwsFault("sts", "GetCallerIdentity", "latency", latency_s=3.5))
    assert desk.client("sts").get_caller_identity()["Account"]
    desk.aws.faults.clear("f")
    desk.client("sts").get_caller_identity()
    assert slept == [3.5]
