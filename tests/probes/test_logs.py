"""Log queries: a count is zero only when something was looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError
from support.aws.queued import MINUTE, NOW, StubbedAws
from support.waiting import LAST_RESORT_S, turns, until

from probes.aws.logs_query import KEPT_FOR_READINGS, LogsQuery, LogsQueryParams
from probes.reading import Reading, Reason

GROUP = "/ecs/transparent-trust-web"


@pytest.fixture
async def aws(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StubbedAws]:
    monkeypatch.setattr("probes.aws.logs_query.STOPPED_WITHIN_S", LAST_RESORT_S)
    stubbed = StubbedAws()
    yield stubbed
    await stubbed.clients.close()


def probe(aws: StubbedAws, **params: Any) -> LogsQuery:
    given = {"log_group": GROUP, "query": 'filter message = "OAuthCallback error"', "timeout": "9m"} | params
    return LogsQuery(LogsQueryParams.model_validate(given), aws.clients)


def results(
    *rows: dict[str, str], scanned: float = 500.0, matched: float = 0.0, status: str = "Complete", **more: float
) -> dict[str, Any]:
    """As GetQueryResults gives them."""
    return {
        "status": status,
        "results": [[{"field": name, "value": value} for name, value in row.items()] for row in rows],
        "statistics": {"recordsScanned": scanned, "recordsMatched": matched, "bytesScanned": 1.0, **more},
    }


@pytest.fixture
def _no_second_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is made again within the time a reading has."""
    monkeypatch.setattr("probes.aws.logs_query.FIRST_POLL_S", 3600.0)


def throttles(aws: StubbedAws) -> None:
    aws.refuses("logs", "get_query_results", "ThrottlingException", "Rate exceeded")


def operations(aws: StubbedAws) -> list[str]:
    return [operation for operation, _ in aws.asked]


async def read(aws: StubbedAws, *answers: dict[str, Any], **params: Any) -> Reading:
    aws.answers("logs", "start_query", {"queryId": "q-1"})
    for answer in answers:
        aws.answers("logs", "get_query_results", answer, {"queryId": "q-1"})
    reading = await probe(aws, **params).read(NOW)
    aws.done()
    return reading


async def test_a_count_is_what_the_query_matched(aws: StubbedAws) -> None:
    line = {"@timestamp": "2026-11-23 22:25:00.000", "@message": '{"message":"OAuthCallback error"}', "@ptr": "CmEK"}
    reading = await read(aws, results(line, matched=3))
    assert reading.values == {"value": 3.0, "matched": 3, "scanned": 500}
    assert reading.evidence.lines == ('2026-11-23 22:25:00.000 {"message":"OAuthCallback error"}',)


async def test_nothing_matched_among_lines_that_were_scanned_is_zero(aws: StubbedAws) -> None:
    assert (await read(aws, results())).values == {"value": 0.0, "matched": 0, "scanned": 500}


async def test_nothing_scanned_is_no_data_and_never_zero(aws: StubbedAws) -> None:
    reading = await read(aws, results(scanned=0))
    assert not reading.values
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.NO_DATA}
    assert "logs nothing" in reading.unknown["value"].hint


async def test_records_that_an_index_skipped_are_no_match_and_no_silence(aws: StubbedAws) -> None:
    reading = await read(aws, results(scanned=0, estimatedRecordsSkipped=4000.0))
    assert reading.values == {"value": 0.0, "matched": 0, "scanned": 0}


async def test_what_was_found_beside_skipped_records_counts(aws: StubbedAws) -> None:
    reading = await read(aws, results(matched=3, scanned=3, estimatedRecordsSkipped=4000.0))
    assert reading.values == {"value": 3.0, "matched": 3, "scanned": 3}


async def test_an_answer_that_does_not_say_what_matched_is_no_zero(aws: StubbedAws) -> None:
    aws.answers("logs", "start_query", {"queryId": "q-1"})
    aws.answers(
        "logs", "get_query_results", {"status": "Complete", "results": [], "statistics": {"recordsScanned": 9.0}}
    )
    aws.answers("logs", "stop_query", {"success": True}, {"queryId": "q-1"})
    asked = probe(aws)
    assert (await asked.read(NOW)).unknown["value"].reason is Reason.NO_DATA
    await asked.close()


async def test_a_column_value_is_the_count(aws: StubbedAws) -> None:
    reading = await read(aws, results({"value": "17"}, matched=40), query="stats count_distinct(user) as value")
    assert (reading.values["value"], reading.values["matched"]) == (17.0, 40)


async def test_the_window_ends_where_the_logs_have_settled(aws: StubbedAws) -> None:
    reading = await read(aws, results(), window="10m", settle="60s")
    ((_, asked), *_) = aws.asked
    assert asked["endTime"] == int((NOW - MINUTE).timestamp())
    assert asked["endTime"] - asked["startTime"] == 600
    assert asked["logGroupNames"] == [GROUP]
    assert reading.data_at == NOW - MINUTE


