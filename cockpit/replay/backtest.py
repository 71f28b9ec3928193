"""What another plan would have said of the same night: the same readings and the same words, decided anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from cockpit.decide.events import Change, Entry
from cockpit.plan.model import Plan
from cockpit.replay.player import Player
from cockpit.replay.trace import Fed, Looked, Opened, Said, Step, Tape, Turned

EVERY = timedelta(seconds=5)
"""Decisions are at least so far apart."""


def judged_by(tape: Tape, plan: Plan) -> Tape:
    """The tape as it would be had the record been made with this plan, whose signatures then are taken to be for it.

    People did what they did then, whatever this plan would have told them.
    """
    plan = replace(plan, digest=tape.plan.digest)
    steps: list[Step] = []
    player = Player(replace(tape, plan=plan, steps=steps))
    decided_at = tape.started_at
    for step in _without_decisions(tape, plan):
        steps.append(step)
        player.play_to(len(steps))
        if step.at - decided_at >= EVERY or step.at == tape.ends_at:
            decided_at = step.at
            if turned := player.decide(step.at):
                steps.append(Turned(step.at, turned))
                player.done += 1
    return replace(tape, plan=plan, steps=steps, anew=plan.path)


def _without_decisions(tape: Tape, plan: Plan) -> Iterator[Step]:
    """What was seen and said, as one session that nobody ended."""
    known: set[Entry] = set()
    opened = looked = False
    for step, at in zip(tape.steps, tape.when, strict=True):
        if isinstance(step, Opened):
            said = [entry for entry in step.entries if not isinstance(entry, Change)]
            if opened:
                yield from (Said(at, entry) for entry in said if entry not in known)
            else:
                yield replace(step, entries=said, plan=plan)
            opened = True
            known.update(said)
        elif isinstance(step, Said):
            known.add(step.entry)
            yield replace(step, at=at)
        elif isinstance(step, Fed) or (isinstance(step, Looked) and not looked):
            looked = looked or isinstance(step, Looked)
            yield step
