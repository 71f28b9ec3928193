"""What an Account says of a record."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from decide.scene import CALM, Scene
from support.records.full_record import Maker, at, whole

from cockpit.decide import events as kinds
from cockpit.decide.states import Badness, State, Word, meaning_of
from cockpit.journal.entry import Actor, Type
from cockpit.journal.writer import Draft
from cockpit.plan.model import Phase
from cockpit.report.formats.in_toto import in_toto
from cockpit.report.formats.situation_json import to_plain
from cockpit.report.load_record import account_of
from cockpit.report.model import Account


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return whole(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def told(made: Maker) -> Account:
    return account_of(made.folder)


def test_the_verdict_over_time_with_how_long_each_lasted(told: Account) -> None:
    assert [(span.word, span.lasted) for span in told.spans] == [
        ("HOLD", timedelta(minutes=5)),
        ("GO", timedelta(minutes=3)),
        ("HOLD", timedelta(minutes=42)),
        ("FIX FORWARD", timedelta(minutes=10)),
    ]
    assert told.verdict == "FIX FORWARD"
    assert told.judged


def test_who_signed_with_a_key_and_who_only_claims(told: Account) -> None:
    item = next(item for item in told.items if item.id == "item.signed")
    assert item.sign_off is not None
    (given,) = item.sign_off.given
    assert (given.by, given.answer, given.evidence) == ("ann", "eleven minutes, counts match", "saw it")
    assert given.key.startswith("SHA256:")
    assert item.sign_off.counts
    ann, bob = told.people
    assert (ann.name, ann.roles, ann.keys) == ("Ann", ("on_call",), (given.key,))
    assert bob.keys == ()
    votes = told.gates[0].votes
    assert [(vote.by, bool(vote.key)) for vote in votes] == [("ann", True), ("bob", False)]


def test_a_gate_that_was_used_stays_passed_in_the_report_when_its_votes_are_over(tmp_path: Path) -> None:
    """And in the in-toto statement, which rests on the same account. One that nothing was begun with is open again."""
    for used in (True, False):
        made = Maker(tmp_path / str(used), poll="required: 2, valid_for: 5m")
        digest, journal = made.plan.digest, made.open()
        votes = [
            kinds.Vote(at(1), "go", "ann", "on_call", "go", plan_digest=digest),
            kinds.Vote(at(1), "go", "bob", "backup", "go", plan_digest=digest),
        ]
        made.say(journal, votes[:1], signed=True)
        made.say(journal, [votes[1], made.change(1, "go", "open", "passed")])
        if used:
            ann: dict[str, Any] = {"role": "on_call", "plan_digest": digest}
            use = kinds.GateUsed(at(2), "go", "deploy", "ann", votes=("ann", "bob"), **ann)
            made.say(journal, [use, kinds.PhaseBegan(at(2), Phase.POST_DEPLOY, "ann", **ann)], signed=True)
        made.close(journal, 60)
        told = account_of(made.folder)
        (gate,) = json.loads(in_toto(told))["predicate"]["gates"]
        assert told.gates[0].passed is gate["passed"] is used
        assert [vote["by"] for vote in gate["votes"]] == ["ann", "bob"]
        assert [(use["act"], use["by"], use["votes"]) for use in gate["uses"]] == [
            ("deploy", "ann", ["ann", "bob"])
        ] * used
        assert any("gate Go / no-go" in line for line in told.open) is not used


def test_a_worker_of_the_migration_took_part_as_no_person(tmp_path: Path) -> None:
    made = Maker(tmp_path)
    journal = made.open()
    made.say(journal, [made.sign_off(1, "item.signed", "ann", "eleven minutes")])
    journal.append(Draft.of(kinds.Happened(at(1), "migration", "worker vm-7 left run 2", "vm-7"), Actor("cockpit")))
    made.close(journal, 2)
    assert "vm-7" not in {each.id for each in account_of(made.folder).people}


def test_a_line_without_a_signature_has_no_key_and_does_not_count_where_the_plan_names_one(tmp_path: Path) -> None:
    made = Maker(tmp_path)
    journal = made.open()
    made.say(journal, [made.sign_off(1, "item.signed", "ann", "eleven minutes")])
    made.close(journal, 2)
    item = next(item for item in account_of(made.folder).items if item.id == "item.signed")
    assert item.sign_off is not None
    assert item.sign_off.given[0].key == ""
    assert not item.sign_off.counts
    assert "not cryptographically signed" in item.sign_off.given[0].stale


def test_states_are_the_last_words_kept_and_what_was_never_judged_is_unknown(told: Account) -> None:
    assert {each.id: each.state for each in told.criteria} == {
        "site.fast": "MET",
        "site.up": "UNKNOWN",
        "pool.full": "TRIPPED",
        "pool.gone": "UNKNOWN",
    }
    assert {each.id: each.state for each in told.items} == {
        "item.seen": "PASS",
        "item.failed": "WAIVED",
        "item.signed": "PASS",
        "item.forgotten": "PENDING",
        "item.never": "UNKNOWN",
    }


def test_why_is_why_it_is_so_at_the_end_and_not_why_it_came_to_be(made: Maker, told: Account) -> None:
    scene = Scene(*CALM).feed("0")
    status = scene.situation.criteria[0]
    last = replace(
        scene.situation,
        verdict=replace(scene.situation.verdict, word=Word(told.verdict), reasons=("so it is now",)),
        criteria=(
            replace(status, id="pool.full", state=State.TRIPPED, because=replace(status.because, line="99 % now")),
            replace(status, id="site.fast", state=State.PROVING, because=replace(status.because, line="slow now")),
        ),
    )
    found = account_of(made.folder, last=last)
    then, now = ({each.id: each.because for each in one.criteria} for one in (told, found))
    assert now == then | {"pool.full": "99 % now"}, "in another state than the record's last it is of another moment"
    assert found.because == "so it is now"
    assert "so it is now" in found.summary[1].text
    assert told.because == told.spans[-1].because


def test_steps_as_planned_and_as_they_went(told: Account) -> None:
    deploy, verify = told.runbook
    assert (deploy.progress, deploy.planned, deploy.took) == ("done", timedelta(minutes=10), timedelta(minutes=12))
    assert (verify.progress, verify.took, verify.by) == ("started", None, "bob")
    assert told.rollback_plan[0].progress == "open"


def test_open_questions_name_what_nobody_may_take_as_settled(told: Account) -> None:
    for question in (
        "The site is up was never observed",
        "Never looked at was never observed",
        "Paged: the sign-off of backup was never signed",
        "The pool is full was TRIPPED at the end",
        "step Verify was started by bob and never ended",
        "the cockpit was not watching for 5m from 22:20:00",
    ):
        assert question in told.open
    assert any(question.startswith("The pool has room is waived until 2026-01-03") for question in told.open)
    assert not any("no decision recorded" in question for question in told.open)


def test_a_rollback_nobody_decided_is_open(tmp_path: Path) -> None:
    made = Maker(tmp_path)
    journal = made.open()
    made.say(journal, [made.change(1, "verdict", "HOLD", "ROLLBACK")])
    made.say(journal, [kinds.Decision(at(0.5), "execute", "ann", "of an earlier one")])
    made.close(journal, 9)
    assert "ROLLBACK since 22:01:00: no decision recorded" in account_of(made.folder).open


def test_a_decision_still_counts_after_the_cockpit_was_closed_and_opened_again(tmp_path: Path) -> None:
    made = Maker(tmp_path)
    first = made.open()
    made.say(first, [made.change(1, "verdict", "HOLD", "ROLLBACK")])
    decision = kinds.Decision(at(2), "execute", "ann", "it burns", "ROLLBACK", "on_call", made.plan.digest)
    made.say(first, [decision], signed=True)
    made.close(first, 3)
    made.now = at(8)
    second = made.open()
    made.close(second, 9)
    told = account_of(made.folder)
    assert [span.word for span in told.spans] == ["HOLD", "ROLLBACK", "", "ROLLBACK"]
    assert not any("no decision recorded" in each for each in told.open)


def test_a_dismissed_rollback_that_stands_is_still_open(tmp_path: Path) -> None:
    made = Maker(tmp_path)
    journal = made.open()
    made.say(journal, [made.change(1, "verdict", "HOLD", "ROLLBACK")])
    made.say(journal, [kinds.Decision(at(2), "dismiss", "ann", "a test", advised="ROLLBACK")])
    made.say(journal, [made.change(2, "verdict", "ROLLBACK", "HOLD")])
    made.say(journal, [made.change(3, "verdict", "HOLD", "ROLLBACK")])
    made.close(journal, 9)
    told = account_of(made.folder)
    assert "ROLLBACK since 22:03:00: no decision recorded" in told.open
    assert [(each.choice, each.advised) for each in told.decisions] == [("dismiss", "ROLLBACK")]


def test_measures_are_drawn_from_the_readings(told: Account) -> None:
    full = next(each for each in told.criteria if each.id == "pool.full").measure
    assert full is not None
    assert (full.path, full.operator, full.threshold, full.unit) == ("pool.utilization", ">", 0.9, "ratio")
    assert max(point.high or 0 for point in full.points) == 0.95
    site = next(each for each in told.criteria if each.id == "site.up").measure
    assert site is not None
    assert site.unit == "bool"
    assert any(point.last is None for point in site.points)
    assert told.readings.count == 480
    assert len(told.readings.file) == 64


def test_a_plan_that_cannot_be_loaded_hides_nothing_of_the_journal(tmp_path: Path) -> None:
    made = whole(tmp_path)
    made.folder.plan.unlink()
    told = account_of(made.folder)
    assert "no copy of the plan" in told.plan.problem
    assert told.plan.name == "move"
    assert [span.word for span in told.spans] == ["HOLD", "GO", "HOLD", "FIX FORWARD"]
    assert {each.id for each in told.criteria} == {"site.fast", "pool.full"}
    assert {each.id for each in told.items} == {"item.seen", "item.failed", "item.signed"}
    assert [(each.id, each.passed, len(each.votes)) for each in told.gates] == [("go", True, 2)]
    assert [(each.id, each.progress) for each in told.runbook] == [("run.deploy", "done"), ("run.verify", "started")]
    assert told.waivers
    assert told.decisions
    assert told.open[-1].startswith("the plan is not known")


def test_a_changed_plan_copy_is_not_used_and_the_record_is_broken(tmp_path: Path) -> None:
    made = whole(tmp_path)
    made.folder.plan.write_bytes(made.text + b"# more\n")
    told = account_of(made.folder)
    assert told.plan.problem
    assert told.proof.result == "BROKEN"
    assert "plan.yaml: is not a plan the journal names: it was changed" in told.proof.broken
    assert any("BROKEN" in question for question in told.open)


def test_altered_readings_are_named_and_the_rest_is_told(tmp_path: Path) -> None:
    made = whole(tmp_path)
    made.folder.readings.write_bytes(b"not a database")
    told = account_of(made.folder)
    assert "cannot be read" in told.readings.problem
    assert not told.judged
    assert told.verdict == "FIX FORWARD"


def test_secrets_of_the_environment_never_enter(made: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORT_PASSWORD", "hunter22-secret")
    assert "hunter22-secret" not in json.dumps(to_plain(account_of(made.folder)))


def test_of_two_cockpits_the_worse_word_counts_while_both_look(tmp_path: Path) -> None:
    made = Maker(tmp_path)
    ann, bob = made.open("ann-laptop"), made.open("bob-desk", "bob")
    made.say(ann, [made.change(1, "verdict", "HOLD", "GO"), made.change(1, "site.up", "UNKNOWN", "MET")])
    made.say(bob, [made.change(2, "site.up", "UNKNOWN", "NOT MET"), made.change(2, "verdict", "HOLD", "ROLLBACK")])
    made.close(ann, 3)
    made.close(bob, 4)
    told = account_of(made.folder)
    assert [span.word for span in told.spans] == ["HOLD", "GO", "ROLLBACK"]
    assert next(each for each in told.criteria if each.id == "site.up").state == "NOT MET"


def test_a_time_without_any_cockpit_is_no_verdict(tmp_path: Path) -> None:
    made = Maker(tmp_path)
    first = made.open()
    made.say(first, [made.change(1, "verdict", "HOLD", "GO")])
    made.close(first, 2)
    made.now = at(10)
    second = made.open()
    made.say(second, [made.change(11, "verdict", "GO", "HOLD")])
    made.close(second, 12)
    told = account_of(made.folder)
    assert [(span.word, span.lasted.total_seconds()) for span in told.spans] == [
        ("HOLD", 60.0),
        ("GO", 60.0),
        ("", 480.0),
        ("GO", 60.0),
        ("HOLD", 60.0),
    ]
    assert "no cockpit was open for 8m from 22:02:00" in told.open


def test_a_session_cut_short_is_open_and_an_empty_record_has_no_verdict(tmp_path: Path) -> None:
    made = Maker(tmp_path)
    empty = account_of(made.folder)
    assert (empty.verdict, empty.began, empty.judged) == ("", None, False)
    assert "no verdict was recorded" in empty.open
    made.open().append(Draft(Type.NOTE, {"text": "x"}))
    assert "the session of ann-laptop from 22:00:00 was not closed" in account_of(made.folder).open


def test_every_word_that_is_not_fine_ranks_before_those_that_are() -> None:
    fine = {"GO", "MET", "CLEAR", "PASS", "WAIVED", "passed"}
    assert {meaning_of(word).badness for word in fine} == {Badness.FINE}
    order = [meaning_of(word).badness for word in ("ROLLBACK", "UNKNOWN", "HOLD", "GO")]
    assert order == sorted(set(order))