async def test_a_running_query_is_asked_again(aws: StubbedAws) -> None:
    reading = await read(aws, results(status="Scheduled"), results(status="Running"), results(matched=2))
    assert reading.values["value"] == 2.0


P95 = {"kind": "number", "query": "stats pct(durationMs, 95) as value"}


async def test_a_number_is_the_column_value(aws: StubbedAws) -> None:
    assert (await read(aws, results({"value": "8123.5"}, matched=25), **P95)).values["value"] == 8123.5


async def test_a_number_from_nothing_is_no_data(aws: StubbedAws) -> None:
    reading = await read(aws, results(), **P95)
    assert reading.values == {"matched": 0, "scanned": 500}
    assert reading.unknown["value"].reason is Reason.NO_DATA


async def test_a_number_from_too_few_is_low_volume(aws: StubbedAws) -> None:
    reading = await read(aws, results({"value": "8123.5"}, matched=19), min_matched=20, **P95)
    assert reading.unknown["value"].reason is Reason.LOW_VOLUME
    assert reading.values["matched"] == 19


@pytest.mark.parametrize("text", ["NaN", "Infinity", "many", ""])
async def test_a_number_that_is_none_is_an_error(aws: StubbedAws, text: str) -> None:
    reading = await read(aws, results({"value": text}, matched=25), **P95)
    assert reading.unknown["value"].reason is Reason.ERROR


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("Failed", Reason.ERROR),
        ("Cancelled", Reason.ERROR),
        ("Timeout", Reason.TIMEOUT),
        ("Unknown", Reason.ERROR),
    ],
)
async def test_a_query_that_fails_is_unknown_and_stopped(aws: StubbedAws, status: str, reason: Reason) -> None:
    aws.answers("logs", "start_query", {"queryId": "q-1"})
    aws.answers("logs", "get_query_results", results(status=status))
    aws.answers("logs", "stop_query", {"success": True}, {"queryId": "q-1"})
    asked = probe(aws)
    reading = await asked.read(NOW)
    await asked.close()
    aws.done()
    assert reading.unknown["value"].reason is reason
    assert status in reading.unknown["value"].detail


@pytest.mark.parametrize("refused", [False, True], ids=["running", "throttled"])
@pytest.mark.usefixtures("_no_second_call")
async def test_a_query_that_is_not_finished_in_time_is_polled_at_the_next_reading(
    aws: StubbedAws, refused: bool
) -> None:
    aws.answers("logs", "start_query", {"queryId": "q-1"})
    throttles(aws) if refused else aws.answers("logs", "get_query_results", results(status="Running"))
    aws.answers("logs", "get_query_results", results(matched=3), {"queryId": "q-1"})
    asked = probe(aws)
    early, late = await asked.read(NOW), await asked.read(NOW + MINUTE)
    await asked.close()
    aws.done()
    assert {why.reason for why in early.unknown.values()} == {Reason.THROTTLED if refused else Reason.TIMEOUT}
    assert (late.values["value"], late.data_at) == (3.0, NOW - MINUTE)  # about the window that was asked for
    assert "22:24:20 to 22:29:20" in late.evidence.query
    assert operations(aws) == ["StartQuery", *["GetQueryResults"] * 2]


@pytest.mark.usefixtures("_no_second_call")
async def test_the_reading_after_a_late_answer_is_about_its_own_window(aws: StubbedAws) -> None:
    asked = probe(aws)
    aws.answers("logs", "start_query", {"queryId": "q-1"})
    throttles(aws)
    aws.answers("logs", "get_query_results", results(matched=3), {"queryId": "q-1"})
    aws.answers("logs", "start_query", {"queryId": "q-2"})
    aws.answers("logs", "get_query_results", results(matched=4), {"queryId": "q-2"})
    readings = [await asked.read(NOW + number * MINUTE) for number in range(3)]
    aws.done()
    assert (readings[2].values["value"], readings[2].data_at) == (4.0, NOW + MINUTE)


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException", ""])
@pytest.mark.usefixtures("_no_second_call")
async def test_a_query_that_was_kept_and_is_lost_to_aws_is_started_again(aws: StubbedAws, code: str) -> None:
    asked = probe(aws)
    aws.answers("logs", "start_query", {"queryId": "q-1"})
    throttles(aws)
    if code:
        aws.refuses("logs", "get_query_results", code)
    else:
        aws.answers("logs", "get_query_results", results(status="Timeout"), {"queryId": "q-1"})
    aws.answers("logs", "stop_query", {"success": True}, {"queryId": "q-1"})
    aws.answers("logs", "start_query", {"queryId": "q-2"})
    aws.answers("logs", "get_query_results", results(matched=4), {"queryId": "q-2"})
    readings = [await asked.read(NOW), await asked.read(NOW + MINUTE)]
    await asked.close()  # waits until the query is stopped
    readings.append(await asked.read(NOW + 2 * MINUTE))
    aws.done()
    assert [bool(reading.values) for reading in readings] == [False, False, True]


