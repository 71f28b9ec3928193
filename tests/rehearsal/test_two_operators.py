"""A whole night with two operators on one record: signed, polled, refused, rolled back, and proven afterwards."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.records.short_record import not_proven
from support.waiting import LAST_RESORT_S, until

from cockpit.actions.executor import Executor
from cockpit.commands.plan_loading import known_vars
from cockpit.commands.simulated_plans import shipped
from cockpit.decide.events import Decision, SignOff
from cockpit.decide.states import Check, StepState, Word
from cockpit.engine.gate_approval import missing
from cockpit.engine.operator_desk import Desk
from cockpit.engine.poller import LiveSource
from cockpit.engine.ports import Refused
from cockpit.engine.record_look import RecordLook
from cockpit.engine.recording import Recording, recording
from cockpit.engine.tasks import end
from cockpit.engine.watch import Watch
from cockpit.journal.findings import BROKEN
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.shared_store import DirectoryStore
from cockpit.journal.ssh.allowed_signers import AllowedSigners
from cockpit.journal.verify import verify_record
from cockpit.plan.load import load_plan
from cockpit.plan.model import Phase, Plan
from cockpit.rehearsal.process.launcher import Rehearsal
from cockpit.rehearsal.process.pace import Pace
from cockpit.report.formats.html import html
from cockpit.report.load_record import account_of
from cockpit.stories import crew
from probes.clients.clients import AwsOptions, Clients

pytestmark = [pytest.mark.world, pytest.mark.long]
SPEED = 60.0


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(kept)


def key_of(folder: Path, who: str) -> tuple[Path, str]:
    path = folder / f"id_{who}"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(path)]
    subprocess.run(command, check=True, timeout=LAST_RESORT_S, stdin=subprocess.DEVNULL)
    return path, " ".join(path.with_suffix(".pub").read_text().split()[:2])


def plan_with_keys(folder: Path, keys: Mapping[str, str], given: Mapping[str, str]) -> Plan:
    """The shipped plan, with the two people's keys in it."""
    text = Path(shipped("transparent-trust.yaml")).read_text()
    for who, key in keys.items():
        assert f"{{id: {who}, " in text
        text = text.replace(f"{{id: {who}, ", f'{{id: {who}, ssh_key: "{key}", ')
    path = folder / "night.yaml"
    path.write_text(text)
    return load_plan(path, overrides=given)


@dataclass
class Seat:
    """One operator's cockpit."""

    watch: Watch
    desk: Desk
    executor: Executor
    kept: Recording

    async def sign_everything(self) -> None:
        """Answer all that waits for this person and nothing else."""
        for section in self.watch.situation.sections:
            for item in section.items:
                asked = item.sign_off
                if (
                    asked
                    and not asked.given
                    and item.check in (Check.PENDING, Check.STALE)
                    and self.desk.may_sign(asked.roles)
                ):
                    await self.desk.sign(item.id, crew.answer_to(asked.ask))
        for status in self.watch.situation.criteria:
            if status.sign_off and not status.sign_off.given and self.desk.may_sign(status.sign_off.roles):
                await self.desk.sign(status.id, crew.answer_to(status.sign_off.ask))

    def rolled_back(self) -> bool:
        """Whether this cockpit, too, knows that it is done, and that the trips it was decided on wait no longer.

        What trips again, and what only this cockpit saw trip, asks anew: that is the rule.
        """
        step = next(step for step in self.watch.situation.rollback_plan if step.action)
        decisions = self.watch.record.all(Decision)
        if not decisions:
            return False
        answered = {each.subject: each.since for each in decisions[-1].answers or ()}
        latch = self.watch.situation.verdict.latch
        waiting = [trip for trip in latch.trips if trip.subject in answered] if latch else []
        return step.progress is StepState.DONE and all(trip.since > answered[trip.subject] for trip in waiting)

    async def until(self, done: str, limit: timedelta = timedelta(minutes=40)) -> None:
        """Wait for a word of the verdict, signing what comes up."""
        ends: datetime = self.watch.clock.now() + limit
        while self.watch.situation.verdict.word != done:
            assert self.watch.clock.now() < ends, self.watch.situation.verdict.reasons
            await asyncio.sleep(0.1)


