"""One rule for gates: the desk, the command line and the keys of the Migration screen refuse for the same gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.clock import HandClock
from support.plans.signing_plan import signing_plan
from support.sources import NoSource

from cockpit.decide.events import Record
from cockpit.decide.gate import GATE_OF_PHASE, Missing, missing_before, worded
from cockpit.engine.gate_approval import missing
from cockpit.engine.operator_desk import Desk
from cockpit.engine.record_look import RecordLook
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.plan.model import Gate, Plan, Poll


def purge_plan(folder: Path, *, exclude_initiator: bool = False) -> Plan:
    plan = signing_plan(folder)
    poll = Poll(("on_call", "dba"), 1, exclude_initiator=exclude_initiator)
    return replace(plan, gates=(Gate("purge", "Purge", "purge", poll, plan.gates[0].position),))


@pytest.mark.parametrize("exclude_initiator", [False, True])
@pytest.mark.parametrize("votes", [(), ("ada",), ("bob",), ("ada", "bob")])
@pytest.mark.parametrize("who", ["", "ada", "bob"])
async def test_terminal_and_command_line_refuse_for_the_same_gates(
    tmp_path: Path, votes: Sequence[str], who: str, exclude_initiator: bool
) -> None:
    plan, clock = purge_plan(tmp_path, exclude_initiator=exclude_initiator), HandClock()
    async with recording(plan, clock, root=tmp_path / "records", key_file=None) as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.attach(watch)
        for voter in votes:
            await Desk(watch, kept, voter).vote("purge", "go")
        rule = missing_before(plan, watch.record, "purge", clock.now(), who)
        at_the_desk = Desk(watch, kept, who).missing_before("purge")
        on_the_line = missing(plan, "purge", clock.now(), RecordLook(kept.folder), who)
    assert len(at_the_desk) == len(on_the_line) == len(worded(rule, "?"))
    expected = set(votes) - ({who} if exclude_initiator else set())
    assert bool(rule) == (not expected or (exclude_initiator and not who))


def test_an_initiator_nobody_knows_is_refused_where_the_plan_leaves_them_out(tmp_path: Path) -> None:
    plan = purge_plan(tmp_path, exclude_initiator=True)
    (found,) = missing_before(plan, Record(), "purge", HandClock().now(), "")
    assert found == Missing("Purge", ("needs 1 more GO vote (on-call or dba)",), initiator_unknown=True)
    assert worded([found], "who are you?") == ["Purge: needs 1 more GO vote (on-call or dba)", "who are you?"]


def test_what_has_no_gate_may_begin(tmp_path: Path) -> None:
    assert missing_before(purge_plan(tmp_path), Record(), "deploy", HandClock().now(), "") == ()
    assert missing(purge_plan(tmp_path), "verify", HandClock().now(), RecordLook(None)) == []
    assert set(GATE_OF_PHASE) == {"copy", "purge"}
