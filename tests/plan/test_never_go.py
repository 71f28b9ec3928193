"""A plan that can never be GO says so when it is loaded, by the rules that would decide in the night."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from decide.scene import at
from support.plans.written_plan import own_probes, plan

from cockpit.cli.main import main
from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import Record
from cockpit.plan.load import load_plan
from cockpit.plan.never_go import never_go
from cockpit.plan.summary import summarise

__all__ = ["own_probes"]
CHECKLISTS = Path(__file__).resolve().parents[2] / "checklists"
SUCCESS = "success_criteria: [{id: s, title: S, success_condition: live.running > 0%s}]\n"
TRIGGER = "rollback_triggers: [{id: t, title: T, failure_condition: live.running < 1%s}]\n"
SIGNED = "sign_off: {ask: Who?, roles: [on_call]}"
ITEM = "checklist: [{section: A, items: [{id: i, title: I, expect: live.running < 0}]}]\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no success criterion"),
        ("", "no rollback trigger"),
        (SUCCESS % "", "no rollback trigger"),
        (TRIGGER % "", "no success criterion"),
        (SUCCESS % ", mode: shadow" + TRIGGER % "", "no success criterion"),
        (SUCCESS % "" + TRIGGER % ", severity: info", "no rollback trigger"),
        (SUCCESS % "" + f"rollback_triggers: [{{id: t, title: T, {SIGNED}}}]\n", "no rollback trigger"),
        (TRIGGER % "" + SUCCESS.replace("> 0", "< 0") % "", "s can never hold"),
        (TRIGGER % "" + SUCCESS % "" + ITEM, "i can never hold"),
        (TRIGGER % "" + SUCCESS.replace("live.running > 0", "metric.rate < 0.1") % ", stale_after: 10s", "UNKNOWN for good"),
        (TRIGGER % ", stale_after: 10s" + SUCCESS % "", "UNKNOWN before each reading: stale_after is 10s, and live is read"),
    ],
)  # fmt: skip
def test_what_can_never_be_go_has_no_earliest_go(text: str, why: str) -> None:
    loaded = plan(text)
    assert any(why in each for each in never_go(loaded))
    lines = " ".join(" ".join(summarise(loaded)).split())
    assert "earliest GO" not in lines
    assert "never GO" in lines


def test_a_limit_below_the_interval_that_leaves_go_its_dwell_is_not_never() -> None:
    assert list(never_go(plan(SUCCESS % "" + TRIGGER % ", stale_after: 10s" + "verdict_dwell: 5s\n"))) == []


@pytest.mark.parametrize("text", [SUCCESS % "" + TRIGGER % "", SUCCESS % ", for: 5m" + TRIGGER % ", for: 2m"])
def test_what_can_be_go_says_when(text: str) -> None:
    lines = " ".join(summarise(plan(text)))
    assert "earliest GO" in lines
    assert "never GO" not in lines


@pytest.mark.parametrize("text", ["", SUCCESS % "", TRIGGER % "", SUCCESS % "" + TRIGGER % ", severity: info"])
def test_the_verdict_gives_the_same_reasons(text: str) -> None:
    loaded = plan(text)
    reasons = " ".join(decide(loaded, Board(loaded, at(0)), Record(), at(0) + timedelta(hours=2)).verdict.reasons)
    empty = [why for why in never_go(loaded) if why.startswith("the plan enforces")]
    assert empty
    assert all(why in reasons for why in empty)


def test_every_shipped_plan_can_be_go() -> None:
    for path in CHECKLISTS.glob("*.yaml"):
        if path.name != "alarms.yaml":  # the alarms to be made, no plan
            assert list(never_go(load_plan(path, environ={}, require_environment=False))) == [], path.name


def test_a_production_plan_without_account_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "nogo.yaml"
    path.write_text(
        "plan: v1\nname: nogo\nenvironment: production\n"
        "target: {region: eu-centrall-1}\n"
        'probes:\n  site: {uses: http.health, with: {url: "https://x.example/"}}\n'
        "checklist: [{section: A, items: [{id: a, title: A, expect: site.ok}]}]\n"
    )
    done = CliRunner().invoke(main, ["validate", str(path)])
    said = " ".join(done.output.split())
    assert "never GO the plan enforces no success criterion" in said
    assert "earliest GO" not in said
    assert "target.account names no account" in said
    assert "eu-centrall-1 is no region known here; did you mean eu-central-1?" in said
    as_json = json.loads(CliRunner().invoke(main, ["validate", str(path), "--format", "json"]).stdout)
    assert [each.split(",")[0] for each in as_json["warnings"]] == [
        "this is production",
        "eu-centrall-1 is no region known here; did you mean eu-central-1?",
    ]


def test_when_go_comes_is_not_promised_of_a_region_that_may_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.yaml"
    text = (CHECKLISTS / "minimal.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("region: us-east-1", "region: us-middle-7"), encoding="utf-8")
    done = CliRunner().invoke(main, ["validate", str(path)])
    assert "after the phase begins, if that region answers" in " ".join(done.output.split())
