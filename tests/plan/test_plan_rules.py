"""What must fit together in a plan, and the defaults its windows get."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.plans.written_plan import HEAD, marked, own_probes, plan, problem, problems

from cockpit.plan.model import Kind, OnUnknown, Phase, Severity
from cockpit.plan.summary import summarise

__all__ = ["own_probes"]


def seconds(value: timedelta) -> float:
    return value.total_seconds()


# -- defaults --------------------------------------------------------------------------------------------------------


def test_a_window_of_live_readings_gets_its_defaults() -> None:
    (c,) = plan(
        "rollback_triggers: [{id: t, title: T, failure_condition: live.running < 1, for: 5m}]\n"
    ).rollback_triggers
    assert (c.kind, c.severity, c.on_unknown, c.error_limit) == (Kind.TRIGGER, Severity.CRITICAL, OnUnknown.HOLD, 4)
    assert (seconds(c.hold_for), seconds(c.clear_for), c.min_samples) == (300, 600, 3)
    assert (c.gap_tolerance, c.stale_after) == (None, None), "each probe's own"


def test_a_probe_may_be_silent_for_three_of_its_intervals_and_the_time_an_answer_takes() -> None:
    live, metric = (plan("").probes[name] for name in ("live", "metric"))
    assert (seconds(live.interval), seconds(live.timeout), seconds(live.period)) == (20, 10, 0)
    assert seconds(live.stale_after) == 3 * 20 + 10
    assert (seconds(metric.interval), seconds(metric.period), seconds(metric.settle)) == (30, 60, 60)
    assert seconds(metric.stale_after) == 3 * 60 + 10 + 30 + 60


def test_m_of_n_is_a_share_of_a_window_and_clears_after_one() -> None:
    for written in ("80%", "0.8", "'80 %'"):
        (c,) = plan(trigger(f"within: 10m, at_least: {written}")).rollback_triggers
        assert (c.within, c.at_least) == (timedelta(minutes=10), 0.8)
        assert (seconds(c.needs), seconds(c.clear_for), c.min_samples) == (480, 600, 3)


def trigger(more: str) -> str:
    return f"rollback_triggers: [{{id: t, title: T, failure_condition: live.running < 1, {more}}}]\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("within: 10m", "within needs at_least: which share of it must be true, such as 80%?"),
        ("at_least: 80%", "at_least needs within: that share of which time?"),
        (
            "for: 5m, within: 10m, at_least: 80%",
            "write for (without a break) or within and at_least (a share of the time), not both",
        ),
        ("within: 7h, at_least: 80%", "is longer than 6 hours"),
        ("within: 10m, at_least: 80", "must be a share above 0% and up to 100%: 80%, or 0.8"),
        ("within: 10m, at_least: 0%", "must be a share above 0% and up to 100%: 80%, or 0.8"),
        ("within: 10m, at_least: most", "must be a share above 0% and up to 100%: 80%, or 0.8"),
    ],
)
def test_what_is_wrong_with_an_m_of_n_is_said(more: str, said: str) -> None:
    assert said in problem(trigger(more)).message


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (trigger("until: 5m, initial_delay: 5m"), "it is judged from 5m (initial_delay) on: write a longer until"),
        (
            "success_criteria: [{id: s, title: S, sign_off: {ask: How is it?, roles: [on_call]}, until: 5m}]\n",
            "until needs a condition: what a person signs has no time of its own",
        ),
    ],
)
def test_a_time_in_which_nothing_can_be_seen_is_none(written: str, said: str) -> None:
    assert said in [each.message for each in problems(written)]
    (c,) = plan(trigger("until: 5m, initial_delay: 1m")).rollback_triggers
    assert c.until == timedelta(minutes=5)


def test_what_the_plan_says_wins_over_defaults_and_those_over_the_probe() -> None:
    head = HEAD.replace("metric, with: {target: x}", "metric, with: {target: x}, interval: 45s, timeout: 3s")
    probes = plan("defaults: {interval: 2m, timeout: 7s}\n", head=head).probes
    assert [(seconds(p.interval), seconds(p.timeout)) for p in probes.values()] == [(120, 7), (45, 3)]
    plain = plan("").probes
    assert [(seconds(p.interval), seconds(p.timeout)) for p in plain.values()] == [(20, 10), (30, 10)]


def test_zero_is_a_value_and_not_a_missing_one() -> None:
    text = (
        "verdict_dwell: 0s\n"
        "rollback_triggers: [{id: t, title: T, failure_condition: live.ok, for: 5m, clear_for: 0s, gap_tolerance: 0s}]\n"
    )
    loaded = plan(text)
    assert seconds(loaded.verdict_dwell) == 0
    (tripping,) = loaded.rollback_triggers
    assert tripping.clear_for == tripping.gap_tolerance == timedelta(0)


def test_a_checklist_item_knows_its_phase_and_leaves_it_to_the_probe_when_its_data_is_stale() -> None:
    text = (
        "checklist: [{section: S, phase: post_deploy, items: [{id: i, title: I, expect: metric.ok, killer: true}]}]\n"
    )
    ((section, item),) = plan(text).items()
    assert section.phase is Phase.POST_DEPLOY
    assert (item.killer, item.blocking, item.stale_after) == (True, True, None)


@pytest.mark.parametrize(
    ("written", "meant"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("1.5s", 1.5)]
)
def test_durations_carry_their_unit(written: str, meant: float) -> None:
    assert seconds(plan(f"verdict_dwell: {written}\n").verdict_dwell) == meant


@pytest.mark.parametrize(
    "written", ["90", "5", "1.5", "true", "fast", "5 minutes", "-5m", "1m1h", "''", "[5m]", "m", "9999999999d", "500d"]
)
def test_what_is_no_duration_says_what_to_write(written: str) -> None:
    found = problem(f"verdict_dwell: {written}\n")
    assert found.path == "verdict_dwell"
    assert "write 90s, 5m or 1h30m" in found.message or "longer than" in found.message


@pytest.mark.parametrize("where", ["defaults: {interval: 0s}", "defaults: {timeout: 0.5s}"])
def test_a_pace_of_nothing_is_refused(where: str) -> None:
    assert problem(where + "\n").message == "must be at least 1s"


# -- what must fit together ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mark", "says"),
    [
        ("success_criteria: [{id: c, title: C}]", "{id: c, title: C}]", "neither success_condition nor sign_off"),
        ("rollback_triggers: [{id: t, title: T}]", "{id: t, title: T}]", "neither failure_condition nor sign_off"),
        (
            "checklist: [{section: S, items: [{id: i, title: I}]}]",
            "{id: i, title: I}]}]",
            "neither expect nor sign_off",
        ),
        (
            "success_criteria: [{id: c, title: C, failure_condition: live.ok}]",
            "failure_condition",
            "write success_condition",
        ),
        (
            "rollback_triggers: [{id: t, title: T, success_condition: live.ok}]",
            "success_condition",
            "write failure_condition",
        ),
        (
            "success_criteria: [{id: c, title: C, success_condition: live.ok, clear_for: 5m}]",
            "clear_for",
            "there is no",
        ),
        (
            "success_criteria: [{id: c, title: C, success_condition: live.ok, severity: fatal}]",
            "fatal",
            "must be 'critical', 'major' or 'info'",
        ),
        (
            "rollback_triggers: [{id: t, title: T, failure_condition: live.ok, on_unknown: ok}]",
            "ok",
            "must be 'hold' or 'rollback'",
        ),
        (
            "rollback_triggers: [{id: t, title: T, failure_condition: live.ok, on_unknown: rollback}]",
            "rollback",
            "needs unknown_limit",
        ),
        (
            "success_criteria: [{id: c, title: C, success_condition: live.ok, min_samples: 0}]",
            "0",
            "greater than or equal to 1",
        ),
        ("success_criteria: [{id: c, title: C, success_condition: nope.ok}]", "nope", "there is no probe 'nope'"),
        (
            "success_criteria: [{id: c, title: C, success_condition: live.status == 2}]",
            "live.status == 2",
            "is compared with",
        ),
        ("success_criteria: [{id: c, title: C, success_condition: live.running}]", "live.running", "not true or false"),
        (
            "success_criteria: [{id: c, title: C, success_condition: has(live.ok)}]",
            "has",
            "has() reads an unknown value as false",
        ),
        ("success_criteria: [{id: c, title: C, success_condition: live.ok &&}]", "", "Syntax error"),
        ("success_criteria: [{id: c, title: C, success_condition: true}]", "true", "must be text"),
        ("success_criteria: {id: c}", "{id: c}", "must be a list"),
        ("success_criteria: [c]", "c", "must be a mapping"),
        ("sucess_criteria: []", "sucess_criteria", "did you mean 'success_criteria'?"),
        (
            "gates: [{id: g, before: lunch, poll: {roles: [on_call]}}]",
            "lunch",
            "no step 'lunch'; there is deploy, migrate, purge",
        ),
        ("gates: [{id: g, before: deploy}]", "{id: g, before: deploy}]", "'poll' is missing"),
        ("gates: [{id: g, before: deploy, poll: {roles: []}}]", "[]}}]", "must not be empty"),
        (
            "gates: [{id: g, before: deploy, poll: {roles: [on_cal]}}]",
            "on_cal",
            "nobody holds the role 'on_cal'; did you mean 'on_call'?",
        ),
        (
            "gates: [{id: g, before: deploy, poll: {roles: [on_call, db_owner], required: 2}}]",
            "2",
            "these roles have 1 person (ann)",
        ),
        (
            "gates: [{id: g, before: deploy, poll: {roles: [backup], required: 2, distinct_people: false}}]",
            "2",
            "1 vote, one for each role",
        ),
        ("target: {account: 123456789012}", "123456789012", 'put it in quotes, "123456789012"'),
        ("target: {account: '1234'}", "'1234'", "does not have the right form"),
        ("vars: {a: [1]}", "[1]}", "a var is text, a number, true or false"),
        ("migration: [a]", "[a]", "must be a mapping"),
        ("runbook: [{id: a/b, title: X}]", "a/b", "does not have the right form"),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(text: str, mark: str, says: str) -> None:
    found = problem(text + "\n")
    assert says in found.message
    assert marked(found).strip() == mark or not mark


@pytest.mark.parametrize(
    ("parameters", "mark", "says"),
    [
        ("target: x, cont: 1", "cont", "sample.live has no parameter 'cont'; did you mean 'count'?"),
        ("target: x, zebra: 1", "zebra", "it has count, deep, kind, names, password, ratio, target"),
        ("target: x, intervall: 5s", "intervall", "no parameter 'intervall'; 'interval' stands beside 'with'"),
        ("count: 1", "with", "sample.live needs 'target'"),
        ("target: x, count: many", "many", "must be a whole number"),
        ("target: x, count: 1.5", "1.5", "must be a whole number"),
        ("target: 5", "5", 'put it in quotes, "5"'),
        ("target: x, kind: c", "c", "must be 'a' or 'b'"),
        ("target: x, names: 5", "5", "must be a list (- ...), or must be text"),
        ("target: x, names: [a, 5]", "5", "must be text"),
        ("target: x, ratio: 'nan'", "'nan'", "must be a finite number"),
        ("target: x, password: abc", "abc", "abc is too short"),
    ],
)
def test_parameters_are_checked_by_their_probe(parameters: str, mark: str, says: str) -> None:
    found = problem("", head=f"plan: v1\nname: p\nprobes:\n  live: {{uses: sample.live, with: {{{parameters}}}}}\n")
    assert says in found.message
    assert marked(found) == mark


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("2nd", "cannot be a name"),
        ("my-probe", "cannot be a name"),
        ("in", "a word of the condition language"),
        ("size", "a word of"),
    ],
)
def test_a_probe_is_named_by_a_word_conditions_can_hold(name: str, says: str) -> None:
    found = problem("", head=f"plan: v1\nname: p\nprobes:\n  {name}: {{uses: sample.live, with: {{target: x}}}}\n")
    assert says in found.message
    assert marked(found) == name


def test_a_probe_that_cannot_be_loaded_is_a_problem_and_no_crash() -> None:
    found = problem("", head="plan: v1\nname: p\nprobes: {live: {uses: sample.broken}}\n")
    assert "cannot be loaded: AttributeError" in found.message


@pytest.mark.parametrize("head", ["plan: v1\nname: p\n", "plan: v1\nname: p\nprobes: {}\n"])
def test_a_plan_that_looks_at_nothing_is_refused(head: str) -> None:
    assert "decides nothing" in problem("", head=head).message


def test_an_id_is_used_once_across_everything_that_is_signed() -> None:
    found = problems(
        "checklist: [{section: S, items: [{id: x, title: I, expect: live.ok}]}]\n"
        "gates: [{id: x, before: deploy, poll: {roles: [on_call]}}]\n"
        "success_criteria: [{id: x, title: C, success_condition: live.ok}]\n"
        "runbook: [{id: x, title: R}]\n"
    )
    assert [one.message for one in found] == ["the id 'x' is already used in line 9"] * 3


def test_another_version_of_the_format_is_refused() -> None:
    assert problem("", head=HEAD.replace("v1", "v2")).message == "must be 'v1'"


def test_no_more_than_two_hundred_problems_are_told() -> None:
    assert len(problems("".join(f"zz{n}: 1\n" for n in range(5_000)))) == 200


# -- every condition -------------------------------------------------------------------------------------------------


def test_a_plan_lists_every_condition_it_evaluates() -> None:
    text = """\
checklist: [{section: S, items: [{id: i, title: I, expect: live.running > 1}]}]
success_criteria: [{id: s, title: S, success_condition: live.running > 2}]
rollback_triggers: [{id: t, title: T, failure_condition: live.running > 3, clear_condition: live.running > 4}]
migration: {database: d, bucket: b, tables: [{name: t}], guards: [{id: g, title: G, pause_if: metric.running > 5}]}
"""
    loaded = plan(text)
    assert sorted(condition.source[-1] for condition in loaded.conditions()) == ["1", "2", "3", "4", "5"]
    assert "unused" not in " ".join(summarise(loaded))


def test_nothing_has_the_verdict_s_own_name_for_its_changes_would_be_the_verdict_s() -> None:
    judged = "success_criteria: [{id: verdict, title: S, success_condition: live.running > 0}]\n"
    assert "the id 'verdict' is the verdict's own: give it another" in [each.message for each in problems(judged)]
