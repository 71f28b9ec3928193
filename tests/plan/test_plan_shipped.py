"""The plans that come with the cockpit are valid, complete, and described by the schema beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.plans.shipped_plan import shipped_plan

from cockpit.plan.document import json_schema, probe_pages
from cockpit.plan.load import load_plan
from cockpit.plan.model import Phase, Plan, Severity
from cockpit.plan.summary import summarise
from probes.aws.alarm_definitions import AlarmDefinitionParams, differences

CHECKLISTS = Path(__file__).resolve().parents[2] / "checklists"


@pytest.fixture
def customer() -> Plan:
    return shipped_plan()


@pytest.mark.parametrize(
    ("probe", "told"),
    [
        ("alarm_errors", {"Statistic": "Average"}),
        ("alarm_errors", {"ComparisonOperator": "LessThanThreshold"}),
        ("alarm_response", {"ComparisonOperator": "LessThanThreshold"}),
        ("alarm_connections", {"ComparisonOperator": "LessThanThreshold"}),
    ],
)
def test_an_alarm_that_cannot_ring_for_what_it_is_there_for_is_not_as_planned(
    customer: Plan, probe: str, told: dict[str, Any]
) -> None:
    """The average of a count of errors is 1, however many there are: such an alarm never goes off above 5."""
    wanted = AlarmDefinitionParams.model_validate(customer.probes[probe].params)
    period = 60 if wanted.period is None else int(wanted.period.total_seconds())
    right = {
        "Namespace": wanted.namespace,
        "MetricName": wanted.metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in wanted.dimensions.items()],
        "Statistic": wanted.statistic or "Maximum",
        "Threshold": wanted.threshold,
        "ComparisonOperator": "GreaterThanThreshold",
        "Period": period,
        "EvaluationPeriods": wanted.evaluation_periods or 3,
    }
    assert (differences(right, wanted), len(differences(right | told, wanted))) == ((), 1)


def lines_of(refs: list[str]) -> list[int]:
    """Line numbers of `readiness-report.md:LINE`."""
    found = [re.fullmatch(r"readiness-report\.md:(\d+)", ref) for ref in refs]
    assert all(found), refs
    return [int(one.group(1)) for one in found if one]


def test_the_schema_beside_the_plans_is_current() -> None:
    assert probe_pages.path().read_text(encoding="utf-8") == probe_pages.pages(), "a probe changed: run `make schema`"
    for file, text in json_schema.schemas().items():
        shipped = json_schema.path(file).read_text(encoding="utf-8")
        assert shipped == text, f"{file}: a probe or a key of the plan changed: run `make schema`"


def test_an_editor_takes_a_reference_where_the_loader_does_and_is_given_durations_as_plans_write_them() -> None:
    def all_of(held: Any) -> Iterator[dict[str, Any]]:
        if isinstance(held, dict):
            yield held
        for each in held.values() if isinstance(held, dict) else held if isinstance(held, list) else ():
            yield from all_of(each)

    whole = json.loads(json_schema.path().read_text(encoding="utf-8"))
    formed = [each["pattern"] for each in all_of(whole) if each.get("type") == "string" and "pattern" in each]
    assert len(formed) > 20
    assert [pattern for pattern in formed if not re.search(pattern, "${name}")] == []
    assert [each for each in all_of(whole) if re.match(r"-?P[0-9T]", str(each.get("default", "")))] == []


def test_every_field_of_the_schema_says_what_it_is_for() -> None:
    from cockpit.plan.document.document import PlanDocument
    from cockpit.plan.document.field_types import Part

    def silent(kind: type[Part]) -> list[str]:
        return [f"{kind.__name__}.{name}" for name, info in kind.model_fields.items() if not info.description]

    direct = Part.__subclasses__()
    kinds: list[type[Part]] = [PlanDocument, *direct, *(kind for one in direct for kind in one.__subclasses__())]
    assert [name for kind in kinds for name in silent(kind)] == []


def test_the_smallest_plan_is_small_and_needs_nothing() -> None:
    text = (CHECKLISTS / "minimal.yaml").read_text(encoding="utf-8")
    loaded = load_plan(CHECKLISTS / "minimal.yaml", environ={})
    assert len(text.splitlines()) <= 45
    assert (len(loaded.probes), len(loaded.success_criteria), len(loaded.rollback_triggers)) == (3, 2, 2)
    assert not loaded.production
    assert not loaded.needs_environment


def test_all_checklist_lines_of_the_report_are_there_once(customer: Plan) -> None:
    checkboxes = [
        *range(799, 808),
        *range(811, 815),
        *range(818, 823),
        *range(826, 833),
        *range(836, 842),
        *range(845, 850),
    ]
    assert len(checkboxes) == 36
    lines = lines_of([item.ref for _, item in customer.items()])
    assert [line for line in lines if 799 <= line <= 849] == checkboxes
    assert len(set(lines)) == len(lines)


def test_all_criteria_and_triggers_of_the_report_are_live(customer: Plan) -> None:
    assert lines_of([c.ref for c in customer.success_criteria]) == list(range(1089, 1098))
    assert lines_of([c.ref for c in customer.rollback_triggers]) == list(range(1101, 1107))
    assert all(c.condition is not None and c.enforced for c in customer.criteria())


def test_thresholds_are_those_of_the_report(customer: Plan) -> None:
    conditions = {c.id: c.condition.source for c in customer.criteria() if c.condition is not None}
    minutes = {c.id: c.hold_for.total_seconds() / 60 for c in customer.criteria()}
    assert "service.running == 2 && service.desired == 2" in conditions["tasks.healthy"]
    assert conditions["llm.fast"] == "llm.value <= 10000.0"
    assert conditions["pool.below_80"] == "pool.utilization < 0.8"
    assert (conditions["errors.none"], minutes["errors.none"]) == ("errors.part == 0.0", 30)
    assert (conditions["errors.high"], minutes["errors.high"]) == ("errors.rate > 0.05", 5)
    assert conditions["uploads.failing"] == "uploads.failure_rate > 0.1"


def test_an_outage_of_the_vendor_alone_holds_and_never_rolls_back(customer: Plan) -> None:
    severities = {c.id: c.severity for c in customer.rollback_triggers}
    assert severities.pop("llm.failing") is Severity.MAJOR
    assert set(severities.values()) == {Severity.CRITICAL}


def test_the_customer_plan_is_for_production_and_two_people_open_its_gate(customer: Plan) -> None:
    assert customer.production
    (gate,) = [g for g in customer.gates if g.before == "deploy"]
    assert (gate.id, gate.poll.required, gate.poll.distinct_people) == ("go_no_go", 2, True)
    assert {role for person in customer.people for role in person.roles} == {"on_call", "backup", "db_owner"}


def test_every_step_names_its_line_and_the_commands_keep_their_shell(customer: Plan) -> None:
    steps = {step.id: step for step in (*customer.runbook, *customer.rollback_plan)}
    assert all(lines_of([step.ref]) for step in steps.values())
    assert "docker push ${ECR_REPO}:$TAG" in steps["run.image"].command
    assert "--bucket transparent-trust-documents-prod" in steps["run.bucket"].command


def test_the_hazards_of_the_report_are_said_where_they_bite(customer: Plan) -> None:
    cautions = {one.id: one.caution for one in customer.criteria()}
    cautions |= {step.id: step.caution for step in (*customer.runbook, *customer.rollback_plan)}
    cautions |= {item.id: item.caution for _, item in customer.items()}
    for id_, word in {
        "back.prisma": "P3012",
        "back.revision": "digest",
        "run.files": "Point of no return",
        "post.file_migration": "exits 0",
        "uploads.failing": "201",
        "infra.iam": "S3",
        "app.secrets": "falls back",
        "infra.pooling": "400",
        "security.encryption_key": "unreadable",
        "run.image": "localhost",
        "errors.high": "HOLD",
        "infra.lifecycle": "GLACIER",
        "app.oauth_callbacks": "wildcard",
        "back.database": "endpoint",
        "llm.failing": "HOLD",
    }.items():
        assert word in cautions[id_], id_


def test_the_summary_fits_one_screen_and_tells_people_from_probes(customer: Plan) -> None:
    text = "\n".join(summarise(customer))
    assert len(text.splitlines()) <= 24
    assert all(len(line) <= 120 for line in text.splitlines())
    assert "9 success criteria, 6 rollback triggers" in text
    assert "DATABASE_URL" in text
    for section in customer.checklist:
        assert section.title in text
    automatic = sum(item.expect is not None for section, item in customer.items() if section.phase is Phase.PRE_DEPLOY)
    assert automatic >= 20


def test_no_value_of_the_environment_reaches_the_summary() -> None:
    loaded = load_plan(CHECKLISTS / "transparent-trust.yaml", environ={"DATABASE_URL": "postgresql://u:hunter2@h/d"})
    assert "hunter2" not in " ".join(summarise(loaded)) + repr(loaded)
    assert loaded.probes["pool"].params["dsn"] == "postgresql://u:hunter2@h/d"