@asynccontextmanager
async def seats(world: Rehearsal, plan: Plan, tmp_path: Path, keys: Mapping[str, Path]) -> AsyncIterator[list[Seat]]:
    async with AsyncExitStack() as stack:
        made: list[Any] = []
        for who, key in keys.items():
            store = DirectoryStore(tmp_path / "shared")
            kept = await stack.enter_async_context(
                recording(plan, world.clock, who=who, root=tmp_path / who, store=store, key_file=key)
            )
            await kept.sharing.share()
            clients = Clients(AwsOptions(plan.target.region, account=plan.target.account))
            source = LiveSource(plan, clients, world.clock, {})
            watch = Watch(plan, source, world.clock, kept.record, kept.started_at)
            kept.attach(watch)
            desk = Desk(watch, kept, who)
            if watch.counted().phase() is None:
                await desk.state_phase(Phase.PRE_DEPLOY, "opened")
            executor = Executor(desk, clients, kept.record, world.clock)
            for work in (watch.run(), executor.watch_release()):
                task = asyncio.create_task(work)
                stack.push_async_callback(end, (task,))
            made.append(Seat(watch, desk, executor, kept))
        pace = Pace(world.clock, SPEED, lambda: max(world.lag_s, *(seat.watch.source.waiting_s for seat in made)))
        pacing = asyncio.create_task(pace.run())
        stack.push_async_callback(end, (pacing,))
        yield made


async def test_a_night_with_two_operators(tmp_path: Path) -> None:
    keys, public = {}, {}
    for who in ("primary", "second"):
        keys[who], public[who] = key_of(tmp_path, who)
    async with Rehearsal() as world:
        world.apply(os.environ)
        given = known_vars(shipped("transparent-trust.yaml"), world.vars)
        plan = plan_with_keys(tmp_path, public, given)
        async with seats(world, plan, tmp_path, keys) as (primary, second):
            await sign_and_poll(primary, second)
            assert missing(plan, "purge", world.clock.now(), RecordLook(primary.kept.folder), "primary"), (
                "nobody voted for it"
            )
            await world.deploy("bad")
            await primary.until(Word.ROLLBACK)
            await second.until(Word.ROLLBACK)
            step = next(s for s in primary.watch.situation.rollback_plan if s.action)
            proposal = await primary.executor.propose(step)
            assert "ROLL BACK" in proposal.title
            said = await primary.executor.do(proposal, "too many requests fail")
            assert "complete, 2 of 2 tasks" in said
            for seat in (primary, second):
                await until(seat.rolled_back, "decided: the other cockpit knows")
        folders = [seat.kept.folder.path for seat in (primary, second)]
        heads = [seat.kept.journal.head for seat in (primary, second)]
    await proven(tmp_path, folders, heads, public, primary)


async def sign_and_poll(primary: Seat, second: Seat) -> None:
    """Everything is signed by whoever may, and the gate says go; before that nothing is deployed."""
    with pytest.raises(Refused, match="more GO vote"):
        await primary.desk.begin(Phase.POST_DEPLOY, "we are in a hurry")
    ends = primary.watch.clock.now() + timedelta(minutes=40)
    open_ = [""]
    while open_ and primary.watch.clock.now() < ends:
        await asyncio.gather(primary.sign_everything(), second.sign_everything())
        open_ = [
            item.id
            for section in primary.watch.situation.sections
            if section.phase is Phase.PRE_DEPLOY
            for item in section.items
            if item.blocking and item.check is not Check.PASS
        ]
        await asyncio.sleep(0.1)
    assert open_ == []
    await asyncio.gather(primary.desk.vote("go_no_go", "go"), second.desk.vote("go_no_go", "go"))
    await primary.until(Word.GO)
    assert all(each.key for each in primary.watch.record.all(SignOff)), "each of them with a key"
    await primary.desk.begin(Phase.POST_DEPLOY)


async def proven(
    tmp_path: Path, folders: list[Path], heads: list[str], public: Mapping[str, str], primary: Seat
) -> None:
    """Both copies of the record say the same and can be proven; one byte changed and they cannot."""
    allowed = tmp_path / "allowed_signers"
    allowed.write_text("".join(f"{who} {key}\n" for who, key in public.items()))
    signers = AllowedSigners.read(allowed)
    chains = [{path.name: path.read_bytes() for path in (folder / "journal").glob("*.jsonl")} for folder in folders]
    assert len(chains[0]) == 2
    result = verify_record(folders[0], heads, signers)
    assert result.broken == []
    assert not_proven(result) == {"readings", "time"}, "those of the second lie on its machine; no authority was asked"
    account = account_of(RecordFolder(folders[0]), heads, signers)
    assert account.proof.result == "NOT PROVABLE"
    page = html(account)
    for said in ("ROLLBACK", "primary", "second", "complete, 2 of 2 tasks", "100.96.14.7 answered over the tailnet"):
        assert said in page, said
    (chain,) = (folders[0] / "journal").glob(f"{primary.kept.journal.writer}.jsonl")
    held = chain.read_bytes()
    chain.write_bytes(held[: len(held) // 2] + b"x" + held[len(held) // 2 + 1 :])
    assert verify_record(folders[0], heads, signers).exit_code == BROKEN
    chain.write_bytes(held[: held.rindex(b"\n", 0, -1) + 1])
    assert verify_record(folders[0], heads, signers).exit_code == BROKEN, "cut off, and there is an anchor"
