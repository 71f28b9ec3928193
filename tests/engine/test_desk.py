"""What a person may say: the rules, on a real record in a folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.clock import HandClock
from support.plans.signing_plan import keys_for, signing_plan
from support.sources import NoSource

from cockpit.decide.events import Decision, GateUsed, PhaseBegan, SignOff, StepBegan, StepEnded, Vote, Waiver
from cockpit.decide.states import Check, StepState, Word
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.ssh.allowed_signers import AllowedSigners
from cockpit.journal.verify import verify_record
from cockpit.plan.model import Gate, Phase, Plan, Poll


@asynccontextmanager
async def seat(
    plan: Plan, root: Path, who: str = "ada", key: Path | None = None
) -> AsyncIterator[tuple[Watch, Desk, Path]]:
    """A cockpit with a record, and somebody at it."""
    clock = HandClock()
    async with recording(plan, clock, who=who, root=root, key_file=key) as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        watch.record.append(PhaseBegan(clock.now(), Phase.PRE_DEPLOY))
        kept.attach(watch)
        watch.tick()
        yield watch, Desk(watch, kept, who), kept.folder.path


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return signing_plan(tmp_path)


def check(watch: Watch, item: str) -> Check:
    watch.clock.time += timedelta(seconds=1)  # type: ignore[attr-defined]
    watch.tick()
    return next(i.check for s in watch.situation.sections for i in s.items if i.id == item)


async def test_a_signature_is_words_by_somebody_of_the_role(plan: Plan, tmp_path: Path) -> None:
    async with seat(plan, tmp_path) as (watch, desk, _):
        for tick in ("", "ok", "  Yes. ", "x", "done"):
            with pytest.raises(Refused, match="describe what you checked"):
                await desk.sign("vpn", tick)
        with pytest.raises(Refused, match="needs dba; ada is on-call"):
            await desk.sign("seed", "Category Security, prompt 4")
        with pytest.raises(Refused, match="needs no sign-off"):
            await desk.sign("nothing", "words")
        assert watch.record.all(SignOff) == []
        signed = await desk.sign("vpn", " 100.64.0.7 answered ")
        assert (signed.answer, signed.role, signed.key) == ("100.64.0.7 answered", "on_call", "")
        assert check(watch, "vpn") is Check.PASS
        await desk.retract("vpn")
        assert check(watch, "vpn") is Check.PENDING
        assert len(watch.record.all(SignOff)) == 2, "a counter-entry, never an eraser"
        with pytest.raises(Refused, match="nothing to withdraw"):
            await desk.retract("vpn")


async def test_what_wants_a_key_is_not_taken_without_one(plan: Plan, tmp_path: Path) -> None:
    async with seat(plan, tmp_path) as (_, desk, _):
        with pytest.raises(Refused, match="not cryptographically signed"):
            await desk.sign("restore", "Restored in 11 minutes")


async def test_a_key_signs_and_stock_tools_agree(tmp_path: Path) -> None:
    key, public = keys_for(tmp_path, "ada")
    plan = signing_plan(tmp_path, ada_key=public)
    async with seat(plan, tmp_path, key=key) as (watch, desk, folder):
        signed = await desk.sign("restore", "Restored in 11 minutes")
        assert signed.key.startswith("SHA256:")
        assert check(watch, "restore") is Check.PASS
        await desk.vote("deploy", "go")
    allowed = tmp_path / "allowed"
    allowed.write_text(f"ada {public}\n")
    result = verify_record(folder, allowed=AllowedSigners.read(allowed))
    assert not result.broken
    assert not any("not cryptographically signed" in line for line in result.unproven)


async def test_another_persons_key_does_not_speak_for_you(tmp_path: Path) -> None:
    key, _ = keys_for(tmp_path, "ada")
    _, other = keys_for(tmp_path, "bob")
    async with seat(signing_plan(tmp_path, ada_key=other), tmp_path, key=key) as (_, desk, _):
        with pytest.raises(Refused, match="not cryptographically signed"):
            await desk.sign("restore", "Restored in 11 minutes")


async def test_two_people_are_two_people(plan: Plan, tmp_path: Path) -> None:
    async with seat(plan, tmp_path) as (watch, desk, _):
        await desk.vote("deploy", "go")
        await desk.vote("deploy", "go")
        assert check(watch, "vpn")
        (gate,) = watch.situation.gates
        assert not gate.passed, "one person twice is one person"
        desk.identify("bob")
        with pytest.raises(Refused, match="needs a reason"):
            await desk.vote("deploy", "no-go")
        await desk.vote("deploy", "no-go", "the pool is too small")
        assert "bob (dba) votes no-go" in "; ".join(desk.missing_before("deploy"))
        await desk.vote("deploy", "go")
        assert desk.missing_before("deploy") == []


async def test_one_key_under_two_names_is_one_person(tmp_path: Path) -> None:
    key, public = keys_for(tmp_path, "ada")
    plan = signing_plan(tmp_path, ada_key=public, bob_key=public)
    async with seat(plan, tmp_path, key=key) as (watch, desk, _):
        await desk.vote("deploy", "go")
        desk.identify("bob")
        await desk.vote("deploy", "go")
        assert len({vote.key for vote in watch.record.all(Vote)}) == 1
        assert "1 more GO vote" in desk.missing_before("deploy")[0]


async def test_who_starts_it_may_be_left_out(plan: Plan, tmp_path: Path) -> None:
    gate = replace(plan.gates[0], poll=Poll(("on_call", "dba"), 1, exclude_initiator=True))
    async with seat(replace(plan, gates=(gate,)), tmp_path) as (_, desk, _):
        await desk.vote("deploy", "go")
        assert "1 more GO vote" in desk.missing_before("deploy")[0]
        desk.identify("bob")
        assert desk.missing_before("deploy") == []


async def test_the_deployment_begins_through_its_gate_and_against_advice_only_with_a_reason(
    plan: Plan, tmp_path: Path
) -> None:
    async with seat(plan, tmp_path) as (watch, desk, _):
        with pytest.raises(Refused, match=r"Go / no-go: needs 2 more GO"):
            await desk.begin(Phase.POST_DEPLOY)
        await desk.vote("deploy", "go")
        desk.identify("bob")
        await desk.vote("deploy", "go")
        watch.tick()
        assert watch.situation.verdict.word is Word.HOLD
        with pytest.raises(Refused, match="give a reason"):
            await desk.begin(Phase.POST_DEPLOY)
        await desk.begin(Phase.POST_DEPLOY, "the window closes at four")
        (said,) = watch.record.all(Decision)
        assert (said.choice, said.advised, said.why) == ("proceed", "HOLD", "the window closes at four")
        (use,) = watch.record.all(GateUsed)
        assert (use.act, use.by, len(use.votes)) == ("deploy", "bob", 2)
        watch.clock.time += timedelta(days=1)  # type: ignore[attr-defined]
        watch.tick()
        (gate,) = watch.situation.gates
        assert gate.passed, "it was used: its votes need not be valid for ever"


async def test_a_waiver_has_an_end_a_reason_and_a_way_back(plan: Plan, tmp_path: Path) -> None:
    async with seat(plan, tmp_path) as (watch, desk, _):
        with pytest.raises(Refused, match="within 12h"):
            await desk.waive("vpn", "no tailnet today", timedelta(hours=13))
        with pytest.raises(Refused, match="give a reason"):
            await desk.waive("vpn", "ok", timedelta(hours=1))
        with pytest.raises(Refused, match="only items and criteria"):
            await desk.waive("deploy", "no tailnet today", timedelta(hours=1))
        await desk.waive("vpn", "no tailnet today", timedelta(minutes=30))
        assert check(watch, "vpn") is Check.WAIVED
        await desk.retract("vpn")
        assert check(watch, "vpn") is Check.PENDING
        assert len(watch.record.all(Waiver)) == 2
        await desk.waive("vpn", "no tailnet today", timedelta(minutes=30))
        watch.clock.time += timedelta(minutes=31)  # type: ignore[attr-defined]
        assert check(watch, "vpn") is Check.PENDING, "it re-arms itself"


async def test_a_step_is_read_done_and_told(plan: Plan, tmp_path: Path) -> None:
    async with seat(plan, tmp_path) as (watch, desk, _):
        await desk.start_step("run.deploy")
        watch.clock.time += timedelta(minutes=7)  # type: ignore[attr-defined]
        watch.tick()
        (step,) = watch.situation.runbook
        assert (step.progress, step.by) == (StepState.STARTED, "ada")
        with pytest.raises(Refused, match="one word is not enough"):
            await desk.end_step("run.deploy", "done", "ok")
        await desk.end_step("run.deploy", "done", "web:42, both tasks healthy")
        watch.tick()
        (step,) = watch.situation.runbook
        assert step.began is not None
        assert step.ended is not None
        assert (step.progress, step.ended - step.began) == (StepState.DONE, timedelta(minutes=7))
        await desk.retract("run.deploy")
        watch.tick()
        assert watch.situation.runbook[0].progress is StepState.OPEN
        assert len(watch.record.all(StepEnded)) == 2
        with pytest.raises(Refused, match="no such step"):
            await desk.start_step("vpn")


async def test_a_gate_before_a_step_is_passed_by_votes_and_used_once(plan: Plan, tmp_path: Path) -> None:
    poll = Poll(("on_call", "dba"), 2)
    gate = Gate("full", "All users", "run.deploy", poll, plan.gates[0].position)
    async with seat(replace(plan, gates=(*plan.gates, gate)), tmp_path) as (watch, desk, _):
        with pytest.raises(Refused, match=r"All users: .*the step was not begun"):
            await desk.start_step("run.deploy")
        assert watch.record.all(StepBegan) == []
        await desk.vote("full", "go")
        with pytest.raises(Refused, match="All users"):
            await desk.start_step("run.deploy")
        desk.identify("bob")
        await desk.vote("full", "go")
        await desk.start_step("run.deploy")
        assert [(use.gate, use.act, use.by) for use in watch.record.all(GateUsed)] == [("full", "run.deploy", "bob")]
        watch.tick()
        assert watch.situation.runbook[0].progress is StepState.STARTED
        with pytest.raises(Refused, match="All users"):
            await desk.start_step("run.deploy")


async def test_no_decision_where_none_waits_and_nobody_speaks_unnamed(plan: Plan, tmp_path: Path) -> None:
    async with seat(plan, tmp_path, who="") as (_, desk, _):
        for said in (desk.sign("vpn", "an answer"), desk.vote("deploy", "go"), desk.start_step("run.deploy")):
            with pytest.raises(Refused, match="identify yourself"):
                await said
        with pytest.raises(Refused, match="has no person eve: ada, bob"):
            desk.identify("eve")
        with pytest.raises(Refused, match="choose a person: ada, bob"):
            desk.identify("")
        desk.identify("ada")
        with pytest.raises(Refused, match="no rollback is waiting"):
            await desk.decide("dismiss", "a false alarm")


async def test_a_full_disk_is_said_and_not_swallowed(plan: Plan, tmp_path: Path) -> None:
    async with seat(plan, tmp_path) as (watch, desk, folder):
        (chain,) = (folder / "journal").glob("*.jsonl")
        chain.write_bytes(b"")
        with pytest.raises(Refused, match="not recorded"):
            await desk.sign("vpn", "100.64.0.7 answered")
        assert "not being written" in watch.notice
        await asyncio.sleep(0)


async def test_that_a_migration_phase_is_begun_is_a_decision_with_its_reason(plan: Plan, tmp_path: Path) -> None:
    async with seat(plan, tmp_path) as (watch, desk, _):
        with pytest.raises(Refused, match="give a reason"):
            await desk.migrate("ok", "copy 3 files of db/app")
        await desk.migrate("it is time", "copy 3 files of db/app")
        (decided,) = watch.counted().all(Decision)
        assert (decided.choice, decided.by, decided.why) == ("migrate", "ada", "it is time (copy 3 files of db/app)")
        desk.person = None
        with pytest.raises(Refused, match="identify yourself"):
            await desk.migrate("it is time", "copy 3 files of db/app")
