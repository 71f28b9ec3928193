"""What a role was seen to call: CloudTrail is late, and silence within its lateness proves nothing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from support.aws.modelled import DENIED, NOW, REQUEST_ID, THROTTLED, ModelledAws, paged
from support.waiting import LAST_RESORT_S, until

from probes.aws.cloudtrail import CloudTrailEvents, EventsParams
from probes.reading import Reading, Reason

MINUTE = timedelta(minutes=1)
SECRET = "transparent-trust/encryption-key"


def event(age: timedelta = 20 * MINUTE, role: str = "web-task", session: str = "t1", **inside: Any) -> dict[str, Any]:
    identity = {
        "type": "AssumedRole",
        "principalId": f"AROA:{session}",
        "arn": f"arn:aws:sts::123456789012:assumed-role/{role}/{session}",
        "sessionContext": {"sessionIssuer": {"type": "Role", "userName": role}},
    }
    return {
        "EventName": "GetSecretValue",
        "EventSource": "secretsmanager.amazonaws.com",
        "EventTime": NOW - age,
        "Resources": [{"ResourceType": "AWS::SecretsManager::Secret", "ResourceName": SECRET}],
        "CloudTrailEvent": json.dumps({"userIdentity": identity} | inside),
    }


@pytest.fixture
async def aws() -> AsyncIterator[ModelledAws]:
    modelled = ModelledAws()
    yield modelled
    await modelled.clients.close()


async def read(
    aws: ModelledAws, *events: Any, since: timedelta = 60 * MINUTE, said: Any = None, **params: Any
) -> Reading:
    aws.on["LookupEvents"] = said or {"Events": list(events)}
    given = {"event": "GetSecretValue", "role": "web-task", "since": NOW - since} | params
    return await CloudTrailEvents(EventsParams.model_validate(given), aws.clients).read(NOW)


async def test_two_tasks_have_read_their_secret(aws: ModelledAws) -> None:
    reading = await read(aws, event(), event(30 * MINUTE, session="t2"), event(role="somebody-else"))
    assert reading.values == {
        "count": 2,
        "failed": 0,
        "sessions": 2,
        "last_age_s": 1200.0,
        "touched": (SECRET,),
    }
    assert set(reading.unknown) == {"failures"}
    assert reading.evidence.request_id == REQUEST_ID
    assert reading.evidence.lines[0] == f"22:10:20 GetSecretValue done: {SECRET}"
    asked = aws.asked[0][1]
    assert asked["LookupAttributes"] == [{"AttributeKey": "EventName", "AttributeValue": "GetSecretValue"}]
    assert (asked["StartTime"], asked["EndTime"]) == (NOW - 60 * MINUTE, NOW)


async def test_a_reading_that_is_given_up_has_read_nothing(aws: ModelledAws) -> None:
    asked, answers = threading.Event(), threading.Event()
    params = EventsParams(event="GetSecretValue", role="web-task", since=NOW - timedelta(days=3))
    probe = CloudTrailEvents(params, aws.clients)

    def silent(_: Any) -> dict[str, Any]:
        asked.set()
        answers.wait(LAST_RESORT_S)
        return {"Events": []}

    aws.on["LookupEvents"] = silent
    reading = asyncio.ensure_future(probe.read(NOW))
    await until(asked.is_set)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    answers.set()
    aws.on["LookupEvents"] = {"Events": [event(timedelta(days=2))]}
    assert (await probe.read(NOW + 2 * MINUTE)).values["count"] == 1
    assert aws.asked[-1][1]["StartTime"] == NOW - timedelta(days=3)


async def test_what_a_request_names_stands_in_for_resources_left_out(aws: ModelledAws) -> None:
    asked = {"secretId": SECRET, "versionStage": "AWSCURRENT", "clientRequestToken": "t"}
    bare = event(requestParameters=asked) | {"Resources": []}
    assert (await read(aws, bare)).values["touched"] == (SECRET,)
    nothing = await read(aws, event(requestParameters=None) | {"Resources": []})
    assert (nothing.values["count"], nothing.unknown["touched"].reason) == (1, Reason.NO_DATA)


async def test_a_refused_call_is_no_success(aws: ModelledAws) -> None:
    reading = await read(aws, event(errorCode="AccessDenied", errorMessage="not authorized"))
    assert (reading.values["count"], reading.values["failed"], reading.values["failures"]) == (0, 1, ("AccessDenied",))
    assert "last_age_s" in reading.unknown


async def test_none_after_a_quarter_of_an_hour_is_none(aws: ModelledAws) -> None:
    reading = await read(aws, event(role="somebody-else"))
    assert (reading.values["count"], reading.values["failed"]) == (0, 0)
    assert reading.unknown["last_age_s"].reason is Reason.NO_DATA


async def test_none_within_it_proves_nothing(aws: ModelledAws) -> None:
    reading = await read(aws, since=10 * MINUTE)
    assert {reading.unknown[name].reason for name in ("count", "failed", "sessions")} == {Reason.WARMING}
    assert "22:35 UTC" in reading.unknown["count"].hint
    told = await read(aws, event(MINUTE), since=10 * MINUTE)
    assert (told.values["count"], told.values["sessions"]) == (1, 1)
    assert told.unknown["failed"].reason is Reason.WARMING


async def test_before_the_moment_nothing_is_asked(aws: ModelledAws) -> None:
    reading = await read(aws, since=-MINUTE)
    assert {u.reason for u in reading.unknown.values()} == {Reason.WARMING}
    assert not aws.asked


async def test_older_than_cloudtrail_remembers_is_partial(aws: ModelledAws) -> None:
    reading = await read(aws, event(), since=timedelta(days=91))
    assert {u.reason for u in reading.unknown.values()} == {Reason.PARTIAL}
    assert "90 days only" in reading.unknown["count"].detail
    assert "91 days ago" in reading.unknown["count"].detail
    assert (bounds := reading.unknown["count"].bounds) is not None
    assert bounds.low == 1.0  # what is found is there all the same
    assert aws.asked[0][1]["StartTime"] == NOW - timedelta(days=90)


async def test_a_role_is_found_by_its_session_s_arn_too(aws: ModelledAws) -> None:
    bare = event()
    inside = json.loads(bare["CloudTrailEvent"])
    del inside["userIdentity"]["sessionContext"]
    bare["CloudTrailEvent"] = json.dumps(inside)
    arn = "arn:aws:iam::123456789012:role/path/web-task"
    assert (await read(aws, bare, role=arn)).values["count"] == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"userIdentity": null}'])
async def test_an_event_that_does_not_say_who_is_nobody_s(aws: ModelledAws, text: str) -> None:
    assert (await read(aws, event() | {"CloudTrailEvent": text})).values["count"] == 0


async def test_another_service_s_operation_of_the_same_name(aws: ModelledAws) -> None:
    assert (await read(aws, event(), source="ssm.amazonaws.com")).values["count"] == 0


async def test_pages_are_followed_and_too_many_are_partial(aws: ModelledAws) -> None:
    two = paged([{"Events": [event()]}, {"Events": [event(session="t2")]}])
    assert (await read(aws, said=two)).values["count"] == 2
    endless = {"Events": [event()], "NextToken": "again"}
    reading = await read(aws, said=endless)
    assert {u.reason for u in reading.unknown.values()} == {Reason.PARTIAL}


async def test_events_of_others_that_fill_the_pages_leave_a_count_that_is_known_from_below(aws: ModelledAws) -> None:
    others = [event(role="batch", session=f"b{number}") for number in range(49)]
    full = {"Events": [*others, event()], "NextToken": "again"}
    reading = await read(aws, said=full)
    bounds = reading.unknown["count"].bounds
    assert (bounds is not None and bounds.low, "count" in reading.values) == (1.0, False)
    assert "last_age_s" in reading.values
    nobody = {"Events": others, "NextToken": "again"}
    unseen = (await read(aws, said=nobody)).unknown
    assert unseen["count"].bounds is not None
    assert (unseen["count"].bounds.low, unseen["last_age_s"].reason) == (0.0, Reason.PARTIAL)


@pytest.mark.parametrize(("said", "reason"), [(DENIED, Reason.ACCESS_DENIED), (THROTTLED, Reason.THROTTLED)])
async def test_a_refusal_makes_everything_unknown(aws: ModelledAws, said: Any, reason: Reason) -> None:
    reading = await read(aws, said=said)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert "cloudtrail:LookupEvents" in reading.unknown["count"].hint


class Trail:
    """A trail with hundreds of other principals' events; LookupEvents as it is: newest first, in pages of 50."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self.events = sorted(events, key=lambda each: each["EventTime"], reverse=True)
        self.calls = 0

    def __call__(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.calls += 1
        found = [each for each in self.events if asked["StartTime"] <= each["EventTime"] <= asked["EndTime"]]
        skip = int(asked.get("NextToken", 0))
        more = {"NextToken": str(skip + 50)} if len(found) > skip + 50 else {}
        return {"Events": found[skip : skip + 50], **more}


async def test_hundreds_of_others_cost_a_handful_of_calls_and_are_read_in_the_end(aws: ModelledAws) -> None:
    others = [
        event(timedelta(seconds=20 * number), role="batch", session=f"b{number}") | {"EventId": f"o{number}"}
        for number in range(900)
    ]
    own = [event(age * MINUTE, session=f"t{age}") | {"EventId": f"w{age}"} for age in (30, 200, 290)]
    trail = Trail([*others, *own])
    aws.on["LookupEvents"] = trail
    params = EventsParams(event="GetSecretValue", role="web-task", since=NOW - timedelta(hours=5))
    probe = CloudTrailEvents(params, aws.clients)
    calls, readings = [], []
    for minute in range(0, 14, 2):
        before = trail.calls
        readings.append(await probe.read(NOW + minute * MINUTE))
        calls.append(trail.calls - before)
    assert max(calls) <= 4
    first = readings[0].unknown["count"]
    assert (first.reason, first.bounds and first.bounds.low) == (Reason.PARTIAL, 1.0)
    assert readings[-1].values["count"] == 3
    assert calls[-1] == 1  # what is read is not read again


async def test_an_event_delivered_late_is_found_by_a_later_reading(aws: ModelledAws) -> None:
    trail = Trail([])
    aws.on["LookupEvents"] = trail
    params = EventsParams(event="GetSecretValue", role="web-task", since=NOW - timedelta(hours=1))
    probe = CloudTrailEvents(params, aws.clients)
    assert (await probe.read(NOW)).values["count"] == 0
    trail.events = [event(12 * MINUTE)]
    assert (await probe.read(NOW + 2 * MINUTE)).values["count"] == 1
    assert (await probe.read(NOW + 4 * MINUTE)).values["count"] == 1
