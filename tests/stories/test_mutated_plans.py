"""Every trigger of every shipped plan, changed so that it can never trip in time, is found to be so.

A shipped plan is what people copy from: a change to one of its numbers must not turn a trigger into a line that never speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cockpit.conditions.condition import compile_condition
from cockpit.plan.load import load_plan, load_text
from cockpit.plan.model import Criterion, Plan
from cockpit.stories.healthy_values import healthy
from cockpit.stories.proof.plan_proof import prove
from cockpit.stories.proof.prove_triggers import prove_trigger
from cockpit.stories.proof.proven import PlanProven
from cockpit.stories.value_search import ValueSearch

SHIPPED = sorted((Path(__file__).parents[2] / "checklists").glob("*.yaml"))
ZERO, SECOND, MINUTE = timedelta(0), timedelta(seconds=1), timedelta(minutes=1)
NEVER_KNOWN = """\
plan: v1
name: p
probes: {keys: {uses: secrets.metadata, with: {names: [a]}}}
success_criteria: [{id: good, title: G, success_condition: keys.all_rotated}]
rollback_triggers: [{id: bad, title: B, failure_condition: "!keys.all_rotated"}]
"""
"""Without `rotated_after`, no reading says whether all are rotated."""


def beyond_its_bound(plan: Plan, one: Criterion) -> Plan:
    """It asks as well that a number it reads, or that its probe has beside it, lies where no reading can."""
    assert one.condition is not None
    read = set(one.condition.paths)
    bounded = [
        (name, field)
        for name in one.condition.probes
        for field in plan.probes[name].fields
        if field.type in (int, float) and (field.low, field.high) != (None, None)
    ]
    probe, field = min(bounded, key=lambda each: (each[0], each[1].name) not in read)
    impossible = f"> {field.high}" if field.high is not None else f"< {field.low}"
    return with_condition(plan, one, f"{probe}.{field.name} {impossible}")


def always_unknown(plan: Plan, one: Criterion) -> Plan:
    keys = load_text(NEVER_KNOWN, "p.yaml").probes["keys"]
    return with_condition(replace(plan, probes={**plan.probes, "keys": keys}), one, "!keys.all_rotated")


def keeps_too_little(plan: Plan, one: Criterion) -> Plan:
    """A window of several readings, none of which carries it to the next."""
    assert one.condition is not None
    pace = max(plan.probes[name].pace for name in one.condition.probes)
    held = replace(one, hold_for=max(one.needs, 10 * pace), within=None, gap_tolerance=SECOND)
    probes = {name: replace(spec, period=ZERO, settle=ZERO, timeout=SECOND) for name, spec in plan.probes.items()}
    return with_trigger(replace(plan, probes=probes), held)


def read_too_seldom(plan: Plan, one: Criterion) -> Plan:
    window = one.needs or 3 * MINUTE

    probes = {name: replace(spec, interval=2 * window + MINUTE) for name, spec in plan.probes.items()}
    return with_trigger(replace(plan, probes=probes), replace(one, hold_for=window, within=None))


def with_condition(plan: Plan, one: Criterion, also: str) -> Plan:
    assert one.condition is not None
    return with_trigger(plan, replace(one, condition=compile_condition(f"({one.condition.source}) && {also}")))


def with_trigger(plan: Plan, one: Criterion) -> Plan:
    others = tuple(one if each.id == one.id else each for each in plan.rollback_triggers)
    return replace(plan, rollback_triggers=others)


MUTATIONS: dict[str, tuple[Callable[[Plan, Criterion], Plan], str]] = {
    "a threshold beyond the field's bound": (beyond_its_bound, "no reading makes it true"),
    "a `for` its own retention never reaches": (keeps_too_little, "however long it is true, it never trips"),
    "a field that is always unknown": (
        always_unknown,
        "keys.all_rotated is never known: the plan gives no rotated_after",
    ),
    "a probe slower than the window": (read_too_seldom, "its window is"),
}


def found_in(plan: Plan, id_: str, proven: PlanProven) -> list[str]:
    """What `prove` finds of one trigger of a plan."""
    (one,) = (each for each in plan.rollback_triggers if each.id == id_)
    trigger = prove_trigger(plan, one, healthy(plan).values, ValueSearch(plan))
    return [each.text for each in replace(proven, triggers=(trigger,)).findings()]


@pytest.fixture(scope="module")
def nothing_found() -> PlanProven:
    proven = prove(load_plan(SHIPPED[0], environ={}, require_environment=False), play_go=False)
    assert not list(proven.findings())
    return proven


EVERY_ONE = [
    pytest.param(
        path,
        name,
        id=f"{path.stem}: {name}",
        marks=[pytest.mark.long] if mutate is read_too_seldom and path.stem != "quiet-night" else [],
    )
    for path in SHIPPED
    for name, (mutate, _) in MUTATIONS.items()
]
"""A slow probe is played for hours, with every blindness of it: in one plan here, in the others with the long tests."""


@pytest.mark.parametrize(("path", "name"), EVERY_ONE)
def test_a_trigger_of_a_shipped_plan_that_is_made_mute_is_found(
    path: Path, name: str, nothing_found: PlanProven
) -> None:
    mutate, why = MUTATIONS[name]
    plan = load_plan(path, environ={}, require_environment=False)
    for one in plan.rollback_triggers:
        found = found_in(mutate(plan, one), one.id, nothing_found)
        assert [(one.id, why in text) for text in found] == [(one.id, True)], found
