"""What a plan can do and what it cannot: proven before the night, by search over its conditions and by playing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count

from cockpit.plan.ended_criteria import ended_criteria
from cockpit.plan.model import Item, Plan
from cockpit.plan.probe_limits import needed_traffic, never_known
from cockpit.stories.healthy_values import Healthy, healthy
from cockpit.stories.proof.prove_bands import prove_bands, redundant
from cockpit.stories.proof.prove_criteria import prove_criterion, prove_go, prove_line, prove_probe
from cockpit.stories.proof.prove_triggers import prove_trigger
from cockpit.stories.proof.proven import CriterionProven, Finding, GoProven, LineProven, PlanProven
from cockpit.stories.value_search import Values, ValueSearch

OnStep = Callable[[int, int, str], None]
"""Called with how many parts are done, of how many, and what is next."""


def prove(plan: Plan, on_step: OnStep = lambda _done, _total, _what: None, *, play_go: bool = True) -> PlanProven:
    """Everything about one plan. `play_go`: whether the whole plan is played until GO, which takes longest."""
    found = healthy(plan)
    values, search = found.values, ValueSearch(plan)
    items = [item for _, item in plan.items() if item.expect is not None]
    total = 2 + len(plan.rollback_triggers) + len(plan.success_criteria) + len(plan.probes)
    done = count()

    def at(what: str) -> None:
        on_step(next(done), total, what)

    at("lines")
    lines = tuple(_line(plan, item, values, search) for item in items)
    triggers, criteria, probes = [], [], []
    for trigger in plan.rollback_triggers:
        at(trigger.id)
        triggers.append(prove_trigger(plan, trigger, values, search))
    for criterion in plan.success_criteria:
        at(criterion.id)
        criteria.append(prove_criterion(plan, criterion, values))
    for spec in plan.probes.values():
        at(spec.name)
        probes.append(prove_probe(plan, spec, values))
    at("GO")
    met = [one.earliest for one in criteria if one.enforced and not one.undecided]
    if found.contradictions or None in met:
        waits = ", ".join(one.id for one in criteria if one.enforced and one.earliest is None and not one.undecided)
        go = GoProven(None, waits or "conditions that contradict each other")
    else:
        go = prove_go(plan, values) if play_go else GoProven(None, undecided="it was not played")
    return PlanProven(
        name=plan.name,
        path=plan.path,
        digest=plan.digest,
        go=go,
        triggers=tuple(triggers),
        criteria=tuple(criteria),
        lines=lines,
        probes=tuple(probes),
        bands=(*prove_bands(plan, values, search), *_only_shown(lines, items)),
        redundant=tuple(redundant(plan, search)),
        ended=tuple(_ended(plan, criteria)),
        traffic=tuple(map(str, needed_traffic(plan))),
        contradictions=tuple(_contradictions(found)),
        healthy=values,
    )


def _ended(plan: Plan, proven: Sequence[CriterionProven]) -> Iterator[str]:
    """What still holds when a criterion's time is over, and of one that takes longer than that, what becomes of it."""
    earliest = {each.id: each.earliest for each in proven}
    for each in ended_criteria(plan):
        late = (earliest.get(each.criterion.id) or each.until) > each.until
        yield str(each) + ("; met later than that at the earliest, it is judged on until it is" if late else "")


def _line(plan: Plan, item: Item, values: Values, search: ValueSearch) -> LineProven:
    """What is proven of a line; one whose fields are never known neither passes nor fails."""
    proven = prove_line(plan, item, values, search)
    never = never_known(plan)
    assert item.expect is not None
    blocked = {path: never[path] for path in (f"{a}.{b}" for a, b in item.expect.paths) if path in never}
    if not blocked:
        return proven
    known = {path: value for path, value in values.items() if path not in blocked}
    context: dict[str, dict[str, object]] = {}
    for path, value in known.items():
        probe, _, name = path.partition(".")
        context.setdefault(probe, {})[name] = value
    if item.expect.evaluate(context).truth is not None:  # type: ignore[arg-type]
        return proven
    return replace(proven, passes=None, never=tuple(f"{path} is never known: {why}" for path, why in blocked.items()))


def _only_shown(lines: tuple[LineProven, ...], items: list[Item]) -> Iterator[Finding]:
    """What is wrong with lines that block nothing: worth knowing, and no finding."""
    for line, item in zip(lines, items, strict=True):
        if not item.blocking and line.never:
            yield Finding(
                line.id,
                f"the line {line.id} can never pass (it blocks nothing): {'; '.join(line.never)}",
                line.position,
            )


def _contradictions(found: Healthy) -> Iterator[Finding]:
    for each in found.contradictions:
        yield Finding(each.demands[0].subject, each.text, each.places[0])
