"""A Lambda function: usable or not, which version gets the calls, and how they end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.aws.modelled import DENIED, NOW, ModelledAws, refusal

from probes.aws.lambda_function import LambdaFunction, LambdaFunctionParams
from probes.reading import Reading, Reason

FINAL = datetime(2026, 11, 23, 22, 26, tzinfo=UTC)
POINTS = {"Invocations": 120.0, "Errors": 1.0, "Throttles": 0.0, "Duration": 310.5}
METRICS = {"invocations_per_min", "errors_per_min", "throttles_per_min", "duration_max_ms"}
FUNCTION = {
    "FunctionName": "orders",
    "State": "Active",
    "LastUpdateStatus": "Successful",
    "Version": "42",
    "CodeSha256": "abc=",
    "LastModified": "2026-11-23T20:00:00.000+0000",
}


def metrics(points: dict[str, float]) -> Any:
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        results = []
        for query in asked["MetricDataQueries"]:
            value = points.get(query["MetricStat"]["Metric"]["MetricName"])
            series = (
                {"Timestamps": [FINAL], "Values": [value]} if value is not None else {"Timestamps": [], "Values": []}
            )
            results.append({"Id": query["Id"], "StatusCode": "Complete"} | series)
        return {"MetricDataResults": results}

    return answer


async def read(params: dict[str, Any] | None = None, function: dict[str, Any] | None = None, **on: Any) -> Reading:
    aws = ModelledAws()
    aws.on |= {
        "GetFunctionConfiguration": FUNCTION | (function or {}),
        "GetAlias": {"FunctionVersion": "42"},
        "GetFunctionConcurrency": {},
        "GetMetricData": metrics(POINTS),
    } | on
    asked = LambdaFunctionParams.model_validate({"function": "orders"} | (params or {}))
    try:
        return await LambdaFunction(asked, aws.clients).read(NOW)
    finally:
        await aws.clients.close()


async def test_a_function_as_it_should_be() -> None:
    reading = await read({"alias": "live", "expected_version": "42", "expected_sha256": "abc="})
    assert reading.values == {
        "state": "Active",
        "usable": True,
        "updated": True,
        "update_failed": False,
        "version": "42",
        "additional_share": 0.0,
        "is_expected": True,
        "modified_at": datetime(2026, 11, 23, 20, tzinfo=UTC),
        "invocations_per_min": 120,
        "errors_per_min": 1,
        "throttles_per_min": 0,
        "duration_max_ms": 310.5,
    }


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ({"function": {"Version": "41"}}, False),
        ({"GetAlias": {"RoutingConfig": {"AdditionalVersionWeights": {"43": 0.1}}}}, False),
        ({"GetAlias": DENIED}, None),
        ({"function": {"Version": ""}}, None),
        ({"function": {"Version": "41"}, "GetAlias": DENIED}, False),
    ],
)
async def test_the_release_has_all_calls_or_it_is_not_there(on: dict[str, Any], expected: bool | None) -> None:
    reading = await read({"alias": "live", "expected_version": "42"}, **on)
    assert reading.values.get("is_expected") is expected


async def test_without_an_expected_version_nothing_is_expected() -> None:
    assert (await read()).unknown["is_expected"].reason is Reason.NO_DATA


@pytest.mark.parametrize(
    ("function", "on", "usable"),
    [
        ({"State": "Failed"}, {}, False),
        ({"State": "Inactive"}, {}, True),
        ({"State": "ActiveNonInvocable"}, {}, False),
        ({"State": "Resting"}, {}, None),
        ({}, {"GetFunctionConcurrency": {"ReservedConcurrentExecutions": 0}}, False),
        ({}, {"GetFunctionConcurrency": {"ReservedConcurrentExecutions": 5}}, True),
        ({}, {"GetFunctionConcurrency": DENIED}, None),
        ({"State": "Failed"}, {"GetFunctionConcurrency": DENIED}, False),
    ],
)
async def test_it_is_usable_when_it_is_active_and_may_run(
    function: dict[str, Any], on: dict[str, Any], usable: bool | None
) -> None:
    assert (await read(function=function, **on)).values.get("usable") is usable


async def test_a_minute_without_calls_has_no_errors_to_speak_of() -> None:
    reading = await read(GetMetricData=metrics({}))
    assert {reading.unknown[name].reason for name in METRICS} == {Reason.NO_DATA}


async def test_an_update_that_ends_in_a_new_way_is_neither() -> None:
    reading = await read(function={"LastUpdateStatus": "Superseded"})
    assert {reading.unknown[name].reason for name in ("updated", "update_failed")} == {Reason.NO_DATA}


async def test_a_failed_update_says_why() -> None:
    reading = await read(function={"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "image not found"})
    assert (reading.values["updated"], reading.values["update_failed"]) == (False, True)
    assert reading.evidence.lines == ("image not found",)


async def test_a_function_that_is_not_there_is_not_found() -> None:
    reading = await read(GetFunctionConfiguration=refusal("ResourceNotFoundException", status=404))
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}


def test_its_policy_names_the_alias_only_where_there_is_one() -> None:
    whole = "arn:aws:lambda:us-east-1:123456789012:function:orders"
    plain = LambdaFunction(LambdaFunctionParams(function="orders"), ModelledAws().clients).resources()
    aliased = LambdaFunction(LambdaFunctionParams(function="orders", alias="live"), ModelledAws().clients).resources()
    assert (plain["lambda:GetFunctionConfiguration"], plain["lambda:GetAlias"]) == ((whole,), ())
    assert aliased["lambda:GetFunctionConfiguration"] == (whole, f"{whole}:live")
