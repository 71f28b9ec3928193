"""Uploads: a failure hidden behind a 201 is found by whoever can see it, and blindness is never a low rate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError
from support.aws.queued import MINUTE, NOW, StubbedAws

from probes.aws.s3_uploads import FELL_BACK, UPLOADED, S3Uploads, S3UploadsParams
from probes.low_volume import bounds
from probes.reading import Bounds, Reading, Reason

pytest_plugins = ["support.real_server"]

LOG = {"log_group": "/ecs/transparent-trust-web"}
BUCKET = {"bucket": "transparent-trust-documents-prod", "filter_id": "EntireBucket"}
END = NOW.replace(second=0) - MINUTE
"""22:29: the window is settled up to here."""


@pytest.fixture
async def aws() -> AsyncIterator[StubbedAws]:
    stubbed = StubbedAws()
    yield stubbed
    await stubbed.clients.close()


async def read(aws: StubbedAws, **params: Any) -> Reading:
    reading = await S3Uploads(S3UploadsParams.model_validate(params), aws.clients).read(NOW)
    aws.done()
    return reading


def logged(
    aws: StubbedAws,
    uploaded: int = 0,
    fell_back: int = 0,
    scanned: float = 900.0,
    skipped: float = 0.0,
    *,
    start: bool = True,
) -> None:
    """Queue the log's answer: rows by message, none for a message that does not occur."""
    counts = {UPLOADED: uploaded, FELL_BACK: fell_back}
    rows = [
        [{"field": "message", "value": message}, {"field": "uploads", "value": str(count)}]
        for message, count in counts.items()
        if count
    ]
    statistics = {"recordsScanned": scanned, "recordsMatched": float(uploaded + fell_back), "bytesScanned": 1.0}
    statistics["estimatedRecordsSkipped"] = skipped
    if start:
        aws.answers("logs", "start_query", {"queryId": "q"})
    aws.answers("logs", "get_query_results", {"status": "Complete", "results": rows, "statistics": statistics})


def stored(admin: psycopg.Connection, table: str, count: int, key: str | None, age: timedelta = 5 * MINUTE) -> None:
    at = (END - age).replace(tzinfo=None)
    insert = psycopg.sql.SQL('INSERT INTO {} ("s3Key", "createdAt") VALUES (%s, %s)')
    for _ in range(count):
        admin.execute(insert.format(psycopg.sql.Identifier(table)), (key, at))


# -- the log -----------------------------------------------------------------------------------------------------------


async def test_the_log_alone_tells_the_rate(aws: StubbedAws) -> None:
    logged(aws, uploaded=18, fell_back=2)
    reading = await read(aws, **LOG)
    assert reading.values == {
        "uploads": 20,
        "failures": 2,
        "failure_rate": 0.1,
        "rate_per_min": 2.0,
        "log_failure_rate": 0.1,
        "sources": 1,
    }
    assert reading.data_at == END
    absent = ("row_failure_rate", "bucket_puts", "bucket_errors", "new_rows", "new_rows_without_key")
    assert {reading.unknown[name].reason for name in absent} == {Reason.NO_DATA}


async def test_the_log_is_asked_for_both_lines_in_the_settled_window(aws: StubbedAws) -> None:
    logged(aws, uploaded=20)
    await read(aws, **LOG, window="10m")
    asked = aws.asked[0][1]
    assert (asked["startTime"], asked["endTime"]) == (int((END - 10 * MINUTE).timestamp()), int(END.timestamp()))
    assert UPLOADED in asked["queryString"]
    assert FELL_BACK in asked["queryString"]


async def test_no_failures_among_enough_uploads_is_zero(aws: StubbedAws) -> None:
    logged(aws, uploaded=20)
    assert (await read(aws, **LOG)).values["failure_rate"] == 0.0


