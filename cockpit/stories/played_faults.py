"""What can be broken in a played world: each trigger made true, each criterion and line made to fail, each probe hindered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cockpit.plan.model import Criterion, Plan, Severity
from cockpit.plan.position import Position
from cockpit.plan.summary import earliest_go
from cockpit.stories.played_world import Hindrance, PlayedWorld
from cockpit.stories.story_director import do
from cockpit.stories.story_file import Deed
from cockpit.stories.value_search import Values, ValueSearch
from probes.frozen import frozen
from probes.reading import Reason
from probes.suggestion import suggestion

NOWHERE = Position("", 1)
NEVER_PLAYED = frozenset({Reason.WARMING, Reason.OBSERVER_GAP, Reason.NOT_TRUSTED})
"""Reasons that are of the cockpit itself, and no probe's answer."""
LATE_BY = 3
"""How many times as old as its data can be at all what is late is."""


class UnknownPlayedFault(ValueError):  # noqa: N818 - what was asked for
    """No fault of that name; the message suggests the nearest."""

    def __init__(self, fault: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no fault '{fault}'{suggestion(fault, known, 'there is', cutoff=0.5)}")


@frozen
class PlayedFault:
    """One entry of the fault panel (the protocol `Fault`)."""

    id: str
    title: str
    active: bool
    deed: Deed


@dataclass(slots=True)
class _Active:
    hindrances: list[Hindrance]
    before: Values
    """The values that were changed, as they were."""


@dataclass(slots=True)
class PlayedFaults:
    """Every fault of a plan's played world; `toggle` breaks or repairs one."""

    plan: Plan
    world: PlayedWorld
    _catalogue: dict[str, tuple[str, Deed]] = field(init=False)
    _active: dict[str, _Active] = field(init=False, default_factory=dict)
    _search: ValueSearch = field(init=False)

    def __post_init__(self) -> None:
        self._catalogue = dict(_catalogue(self.plan))
        self._search = ValueSearch(self.plan)

    def all(self) -> list[PlayedFault]:
        return [PlayedFault(id_, title, id_ in self._active, deed) for id_, (title, deed) in self._catalogue.items()]

    def known(self, fault: str) -> str:
        """The id, if there is such a fault. Raises UnknownPlayedFault."""
        if fault not in self._catalogue:
            raise UnknownPlayedFault(fault, list(self._catalogue))
        return fault

    def toggle(self, fault: str, at: datetime) -> None:
        """Break it, or repair what it broke. Raises UnknownPlayedFault."""
        _, deed = self._catalogue[self.known(fault)]
        was = self._active.pop(fault, None)
        if was is not None:
            for each in was.hindrances:
                each.until = max(at, each.since)
            self.world.set(at, was.before)
            return
        paths = list(self._search.fields)
        before, hindered = self.world.values(paths, at), len(self.world.hindrances)
        do(deed, at, self.world, self._search)
        changed = {path: value for path, value in before.items() if self.world.value(path, at) != value}
        flaps = [each.target for each in self.world.hindrances[hindered:]]
        kept = {path: value for path, value in changed.items() if path not in flaps}
        self._active[fault] = _Active(self.world.hindrances[hindered:], kept)


def calls_for_rollback(plan: Plan, faults: Sequence[str]) -> bool:
    """Whether these faults trip what calls for a rollback: a critical trigger alone, two major ones together."""
    tripped = {fault.removeprefix("trip:") for fault in faults if fault.startswith("trip:")}
    triggers = [one for one in plan.rollback_triggers if one.decides and one.id in tripped]
    return any(one.severity is Severity.CRITICAL for one in triggers) or len(triggers) > 1


def longest_wait(plan: Plan) -> timedelta:
    """How long after its phase began a played night has come to its verdict, with time to spare."""
    trips = [_until_tripped(plan, one) for one in plan.rollback_triggers]
    return 2 * earliest_go(plan) + max(trips, default=timedelta(0)) + timedelta(minutes=10)


def _until_tripped(plan: Plan, one: Criterion) -> timedelta:
    specs = [plan.probes[name] for name in one.condition.probes] if one.condition else []
    pace = max((spec.pace for spec in specs), default=timedelta(0))
    seen = max((spec.oldest_fresh for spec in specs), default=timedelta(0))
    return one.initial_delay + (one.within or one.hold_for) + max(one.min_samples, 3) * pace + seen


def _catalogue(plan: Plan) -> Iterator[tuple[str, tuple[str, Deed]]]:
    for one in plan.rollback_triggers:
        if one.condition is not None:
            yield f"trip:{one.id}", (f"Make it true: {one.title}", _deed("trip", one.id))
    for one in plan.success_criteria:
        if one.condition is not None:
            yield f"fail:{one.id}", (f"Make it fail: {one.title}", _deed("fail", one.id))
    for item in (item for section in plan.checklist for item in section.items):
        if item.expect is not None:
            yield f"fail:{item.id}", (f"Make it fail: {item.title}", _deed("fail", item.id))
    for name, spec in plan.probes.items():
        late = LATE_BY * spec.stale_after
        yield f"late:{name}", (f"What {name} reads is late", Deed(timedelta(0), "late", NOWHERE, name, by=late))
        flap = Deed(timedelta(0), "flap", NOWHERE, name, reason=str(Reason.UNREACHABLE), every=4 * spec.pace)
        yield f"flap:{name}", (f"{name} is seen and not seen in turn", flap)
        for reason in Reason:
            if reason not in NEVER_PLAYED:
                title = f"{name} cannot be read: {reason.traits.help}"
                yield f"blind:{name}:{reason}", (title, _deed("blind", name, str(reason)))


def _deed(kind: str, target: str, reason: str = "") -> Deed:
    return Deed(timedelta(0), kind, NOWHERE, target, reason=reason)
