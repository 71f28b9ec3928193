"""The explanation of a state: observed values, thresholds, window and age; enough to judge without opening a console."""

from __future__ import annotations

from collections.abc import Mapping
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
from probes.reading import Field, Reason, Unknown

AFTER_GAP = "; it begins again with the next sample: there was a gap"


def explain(criterion: Criterion, reached: MachineState | None, readings: Readings) -> Explanation:
    """Why a criterion is where it is, from the newest samples. Changes only when a reading arrives."""
    condition = criterion.condition
    if condition is None:
        return Explanation("waits for a sign-off")
    seen = _weighed(criterion, tuple(_limited(criterion, path, readings) for path in condition.paths), readings)
    thresholds = tuple(threshold(readings.probes, comparison) for comparison in condition.comparisons)
    progress = progress_of(criterion, reached)
    latest = [reading for probe in condition.probes if (reading := readings.latest(probe)) is not None]
    known_until = [at for probe in condition.probes if (at := readings.histories[probe].newest_data_at) is not None]
    evidence = latest[0].evidence if latest else None
    return Explanation(
        line=_line(seen, thresholds, progress, criterion.kind) + (AFTER_GAP if reached and reached.broken else ""),
        condition=" ".join(condition.source.splitlines()),
        observed=seen,
        thresholds=thresholds,
        progress=progress,
        data_at=min(known_until, default=None),
        samples=reached.samples if reached else 0,
        probes=condition.probes,
        query=" · ".join(dict.fromkeys(r.evidence.query for r in latest if r.evidence.query)),
        request_id=evidence.request_id if evidence else "",
        console_url=next((r.evidence.console_url for r in latest if r.evidence.console_url), ""),
        lines=tuple(line for r in latest for line in r.evidence.lines),
        excerpt=_excerpt(seen, readings),
        times=_times(reached),
    )


def explain_past(because: Explanation, reached: MachineState) -> Explanation:
    """The explanation of what is no longer judged: how it was at its end. What its probes read now says nothing about it."""
    line = f"judged until {formatting.clock(reached.data_at)}, {reached.state.label} then"
    return Explanation(line, because.condition, samples=reached.samples, probes=because.probes, data_at=reached.data_at)


def _excerpt(seen: tuple[Observed, ...], readings: Readings) -> str:
    """The first line of detail behind a value that is against; a line of a probe that is fine would mislead."""
    probes = dict.fromkeys(each.path.partition(".")[0] for each in seen if each.against)
    latest = (readings.latest(probe) for probe in probes)
    lines = (line for reading in latest if reading is not None for line in reading.evidence.lines[:1])
    return excerpt(next(lines, ""))


def _times(reached: MachineState | None) -> int:
    if reached is None or reached.state not in (State.PENDING, State.TRIPPED):
        return 0
    return reached.near_misses + len(reached.trips) + (reached.state is State.PENDING)


def _limited(criterion: Criterion, path: tuple[str, str], readings: Readings) -> Observed:
    """The value with what it is to be, where the condition compares it once."""
    observed = observe(readings, *path)
    compared = criterion.condition.comparisons if criterion.condition is not None else ()
    own = [each for each in compared if each.path == observed.path]
    return replace(observed, limit=_limit(own[0], readings, criterion.kind)) if len(own) == 1 else observed


def _weighed(criterion: Criterion, seen: tuple[Observed, ...], readings: Readings) -> tuple[Observed, ...]:
    """The same, each that is against marked as such with what it was to be."""
    if criterion.condition is None:
        return seen
    values = {each.path: each.value for each in seen if each.value is not None}
    truth, operands = deciding(criterion.condition.source, values)
    bad = criterion.kind is Kind.TRIGGER
    if truth is not bad:
        return seen
    against = {path: operand.comparison for operand in reversed(operands) for path in operand.paths}
    return tuple(
        replace(each, against=True, limit=_limit(against[each.path], readings, criterion.kind))
        if each.path in against
        else each
        for each in seen
    )


def _limit(comparison: Comparison | None, readings: Readings, kind: Kind) -> str:
    if comparison is None or isinstance(comparison.literal, bool):
        return ""
    operator, text = comparison.operator, threshold(readings.probes, comparison).text
    beyond = ("<", "<=") if kind is Kind.SUCCESS else (">", ">=")
    if operator in beyond:
        return f"limit {text.removeprefix(operator).strip()}"
    if kind is Kind.SUCCESS:
        return f"want {text.removeprefix('==').strip()}"
    return f"trips {text}"


def field_of(probes: Mapping[str, ProbeSpec], probe: str, name: str) -> Field | None:
    """The declared field, with its unit and meaning."""
    return next((f for f in probes[probe].fields if f.name == name), None)


def observe(readings: Readings, probe: str, name: str) -> Observed:
    """One value as the newest poll saw it."""
    declared = field_of(readings.probes, probe, name)
    unit, meaning = (declared.unit, declared.meaning) if declared else ("", "")
    latest = readings.latest(probe)
    path = f"{probe}.{name}"
    if latest is not None and name in latest.values:
        held = latest.values[name]
        return Observed(path, held, formatting.value(held, unit), unit, meaning)
    why = latest.unknown.get(name) if latest else None
    why = why or Unknown(Reason.WARMING, f"no reading of {probe} yet")
    text = f"unknown: {why.reason}"
    if why.bounds is not None:
        text = f"{formatting.value(why.bounds.low, unit)} to {formatting.value(why.bounds.high, unit)}"
    return Observed(path, None, text, unit, meaning, why)


def threshold(probes: Mapping[str, ProbeSpec], comparison: Comparison) -> Threshold:
    probe, _, name = comparison.path.partition(".")
    declared = field_of(probes, probe, name)
    text = formatting.value(comparison.literal, declared.unit if declared else "")
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


def _line(seen: tuple[Observed, ...], thresholds: tuple[Threshold, ...], progress: Progress | None, kind: Kind) -> str:
    limits = {t.path: t for t in thresholds}
    word = "trips" if kind is Kind.TRIGGER else "needs"
    parts = []
    for observed in sorted(seen, key=lambda each: not each.against):
        limit = limits.get(observed.path)
        parts.append(
            f"{observed.label} {observed.text}" + (f" ({word} {limit.text})" if limit and not _plain(limit) else "")
        )
    line = ", ".join(parts)
    if progress is not None and progress.need:
        line += f"; {progress.verb} {formatting.duration(progress.have)} of {_needed(progress)}"
    if progress is not None and progress.samples < progress.min_samples:
        line += f", {progress.samples} of {progress.min_samples} samples"
    return line


def _needed(progress: Progress) -> str:
    """`5m`; for an M of N `8m needed within 10m`, and how much of that could be seen where not all of it could."""
    need = formatting.duration(progress.need)
    if progress.within is None:
        return need
    unseen = progress.within - progress.watched
    within = f"{need} needed within {formatting.duration(progress.within)}"
    return f"{within} ({formatting.duration(progress.watched)} seen)" if unseen > timedelta(0) else within


def _plain(limit: Threshold) -> bool:
    """Equality with a flag or a word explains itself."""
    return limit.operator == "==" and isinstance(limit.value, (bool, str))
