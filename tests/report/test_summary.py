"""Page 1 of a report: five sentences and one time axis; what failed comes first, with axes, marks and legend."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.records.full_record import at, whole

from cockpit.decide.counted import counted
from cockpit.decide.events import CLEARED, FAULT, INJECTED, PointOfNoReturn, Proof, Record
from cockpit.report.build import happened
from cockpit.report.five_sentences import summary
from cockpit.report.formats.html import html
from cockpit.report.formats.markdown import markdown
from cockpit.report.load_record import account_of
from cockpit.report.missing_plan import unplanned
from cockpit.report.model import Account, Event, StateChange
from cockpit.report.open_items import open_items
from cockpit.report.time_axis import flaps, lanes, moments


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Account:
    root: Path = tmp_path_factory.mktemp("summary")
    return account_of(whole(root).folder)


def test_five_sentences_say_what_outcome_impact_decisions_and_what_is_open(account: Account) -> None:
    sentences = {each.about: each.text for each in summary(replace(account, next_actions=("ann: decide",)))}
    assert list(sentences) == ["What", "Outcome", "Impact", "Decisions", "Left open"]
    assert all(text[0].isupper() and text.endswith(".") for text in sentences.values())
    assert "the deployment began at 22:07:00" in sentences["What"]
    assert "It ended in FIX FORWARD, since 22:50:00 UTC after 3 changes of the verdict" in sentences["Outcome"]
    assert "runbook 1 of 2 steps done, 1 started" in sentences["Outcome"]
    assert "The pool is full tripped at 22:50:00 (at worst 95.0 %, limit 90.0 %)" in sentences["Impact"]
    assert "10m in FIX FORWARD" in sentences["Impact"]
    assert "5m in which no cockpit was watching" in sentences["Impact"]
    assert sentences["Decisions"].startswith("Bob decided to fix forward at 22:52:00; ann began the deployment")
    assert "Go / no-go: ann go, bob go" in sentences["Decisions"]
    assert sentences["Left open"].startswith("Next is ann: decide; ")
    assert f"{len(account.open)} questions open" in sentences["Left open"]


def test_a_point_of_no_return_that_was_undone_costs_nothing_any_more(account: Account) -> None:
    def impact(*entries: PointOfNoReturn) -> str:
        record = Record(list(entries))
        events = happened(record, counted(unplanned([], "orders", "d1"), record, at(60)))
        return next(s.text for s in summary(replace(account, happened=events)) if s.about == "Impact")

    passed = PointOfNoReturn(at(28), "65 files that live in S3 alone, and more while the purge goes on", "purge 1")
    more, undone = replace(passed, at=at(29), loses="400 files"), PointOfNoReturn(at(40), "", "purge 1", undone=True)
    assert "from here a rollback loses 400 files" in impact(passed, more)
    assert "65 files" not in impact(passed, more)
    assert "past the point of no return from 22:28:00, undone at 22:40:00" in impact(passed, more, undone)
    assert "from here a rollback loses 400 files" in impact(passed, undone, replace(more, at=at(45)))
    foreign = replace(undone, proof=Proof())
    assert "undone" not in impact(passed, more, foreign)


def test_what_was_begun_of_the_migration_is_named_by_its_phase(account: Account) -> None:
    begun = [
        replace(account.decisions[0], choice="migrate", advised="", why=f"it is time ({phase} 3 files of db/app)")
        for phase in ("copy", "purge", "copy")
    ]
    sentences = {each.about: each.text for each in summary(replace(account, decisions=tuple(begun)))}
    assert "decided to begin the copy at 22:52:00 and 22:52:00" in sentences["Decisions"]
    assert "decided to begin the purge at 22:52:00;" in sentences["Decisions"]


def test_a_night_in_which_nothing_was_done_says_so(account: Account) -> None:
    idle = replace(
        account,
        gates=(), decisions=(), waivers=(), criteria=(), spans=account.spans[:1], phases=(), gaps=(), happened=(),
        runbook=tuple(replace(step, progress="open") for step in account.runbook), open=(),
    )  # fmt: skip
    sentences = [each.text for each in summary(idle)]
    assert "the deployment was not begun" in sentences[0]
    assert "runbook 0 of 2 steps done" in sentences[1]
    assert sentences[2:] == [
        "No trigger tripped.", "No decision, vote or waiver was recorded.", "Nothing was left open.",
    ]  # fmt: skip


def test_the_axis_has_phases_faults_flaps_votes_and_decisions(account: Account) -> None:
    faults = (Event(at(30), FAULT, f"{INJECTED}S3 is slow"), Event(at(40), FAULT, f"{CLEARED}S3 is slow"))
    found = {lane.title: lane for lane in lanes(replace(account, happened=(*account.happened, *faults)))}
    assert [(bar.since, bar.until) for bar in found["Fault injected"].bars] == [(at(30), at(40))]
    assert [mark.kind for mark in found["Votes"].marks] == ["go", "go"]
    assert found["Decisions"].note == "bob: fix forward"
    assert [bar.since for bar in found["Phase"].bars] == [at(0), at(7)]
    assert [bar.word for bar in found["The pool is full"].bars][-1] == "TRIPPED"
    assert moments(account) == sorted(moments(account), key=lambda each: each.at)
    trigger = next(each for each in account.criteria if each.id == "pool.full")
    thrice = [
        StateChange(at(n) + timedelta(seconds=second), before, after, "")
        for n in (1, 3, 5)
        for second, before, after in ((0, "CLEAR", "TRIPPED"), (60, "TRIPPED", "CLEAR"))
    ]
    assert flaps(replace(trigger, turns=tuple(thrice))) == "3 times, flapping"


def test_page_one_comes_first_and_charts_have_axis_marks_and_legend(account: Account) -> None:
    page = html(account)
    places = [
        page.index(each) for each in ('class="summary"', "The night on one axis", "What failed", "Open questions")
    ]
    assert places == sorted(places)
    assert page.index("What can be proven") > page.index(">Checklist<")
    (card,) = re.findall(r'<article class="card">.*?</article>', page, re.DOTALL)
    assert "The pool is full" in card
    assert re.search(r'class="axis num">.*?90.0 %.*?</div>', card)
    assert card.count('class="mark"') == 1
    assert 'class="band"' in card
    assert "upright: the deployment began" in page
    assert "Cannot be proven: nothing was cut off" in page


def test_markdown_begins_with_the_same_sentences(account: Account) -> None:
    text = markdown(account)
    assert text.index("**Impact**") < text.index("## The night on one axis (UTC)") < text.index("## Open questions")
    assert "| 22:03:00 | ann votes go (Go / no-go) |" in text


def test_a_record_that_begins_after_the_deployment_does_not_say_that_its_gate_was_never_passed(
    account: Account,
) -> None:
    shut = tuple(
        replace(gate, passed=False, first_passed=None, missing=("needs 2 more GO votes",)) for gate in account.gates
    )
    whole_night = replace(account, gates=shut)
    later = replace(whole_night, phases=tuple(each for each in account.phases if each.phase == "post_deploy"))
    of_gates = [[text for text in open_items(each) if text.startswith("gate ")] for each in (whole_night, later)]
    assert of_gates[0][0] == "gate Go / no-go was never passed: needs 2 more GO votes"
    assert of_gates[1][0] == "gate Go / no-go was not voted on in this record, which begins after the deployment did"
