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
from cockpit.decide.states import State, Word
from cockpit.plan.compiler.probe_specs import DEFAULT_TIMEOUT
from cockpit.plan.document.document import SuccessPart, TriggerPart
from cockpit.plan.model import ERROR_LIMIT, MIN_SAMPLES, MISSED, VERDICT_DWELL, Criterion, Kind, ProbeSpec

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


def test_the_defaults_are_those_of_the_code() -> None:
    told = {key.strip("`"): default for key, default in rows("Defaults")}
    bare = Criterion("c", "c", Kind.TRIGGER, None, HERE)
    assert told["for"] == told["initial_delay"] == "0s"
    assert bare.hold_for == bare.initial_delay == timedelta(0)
    assert told["min_samples"].startswith(f"{MIN_SAMPLES} with")
    assert told["error_limit"] == str(ERROR_LIMIT) == str(bare.error_limit)
    assert (told["on_unknown"], told["severity"], told["mode"]) == (bare.on_unknown, bare.severity, bare.mode)
    assert told["verdict_dwell"] == f"{VERDICT_DWELL.total_seconds():g}s"
    assert told["timeout` of a probe"] == f"{DEFAULT_TIMEOUT.total_seconds():g}s"


def test_the_limits_of_a_probe_are_those_of_the_code() -> None:
    told = next(default for key, default in rows("Defaults") if key == "`stale_after`")
    live, metric = probe("m"), probe("m", period=60, settle=90)
    assert told.count(f"{MISSED} x") == 2
    assert live.stale_after == MISSED * live.interval + live.timeout
    longer = max(metric.interval, metric.period)
    assert metric.stale_after == MISSED * longer + metric.settle + metric.interval + metric.timeout


def test_the_silence_told_of_a_live_probe_is_the_one_it_may_keep() -> None:
    spec = ProbeSpec("m", "scene.probe", {}, timedelta(seconds=15), DEFAULT_TIMEOUT, HERE)
    assert f"silent for {spec.stale_after.total_seconds():g} s" in " ".join(PAGE.split())


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
