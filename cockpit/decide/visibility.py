"""What can be seen now: probe by probe, in total, and why not, one cause shown once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from cockpit import formatting
from cockpit.decide.excerpt import excerpt
from cockpit.decide.limits import Limit
from cockpit.decide.readings import ProbeHistory, Readings
from cockpit.decide.situation import Badge, CriterionStatus, ItemStatus, ProbeStatus, RootCause, Sight
from cockpit.decide.states import State, Visibility
from cockpit.plan.model import ProbeSpec
from probes.reading import Reading, Reason, Unknown


def probe_statuses(readings: Readings, now: datetime) -> tuple[ProbeStatus, ...]:
    return tuple(
        _probe(spec, readings.histories[name], readings.own_limits[name], now) for name, spec in readings.probes.items()
    )


def _probe(spec: ProbeSpec, history: ProbeHistory, limit: Limit, now: datetime) -> ProbeStatus:
    latest = history.latest
    newest = history.newest_data_at
    data_age = now - newest if newest is not None else None
    return ProbeStatus(
        name=spec.name,
        uses=spec.uses,
        title=spec.title,
        interval=spec.interval,
        age=max(now - latest.observed_at, timedelta(0)) if latest else None,
        data_age=data_age,
        latency_s=latest.latency_s if latest else None,
        known=latest.values if latest else {},
        unknown=latest.unknown if latest else {},
        visibility=_visibility(latest, stale=data_age is not None and data_age > history.allowed(limit)),
        readings=history.readings,
        query=latest.evidence.query if latest else "",
        console_url=latest.evidence.console_url if latest else "",
        lines=latest.evidence.lines if latest else (),
    )


def _visibility(latest: Reading | None, *, stale: bool) -> Visibility:
    if latest is None:
        return Visibility.WAITING
    if stale:
        return Visibility.STALE
    if not latest.values:
        return Visibility.BLIND
    absent = all(why.reason.traits.is_plain_absence for why in latest.unknown.values())
    return Visibility.SEES if absent else Visibility.PARTLY


def sight(criteria: Sequence[CriterionStatus], now: datetime) -> Sight:
    """The share of enforced criteria that can be seen, and the oldest data they rest on."""
    enforced = [c for c in criteria if c.enforced]
    visible = [c for c in enforced if c.state is not State.UNKNOWN and Badge.BLIND not in c.badges]
    ages = [now - c.because.data_at for c in visible if c.because.data_at is not None]
    return Sight(len(enforced), len(visible), max(ages, default=None))


def root_causes(
    readings: Readings, criteria: Sequence[CriterionStatus], items: Sequence[ItemStatus]
) -> tuple[RootCause, ...]:
    """Unknowns grouped by what is behind them, the widest first."""
    subjects: dict[tuple[Reason, str], list[str]] = {}
    causes: dict[tuple[Reason, str], Unknown] = {}
    probes: dict[tuple[Reason, str], list[str]] = {}
    for name, history in readings.histories.items():
        latest = history.latest
        for why in latest.unknown.values() if latest else ():
            if not why.reason.traits.settles_by_itself:
                causes.setdefault(_cause(why), why)
                probes.setdefault(_cause(why), []).append(name)
    blinded: list[CriterionStatus | ItemStatus] = [*criteria, *items]
    for blind in blinded:
        if blind.unknown is not None and not blind.unknown.reason.traits.settles_by_itself:
            causes.setdefault(_cause(blind.unknown), blind.unknown)
            subjects.setdefault(_cause(blind.unknown), []).append(blind.id)
    found = [
        RootCause(
            why.reason, why.detail, why.hint, tuple(dict.fromkeys(probes.get(key, ()))), tuple(subjects.get(key, ()))
        )
        for key, why in causes.items()
        if subjects.get(key)
    ]
    return tuple(sorted(found, key=lambda cause: -len(cause.subjects)))


def _cause(why: Unknown) -> tuple[Reason, str]:
    """Two unknowns are one cause when the same action would fix both."""
    return why.reason, why.hint or why.detail


NAMED = 4
"""Probes that the line of a cause names."""
_ALLOW = re.compile(r"^allow ([\w-]+:[\w*]+)")
_ABOUT = re.compile(r"\(((?:secret|bucket|cluster|service|instance|log group|task definition|dashboard) [^()]+)\)$")
"""How the detail of a refused call ends: with what it was about."""
_HEAD = 70


def cause_text(cause: RootCause) -> str:
    """What is behind a blind spot, by the name of the thing: the action that is denied, the host, the secret."""
    if action := _ALLOW.match(cause.hint):
        return f"{action.group(1)} is denied"
    if about := _ABOUT.search(cause.detail):
        return f"{about.group(1)} {str(cause.reason).lower().replace('_', ' ')}"
    detail = excerpt(cause.detail) or str(cause.reason)
    return detail if len(detail) <= _HEAD else f"{detail[: _HEAD - 1]}…"


def cause_line(cause: RootCause) -> str:
    """`cloudwatch:GetMetricData is denied: errors, response (6 checks cannot be evaluated); allow it, then press r`"""
    names = list(cause.probes[:NAMED]) + ([f"+{len(cause.probes) - NAMED}"] if len(cause.probes) > NAMED else [])
    seen = f": {', '.join(names)}" if names else ""
    blind = f"{formatting.count(len(cause.subjects), 'check')} cannot be evaluated"
    hint = f"; {cause.hint}" if cause.hint else ""
    return f"{cause_text(cause)}{seen} ({blind}){hint}"
