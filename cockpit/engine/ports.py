"""Protocols between a running cutover and the front ends, and the refusal they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from cockpit.decide.events import Change, Entry, Record
from cockpit.decide.situation import Situation
from cockpit.engine.clock import Clock
from cockpit.plan.model import Person, Plan
from probes.reading import Reading


class Watching(Protocol):
    """A cutover as a front end sees it, live or replayed."""

    @property
    def plan(self) -> Plan: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def situation(self) -> Situation:
        """The newest; replaced (never changed) at every tick. Present from the start, with everything unknown."""
        ...

    @property
    def account(self) -> str:
        """The AWS account from GetCallerIdentity; empty until known."""
        ...

    @property
    def arn(self) -> str:
        """The AWS principal in use; empty until known."""
        ...

    @property
    def paused(self) -> bool: ...

    @property
    def slowed(self) -> Mapping[str, float]:
        """By probe: how many times its interval it now waits, asked to slow down; absent where it was not."""
        ...

    @property
    def notices_now(self) -> Sequence[str]:
        """What matters above all, each by itself: paused, the rehearsal lags. Usually empty."""
        ...

    @property
    def notice(self) -> str:
        """All of them in one line."""
        ...

    @property
    def aside(self) -> str:
        """What is good to know where there is room for it: how fast a rehearsal runs. Usually empty."""
        ...

    @property
    def on_change(self) -> list[Callable[[], None]]:
        """Called when the verdict or a state changed, to paint at once instead of with the next frame."""
        ...

    @property
    def revision(self) -> int:
        """Rises with every new Situation."""
        ...

    def series(self, probe: str, field: str) -> Sequence[tuple[datetime, float | None]]:
        """Numeric history of one field, oldest first, by data time; None where it was unknown."""
        ...

    def latest(self, probe: str) -> Reading | None:
        """The newest raw reading of a probe, for the evidence screen."""
        ...

    def changes(self) -> Sequence[Change]:
        """Every change of the verdict, criteria and items so far, oldest first."""
        ...

    @property
    def record(self) -> Record:
        """Everything so far: state changes, sign-offs and decisions, actions; whether it counts or not."""
        ...

    def probe_now(self, probe: str = "") -> None:
        """Read one probe at once, or all of them if the name is empty."""
        ...

    def toggle_pause(self) -> None:
        """Stop or resume reading. While paused the verdict goes stale, and a banner says so."""
        ...


class Callers(Protocol):
    """Whose AWS credentials are in use, watched beside the probes."""

    async def run(self) -> None:
        """Until cancelled."""
        ...

    def wanted(self) -> str:
        """What is typed to accept a caller that is refused now. Raises Refused where there is none to accept."""
        ...

    def accept(self, name: str) -> str:
        """Go on under the caller in use, which a person names; what to show. Raises Refused."""
        ...


class Fault(Protocol):
    """One thing a rehearsal can break."""

    @property
    def id(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def active(self) -> bool: ...


class Drill(Protocol):
    """The controls of a rehearsal, given to the terminal only when there is one."""

    @property
    def scenario(self) -> str: ...

    @property
    def speed(self) -> float:
        """Speed asked for."""
        ...

    def faults(self) -> Sequence[Fault]:
        """What can be broken, and what is broken now."""
        ...

    def toggle(self, fault: str) -> None: ...

    def crew_signs(self) -> int:
        """The crew signs what is open, votes go at open gates and begins the next phase; the number of entries made."""
        ...


class Refused(Exception):  # noqa: N818 - an outcome, not a defect
    """Not accepted from this person, now, or in this form. The message is for the screen."""


class Keeper(Protocol):
    """Where sign-offs, votes and decisions are kept."""

    async def key_of(self, person: Person) -> str:
        """Fingerprint of the key this person signs with here; empty where there is none. Raises Refused."""
        ...

    async def keep(self, entry: Entry, person: Person, role: str) -> None:
        """Keep it, signed where there is a key; back once it is on the disk. Raises Refused."""
        ...
