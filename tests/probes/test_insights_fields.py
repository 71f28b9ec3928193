"""Fields that a log query reads: found in its text, and looked for in the events of the last day."""

from __future__ import annotations

import pytest
from support.aws.modelled import NOW, ModelledAws

from probes.aws.insights_fields import fields_read, never_logged


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ('filter mesage = "OAuthCallback error"', ("mesage",)),
        ("filter level = 'error' and message like /S3 upload|P2024/", ("level", "message")),
        ('filter message = "done" | stats pct(durationMs, 95) as value by bin(5m)', ("message", "durationMs")),
        ("fields @timestamp, @message, `user-agent` | sort @timestamp desc | limit 20", ("user-agent",)),
        ('parse @message "user=* took=*" as user, took | filter took > 100 | stats count(*) by user', ()),
        ("parse message /id=(?<id>.*)/ | stats count(*) as value by id", ("message",)),
        (
            "# a comment about fieldX\nfilter ispresent(error.code) and not (status in [500, 502])",
            ("error.code", "status"),
        ),
        ("fields duration / 1000 as seconds | filter seconds > 3", ("duration",)),
        ("stats count(*) as value", ()),
    ],
)
def test_the_fields_a_query_reads(query: str, fields: tuple[str, ...]) -> None:
    assert fields_read(query) == fields


async def missing(counts: dict[str, str], scanned: float) -> tuple[tuple[str, ...], ModelledAws]:
    aws = ModelledAws()
    rows = [[{"field": name, "value": value} for name, value in counts.items()]]
    statistics = {"recordsScanned": scanned, "recordsMatched": scanned, "bytesScanned": 1.0}
    aws.on["StartQuery"] = {"queryId": "q"}
    aws.on["GetQueryResults"] = {"status": "Complete", "results": rows, "statistics": statistics}
    try:
        return await never_logged(aws.clients, ["/g"], 'filter mesage = "x" and level = "error"', NOW), aws
    finally:
        await aws.clients.close()


async def test_a_field_no_event_of_the_last_day_has_is_named() -> None:
    found, aws = await missing({"n0": "0", "n1": "31"}, 500.0)
    assert found == ("mesage",)
    asked = next(params for operation, params in aws.asked if operation == "StartQuery")
    assert asked["queryString"] == "stats count(`mesage`) as n0, count(`level`) as n1"
    assert asked["endTime"] - asked["startTime"] == 86_400


async def test_where_nothing_was_logged_nothing_is_said_of_fields() -> None:
    assert (await missing({"n0": "0", "n1": "0"}, 0.0))[0] == ()
