"""CloudWatch Logs: filter patterns, Insights queries, metric filters."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rehearsal.test_aws_desk import START, Desk, code_of, open_desk

from cockpit.rehearsal.aws.cloudwatch.metric_store import MetricStore
from cockpit.rehearsal.aws.logs.filter_pattern import PatternError, compile_pattern
from cockpit.rehearsal.aws.logs.insights import compile_query
from cockpit.rehearsal.aws.logs.insights_expressions import QueryError
from cockpit.rehearsal.aws.logs.log_store import KEPT, LogStore
from cockpit.rehearsal.aws_profile import WORST
from probes.aws.logs_query import LogsQuery, LogsQueryParams
from probes.clients.clients import AwsOptions, Clients

GROUP = "/ecs/transparent-trust-web"
UPLOADED, FELL_BACK = "Document uploaded to S3", "S3 upload failed, falling back to database storage"


@pytest.fixture
def desk() -> Iterator[Desk]:
    with open_desk() as opened:
        opened.client("logs").create_log_group(logGroupName=GROUP)
        yield opened


def line(level: str, message: str, **extra: Any) -> str:
    return json.dumps({"level": level, "message": message, **extra})


def write(desk: Desk, at_s: float, text: str, stream: str = "web/web/1") -> None:
    desk.aws.logs.put(GROUP, stream, START + timedelta(seconds=at_s), text)


def story(desk: Desk) -> None:
    """Ten minutes: 20 LLM calls of 500..10000 ms, 8 uploads, 2 that fell back, one OAuth error."""
    for number in range(1, 21):
        write(desk, number * 20, line("info", "LLM call completed", durationMs=number * 500, model="m"))
    for number in range(8):
        write(desk, 60 * number + 5, line("info", UPLOADED))
    for number in (3, 6):
        write(desk, 60 * number + 7, line("error", FELL_BACK, code="AccessDenied"), stream="web/web/2")
    write(desk, 300, line("error", "OAuthCallback error"))
    write(desk, 301, "plain text, not JSON")
    desk.clock.time = START + timedelta(minutes=11)


def ask(desk: Desk, query: str, minutes: int = 10, **more: Any) -> tuple[list[dict[str, str]], dict[str, float]]:
    logs = desk.client("logs")
    end = START + timedelta(minutes=minutes)
    started = logs.start_query(
        logGroupNames=[GROUP],
        startTime=int(START.timestamp()),
        endTime=int(end.timestamp()),
        queryString=query,
        **more,
    )
    first = logs.get_query_results(queryId=started["queryId"])
    assert (first["status"], first["results"]) == ("Running", [])
    answer = logs.get_query_results(queryId=started["queryId"])
    assert answer["status"] == "Complete"
    rows = [{cell["field"]: cell["value"] for cell in row} for row in answer["results"]]
    return rows, answer["statistics"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('filter @message like /S3/ or "OAuth" | stats count(*) as value', [{"value": "11"}]),
        ('filter level = "error" and message like /S3/ | stats count(*) as value', [{"value": "2"}]),
        (
            "filter message = 'LLM call completed' | stats pct(durationMs, 95) as value, count(*) as n",
            [{"value": "9500", "n": "20"}],
        ),
        ('stats sum(strcontains(@message,"falling back")) as failed', [{"failed": "2"}]),
        (
            "filter ispresent(durationMs) | stats avg(durationMs) as a, min(durationMs) as b, max(durationMs) as c",
            [{"a": "5250", "b": "500", "c": "10000"}],
        ),
        (
            f'filter message in ["{UPLOADED}", "{FELL_BACK}"] | stats count(*) as uploads by message | sort uploads desc',
            [{"message": UPLOADED, "uploads": "8"}, {"message": FELL_BACK, "uploads": "2"}],
        ),
        (
            f'filter message = "{UPLOADED}" | stats count(*) as n by bin(5m)',
            [{"bin(5m)": "2024-12-28 22:00:00.000", "n": "5"}, {"bin(5m)": "2024-12-28 22:05:00.000", "n": "3"}],
        ),
        (
            f'stats sum(strcontains(message, "{FELL_BACK}")) * 100 / sum(strcontains(message, "S3")) as rate',
            [{"rate": "20"}],
        ),
        (
            "filter durationMs > 9000 | fields @timestamp, durationMs / 1000 as seconds | sort durationMs desc | limit 1",
            [{"@timestamp": "2024-12-28 22:06:40.000", "seconds": "10"}],
        ),
        (
            "filter level in ['error'] and not message like /OAuth/ | stats count_distinct(@logStream) as n",
            [{"n": "1"}],
        ),
        (
            'filter code = "AccessDenied" | parse @message "S3 * failed" as what | stats count(*) as n by what',
            [{"what": "upload", "n": "2"}],
        ),
        (
            "parse message /(?<verb>uploaded|failed)/ | filter ispresent(verb) | stats count() as n by verb | sort n",
            [{"verb": "failed", "n": "2"}, {"verb": "uploaded", "n": "8"}],
        ),
        # comments, case and line breaks as people write them
        ('# how slow\nFILTER message = "LLM call completed"\n| STATS median(durationMs) as m', [{"m": "5250"}]),
    ],
)
def test_insights_queries(desk: Desk, query: str, expected: list[dict[str, str]]) -> None:
    story(desk)
    rows, _ = ask(desk, query)
    assert [{name: value for name, value in row.items() if name != "@ptr"} for row in rows] == expected


def test_statistics_tell_what_was_scanned_and_what_matched(desk: Desk) -> None:
    story(desk)
    _, statistics = ask(desk, 'filter level = "error"')
    assert (statistics["recordsScanned"], statistics["recordsMatched"]) == (32.0, 3.0)
    assert statistics["bytesScanned"] > 1000
    _, statistics = ask(desk, 'filter level = "error"', minutes=1)
    assert (statistics["recordsScanned"], statistics["recordsMatched"]) == (4.0, 0.0)


def test_a_count_over_no_matches_is_an_empty_list_and_no_zero(desk: Desk) -> None:
    story(desk)
    rows, statistics = ask(desk, 'filter level = "fatal" | stats count(*) as value')
    assert rows == []
    assert statistics["recordsScanned"] == 32.0


def test_without_fields_the_newest_events_come_first_with_their_message(desk: Desk) -> None:
    story(desk)
    rows, _ = ask(desk, 'filter level = "error"', limit=2)
    assert [row["@timestamp"] for row in rows] == ["2024-12-28 22:06:07.000", "2024-12-28 22:05:00.000"]
    assert json.loads(rows[0]["@message"])["message"] == FELL_BACK
    assert rows[0]["@ptr"] != rows[1]["@ptr"]


def test_events_younger_than_the_ingestion_delay_are_not_found_yet(desk: Desk) -> None:
    write(desk, 0, line("info", "now"))
    assert ask(desk, "stats count(*) as n")[0] == []
    desk.clock.time += timedelta(seconds=5)
    assert ask(desk, "stats count(*) as n")[0] == [{"n": "1"}]


def test_queries_that_cannot_run_are_refused(desk: Desk) -> None:
    for query in (
        "filter",
        "stats",
        "filter level ==",
        "frobnicate x",
        "stats count(*) as n | ",
        "filter message like /(/",
        "limit x",
    ):
        with pytest.raises(ClientError) as refused:
            ask(desk, query)
        assert code_of(refused) == "MalformedQueryException", query
    with pytest.raises(ClientError) as refused:
        desk.client("logs").start_query(logGroupName="no", startTime=0, endTime=1, queryString="fields @message")
    assert code_of(refused) == "ResourceNotFoundException"
    with pytest.raises(QueryError, match="parse: 2 wildcards and 1 names"):
        compile_query('parse @message "* *" as one')


def test_a_query_can_be_stopped(desk: Desk) -> None:
    logs = desk.client("logs")
    query = logs.start_query(logGroupName=GROUP, startTime=0, endTime=1, queryString="fields @message")["queryId"]
    assert logs.stop_query(queryId=query)["success"] is True
    assert logs.get_query_results(queryId=query)["status"] == "Cancelled"


async def test_three_cockpits_at_once_on_one_account_lose_no_reading() -> None:
    queries = [f'filter message = "{message}"' for message in (UPLOADED, FELL_BACK, "OAuthCallback error", "none")]
    asked: Counter[str] = Counter()
    with open_desk(profile=WORST) as desk:
        desk.client("logs").create_log_group(logGroupName=GROUP)
        story(desk)

        def note(parsed: dict[str, Any], model: Any, **_: Any) -> None:
            asked[parsed.get("Error", {}).get("Code", model.name)] += 1

        desk.client("logs").meta.events.register("after-call.cloudwatch-logs.*", note)
        cockpits = [Clients(AwsOptions(region="us-east-1"), desk.client) for _ in range(3)]
        given = [{"log_group": GROUP, "query": query, "window": "11m", "settle": "0s"} for query in queries]
        probes = [LogsQuery(LogsQueryParams.model_validate(each), own) for own in cockpits for each in given]
        readings = asyncio.gather(*(probe.read(desk.clock.now()) for probe in probes))
        while not readings.done():
            await asyncio.sleep(0.01)
            desk.clock.time += timedelta(seconds=0.2)  # the quota fills again
        for probe in probes:
            await probe.close()
        for own in cockpits:
            await own.close()
    assert [reading.values.get("value") for reading in await readings] == [8.0, 2.0, 1.0, 0.0] * 3
    assert asked["ThrottlingException"] > 0
    assert (asked["StartQuery"], asked["StopQuery"]) == (len(probes), 0)  # each query started was answered


MESSAGES = [
    "ERROR out of memory",
    "ERROR disk",
    "WARN out of memory",
    line("error", "S3 upload failed", status=503, user={"id": 7}, tags=["a", "b"]),
]


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("", [0, 1, 2, 3]),
        ("ERROR", [0, 1]),
        ('"out of memory"', [0, 2]),
        ("ERROR memory", [0]),
        ("?WARN ?disk", [1, 2]),
        ("ERROR -disk", [0]),
        ("-ERROR", [2, 3]),
        ("%(?i)error.*mem%", [0]),
        ('{ $.level = "error" }', [3]),
        ('{ $.level = "error" && $.status >= 500 }', [3]),
        ('{ $.level = "info" || $.status = 503 }', [3]),
        ('{ ($.level = "error" && $.status < 500) || $.user.id = 7 }', [3]),
        ('{ $.message = "S3*" }', [3]),
        ("{ $.message = %fail(ed|ure)% }", [3]),
        ('{ $.tags[1] = "b" }', [3]),
        ('{ $.level != "error" }', []),
        ("{ $.missing NOT EXISTS }", [3]),
        ('{ $.missing = "x" }', []),
    ],
)
def test_filter_patterns(desk: Desk, pattern: str, matching: list[int]) -> None:
    for place, message in enumerate(MESSAGES):
        write(desk, place, message)
    desk.clock.time += timedelta(minutes=1)
    events = desk.client("logs").filter_log_events(logGroupName=GROUP, filterPattern=pattern)["events"]
    assert [MESSAGES.index(event["message"]) for event in events] == matching


@pytest.mark.parametrize("pattern", ["{ $.a = }", "{ $.a }", "{ $.a > x }", "[a, b]", "{ $.a = 1", "{ $.a = 1 || }"])
def test_patterns_that_cannot_be_understood_are_refused(desk: Desk, pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)
    with pytest.raises(ClientError) as refused:
        desk.client("logs").filter_log_events(logGroupName=GROUP, filterPattern=pattern)
    assert code_of(refused) == "InvalidParameterException"


def test_events_put_through_the_api_are_found_by_stream_window_and_page(desk: Desk) -> None:
    logs = desk.client("logs")
    logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
    stamp = int(START.timestamp() * 1000)
    logs.put_log_events(
        logGroupName=GROUP,
        logStreamName="s",
        logEvents=[{"timestamp": stamp + n, "message": f"line {n}"} for n in range(5)],
    )
    desk.clock.time += timedelta(minutes=1)
    page = logs.filter_log_events(logGroupName=GROUP, limit=3, startTime=stamp + 1)
    rest = logs.filter_log_events(logGroupName=GROUP, limit=3, startTime=stamp + 1, nextToken=page["nextToken"])
    assert [event["message"] for event in page["events"] + rest["events"]] == ["line 1", "line 2", "line 3", "line 4"]
    assert logs.describe_log_streams(logGroupName=GROUP)["logStreams"][0]["lastEventTimestamp"] == stamp + 4
    assert len(logs.get_log_events(logGroupName=GROUP, logStreamName="s", limit=2)["events"]) == 2
    with pytest.raises(ClientError) as refused:
        logs.put_log_events(logGroupName=GROUP, logStreamName="nope", logEvents=[{"timestamp": stamp, "message": "x"}])
    assert code_of(refused) == "ResourceNotFoundException"


def test_a_metric_filter_counts_lines_into_a_metric(desk: Desk) -> None:
    logs = desk.client("logs")
    logs.put_metric_filter(
        logGroupName=GROUP,
        filterName="fallbacks",
        filterPattern=f'{{ $.message = "{FELL_BACK}" }}',
        metricTransformations=[
            {"metricName": "Failures", "metricNamespace": "App", "metricValue": "1", "defaultValue": 0},
        ],
    )
    logs.put_metric_filter(
        logGroupName=GROUP,
        filterName="duration",
        filterPattern="{ $.durationMs >= 0 }",
        metricTransformations=[{"metricName": "Duration", "metricNamespace": "App", "metricValue": "$.durationMs"}],
    )
    story(desk)
    cloudwatch = desk.client("cloudwatch")
    window = {"Namespace": "App", "StartTime": START, "EndTime": desk.clock.time, "Period": 900}
    failures = cloudwatch.get_metric_statistics(MetricName="Failures", Statistics=["Sum", "SampleCount"], **window)
    assert [(p["Sum"], p["SampleCount"]) for p in failures["Datapoints"]] == [(2.0, 32.0)]
    slowest = cloudwatch.get_metric_statistics(MetricName="Duration", Statistics=["Maximum"], **window)
    assert slowest["Datapoints"][0]["Maximum"] == 10000.0
    assert {f["filterName"] for f in logs.describe_metric_filters(logGroupName=GROUP)["metricFilters"]} == {
        "fallbacks",
        "duration",
    }


def test_old_events_are_forgotten() -> None:
    now = START
    store = LogStore(lambda: now, MetricStore(lambda: now))
    for minute in range(4000):
        now = START + timedelta(minutes=minute / 10)
        store.put(GROUP, "s", now, "x")
    kept = store.between(GROUP, 0, 1 << 62)
    assert len(kept) < 4000
    assert START + timedelta(milliseconds=kept[0].timestamp - START.timestamp() * 1000) >= now - KEPT - timedelta(
        minutes=2
    )


def test_events_out_of_order_are_kept_in_order(desk: Desk) -> None:
    for second in (5, 1, 3):
        write(desk, second, f"at {second}")
    desk.clock.time += timedelta(minutes=1)
    events = desk.client("logs").filter_log_events(logGroupName=GROUP)["events"]
    assert [event["message"] for event in events] == ["at 1", "at 3", "at 5"]
