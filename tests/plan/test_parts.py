"""Parts: fragments put in under a name, closed but for their inputs; every problem is shown where it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cockpit.plan.lint.run import lint_plan
from cockpit.plan.load import PlanError, load_plan
from cockpit.plan.model import Plan
from cockpit.plan.source.parts_of_plan import read_plan
from cockpit.plan.source.problems import Problem

PLAN = """\
plan: v1
name: orders
target: {account: "123456789012", region: eu-central-1}
vars: {cluster: prod, tasks: 2, url: "${env:URL}"}
people: [{id: ann, name: Ann, roles: [on_call]}]
parts: {web-service: parts/web.yaml}
include:
  - {part: web-service, as: api, with: {cluster: "${cluster}", service: orders-api, tasks: "${tasks}"}}
  - {part: web-service, as: worker, with: {cluster: "${cluster}", service: orders-worker, url: "${url}"}}
probes:
  queue: {uses: sqs.queue, with: {queue: jobs}}
rollback_triggers:
  - {id: queue.old, title: Old, failure_condition: queue.oldest_age_s > 900 && api_service.running > 0, for: 5m}
"""
PART = """\
part: v1
title: A service on ECS
inputs:
  cluster: {}
  service: {description: its name}
  tasks: {type: number, default: 1}
  url: {default: "https://example.com/health"}
probes:
  service: {uses: ecs.service, with: {cluster: "${cluster}", service: "${service}"}}
  health: {uses: http.health, with: {url: "${url}"}}
checklist:
  - section: "${service}"
    items:
      - {id: ready, title: Ready, expect: health.ok}
success_criteria:
  - id: tasks
    title: "${service} runs"
    success_condition: service.running == ${tasks} && service.desired == ${tasks} && health.ok
    for: 5m
rollback_triggers:
  - {id: down, title: Down, failure_condition: "!health.ok && service.pending == 0", for: 5m}
rollback_plan:
  - {id: back, title: Go back, action: {uses: ecs.rollback, service: service}}
