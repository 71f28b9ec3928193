"""What is proven of a plan: values, ready to be shown. What could not be decided within its bound says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from datetime import timedelta

from cockpit.plan.position import Position
from cockpit.stories.value_search import Values
from probes.frozen import frozen


@frozen
class Finding:
    """Something about the plan that somebody should know before the night."""

    subject: str
    text: str
    position: Position


@frozen
class Hidden:
    """A blindness under which a trigger does not trip: which probe, why, and what the verdict is instead."""

    probe: str
    reason: str
    verdict: str


@frozen
class TriggerProven:
    """How a trigger trips: what has to change, how many readings it takes and how long from the fault on."""

    id: str
    title: str
    position: Position
    severity: str
    enforced: bool
    values: Values = field(default_factory=dict)
    """What changes, of the healthy values; empty where nothing makes it true."""
    readings: int = 0
    """Readings that are bad, from the first to the one it trips on: the fewest that were needed."""
    best: timedelta | None = None
    """From the fault to TRIPPED, where the fault falls right before a reading; None where it never trips."""
    worst: timedelta | None = None
    verdict: str = ""
    """The verdict then, as far as this trigger decides it alone."""
    hidden_by: tuple[Hidden, ...] = ()
    slow: str = ""
    """Which probe is read too seldom for its window, and what to do; empty where none is."""
    never: tuple[str, ...] = ()
    """Of one that never trips: fields it reads that no reading of this plan has, each with the reason."""
    undecided: str = ""
    blinded: tuple[tuple[str, str], ...] = ()
    """Every blindness that was played: a probe, and a kind of reason."""

    def hiding(self) -> Iterator[str]:
        """The probes that hide it; with the reasons, where only some do."""
        for probe in dict.fromkeys(each.probe for each in self.hidden_by):
            reasons = [each.reason for each in self.hidden_by if each.probe == probe]
            all_ = [reason for name, reason in self.blinded if name == probe]
            yield probe if len(reasons) == len(all_) else f"{probe} ({', '.join(reasons)})"

    @property
    def trips(self) -> bool:
        return self.best is not None


@frozen
class CriterionProven:
    """When a success criterion is met at the earliest, from the beginning of its phase."""

    id: str
    title: str
    position: Position
    enforced: bool
    earliest: timedelta | None
    undecided: str = ""


@frozen
class LineProven:
    """A checklist line: values with which it passes, and values with which it fails; None where there are none."""

    id: str
    title: str
    position: Position
    passes: Values | None
    fails: Values | None
    undecided: str = ""
    never: tuple[str, ...] = ()
    """Fields it rests on that no reading of this plan has, each with the reason."""
    blocking: bool = True


@frozen
class ProbeProven:
    """What becomes of GO when one probe cannot be read: a verdict, and after how long, by the kind of reason."""

    name: str
    position: Position
    decides: tuple[str, ...]
    """Ids of what is enforced, or blocks, and rests on it."""
    shows: tuple[str, ...] = ()
    """Ids of what is only shown."""
    refused: tuple[str, timedelta] | None = None
    """The verdict, and after how long, where the reason lasts (a permission is missing); None where nothing changes."""
    throttled: tuple[str, timedelta] | None = None
    """The same where it may pass by itself."""


@frozen
class GoProven:
    """GO, played: when it comes after the deployment began, and what it waited for longest."""

    earliest: timedelta | None
    waits_for: str = ""
    undecided: str = ""


@frozen
class PlanProven:
    """Everything that is proven of one plan."""

    name: str
    path: str
    digest: str
    go: GoProven
    triggers: tuple[TriggerProven, ...]
    criteria: tuple[CriterionProven, ...]
    lines: tuple[LineProven, ...]
    probes: tuple[ProbeProven, ...]
    bands: tuple[Finding, ...]
    redundant: tuple[Finding, ...]
    ended: tuple[str, ...]
    """What holds once a criterion with `until` is no longer judged: a line for each."""
    traffic: tuple[str, ...]
    contradictions: tuple[Finding, ...]
    healthy: Values

    def findings(self) -> Iterator[Finding]:
        """What is wrong with the plan: what can never come, and what can be hidden for good."""
        yield from self.contradictions
        for one in self.triggers:
            if not one.trips and not one.undecided:
                why = "no reading makes it true" if not one.values else "however long it is true, it never trips"
                why = "; ".join(one.never) or why
                yield Finding(one.id, f"the trigger {one.id} can never trip: {why}", one.position)
            elif one.slow:
                yield Finding(one.id, f"the trigger {one.id} can never trip in time: {one.slow}", one.position)
        for each in self.criteria:
            if each.earliest is None and not each.undecided:
                yield Finding(
                    each.id, f"the criterion {each.id} can never be met, with every reading healthy", each.position
                )
        for line in (line for line in self.lines if line.blocking):
            if line.passes is None and not line.undecided:
                why = f": {'; '.join(line.never)}" if line.never else ""
                yield Finding(line.id, f"the line {line.id} can never pass{why}", line.position)
            if line.fails is None and not line.undecided:
                yield Finding(line.id, f"the line {line.id} can never fail: it checks nothing", line.position)
        if self.go.earliest is None and not self.go.undecided:
            yield Finding("verdict", f"GO never comes: it waits for {self.go.waits_for}", Position(self.path, 1))

    def undecided(self) -> Iterator[str]:
        """What could not be decided within its bound; none of it is to be taken for fine."""
        open_ = [(one.id, one.undecided) for one in self.triggers]
        open_ += [(one.id, one.undecided) for one in self.criteria]
        open_ += [(line.id, line.undecided) for line in self.lines]
        yield from (f"{id_}: {why}" for id_, why in open_ if why)
        if self.go.undecided:
            yield f"GO: {self.go.undecided}"
