"""What people state at other cockpits counts in the order in which it is learned of here, whatever their clocks say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.records.victim import Victim, elsewhere, forge, victim

from cockpit.decide.events import (
    Decision,
    Entry,
    GateUsed,
    Occurrence,
    PhaseBegan,
    SignOff,
    StepBegan,
    StepEnded,
    Vote,
    Waiver,
)
from cockpit.decide.gate import tag_of
from cockpit.decide.states import Check, StepState, Word
from cockpit.engine.recorded import record_in
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.writer import Draft
from cockpit.plan.model import Phase
from cockpit.replay.player import Player
from cockpit.replay.trace import trace_of
from cockpit.report.load_record import account_of
from probes.reading import Reading

A_LITTLE, FAR = timedelta(seconds=40), timedelta(minutes=7)
"""By how much the other machine's clock is fast: within what two clocks may differ, and beyond."""


def see(to: Victim, account: str) -> None:
    """A reading of the account; `000000000000` is the wrong one, and trips the trigger."""
    now = to.clock.now()
    to.watch.take("identity", Reading(now, now, {"account": account, "arn": "arn:x", "matches": True}))
    to.tick()


def dismissal(to: Victim, at: datetime) -> Decision:
    """As an earlier version writes it: of all that is known by then."""
    return Decision(at, "dismiss", "bob", "the alarm is wrong", "", "dba", to.plan.digest)


def start(to: Victim, at: datetime) -> PhaseBegan:
    return PhaseBegan(at, Phase.POST_DEPLOY, "bob", "F8", "dba", to.plan.digest)


def receive(to: Victim, monkeypatch: pytest.MonkeyPatch, folder: Path, fast: timedelta, entry: Entry) -> None:
    """Bob's cockpit, whose clock is fast, writes an entry, and it arrives."""
    forge(elsewhere(monkeypatch, folder, to, "bob", at=to.clock.now() + fast), entry, to.bob)
    to.takes_in()


def word(watch: Watch) -> Word:
    return watch.situation.verdict.word


@pytest.mark.parametrize("fast", [timedelta(0), A_LITTLE, FAR])
async def test_a_dismissal_by_a_fast_clock_swallows_no_later_trip(
    fast: timedelta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path) as to:
        to.watch.record.append(PhaseBegan(to.clock.now(), Phase.POST_DEPLOY))
        see(to, "123456789012")
        receive(to, monkeypatch, tmp_path, fast, dismissal(to, to.clock.now() + fast))
        to.clock.time += timedelta(seconds=20)
        see(to, "000000000000")
        assert word(to.watch) is Word.ROLLBACK
        for _ in range(10):
            to.clock.time += timedelta(minutes=1)
            see(to, "000000000000")
            assert word(to.watch) is Word.ROLLBACK
        writer, folder = to.kept.journal.writer, to.kept.folder
    again = Watch(to.plan, to.watch.source, to.clock, record_in(folder))
    again.board = to.watch.board
    again.tick()
    assert word(again) is Word.ROLLBACK
    player = Player(trace_of(folder, writer))
    player.play_to(len(player.trace.steps))
    assert player.differences == []
    assert player.situation.verdict.word is Word.ROLLBACK


async def test_a_deployment_begun_by_a_clock_a_little_fast_begins_when_it_is_learned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path) as to:
        at = to.clock.now() + A_LITTLE
        await to.desk.vote("deploy", "go")
        journal = elsewhere(monkeypatch, tmp_path, to, "bob", at=at)
        forge(journal, Vote(at, "deploy", "bob", "dba", "go", plan_digest=to.plan.digest), to.bob)
        forge(journal, start(to, at), to.bob)
        to.takes_in()
        phase = to.watch.counted().phase()
        assert phase is not None
        assert (phase.phase, phase.by) == (Phase.POST_DEPLOY, "bob")
        assert phase.at <= to.clock.now()
        see(to, "123456789012")
        assert all(each.unknown is None for each in to.watch.situation.criteria)
        writer, folder = to.kept.journal.writer, to.kept.folder
        learned = phase.at
    async with recording(to.plan, to.clock, who="ada", root=folder.path.parent, key_file=tmp_path / "id_ada") as kept:
        reopened = Watch(to.plan, to.watch.source, to.clock, kept.record, kept.started_at)
        phase = reopened.counted().phase()
        assert phase is not None
        assert phase.at == learned
    player = Player(trace_of(folder, writer))
    player.play_to(len(player.trace.steps))
    assert player.differences == []


