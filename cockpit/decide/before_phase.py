"""What a trigger's condition had failing when its phase began. A breach is PRE_EXISTING while nothing else makes it true.

Each path of the condition has its own past: what was bad before does not excuse what turns bad beside it, nor what was seen good
since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from cockpit.conditions.condition import Condition
from cockpit.decide.limits import Limit
from cockpit.decide.readings import Readings
from probes.reading import Reading, Unknown

Path = tuple[str, str]
"""Probe and field."""
Paths = frozenset[Path]
NONE: Paths = frozenset()
_EVER = datetime.min.replace(tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)
Used = Mapping[str, Reading]
Unseen = Mapping[str, Unknown]


class BeforePhase:
    """Of one condition. Its phase begins at `origin`; it is judged from `begins` on, `stale` are its limits by probe."""

    def __init__(self, condition: Condition, origin: datetime, begins: datetime, stale: Mapping[str, Limit]) -> None:
        self.condition = condition
        self.origin = origin
        self.begins = begins
        self.stale = stale
        self.failing = NONE
        """What failed before the phase began and was not seen good until it is judged."""
        self._was: tuple[Used, Unseen] = {}, {}
        """As of just before the phase."""

    def read(self, readings: Readings) -> bool:
        """Take in what is known of the time before it is judged; whether that changed anything."""
        before = self.failing, self._was
        self._was = used, unknown = self._last_seen(readings)
        everything = frozenset(self.condition.paths)
        self.failing = (
            self._failing(everything, everything, used, unknown) if self._truth(everything, *self._was) else NONE
        )
        for moment in self._moments(readings, self.origin, self.begins):
            self.failing, _ = self.goes_on(self.failing, readings, moment, _EVER)
        return (self.failing, self._was) != before

    def goes_on(self, failing: Paths, readings: Readings, moment: datetime, since: datetime) -> tuple[Paths, bool]:
        """What of it still fails at a moment, by data from `since` on, and whether the condition is true through that alone."""
        if not failing:
            return NONE, False
        used, unknown = readings.at(self.condition.probes, moment, since, self.stale)
        everything = frozenset(self.condition.paths)
        failing -= {path for path in failing if self._began(path, used) is False}
        truth = self._truth(everything, used, unknown)
        if truth is False or self._truth(everything - failing - self._held(used), used, unknown):
            return NONE, False
        unseen = {path for path in failing if not _is_seen(path, used, unknown)}
        return self._failing(failing - unseen, everything - unseen, used, unknown) | unseen, truth is True

    def state_since(self, used: Used, unknown: Unseen) -> datetime | None:
        """Since when, if the condition is only known to be true through states that began before the phase did."""
        held = self._held(used)
        if not held or self._truth(frozenset(self.condition.paths) - held, used, unknown):
            return None
        was = {**self._was[0], **{probe: used[probe] for probe, _ in held}}
        if self._truth(frozenset(self.condition.paths), was, self._was[1]) is False:
            return None
        return max(since for probe, _ in held if (since := used[probe].state_since) is not None)

    def _last_seen(self, readings: Readings) -> tuple[Used, Unseen]:
        """What it read just before the phase; where the condition was unknown then, the last time it was not."""
        just_before = self.origin - _INSTANT
        last = {name: readings.histories[name].at(just_before) for name in self.condition.probes}
        reach = (just_before - self.stale[name].of(seen) for name, seen in last.items() if seen is not None)
        since = min(reach, default=just_before)
        for moment in (just_before, *reversed(self._moments(readings, since, just_before))):
            seen = readings.at(self.condition.probes, moment, _EVER, self.stale)
            if self._truth(self.condition.paths, *seen) is not None:
                return seen
        return readings.at(self.condition.probes, just_before, _EVER, self.stale)

    def _moments(self, readings: Readings, since: datetime, until: datetime) -> list[datetime]:
        """The data times of what it reads, from `since` to before `until`."""
        times = {t for probe in self.condition.probes for t in readings.histories[probe].times if since <= t < until}
        return sorted(times)

    def _failing(self, asked: Paths, among: Paths, used: Used, unknown: Unseen) -> Paths:
        """Those of `asked` without which the condition is not known to be true, by what is seen of `among`."""
        enough = among - asked
        for path in sorted(asked):
            if not self._truth(enough | {path}, used, unknown):
                enough |= {path}
        return among - enough

    def _held(self, used: Used) -> Paths:
        """Paths whose state is known to have begun before the phase."""
        return frozenset(path for path in self.condition.paths if self._began(path, used))

    def _began(self, path: Path, used: Used) -> bool | None:
        """Whether its state is known to have begun before the phase, or in it; None where that is not known."""
        since = used[path[0]].state_since if path[0] in used else None
        return None if since is None else since < self.origin

    def _truth(self, paths: Collection[Path], used: Used, unknown: Unseen) -> bool | None:
        """Of the condition where only these paths are seen."""
        values = {
            probe: {name: reading.values[name] for name in _names(paths, probe) if name in reading.values}
            for probe, reading in used.items()
        }
        why = {f"{probe}.{name}": unknown[f"{probe}.{name}"] for probe, name in paths if f"{probe}.{name}" in unknown}
        return self.condition.evaluate(values, why).truth


def _names(paths: Collection[Path], probe: str) -> Iterator[str]:
    return (name for of, name in paths if of == probe)


def _is_seen(path: Path, used: Used, unknown: Unseen) -> bool:
    probe, name = path
    why = unknown.get(f"{probe}.{name}")
    return probe in used and (name in used[probe].values or (why is not None and why.bounds is not None))