@pytest.mark.usefixtures("_no_second_call")
async def test_a_query_is_not_kept_for_ever(aws: StubbedAws) -> None:
    asked = probe(aws)
    aws.answers("logs", "start_query", {"queryId": "q-1"})
    for number in range(1 + KEPT_FOR_READINGS):
        throttles(aws)
        if number == KEPT_FOR_READINGS:
            aws.answers("logs", "stop_query", {"success": True}, {"queryId": "q-1"})
        await asked.read(NOW + number * MINUTE)
    await asked.close()
    aws.answers("logs", "start_query", {"queryId": "q-2"})
    aws.answers("logs", "get_query_results", results(matched=4), {"queryId": "q-2"})
    reading = await asked.read(NOW + 9 * MINUTE)
    aws.done()
    assert (reading.values["value"], reading.data_at) == (4.0, NOW + 8 * MINUTE)


@pytest.mark.usefixtures("_no_second_call")
async def test_closing_stops_the_query_left_running(aws: StubbedAws) -> None:
    aws.answers("logs", "start_query", {"queryId": "q-1"})
    throttles(aws)
    aws.answers("logs", "stop_query", {"success": True}, {"queryId": "q-1"})
    asked = probe(aws)
    await asked.read(NOW)
    await asked.close()
    aws.done()


async def test_a_query_of_a_reading_that_was_cut_short_is_kept(aws: StubbedAws) -> None:
    aws.answers("logs", "start_query", {"queryId": "q-1"})
    aws.answers("logs", "get_query_results", results(status="Running"))
    aws.answers("logs", "get_query_results", results(matched=3), {"queryId": "q-1"})
    asked = probe(aws)
    reading = asyncio.create_task(asked.read(NOW))
    await until(lambda: operations(aws) == ["StartQuery", "GetQueryResults"])
    await turns()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (await asked.read(NOW + MINUTE)).values["value"] == 3.0
    aws.done()


async def test_stopping_may_fail_without_a_word(aws: StubbedAws) -> None:
    aws.answers("logs", "start_query", {"queryId": "q-1"})
    aws.answers("logs", "get_query_results", results(status="Failed"))
    aws.refuses("logs", "stop_query", "InvalidParameterException", "already ended")
    asked = probe(aws)
    await asked.read(NOW)
    await asked.close()
    aws.done()


async def test_a_throttled_poll_waits_and_the_query_is_not_lost(aws: StubbedAws) -> None:
    aws.answers("logs", "start_query", {"queryId": "q-1"})
    aws.answers("logs", "get_query_results", results(status="Running"))
    aws.refuses("logs", "get_query_results", "ThrottlingException", "Rate exceeded")
    aws.refuses("logs", "get_query_results", "ThrottlingException", "Rate exceeded")
    aws.answers("logs", "get_query_results", results(matched=3), {"queryId": "q-1"})
    reading = await probe(aws).read(NOW)
    aws.done()
    assert reading.values["value"] == 3.0
    assert [operation for operation, _ in aws.asked] == ["StartQuery", *["GetQueryResults"] * 4]


@pytest.mark.parametrize("code", ["ThrottlingException", "LimitExceededException"])
async def test_a_query_that_may_not_start_yet_starts_later(aws: StubbedAws, code: str) -> None:
    aws.refuses("logs", "start_query", code)
    aws.answers("logs", "start_query", {"queryId": "q-1"})
    aws.answers("logs", "get_query_results", results(matched=3), {"queryId": "q-1"})
    assert (await probe(aws).read(NOW)).values["value"] == 3.0
    aws.done()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ResourceNotFoundException", Reason.NOT_FOUND),
        ("AccessDeniedException", Reason.ACCESS_DENIED),
        ("LimitExceededException", Reason.THROTTLED),
        ("MalformedQueryException", Reason.REFUSED),
    ],
)
@pytest.mark.usefixtures("_no_second_call")
async def test_a_refusal_makes_everything_unknown(aws: StubbedAws, code: str, reason: Reason) -> None:
    aws.refuses("logs", "start_query", code)
    reading = await probe(aws).read(NOW)  # no time to ask again
    assert not reading.values
    assert {unknown.reason for unknown in reading.unknown.values()} == {reason}


async def test_secrets_in_log_lines_are_hidden(aws: StubbedAws) -> None:
    line = {"@message": "connecting to postgresql://app:hunter2hunter2@db/x"}
    assert "hunter2" not in repr((await read(aws, results(line, matched=1))).evidence)


def test_several_groups_and_their_arns() -> None:
    aws = StubbedAws()
    several = probe(aws, log_group=[GROUP, "/other"])
    assert several.resources()["logs:StartQuery"] == (
        f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}:*",
        "arn:aws:logs:us-east-1:123456789012:log-group:/other:*",
    )


@pytest.mark.parametrize("wrong", [{"query": ""}, {"log_group": []}, {"window": "0s"}, {"kind": "rate"}])
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LogsQueryParams.model_validate({"log_group": GROUP, "query": "x"} | wrong)
