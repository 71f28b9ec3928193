"""A cockpit at work whose record others can write to, and what they write there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.clock import HandClock
from support.plans.signing_plan import keys_for, signing_plan
from support.sources import NoSource

from cockpit.decide.events import Entry, PhaseBegan
from cockpit.decide.states import Check
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recording import Recording, recording
from cockpit.engine.watch import Watch
from cockpit.journal.entry import Actor
from cockpit.journal.shared_store import Store
from cockpit.journal.ssh.keys import KeyFile
from cockpit.journal.writer import Draft, Journal
from cockpit.plan.model import Phase, Plan


@dataclass
class Victim:
    """A cockpit at work. Ada sits here; the plan names keys for Ada and Bob."""

    plan: Plan
    watch: Watch
    desk: Desk
    kept: Recording
    clock: HandClock
    ada: KeyFile
    bob: KeyFile
    eve: KeyFile
    """Whose key no plan names."""

    def tick(self) -> None:
        self.clock.time += timedelta(seconds=1)
        self.watch.tick()

    def takes_in(self) -> None:
        """A look at the shared record, as `Recording.share` takes it."""
        self.kept.sharing.take_in(reached=True)
        self.tick()

    @property
    def gate_open(self) -> bool:
        return self.watch.situation.gates[0].passed

    def item(self, id_: str) -> Check:
        return next(i.check for s in self.watch.situation.sections for i in s.items if i.id == id_)

    def reasons(self) -> list[str]:
        return [each.why for each in self.watch.situation.not_counted]


@asynccontextmanager
async def victim(tmp_path: Path, store: Store | None = None, clock: HandClock | None = None) -> AsyncIterator[Victim]:
    (ada, ada_public), (bob, bob_public), (eve, _) = (keys_for(tmp_path, name) for name in ("ada", "bob", "eve"))
    plan, clock = signing_plan(tmp_path, ada_public, bob_public), clock or HandClock()
    async with recording(plan, clock, who="ada", root=tmp_path / "records", key_file=ada, store=store) as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        watch.record.append(PhaseBegan(clock.now(), Phase.PRE_DEPLOY))
        kept.attach(watch)
        made = Victim(plan, watch, Desk(watch, kept, "ada"), kept, clock, KeyFile(ada), KeyFile(bob), KeyFile(eve))
        made.tick()
        made.takes_in()
        yield made


def elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, to: Victim, writer: str = "eve", at: datetime | None = None
) -> Journal:
    """A chain in the victim's record, written on another machine. `at`: what its clock says."""
    with monkeypatch.context() as other:
        other.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
        body = {"plan": to.plan.name, "plan_digest": to.plan.digest, "rehearsal": True}
        clock = to.clock.now if at is None else lambda: at
        return Journal.open(to.kept.folder.journal, writer, to.kept.folder.id, body=body, clock=clock)


def forge(journal: Journal, entry: Entry, key: KeyFile | None = None, *, by: str = "") -> None:
    """Write an entry, signed with a key where one is given."""
    actor = Actor(by or getattr(entry, "by", "") or "cockpit")
    signature = journal.signed_text(Draft.of(entry, actor)).signed(key) if key else None
    journal.add(entry, actor, signature)
