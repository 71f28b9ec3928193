"""What the crew does at the runbook, and when: starts a step, finishes it, signs it, as the people of the plan would. Pure.

It takes the steps in the order of the plan, one at a time, and leaves alone what somebody else began, what failed, and every
step that the cockpit does itself.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from cockpit.decide.counted import deciding_roles
from cockpit.decide.next_action import deploying
from cockpit.decide.readings import Readings
from cockpit.decide.situation import Situation, StepStatus
from cockpit.decide.states import State, StepState, Word
from cockpit.plan.model import Person, Phase, Plan, Step
from cockpit.stories import crew
from probes.frozen import frozen

WORKS = timedelta(seconds=10)
"""What doing a step takes the crew at least."""
_WELL = (State.MET, State.PROVING, State.CLEAR)
LEDGER = "cutover.migration"
"""The probe that follows a migration of files."""


class Act(StrEnum):
    """What is stated of a step."""

    START = "start"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    SIGN = "sign"


class Release(StrEnum):
    """How far the deployment is that began with the phase."""

    UNDER_WAY = "under way"
    OUT = "out"
    FAILED = "failed"


@frozen
class Deed:
    """One thing the crew states about one step, by whom, with what was seen."""

    step: str
    act: Act
    by: Person
    seen: str = ""


@frozen
class AtWork:
    """What is known beside the situation."""

    begun: Collection[str]
    """Ids of the steps the crew began itself."""
    release: Release
    moved: str | None = None
    """What became of the files, in words; empty while they are being moved; None where the crew moves none."""


def next_deed(plan: Plan, situation: Situation, work: AtWork) -> Deed | None:
    """The one thing to do now at the runbook; None where the crew waits, or where it is for people to decide."""
    verdict = situation.verdict
    if verdict.latch is not None or verdict.under_way is not None or verdict.word is Word.ROLLED_BACK:
        return None
    for step, status in crew.in_turn(plan, situation):
        if status.over or step.action is not None:
            continue
        if status.progress is StepState.FAILED or (status.progress is StepState.STARTED and step.id not in work.begun):
            return None
        person = owner(plan, step)
        if person is None:
            return None
        if status.progress is StepState.OPEN:
            return _start(plan, step, person, situation, work)
        if status.progress is StepState.STARTED:
            return _finish(plan, step, status, person, situation, work)
        return _sign(plan, step, work)
    return None


def prepared(plan: Plan, situation: Situation) -> bool:
    """Whether every step before the deployment is over."""
    return all(status.over or step.action is not None for step, status in crew.in_turn(plan, situation))


def moves_files(plan: Plan, step: Step) -> bool:
    """Whether a step is the migration of the plan: its progress is read from the ledger of files."""
    named = (plan.probes.get(path.partition(".")[0]) for path in step.progress)
    return plan.migration is not None and any(probe is not None and probe.uses == LEDGER for probe in named)


def files_wait(plan: Plan, situation: Situation) -> bool:
    """Whether files are still to be moved by a step of the runbook."""
    listed = zip(plan.runbook, situation.runbook, strict=True)
    return any(moves_files(plan, step) and not status.progress.meaning.done for step, status in listed)


def owner(plan: Plan, step: Step) -> Person | None:
    """Who does a step: whom the plan names, else somebody in its roles, else somebody who decides."""
    named = next((person for person in plan.people if person.id == step.owner), None)
    found = crew.somebody(plan, step.roles or deciding_roles(plan))
    return named or (found[0] if found is not None else None)


def release(plan: Plan, readings: Readings, since: datetime | None) -> Release:
    """How the deployment of this phase stands, by the plan's probes of it; out at once where no probe follows any."""
    found = [name for name, probe in plan.probes.items() if probe.uses == "ecs.deployment"]
    if since is None:
        return Release.UNDER_WAY
    for name in found:
        latest = readings.latest(name)
        values = latest.values if latest is not None else {}
        created = values.get("created_at")
        if not isinstance(created, datetime) or created < since:
            return Release.UNDER_WAY
        if values.get("rolled_back") is True:
            return Release.FAILED
        if values.get("succeeded") is not True:
            return Release.UNDER_WAY
    return Release.OUT


def _start(plan: Plan, step: Step, person: Person, situation: Situation, work: AtWork) -> Deed | None:
    if moves_files(plan, step) and work.moved is None:
        return Deed(step.id, Act.SKIPPED, person, "rehearsal: nothing is set up here to move files with")
    # Before a step of the deployment stands a gate that whoever began that phase has passed.
    shut = any(each.id == step.gate and each.before != "deploy" and not each.passed for each in situation.gates)
    return None if shut else Deed(step.id, Act.START, person)


def _finish(
    plan: Plan, step: Step, status: StepStatus, person: Person, situation: Situation, work: AtWork
) -> Deed | None:
    if status.began is None or situation.now - status.began < WORKS:
        return None
    seen = f"rehearsal: {step.expect or 'as expected'}"
    if step.id == plan.runbook[-1].id:
        return Deed(step.id, Act.DONE, person, seen) if situation.verdict.word is Word.GO else None
    if situation.verdict.phase is Phase.PRE_DEPLOY:
        return Deed(step.id, Act.DONE, person, seen)
    if moves_files(plan, step):
        return Deed(step.id, Act.DONE, person, f"rehearsal: {work.moved}") if work.moved else None
    if step is next((plan.runbook[number - 1] for number in deploying(situation.runbook)), None):
        if work.release is Release.FAILED:
            return Deed(step.id, Act.FAILED, person, "rehearsal: ECS took the release back")
        return Deed(step.id, Act.DONE, person, seen) if work.release is Release.OUT else None
    well = all(each.state in _WELL for each in situation.criteria if each.enforced)
    return Deed(step.id, Act.DONE, person, seen) if well and not crew.sign(plan, situation, files_wait=True) else None


def _sign(plan: Plan, step: Step, work: AtWork) -> Deed | None:
    found = crew.somebody(plan, step.sign_off.roles) if step.sign_off else None
    if step.sign_off is None or found is None:
        return None
    answer = (work.moved if moves_files(plan, step) else "") or crew.answer_to(step.sign_off.ask)
    return Deed(step.id, Act.SIGN, found[0], f"rehearsal: {answer}")
