"""The deployment begins through its gate, whichever door: the key, `--phase`, or a record that is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.clock import HandClock
from support.plans.signing_plan import signing_plan

from cockpit.commands.live_session import open_watch
from cockpit.commands.options import LiveOptions
from cockpit.decide.events import PhaseBegan, Proof
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.plan.model import Phase, Plan, Poll

GATE = r"Go / no-go: needs 2 more GO votes \(on-call or dba\)"


@asynccontextmanager
async def opened(
    plan: Plan, root: Path, phase: Phase | None, votes: Sequence[str] = (), who: str = "ada"
) -> AsyncIterator[tuple[Watch, Desk]]:
    clock = HandClock()
    async with recording(plan, clock, who=who, root=root) as kept:
        async with open_watch(plan, LiveOptions(phase=Phase.PRE_DEPLOY), clock=clock, kept=kept, who=who) as before:
            for voter in votes:
                await Desk(before, kept, voter).vote("deploy", "go")
        async with open_watch(plan, LiveOptions(phase=phase), clock=clock, kept=kept, who=who) as watch:
            yield watch, Desk(watch, kept, who)


@pytest.mark.parametrize("who", ["ada", ""], ids=["as a person", "as nobody"])
async def test_no_session_opens_past_a_deployment_that_was_not_approved(tmp_path: Path, who: str) -> None:
    plan = signing_plan(tmp_path)
    with pytest.raises(Refused, match=GATE):
        async with opened(plan, tmp_path / "records", Phase.POST_DEPLOY, who=who):
            pass
    async with opened(plan, tmp_path / "records", None, who=who) as (watch, _):
        began = watch.counted().phase()
        assert began is not None
        assert began.phase is Phase.PRE_DEPLOY


async def test_with_its_votes_it_opens(tmp_path: Path) -> None:
    plan = signing_plan(tmp_path)
    async with opened(plan, tmp_path / "records", Phase.POST_DEPLOY, ("ada", "bob")) as (watch, _):
        began = watch.counted().phase()
        assert began is not None
        assert (began.phase, began.by) == (Phase.POST_DEPLOY, "ada")


async def test_the_vote_of_who_opens_it_does_not_count_where_the_plan_leaves_them_out(tmp_path: Path) -> None:
    plan = signing_plan(tmp_path)
    poll = Poll(("on_call", "dba"), 1, exclude_initiator=True)
    plan = replace(plan, gates=(replace(plan.gates[0], poll=poll),))
    with pytest.raises(Refused, match="needs 1 more GO vote"):
        async with opened(plan, tmp_path / "a", Phase.POST_DEPLOY, ("ada",)):
            pass
    with pytest.raises(Refused, match="--as"):
        async with opened(plan, tmp_path / "b", Phase.POST_DEPLOY, ("ada",), who=""):
            pass
    async with opened(plan, tmp_path / "c", Phase.POST_DEPLOY, ("bob",)):
        pass


async def test_a_record_whose_phase_does_not_count_is_opened_before_the_deployment(tmp_path: Path) -> None:
    """Another cockpit noted by itself that it began; nobody stated it, and nobody voted."""
    plan, clock = signing_plan(tmp_path), HandClock()
    async with recording(plan, clock, who="ada", root=tmp_path / "records") as kept:
        kept.record.append(PhaseBegan(clock.now(), Phase.POST_DEPLOY, proof=Proof(own=False)))
        kept.resumed = True
        async with open_watch(plan, LiveOptions(), clock=clock, kept=kept, who="ada") as watch:
            began = watch.counted().phase()
            assert began is not None
            assert began.phase is Phase.PRE_DEPLOY


async def test_the_desk_states_no_deployment_either(tmp_path: Path) -> None:
    async with opened(signing_plan(tmp_path), tmp_path / "records", None) as (_, desk):
        with pytest.raises(Refused, match=GATE):
            await desk.state_phase(Phase.POST_DEPLOY, "opened")
        with pytest.raises(Refused, match=GATE):
            await desk.begin(Phase.POST_DEPLOY, "it is time")
