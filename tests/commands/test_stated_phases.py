"""A migration phase begun from the command line: a signed statement in the record, which uses the votes of its gate."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.clock import HandClock
from support.plans.signing_plan import keys_for, signing_plan
from support.sources import NoSource

from cockpit.commands.migrate.confirmation import PhaseOptions
from cockpit.commands.migrate.migration_context import MigrationContext
from cockpit.commands.migrate.statement import keep_begun, looked_at, opening, state
from cockpit.commands.options import LiveOptions
from cockpit.decide.events import Decision, GateUsed
from cockpit.engine.gate_approval import missing, missing_to_resume
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.engine.recorded import record_in
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.shared_store import store_at
from cockpit.migration import runs
from cockpit.migration.phase_proposal import PhaseProposal
from cockpit.migration.states import PhaseName
from cockpit.plan.model import Gate, Migration, Plan, Poll
from probes.clients.clients import AwsOptions, Clients

WHY = "the soak is over"


def _shown(at: datetime) -> PhaseProposal:
    return PhaseProposal(
        PhaseName.PURGE,
        "123456789012",
        "us-east-1",
        "arn:x",
        "db/app",
        "s3://docs/",
        "2 processes",
        "",
        3,
        (),
        at,
    )


def _gated(folder: Path, public: str) -> Plan:
    """A plan that asks for one vote before a purge."""
    signing = signing_plan(folder, public)
    return replace(signing, gates=(Gate("purge", "Purge", "purge", Poll(("on_call",), 1), signing.gates[0].position),))


async def test_on_another_machine_it_is_stated_in_the_record_that_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    key, public = keys_for(tmp_path, "ada")
    plan, clock = _gated(tmp_path, public), HandClock()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "first"))
    async with recording(plan, clock, who="ada", key_file=key, store=store_at(str(share))) as kept:
        terminal = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.attach(terminal)
        await Desk(terminal, kept, "ada").vote("purge", "go")
        await kept.sharing.share()
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "second"))
        context = MigrationContext(plan, Migration("", "docs", "", ()), LiveOptions(), "ada@there", clock)
        options = PhaseOptions(PhaseName.PURGE, who="ada", key=str(key))
        session, shown = Clients(AwsOptions("us-east-1")), _shown(clock.now())
        alone = await looked_at(context, options)
        assert missing(plan, "purge", clock.now(), alone.look), "without the share that machine knows of no vote"
        with pytest.raises(runs.RunError, match="bucket"):
            await looked_at(context, replace(options, share="s3:///no-bucket"))
        shared = await looked_at(context, replace(options, share=str(share)))
        assert missing(plan, "purge", clock.now(), shared.look, "ada") == []
        made = await state(context, shared, shown, WHY, session)
        await kept.sharing.share()
        uses = terminal.record.all(GateUsed)
    assert [(use.by, use.gate) for use in uses] == [("ada", "purge")]
    assert made.by == "ada"
    await session.close()


async def test_votes_that_a_purge_was_begun_with_begin_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    key, public = keys_for(tmp_path, "ada")
    plan, clock = _gated(tmp_path, public), HandClock()
    context = MigrationContext(plan, Migration("", "docs", "", ()), LiveOptions(), "ada@here", clock)
    shown = _shown(clock.now())
    session = Clients(AwsOptions("us-east-1"))
    async with recording(plan, clock, who="ada", key_file=key) as kept:
        options = await looked_at(context, PhaseOptions(PhaseName.PURGE, who="ada", key=str(key)))
        terminal = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.attach(terminal)
        desk = Desk(terminal, kept, "ada")

        def shut() -> bool:
            return bool(missing(plan, "purge", clock.now(), options.look, "ada"))

        with pytest.raises(runs.NotApproved, match="needs 1 more GO vote"):
            await state(context, options, shown, WHY, session)
        await desk.vote("purge", "go")
        assert not shut()
        for nobody, why in (
            (replace(options, who=""), "name yourself with --as"),
            (replace(options, key=""), "not count"),
        ):
            with pytest.raises(runs.NotApproved, match=why):
                await state(context, nobody, shown, WHY, session)
        voted = clock.now()
        clock.time += timedelta(seconds=5)
        made = await state(context, options, shown, WHY, session)
        assert opening(context, options, shown).statement == made
        assert opening(context, options, shown).stands
        for other in (
            replace(shown, files=4),
            replace(shown, database="other/app"),
            replace(shown, account="000000000000"),
            replace(shown, bucket="s3://other/"),
            replace(shown, part="at most 2 of them"),
            replace(shown, workers="3 processes"),
        ):
            assert opening(context, options, other).statement is None, "it is good for what was shown alone"
        assert opening(context, replace(options, who="bob"), shown).statement is None
        edited = replace(context, plan=replace(plan, digest="another"))
        assert opening(edited, options, shown).statement is None, "and on the plan it was made on"
        # The votes are used: for a second purge, here and in the terminal that is open; the first may be resumed.
        assert shut()
        assert missing_to_resume(plan, "purge", clock.now(), options.look) == []
        with pytest.raises(runs.NotApproved, match="needs 1 more GO vote"):
            await state(context, options, shown, WHY, session)
        await kept.sharing.share()
        with pytest.raises(Refused, match="needs 1 more GO vote"):
            await desk.migrate(WHY, shown.line, "purge")
        assert opening(context, options, shown).stands, "nothing was begun by it yet"
        await desk.vote("purge", "no-go", "the copy is not proven")
        assert not opening(context, options, shown).stands
        assert missing_to_resume(plan, "purge", clock.now(), options.look) == ["Purge: ada (on-call) votes no-go"]
        await desk.vote("purge", "go")
        await keep_begun(context, options, 1, made)
        assert opening(context, options, shown).statement is None, "a ledger that lost it changes nothing"
        clock.time += timedelta(seconds=5)
        await desk.vote("purge", "no-go", "the copy is not proven")
        assert missing_to_resume(plan, "purge", clock.now(), options.look) == ["Purge: ada (on-call) votes no-go"]
        record = record_in(kept.folder)
    (decision,), (use,) = record.all(Decision), record.all(GateUsed)
    assert (decision.by, decision.why) == ("ada", f"{WHY} ({shown.line})")
    assert (use.gate, use.by, use.votes) == ("purge", "ada", (f"ada (on-call): go {voted:%H:%M:%S}",))
    assert decision.key == use.key == plan.people[0].fingerprint
    await session.close()
