"""Statements that must not count, written by somebody who can write to the record, against a cockpit that is running."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.clock import HandClock
from support.plans.signing_plan import keys_for, signing_plan
from support.records.victim import Victim, elsewhere, forge, victim
from support.sources import NoSource

from cockpit.decide.events import (
    Acknowledgement,
    Change,
    Decision,
    Entry,
    GateUsed,
    PhaseBegan,
    PointOfNoReturn,
    ReleaseSeen,
    SignOff,
    StepEnded,
    Vote,
    Waiver,
)
from cockpit.decide.states import Check, StepState, Word
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recorded import record_in
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.entry import Actor, Type
from cockpit.journal.writer import Draft, Journal
from cockpit.plan.model import Phase
from cockpit.replay.player import Player
from cockpit.replay.trace import trace_of
from cockpit.report.load_record import account_of


def vote(to: Victim, by: str, role: str, **more: object) -> Vote:
    given: dict[str, object] = {"plan_digest": to.plan.digest, **more}
    return Vote(to.clock.now(), "deploy", by, role, "go", **given)  # type: ignore[arg-type]


async def test_both_keys_open_the_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the others must not reach: two people of the plan, each with the key it names, one of them elsewhere."""
    async with victim(tmp_path) as to:
        await to.desk.vote("deploy", "go")
        journal = elsewhere(monkeypatch, tmp_path, to, "bob")
        forge(journal, vote(to, "bob", "dba"), to.bob)
        to.takes_in()
        assert to.gate_open
        assert to.reasons() == []


Forgery = Callable[[Victim, Journal], None]
VOTES: dict[str, tuple[str, Forgery]] = {
    "nobody signed it": ("not cryptographically signed", lambda to, j: forge(j, vote(to, "bob", "dba"))),
    "signed with another key": ("signed with SHA256", lambda to, j: forge(j, vote(to, "bob", "dba"), to.eve)),
    "one key under two names": ("signed with SHA256", lambda to, j: forge(j, vote(to, "bob", "dba"), to.ada)),
    "a stranger": ("the plan has no person eve", lambda to, j: forge(j, vote(to, "eve", "dba"), to.eve)),
    "a role they do not hold": ("does not hold the role", lambda to, j: forge(j, vote(to, "bob", "on_call"), to.bob)),
    "no role": ("does not hold the role", lambda to, j: forge(j, vote(to, "bob", ""), to.bob)),
    "no plan": ("does not name the plan", lambda to, j: forge(j, vote(to, "bob", "dba", plan_digest=""), to.bob)),
    "another plan": ("the plan changed", lambda to, j: forge(j, vote(to, "bob", "dba", plan_digest="0" * 64), to.bob)),
    "rehearsed": ("it was rehearsed", lambda to, j: forge(j, vote(to, "bob", "dba", rehearsal=True), to.bob)),
    "the year 2036": (
        "dated in the future",
        lambda to, j: forge(j, replace(vote(to, "bob", "dba"), at=datetime.fromisoformat("2036-01-01T00:00Z")), to.bob),
    ),
    "before its session": (
        "outside the session",
        lambda to, j: forge(j, replace(vote(to, "bob", "dba"), at=to.clock.now() - timedelta(minutes=5)), to.bob),
    ),
}


@pytest.mark.parametrize("case", VOTES)
async def test_such_a_vote_opens_no_gate_and_is_shown_with_its_reason(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    why, write = VOTES[case]
    async with victim(tmp_path) as to:
        await to.desk.vote("deploy", "go")
        write(to, elsewhere(monkeypatch, tmp_path, to))
        to.takes_in()
        assert not to.gate_open
        assert any(why in reason for reason in to.reasons())
        assert any(why in line for line in to.watch.situation.gates[0].not_counted)
        folder = to.kept.folder
        by_command = record_in(folder)
    # Every reader of the record says the same.
    again = Watch(to.plan, NoSource(), to.clock, by_command)
    assert not again.situation.gates[0].passed
    assert not account_of(folder).gates[0].passed
    trace = trace_of(folder, "ada-" + to.kept.journal.writer.partition("-")[2])
    player = Player(trace)
    player.play_to(len(trace.steps))
    assert player.differences == []
    assert not player.situation.gates[0].passed


async def test_a_vote_without_a_time_is_no_vote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with victim(tmp_path) as to:
        await to.desk.vote("deploy", "go")
        journal = elsewhere(monkeypatch, tmp_path, to)
        draft = Draft.of(vote(to, "bob", "dba"), Actor("bob"))
        undated = replace(draft, body={name: value for name, value in draft.body.items() if name != "at"})
        journal.append(replace(undated, signature=journal.signed_text(undated).signed(to.bob)))
        to.takes_in()
        assert not to.gate_open


async def test_a_session_dated_back_to_when_a_key_was_valid_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path) as to:
        await to.desk.vote("deploy", "go")
        then = to.clock.now() - timedelta(hours=6)
        journal = elsewhere(monkeypatch, tmp_path, to, at=then)
        forge(journal, replace(vote(to, "bob", "dba"), at=then), to.bob)
        to.takes_in()
        assert not to.gate_open
        assert any("arrived long after" in reason for reason in to.reasons())
        folder = to.kept.folder
    # Nor for the report, nor after the cockpit was opened again, when all of the record is read at once.
    assert any("arrived long after" in each.why for each in account_of(folder).not_counted)
    assert any(
        "arrived long after" in each.why
        for each in Watch(to.plan, NoSource(), to.clock, record_in(folder)).situation.not_counted
    )


