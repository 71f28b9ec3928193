"""What one probe said, by data time. It depends on the set of readings taken in, never on the order they arrived in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cockpit.conditions.condition import is_hollow
from cockpit.plan.model import ProbeSpec
from probes.probe import Field
from probes.reading import Reading, Reason, Unknown, Value

POLLS_KEPT = 16


@dataclass(slots=True)
class ProbeHistory:
    """Samples by data time, and the newest polls by the time of asking."""

    times: list[datetime] = field(default_factory=list)
    samples: list[Reading] = field(default_factory=list)
    """One for each data time: all answers about it together. Its `observed_at` is when all of it was known."""
    polls: list[Reading] = field(default_factory=list)
    readings: int = 0
    slowed: float = 1.0
    polls_kept: int = POLLS_KEPT
    newest_data_at: datetime | None = None
    """Data time of the newest sample in which anything was known."""
    answers: dict[datetime, list[Reading]] = field(default_factory=dict)
    """The differing answers about a data time that was answered more than once."""
    rewritten: int = 0
    """How often anything but the end was changed: what was copied from here is then no longer right."""

    @property
    def latest(self) -> Reading | None:
        """What the newest poll said, known or not."""
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

    def next_after(self, moment: datetime) -> datetime | None:
        index = bisect_right(self.times, moment)
        return self.times[index] if index < len(self.times) else None

    def insert(self, reading: Reading) -> bool:
        """Take in one answer about one data time. False if it says nothing new."""
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
        answers = self.answers.get(reading.data_at, [held])
        insort(answers, reading, key=_rank)
        self.answers[reading.data_at] = answers = _distinct(answers)
        self.samples[index] = merged = together(answers)
        return not (_same(merged, held) and merged.observed_at == held.observed_at)

    def polled(self, reading: Reading) -> None:
        if not self.polls or reading.observed_at > self.polls[-1].observed_at:
            self.polls.append(reading)
        else:
            insort(self.polls, reading, key=_rank)
        del self.polls[: -self.polls_kept]

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


def _distinct(answers: Sequence[Reading]) -> list[Reading]:
    """The first and the last answer of each content: those between them change nothing."""
    kept: list[Reading] = []
    for at, answer in enumerate(answers):
        same_before = any(_same(answer, other) for other in answers[:at])
        same_after = any(_same(answer, other) for other in answers[at + 1 :])
        if not (same_before and same_after):
            kept.append(answer)
    return kept


def _same(one: Reading, other: Reading) -> bool:
    return one.values == other.values and one.unknown == other.unknown and one.state_since == other.state_since


def _rank(reading: Reading) -> tuple[datetime, str]:
    """By the time of asking; any fixed order between answers of the same instant, so that arrival never matters."""
    unknown = sorted((name, why.reason, why.detail) for name, why in reading.unknown.items())
    return reading.observed_at, f"{sorted(reading.values.items())}{unknown}{reading.data_at}{reading.state_since}"


# -- taking nothing on trust -----------------------------------------------------------------------------------------


def honest(reading: Reading, spec: ProbeSpec) -> Reading:
    """The reading as conditions may see it, whoever made it: each declared field known or unknown with a reason.

    NaN, infinities, empty lists and values of the wrong type are unknown; what is called both known and unknown is
    unknown; data about the future is about the moment of asking.
    """
    values = {
        name: value
        for name, value in reading.values.items()
        if name not in reading.unknown and not is_hollow(value) and _is_as_declared(value, name, spec.fields)
    }
    unknown = dict(reading.unknown)
    for name, value in reading.values.items():
        if name not in values and name not in unknown:
            unknown[name] = _refused(value, name)
    for declared in spec.fields:
        if declared.name not in values and declared.name not in unknown:
            unknown[declared.name] = Unknown(Reason.NO_DATA, f"{spec.name} answered without {declared.name}")
    data_at = min(reading.data_at, reading.observed_at)
    if len(values) == len(reading.values) and len(unknown) == len(reading.unknown) and data_at == reading.data_at:
        return reading
    return replace(reading, values=values, unknown=unknown, data_at=data_at)


def _refused(value: Value, name: str) -> Unknown:
    if is_hollow(value):
        return Unknown(Reason.NO_DATA, f"{name} is {value!r}: no value")
    return Unknown(Reason.ERROR, f"{name} is of type {type(value).__name__}", "a defect of the probe: report it")


def _is_as_declared(value: Value, name: str, fields: Sequence[Field]) -> bool:
    declared = next((f.type for f in fields if f.name == name), None)
    if declared is None:
        return True
    if isinstance(value, bool):
        return declared is bool
    return isinstance(value, declared) or (declared is float and isinstance(value, int))


def gone(since: datetime, until: datetime, gaps: Sequence[tuple[datetime, datetime]]) -> timedelta:
    """How much of a stretch of time nobody was looking."""
    overlaps = (min(until, end) - max(since, begin) for begin, end in gaps)
    return sum((overlap for overlap in overlaps if overlap > timedelta(0)), timedelta(0))
