"""The latest readings and the short history the windows need. Nothing else is state.

What the board holds depends on the set of readings it was given, never on the order they arrived in.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cockpit.conditions.condition import Outcome
from cockpit.decide.history import POLLS_KEPT, ProbeHistory
from cockpit.decide.trail import Subject, Trail
from cockpit.plan.model import Plan
from probes.reading import Reading, Reason, Unknown, Value, checked

KEEP = timedelta(hours=12)


class Board:
    """Readings in, outcomes and runs out. Filled by the engine (or a replay), read by `decide`."""

    def __init__(self, plan: Plan, started_at: datetime) -> None:
        self.plan = plan
        self.started_at = started_at
        self.gaps: list[tuple[datetime, datetime]] = []
        polls_kept = max([POLLS_KEPT, *(criterion.error_limit for criterion in plan.criteria())])
        self.histories = {name: ProbeHistory(polls_kept=polls_kept) for name in plan.probes}
        self._trails: dict[str, Trail] = {}
        self._series: dict[tuple[str, str], tuple[list[tuple[datetime, float | None]], int]] = {}
        self._by_probe: dict[str, list[Trail]] = {name: [] for name in plan.probes}
        self._last_pruned = started_at

    def add(self, probe: str, reading: Reading) -> None:
        """Take in one reading and the older samples it carries."""
        history, spec = self.histories[probe], self.plan.probes[probe]
        reading = checked(reading, spec.fields, probe)
        history.readings += 1
        history.polled(reading)
        itself = replace(reading, earlier=()) if reading.earlier else reading
        for sample in (*(checked(earlier, spec.fields, probe) for earlier in reading.earlier), itself):
            # A live call that saw nothing is about this moment; one for a metric that failed is about no period at all.
            if (sample.values or not spec.period) and history.insert(sample):
                self._touch(probe, sample.data_at)
        for trail in self._by_probe[probe]:
            trail.polled(self)
        self._prune(reading.observed_at)

    def copy(self) -> Board:
        """A board of its own that holds the same."""
        twin = copy.copy(self)
        twin.gaps = list(self.gaps)
        twin.histories = {name: history.copy() for name, history in self.histories.items()}
        twin._trails = {name: trail.copy() for name, trail in self._trails.items()}
        twin._by_probe = {
            name: [twin._trails[trail.subject.id] for trail in trails] for name, trails in self._by_probe.items()
        }
        twin._series = {}
        return twin

    def gap(self, since: datetime, until: datetime) -> None:
        """Nobody was looking between these times."""
        self.gaps.append((since, until))
        self.gaps.sort()
        for trail in self._trails.values():
            trail.refold(self)

    def gaps_of(self, probes: Sequence[str]) -> list[tuple[datetime, datetime]]:
        """Gaps long enough to matter to what reads these probes: over 3 of their intervals."""
        if not self.gaps:
            return []
        long = 3 * max((self.plan.probes[probe].interval for probe in probes), default=timedelta(0))
        return [(since, until) for since, until in self.gaps if until - since > long]

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
            for name in trail.watched:
                self._by_probe[name].append(trail)
            trail.rebuild(self)
        return trail

    def context_at(
        self, probes: Sequence[str], moment: datetime, since: datetime
    ) -> tuple[dict[str, Reading], dict[str, Unknown]]:
        """Samples by probe as of a data time, and why others are absent. Old data, or from before `since`, is not used."""
        used: dict[str, Reading] = {}
        unknown: dict[str, Unknown] = {}
        for probe in probes:
            sample = self.histories[probe].at(moment)
            if sample is None or sample.data_at < since:
                continue
            if moment - sample.data_at > self.plan.probes[probe].stale_after:
                unknown[probe] = Unknown(Reason.STALE, f"{probe} had no data for this moment")
                continue
            used[probe] = sample
            for name, why in sample.unknown.items():
                unknown[f"{probe}.{name}"] = why
        return used, unknown

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

    def series(self, probe: str, name: str) -> Sequence[tuple[datetime, float | None]]:
        """Numeric history of a field by data time; None where it was not known. Kept up, not made anew, at each call."""
        history = self.histories.get(probe)
        if history is None:
            return ()
        points, rewritten = self._series.get((probe, name), ([], -1))
        if rewritten != history.rewritten or len(points) > len(history.times):
            points = []
        for at, sample in zip(history.times[len(points) :], history.samples[len(points) :], strict=True):
            points.append((at, _number(sample.values.get(name))))
        self._series[probe, name] = points, history.rewritten
        latest = history.latest
        if latest is not None and name in latest.unknown and (not points or latest.observed_at > points[-1][0]):
            return [*points, (latest.observed_at, None)]
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


def _number(held: Value | None) -> float | None:
    return float(held) if isinstance(held, (int, float)) else None
