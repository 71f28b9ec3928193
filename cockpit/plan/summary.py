"""A plan on one screen: what `cockpit validate` prints when nothing is wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from cockpit.conditions.condition import Condition
from cockpit.formatting import count, duration
from cockpit.plan.ended_criteria import ended_criteria
from cockpit.plan.freshness import all_never_fresh
from cockpit.plan.model import Criterion, Plan, Section
from cockpit.plan.never_go import never_go
from cockpit.plan.probe_limits import needed_traffic
from cockpit.plan.step_graph import critical_path
from cockpit.plan.surroundings import Level
from probes.clients.regions import unknown_region

WIDTH = 100
_LABEL = 14


def summarise(plan: Plan) -> list[str]:
    """Lines: name, target, what is watched and judged, who signs, and what the environment must provide."""
    return [f"{Path(plan.path).name} is valid: {plan.title} ({plan.environment})", *_lines(plan)]


def next_window(plan: Plan, now: datetime) -> list[str]:
    """When the change window is open next, by its own clocks, or that it never is again; nothing where the plan has none."""
    if plan.window is None:
        return []
    opening, zone = plan.window.next_after(now), ZoneInfo(plan.window.time_zone)
    begins, ends = opening.begins.astimezone(zone), opening.ends.astimezone(zone)
    times = f"{begins:%a %Y-%m-%d %H:%M} to {ends:%H:%M} {plan.window.time_zone}"
    if opening.ends <= now:
        return _row("window over", f"it ended {duration(now - opening.ends)} ago, and is not open again: {times}")
    when = f"opens in {duration(opening.begins - now)}" if opening.begins > now else "is open now"
    return _row("window", f"{when}: {times}")


def warnings(plan: Plan) -> Iterator[tuple[str, str]]:
    """What is legal and most probably not meant: a word for it, and the sentence."""
    if plan.production and not plan.target.account:
        yield "any account", "this is production, and target.account names no account: no other one is refused"
    if plan.target.region and (hint := unknown_region(plan.target.region)):
        yield "region?", hint


def _lines(plan: Plan) -> Iterator[str]:
    for word, warning in warnings(plan):
        yield from _row(word, warning)
    if plan.target.account or plan.target.region:
        yield from _row(
            "target", f"account {plan.target.account or 'any'}, {plan.target.region or 'the default region'}"
        )
    kinds = len({spec.uses for spec in plan.probes.values()})
    yield from _row("probes", f"{len(plan.probes)} of {count(kinds, 'kind')}")
    yield from _row("judged by", _judged(plan))
    yield from _go(plan)
    for section in plan.checklist:
        yield from _section(section, max(len(one.title) for one in plan.checklist))
    for gate in plan.gates:
        poll = gate.poll
        people = (" person" if poll.required == 1 else " people") if poll.distinct_people else ""
        asked = f"{poll.required}{people} of {', '.join(poll.roles)} say go before {gate.before}"
        yield from _row("gate", f"{gate.title}: {asked}")
    if plan.runbook or plan.rollback_plan:
        yield from _row(
            "steps", f"{len(plan.runbook)} in the runbook, {len(plan.rollback_plan)} to roll back{_lasting(plan)}"
        )
    yield from _context(plan)
    if plan.needs_environment:
        yield from _row("not set", f"{', '.join(plan.needs_environment)} in the environment")
    named_by_itself = {name for name, spec in plan.probes.items() if spec.uses == "aws.identity"}  # the frame shows it
    used = {probe for condition in plan.conditions() for probe in condition.probes}
    if idle := sorted(set(plan.probes) - used - named_by_itself):
        yield from _row("unused", f"no condition uses {', '.join(idle)}")


def _lasting(plan: Plan) -> str:
    """How long they take of the change window; empty without one."""
    if plan.window is None:
        return ""
    there, back = (duration(critical_path(steps)) for steps in (plan.runbook, plan.rollback_plan))
    return f": {there} and {back} of a window of {duration(plan.window.length)}"


def _go(plan: Plan) -> Iterator[str]:
    """When GO can come, or why it never does, and the traffic it takes."""
    never = tuple(never_go(plan))
    provided = ", if that region answers" if plan.target.region and unknown_region(plan.target.region) else ""
    for why in never or [f"{duration(earliest_go(plan))} after the phase begins{provided}"]:
        yield from _row("never GO" if never else "earliest GO", why)
    for _, why in all_never_fresh(plan):
        if why not in never:
            yield from _row("never fresh", why)
    for need in needed_traffic(plan):
        yield from _row("GO needs", str(need))
    for ended in ended_criteria(plan):
        yield from _row("until", str(ended))


def _context(plan: Plan) -> Iterator[str]:
    """Risks, the application's environment, and what the cutover rests on."""
    if plan.risks:
        levels = [f"{number} {level}" for level in Level if (number := sum(r.level is level for r in plan.risks))]
        blind = [risk.id for risk in plan.risks if not risk.watch and risk.level is not Level.ACCEPTED]
        unseen = f"; nothing would show {', '.join(blind)}" if blind else ""
        yield from _row("risks", f"{', '.join(levels)}{unseen}")
    if plan.environment_variables:
        needed = [variable for variable in plan.environment_variables if variable.required]
        secret = sum(bool(variable.secret) for variable in needed)
        optional = len(plan.environment_variables) - len(needed)
        yield from _row("variables", f"{len(needed)} required, {secret} of them from secrets; {optional} optional")
    if plan.secrets:
        yield from _row("secrets", _below([secret.name for secret in plan.secrets]))
    if plan.services:
        yield from _row("rests on", ", ".join(service.title for service in plan.services))


