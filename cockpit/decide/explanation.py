"""The explanation of a state: observed values, thresholds, window and age; enough to judge without opening a console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from cockpit import formatting
from cockpit.conditions.condition import Comparison
from cockpit.conditions.deciding import deciding
from cockpit.decide.because import Explanation, Observed, Progress, Threshold
from cockpit.decide.excerpt import excerpt
from cockpit.decide.readings import Readings
from cockpit.decide.state_machine import MachineState
from cockpit.decide.states import State
from cockpit.plan.model import Criterion, Kind, ProbeSpec
from probes.frozen import frozen
from probes.reading import Evidence, Field, Reason, Unknown

AFTER_GAP = "; it begins again with the next sample: there was a gap"


class Explainer:
    """Explains the states of one criterion. What its plan alone says of it is worked out once: limits and thresholds in words."""

    def __init__(self, criterion: Criterion, probes: Mapping[str, ProbeSpec]) -> None:
        self.criterion = criterion
        self._probes = probes
        condition = criterion.condition
        self._source = " ".join(condition.source.splitlines()) if condition else ""
        self._names = condition.probes if condition else ()
        self._comparisons = condition.comparisons if condition else ()
        self._thresholds = tuple(threshold(probes, comparison) for comparison in self._comparisons)
        self._fields = [self._asked(*path) for path in (condition.paths if condition else ())]
        self._worded: tuple[tuple[Observed, ...], str] = (), ""
        """The values explained last, and their words: most readings find everything as it was."""

    def observed(self, readings: Readings) -> tuple[Observed, ...]:
        """The values it looks at as the newest polls saw them. Changes only when one of them does."""
        return self._weighed(tuple(asked.observed(readings) for asked in self._fields))

    def explain(self, reached: MachineState | None, seen: tuple[Observed, ...], readings: Readings) -> Explanation:
        """Why the criterion is where it is, from what was `observed`. Changes only when a reading arrives."""
        if self.criterion.condition is None:
            return Explanation("waits for a sign-off")
        progress = progress_of(self.criterion, reached)
        latest = [reading for probe in self._names if (reading := readings.latest(probe)) is not None]
        known_until = [at for probe in self._names if (at := readings.histories[probe].newest_data_at) is not None]
        evidence = latest[0].evidence if latest else None
        line = self._values(seen) + _window(progress)
        behind = _behind(seen, readings)
        hinting = next((each for each in behind if each.hint), Evidence())
        return Explanation(
            line=line + (AFTER_GAP if reached and reached.broken else ""),
            condition=self._source,
            observed=seen,
            thresholds=self._thresholds,
            progress=progress,
            data_at=min(known_until, default=None),
            samples=reached.samples if reached else 0,
            probes=self._names,
            query=" · ".join(dict.fromkeys(r.evidence.query for r in latest if r.evidence.query)),
            request_id=evidence.request_id if evidence else "",
            console_url=next((r.evidence.console_url for r in latest if r.evidence.console_url), ""),
            lines=tuple(line for r in latest for line in r.evidence.lines),
            excerpt=_excerpt(behind),
            hint=hinting.hint,
            done_in=hinting.done_in,
            times=_times(reached),
        )

    def past(self, reached: MachineState) -> Explanation:
        """Of what is no longer judged: how it was at its end. What its probes read now says nothing about it."""
        line = f"judged until {formatting.clock(reached.data_at)}, {reached.state.label} then"
        return Explanation(line, self._source, samples=reached.samples, probes=self._names, data_at=reached.data_at)

    def _values(self, seen: tuple[Observed, ...]) -> str:
        if self._worded[0] is not seen:
            self._worded = seen, ", ".join(each.shown for each in sorted(seen, key=lambda each: not each.against))
        return self._worded[1]

    def _asked(self, probe: str, name: str) -> _Asked:
        """A value with what it is to be."""
        path, declared = f"{probe}.{name}", field_of(self._probes, probe, name)
        # Which word it is to be is said where it is another.
        own = (each for each in self._comparisons if each.path == path and not isinstance(each.literal, str))
        limits = dict.fromkeys(map(self._limit, own))
        return _Asked(path, probe, name, declared.unit, declared.meaning, ", ".join(filter(None, limits)))

    def _weighed(self, seen: tuple[Observed, ...]) -> tuple[Observed, ...]:
        """The same, each that is against marked as such with what it was to be."""
        assert self.criterion.condition is not None
        values = {each.path: each.value for each in seen if each.value is not None}
        truth, operands = deciding(self.criterion.condition.source, values)
        bad = self.criterion.kind is Kind.TRIGGER
        if truth is not bad:
            return seen
        against = {path: operand.comparison for operand in reversed(operands) for path in operand.paths}
        return tuple(
            replace(each, against=True, limit=self._limit(against[each.path])) if each.path in against else each
            for each in seen
        )

    def _limit(self, comparison: Comparison | None) -> str:
        if comparison is None or isinstance(comparison.literal, bool):
            return ""
        kind, operator, text = self.criterion.kind, comparison.operator, threshold(self._probes, comparison).text
        beyond = ("<", "<=") if kind is Kind.SUCCESS else (">", ">=")
        if operator in beyond:
            return f"limit {text.removeprefix(operator).strip()}"
        if kind is Kind.SUCCESS:
            return f"want {text.removeprefix('==').strip()}"
        return f"trips {text}"


@frozen
class _Asked:
    """A value that a condition looks at."""

    path: str
    probe: str
    name: str
    unit: str
    meaning: str
    limit: str

    def observed(self, readings: Readings) -> Observed:
        """The value as the newest poll saw it."""
        path, unit, meaning, limit = self.path, self.unit, self.meaning, self.limit
        latest = readings.latest(self.probe)
        if latest is not None and self.name in latest.values:
            held = latest.values[self.name]
            return Observed(path, held, formatting.value(held, unit), unit, meaning, limit=limit)
        why = latest.unknown.get(self.name) if latest else None
        why = why or Unknown(Reason.WARMING, f"no reading of {self.probe} yet")
        text = f"unknown: {why.reason.label}"
        if why.bounds is not None:
            text = f"{formatting.value(why.bounds.low, unit)} to {formatting.value(why.bounds.high, unit)}"
        return Observed(path, None, text, unit, meaning, why, limit=limit)


def _behind(seen: tuple[Observed, ...], readings: Readings) -> list[Evidence]:
    """The evidence of the values that are against; that of a probe that is fine would mislead."""
    probes = dict.fromkeys(each.path.partition(".")[0] for each in seen if each.against)
    return [latest.evidence for probe in probes if (latest := readings.latest(probe)) is not None]


def _excerpt(behind: Sequence[Evidence]) -> str:
    """The first line of detail."""
    return excerpt(next((line for each in behind for line in each.lines), ""))


def _times(reached: MachineState | None) -> int:
    if reached is None or reached.state not in (State.PENDING, State.TRIPPED):
        return 0
    return reached.near_misses + len(reached.trips) + (reached.state is State.PENDING)


def field_of(probes: Mapping[str, ProbeSpec], probe: str, name: str) -> Field:
    """The field as its probe declares it, with its unit and meaning. No plan reads one that is not declared."""
    return next(each for each in probes[probe].fields if each.name == name)


def threshold(probes: Mapping[str, ProbeSpec], comparison: Comparison) -> Threshold:
    probe, _, name = comparison.path.partition(".")
    text = formatting.value(comparison.literal, field_of(probes, probe, name).unit)
    return Threshold(comparison.path, comparison.operator, comparison.literal, f"{comparison.operator} {text}")


def progress_of(criterion: Criterion, reached: MachineState | None) -> Progress | None:
    """How far the window of the current state is."""
    if reached is None:
        return None
    if reached.state is State.RECOVERING:
        return Progress(
            "clear", min(reached.have, criterion.clear_for), criterion.clear_for, reached.samples, criterion.min_samples
        )
    measured = reached.state not in (State.CLEAR, State.NOT_MET)
    need = criterion.needs
    if not measured or not (need or criterion.min_samples > 1):
        return None
    verb = "breached" if criterion.kind is Kind.TRIGGER else "proven"
    have = reached.have if criterion.within else min(reached.have, need)
    return Progress(verb, have, need, reached.samples, criterion.min_samples, criterion.within, reached.inside.time)


def _window(progress: Progress | None) -> str:
    """How far it is, as the end of a line."""
    if progress is None:
        return ""
    window = f"; {progress.verb} {formatting.duration(progress.have)} of {_needed(progress)}" if progress.need else ""
    if progress.samples < progress.min_samples:
        window += f", {progress.samples} of {progress.min_samples} samples"
    return window


def _needed(progress: Progress) -> str:
    """`5m`; for an M of N `8m needed within 10m`, and how much of that could be seen where not all of it could."""
    need = formatting.duration(progress.need)
    if progress.within is None:
        return need
    unseen = progress.within - progress.watched
    within = f"{need} needed within {formatting.duration(progress.within)}"
    return f"{within} ({formatting.duration(progress.watched)} seen)" if unseen > timedelta(0) else within
