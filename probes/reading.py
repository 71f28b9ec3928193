"""What a probe says: values it saw, what it could not see and why, and how old the data is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

Value = bool | int | float | str | datetime | tuple[str, ...]
"""What a field may hold. Nothing else enters a condition: never None, NaN, an infinity or an empty tuple."""


class Reason(StrEnum):
    """Why something is not known. Each is shown with a hint on what to do about it."""

    WARMING = "WARMING"
    LOW_VOLUME = "LOW_VOLUME"
    NO_DATA = "NO_DATA"
    STALE = "STALE"
    PARTIAL = "PARTIAL"
    TIMEOUT = "TIMEOUT"
    THROTTLED = "THROTTLED"
    ACCESS_DENIED = "ACCESS_DENIED"
    EXPIRED_CREDENTIALS = "EXPIRED_CREDENTIALS"
    NOT_FOUND = "NOT_FOUND"
    UNREACHABLE = "UNREACHABLE"
    ERROR = "ERROR"
    OBSERVER_GAP = "OBSERVER_GAP"


TRANSIENT = frozenset({Reason.TIMEOUT, Reason.THROTTLED, Reason.UNREACHABLE, Reason.PARTIAL, Reason.ERROR})
"""Reasons that may pass by themselves: tolerated for `error_limit` readings. All others are unknown at once."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """One thing that could not be seen: the reason, the detail as the world put it (redacted), and what to do next."""

    reason: Reason
    detail: str = ""
    hint: str = ""

    @property
    def transient(self) -> bool:
        return self.reason in TRANSIENT


@dataclass(frozen=True, slots=True)
class Evidence:
    """How a reading was made, so that a person can make it again. Redacted; safe to show, log and keep."""

    query: str = ""
    """The operation as a person would type it: `ecs describe-services --cluster c --services s`, or the SQL."""
    request_id: str = ""
    console_url: str = ""
    lines: tuple[str, ...] = ()
    """A few lines of raw detail worth reading at 3 a.m.: task stop reasons, failing targets, log samples."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one probe saw, once.

    Every declared field of the probe is in exactly one of `values` and `unknown`. Times are aware UTC.
    """

    observed_at: datetime
    """When we asked."""
    data_at: datetime
    """What the data is about: for a metric period, its end; for a live call, the moment of asking.
    Two readings of one probe with the same `data_at` are the same sample."""
    values: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    unknown: Mapping[str, Unknown] = field(default_factory=lambda: MappingProxyType({}))
    evidence: Evidence = Evidence()
    latency_s: float = 0.0
    """Real seconds the call took; set by the engine."""
    state_since: datetime | None = None
    """When the world says the reported state began (an alarm's StateUpdatedTimestamp), where it says so."""
    earlier: tuple[Reading, ...] = ()
    """Older samples the same answer contained (closed metric periods), oldest first, `data_at` strictly rising."""


class Unseen(Exception):  # noqa: N818 - not an error of ours: the world could not be seen
    """A call that could not be answered; carries the Unknown that says why. Raised by `Clients`, caught by probes."""

    def __init__(self, unknown: Unknown) -> None:
        super().__init__(f"{unknown.reason}: {unknown.detail}")
        self.unknown = unknown