def _below(names: Sequence[str]) -> str:
    """Names, and once the folder all of them are in.

    >>> _below(["app/key", "app/token"])
    'app/: key, token'
    """
    folder, *others = {name.rpartition("/")[0] for name in names}
    if others or not folder:
        return ", ".join(names)
    return f"{folder}/: {', '.join(name.removeprefix(f'{folder}/') for name in names)}"


def _judged(plan: Plan) -> str:
    shown = sum(not criterion.enforced for criterion in plan.criteria())
    text = f"{_parts(plan.success_criteria, 'success criterion', 'success criteria')}, "
    text += _parts(plan.rollback_triggers, "rollback trigger", "rollback triggers")
    return text + (f"; {shown} only shown" if shown else "")


def _parts(criteria: Iterable[Criterion], one: str, many: str) -> str:
    criteria = tuple(criteria)
    signed = sum(criterion.sign_off is not None for criterion in criteria)
    text = f"{len(criteria)} {one if len(criteria) == 1 else many}"
    return text + (f" ({signed} with a sign-off)" if signed else "")


def _section(section: Section, width: int) -> Iterator[str]:
    seen = sum(item.expect is not None for item in section.items)
    signed = sum(item.sign_off is not None for item in section.items)
    lines = f"{count(len(section.items), 'line'):>8}"
    yield from _row(
        str(section.phase), f"{section.title:{width}} {lines}: {seen} seen by probes, {signed} signed by people"
    )


def earliest_go(plan: Plan) -> timedelta:
    """How long after its phase begins all that decides can be good at best: what must hold, and what must be seen clear."""
    proven = [_held(plan, c) + c.initial_delay + _seen(plan, c.condition) for c in plan.success_criteria if c.enforced]
    seen = [c.initial_delay + _seen(plan, c.condition) for c in plan.rollback_triggers if c.enforced]
    seen += [_seen(plan, item.expect) for _, item in plan.items() if item.blocking]
    return max([*proven, *seen], default=timedelta(0)) + plan.verdict_dwell


def _held(plan: Plan, criterion: Criterion) -> timedelta:
    """How long it takes to see a criterion hold for its `for`: it ends with a reading."""
    every = max(
        (plan.probes[name].interval for name in (criterion.condition.probes if criterion.condition else ())),
        default=timedelta(0),
    )
    return -(-criterion.hold_for // every) * every if every else criterion.hold_for


def _seen(plan: Plan, condition: Condition | None) -> timedelta:
    """How long after the phase begins the first period that counts has closed and settled; 0 where no metric is read."""
    return max((plan.probes[name].delay for name in (condition.probes if condition else ())), default=timedelta(0))


def _row(label: str, text: str) -> list[str]:
    first, rest = f"  {label:{_LABEL - 2}}", " " * _LABEL
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, replace_whitespace=False, break_on_hyphens=False
    )
