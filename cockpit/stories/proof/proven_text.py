"""What is proven of a plan, as lines for a terminal and as a document for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from cockpit.formatting import count, duration
from cockpit.stories.proof.prove_bands import worded
from cockpit.stories.proof.proven import Finding, PlanProven, ProbeProven, TriggerProven
from probes.reading import Value

JSON_VERSION = 1
"""Members may be added to it; none changes its meaning or goes."""


def proven_lines(proven: PlanProven) -> Iterator[str]:
    """Findings first, then triggers, criteria, GO, probes, bands, and what could not be decided."""
    findings = list(proven.findings())
    yield (
        f"{proven.name}: {count(len(findings), 'finding')}"
        if findings
        else f"{proven.name}: nothing found that can never come"
    )
    yield from (f"  ✗ {each.position}: {each.text}" for each in findings)
    undecided = list(proven.undecided())
    if undecided:
        yield from ("", "Undecided: not proven, and not to be taken for fine", *(f"  ? {line}" for line in undecided))
    yield from ("", "Rollback triggers: from the fault to the trip, at best and at worst")
    for one in proven.triggers:
        yield from _trigger(one)
    yield from ("", "Success criteria: met at the earliest, from the beginning of the phase")
    for each in proven.criteria:
        yield f"  {_took(each.earliest):>8}  {each.id}" + (f"  ({each.undecided})" if each.undecided else "")
    go = proven.go
    if go.earliest is not None:
        waits = f"; it waits longest for {go.waits_for}" if go.waits_for else ""
        yield f"  {_took(go.earliest):>8}  GO{waits}"
    if proven.ended:
        yield from ("", "When the time of `until` is over", *(f"  {line}" for line in proven.ended))
    if proven.traffic:
        yield from ("", "Traffic that GO needs", *(f"  {line}" for line in proven.traffic))
    yield from ("", "One probe that cannot be read, all others healthy")
    yield from _probes(proven)
    if proven.bands or proven.redundant:
        lines = (f"  {each.text}" for each in (*proven.bands, *proven.redundant))
        yield from ("", "Worth knowing", *lines)


def _trigger(one: TriggerProven) -> Iterator[str]:
    if not one.trips:
        yield f"  {'never' if not one.undecided else '?':>8}  {one.id}" + (
            f"  ({one.undecided})" if one.undecided else ""
        )
        return
    times = duration(one.best or timedelta(0))
    if one.worst != one.best:
        times += f" to {duration(one.worst or timedelta(0))}"
    yield f"  {times:>16}  {one.id}: {worded(one.values)}, {count(one.readings, 'reading')} -> {one.verdict}"
    if one.hidden_by:
        shown = ", ".join(one.hiding())
        verdicts = " or ".join(dict.fromkeys(each.verdict for each in one.hidden_by))
        yield f"{'':18}  hidden where this cannot be read: {shown}; then {verdicts}"


def _probes(proven: PlanProven) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for one in proven.probes:
        groups.setdefault(_effect(one), []).append(one.name)
    for effect, names in sorted(groups.items(), key=lambda pair: -len(pair[1])):
        yield f"  {effect}: {', '.join(names)}"


def _effect(one: ProbeProven) -> str:
    if not one.decides:
        return "changes nothing, it only shows" if one.shows else "changes nothing, no condition that decides reads it"
    texts = []
    for reason, found in (("refused", one.refused), ("throttled", one.throttled)):
        texts.append(f"{reason} {found[0]} after {_took(found[1])}" if found is not None else f"{reason} nothing")
    return "; ".join(texts)


def _took(span: timedelta | None) -> str:
    return duration(span) if span is not None else "never"


def proven_json(proven: PlanProven) -> dict[str, Any]:
    """The same as one document; times in seconds."""
    return {
        "version": JSON_VERSION,
        "plan": proven.path,
        "name": proven.name,
        "digest": proven.digest,
        "findings": [_finding(each) for each in proven.findings()],
        "undecided": list(proven.undecided()),
        "earliest_go_s": _seconds(proven.go.earliest),
        "go_waits_for": proven.go.waits_for,
        "triggers": [
            {
                "id": one.id,
                "severity": one.severity,
                "enforced": one.enforced,
                "trips": one.trips,
                "values": _plain(one.values),
                "readings": one.readings,
                "best_s": _seconds(one.best),
                "worst_s": _seconds(one.worst),
                "verdict": one.verdict,
                "blinded": [{"probe": probe, "reason": reason} for probe, reason in one.blinded],
                "hidden_by": [
                    {"probe": each.probe, "reason": each.reason, "verdict": each.verdict} for each in one.hidden_by
                ],
                "undecided": one.undecided,
            }
            for one in proven.triggers
        ],
        "criteria": [
            {"id": one.id, "enforced": one.enforced, "earliest_s": _seconds(one.earliest), "undecided": one.undecided}
            for one in proven.criteria
        ],
        "lines": [
            {
                "id": one.id,
                "blocking": one.blocking,
                "passes": None if one.passes is None else _plain(one.passes),
                "fails": None if one.fails is None else _plain(one.fails),
                "never_known": list(one.never),
                "undecided": one.undecided,
            }
            for one in proven.lines
        ],
        "probes": [
            {
                "name": one.name,
                "decides": list(one.decides),
                "shows": list(one.shows),
                "refused": _blinded(one.refused),
                "throttled": _blinded(one.throttled),
            }
            for one in proven.probes
        ],
        "bands": [_finding(each) for each in proven.bands],
        "redundant": [_finding(each) for each in proven.redundant],
        "ended": list(proven.ended),
        "traffic": list(proven.traffic),
        "healthy": _plain(proven.healthy),
    }


def _finding(each: Finding) -> dict[str, Any]:
    return {"subject": each.subject, "text": each.text, "file": each.position.file, "line": each.position.line}


def _blinded(found: tuple[str, timedelta] | None) -> dict[str, Any] | None:
    return None if found is None else {"verdict": found[0], "after_s": found[1].total_seconds()}


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _plain(values: Mapping[str, Value]) -> dict[str, Any]:
    return {
        path: value.isoformat() if isinstance(value, datetime) else list(value) if isinstance(value, tuple) else value
        for path, value in values.items()
    }
