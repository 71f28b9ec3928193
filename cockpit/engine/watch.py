"""One running cutover: probes read, the board fills, decide() is called once a tick, and everyone reads the Situation.

This is the whole surface a front end needs. It never waits for a probe.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cockpit.decide.record import Change, Record
from cockpit.decide.situation import Situation
from cockpit.engine.clock import Clock
from cockpit.plan.model import Plan
from probes.reading import Reading


class Watching(Protocol):
    """What a front end sees of a running (later: replayed) cutover."""

    plan: Plan
    record: Record
    clock: Clock
    situation: Situation
    """The newest; replaced (never changed) at every tick. Present from the start, with everything unknown."""
    account: str
    """The AWS account as GetCallerIdentity says; empty until known."""
    arn: str
    """The AWS principal in use; empty until known."""
    paused: bool
    notice: str
    """One line the operator must see above all: paused, the world lags, the cockpit is degraded. Usually empty."""

    @property
    def revision(self) -> int:
        """Rises with every new Situation."""
        ...

    def series(self, probe: str, field: str) -> Sequence[tuple[datetime, float | None]]:
        """Numeric history of one field, oldest first, by data time; None where it was unknown. For charts and sparklines."""
        ...

    def latest(self, probe: str) -> Reading | None:
        """The newest raw reading of a probe, for the evidence screen."""
        ...

    def changes(self) -> Sequence[Change]:
        """Every change of the verdict, criteria and items so far, oldest first."""
        ...

    def probe_now(self, probe: str = "") -> None:
        """Read one probe at once, or all of them if the name is empty."""
        ...

    def toggle_pause(self) -> None:
        """Stop or go on reading. While paused the verdict goes stale, loudly."""
        ...


class Fault(Protocol):
    id: str
    title: str
    active: bool


class Drill(Protocol):
    """The controls of a rehearsal, given to the terminal only when there is one."""

    scenario: str
    speed: float
    """Speed asked for."""

    def faults(self) -> Sequence[Fault]:
        """What can be broken, and what is broken now."""
        ...

    def toggle(self, fault: str) -> None: ...

    def crew_signs(self) -> int:
        """The crew signs every open item, says go at every open gate and moves the cutover on; gives the number of entries."""
        ...
