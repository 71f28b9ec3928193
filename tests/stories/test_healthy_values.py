"""Healthy values are found from a plan's own conditions; where there are none, the plan contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plans.written_plan import own_probes, plan

from cockpit.conditions.condition import compile_condition
from cockpit.plan.load import load_plan
from cockpit.plan.model import Plan
from cockpit.stories.healthy_values import Healthy, demands_of, healthy
from cockpit.stories.value_search import Values, ValueSearch
from cockpit.stories.values_for import coming_out, failing, tripping
from probes.reading import Value

__all__ = ["own_probes"]
SHIPPED = sorted((Path(__file__).parents[2] / "checklists").glob("*.yaml"))


def criteria(*conditions: str, triggers: tuple[str, ...] = ("live.running > 99",)) -> Plan:
    text = "success_criteria:\n" + "".join(
        f"  - {{id: c{n}, title: C, success_condition: '{each}'}}\n" for n, each in enumerate(conditions)
    )
    text += "rollback_triggers:\n"
    text += "".join(f"  - {{id: t{n}, title: T, failure_condition: '{each}'}}\n" for n, each in enumerate(triggers))
    return plan(text)


def holds(source: str, values: Values) -> bool | None:
    context: dict[str, dict[str, Value]] = {}
    for path, value in values.items():
        probe, _, name = path.partition(".")
        context.setdefault(probe, {})[name] = value
    return compile_condition(source).evaluate(context).truth


def assert_healthy(of: Plan, found: Healthy) -> None:
    for demand in demands_of(of):
        assert holds(demand.condition.source, found.values) is demand.wanted, str(demand)
    for probe, spec in of.probes.items():
        for field in spec.fields:
            value = found.values[f"{probe}.{field.name}"]
            assert isinstance(value, field.type), field.name
            if isinstance(value, int | float):
                assert field.low is None or value >= field.low
                assert field.high is None or value <= field.high


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_plan_has_a_healthy_world(path: Path) -> None:
    of = load_plan(path, environ={}, require_environment=False)
    found = healthy(of)
    assert (found.contradictions, found.undecided) == ((), ())
    assert_healthy(of, found)


@pytest.mark.parametrize(
    "conditions",
    [
        ("live.running >= 2", "live.running < 3"),
        ("live.rate < 0.05", "live.rate > 0.0"),
        ("live.rate != 0.01 && live.rate <= 0.02",),
        ('live.status == "green"',),
        ('live.status in ["blue", "green"]', 'live.status != "blue"'),
        ('"web" in live.names', 'live.names.all(n, n != "a")'),
        ("size(live.names) == 2", '"x" in live.names && "y" in live.names'),
        ("live.running == metric.running", "live.running > 6"),
        ("live.rate < metric.rate",),
        ("!(live.ok || metric.ok) || live.running == 7", "live.ok"),
        ("(live.running == 1 || live.running == 5) && !(live.running < 3)",),
        ("live.rate * 100.0 < 3.0 && live.rate > 0.0",),
    ],
    ids=lambda conditions: conditions[0],
)
def test_values_are_found_that_make_every_condition_hold(conditions: tuple[str, ...]) -> None:
    of = criteria(*conditions)
    found = healthy(of)
    assert (found.contradictions, found.undecided) == ((), ())
    assert_healthy(of, found)


def test_a_number_that_is_a_share_keeps_a_margin() -> None:
    values = healthy(criteria("live.rate < 0.009")).values
    assert values["live.rate"] == 0.0045


def test_what_has_no_bound_is_healthy_below_its_limit_and_not_below_nothing() -> None:
    of = plan(
        "probes:\n  cpu: {uses: cloudwatch.metric, with: {namespace: AWS/RDS, metric: CPUUtilization, stat: Average, scale: 0.01,"
        " dimensions: {DBInstanceIdentifier: a}}}\n"
        "rollback_triggers: [{id: hot, title: H, failure_condition: cpu.value > 0.9, for: 5m}]\n",
        head="plan: v1\nname: p\n",
    )
    assert healthy(of).values["cpu.value"] == 0.45


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ("live.running == 2", "live.running >= 3"),
        ("live.ok", "!live.ok"),
        ("live.rate > 0.5 && live.ok", "live.rate < 0.5"),
        ('live.status == "a"', 'live.status in ["b", "c"]'),
    ],
)
def test_two_conditions_that_exclude_each_other_are_named_with_both_places(first: str, other: str) -> None:
    of = criteria("metric.ok", first, other)
    (found,) = healthy(of).contradictions
    assert {demand.subject for demand in found.demands} == {"c1", "c2"}
    lines = [one.position.line for one in of.success_criteria]
    assert {place.line for place in found.places} == set(lines[1:])
    assert all(str(place) in str(found) for place in found.places)


def test_a_trigger_that_is_true_wherever_a_criterion_holds_contradicts_it() -> None:
    (found,) = healthy(criteria("live.running <= 2", triggers=("live.running < 5",))).contradictions
    assert {demand.subject for demand in found.demands} == {"c0", "t0"}


def test_three_that_exclude_each_other_only_together_are_all_named() -> None:
    of = criteria(
        "live.running == 1 || live.ok", 'live.running == 2 || live.status == "a"', '!live.ok && live.status == "b"'
    )
    (found,) = healthy(of).contradictions
    assert {demand.subject for demand in found.demands} == {"c0", "c1", "c2"}


def test_a_condition_beyond_its_fields_range_has_no_values_by_itself() -> None:
    (found,) = healthy(criteria("live.rate > 1.0")).contradictions
    assert [demand.subject for demand in found.demands] == ["c0"]


def test_what_no_search_can_exclude_is_undecided_and_never_called_impossible() -> None:
    found = healthy(criteria("live.rate * 3.0 > 0.11 && live.rate * 3.0 < 0.1100001"))
    assert (found.contradictions, [demand.subject for demand in found.undecided]) == ((), ["c0"])


def test_a_pinned_value_stays_and_the_others_follow() -> None:
    of = criteria("live.running == metric.running")
    values = healthy(of, {"live.running": 41}).values
    assert values["live.running"] == values["metric.running"] == 41


def test_a_trigger_is_made_true_by_what_changes_least_and_a_criterion_fails() -> None:
    of = criteria("live.rate < 0.01", "live.ok && metric.ok", triggers=("live.rate > 0.05 && live.ok",))
    search, values = ValueSearch(of), healthy(of).values
    found = tripping(of, "t0", search, values).values
    assert found is not None
    assert list(found) == ["live.rate"]
    assert 0.05 < float(str(found["live.rate"])) < 0.06
    failed = failing(of, "c1", search, values).values
    assert failed is not None
    assert holds("live.ok && metric.ok", {**values, **failed}) is False
    assert coming_out(of, "c0", search, values, wanted=True).values == {}