async def test_too_few_uploads_say_nothing_of_the_rate(aws: StubbedAws) -> None:
    logged(aws, uploaded=8, fell_back=1)
    reading = await read(aws, **LOG)
    assert reading.unknown["failure_rate"].reason is Reason.LOW_VOLUME
    assert reading.unknown["log_failure_rate"].reason is Reason.LOW_VOLUME
    assert (reading.values["uploads"], reading.values["failures"]) == (9, 1)


async def test_a_silent_log_is_blind(aws: StubbedAws) -> None:
    logged(aws, scanned=0)
    reading = await read(aws, **LOG)
    assert reading.values == {"sources": 0}
    assert reading.unknown["failure_rate"].reason is Reason.NO_DATA
    assert "blind" in reading.evidence.lines[0]


async def test_a_log_of_which_an_index_skipped_events_is_not_silent(aws: StubbedAws) -> None:
    logged(aws, scanned=0, skipped=4000)
    reading = await read(aws, **LOG)
    assert reading.values["sources"] == 1
    assert reading.unknown["failure_rate"].reason is not Reason.NO_DATA


async def test_a_log_query_that_was_late_is_compared_with_the_rows_of_its_window(
    aws: StubbedAws, postgres_admin: psycopg.Connection, cockpit_dsn: str
) -> None:
    asked = S3Uploads(S3UploadsParams.model_validate(LOG | {"dsn": cockpit_dsn}), aws.clients)
    stored(postgres_admin, "KnowledgeDocument", 20, "k")
    stored(postgres_admin, "KnowledgeDocument", 3, "k", age=-MINUTE / 2)
    aws.answers("logs", "start_query", {"queryId": "q"})
    for _ in range(2):
        aws.refuses("logs", "get_query_results", "InternalFailure", status=500)
    await asked.read(NOW)
    waiting = await asked.read(NOW + MINUTE)
    logged(aws, uploaded=20, start=False)
    late = await asked.read(NOW + 2 * MINUTE)
    aws.done()
    # As long as the log says nothing, the rows are the newest.
    assert (waiting.values["sources"], waiting.values["new_rows"], waiting.data_at) == (1, 23, END + MINUTE)
    assert (late.values["sources"], late.values["new_rows"], late.data_at) == (2, 20, END)
    assert late.values["failure_rate"] == 0.0
    assert f"{END:%H:%M} UTC" in late.evidence.query


async def test_a_refused_log_query_is_the_reason(aws: StubbedAws) -> None:
    aws.refuses("logs", "start_query", "AccessDeniedException")
    reading = await read(aws, **LOG)
    assert reading.unknown["failure_rate"].reason is Reason.ACCESS_DENIED
    assert reading.unknown["uploads"].reason is Reason.ACCESS_DENIED


# -- the bucket's metrics ----------------------------------------------------------------------------------------------


async def test_a_get_of_a_missing_key_is_no_failed_upload(
    aws: StubbedAws, postgres_admin: psycopg.Connection, cockpit_dsn: str
) -> None:
    """4xxErrors counts every request: reads of missing keys, create-only writes, a bucket without a policy."""
    stored(postgres_admin, "KnowledgeDocument", 40, "documents/a.pdf")
    logged(aws, uploaded=40)
    aws.metrics([4] * 10, [6] * 10, [], end=NOW - MINUTE)
    reading = await read(aws, **LOG, **BUCKET, dsn=cockpit_dsn)
    assert (reading.values["failure_rate"], reading.values["failures"], reading.values["uploads"]) == (0.0, 0, 40)
    assert (reading.values["bucket_puts"], reading.values["bucket_errors"]) == (40, 60)
    assert reading.evidence.lines[-1].startswith("bucket: 40 writes by anybody, 60 errors of any request")


async def test_what_the_migration_writes_is_no_upload(aws: StubbedAws) -> None:
    logged(aws, uploaded=3)
    aws.metrics([5000], [], [], end=NOW - MINUTE)
    reading = await read(aws, **LOG, **BUCKET)
    assert (reading.values["uploads"], reading.values["rate_per_min"]) == (3, 0.3)
    assert reading.unknown["failure_rate"].reason is Reason.LOW_VOLUME


