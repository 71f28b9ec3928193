"""Fields that a plan declares are fields like any other: conditions on them are type-checked, and lint knows their range."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from cockpit.plan.lint.run import lint_source
from cockpit.plan.load import PlanError, load_text
from cockpit.plan.source.source_file import Source
from probes.declared_fields import DeclaredField
from probes.reading import Unknown

PLAN = """
plan: v1
name: p
probes:
  stats:
    uses: http.json
    with:
      url: https://example.com/stats
      fields:
        depth: {pointer: /depth, type: POINTED, unit: count, low: 0, high: 1000}
rollback_triggers:
  - {id: deep, title: Too deep, failure_condition: "CONDITION", for: 5m}
"""


def plan(condition: str, pointed: str = "int") -> str:
    return PLAN.replace("CONDITION", condition).replace("POINTED", pointed)


def problems(text: str) -> list[str]:
    with pytest.raises(PlanError) as raised:
        load_text(text, "p.yaml", environ={})
    return [problem.message for problem in raised.value.problems]


def test_a_condition_reads_a_declared_field_and_the_probe_s_own() -> None:
    loaded = load_text(plan("stats.depth > 100 || !stats.ok"), "p.yaml", environ={})
    assert [field.name for field in loaded.probes["stats"].fields] == ["ok", "status", "latency_ms", "depth"]


@pytest.mark.parametrize(
    ("condition", "words"), [("stats.dept > 1", "did you mean 'depth'"), ("stats.depth == 'x'", "stats.depth")]
)
def test_a_wrong_name_or_type_is_found_when_the_plan_is_loaded(condition: str, words: str) -> None:
    (found,) = problems(plan(condition))
    assert words in found


def test_a_field_that_cannot_be_declared_is_one_problem_and_conditions_are_not_blamed() -> None:
    (found,) = problems(plan("stats.depth > 1", "integer"))
    assert "http.json" in found


def test_lint_knows_the_declared_range() -> None:
    found = lint_source(Source.of(plan("stats.depth > 2000"), "p.yaml"), environ={})
    assert "never-trips" in {one.rule.id for one in found}


@pytest.mark.parametrize(
    ("declared", "held", "value"),
    [
        ({"type": "int"}, 12.0, 12),
        ({"type": "int", "scale": 1000}, 0.004, 4),
        ({"type": "float", "scale": 0.01}, 41.5, 0.415),
        ({"type": "time"}, 1767225600, datetime(2026, 1, 1, tzinfo=UTC)),
        ({"type": "time"}, "2026-01-01T01:00:00+01:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ({"type": "list"}, ["a"], ("a",)),
        ({"type": "bool"}, 1, None),
        ({"type": "int"}, True, None),
        ({"type": "int"}, "12", None),
        ({"type": "int", "scale": 0.5}, 3, None),
        ({"type": "float"}, float("nan"), None),
        ({"type": "float"}, 10**400, None),
        ({"type": "time"}, "2026-01-01T01:00:00", None),
        ({"type": "time"}, 1e30, None),
        ({"type": "list"}, ["a", 1], None),
        ({"type": "str"}, ["a"], None),
        ({"type": "float", "low": 0, "high": 1}, 1.5, None),
    ],
)
def test_a_value_is_of_its_type_or_unknown(declared: dict[str, Any], held: Any, value: Any) -> None:
    made = DeclaredField.model_validate(declared).value(held)
    assert isinstance(made, Unknown) if value is None else made == value


def test_a_list_has_no_unit() -> None:
    with pytest.raises(ValidationError):
        DeclaredField.model_validate({"type": "list", "unit": "s"})