"""


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def written(plan: str = PLAN, part: str = PART) -> Path:
        (tmp_path / "parts").mkdir(exist_ok=True)
        (tmp_path / "parts" / "web.yaml").write_text(part)
        (tmp_path / "plan.yaml").write_text(plan)
        return tmp_path / "plan.yaml"

    return written


def load(path: Path, **overrides: str) -> Plan:
    return load_plan(path, overrides=overrides, environ={"URL": "https://secret.example.com/health"})


def problems(path: Path) -> list[tuple[str, str]]:
    with pytest.raises(PlanError) as raised:
        load(path)
    return [(f"{Path(one.position.file).name} {_marked(one)}", one.message) for one in raised.value.problems]


def _marked(problem: Problem) -> str:
    """The characters that carets stand under."""
    first = problem.position.column - 1
    return problem.source_line[first : first + problem.length]


def test_one_part_is_two_services(write: Any) -> None:
    plan = load(write())
    assert list(plan.probes) == ["queue", "api_service", "api_health", "worker_service", "worker_health"]
    assert plan.probes["worker_service"].params == {"cluster": "prod", "service": "orders-worker"}
    assert [each.id for each in plan.success_criteria] == ["api.tasks", "worker.tasks"]
    assert [each.title for each in plan.success_criteria] == ["orders-api runs", "orders-worker runs"]
    conditions = [each.condition.source for each in plan.success_criteria if each.condition]
    assert conditions == [
        "api_service.running == 2 && api_service.desired == 2 && api_health.ok",
        "worker_service.running == 1 && worker_service.desired == 1 && worker_health.ok",
    ]
    assert [each.id for each in plan.rollback_triggers] == ["queue.old", "api.down", "worker.down"]
    assert [item.id for _, item in plan.items()] == ["api.ready", "worker.ready"]
    steps = {step.id: step.action for step in plan.rollback_plan}
    assert [str(action.on) for action in steps.values() if action] == ["prod/orders-api", "prod/orders-worker"]


def test_what_the_environment_gives_stays_secret_within_a_part(write: Any) -> None:
    plan = load(write())
    assert plan.probes["worker_health"].secret_params == ("url",)
    assert plan.probes["api_health"].secret_params == ()


def test_a_var_in_a_condition_is_of_its_type(write: Any) -> None:
    plan = load(write(), tasks="3")
    condition = plan.success_criteria[0].condition
    assert condition
    assert "running == 3" in condition.source
    with pytest.raises(PlanError, match="is a number in the plan"):
        load(write(), tasks="three")


@pytest.mark.parametrize(
    ("was", "now", "where", "words"),
    [
        ("service.pending", "service.pendin", "web.yaml pendin", "did you mean 'pending'"),
        ("health.ok && s", "queue.ok && s", "web.yaml ", "sees its own probes alone"),
        ("== ${tasks} && h", "== ${task} && h", "web.yaml ${task}", "no input 'task'; did you mean 'tasks'"),
        ("== ${tasks} && h", "== '${tasks}' && h", "web.yaml service.desired", "desired"),
        ('"${service} runs"', '"${services} runs"', "web.yaml ${services}", "no input 'services'"),
        ('"${service} runs"', '"${url} runs"', 'web.yaml "${url} runs"', "would be shown here"),
        ('"${service} runs"', '"${name} runs"', "web.yaml ${name}", "no input 'name'"),
        ("ecs.service, with", "ecs.servise, with", "web.yaml ecs.servise", "did you mean 'ecs.service'"),
        ("id: down", "id: tasks", "web.yaml tasks", "already used"),
        ("part: v1", "part: v2", "web.yaml v2", "part: v1"),
        ("title: A service", "include: A service", "web.yaml include", "a part includes no other"),
        ("  tasks: {type: number", "  tasks: {type: count", "web.yaml count", "must be one of"),
        ("default: 1}", 'default: "1"}', 'web.yaml "1"', "is not a number"),
    ],
)
def test_a_problem_of_a_part_is_shown_where_it_is_written(
    write: Any, was: str, now: str, where: str, words: str
) -> None:
    assert was in PART
    found = problems(write(part=PART.replace(was, now)))
    assert any(place.startswith(where) and words in message for place, message in found), found


def test_a_problem_of_a_part_names_the_inclusion_too(write: Any) -> None:
    found = problems(write(part=PART.replace("service.pending", "service.pendin")))
    assert [message.rpartition("(part ")[2].partition(",")[0] for _, message in found] == ["'api'", "'worker'"]
    assert all("plan.yaml:" in message for _, message in found)


@pytest.mark.parametrize(
    ("was", "now", "where", "words"),
    [
        ("service: orders-api, ", "", "plan.yaml {part", "needs service"),
        ("service: orders-api, ", "servise: orders-api, ", "plan.yaml servise", "did you mean 'service'"),
        ("as: worker", "as: api", "plan.yaml api", "already the name"),
        ("as: worker", "as: Worker", "plan.yaml Worker", "small letters"),
        ("as: worker", "as: env", "plan.yaml env", "small letters"),
        ("{part: web-service, as: worker", "{part: web, as: worker", "plan.yaml web", "there is no part 'web'"),
        ('tasks: "${tasks}"', "tasks: two", "plan.yaml two", "is a number"),
        ('tasks: "${tasks}"', 'tasks: "${url}"', 'plan.yaml "${url}"', "is a number"),
        ("parts/web.yaml", "parts/wob.yaml", "plan.yaml ", "cannot be read"),
        ("parts/web.yaml", "../web.yaml", "plan.yaml ", "outside the plan's folder"),
        ("parts: {", "parts: {other: parts/web.yaml, ", "plan.yaml other", "included nowhere"),
        (
            "  queue:",
            "  api_service: {uses: sqs.queue, with: {queue: x}}\n  queue:",
            "plan.yaml api_service",
            "of that name too",
        ),
    ],
)
def test_what_is_wrong_with_an_inclusion_is_shown_there(write: Any, was: str, now: str, where: str, words: str) -> None:
    assert was in PLAN
    found = problems(write(PLAN.replace(was, now)))
    assert any(place.startswith(where) and words in message for place, message in found), found


def test_the_whole_is_one_text_that_is_the_same_plan(write: Any, tmp_path: Path) -> None:
    source = read_plan(write())
    copy = tmp_path / "elsewhere.yaml"
    copy.write_bytes(source.whole)
    plan, again = load(tmp_path / "plan.yaml"), load(copy)
    assert (again.digest, again.probes.keys()) == (plan.digest, plan.probes.keys())
    assert [(each.id, str(each.condition)) for each in again.success_criteria] == [
        (each.id, str(each.condition)) for each in plan.success_criteria
    ]
    (tmp_path / "parts" / "web.yaml").write_text(PART.replace("title: Down", "title: Broken"))
    assert load(tmp_path / "plan.yaml").digest != plan.digest


def test_lint_speaks_of_the_part_s_file_and_takes_its_reasons(write: Any) -> None:
    rule = "success-of-the-release-before"
    found = [one for one in lint_plan(write(), {}) if one.rule.id == rule]
    assert {Path(one.problem.position.file).name for one in found} == {"web.yaml"}
    reasoned = PART.replace("  - id: tasks\n", f"  # lint: ignore {rule} another line proves it\n  - id: tasks\n")
    again = [one for one in lint_plan(write(part=reasoned), {}) if one.rule.id == rule]
    assert {one.accepted for one in again} == {"another line proves it"}


STEPS = """\
gates:
  - {id: go, before: deploy, poll: {roles: [on_call]}}
runbook:
  - {id: push, title: Push, expected: 5m}
  - {id: roll, title: Roll, expected: 5m, after: [push, first], gate: go, progress: [service.share]}
"""


def test_steps_of_a_part_wait_for_its_own_steps_and_gates_under_the_names_they_have_there(write: Any) -> None:
    first = "runbook: [{id: first, title: First, expected: 5m}]\n"
    deployment = "  service: {uses: ecs.deployment, with: {cluster: c, service: s}}\n"
    part = "part: v1\nprobes:\n" + deployment + STEPS.replace("service.share", "service.traffic_share")
    included = PLAN[: PLAN.index("parts:")] + "parts: {web: parts/web.yaml}\ninclude: [{part: web, as: api}]\n"
    plan = load(write(included + "probes: {queue: {uses: sqs.queue, with: {queue: jobs}}}\n" + first, part))
    assert [step.id for step in plan.runbook] == ["first", "api.push", "api.roll"]
    roll = plan.runbook[2]
    assert (roll.after, roll.gate, roll.progress) == (("api.push", "first"), "api.go", ("api_service.traffic_share",))