def test_the_bucket_alone_is_no_witness() -> None:
    with pytest.raises(ValidationError, match="cannot tell an upload from any other request"):
        S3UploadsParams.model_validate(BUCKET)


async def test_the_bucket_is_asked_by_its_filter(aws: StubbedAws) -> None:
    logged(aws, uploaded=20)
    aws.metrics([30], [6], [3], end=NOW - MINUTE)
    await read(aws, **LOG, **BUCKET)
    asked = next(params for name, params in aws.asked if name == "GetMetricData")
    dimensions = asked["MetricDataQueries"][0]["MetricStat"]["Metric"]["Dimensions"]
    assert {d["Name"]: d["Value"] for d in dimensions} == {"BucketName": BUCKET["bucket"], "FilterId": "EntireBucket"}


async def test_no_put_in_the_window_is_no_data(aws: StubbedAws) -> None:
    logged(aws, uploaded=20)
    aws.metrics([], [], [], end=NOW - MINUTE)
    reading = await read(aws, **LOG, **BUCKET)
    assert reading.unknown["bucket_puts"].reason is Reason.NO_DATA
    assert "not enabled" in reading.unknown["bucket_puts"].hint


async def test_metrics_cut_short_are_blind_and_hide_nothing(aws: StubbedAws) -> None:
    logged(aws, uploaded=20)
    aws.metrics([30], [], [], StatusCode="PartialData", end=NOW - MINUTE)
    reading = await read(aws, **LOG, **BUCKET)
    assert reading.unknown["bucket_errors"].reason is Reason.PARTIAL
    assert reading.values["failure_rate"] == 0.0


# -- the rows ----------------------------------------------------------------------------------------------------------


async def test_rows_without_a_key_are_failures(
    aws: StubbedAws, postgres_admin: psycopg.Connection, cockpit_dsn: str
) -> None:
    stored(postgres_admin, "KnowledgeDocument", 9, "documents/a.pdf")
    stored(postgres_admin, "CustomerDocument", 3, None)
    stored(postgres_admin, "KnowledgeDocument", 5, None, age=11 * MINUTE)
    stored(postgres_admin, "KnowledgeDocument", 5, None, age=-MINUTE)
    reading = await read(aws, dsn=cockpit_dsn)
    assert (reading.values["new_rows"], reading.values["new_rows_without_key"]) == (12, 3)
    assert reading.values["row_failure_rate"] == reading.values["failure_rate"] == 0.25
    assert cockpit_dsn not in repr(reading)


async def test_no_new_row_is_a_count_of_zero_and_no_rate(
    aws: StubbedAws, postgres_admin: psycopg.Connection, cockpit_dsn: str
) -> None:
    reading = await read(aws, dsn=cockpit_dsn)
    assert (reading.values["new_rows"], reading.values["uploads"], reading.values["rate_per_min"]) == (0, 0, 0.0)
    assert reading.unknown["failure_rate"].reason is Reason.LOW_VOLUME


async def test_a_missing_column_is_named(aws: StubbedAws, cockpit_dsn: str) -> None:
    reading = await read(aws, dsn=cockpit_dsn, key_column="s3ObjectKey")
    assert reading.unknown["new_rows"].reason is Reason.NOT_FOUND
    assert "s3ObjectKey" in reading.unknown["new_rows"].detail


# -- together ----------------------------------------------------------------------------------------------------------


