"""What a plan can do is proven: each trigger of each shipped plan trips; each mutation of a plan that cannot is found."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from support.junit_schema import fits_the_schema
from support.plans.written_plan import own_probes, plan

from cockpit.plan.load import load_plan
from cockpit.plan.model import Plan
from cockpit.plan.probe_limits import needed_traffic
from cockpit.plan.summary import summarise
from cockpit.stories.healthy_values import healthy
from cockpit.stories.proof.plan_proof import prove
from cockpit.stories.proof.prove_bands import prove_bands, redundant
from cockpit.stories.proof.prove_triggers import prove_trigger
from cockpit.stories.proof.proven import PlanProven
from cockpit.stories.proof.proven_html import proven_html
from cockpit.stories.proof.proven_junit import proven_junit
from cockpit.stories.proof.proven_text import proven_json, proven_lines
from cockpit.stories.value_search import ValueSearch

__all__ = ["own_probes"]
SHIPPED = sorted((Path(__file__).parents[2] / "checklists").glob("*.yaml"))
MINUTE = timedelta(minutes=1)
GOOD = """\
success_criteria:
  - {id: good, title: Good, success_condition: live.ok && metric.rate < 0.02, for: 5m}
rollback_triggers:
  - {id: bad, title: Bad, failure_condition: metric.rate > 0.05, for: 3m}
"""


def loaded(path: Path) -> Plan:
    return load_plan(path, environ={}, require_environment=False)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_trigger_of_a_shipped_plan_trips(path: Path) -> None:
    of = loaded(path)
    values, search = healthy(of).values, ValueSearch(of)
    for one in of.rollback_triggers:
        proven = prove_trigger(of, one, values, search)
        assert proven.trips, one.id
        assert not proven.slow
        assert proven.best is not None
        assert proven.worst is not None
        assert one.needs <= proven.best <= proven.worst
        assert proven.verdict.startswith(("ROLLBACK", "HOLD; ROLLBACK with", "HOLD: it is the only major"))
        assert {each.verdict for each in proven.hidden_by} <= {"HOLD", "ROLLBACK"}, "what is hidden is never GO"


@pytest.fixture(scope="module")
def minimal() -> PlanProven:
    return prove(loaded(next(path for path in SHIPPED if path.stem == "minimal")))


def test_a_plan_that_works_has_no_finding_and_says_when_go_comes(minimal: PlanProven) -> None:
    assert (list(minimal.findings()), list(minimal.undecided())) == ([], [])
    assert minimal.go.earliest is not None
    assert 11 * MINUTE <= minimal.go.earliest <= 12 * MINUTE
    assert minimal.go.waits_for == "site.healthy"
    met = {one.id: one.earliest for one in minimal.criteria}
    assert met == {"site.healthy": 10 * MINUTE, "service.stable": 5 * MINUTE}


def test_times_go_from_right_before_a_reading_to_right_after_one(minimal: PlanProven) -> None:
    down = next(one for one in minimal.triggers if one.id == "site.down")
    assert (down.best, down.worst) == (timedelta(seconds=121), timedelta(seconds=134))
    assert down.values == {"site.ok": False}
    assert {(each.probe, each.verdict) for each in down.hidden_by} == {("site", "HOLD")}
    assert [each.reason for each in down.hidden_by] == [reason for _, reason in down.blinded]


def test_every_probe_blinded_alone_takes_go_away_or_decides_nothing(minimal: PlanProven) -> None:
    for one in minimal.probes:
        assert one.decides
        assert one.refused is not None
        assert one.throttled is not None
        assert one.refused[0] == one.throttled[0] == "HOLD"
        assert one.refused[1] < one.throttled[1], "what may pass by itself is borne a while"


def test_it_is_shown_as_text_as_json_and_as_a_page_of_its_own(minimal: PlanProven) -> None:
    text = "\n".join(proven_lines(minimal))
    assert "2m01s to 2m14s  site.down: site.ok false" in text
    document = json.loads(json.dumps(proven_json(minimal)))
    assert document["earliest_go_s"] == minimal.go.earliest.total_seconds()  # type: ignore[union-attr]
    page = proven_html(minimal)
    assert page.count("<svg") == 2
    assert "http" not in page.replace("http.health", "")
    assert fits_the_schema(proven_junit(minimal)).get("failures") == "0"


def test_a_probe_that_nothing_reads_decides_nothing_and_nothing_is_found_where_all_can_come() -> None:
    proven = prove(plan(GOOD.replace("live.ok && ", "")), play_go=False)
    assert list(proven.findings()) == []
    (live,) = (one for one in proven.probes if one.name == "live")
    assert (live.decides, live.refused) == ((), None)
    assert "changes nothing, no condition that decides reads it: live" in "\n".join(proven_lines(proven))


MUTATIONS = {
    "a threshold beyond the field's bound": (("metric.rate > 0.05", "metric.rate > 1.5"), "bad can never trip"),
    "a criterion its own retention restarts": (("for: 5m", "for: 5m, stale_after: 10s"), "good can never be met"),
    "conditions that contradict": (("metric.rate > 0.05", "metric.rate < 0.5"), "contradicts"),
    "a criterion beyond its bound": (("metric.rate < 0.02", "metric.rate < 0.0"), "has no values"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_that_can_never_come_is_found(name: str) -> None:
    (old, new), said = MUTATIONS[name]
    assert old in GOOD
    proven = prove(plan(GOOD.replace(old, new)), play_go=False)
    found = [each.text for each in proven.findings()]
    assert any(said in text for text in found), found
    failures = [each.get("message", "") for each in fits_the_schema(proven_junit(proven)).iter("failure")]
    assert any(said in text for text in failures), failures


SLOW = """\
plan: v1
name: p
probes:
  live: {uses: sample.live, with: {target: x}, interval: 10m}
