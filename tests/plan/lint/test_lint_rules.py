"""Each rule finds the smallest plan that has it, and leaves one alone that does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from plan.lint.lint_cases import CASES, DEPLOYED, HEAD, HEADS, item, sign, step, success, trigger

from cockpit.plan.lint.registry import RULES
from cockpit.plan.lint.rule import Finding
from cockpit.plan.lint.run import lint_plan, lint_source
from cockpit.plan.source.source_file import Source

ROOT = Path(__file__).resolve().parents[3]


def lint(text: str, head: str = HEAD) -> list[Finding]:
    """On a machine without records: no step was ever done before."""
    return lint_source(Source.of(head + text, "p.yaml"), environ={}, done_before=lambda _: ())


def found(text: str, rule: str, head: str = HEAD) -> list[Finding]:
    return [one for one in lint(text, head) if one.rule.id == rule and not one.accepted]


def marked(one: Finding) -> str:
    begin = one.problem.position.column - 1
    return one.problem.source_line[begin : begin + one.problem.length]


def test_every_rule_has_a_plan_that_has_it_and_one_that_does_not() -> None:
    assert sorted(CASES) == sorted(rule.id for rule in RULES)
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", sorted(CASES))
def test_a_rule_finds_the_plan_that_has_it(rule: str) -> None:
    assert found(CASES[rule][0], rule, HEADS.get(rule, HEAD))


@pytest.mark.parametrize("rule", sorted(CASES))
def test_a_rule_leaves_the_plan_alone_that_does_not(rule: str) -> None:
    assert [one.problem.message for one in found(CASES[rule][1], rule, HEADS.get(rule, HEAD))] == []


def test_rules_say_why_they_bite_and_what_to_do() -> None:
    for rule in RULES:
        assert rule.why.endswith("."), rule.id
        assert rule.instead.endswith(".") or rule.instead.endswith("]."), rule.id
        assert len(rule.why) < 200, rule.id


@pytest.mark.parametrize(
    ("condition", "can_trip"),
    [
        ("errors.rate > 1.0", False),
        ("errors.rate >= 1.0", True),
        ("errors.rate < 0.0", False),
        ("1.5 < errors.rate", False),
        ("errors.rate > 0.5 && errors.rate < 0.4", False),
        ("!(errors.rate <= 1.0)", False),
        ("service.running > 1 && service.running < 2", False),
        ("service.running > 1 && service.running <= 2", True),
        ("service.running < 0", False),
        ("pool.exhausted && !pool.exhausted", False),
        ("pool.exhausted != true || pool.exhausted", True),
        ("service.status == 'A' && service.status == 'B'", False),
        ("service.status in ['A', 'B'] && service.status != 'A'", True),
        ("service.status in ['A'] && service.status != 'A'", False),
        ("errors.part > errors.total", True),
    ],
)
def test_intervals_tell_what_can_never_trip(condition: str, can_trip: bool) -> None:
    assert bool(found(trigger(condition), "never-trips")) is not can_trip


def test_a_percentage_for_a_share_is_explained_where_it_stands() -> None:
    (one,) = found(trigger("pool.exhausted || errors.rate > 5.0"), "never-trips")
    assert marked(one) == "errors.rate > 5.0"
    assert "5 % is written 0.05" in one.problem.message


def test_a_condition_with_too_many_ways_is_left_alone() -> None:
    many = " && ".join(f"(errors.rate > 0.{n} || pool.used > {n})" for n in range(10, 30))
    assert lint(success(many) + trigger(many)) == []


def test_a_parameter_from_a_variable_that_is_not_set_is_no_crash() -> None:
    head = HEAD.replace("min_total: 20", 'min_total: "${env:LEAST}"')
    assert found(trigger("errors.rate > 0.01"), "few-samples", head)


def test_a_count_cannot_exceed_the_names_it_counts() -> None:
    head = HEAD.replace("people:", "  alarms: {uses: cloudwatch.alarms, with: {names: [a, b]}}\npeople:")
    assert found(success("alarms.exist_count == 3"), "never-met", head)
    assert not found(success("alarms.exist_count == 2"), "never-met", head)


def test_a_band_without_a_gap_is_not_a_gap() -> None:
    assert not found(success("!pool.exhausted") + trigger("pool.exhausted"), "bands-gap")
    assert not found(success("pool.utilization < 0.8") + trigger("pool.utilization >= 0.8"), "bands-gap")


def test_people_who_vote_under_two_names_are_found() -> None:
    gate = "gates: [{id: g, before: deploy, poll: {roles: [on_call, backup], required: 2}}]\n"
    assert found(gate, "one-person-quorum", HEAD.replace("name: Bob", "name: ann"))
    assert found("environment: production\n" + gate, "production-without-keys")
    assert not found(gate, "production-without-keys")
    assert not found(gate, "one-person-quorum")


def test_the_budget_of_connections_is_added_up() -> None:
    head = HEAD.replace("u:hidden@h/d", "u:hidden@h/d?connection_limit=100")
    (one,) = found(success("service.running == 2 && pool.max_connections >= 200"), "pool-budget", head)
    assert "2 x 2 tasks x 100 = 400 connections; the plan asks the server for 200" in one.problem.message
    assert "hidden" not in str(one.problem)


def test_a_finding_is_accepted_with_a_reason_above_it_or_beside_it() -> None:
    above = "rollback_triggers:\n  # lint: ignore never-trips it is a drill\n"
    entry = "  - {id: t, title: T, failure_condition: errors.rate > 5.0, for: 5m, runbook: r}"
    (one,) = [f for f in lint(above + entry + "\n") if f.rule.id == "never-trips"]
    assert one.accepted == "it is a drill"
    assert not found(f"rollback_triggers:\n{entry}  # lint: ignore never-trips a drill\n", "never-trips")


def test_what_must_be_mended_is_accepted_with_no_reason() -> None:
    gate = "gates: [{id: g, before: deploy, poll: {roles: [on_call], required: 1}}]\n"
    head = HEAD.replace("people:", "people:\n  # lint: ignore production-without-keys nobody has one")
    assert found("environment: production\n" + gate, "production-without-keys", head)


@pytest.mark.parametrize(
    "comment", ["# lint: ignore never-trips", "# lint: ignore never-met a drill", "# lint: ignore"]
)
def test_without_a_reason_or_with_another_rule_nothing_is_accepted(comment: str) -> None:
    entry = "  - {id: t, title: T, failure_condition: errors.rate > 5.0, for: 5m, runbook: r}\n"
    assert found(f"rollback_triggers:\n  {comment}\n{entry}", "never-trips")


def test_a_secret_of_the_environment_is_never_told() -> None:
    head = HEAD.replace('"postgresql://u:hidden@h/d"', '"${env:URL}"')
    text = success("service.running == 2")
    url = {"URL": "postgresql://u:hunter2@h/d?connection_limit=900"}
    findings = lint_source(Source.of(head + text, "p.yaml"), environ=url)
    assert "pool-budget" in [one.rule.id for one in findings]
    assert "hunter2" not in "".join(str(one.problem) for one in findings)


def test_a_plan_with_nothing_but_probes_has_no_findings() -> None:
    assert lint("") == []
    assert lint(item("X", sign("What is it?")) + step("ls")) == []


def test_the_report_copied_literally_has_its_contradictions() -> None:
    findings = lint_plan(ROOT / "tests/plan/plans/literal.yaml", environ={})
    assert {one.rule.report for one in findings} >= {
        "T1",
        "T2",
        "T3",
        "T4",
        "T5",
        "T6",
        "T7",
        "T8",
        "T9",
        "T11",
        "T12",
        "T13",
    }
    assert {"rollback-to-same-image", "unattended-irreversible", "contact-in-brackets"} <= {f.rule.id for f in findings}


def test_the_shipped_plans_have_only_what_their_owner_must_fill_in_or_decide() -> None:
    assert lint_plan(ROOT / "checklists/minimal.yaml", environ={}) == []
    left = {one.rule.id for one in lint_plan(ROOT / "checklists/transparent-trust.yaml", environ={})}
    assert left == {"contact-in-brackets", "placeholder-host", "role-nobody-holds", "production-without-keys"}


@pytest.mark.parametrize(
    ("condition", "proves"),
    [
        ("deployment.succeeded && service.running == 2", True),
        ("deployment.succeeded == true && service.stable", True),
        ("deployment.succeeded != false && service.stable", True),
        ("!(!deployment.succeeded || !service.stable)", True),
        ("deployment.status == 'SUCCESSFUL' && service.stable", True),
        ("service.stable && service.running == 2", False),
        ("deployment.succeeded || service.stable", False),
        ("!deployment.failed && service.stable", False),
        ("old.succeeded && service.stable", False),
        ("deployment.created_at > timestamp('2026-01-01T00:00:00Z') && service.stable", False),
    ],
)
def test_a_stable_service_is_not_a_deployed_release(condition: str, proves: bool) -> None:
    text = success(condition).replace('"', "'") if "'" not in condition else success(condition)
    assert bool(found(text, "success-of-the-release-before", DEPLOYED)) is not proves


CODEDEPLOY = DEPLOYED.replace(
    "  service:",
    "  blue: {uses: codedeploy.deployment, with: {application: a, group: g, after: phase}}\n"
    "  any_age: {uses: codedeploy.deployment, with: {application: a, group: g}}\n  service:",
    1,
)


@pytest.mark.parametrize(
    ("condition", "proves"),
    [
        ("blue.succeeded && service.stable", True),
        ("blue.status == 'Succeeded' && service.stable", True),
        ("blue.succeeded || service.stable", False),
        ("any_age.succeeded && service.stable", False),
    ],
)
def test_where_codedeploy_deploys_its_success_proves_the_service_read_beside_it(condition: str, proves: bool) -> None:
    assert bool(found(success(condition), "success-of-the-release-before", CODEDEPLOY)) is not proves
    assert not found(trigger("service.failed_tasks >= 3 || blue.failed"), "primary-fools", CODEDEPLOY)
    assert found(trigger("service.failed_tasks >= 3 || blue.in_progress"), "primary-fools", CODEDEPLOY)


def test_a_success_of_any_age_is_named() -> None:
    (one,) = found(success("old.succeeded"), "success-of-the-release-before", DEPLOYED)
    assert "old.succeeded may be of a deployment long ago" in one.problem.message


def test_success_in_shadow_proves_nothing_of_the_release() -> None:
    shadow = (
        "success_criteria:\n  - {id: d, title: D, success_condition: deployment.succeeded, for: 5m, mode: shadow}\n"
    )
    real = "  - {id: s, title: S, success_condition: service.stable, for: 5m}\n"
    assert found(shadow + real, "success-of-the-release-before", DEPLOYED)
    assert not found(shadow.replace(", mode: shadow", "") + real, "success-of-the-release-before", DEPLOYED)


@pytest.mark.parametrize(
    ("conditions", "fooled"),
    [
        (["service.failed_tasks >= 3"], ["t0"]),
        (["service.rollout_state == 'FAILED'"], ["t0"]),
        (["!service.stable", "service.failed_tasks >= 3"], ["t0", "t1"]),
        (["service.failed_tasks >= 3 || deployment.failed"], []),
        (["service.failed_tasks >= 3", "deployment.rolled_back"], []),
        (["service.running < 2"], []),
    ],
)
def test_a_trigger_that_reads_the_primary_alone_can_be_fooled(conditions: list[str], fooled: list[str]) -> None:
    lines = [
        f'  - {{id: t{number}, title: T, failure_condition: "{condition}", for: 1m, runbook: r}}'
        for number, condition in enumerate(conditions)
    ]
    findings = found("\n".join(["rollback_triggers:", *lines, ""]), "primary-fools", DEPLOYED)
    assert [one.problem.message.split("'")[1] for one in findings] == fooled
    assert all("can be fooled" in one.problem.message for one in findings)


@pytest.mark.parametrize("name", ["minimal.yaml", "orders.yaml", "quiet-night.yaml", "transparent-trust.yaml"])
def test_no_shipped_plan_takes_the_release_before_for_success(name: str) -> None:
    rules = {finding.rule.id for finding in lint_plan(ROOT / "checklists" / name)}
    assert rules.isdisjoint({"success-of-the-release-before", "primary-fools"})


_OF_THE_SHIPPED_PLAN = re.compile(
    r"the report|\bthe (route|script|code)\b|s3Key|\b201\b|localhost|Document uploaded|/api/|day 91"
)


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_a_rule_speaks_of_the_plan_in_front_of_it(rule: str) -> None:
    """What is true of one application alone stands in its plan, as a caution."""
    one = next(each for each in RULES if each.id == rule)
    findings = found(CASES[rule][0], rule, HEADS.get(rule, HEAD))
    said = " ".join([one.title, one.why, one.instead, *(finding.problem.message for finding in findings)])
    assert _OF_THE_SHIPPED_PLAN.findall(said) == []


def test_tasks_and_a_server_the_plan_does_not_name_are_called_a_guess() -> None:
    (guessed,) = found("vars: {connection_limit: 100}\n", "pool-budget")
    assert "2 tasks (a guess: no condition counts them)" in guessed.problem.message
    assert "no condition asks the server for as many" in guessed.problem.message
    counted = "vars: {connection_limit: 100}\n" + success("service.running == 4 && pool.max_connections >= 300")
    (known,) = found(counted, "pool-budget")
    assert "2 x 4 tasks x 100 = 800 connections; the plan asks the server for 300" in known.problem.message


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        (success("errors.rate > 0.05"), True),
        (success("site.latency_ms > 800"), True),
        (success("site.latency_ms > 1 && site.latency_ms < 800"), False),
        (success("cluster.failover_members >= 1"), False),
        (trigger("service.running < 2"), False),
        (trigger("service.failed_tasks <= 2"), True),
    ],
)
def test_a_limit_the_wrong_way_round_is_found_by_what_its_field_counts(text: str, is_found: bool) -> None:
    probes = '  site: {uses: http.health, with: {url: "https://a.example"}}\n  cluster: {uses: rds.cluster, with: {cluster: c}}\n'
    head = HEAD.replace("people:\n", f"{probes}people:\n")
    assert bool(found(text, "upside-down", head)) is is_found
