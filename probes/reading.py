"""What a probe says: values it saw, what it could not see and why, and how old the data is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from probes.frozen import frozen

Value = bool | int | float | str | datetime | tuple[str, ...]
"""What a field may hold. Nothing else enters a condition: never None, NaN, an infinity or an empty tuple."""


@frozen
class Traits:
    """What follows from a reason. Each default is false, so a new reason counts as serious until it is listed as harmless."""

    help: str
    """One sentence for people."""
    transient: bool = False
    """May pass by itself: tolerated for `error_limit` readings. All others are unknown at once."""
    settles_by_itself: bool = False
    """No fault to be found: time or traffic will settle it."""
    is_no_traffic: bool = False
    """Before a deployment there may be no traffic yet: this does not keep a trigger from being ready."""
    is_plain_absence: bool = False
    """The probe looked and there was nothing: it is not blind."""
    is_own: bool = False
    """Of the cockpit itself, not of what it reads: people are shown the sentence, never the name."""
    is_of_credentials: bool = False
    """Other credentials may answer: a client that met it looks for them anew."""


class Reason(StrEnum):
    """Why something is not known, each defined with what follows from it. Each is shown with a hint on what to do about it."""

    traits: Traits

    def __new__(cls, text: str, traits: Traits | None = None) -> Self:
        """Called for each member as it is defined; a look-up by text (`Reason("STALE")`) never comes here."""
        if traits is None:
            raise TypeError(f"{cls.__name__} {text!r} is defined without its traits")
        member = str.__new__(cls, text)
        member._value_ = text
        member.traits = traits
        return member

    @property
    def label(self) -> str:
        """As people are shown it."""
        return self.traits.help if self.traits.is_own else self.value

    WARMING = "WARMING", Traits("no reading yet", settles_by_itself=True, is_own=True)
    LOW_VOLUME = (
        "LOW_VOLUME",
        Traits("too few samples to say anything", settles_by_itself=True, is_no_traffic=True, is_plain_absence=True),
    )
    NO_DATA = "NO_DATA", Traits("the answer did not contain it", is_no_traffic=True, is_plain_absence=True)
    STALE = "STALE", Traits("the newest data is too old to count")
    PARTIAL = "PARTIAL", Traits("only a part of the answer came", transient=True)
    TIMEOUT = "TIMEOUT", Traits("no answer in time", transient=True)
    THROTTLED = "THROTTLED", Traits("asked too often for the service's limits", transient=True)
    ACCESS_DENIED = "ACCESS_DENIED", Traits("a permission is missing")
    NO_CREDENTIALS = "NO_CREDENTIALS", Traits("there are no credentials to ask with", is_of_credentials=True)
    EXPIRED_CREDENTIALS = (
        "EXPIRED_CREDENTIALS",
        Traits("the credentials are no longer accepted", is_of_credentials=True),
    )
    WRONG_ACCOUNT = "WRONG_ACCOUNT", Traits("the credentials are of another account or principal than was accepted")
    NOT_TRUSTED = (
        "NOT_TRUSTED",
        Traits("nobody allowed the plan to do this yet: `cockpit trust PLAN` lists and allows it"),
    )
    REFUSED = "REFUSED", Traits("refused, until something is changed")
    NOT_FOUND = "NOT_FOUND", Traits("what the plan names does not exist here", is_plain_absence=True)
    UNREACHABLE = "UNREACHABLE", Traits("no connection", transient=True)
    ERROR = "ERROR", Traits("the answer could not be used", transient=True)
    OBSERVER_GAP = "OBSERVER_GAP", Traits("the cockpit was not watching", is_own=True)


@frozen
class Bounds:
    """Between what a number must lie though it is not known, both ends included."""

    low: float
    high: float


@frozen
class Unknown:
    """One thing that could not be seen: the reason, the detail as the world put it (redacted), and what to do next."""

    reason: Reason
    detail: str = ""
    hint: str = ""
    bounds: Bounds | None = None
    """What is known of a number all the same. A condition that comes out alike everywhere between them is decided."""

    @property
    def transient(self) -> bool:
        return self.reason.traits.transient

    @property
    def line(self) -> str:
        """The reason with its detail; where it is of the cockpit itself, in words alone.

        >>> Unknown(Reason.TIMEOUT, "no answer in 5 s").line, Unknown(Reason.WARMING, "no reading of errors yet").line
        ('TIMEOUT: no answer in 5 s', 'no reading of errors yet')
        """
        if not self.detail:
            return self.reason.label
        return self.detail if self.reason.traits.is_own else f"{self.reason}: {self.detail}"


@frozen
class Evidence:
    """How a reading was made, so that a person can make it again. Redacted; safe to show, log and keep."""

    query: str = ""
    """The operation as a person would type it: `ecs describe-services --cluster c --services s`, or the SQL."""
    request_id: str = ""
    console_url: str = ""
    lines: tuple[str, ...] = ()
    """A few lines of raw detail worth reading at 3 a.m.: task stop reasons, failing targets, log samples."""
    hint: str = ""
    """What to do next about what was seen, where the probe knows it: "begin the verify"; else empty."""
    done_in: str = ""
    """The part of the cockpit that does what the hint says: "migration"; empty where none does."""


@frozen
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
    lateness: timedelta = timedelta(0)
    """Of a metric: from which age on a period counts, as measured. Limits of age allow for what is beyond its settle."""


class Unseen(Exception):  # noqa: N818 - not an error of ours: the world could not be seen
    """A call that could not be answered; carries the Unknown that says why. Raised by `Clients`, caught by probes."""

    def __init__(self, unknown: Unknown) -> None:
        super().__init__(f"{unknown.reason}: {unknown.detail}")
        self.unknown = unknown


@frozen
class Field:
    """One thing a probe reports. `type` is bool, int, float, str, datetime or tuple (of str).

    `unit` is one of "", "ratio", "s", "ms", "bytes", "count", "per_s", "days". `low` and `high` bound what the field can ever be:
    lint uses them to find a trigger that can never trip.
    """

    name: str
    type: type
    meaning: str
    example: Value
    unit: str = ""
    low: float | None = None
    high: float | None = None


def at_most(fields: Sequence[Field], name: str, high: float) -> tuple[Field, ...]:
    """The fields, one of which can never be more than this with the parameters a plan gives."""
    return tuple(replace(field_, high=high) if field_.name == name else field_ for field_ in fields)


def checked(reading: Reading, fields: Sequence[Field], probe: str, missing: Unknown | None = None) -> Reading:
    """The reading as conditions may see it, whoever made it: each declared field known, or unknown with a reason.

    What is hollow is unknown for the reason `missing` (NO_DATA by default), what is of another type than declared is a defect
    of the probe and unknown, what is called both known and unknown is unknown, what is not declared is left out. A reading
    that cannot be placed in time is unknown as a whole: with a time without its zone, or with data from later than
    `MOST_AHEAD` after asking. What is ahead by less is about the moment of asking.
    """
    zoneless = [name for name in ("observed_at", "data_at", "state_since") if _is_naive(getattr(reading, name))]
    if zoneless:
        return _without_times(
            reading, fields, Unknown(Reason.ERROR, f"{zoneless[0]} of {probe} has no time zone", _DEFECT)
        )
    if reading.values and reading.data_at - reading.observed_at > MOST_AHEAD:
        ahead = timedelta(seconds=round((reading.data_at - reading.observed_at).total_seconds()))
        return _without_times(
            reading, fields, Unknown(Reason.ERROR, f"data from {ahead} after it was asked for", _CLOCKS)
        )
    unknown = {f.name: reading.unknown[f.name] for f in fields if f.name in reading.unknown}
    values: dict[str, Value] = {}
    for field_ in fields:
        if field_.name in unknown:
            continue
        value = reading.values.get(field_.name)
        if value is None or is_hollow(value):
            unknown[field_.name] = missing or Unknown(Reason.NO_DATA, f"{probe} answered without {field_.name}")
        elif not _is_of(value, field_.type):
            wrong = f"{field_.name} is {_type_name(value)}, not {_TYPE_NAMES.get(field_.type, field_.type.__name__)}"
            unknown[field_.name] = Unknown(Reason.ERROR, wrong, _DEFECT)
        else:
            values[field_.name] = value
    data_at = min(reading.data_at, reading.observed_at)
    unchanged = values.keys() == reading.values.keys() and unknown.keys() == reading.unknown.keys()
    if unchanged and data_at == reading.data_at:
        return reading
    return replace(reading, values=values, unknown=unknown, data_at=data_at)


MOST_AHEAD = timedelta(minutes=1)
"""How far two clocks may differ before data from one cannot be placed by the other."""
_CLOCKS = "the clock of this machine or of what was asked is wrong: compare both with the time of day"
_DEFECT = "a defect of the probe: report it"
_TYPE_NAMES: Mapping[type, str] = {datetime: "a time with its zone", tuple: "a tuple of texts"}


def is_hollow(value: object) -> bool:
    """Nothing, NaN, an infinity or an empty list: CEL would compare them quietly."""
    if value is None:
        return True
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, tuple) and not value


def _is_of(value: object, declared: type) -> bool:
    if isinstance(value, bool):
        return declared is bool
    if isinstance(value, tuple):
        return declared is tuple and all(isinstance(part, str) for part in value)
    if isinstance(value, datetime):
        return declared is datetime and not _is_naive(value)
    return isinstance(value, declared) or (declared is float and isinstance(value, int))


def _type_name(value: object) -> str:
    if isinstance(value, tuple):
        other = next((type(part).__name__ for part in value if not isinstance(part, str)), "str")
        return f"a tuple with {other}"
    return "a time without a zone" if _is_naive(value) else type(value).__name__


def _is_naive(value: object) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is None


def _without_times(reading: Reading, fields: Sequence[Field], why: Unknown) -> Reading:
    """Taken as of the moment of asking, in which nothing is known; a moment without a zone is read as UTC."""
    asked = reading.observed_at if not _is_naive(reading.observed_at) else reading.observed_at.replace(tzinfo=UTC)
    blind = {declared.name: why for declared in fields}
    return Reading(asked, asked, {}, blind, reading.evidence, reading.latency_s)