success_criteria:
  - {id: good, title: G, success_condition: live.ok, for: 5m, gap_tolerance: 1m}
rollback_triggers:
  - {id: bad, title: B, failure_condition: "!live.ok", for: 3m, gap_tolerance: 1s}
"""


def test_a_probe_slower_than_the_window_and_what_it_keeps_is_found() -> None:
    found = [each.text for each in prove(plan(SLOW, head=""), play_go=False).findings()]
    assert "the trigger bad can never trip: however long it is true, it never trips" in found
    assert "the criterion good can never be met, with every reading healthy" in found
    faster = SLOW.replace("interval: 10m", "interval: 30s").replace("gap_tolerance: 1s", "gap_tolerance: 1m")
    assert list(prove(plan(faster, head=""), play_go=False).findings()) == []


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ("{uses: sample.live, with: {target: x}, interval: 30m}", "live is read every 30m, its window is 3m"),
        ("{uses: sample.metric, with: {target: x}, interval: 1m}", ""),
    ],
)
def test_a_trigger_whose_probe_is_slower_than_its_window_is_found_though_it_trips_late(probe: str, said: str) -> None:
    text = SLOW.replace(", gap_tolerance: 1m", "").replace(", gap_tolerance: 1s", "")
    text = text.replace("{uses: sample.live, with: {target: x}, interval: 10m}", probe)
    if "metric" in probe:
        text = text.replace("!live.ok", "live.rate > 0.05").replace("live.ok", "live.rate < 0.05")
    found = [each.text for each in prove(plan(text, head=""), play_go=False).findings() if "bad" in each.text]
    assert [said in text and "in time" in text for text in found] == ([True] if said else [])


def test_a_reading_that_does_not_carry_the_window_to_the_next_makes_it_late_and_that_is_found() -> None:
    of = plan(SLOW.replace("interval: 10m", "interval: 30s").replace(", gap_tolerance: 1m", ""), head="")
    proven = prove_trigger(of, of.rollback_triggers[0], healthy(of).values, ValueSearch(of))
    assert "by its gap_tolerance a reading does not carry the window that long: for 3m it takes" in proven.slow


LIMITED = """\
plan: v1
name: p
probes:
  site: {uses: http.health, with: {url: "https://a.example", timeout: 3s}}
  flow:
    uses: cloudwatch.metric
    with: {namespace: AWS/SQS, metric: NumberOfMessagesSent, dimensions: {QueueName: q}, stat: Sum, lookback: 5}
success_criteria:
  - {id: good, title: G, success_condition: site.ok}
rollback_triggers:
  - {id: slow, title: S, failure_condition: site.latency_ms > 2500}
  - {id: slower, title: S, failure_condition: site.latency_ms > 3000}
  - {id: full, title: F, failure_condition: flow.points > 5}
"""


def test_what_a_parameter_bounds_is_a_bound_of_the_field() -> None:
    found = {each.subject for each in prove(plan(LIMITED, head=""), play_go=False).findings()}
    assert found >= {"slower", "full"}, (
        "no answer takes longer than the timeout, no more points come than are looked back over"
    )
    assert "slow" not in found


UNKNOWN = """\
plan: v1
name: p
probes:
  keys: {uses: secrets.metadata, with: {names: [a]}}
  site: {uses: http.health, with: {url: "https://a.example"}}