async def test_the_worst_witness_counts(aws: StubbedAws, postgres_admin: psycopg.Connection, cockpit_dsn: str) -> None:
    stored(postgres_admin, "KnowledgeDocument", 20, None)
    logged(aws, uploaded=20)
    aws.metrics([20], [1], [], end=NOW - MINUTE)
    reading = await read(aws, **LOG, **BUCKET, dsn=cockpit_dsn)
    assert (reading.values["sources"], reading.values["failure_rate"]) == (2, 1.0)
    assert reading.values["log_failure_rate"] == 0.0
    assert not reading.unknown
    assert len(reading.evidence.lines) == 3


async def test_a_blind_witness_makes_a_low_rate_partial(aws: StubbedAws) -> None:
    logged(aws, uploaded=49, fell_back=1)
    reading = await read(aws, **LOG, dsn="postgresql://u:p@127.0.0.1:1/db")
    assert reading.unknown["failure_rate"].reason is Reason.PARTIAL
    assert "row: " in reading.unknown["failure_rate"].detail
    assert reading.unknown["new_rows"].reason is Reason.UNREACHABLE
    assert reading.values["log_failure_rate"] == 0.02


async def test_a_blind_witness_does_not_hide_a_high_rate(aws: StubbedAws) -> None:
    logged(aws, uploaded=16, fell_back=4)
    reading = await read(aws, **LOG, dsn="postgresql://u:p@127.0.0.1:1/db")
    assert reading.values["failure_rate"] == 0.2


async def test_a_log_that_was_refused_does_not_make_the_rows_enough(
    aws: StubbedAws, postgres_admin: psycopg.Connection, cockpit_dsn: str
) -> None:
    stored(postgres_admin, "KnowledgeDocument", 20, "documents/a.pdf")
    aws.refuses("logs", "start_query", "ThrottlingException")
    reading = await read(aws, **LOG, dsn=cockpit_dsn)
    assert reading.unknown["failure_rate"].reason is Reason.PARTIAL
    assert reading.values["row_failure_rate"] == 0.0


async def test_blind_metrics_alone_hide_nothing_the_log_and_rows_see(
    aws: StubbedAws, postgres_admin: psycopg.Connection, cockpit_dsn: str
) -> None:
    stored(postgres_admin, "KnowledgeDocument", 20, "documents/a.pdf")
    logged(aws, uploaded=20)
    aws.refuses("cloudwatch", "get_metric_data", "AccessDenied")
    reading = await read(aws, **LOG, **BUCKET, dsn=cockpit_dsn)
    assert reading.values["failure_rate"] == 0.0
    assert reading.unknown["bucket_errors"].reason is Reason.ACCESS_DENIED


async def test_few_uploads_that_all_fail_are_surely_too_many(aws: StubbedAws) -> None:
    logged(aws, fell_back=8)
    why = (await read(aws, **LOG)).unknown["failure_rate"]
    assert (why.reason, why.bounds) == (Reason.LOW_VOLUME, bounds(8, 8))
    assert why.detail.startswith("8 of 10 uploads")


async def test_a_source_with_few_uploads_is_not_hidden_by_one_with_enough(
    aws: StubbedAws, postgres_admin: psycopg.Connection, cockpit_dsn: str
) -> None:
    stored(postgres_admin, "KnowledgeDocument", 8, None)
    logged(aws, uploaded=20)
    why = (await read(aws, **LOG, dsn=cockpit_dsn)).unknown["failure_rate"]
    assert (why.reason, why.bounds) == (Reason.LOW_VOLUME, bounds(8, 8))


async def test_what_a_blind_witness_hides_can_only_add_to_the_rate(aws: StubbedAws) -> None:
    logged(aws, uploaded=49, fell_back=1)
    why = (await read(aws, **LOG, dsn="postgresql://u:p@127.0.0.1:1/db")).unknown["failure_rate"]
    assert why.bounds == Bounds(0.02, 1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"bucket": "b"},
        {"filter_id": "f"},
        LOG | {"tables": ['x"; DROP TABLE y; --']},
        LOG | {"key_column": "a b"},
        LOG | {"window": "30s"},
    ],
)
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        S3UploadsParams.model_validate(wrong)
