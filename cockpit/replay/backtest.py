"""Backtest: what another plan would have decided on the readings and entries of a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from cockpit.decide.events import Change, Entry
from cockpit.plan.model import Plan
from cockpit.replay.player import Player
from cockpit.replay.trace import Decided, EntryAdded, ReadingTaken, SessionOpened, Trace, TracePoint, WatchStarted

EVERY = timedelta(seconds=5)
"""Least time between two decisions."""


def judged_by(trace: Trace, plan: Plan) -> Trace:
    """The trace as if the record had been made with this plan; signatures in the record count as given for it.

    What people did is kept as recorded, whatever this plan would have shown them.
    """
    plan = replace(plan, digest=trace.plan.digest)
    steps: list[TracePoint] = []
    player = Player(replace(trace, plan=plan, steps=steps))
    decided_at = trace.started_at
    for step in _without_decisions(trace, plan):
        steps.append(step)
        player.play_to(len(steps))
        if step.at - decided_at >= EVERY or step.at == trace.ends_at:
            decided_at = step.at
            if changes := player.decide(step.at):
                steps.append(Decided(step.at, changes))
                player.done += 1
    return replace(trace, plan=plan, steps=steps, other_plan=plan.path)


def _without_decisions(trace: Trace, plan: Plan) -> Iterator[TracePoint]:
    """Readings and entries, as one session that was never closed."""
    known: set[Entry] = set()
    opened = started = False
    for step, at in zip(trace.steps, trace.when, strict=True):
        if isinstance(step, SessionOpened):
            entries = [entry for entry in step.entries if not isinstance(entry, Change)]
            if opened:
                yield from (EntryAdded(at, entry) for entry in entries if entry not in known)
            else:
                yield replace(step, entries=entries, plan=plan)
            opened = True
            known.update(entries)
        elif isinstance(step, EntryAdded):
            known.add(step.entry)
            yield replace(step, at=at)
        elif isinstance(step, ReadingTaken) or (isinstance(step, WatchStarted) and not started):
            started = started or isinstance(step, WatchStarted)
            yield step