checklist:
  - section: S
    phase: pre_deploy
    items:
      - {id: rotated, title: R, expect: keys.all_rotated}
success_criteria:
  - {id: good, title: G, success_condition: site.ok && keys.all_rotated}
rollback_triggers:
  - {id: bad, title: B, failure_condition: "!keys.all_rotated"}
"""


def test_a_field_that_no_reading_ever_has_is_found_with_the_reason() -> None:
    found = {each.subject: each.text for each in prove(plan(UNKNOWN, head=""), play_go=False).findings()}
    assert found.keys() == {"bad", "good", "rotated", "verdict"}
    assert "keys.all_rotated is never known: the plan gives no rotated_after" in found["bad"]
    assert "keys.all_rotated is never known: the plan gives no rotated_after" in found["rotated"]


def test_what_is_not_found_within_the_bound_is_undecided_and_never_fine() -> None:
    proven = prove(
        plan(GOOD.replace("metric.rate > 0.05", "metric.rate * 3.0 > 0.11 && metric.rate * 3.0 < 0.1100001"))
    )
    assert [line.partition(":")[0] for line in proven.undecided()] == ["bad"]
    assert "? bad: no values were found within the bound" in "\n".join(proven_lines(proven))


def bands(text: str) -> list[str]:
    of = plan(text)
    return [each.text for each in prove_bands(of, healthy(of).values, ValueSearch(of))]


def test_bands_say_where_neither_speaks_and_what_trips_unseen_by_the_criteria() -> None:
    assert bands(GOOD) == ["between good and bad lies what is neither (metric.rate 0.0202): it stays HOLD"]
    (apart,) = bands(GOOD.replace("failure_condition: metric.rate > 0.05", "failure_condition: live.running > 9"))
    assert "bad trips while every success criterion holds (live.running 10)" in apart
    assert (
        "good and bad are both true at metric.rate"
        in bands(GOOD.replace("metric.rate > 0.05", "metric.rate > 0.01"))[-1]
    )


def test_a_success_and_a_failure_of_one_deployment_are_about_the_same() -> None:
    of = plan(
        "plan: v1\nname: p\nprobes: {d: {uses: codedeploy.deployment, with: {application: a, group: g, after: phase}}}\n"
        "success_criteria: [{id: good, title: G, success_condition: d.succeeded}]\n"
        "rollback_triggers: [{id: bad, title: B, failure_condition: d.failed}]\n",
        head="",
    )
    assert not [each for each in prove(of, play_go=False).bands if "none is about the same" in each.text]


def test_a_criterion_that_another_implies_is_redundant() -> None:
    of = plan(
        GOOD.replace(
            "rollback_triggers", "  - {id: weak, title: W, success_condition: metric.rate < 0.5}\nrollback_triggers"
        )
    )
    assert [each.text for each in redundant(of, ValueSearch(of))] == [
        "weak holds wherever good does: it proves nothing more"
    ]


def test_what_is_judged_after_until_is_said() -> None:
    of = plan(
        """\
success_criteria:
  - {id: early, title: Early, success_condition: live.ok && metric.rate < 0.02, for: 5m, until: 4m}
rollback_triggers:
  - {id: brief, title: Brief, failure_condition: metric.rate > 0.05, for: 3m, until: 20m}
"""
    )
    proven = prove(of, play_go=False)
    early, brief = proven.ended
    assert early == (
        "early is judged until 4m after the deployment began; brief still reads what it read; nothing that decides reads live.ok"
        " then; met later than that at the earliest, it is judged on until it is"
    )
    assert brief.endswith("nothing that decides reads metric.rate then")
    for shown in ("\n".join(proven_lines(proven)), proven_html(proven)):
        assert "nothing that decides reads metric.rate then" in shown
    assert proven_json(proven)["ended"] == [early, brief]
    assert any(line.startswith("  until ") and "brief still reads" in line for line in summarise(of))


def test_the_traffic_that_go_needs_is_counted() -> None:
    needs = {
        need.criterion: need for need in needed_traffic(loaded(next(p for p in SHIPPED if p.stem == "quiet-night")))
    }
    assert (needs["errors.few"].least.count, needs["errors.few"].in_all) == (24, 120)
    assert str(needs["errors.few"]).startswith("errors.few needs 24 requests in every 1m for 5m, 120 in all")