async def test_nobody_else_s_note_makes_a_statement_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with victim(tmp_path) as to:
        await to.desk.vote("deploy", "go")
        cast = elsewhere(monkeypatch, tmp_path, to, "bob")
        forge(cast, vote(to, "bob", "dba"), to.bob)
        lines = [line.hash for _, line in to.kept.folder.lines()]
        elsewhere(monkeypatch, tmp_path, to, "eve").append(
            Draft(Type.NOTE, {"kind": "took_in", "heads": {}, "late": lines})
        )
        to.takes_in()
        assert to.gate_open
        folder = to.kept.folder
    assert Watch(to.plan, NoSource(), to.clock, record_in(folder)).situation.gates[0].passed
    assert account_of(folder).gates[0].passed


async def test_who_joins_late_takes_in_what_was_there_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what would have been seen, had it been there, is too late."""
    (ada, ada_public), (bob, bob_public) = (keys_for(tmp_path, name) for name in ("ada", "bob"))
    plan, clock = signing_plan(tmp_path, ada_public, bob_public), HandClock()
    root = tmp_path / "records"
    with monkeypatch.context() as other:
        other.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
        async with recording(plan, clock, who="bob", root=root, key_file=bob) as bobs:
            watch = Watch(plan, NoSource(), clock, bobs.record, bobs.started_at)
            bobs.attach(watch)
            await Desk(watch, bobs, "bob").vote("deploy", "go")
    clock.time += timedelta(hours=2)
    async with recording(plan, clock, who="ada", root=root, key_file=ada) as adas:
        watch = Watch(plan, NoSource(), clock, adas.record, adas.started_at)
        adas.attach(watch)
        await Desk(watch, adas, "ada").vote("deploy", "go")
        watch.tick()
        assert watch.situation.gates[0].passed


async def test_an_old_signed_line_played_again_after_it_was_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path) as to:
        await to.desk.sign("restore", "Restored in 11 minutes")
        to.tick()
        assert to.item("restore") is Check.PASS
        line = next(line for _, line in to.kept.folder.lines() if len(line.sigs) == 2)
        to.clock.time += timedelta(seconds=5)
        await to.desk.retract("restore")
        to.tick()
        assert to.item("restore") is Check.PENDING
        journal = elsewhere(monkeypatch, tmp_path, to, at=line.entry.ts)
        journal.append(Draft(line.entry.type, line.entry.body, line.entry.actor, line.sigs[1]))
        to.takes_in()
        assert to.item("restore") is not Check.PASS
        assert "it is a copy of an earlier one" in to.reasons()


async def test_a_waiver_for_ten_years(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with victim(tmp_path) as to:
        now, ends = to.clock.now(), to.clock.now() + timedelta(days=3650)
        journal = elsewhere(monkeypatch, tmp_path, to)
        for key in (None, to.bob):
            forge(journal, Waiver(now, "wrong", "bob", "known", ends, "dba", to.plan.digest), key)
        to.takes_in()
        assert to.watch.situation.verdict.waivers == 0
        assert [reason.partition(";")[0] for reason in to.reasons()] == [
            "not cryptographically signed",
            "a waiver lasts 12h at most, and this one longer",
        ]


def by_another_machine(to: Victim) -> Sequence[Entry]:
    now = to.clock.now()
    return (
        PhaseBegan(now, Phase.POST_DEPLOY),
        PointOfNoReturn(now, "everything"),
        ReleaseSeen(
            now, "prod", "web", "arn:aws:ecs:us-east-1:123456789012:task-definition/evil:1", "x", "sha256:evil"
        ),
        Change(now, "verdict", Word.ROLLBACK, Word.GO, "all is well"),
        StepEnded(now, "run.deploy", "", "done", "trust me"),
    )


async def test_what_another_cockpit_notes_by_itself_sets_no_phase_no_target_and_no_point_of_no_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path) as to:
        journal = elsewhere(monkeypatch, tmp_path, to)
        for entry in by_another_machine(to):
            forge(journal, entry, by="cockpit")
        to.takes_in()
        counts = to.watch.counted()
        assert counts.all(PointOfNoReturn) == []
        assert counts.all(ReleaseSeen) == []
        assert to.watch.situation.verdict.phase is Phase.PRE_DEPLOY
        assert to.watch.situation.runbook[0].progress is StepState.OPEN
        assert not any(change.because == "all is well" for change in to.watch.changes())
        assert len(to.reasons()) == 4


def begun(to: Victim) -> tuple[PhaseBegan, GateUsed]:
    """What Bob states, with his key, when he begins the deployment."""
    now, digest = to.clock.now(), to.plan.digest
    return PhaseBegan(now, Phase.POST_DEPLOY, "bob", "go", "dba", digest), GateUsed(
        now, "deploy", "deploy", "bob", "dba", digest
    )


async def test_a_deployment_another_cockpit_began_counts_if_its_gate_was_open_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path) as to:
        bobs = elsewhere(monkeypatch, tmp_path, to, "bob")

        async def states(*entries: Entry) -> Phase:
            to.clock.time += timedelta(seconds=5)
            for entry in entries:
                forge(bobs, entry, to.bob)
            to.takes_in()
            return to.watch.situation.verdict.phase

        await to.desk.vote("deploy", "go")
        assert await states(*begun(to)) is Phase.PRE_DEPLOY
        shut = "Go / no-go was not passed then: needs 1 more GO vote (dba)"
        assert to.reasons() == [shut] * 2
        # A vote that comes later opens the gate, and not for what was stated before; nor was anything spent by that.
        assert await states(vote(to, "bob", "dba")) is Phase.PRE_DEPLOY
        assert to.gate_open
        assert await states(*begun(to)) is Phase.POST_DEPLOY
        assert to.reasons() == [shut] * 2
        # Once: the next deployment takes votes of its own.
        assert (
            await states(PhaseBegan(to.clock.now(), Phase.PRE_DEPLOY, "bob", "", "dba", to.plan.digest))
            is Phase.PRE_DEPLOY
        )
        assert await states(*begun(to)) is Phase.PRE_DEPLOY
        assert "needs 2 more GO votes" in to.reasons()[-1]
        folder, writer = to.kept.folder, to.kept.journal.writer
    player = Player(trace_of(folder, writer))
    player.play_to(len(player.trace.steps))
    assert player.differences == []
    assert player.situation.verdict.phase is Phase.PRE_DEPLOY


async def test_a_deployment_begun_on_an_earlier_plan_counts_by_the_votes_on_that_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path) as to:
        bobs = elsewhere(monkeypatch, tmp_path, to, "bob")
        await to.desk.vote("deploy", "go")
        for entry in (vote(to, "bob", "dba"), *begun(to)):
            forge(bobs, entry, to.bob)
        to.takes_in()
        edited = Watch(replace(to.plan, digest="1" * 64), NoSource(), to.clock, to.watch.record)
        assert edited.situation.verdict.phase is Phase.POST_DEPLOY


async def test_nor_does_one_begun_on_a_plan_that_nobody_has_voted_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a key could else name any plan, and need no votes."""
    async with victim(tmp_path) as to:
        bobs = elsewhere(monkeypatch, tmp_path, to, "bob")
        await to.desk.vote("deploy", "go")
        for entry in (vote(to, "bob", "dba"), *(replace(each, plan_digest="2" * 64) for each in begun(to))):
            forge(bobs, entry, to.bob)
        to.takes_in()
        assert to.watch.situation.verdict.phase is Phase.PRE_DEPLOY
        assert to.watch.counted().all(GateUsed) == []
        assert all("was not passed then" in reason for reason in to.reasons())
        assert to.reasons()


