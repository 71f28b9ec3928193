"""What a step lets the cockpit do names the one service it does it to."""

from __future__ import annotations

import json

import pytest

from cockpit.commands.iam import actions_need
from cockpit.plan.document.json_schema import path
from cockpit.plan.load import PlanError, load_text
from cockpit.plan.model import Plan

API = "  api: {uses: ecs.service, with: {cluster: orders, service: orders-api}}\n"
TASKS = "  tasks: {uses: ecs.tasks, with: {cluster: orders, service: orders-api}}\n"
WORKER = "  worker: {uses: ecs.service, with: {cluster: orders, service: orders-worker}}\n"
CLUSTER_ARN = "arn:aws:ecs:us-east-1:123456789012:cluster/orders"
BY_ARN = f"  arn: {{uses: ecs.service, with: {{cluster: '{CLUSTER_ARN}', service: orders-api}}}}\n"


def loaded(probes: str, *actions: str) -> Plan:
    steps = "".join(f"  - {{id: back{at}, title: Back, action: {each}}}\n" for at, each in enumerate(actions))
    head = "plan: v1\nname: p\ntarget: {account: '123456789012', region: us-east-1}\n"
    text = f"{head}probes:\n  me: {{uses: aws.identity}}\n{probes}rollback_plan:\n{steps}"
    return load_text(text, "p.yaml", environ={}, require_environment=False)


def named(probes: str, action: str) -> str:
    (step,) = loaded(probes, action).rollback_plan
    return str(step.action)


def problems(probes: str, *actions: str) -> list[tuple[str, str]]:
    with pytest.raises(PlanError) as raised:
        loaded(probes, *actions)
    return [(each.path, each.message) for each in raised.value.problems]


@pytest.mark.parametrize(
    ("probes", "action"),
    [
        (API, "ecs.rollback"),
        (API + TASKS, "ecs.rollback"),
        (API + BY_ARN, "ecs.rollback"),
        (API, "{uses: ecs.rollback}"),
        (API + WORKER, "{uses: ecs.rollback, service: api}"),
        (API + WORKER, "{uses: ecs.rollback, service: orders/orders-api}"),
        (BY_ARN + WORKER, "{uses: ecs.rollback, service: arn}"),
    ],
)
def test_an_action_knows_its_service(probes: str, action: str) -> None:
    assert named(probes, action) == "ecs.rollback orders/orders-api"


@pytest.mark.parametrize(
    ("probes", "action", "at", "said"),
    [
        (API + WORKER, "ecs.rollback", "action", "say which service: orders/orders-api, orders/orders-worker"),
        (API + WORKER, "{uses: ecs.rollback}", "action", "say which service"),
        ("", "ecs.rollback", "action", "watches no ECS service to change: add a probe ecs.service"),
        (API, "ecs.rolback", "action", "there is no action 'ecs.rolback'; did you mean 'ecs.rollback'?"),
        (API, "{uses: rds.restore}", "action.uses", "there is no action 'rds.restore'; there is ecs.rollback"),
        (API, "''", "action.uses", ""),
        (API, "{uses: ecs.rollback, service: apo}", "action.service", "did you mean 'api'?"),
        (API, "{uses: ecs.rollback, service: orders/order-api}", "action.service", "did you mean 'orders/orders-api'?"),
        (API, "{uses: ecs.rollback, service: me}", "action.service", "'me' (aws.identity) watches no ECS service"),
        (API, "{uses: ecs.rollback, servce: api}", "action.servce", ""),
        (API, "{service: api}", "action", "uses"),
        (API, "[ecs.rollback]", "action", ""),
    ],
)
def test_an_action_that_cannot_be_done_is_an_error_at_its_place(probes: str, action: str, at: str, said: str) -> None:
    ((where, message),) = problems(probes, action)
    assert where.startswith("rollback_plan[0].action")
    assert where in (f"rollback_plan[0].{at}", "rollback_plan[0].action")
    assert said in message


def test_every_problem_is_said_at_once() -> None:
    assert len(problems(API + WORKER, "ecs.rollback", "rds.restore", "{uses: ecs.rollback, service: x}")) == 3


def test_a_service_named_by_the_environment_is_no_problem_before_it_is_set() -> None:
    probes = "  api: {uses: ecs.service, with: {cluster: '${env:CLUSTER}', service: '${env:SERVICE}'}}\n"
    loaded(probes, "{uses: ecs.rollback, service: orders/orders-api}", "ecs.rollback")


def test_each_action_is_allowed_its_own_service_and_no_other() -> None:
    one = actions_need(loaded(API + WORKER, "{uses: ecs.rollback, service: api}"))
    arn = "arn:aws:ecs:us-east-1:123456789012:service/orders"
    assert one["ecs:UpdateService"] == {f"{arn}/orders-api"}
    both = actions_need(
        loaded(API + WORKER, "{uses: ecs.rollback, service: api}", "{uses: ecs.rollback, service: worker}")
    )
    assert both["ecs:UpdateService"] == {f"{arn}/orders-api", f"{arn}/orders-worker"}


def test_the_schema_completes_actions_in_both_forms() -> None:
    schema = json.loads(path().read_text())
    assert "ecs.rollback" in json.dumps(schema["$defs"]["ActionPart"]["properties"]["uses"])
    assert "service" in schema["$defs"]["ActionPart"]["properties"]
    forms = schema["$defs"]["StepPart"]["properties"]["action"]["anyOf"]
    assert {"enum": ["ecs.rollback", "synthetic.traffic"]} in forms
    assert {"$ref": "#/$defs/ActionPart"} in forms
