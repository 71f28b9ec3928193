"""Snapshots: only a finished one brings a database back, and a copy is as old as what it holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.aws.modelled import DENIED, NOW, REQUEST_ID, THROTTLED, ModelledAws, paged, refusal

from probes.aws.rds_snapshots import RdsSnapshots, SnapshotsParams
from probes.reading import Bounds, Reading, Reason

HOUR = timedelta(hours=1)
AGES = {"newest_age_s", "newest_automated_age_s", "newest_manual_age_s"}


def snapshot(name: str, age: timedelta | None, kind: str = "automated", **more: Any) -> dict[str, Any]:
    told = {"DBSnapshotIdentifier": name, "SnapshotType": kind, "Status": "available", "PercentProgress": 100}
    dated = {} if age is None else {"SnapshotCreateTime": NOW - age, "OriginalSnapshotCreateTime": NOW - age}
    return told | {"Encrypted": True} | dated | more


@pytest.fixture
async def aws() -> AsyncIterator[ModelledAws]:
    modelled = ModelledAws()
    yield modelled
    await modelled.clients.close()


async def read(aws: ModelledAws, *snapshots: Any, after: datetime | None = None, said: Any = None) -> Reading:
    aws.on["DescribeDBSnapshots"] = said or {"DBSnapshots": list(snapshots)}
    return await RdsSnapshots(SnapshotsParams(instance="db", after=after), aws.clients).read(NOW)


async def test_one_in_a_new_status_may_be_the_one_that_was_to_be_taken(aws: ModelledAws) -> None:
    new = snapshot("sealed", HOUR, "manual") | {"Status": "sealing"}
    old = snapshot("rds:db-1", 6 * HOUR)
    assert (await read(aws, old, new, after=NOW - 2 * HOUR)).unknown["taken_after"].reason is Reason.NO_DATA
    assert (await read(aws, old, new, after=NOW - 7 * HOUR)).values["taken_after"] is True
    assert (await read(aws, old, new, after=NOW - HOUR / 2)).values["taken_after"] is False


async def test_an_instance_by_its_arn(aws: ModelledAws) -> None:
    aws.on["DescribeDBSnapshots"] = {"DBSnapshots": [snapshot("rds:db-1", HOUR)]}
    asked = SnapshotsParams(instance="arn:aws-cn:rds:cn-north-1:123456789012:db:db")
    assert (await RdsSnapshots(asked, aws.clients).read(NOW)).values["available"] == 1
    assert dict(aws.asked)["DescribeDBSnapshots"]["DBInstanceIdentifier"] == "db"


async def test_an_automated_and_a_manual_one(aws: ModelledAws) -> None:
    reading = await read(
        aws,
        snapshot("rds:db-1", 30 * HOUR),
        snapshot("rds:db-2", 6 * HOUR),
        snapshot("before-cutover", HOUR, "manual"),
        after=NOW - 2 * HOUR,
    )
    assert reading.values == {
        "available": 3,
        "creating": 0,
        "failed": 0,
        "newest_age_s": 3600.0,
        "newest_automated_age_s": 6 * 3600.0,
        "newest_manual_age_s": 3600.0,
        "newest": "before-cutover",
        "newest_type": "manual",
        "newest_status": "available",
        "newest_progress": 100,
        "newest_encrypted": True,
        "taken_after": True,
    }
    assert not reading.unknown
    assert reading.evidence.request_id == REQUEST_ID
    assert reading.evidence.lines[0] == "2026-11-23 21:30 manual available 100 % before-cutover"


async def test_one_under_way_is_told_but_does_not_count(aws: ModelledAws) -> None:
    running = snapshot("before-cutover", timedelta(minutes=2), "manual", Status="creating", PercentProgress=40)
    reading = await read(aws, snapshot("rds:db-1", 6 * HOUR), running, after=NOW - HOUR)
    values = reading.values
    assert (values["available"], values["creating"], values["newest_age_s"]) == (1, 1, 6 * 3600.0)
    assert (values["newest_status"], values["newest_progress"], values["taken_after"]) == ("creating", 40, False)
    assert reading.unknown["newest_manual_age_s"].reason is Reason.NOT_FOUND


async def test_one_just_asked_for_has_no_time_yet_and_is_the_newest(aws: ModelledAws) -> None:
    asked = snapshot("just-now", None, "manual", Status="creating", PercentProgress=0)
    reading = await read(aws, snapshot("rds:db-1", HOUR), asked)
    assert (reading.values["newest"], reading.values["newest_progress"]) == ("just-now", 0)
    assert reading.evidence.lines[0].startswith("no time yet manual creating 0 %")


async def test_a_copy_is_as_old_as_what_it_holds(aws: ModelledAws) -> None:
    copy = snapshot("copy", HOUR, "manual", OriginalSnapshotCreateTime=NOW - 72 * HOUR)
    reading = await read(aws, copy, after=NOW - 2 * HOUR)
    assert reading.values["newest_manual_age_s"] == 72 * 3600.0
    assert reading.values["taken_after"] is False


async def test_one_that_rds_takes_away_has_not_failed(aws: ModelledAws) -> None:
    reading = await read(aws, snapshot("old", 200 * HOUR, "automated", Status="deleting"))
    assert (reading.values["available"], reading.values["failed"]) == (0, 0)


async def test_a_status_that_is_new_is_no_failure(aws: ModelledAws) -> None:
    reading = await read(
        aws, snapshot("x", HOUR, "manual", Status="resting"), snapshot("y", HOUR, "manual", Status="failed")
    )
    assert reading.unknown["failed"].bounds == Bounds(1, 2)


async def test_a_failed_one_is_counted_and_proves_nothing(aws: ModelledAws) -> None:
    reading = await read(aws, snapshot("x", HOUR, "manual", Status="failed"))
    assert (reading.values["available"], reading.values["failed"]) == (0, 1)
    assert {name for name, u in reading.unknown.items() if u.reason is Reason.NOT_FOUND} == AGES


async def test_without_a_moment_in_the_plan_nothing_is_after_it(aws: ModelledAws) -> None:
    assert "taken_after" in (await read(aws, snapshot("x", HOUR))).unknown


async def test_a_finished_one_without_a_time_has_no_age(aws: ModelledAws) -> None:
    reading = await read(aws, snapshot("x", None))
    assert reading.unknown["newest_age_s"].reason is Reason.NO_DATA


async def test_what_rds_leaves_out_is_unknown(aws: ModelledAws) -> None:
    bare = snapshot("x", HOUR)
    del bare["PercentProgress"], bare["Encrypted"]
    reading = await read(aws, bare)
    assert {"newest_progress", "newest_encrypted"} <= set(reading.unknown)


async def test_an_empty_list_is_no_zero(aws: ModelledAws) -> None:
    reading = await read(aws)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}


async def test_pages_are_followed(aws: ModelledAws) -> None:
    two = paged(
        [{"DBSnapshots": [snapshot("a", 9 * HOUR)]}, {"DBSnapshots": [snapshot("b", HOUR)]}], "Marker", "Marker"
    )
    assert (await read(aws, said=two)).values["newest"] == "b"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (DENIED, Reason.ACCESS_DENIED),
        (THROTTLED, Reason.THROTTLED),
        (refusal("DBInstanceNotFound", status=404), Reason.NOT_FOUND),
    ],
)
async def test_a_refusal_makes_everything_unknown(aws: ModelledAws, said: Any, reason: Reason) -> None:
    reading = await read(aws, said=said)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert "rds:DescribeDBSnapshots" in reading.unknown["available"].hint


async def test_a_thousand_are_read_a_handful_of_calls_a_reading(aws: ModelledAws) -> None:
    """Until all have been seen what cannot change any more is known; the one that matters is on the last page."""
    many = [snapshot(f"daily-{number}", (number + 2) * HOUR, "manual") for number in range(999)]
    every = [*many, snapshot("before-cutover", HOUR, "manual")]
    aws.on["DescribeDBSnapshots"] = paged(
        [{"DBSnapshots": every[at : at + 100]} for at in range(0, len(every), 100)], sent="Marker", told="Marker"
    )
    probe = RdsSnapshots(SnapshotsParams(instance="db", after=NOW - 1.5 * HOUR), aws.clients)
    first = await probe.read(NOW)
    assert len(aws.asked) == 5
    assert first.unknown["newest_manual_age_s"].bounds == Bounds(0.0, 7200.0)
    assert first.unknown["available"].bounds is not None
    assert {first.unknown[name].reason for name in ("newest", "taken_after", "available")} == {Reason.PARTIAL}
    second = await probe.read(NOW + timedelta(minutes=1))
    assert len(aws.asked) == 10
    assert (second.values["available"], second.values["newest"], second.values["taken_after"]) == (
        1000,
        "before-cutover",
        True,
    )
    assert (second.data_at, second.lateness) == (NOW, timedelta(minutes=1)), "as old as the pages read before"