async def test_unsigned_decisions_acknowledgements_and_phases_of_a_person_with_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path) as to:
        now, digest = to.clock.now(), to.plan.digest
        journal = elsewhere(monkeypatch, tmp_path, to)
        for entry in (
            Decision(now, "dismiss", "bob", "it is fine", "", "dba", digest),
            Acknowledgement(now, "wrong", "bob", "known for a week", "dba", digest),
            PhaseBegan(now, Phase.POST_DEPLOY, "bob", "go", "dba", digest),
            SignOff(now, "seed", "bob", "dba", "Category Security", digest),
        ):
            forge(journal, entry)
        to.takes_in()
        assert [reason.partition(";")[0] for reason in to.reasons()] == ["not cryptographically signed"] * 4
        assert to.watch.situation.verdict.phase is Phase.PRE_DEPLOY
        assert to.item("seed") is Check.STALE


async def test_a_line_changed_after_its_session_signed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with victim(tmp_path) as to:
        await to.desk.vote("deploy", "go")
        journal = elsewhere(monkeypatch, tmp_path, to, "bob")
        forge(journal, replace(vote(to, "bob", "dba"), choice="no-go", why="it burns"), to.bob)
        journal.close()
        path = to.kept.folder.journal / "bob.jsonl"
        path.write_bytes(path.read_bytes().replace(b"no-go", b"go"))
        to.takes_in()
        assert not to.gate_open
        assert any("the session's signature does not hold" in reason for reason in to.reasons())
