"""What a backtest found, as lines for a terminal, as a document for machines, and as JUnit for CI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from xml.etree.ElementTree import SubElement

from cockpit.formatting import count, duration
from cockpit.report.escaping import safe, safe_lines
from cockpit.report.junit_document import junit_document, junit_root
from cockpit.stories.backtest.backtested import Approach, Backtested, OtherLimit, PastCriterion, PastTraffic, PastTrip

JSON_VERSION = 1
"""Members may be added to it; none changes its meaning or goes."""
MOST_LINES = 12
"""Of one list in the text; the JSON and the page have all."""


def when(at: datetime) -> str:
    """A moment of the past, UTC."""
    return f"{at:%a %Y-%m-%d %H:%M}"


def times(number: int) -> str:
    """
    >>> times(1), times(3)
    ('once', '3 times')
    """
    return "once" if number == 1 else f"{number} times"


def share(part: timedelta | float, whole: timedelta | float) -> str:
    """A part of a whole, in percent."""
    ratio = part / whole if whole else 0.0  # type: ignore[operator]
    return f"{100 * ratio:.0f} %"


def backtested_lines(past: Backtested) -> Iterator[str]:
    """The answer first, then triggers, criteria, GO, traffic, and what could not be seen."""
    tripped = [each for each in past.triggers if each.trips]
    yield f"{past.name}: {when(past.since)} to {when(past.until)} UTC, {duration(past.length)}"
    found = [f"{each.id} would have tripped {times(len(each.trips))}" for each in tripped]
    yield (
        "; ".join(found)
        if found
        else "no trigger would have tripped"
        if past.triggers
        else "no trigger could be judged"
    )
    yield from (f"  {note}" for note in past.notes)
    if past.triggers:
        yield from ("", "Rollback triggers")
        for each in past.triggers:
            yield from _trigger(each, past.length)
    if past.success:
        yield from ("", "Success criteria")
        for each in past.success:
            yield from _success(each, past.length)
    yield from ("", f"GO: {go_text(past)}")
    yield from _most([f"  {when(since)} for {duration(until - since)}" for since, until in past.go], "times")
    if past.traffic:
        yield from ("", "Traffic: whether there was enough for a share to mean anything")
        for each_probe in past.traffic:
            yield from (f"  {line}" for line in traffic_lines(each_probe))
    if past.silences:
        lines = [
            f"  {each.probe}: {when(each.since)} for {duration(each.until - each.since)}" for each in past.silences
        ]
        yield from ("", "Gaps: nothing was published", *_most(lines, "gaps"))
    if past.not_seen:
        yield from ("", "Could not see: judge these in the night, or play them (cockpit test)", *_unseen_lines(past))


def _most(lines: Sequence[str], what: str) -> Iterator[str]:
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"  and {len(lines) - MOST_LINES} more {what}: --format json or html has all"


def _unseen_lines(past: Backtested) -> Iterator[str]:
    by_why = sorted(past.not_seen, key=lambda each: (each.kind == "probe", each.why, each.kind))
    for (kind, why), group in groupby(by_why, key=lambda each: (each.kind, each.why)):
        subjects = [each.subject for each in group]
        yield f"  {kind if len(subjects) == 1 else count(2, kind).removeprefix('2 ')} {', '.join(subjects)}: {why}"


def _trigger(one: PastCriterion, length: timedelta) -> Iterator[str]:
    yield f"  {'✗' if one.trips else '✓'} {one.id}: {trigger_text(one)}"
    yield from _most([f"      {trip_text(each)}" for each in one.trips], "trips")
    yield from _both(one, length)


def _success(one: PastCriterion, length: timedelta) -> Iterator[str]:
    yield f"  {'✓' if one.met else '✗'} {one.id}: {success_text(one, length)}"
    yield from _both(one, length)


def _both(one: PastCriterion, length: timedelta) -> Iterator[str]:
    yield from (f"      {approach_text(each)}" for each in one.approaches)
    yield from (f"      {other_text(each, one, length)}" for each in one.others)
    if one.until is not None:
        yield f"      judged throughout; in a night until {duration(one.until)} after the deployment began"
    if one.blind:
        yield f"      judged in part: {', '.join(one.blind)} could not be seen"


def trigger_text(one: PastCriterion) -> str:
    """How often it tripped, and how near it came to it."""
    if one.trips:
        return f"would have tripped {times(len(one.trips))}"
    if not one.breaches:
        return "never true"
    return f"true {times(one.breaches)}, at most for {duration(one.longest)}, and never for long enough"


def success_text(one: PastCriterion, length: timedelta) -> str:
    """For how much of the time it was met."""
    unknown = f", not to be judged {share(one.unknown, length)}" if one.unknown else ""
    return f"met {share(one.met, length)} of the time{unknown}" if one.met else f"never met{unknown}"


def trip_text(trip: PastTrip) -> str:
    """When it would have tripped, until when, and why."""
    until = f"clear after {duration(trip.cleared - trip.at)}" if trip.cleared else "not clear by the end"
    again = f", tripped again {times(trip.again)} before that" if trip.again else ""
    return f"{when(trip.at)}, {until}{again}: {trip.because}"


def approach_text(one: Approach) -> str:
    """How near a field came to its limit."""
    near = "" if one.share is None or one.reached else f": {100 * one.share:.0f} % of the limit"
    return f"{'worst' if one.reached else 'nearest'} {one.path} {one.text} ({one.limit}){near}, {when(one.at)}"


def other_text(one: OtherLimit, of: PastCriterion, length: timedelta) -> str:
    """What it would have done with another limit."""
    if not of.is_trigger:
        return f"{one.name}, {one.condition}: met {share(one.met, length)} of the time"
    did = f"would have tripped {times(len(one.trips))}" if one.trips else "would not have tripped"
    return f"{one.name}, {one.condition}: {did}"


def go_text(past: Backtested) -> str:
    """Whether it could have been had."""
    if not past.go_rests_on:
        return "nothing is known: no success criterion could be seen whole"
    whole = sum((until - since for since, until in past.go), timedelta(0))
    seen = f"as far as {', '.join(past.go_rests_on)} can say"
    if not past.go:
        return f"could never have been had, {seen}"
    return f"could have been had {share(whole, past.length)} of the time, {seen}"


def traffic_lines(one: PastTraffic) -> Iterator[str]:
    """How often there was enough, and in which hours there never was."""
    if not one.periods:
        yield f"{one.probe}: not one period"
        return
    needs = f"{one.needed:g} {one.of} in {duration(one.within)}"
    yield f"{one.probe}: at least {needs} in {share(one.enough, one.periods)} of {one.periods:,} periods"
    for each in one.hours:
        if each.periods and not each.enough:
            most = "" if each.most is None else f", {each.most:g} of {one.needed:g} at most"
            yield f"  never enough from {each.hour:02}:00 to {(each.hour + 1) % 24:02}:00 {one.time_zone}{most}"
    if one.never:
        yield "  a cutover then needs `synthetic` traffic, or a lower floor with the risk named: see cockpit validate"


# -- for machines ----------------------------------------------------------------------------------------------------


def backtested_json(past: Backtested) -> dict[str, Any]:
    """Times are UTC, ISO 8601; durations seconds."""
    return {
        "version": JSON_VERSION,
        "plan": past.name,
        "digest": past.digest,
        "from": past.since.isoformat(),
        "to": past.until.isoformat(),
        "triggers": [_criterion_json(each) | {"trips": _trips_json(each.trips)} for each in past.triggers],
        "criteria": [_criterion_json(each) for each in past.success],
        "go": [{"from": since.isoformat(), "to": until.isoformat()} for since, until in past.go],
        "go_rests_on": list(past.go_rests_on),
        "traffic": [_traffic_json(each) for each in past.traffic],
        "gaps": [
            {"probe": each.probe, "from": each.since.isoformat(), "to": each.until.isoformat()}
            for each in past.silences
        ],
        "not_seen": [{"subject": each.subject, "kind": each.kind, "why": each.why} for each in past.not_seen],
        "asked": dict(past.asked),
        "notes": list(past.notes),
    }


def _criterion_json(one: PastCriterion) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": one.title,
        "at": str(one.position),
        "condition": one.condition,
        "not_seen": list(one.blind),
        "breaches": one.breaches,
        "longest_s": one.longest.total_seconds(),
        "met_s": one.met.total_seconds(),
        "unknown_s": one.unknown.total_seconds(),
        "nearest": [
            {
                "path": each.path,
                "limit": each.limit,
                "value": each.value,
                "at": each.at.isoformat(),
                "share_of_limit": each.share,
                "reached": each.reached,
            }
            for each in one.approaches
        ],
        "other_limits": [
            {
                "name": each.name,
                "condition": each.condition,
                "trips": _trips_json(each.trips),
                "met_s": each.met.total_seconds(),
            }
            for each in one.others
        ],
    }


def _trips_json(trips: Sequence[PastTrip]) -> list[dict[str, Any]]:
    return [
        {
            "at": each.at.isoformat(),
            "cleared": each.cleared.isoformat() if each.cleared else None,
            "again": each.again,
            "because": each.because,
        }
        for each in trips
    ]


def _traffic_json(one: PastTraffic) -> dict[str, Any]:
    return {
        "probe": one.probe,
        "of": one.of,
        "needed": one.needed,
        "within_s": one.within.total_seconds(),
        "time_zone": one.time_zone,
        "hours": [
            {"hour": each.hour, "periods": each.periods, "enough": each.enough, "least": each.least, "most": each.most}
            for each in one.hours
        ],
    }


def backtested_junit(past: Backtested) -> str:
    """One test case a criterion and one for GO: what would have gone wrong is a failure, what was not seen is skipped."""
    found = {each.id if each is not None else "GO": text for each, text in past.findings()}
    names = [each.id for each in past.criteria] + (["GO"] if past.go_rests_on else [])
    unseen = [each for each in past.not_seen if each.kind != "probe"]
    counts = {
        "tests": str(len(names) + len(unseen)),
        "failures": str(len(found)),
        "errors": "0",
        "skipped": str(len(unseen)),
    }
    root = junit_root("backtest", counts)
    suite = SubElement(root, "testsuite", counts | {"name": safe(past.name)})
    trips = {each.id: safe_lines(map(trip_text, each.trips)) for each in past.criteria}
    for name in names:
        case = SubElement(suite, "testcase", {"classname": safe(past.name), "name": safe(name)})
        if name in found:
            SubElement(case, "failure", message=safe(found[name])).text = trips.get(name, "")
    for each in unseen:
        case = SubElement(suite, "testcase", {"classname": safe(past.name), "name": safe(each.subject)})
        SubElement(case, "skipped", message=safe(each.why))
    return junit_document(root)
