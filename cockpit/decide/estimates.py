"""How long a step takes: by what shows how far it is, else by what earlier records and rehearsals took, else as planned."""

from __future__ import annotations

from datetime import datetime, timedelta

from cockpit import formatting
from cockpit.decide.counted import Counted
from cockpit.decide.events import StepMeasured
from cockpit.decide.readings import Readings
from cockpit.decide.situation import StepStatus
from cockpit.decide.states import StepState
from cockpit.plan.model import Step
from probes.frozen import frozen

LEAST_PROGRESS = 0.02
"""Of a share from 0 to 1: less says nothing about a speed."""
LATELY = 1 / 3
"""The newest part of the time under way: its speed against that of all of it gives the range."""


@frozen
class Estimate:
    """How long a step takes in all: at best, most likely, at worst."""

    shortest: timedelta
    likely: timedelta
    longest: timedelta
    rests_on: str


def estimate(
    step: Step, status: StepStatus | None, record: Counted, readings: Readings, now: datetime
) -> Estimate | None:
    """The best there is for one step; None where nothing is known. `status`: None for a step that counts as not begun."""
    if status is not None and status.progress is StepState.STARTED and status.began is not None and step.progress:
        seen = _by_progress(step, status.began, readings, now)
        if seen is not None:
            return seen
    found = record.latest(StepMeasured, step.id)
    if found is not None and found.times:
        seconds = (found.shortest_s, found.median_s, found.longest_s)
        shortest, likely, longest = (timedelta(seconds=each) for each in seconds)
        return Estimate(shortest, likely, longest, measured(found))
    if step.duration is not None:
        return Estimate(step.duration, step.duration, step.duration, f"expected {formatting.duration(step.duration)}")
    return None


def measured(found: StepMeasured) -> str:
    """What earlier records show of one step.

    >>> from datetime import UTC
    >>> measured(StepMeasured(datetime(2026, 1, 1, tzinfo=UTC), "back", 3, 3, 360, 400, 540))
    'rehearsed 3 times, 6m to 9m'
    """
    times = formatting.count(found.times, "time")
    if found.rehearsed == found.times:
        how = f"rehearsed {times}"
    else:
        how = f"done {times} before" + (f", {found.rehearsed} rehearsed" if found.rehearsed else "")
    shortest, longest = (formatting.duration(timedelta(seconds=each)) for each in (found.shortest_s, found.longest_s))
    return f"{how}, {shortest}" + (f" to {longest}" if shortest != longest else "")


def _by_progress(step: Step, began: datetime, readings: Readings, now: datetime) -> Estimate | None:
    """From the share that is done: at the speed of all the time since it began, and of the newest part of it."""
    points = _shares(step, began, readings)
    if not points or now - points[-1][0] > max(_stale_after(step, readings)):
        return None
    at, done = points[-1]
    if done >= 1.0:
        return Estimate(at - began, at - began, at - began, "100 % done")
    since = at - (at - points[0][0]) * LATELY
    recent = max(point for point in points if point[0] <= since)
    ends = [end for first in (points[0], recent) if (end := _reaches_all(first, (at, done))) is not None]
    if not ends:
        return None
    text = f"{done * 100:.0f} % done"
    return Estimate(min(ends) - began, ends[0] - began, max(ends) - began, text)


def _reaches_all(first: tuple[datetime, float], last: tuple[datetime, float]) -> datetime | None:
    """When a share reaches 1 at the speed between two points; None where that says nothing."""
    gained, took = last[1] - first[1], last[0] - first[0]
    if gained < LEAST_PROGRESS:
        return None
    left = took * ((1.0 - last[1]) / gained)
    return last[0] + left if left < timedelta(days=30) else None


def _shares(step: Step, began: datetime, readings: Readings) -> list[tuple[datetime, float]]:
    """The mean of the step's fields over time, wherever all of them were known."""
    series = []
    for named in step.progress:
        probe, _, name = named.partition(".")
        series.append([(at, share) for at, share in readings.series(probe, name) if share is not None and at >= began])
    if not all(series):
        return []
    moments = sorted({at for each in series for at, _ in each})
    found: list[tuple[datetime, float]] = []
    places = [0] * len(series)
    for moment in moments:
        for index, each in enumerate(series):
            while places[index] + 1 < len(each) and each[places[index] + 1][0] <= moment:
                places[index] += 1
        if all(each[place][0] <= moment for each, place in zip(series, places, strict=True)):
            found.append(
                (moment, sum(each[place][1] for each, place in zip(series, places, strict=True)) / len(series))
            )
    return found


def _stale_after(step: Step, readings: Readings) -> list[timedelta]:
    return [readings.probes[named.partition(".")[0]].stale_after for named in step.progress]
