"""What the probes reported, by data time. It depends on the set of readings, never on the order in which they arrived."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cockpit.conditions.condition import Outcome
from cockpit.decide.limits import Limit, own_limit
from cockpit.plan.ecs_services import services_watched
from cockpit.plan.model import ProbeSpec
from probes.frozen import frozen
from probes.reading import Reading, Unknown, Value, checked

POLLS_KEPT = 16


@frozen
class Answer:
    """What one data time was answered with, once or more often."""

    first: Reading
    last: Reading
    times: tuple[datetime, ...]
    """Of asking, rising."""

    def again(self, reading: Reading) -> Answer:
        """With one more answer that says the same."""
        given = self.first, self.last, reading
        times = tuple(sorted((*self.times, reading.observed_at)))
        return Answer(min(given, key=_rank), max(given, key=_rank), times)

    @property
    def each(self) -> Iterator[Reading]:
        return (replace(self.first, observed_at=moment) for moment in self.times)


@dataclass(slots=True)
class ProbeHistory:
    """Samples by data time, and the newest polls by the time of asking."""

    times: list[datetime] = field(default_factory=list)
    samples: list[Reading] = field(default_factory=list)
    """One for each data time: all answers about it together. Its `observed_at` is when all of it was known."""
    polls: list[Reading] = field(default_factory=list)
    readings: int = 0
    polls_kept: int = POLLS_KEPT
    newest_data_at: datetime | None = None
    """Data time of the newest sample in which anything was known."""
    answers: dict[datetime, list[Answer]] = field(default_factory=dict)
    """The differing answers about a data time that was answered more than once."""
    rewritten: int = 0
    """How often anything but the end was changed: what was copied from here is then no longer right."""

    @property
    def latest(self) -> Reading | None:
        """The reading of the newest poll, known or not."""
        return self.polls[-1] if self.polls else None

    def copy(self) -> ProbeHistory:
        answers = {at: list(given) for at, given in self.answers.items()}
        return replace(
            self, times=list(self.times), samples=list(self.samples), polls=list(self.polls), answers=answers
        )

    def at(self, moment: datetime) -> Reading | None:
        """The newest sample whose data is not after `moment`."""
        index = bisect_right(self.times, moment)
        return self.samples[index - 1] if index else None

    def last_with(self, name: str, moment: datetime) -> Reading | None:
        """The newest sample whose data is not after `moment` and in which a field, or between what it lies, was known."""
        older = range(bisect_right(self.times, moment) - 1, -1, -1)
        return next((sample for index in older if _has(sample := self.samples[index], name)), None)

    def next_after(self, moment: datetime) -> datetime | None:
        index = bisect_right(self.times, moment)
        return self.times[index] if index < len(self.times) else None

    def insert(self, reading: Reading) -> bool:
        """Add one answer about one data time. False if nothing in it is new."""
        if reading.values and (self.newest_data_at is None or reading.data_at > self.newest_data_at):
            self.newest_data_at = reading.data_at
        index = bisect_left(self.times, reading.data_at)
        if index == len(self.times) or self.times[index] != reading.data_at:
            self.rewritten += index < len(self.times)
            self.times.insert(index, reading.data_at)
            self.samples.insert(index, reading)
            return True
        self.rewritten += 1
        held = self.samples[index]
        answers = self.answered(held)
        newest = all(reading.observed_at > answer.times[-1] for answer in answers)
        before = next((place for place, answer in enumerate(answers) if _same(answer.first, reading)), None)
        if before is None:
            answers.append(_alone(reading))
        else:
            answers[before] = answers[before].again(reading)
        self.answers[reading.data_at] = answers
        kept = {id(each): each for answer in answers for each in (answer.first, answer.last)}
        self.samples[index] = merged = together(sorted(kept.values(), key=_rank))
        # One that came late may have changed since when something is known, and nothing else.
        return not (newest and _same(merged, held) and merged.observed_at == held.observed_at)

    def answered(self, sample: Reading) -> list[Answer]:
        """The differing answers about the data time of a sample."""
        return self.answers.get(sample.data_at) or [_alone(sample)]

    def polled(self, reading: Reading) -> None:
        if not self.polls or reading.observed_at > self.polls[-1].observed_at:
            self.polls.append(reading)
        else:
            insort(self.polls, reading, key=_rank)
        del self.polls[: -self.polls_kept]

    @property
    def lateness(self) -> timedelta:
        """How late the newest sample was measured to be."""
        return self.samples[-1].lateness if self.samples else timedelta(0)

    def allowed(self, limit: Limit) -> timedelta:
        """How old the newest sample may be."""
        return limit.of(self.samples[-1]) if self.samples else limit.age

    def failures(self, name: str) -> int:
        """How many of the newest polls in a row could not read a field."""
        count = 0
        for poll in reversed(self.polls):
            if name in poll.values:
                break
            count += 1
        return count

    def forget_before(self, moment: datetime) -> None:
        index = bisect_left(self.times, moment)
        for at in self.times[:index]:
            self.answers.pop(at, None)
        del self.times[:index], self.samples[:index]
        self.rewritten += 1


def together(answers: Sequence[Reading]) -> Reading:
    """Several answers about one data time as one sample.

    Of each field the newest known value counts: a later answer may correct a value, but not being able to read it again
    does not undo it. Known since the moment when all of it had been seen.
    """
    newest = answers[-1]
    values: dict[str, Value] = {}
    for answer in answers:
        values.update(answer.values)
    unknown = {name: why for answer in answers for name, why in answer.unknown.items() if name not in values}
    seen_at = [
        next(answer.observed_at for answer in answers if answer.values.get(name) == value)
        for name, value in values.items()
    ]
    since = next((answer.state_since for answer in reversed(answers) if answer.values), None)
    observed_at = max(seen_at, default=answers[0].observed_at)
    return replace(newest, observed_at=observed_at, values=values, unknown=unknown, state_since=since, earlier=())


def _has(reading: Reading, name: str) -> bool:
    why = reading.unknown.get(name)
    return name in reading.values or (why is not None and why.bounds is not None)


def _alone(reading: Reading) -> Answer:
    return Answer(reading, reading, (reading.observed_at,))


def _same(one: Reading, other: Reading) -> bool:
    return (one.values, one.unknown, one.state_since, one.lateness) == (
        other.values,
        other.unknown,
        other.state_since,
        other.lateness,
    )


def in_order(answers: Iterable[Answer]) -> list[Reading]:
    """All that was answered, by the time of asking."""
    return sorted((each for answer in answers for each in answer.each), key=_rank)


def _rank(reading: Reading) -> tuple[datetime, str]:
    """By the time of asking; any fixed order between answers of the same instant, so that arrival never matters."""
    unknown = sorted((name, why.reason, why.detail) for name, why in reading.unknown.items())
    return (
        reading.observed_at,
        f"{sorted(reading.values.items())}{unknown}{reading.data_at}{reading.state_since}{reading.lateness}",
    )


class Readings:
    """The history of every probe, and the times at which the cockpit was not watching. It judges nothing."""

    def __init__(self, probes: Mapping[str, ProbeSpec], polls_kept: int = POLLS_KEPT) -> None:
        self.probes = probes
        self.services = services_watched(probes)
        self.own_limits = {name: own_limit(spec) for name, spec in probes.items()}
        self.histories = {name: ProbeHistory(polls_kept=polls_kept) for name in probes}
        self.gaps: list[tuple[datetime, datetime]] = []
        """Times at which the cockpit was not watching, oldest first."""
        self._series: dict[tuple[str, str], tuple[list[tuple[datetime, float | None]], int]] = {}

    def copy(self) -> Readings:
        twin = Readings(self.probes)
        twin.histories = {name: history.copy() for name, history in self.histories.items()}
        twin.gaps = list(self.gaps)
        return twin

    def add(self, probe: str, reading: Reading) -> list[datetime]:
        """Take in one reading (checked already) and the older samples it carries; the data times about which something is new."""
        history, spec = self.histories[probe], self.probes[probe]
        history.readings += 1
        history.polled(reading)
        itself = replace(reading, earlier=()) if reading.earlier else reading
        return [
            sample.data_at
            for sample in (*(checked(earlier, spec.fields, probe) for earlier in reading.earlier), itself)
            # A live call that saw nothing is about this moment; one for a metric that failed is about no period at all.
            if (sample.values or not spec.period) and history.insert(sample)
        ]

    def latest(self, probe: str) -> Reading | None:
        """The reading of the newest poll, known or not."""
        history = self.histories.get(probe)
        return history.latest if history else None

    def interval(self, probes: Sequence[str]) -> timedelta:
        """The longest interval of these probes."""
        return max((self.probes[probe].interval for probe in probes), default=timedelta(0))

    def gaps_of(self, probes: Sequence[str]) -> list[tuple[datetime, datetime]]:
        """Gaps long enough to matter to what reads these probes: over 3 of their intervals."""
        if not self.gaps:
            return []
        long = 3 * self.interval(probes)
        return [(since, until) for since, until in self.gaps if until - since > long]

    def watched_until(self, probe: str, since: datetime, until: datetime) -> datetime:
        """When the cockpit stopped watching a live probe between these times, else `until`.

        A metric is not lost with it: its store has every period.
        """
        if not self.gaps or self.probes[probe].period:
            return until
        long = 3 * self.probes[probe].interval
        for began, ended in self.gaps[max(bisect_left(self.gaps, (since, since)) - 1, 0) :]:
            if began >= until:
                break
            if ended > since and ended - began > long:
                return max(began, since)
        return until

    def at(
        self, probes: Sequence[str], moment: datetime, since: datetime, stale: Mapping[str, Limit]
    ) -> tuple[dict[str, Reading], dict[str, Unknown]]:
        """Samples by probe as of a data time, and why fields of theirs are absent.

        Data that is older then than its probe's limit in `stale`, or from before `since`, is not used.
        """
        used: dict[str, Reading] = {}
        unknown: dict[str, Unknown] = {}
        for probe in probes:
            sample = self.histories[probe].at(moment)
            if sample is None or sample.data_at < since or moment - sample.data_at > stale[probe].of(sample):
                continue
            used[probe] = sample
            for name, why in sample.unknown.items():
                unknown[f"{probe}.{name}"] = why
        return used, unknown

    def newest(self, probes: Sequence[str]) -> tuple[dict[str, Mapping[str, Value]], dict[str, Unknown]]:
        """The values of the newest polls, by probe, and why others are absent."""
        values: dict[str, Mapping[str, Value]] = {}
        unknown: dict[str, Unknown] = {}
        for probe in probes:
            latest = self.histories[probe].latest
            if latest is not None:
                values[probe] = latest.values
                unknown.update({f"{probe}.{name}": why for name, why in latest.unknown.items()})
        return values, unknown

    def tolerated(self, outcome: Outcome, error_limit: int) -> bool:
        """Whether all that is unknown may still pass by itself: transient, and each failing for less than the limit in a row."""
        return bool(outcome.unread) and all(
            why.transient and self._failures(path) < error_limit for path, why in outcome.unread
        )

    def _failures(self, path: str) -> int:
        probe, _, name = path.partition(".")
        return self.histories[probe].failures(name)

    def series(self, probe: str, name: str) -> Sequence[tuple[datetime, float | None]]:
        """Numeric history of a field by data time; None where it was not known. Extended, not rebuilt, at each call."""
        history = self.histories.get(probe)
        if history is None:
            return ()
        points, rewritten = self._series.get((probe, name), ([], history.rewritten))
        if rewritten != history.rewritten:
            points = []
        for sample in history.samples[len(points) :]:
            points.append((sample.data_at, _number(sample.values.get(name))))
        self._series[probe, name] = points, history.rewritten
        latest = history.latest
        if latest is not None and name in latest.unknown and (not points or latest.observed_at > points[-1][0]):
            return [*points, (latest.observed_at, None)]
        return points

    def forget_before(self, moment: datetime) -> None:
        for history in self.histories.values():
            history.forget_before(moment)


def _number(held: Value | None) -> float | None:
    return float(held) if isinstance(held, (int, float)) else None


def after_watching(time: timedelta, since: datetime, gaps: Sequence[tuple[datetime, datetime]]) -> datetime:
    """When the cockpit has watched for so long since a moment. `gaps` when it was not watching, oldest first.

    It is the same moment however long it sleeps afterwards.
    """
    moment = since + time
    slept_until = since
    for began, ended in gaps:
        if began >= moment:
            break
        moment += max(ended - max(began, slept_until), timedelta(0))
        slept_until = max(slept_until, ended)
    return moment
