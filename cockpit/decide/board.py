"""The latest readings and the short history the windows need. Nothing else is state.

What the board holds depends on the set of readings it was given, never on the order they arrived in.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cockpit.decide.condition import Outcome
from cockpit.decide.trail import Subject, Trail
from cockpit.plan.model import Plan
from probes.reading import Reading, Reason, Unknown, Value

KEEP = timedelta(hours=12)
POLLS_KEPT = 16


@dataclass(slots=True)
class ProbeHistory:
    """What one probe said: samples by data time, and the newest polls by the time of asking."""

    times: list[datetime] = field(default_factory=list)
    samples: list[Reading] = field(default_factory=list)
    polls: list[Reading] = field(default_factory=list)
    readings: int = 0
    slowed: float = 1.0

    @property
    def latest(self) -> Reading | None:
        """What the newest poll said, known or not."""
        return self.polls[-1] if self.polls else None

    @property
    def newest_data_at(self) -> datetime | None:
        return self.times[-1] if self.times else None

    def at(self, moment: datetime) -> Reading | None:
        """The newest sample whose data is not after `moment`."""
        index = bisect_right(self.times, moment)
        return self.samples[index - 1] if index else None

    def next_after(self, moment: datetime) -> datetime | None:
        index = bisect_right(self.times, moment)
        return self.times[index] if index < len(self.times) else None

    def insert(self, reading: Reading) -> bool:
        """Keep a sample; of two about the same moment the later answer counts. False if it adds nothing."""
        index = bisect_left(self.times, reading.data_at)
        if index < len(self.times) and self.times[index] == reading.data_at:
            held = self.samples[index]
            if (reading.observed_at, _order(reading)) <= (held.observed_at, _order(held)):
                return False
            changed = dict(held.values) != dict(reading.values) or dict(held.unknown) != dict(reading.unknown)
            self.samples[index] = reading
            return changed
        self.times.insert(index, reading.data_at)
        self.samples.insert(index, reading)
        return True

    def polled(self, reading: Reading) -> None:
        insort(self.polls, reading, key=lambda r: (r.observed_at, _order(r)))
        del self.polls[:-POLLS_KEPT]

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
        del self.times[:index], self.samples[:index]


def _order(reading: Reading) -> str:
    """Any fixed order between readings made at the same instant, so that arrival never matters."""
    return repr(sorted(reading.values.items())) + repr(sorted(reading.unknown))


class Board:
    """Readings in, outcomes and runs out. Filled by the engine (or a replay), read by `decide`."""

    def __init__(self, plan: Plan, started_at: datetime) -> None:
        self.plan = plan
        self.started_at = started_at
        self.gaps: list[tuple[datetime, datetime]] = []
        self.histories: dict[str, ProbeHistory] = {name: ProbeHistory() for name in plan.probes}
        self._trails: dict[str, Trail] = {}
        self._by_probe: dict[str, list[Trail]] = {name: [] for name in plan.probes}
        self._last_pruned = started_at

    def add(self, probe: str, reading: Reading) -> None:
        """Take in one reading and the older samples it carries."""
        history = self.histories[probe]
        history.readings += 1
        history.polled(reading)
        for sample in (*reading.earlier, reading):
            if sample.values and history.insert(sample):
                self._touch(probe, sample.data_at)
        for trail in self._by_probe[probe]:
            trail.polled(self)
        self._prune(reading.observed_at)

    def gap(self, since: datetime, until: datetime) -> None:
        """Nobody was looking between these times."""
        self.gaps.append((since, until))
        for trail in self._trails.values():
            trail.refold(self)

    def latest(self, probe: str) -> Reading | None:
        history = self.histories.get(probe)
        return history.latest if history else None

    def trail(self, subject: Subject, origin: datetime) -> Trail:
        """The run of outcomes of a criterion or item since `origin`; built once, then kept up as readings come."""
        trail = self._trails.get(subject.id)
        if trail is None or trail.origin != origin or trail.subject is not subject:
            if trail is not None:
                for trails in self._by_probe.values():
                    if trail in trails:
                        trails.remove(trail)
            trail = self._trails[subject.id] = Trail(subject, origin)
            for name in trail.probes:
                self._by_probe[name].append(trail)
            trail.rebuild(self)
        return trail

    def context_at(
        self, probes: Sequence[str], moment: datetime
    ) -> tuple[dict[str, Mapping[str, Value]], dict[str, Unknown], list[Reading]]:
        """Values by probe as of a data time, why others are absent, and the readings used. Old data is not used."""
        values: dict[str, Mapping[str, Value]] = {}
        unknown: dict[str, Unknown] = {}
        used: list[Reading] = []
        for probe in probes:
            sample = self.histories[probe].at(moment)
            if sample is None:
                continue
            if moment - sample.data_at > self.plan.probes[probe].stale_after:
                unknown[probe] = Unknown(Reason.STALE, f"{probe} had no data for this moment")
                continue
            used.append(sample)
            values[probe] = sample.values
            unknown.update({f"{probe}.{name}": why for name, why in sample.unknown.items()})
        return values, unknown, used

    def newest(self, probes: Sequence[str]) -> tuple[dict[str, Mapping[str, Value]], dict[str, Unknown]]:
        """What the newest polls say, by probe."""
        values: dict[str, Mapping[str, Value]] = {}
        unknown: dict[str, Unknown] = {}
        for probe in probes:
            latest = self.histories[probe].latest
            if latest is not None:
                values[probe] = latest.values
                unknown.update({f"{probe}.{name}": why for name, why in latest.unknown.items()})
        return values, unknown

    def tolerated(self, outcome: Outcome, error_limit: int) -> bool:
        """Whether an unknown may still pass by itself: transient, and fewer failures in a row than the limit."""
        if outcome.unknown is None or not outcome.unknown.transient or "." not in outcome.path:
            return False
        probe, _, name = outcome.path.partition(".")
        return self.histories[probe].failures(name) < error_limit

    def series(self, probe: str, name: str) -> list[tuple[datetime, float | None]]:
        """Numeric history of a field by data time; None where it was not known."""
        history = self.histories.get(probe)
        if history is None:
            return []
        points: list[tuple[datetime, float | None]] = []
        for at, sample in zip(history.times, history.samples, strict=True):
            held = sample.values.get(name)
            points.append((at, float(held) if isinstance(held, (int, float)) else None))
        latest = history.latest
        if latest is not None and name in latest.unknown and (not points or latest.observed_at > points[-1][0]):
            points.append((latest.observed_at, None))
        return points

    def _touch(self, probe: str, moment: datetime) -> None:
        for trail in self._by_probe[probe]:
            trail.touch(self, probe, moment)

    def _prune(self, now: datetime) -> None:
        if now - self._last_pruned < KEEP / 12:
            return
        self._last_pruned = now
        for history in self.histories.values():
            history.forget_before(now - KEEP)
        for trail in self._trails.values():
            trail.forget_before(now - KEEP)