async def test_a_deployment_begun_by_a_clock_far_ahead_blinds_nobody_now_or_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path) as to:
        see(to, "123456789012")
        receive(to, monkeypatch, tmp_path, FAR, start(to, to.clock.now() + FAR))
        for _ in range(10):
            see(to, "123456789012")
            assert all(each.unknown is None for each in to.watch.situation.criteria)
            assert to.watch.situation.verdict.phase is Phase.PRE_DEPLOY
            assert any("dated in the future" in reason for reason in to.reasons())
            to.clock.time += timedelta(minutes=1)
        folder = to.kept.folder
    assert any("dated in the future" in each.why for each in account_of(folder).not_counted)


@pytest.mark.parametrize("fast", [timedelta(0), A_LITTLE, FAR, 50 * FAR, -FAR, -50 * FAR])
@pytest.mark.parametrize("is_reopened", [False, True])
async def test_a_no_and_what_is_taken_back_count_whatever_the_clock_of_who_says_so(
    is_reopened: bool, fast: timedelta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sets Bob's clock must not keep a gate open, an item signed or a trigger silent that he wants no more."""
    async with victim(tmp_path) as to:
        at, plan = to.clock.now(), to.plan.digest
        bobs = elsewhere(monkeypatch, tmp_path, to, "bob")
        await to.desk.vote("deploy", "go")
        signed = SignOff(at, "seed", "bob", "dba", "Category Security", plan)
        waived = Waiver(at, "right", "bob", "known", at + timedelta(hours=1), "dba", plan)
        for entry in (Vote(at, "deploy", "bob", "dba", "go", plan_digest=plan), signed, waived):
            forge(bobs, entry, to.bob)
        to.takes_in()
        assert to.gate_open
        assert to.item("seed") is Check.PASS
        assert to.watch.situation.verdict.waivers == 1
        then, before = to.clock.now() + fast, to.clock.now()
        if is_reopened:
            bobs = elsewhere(monkeypatch, tmp_path, to, "bob-again", at=then)
        for entry in (
            Vote(then, "deploy", "bob", "dba", "no-go", plan_digest=plan),
            replace(signed, at=then, retracted=True),
            replace(waived, at=then, until=then),
        ):
            forge(bobs, entry, to.bob)
        for _ in range(3):
            to.takes_in()
            assert not to.gate_open
            assert to.watch.counted().all(Vote)[-1].at >= before, "it does not lapse by a slow clock"
            assert to.item("seed") is not Check.PASS
            assert to.watch.situation.verdict.waivers == 0
            to.clock.time += timedelta(minutes=5)


ANY_CLOCK = pytest.mark.parametrize("fast", [timedelta(0), A_LITTLE, FAR, 50 * FAR, -FAR, -50 * FAR])


def bob_states(to: Victim, monkeypatch: pytest.MonkeyPatch, folder: Path, fast: timedelta, *entries: Entry) -> None:
    """Bob states them on a machine whose clock is right, and then whose clock is off by `fast`: the last of them alone."""
    *first, last = entries
    bobs = elsewhere(monkeypatch, folder, to, "bob")
    for entry in first:
        forge(bobs, entry, to.bob)
    to.takes_in()
    to.clock.time += timedelta(seconds=5)
    forge(bobs, replace(last, at=to.clock.now() + fast), to.bob)
    to.takes_in()
    to.takes_in()


@ANY_CLOCK
@pytest.mark.parametrize("again", ["open", "failed", "begun"])
async def test_a_step_that_is_open_again_or_failed_is_so_whatever_the_clock_of_who_says_so(
    again: str, fast: timedelta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback that people end by hand is over once its steps are: none of them by a clock alone."""
    async with victim(tmp_path) as to:
        at, plan = to.clock.now(), to.plan.digest
        done = StepEnded(at, "back.revision", "bob", "done", "both tasks run", "dba", plan)
        begun = StepBegan(at, "back.revision", "bob", "dba", plan)
        last = begun if again == "begun" else replace(done, outcome=again)
        bob_states(to, monkeypatch, tmp_path, fast, begun, done, last)
        (step,) = to.watch.situation.rollback_plan
        wanted = {"open": StepState.OPEN, "failed": StepState.FAILED, "begun": StepState.STARTED}
        assert step.progress is wanted[again], to.reasons()


@ANY_CLOCK
async def test_votes_are_used_whatever_the_clock_of_who_used_them(
    fast: timedelta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path) as to:
        at, plan = to.clock.now(), to.plan.digest
        await to.desk.vote("deploy", "go")
        vote = Vote(at, "deploy", "bob", "dba", "go", plan_digest=plan)
        used = GateUsed(at, "deploy", "deploy", "bob", "dba", plan, ("ada", "bob"))
        bob_states(to, monkeypatch, tmp_path, fast, vote, used)
        assert to.desk.missing_before("deploy"), "they begin nothing else"
        (gate,) = to.watch.situation.gates
        if "the votes it rests on are used all the same" in "".join(to.reasons()):
            assert abs(fast) > A_LITTLE
            assert not gate.passed
            assert not gate.used_at
        else:
            assert gate.used_by == "bob"
        assert to.watch.situation.verdict.word is Word.HOLD
        await to.desk.vote("deploy", "go")
        assert to.desk.missing_before("deploy"), "and Bob must vote again, too"


@ANY_CLOCK
async def test_a_vote_that_was_used_elsewhere_with_one_that_does_not_count_here_begins_nothing_else(
    fast: timedelta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob's own cockpit counts his vote by its clock, and he begins: with Ada's vote, which is used."""
    async with victim(tmp_path) as to:
        plan = to.plan.digest
        await to.desk.vote("deploy", "go")
        at = to.clock.now() + fast
        bobs = elsewhere(monkeypatch, tmp_path, to, "bob", at=to.clock.now())
        forge(bobs, Vote(at, "deploy", "bob", "dba", "go", plan_digest=plan), to.bob)
        forge(bobs, GateUsed(at, "deploy", "deploy", "bob", "dba", plan), to.bob)
        to.takes_in()
        vote = Vote(to.clock.now(), "deploy", "bob", "dba", "go", plan_digest=plan)
        bob_states(to, monkeypatch, tmp_path, timedelta(0), vote)
        assert to.desk.missing_before("deploy"), "Ada has voted once"


async def test_a_use_of_a_gate_that_was_shut_uses_no_votes_by_whichever_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path) as to:
        at, plan = to.clock.now(), to.plan.digest
        vote = Vote(at, "deploy", "bob", "dba", "go", plan_digest=plan)
        used = GateUsed(at, "deploy", "deploy", "bob", "dba", plan)
        bob_states(to, monkeypatch, tmp_path, FAR, vote, used)
        await to.desk.vote("deploy", "go")
        assert to.desk.missing_before("deploy") == []


@ANY_CLOCK
@pytest.mark.parametrize("tripped", [False, True])
async def test_a_rollback_is_under_way_whatever_the_clock_of_who_decided_it(
    tripped: bool, fast: timedelta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a time that cannot be it answers no trip: who decides about those, decides again."""
    async with victim(tmp_path) as to:
        to.watch.record.append(PhaseBegan(to.clock.now(), Phase.POST_DEPLOY))
        see(to, "123456789012")
        if tripped:
            see(to, "000000000000")
        at = to.clock.now()
        decided = Decision(at, "execute", "bob", "orders fail", "", "dba", to.plan.digest, (Occurrence(at, "wrong"),))
        bob_states(to, monkeypatch, tmp_path, fast, start(to, at), decided)
        verdict = to.watch.situation.verdict
        assert verdict.word is Word.ROLLBACK
        assert verdict.decided or verdict.latch
        if tripped and abs(fast) > A_LITTLE and fast > timedelta(0):
            assert verdict.latch is not None
        to.clock.time += timedelta(seconds=5)
        await to.desk.decide("dismiss", "the users are fine")
        to.takes_in()
        if to.watch.situation.verdict.under_way:
            await to.desk.decide("dismiss", "the users are fine")
            to.takes_in()
        assert to.watch.situation.verdict.word is not Word.ROLLBACK, "and can be withdrawn here, whatever it is dated"


@pytest.mark.parametrize(
    ("first", "then", "fast"), [(180, 10, FAR), (180, 10, -50 * FAR), (10, 180, A_LITTLE), (10, 180, FAR)]
)
async def test_a_waiver_or_dismissal_given_anew_by_a_wrong_clock_shortens_the_earlier_one_and_lengthens_none(
    first: int, then: int, fast: timedelta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path) as to:
        to.watch.record.append(PhaseBegan(to.clock.now(), Phase.POST_DEPLOY))
        see(to, "123456789012")
        see(to, "000000000000")
        assert word(to.watch) is Word.ROLLBACK
        at, plan = to.clock.now(), to.plan.digest
        waived = Waiver(at, "right", "bob", "known", at, "dba", plan)
        trips = (Occurrence(at, "wrong"),)
        dismissed = Decision(at, "dismiss", "bob", "the alarm is wrong", "", "dba", plan, trips)
        bobs = elsewhere(monkeypatch, tmp_path, to, "bob")
        for minutes, off in ((first, timedelta(0)), (then, fast)):
            at = to.clock.now() + off
            for entry in (waived, dismissed):
                forge(bobs, replace(entry, at=at, until=at + timedelta(minutes=minutes)), to.bob)
            to.takes_in()
            to.clock.time += timedelta(seconds=5)
        ended = any("what was given before ends by then all the same" in reason for reason in to.reasons())
        assert ended == (first > then), "and says so where it counts for nothing else"
        to.clock.time += timedelta(minutes=11)
        see(to, "000000000000")
        goes_on = then > first and abs(fast) <= A_LITTLE
        assert to.watch.situation.verdict.waivers == goes_on
        assert (word(to.watch) is Word.ROLLBACK) != goes_on


@ANY_CLOCK
async def test_what_tells_a_statement_in_a_ledger_is_the_same_on_every_machine(
    fast: timedelta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run that began by it on one machine would begin once more on another."""
    async with victim(tmp_path) as to:
        said = Decision(to.clock.now() + fast, "migrate", "bob", "it is time (purge)", "", "dba", to.plan.digest, ())
        receive(to, monkeypatch, tmp_path, fast, said)
        (learned,) = to.watch.record.all(Decision)
        assert tag_of(learned) == tag_of(said)


@pytest.mark.parametrize("copied", [Waiver, GateUsed, Decision])
async def test_a_copy_of_what_held_something_back_does_so_once(
    copied: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write to the record and holds no key ends no waiver, uses no votes and decides no rollback by old lines."""
    async with victim(tmp_path) as to:
        at, plan = to.clock.now(), to.plan.digest
        to.watch.record.append(PhaseBegan(at, Phase.POST_DEPLOY))
        await to.desk.vote("deploy", "go")
        old: dict[type, Entry] = {
            Waiver: Waiver(at, "right", "bob", "withdrawn", at, "dba", plan),
            GateUsed: GateUsed(at, "deploy", "deploy", "bob", "dba", plan),
            Decision: Decision(at, "execute", "bob", "orders fail", "", "dba", plan, (Occurrence(at, "wrong"),)),
        }
        vote = Vote(at, "deploy", "bob", "dba", "go", plan_digest=plan)
        bob_states(to, monkeypatch, tmp_path, timedelta(0), vote, old[copied])
        line = next(line for _, line in reversed(to.kept.folder.lines()) if len(line.sigs) == 2)
        await to.desk.waive("right", "known since noon", timedelta(hours=1))
        await to.desk.vote("deploy", "go")
        bob_states(to, monkeypatch, tmp_path, timedelta(0), replace(vote, at=to.clock.now()))
        if copied is Decision:
            await to.desk.decide("dismiss", "the users are fine")
        to.takes_in()
        before = to.watch.situation.verdict, to.desk.missing_before("deploy"), to.watch.situation.verdict.waivers
        assert before[1:] == ([], 1)
        for off in (timedelta(0), FAR, 50 * FAR):
            eves = elsewhere(monkeypatch, tmp_path, to, at=to.clock.now() + off)
            eves.append(Draft(line.entry.type, line.entry.body, line.entry.actor, line.sigs[1]))
            to.takes_in()
            verdict = to.watch.situation.verdict
            assert (verdict.word, verdict.under_way) == (before[0].word, before[0].under_way)
            assert (to.desk.missing_before("deploy"), verdict.waivers) == before[1:], to.reasons()
