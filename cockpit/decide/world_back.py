"""Whether a rollback has come to its end: the release before runs again, is healthy, and every trigger is clear."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cockpit import formatting
from cockpit.decide.counted import Counted
from cockpit.decide.criterion import Judged
from cockpit.decide.events import Decision, ReleaseSeen
from cockpit.decide.readings import Readings
from cockpit.decide.running_releases import revision
from cockpit.decide.situation import StepStatus
from cockpit.plan.model import Kind
from probes.frozen import frozen


@frozen
class WorldBack:
    """What is seen of the world being back, and what is missing; a line each."""

    seen: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def world_back(
    judged: Sequence[Judged],
    record: Counted,
    readings: Readings,
    rollback_plan: Sequence[StepStatus],
    decided: Decision,
    now: datetime,
) -> WorldBack:
    """How far a rollback is that was decided.

    What a service ran before is compared with what its probe sees, read after the decision. Where no service can be compared,
    people say it: every step of the rollback plan has ended. Where neither can be, nothing shows that the world is back.
    """
    missing: list[str] = []
    seen: list[str] = []
    services = list(_services(record, readings, decided, now))
    for line, is_back in services:
        (seen if is_back else missing).append(line)
    if not services:
        over = bool(rollback_plan) and all(step.over for step in rollback_plan)
        open_ = next((step.title for step in rollback_plan if not step.over), "the plan has no rollback step")
        (seen if over else missing).append("every step of the rollback plan has ended" if over else f"to end: {open_}")
    clear = all_clear(judged)
    return WorldBack((*seen, *clear.seen), (*missing, *clear.missing))


def all_clear(judged: Sequence[Judged]) -> WorldBack:
    """Whether every enforced trigger is clear, each for its own time."""
    triggers = [each for each in judged if each.criterion.kind is Kind.TRIGGER and each.criterion.enforced]
    waiting = [each.status for each in triggers if not each.status.ok]
    if waiting:
        return WorldBack(missing=tuple(f"{each.title} {each.state.label}: {each.because.line}" for each in waiting))
    return WorldBack(seen=(f"{formatting.count(len(triggers), 'trigger')} clear",))


def _services(record: Counted, readings: Readings, decided: Decision, now: datetime) -> Iterator[tuple[str, bool]]:
    """Each service whose earlier release was noted and that a probe watches: a line, and whether it is back."""
    before = {(seen.cluster, seen.service): revision(seen.task_definition) for seen in record.all(ReleaseSeen)}
    for probe, on in readings.services.items():
        wanted = before.get((on.cluster, on.service))
        if wanted is None or "stable" not in {each.name for each in readings.probes[probe].fields}:
            continue
        latest = readings.latest(probe)
        if (
            latest is None
            or latest.observed_at < decided.at
            or now - latest.data_at > readings.probes[probe].stale_after
        ):
            yield f"{on}: not read since the decision", False
            continue
        runs, stable = latest.values.get("task_definition"), latest.values.get("stable")
        if runs == wanted and stable is True:
            yield f"{on} runs {wanted} again and is stable", True
        else:
            yield (
                f"{on} runs {runs or 'what cannot be read'}{'' if stable is True else ', not stable yet'}; before: {wanted}",
                False,
            )
