"""What a trigger's condition had failing when its phase began. A breach is PRE_EXISTING while nothing else makes it true.

Each path of the condition has its own past: what was bad before does not excuse what turns bad beside it, nor what was seen good
since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from cockpit.conditions.condition import Condition
from cockpit.decide.limits import Limit
from cockpit.decide.readings import Readings
from probes.reading import Reading, Unknown, Value

Path = tuple[str, str]
"""Probe and field."""
Paths = frozenset[Path]
NONE: Paths = frozenset()
_EVER = datetime.min.replace(tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)
Used = Mapping[str, Reading]
Unseen = Mapping[str, Unknown]
Values = Mapping[str, Mapping[str, Value]]
"""By probe and field."""


class BeforePhase:
    """Of one condition. Its phase begins at `origin`; it is judged from `begins` on, `stale` are its limits by probe."""

    def __init__(self, condition: Condition, origin: datetime, begins: datetime, stale: Mapping[str, Limit]) -> None:
        self.condition = condition
        self.origin = origin
        self.begins = begins
        self.stale = stale
        self.failing = NONE
        """What failed before the phase began and was not seen good until it is judged."""
        self._was: tuple[Values, Unseen] = {}, {}
        """As of just before the phase."""

    def read(self, readings: Readings) -> None:
        """Take in what is known of the time before it is judged."""
        self._was = self._just_before(readings)
        self.failing = frozenset(self.condition.paths) - self._enough(sorted(self.condition.paths), *self._was)
        for moment in self._moments(readings, self.origin, self.begins):
            self.failing, _ = self.goes_on(self.failing, readings, moment)

    def goes_on(self, failing: Paths, readings: Readings, moment: datetime) -> tuple[Paths, bool]:
        """What of it still fails at a moment, and whether the condition is true through that alone.

        What cannot be seen then is as it was last seen, and fails on where that is forgotten: which probe answers first, or
        not at all, ends no breach.
        """
        if not failing:
            return NONE, False
        used, unknown = self._at(readings, moment)
        now, held, everything = _values(used), self._held(used), frozenset(self.condition.paths)
        failing -= {path for path in failing if self._began(path, used) is False}
        if self._truth(everything - failing - held, now, unknown):
            return NONE, False
        last = self._last_seen(readings, moment)
        order = sorted(last, key=lambda path: (path in failing, path in held, path))
        enough = self._enough(order, *_view(last))
        return failing - enough, self._truth(everything, now, unknown) is True

    def state_since(self, used: Used, unknown: Unseen) -> datetime | None:
        """Since when, if the condition is only known to be true through states that began before the phase did."""
        held = self._held(used)
        if not held or self._truth(frozenset(self.condition.paths) - held, _values(used), unknown):
            return None
        was = {**self._was[0], **{probe: used[probe].values for probe, _ in held}}
        if self._truth(frozenset(self.condition.paths), was, self._was[1]) is False:
            return None
        return max(since for probe, _ in held if (since := used[probe].state_since) is not None)

    def _just_before(self, readings: Readings) -> tuple[Values, Unseen]:
        """What it read just before the phase; where the condition was unknown then, the last time it was not."""
        just_before = self.origin - _INSTANT
        last = {name: readings.histories[name].at(just_before) for name in self.condition.probes}
        reach = (just_before - self.stale[name].of(seen) for name, seen in last.items() if seen is not None)
        since = min(reach, default=just_before)
        moments = (just_before, *reversed(self._moments(readings, since, just_before)))
        views = [(_values(used), unknown) for used, unknown in (self._at(readings, moment) for moment in moments)]
        return next((view for view in views if self._truth(self.condition.paths, *view) is not None), views[0])

    def _last_seen(self, readings: Readings, moment: datetime) -> dict[Path, Reading]:
        """By path the sample it was last seen in, up to a moment, however long before that was."""
        last = {path: readings.histories[path[0]].last_with(path[1], moment) for path in self.condition.paths}
        return {path: sample for path, sample in last.items() if sample is not None}

    def _at(self, readings: Readings, moment: datetime) -> tuple[Used, Unseen]:
        return readings.at(self.condition.probes, moment, _EVER, self.stale)

    def _moments(self, readings: Readings, since: datetime, until: datetime) -> list[datetime]:
        """The data times of what it reads, from `since` to before `until`."""
        times = {t for probe in self.condition.probes for t in readings.histories[probe].times if since <= t < until}
        return sorted(times)

    def _enough(self, paths: Iterable[Path], values: Values, unknown: Unseen) -> Paths:
        """As many of these, the first ones first, as do not make the condition true: without the others it is not."""
        found = NONE
        for path in paths:
            if not self._truth(found | {path}, values, unknown):
                found |= {path}
        return found

    def _held(self, used: Used) -> Paths:
        """Paths whose state is known to have begun before the phase."""
        return frozenset(path for path in self.condition.paths if self._began(path, used))

    def _began(self, path: Path, used: Used) -> bool | None:
        """Whether its state is known to have begun before the phase, or in it; None where that is not known."""
        since = used[path[0]].state_since if path[0] in used else None
        return None if since is None else since < self.origin

    def _truth(self, paths: Collection[Path], values: Values, unknown: Unseen) -> bool | None:
        """Of the condition where only these paths are seen."""
        seen = {
            probe: {name: value for name, value in of.items() if (probe, name) in paths} for probe, of in values.items()
        }
        why = {f"{probe}.{name}": unknown[f"{probe}.{name}"] for probe, name in paths if f"{probe}.{name}" in unknown}
        return self.condition.evaluate(seen, why).truth


def _values(used: Used) -> Values:
    return {probe: reading.values for probe, reading in used.items()}


def _view(last: Mapping[Path, Reading]) -> tuple[Values, Unseen]:
    """What each path was in its sample: a value, or bounds alone."""
    values: dict[str, dict[str, Value]] = {probe: {} for probe, _ in last}
    unknown = {}
    for (probe, name), sample in last.items():
        if name in sample.values:
            values[probe][name] = sample.values[name]
        else:
            unknown[f"{probe}.{name}"] = sample.unknown[name]
    return values, unknown
