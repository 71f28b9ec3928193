"""docs/verdict.md says what the code does: states, ways between them, defaults, and a test for each invariant."""

from __future__ import annotations

import ast
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from decide.scene import HERE, START, STEP, plan, probe, reading, success, trigger

from cockpit.decide.board import Board
from cockpit.decide.counted import Counted
from cockpit.decide.criterion import judge
from cockpit.decide.limits import limits_of
from cockpit.decide.states import State, Word
from cockpit.plan.compiler.probe_specs import DEFAULT_TIMEOUT
from cockpit.plan.document.document import SuccessPart, TriggerPart
from cockpit.plan.load import load_text
from cockpit.plan.model import Criterion, Kind, ProbeSpec
from probes.aws.lateness import UNMEASURED
from probes.registry import find

MINUTE = timedelta(minutes=1)
ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/verdict.md").read_text()


def section(name: str) -> str:
    return re.split(r"^#+ ", PAGE.partition(f"# {name}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(name: str) -> list[list[str]]:
    lines = [line for line in section(name).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def ways(*criteria: Criterion) -> set[tuple[str, str]]:
    """Every step from one state to another, over all short days of good and bad polls, polls that do not clear, and gaps."""
    found: set[tuple[str, str]] = set()
    for criterion in criteria:
        _ways(criterion, Board(plan(criterion), START), START, State.UNKNOWN, found, left=5)
    return {way for way in found if str(State.UNKNOWN) not in way}


def _ways(
    criterion: Criterion, board: Board, now: datetime, before: State, found: set[tuple[str, str]], left: int
) -> None:
    for word in ("good", "bad", "halfway", "gap"):
        then, after = now + (STEP if word != "gap" else 5 * STEP), board.copy()
        if word != "gap":
            after.add("m", reading(then, {"rate": {"good": 0.0, "bad": 0.5, "halfway": 0.03}[word]}))
        state = judge(criterion, after.evaluate(criterion, START, then), Counted(), START, then).status.state
        found |= {(str(before), str(state))} if before is not state else set()
        if left > 1:
            _ways(criterion, after, then, state, found, left - 1)


LONG = {"stale_after": 6000, "min_samples": 1}
SUCCESSES = [success("s", "m.rate < 0.05", hold_for=hold, **LONG) for hold in (0, 15)]
TRIGGERS = [
    trigger("t", "m.rate > 0.05", hold_for=hold, clear_for=clear, clear_condition="m.rate < 0.01", **LONG)
    for hold, clear in ((0, 0), (15, 15))
] + [trigger("t", "m.rate > 0.05", within=30, at_least=0.5, clear_for=15, **LONG)]


@pytest.mark.parametrize(
    ("name", "criteria", "kind"),
    [("Success criteria", SUCCESSES, Kind.SUCCESS), ("Rollback triggers", TRIGGERS, Kind.TRIGGER)],
)
def test_the_ways_between_states_are_those_of_the_machine(name: str, criteria: list[Criterion], kind: Kind) -> None:
    told = {(before, after) for before, after, _ in rows(name)}
    assert told == ways(*criteria)
    of_kind = {str(state) for state in State if kind in state.judging.kinds} - {str(State.UNKNOWN)}
    assert {state for way in told for state in way} == of_kind
    picture = section(name).split("```")[1]
    assert all(state in picture for state in of_kind)


def test_what_never_ends_through_missing_data_is_what_the_table_says() -> None:
    kept = {str(state) for state in State if state.judging.tripped}
    heads = re.findall(r"What it makes of ([A-Z, ]+) \|", section("What cannot be seen"))
    assert set(heads[1].split(", ")) == kept
    assert set(heads[0].split(", ")) == {str(state) for state in State} - kept - {str(State.UNKNOWN)}


SMALL = """
plan: v1
name: small
probes:
  site: {uses: http.health, with: {url: "http://a.test"}}
  tasks:
    uses: cloudwatch.metric
    with: {namespace: AWS/ECS, dimensions: {ClusterName: c}, metric: CPUUtilization, stat: Maximum}
  store:
    uses: cloudwatch.metric
    with: {namespace: AWS/S3, dimensions: {BucketName: b, FilterId: f}, metric: 5xxErrors, stat: Sum}
success_criteria:
  - {id: fine, title: It answers, success_condition: site.ok}
rollback_triggers:
  - {id: bare, title: At once, failure_condition: "!site.ok"}
  - {id: held, title: For a time, failure_condition: "!site.ok", for: 4m}
  - {id: mostly, title: M of N, failure_condition: "!site.ok", within: 10m, at_least: 80%}
"""
"""A plan that leaves everything to its defaults but the windows."""


def test_the_defaults_are_those_of_the_code() -> None:
    """The whole table: each default is read from a plan that leaves it out."""
    small = load_text(SMALL, "small.yaml", environ={})
    read = {each.id: each for each in small.criteria()}
    fine, bare, held, mostly = (read[id_] for id_ in ("fine", "bare", "held", "mostly"))
    assert bare.within is bare.until is bare.gap_tolerance is bare.stale_after is None
    assert mostly.clear_for == mostly.within
    assert held.min_samples == mostly.min_samples
    assert fine.min_samples == bare.min_samples
    site, tasks, store = (small.probes[name] for name in ("site", "tasks", "store"))
    assert site.interval == find("http.health").interval
    assert {key: default for key, default in rows("Defaults") if key not in ("`stale_after`", "`gap_tolerance`")} == {
        "`for`": f"{bare.hold_for.total_seconds():g}s",
        "`within`, `at_least`": "none: `for` counts",
        "`clear_for`": f"{held.clear_for / held.hold_for:g} x `for`; of an M of N `within`",
        "`min_samples`": f"{held.min_samples} with `for` or `within`, else {bare.min_samples}",
        "`initial_delay`": f"{bare.initial_delay.total_seconds():g}s",
        "`until`": "none: judged to the end",
        "`error_limit`": str(bare.error_limit),
        "`on_unknown`": str(bare.on_unknown),
        "`severity`": str(bare.severity),
        "`mode`": str(bare.mode),
        "`verdict_dwell`": f"{small.verdict_dwell.total_seconds():g}s",
        "`interval` of a probe": "its kind's: `cockpit probes KIND`",
        "`timeout` of a probe": f"{site.timeout.total_seconds():g}s",
        "`settle` of a metric": f"{tasks.settle / MINUTE:g}m; of S3's request metrics {store.settle / MINUTE:g}m;"
        f" {UNMEASURED / MINUTE:g}m more until its lateness has been measured",
    }


LIVE = probe("m", interval=7)
SELDOM, OFTEN = probe("m", interval=97, period=60, settle=31), probe("m", interval=7, period=60, settle=31)
"""No sum of some of these numbers is another's."""


def test_the_limits_of_a_probe_are_those_of_the_code() -> None:
    told = dict(rows("Defaults"))["`stale_after`"]
    live, metric = (part.partition(": ")[2] for part in told.split("; "))
    assert worth(live, LIVE) == LIVE.stale_after
    assert [worth(metric, spec) for spec in (SELDOM, OFTEN)] == [SELDOM.stale_after, OFTEN.stale_after]


def test_what_is_added_to_a_gap_that_is_written_is_what_the_code_adds() -> None:
    told = dict(rows("Defaults"))["`gap_tolerance`"]
    first, written, of_metrics = told.split("; ")
    assert first == "each probe's default of `stale_after`"
    assert written.startswith("to what is written is added, of a live probe: ")
    live, metric = (part.rpartition(": ")[2] for part in (written, of_metrics))
    for spec, formula in ((LIVE, live), (SELDOM, metric), (OFTEN, metric)):
        assert gap(spec, written=None) == spec.stale_after
        assert gap(spec, written=1000) == timedelta(seconds=1000) + worth(formula, spec)


def gap(spec: ProbeSpec, written: float | None) -> timedelta:
    criterion = success("c", "m.ok", gap_tolerance=written)
    return limits_of(criterion, {"m": spec}, ("m",)).gap["m"].age


def worth(formula: str, spec: ProbeSpec) -> timedelta:
    """What a formula of the page comes to: `3 x (the longer of interval and period) + timeout`."""
    total = timedelta(0)
    for term in formula.split(" + "):
        times, of = re.fullmatch(r"(?:(\d+) x )?(.*)", term).groups()  # type: ignore[union-attr]
        longer = re.fullmatch(r"\(the longer of (\w+) and (\w+)\)", of)
        names = longer.groups() if longer else (of,)
        total += int(times or 1) * max(getattr(spec, name) for name in names)
    return total


def test_the_silence_told_of_a_live_probe_is_the_one_it_may_keep() -> None:
    spec = ProbeSpec("m", "scene.probe", {}, timedelta(seconds=15), DEFAULT_TIMEOUT, HERE)
    told = "With an interval of 15 s and the default timeout a live probe may so be silent for"
    assert f"{told} {spec.stale_after.total_seconds():g} s:" in " ".join(PAGE.split())


def test_every_key_of_a_window_has_its_default() -> None:
    keys = {info.alias or name for part in (SuccessPart, TriggerPart) for name, info in part.model_fields.items()}
    told = set(re.findall(r"`(\w+)`", " ".join(key for key, _ in rows("Defaults"))))
    people = {"id", "title", "sign_off", "runbook", "caution", "ref"}
    conditions = {"success_condition", "failure_condition", "clear_condition"}
    assert keys - people - conditions - {"unknown_limit"} <= told


def test_every_word_of_the_verdict_is_told() -> None:
    assert {word for word, _ in rows("The verdict")} == {str(word) for word in Word}


def test_the_test_of_an_invariant_exists() -> None:
    named = [re.fullmatch(r"`(tests/[\w/]+\.py)::(\w+)`", test) for _, test in rows("Invariants")]
    assert named
    for each in named:
        assert each is not None
        tree = ast.parse((ROOT / each[1]).read_text())
        assert each[2] in {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}


def test_every_invariant_has_its_row() -> None:
    tree = ast.parse((ROOT / "tests/decide/test_invariants.py").read_text())
    tests = {each.name for each in tree.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")}
    assert {name for name in tests if name not in section("Invariants")} <= {"test_the_days_reach_every_state"}


def test_the_readme_leads_there() -> None:
    assert "docs/verdict.md" in (ROOT / "README.md").read_text()
