"""Account and principal while the cutover runs: a change blanks what AWS said, and a person accepts it by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support.aws.modelled import ModelledAws
from support.clock import HandClock
from support.plans.signing_plan import keys_for
from support.waiting import until

from cockpit.decide.events import Decision, Happened
from cockpit.engine import caller_watch
from cockpit.engine.caller_watch import CallerWatch
from cockpit.engine.operator_desk import Desk
from cockpit.engine.poller import LiveSource
from cockpit.engine.ports import Refused
from cockpit.engine.recording import recording
from cockpit.engine.tasks import end
from cockpit.engine.watch import Watch
from cockpit.plan.load import load_plan
from probes.clients.caller import Caller
from probes.reading import Reason

PLAN = """
plan: v1
name: night
target: {account: "123456789012", region: us-east-1}
people: [{id: ada, name: Ada, roles: [on_call]}, {id: eve, name: Eve, roles: [guest]}]
gates: [{id: g, before: deploy, poll: {roles: [on_call]}}]
probes:
  me: {uses: aws.identity}
  queue: {uses: ecs.service, with: {cluster: prod, service: web}}
  here: {uses: http.health, with: {url: "http://127.0.0.1:1/"}}
success_criteria: [{id: runs, title: Runs, success_condition: queue.running > 0}]
"""
ACCOUNT = "123456789012"


def caller(role: str, account: str = ACCOUNT) -> Caller:
    return Caller(account, f"arn:aws:sts::{account}:assumed-role/{role}/me")


def said(of: Caller) -> dict[str, Any]:
    return {"Account": of.account, "Arn": of.arn, "UserId": "x"}


@dataclass
class Night:
    aws: ModelledAws
    watch: Watch
    source: LiveSource
    callers: CallerWatch
    desk: Desk

    def blanked(self) -> dict[str, Reason]:
        """What was put before the watch since it was last asked, by probe."""
        found = {}
        while not self.source.queue.empty():
            probe, reading = self.source.queue.get_nowait()
            found[probe] = {unknown.reason for unknown in reading.unknown.values()}.pop()
        return found

    def notes(self) -> list[tuple[str, str]]:
        return [(each.by, each.text) for each in self.watch.record.all(Happened)]


@asynccontextmanager
async def night(folder: Path, who: str = "ada") -> AsyncIterator[Night]:
    (folder / "night.yaml").write_text(PLAN)
    plan, clock, aws = load_plan(folder / "night.yaml"), HandClock(), ModelledAws()
    aws.on["GetCallerIdentity"] = said(caller("on-call"))
    async with recording(plan, clock, who=who, root=folder) as kept:
        source = LiveSource(plan, aws.clients, clock, {})
        watch = Watch(plan, source, clock, kept.record, kept.started_at)
        watch.callers = callers = CallerWatch(watch, source, caller("on-call"))
        yield Night(aws, watch, source, callers, Desk(watch, kept, who))
        await aws.clients.close()


async def test_a_change_blanks_what_aws_said_and_nothing_else(tmp_path: Path) -> None:
    async with night(tmp_path) as at:
        await at.callers.look()
        assert (at.blanked(), at.watch.notice) == ({}, "")
        at.aws.on["GetCallerIdentity"] = said(caller("admin"))
        await at.callers.look()
        assert at.blanked() == {"queue": Reason.WRONG_ACCOUNT}
        assert "WRONG ACCOUNT: 123456789012 assumed-role/admin/me" in at.watch.notice
        await at.callers.look()
        assert at.blanked() == {}
        ((by, text),) = at.notes()
        assert by == ""
        assert "assumed-role/admin/me; they were of 123456789012 assumed-role/on-call/me" in text


async def test_it_is_accepted_by_its_name_by_somebody_who_decides(tmp_path: Path) -> None:
    async with night(tmp_path) as at:
        with pytest.raises(Refused, match="are the accepted ones"):
            await at.desk.accept_caller("yes")
        at.aws.on["GetCallerIdentity"] = said(caller("admin"))
        await at.callers.look()
        for typed in ("", "yes", ACCOUNT, "123456789012 assumed-role/on-call/me"):
            with pytest.raises(Refused, match="type  123456789012 assumed-role/admin/me"):
                await at.desk.accept_caller(typed)
        assert at.callers.check.refused == caller("admin")
        at.desk.identify("eve")
        with pytest.raises(Refused, match="needs on-call"):
            await at.desk.accept_caller("123456789012 assumed-role/admin/me")
        at.desk.identify("ada")
        await at.desk.accept_caller(" 123456789012  assumed-role/admin/me ")
        assert at.watch.notice == ""
        (decided,) = at.watch.counted().all(Decision)
        assert (decided.choice, decided.by) == ("accept_caller", "ada")
        assert decided.why == "the credentials are of 123456789012 assumed-role/admin/me"
        assert all(loop.wake.is_set() for loop in at.source.loops.values()), "everything is read again at once"


async def test_what_does_not_count_accepts_nobody(tmp_path: Path) -> None:
    """The plan names a key for ada, and this cockpit has none: the statement is not kept, and AWS stays unread."""
    _, public = keys_for(tmp_path, "ada")
    async with night(tmp_path) as at:
        signing = replace(at.watch.plan.people[0], ssh_key=public)
        at.watch.plan = replace(at.watch.plan, people=(signing, *at.watch.plan.people[1:]))
        at.desk.identify("ada")
        at.aws.on["GetCallerIdentity"] = said(caller("admin"))
        await at.callers.look()
        with pytest.raises(Refused, match="not cryptographically signed"):
            await at.desk.accept_caller("123456789012 assumed-role/admin/me")
        assert at.watch.record.all(Decision) == []
        assert at.callers.check.refused == caller("admin")


async def test_another_account_than_the_plans_is_never_accepted(tmp_path: Path) -> None:
    async with night(tmp_path) as at:
        other = caller("on-call", "999999999999")
        at.aws.on["GetCallerIdentity"] = said(other)
        await at.callers.look()
        assert at.blanked() == {"queue": Reason.WRONG_ACCOUNT}
        with pytest.raises(Refused, match="the plan is for account 123456789012"):
            await at.desk.accept_caller(other.name)


async def test_what_changes_again_while_it_is_accepted_is_not_accepted(tmp_path: Path) -> None:
    async with night(tmp_path) as at:
        at.aws.on["GetCallerIdentity"] = said(caller("admin"))
        await at.callers.look()
        typed = at.callers.wanted()
        at.aws.on["GetCallerIdentity"] = said(caller("root"))
        await at.callers.look()
        with pytest.raises(Refused, match="changed again"):
            at.callers.accept(typed)
        assert "WRONG ACCOUNT" in at.watch.notice


async def test_a_change_taken_back_is_no_longer_told(tmp_path: Path) -> None:
    async with night(tmp_path) as at:
        for role in ("admin", "on-call", "admin"):
            at.aws.on["GetCallerIdentity"] = said(caller(role))
            await at.callers.look()
            assert bool(at.watch.notice) is (role == "admin")
        assert len(at.notes()) == 2


async def test_it_is_asked_again_and_again_and_a_failure_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller_watch, "AGAIN_S", 0.0)
    async with night(tmp_path) as at:
        at.aws.on["GetCallerIdentity"] = ConnectionError("no network")
        running = asyncio.create_task(at.callers.run())
        await until(lambda: len(at.aws.asked) >= 3)
        assert at.watch.notice == ""
        at.aws.on["GetCallerIdentity"] = said(caller("admin"))
        await until(lambda: "WRONG ACCOUNT" in at.watch.notice)
        await end((running,))


def test_a_minute_is_never_left_without_asking() -> None:
    from probes.clients.aws import DEADLINE_S

    assert caller_watch.AGAIN_S + DEADLINE_S < 60
