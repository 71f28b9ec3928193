"""The contract every probe keeps.

A probe reads one thing and says honestly what it saw. It never raises for what the world does, never invents a default,
and never lets a secret out. To add one: a module in the folder of its system, a class below `Probe`, a line in `registry.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from probes.clients.arns import last_part, log_group
from probes.demand import Rule
from probes.frozen import frozen
from probes.known_secrets import hide
from probes.reading import Evidence, Field, Reading, Unknown, Value, checked

if TYPE_CHECKING:
    from probes.clients.clients import Clients


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_aware)]
"""A pydantic field holding a time; one without a zone is UTC, so that it can be compared with what the world says."""

EcsName = Annotated[str, AfterValidator(last_part)]
"""A cluster or service: its name or its ARN."""
LogGroupName = Annotated[str, AfterValidator(log_group)]
"""A log group: its name or its ARN."""


LONGEST_LINE = 105
"""Characters of what a probe says of itself: with its label it fits a terminal of 120."""


def _not_begun() -> datetime | None:
    return None


class Params(BaseModel):
    """Parameters of a probe as the plan gives them under `with:`; strict, unknown keys refused."""

    # What stands below a field is read where it is shown (`probes/parameters.py`), and a validator is made where it validates:
    # both for every kind of probe would take a tenth of the start.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class WritingParams(Params):
    """Parameters of a probe that writes."""

    consent: bool = False
    """Somebody has agreed to what this probe writes."""


P = TypeVar("P", bound=Params)


@frozen
class Least:
    """Below so many, counted `within` each window, `fields` are LOW_VOLUME."""

    fields: tuple[str, ...]
    count: float
    of: str
    """What is counted: "requests"."""
    within: timedelta
    counted: str
    """The field that holds how many there were."""


class Probe(ABC, Generic[P]):
    """Reads one thing. Subclasses set the class attributes and write `read`.

    Shape of a probe::

        class EcsService(Probe[EcsServiceParams]):
            '''What it reads, from which operation and field, unit, permissions.'''
            name = "ecs.service"
            params_type = EcsServiceParams
            demands = AWS_ALONE
            cannot_see = "whether it is the release: a service is stable after ECS rolled back"
            late = "seconds: ECS answers as it is when read"
            fields = (Field("running", int, "tasks running", 2, "count", low=0), ...)
            iam = ("ecs:DescribeServices",)
    """

    name: ClassVar[str]
    params_type: ClassVar[type[Params]]
    fields: ClassVar[tuple[Field, ...]]
    """What it reports whatever the plan says; `fields_of` adds what the plan declares."""
    demands: ClassVar[tuple[Rule, ...]]
    """What the operator must have agreed to before it is read: programs, what it sends, files, writes. AWS_ALONE: nothing."""
    cannot_see: ClassVar[str]
    """After "cannot see": what a good reading does not prove. One line."""
    subjects: ClassVar[tuple[str, ...]] = ()
    """What it reads, in the words of checklists: a line that names none of them, it could not answer. A word or a phrase each."""
    late: ClassVar[str]
    """How late a reading can be behind the world, and what decides that. One line."""
    iam: ClassVar[tuple[str, ...]] = ()
    """IAM actions needed, e.g. ("ecs:DescribeServices",)."""
    iam_sometimes: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Those of `iam` that only some worlds ask for -> when: {"ec2:GetManagedPrefixListEntries": "a rule names a prefix list"}."""
    grants: ClassVar[tuple[str, ...]] = ()
    """Other permissions needed, in words: "PostgreSQL role pg_monitor"."""
    interval: ClassVar[timedelta] = timedelta(seconds=30)
    """Default interval; the plan may set another."""
    writes: ClassVar[bool] = False
    """Whether reading changes something in the world. Such a probe has the parameter `consent`, and without it answers
    that it asks first."""
    period: ClassVar[timedelta] = timedelta(0)
    """Length of the metric period a reading is about; zero for live calls. Staleness allows two of them."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if hasattr(cls, "name") and not isinstance(getattr(cls, "demands", None), tuple):
            raise TypeError(f"the probe {cls.name} does not say what it demands: set demands (AWS_ALONE: nothing)")
        for limit in ("cannot_see", "late") if hasattr(cls, "name") else ():
            text = getattr(cls, limit, "")
            if not (isinstance(text, str) and text.strip()) or len(text.splitlines()) > 1 or len(text) > LONGEST_LINE:
                raise TypeError(f"the probe {cls.name}: set {limit}, one line of up to {LONGEST_LINE} characters")

    def __init__(self, params: P, clients: Clients) -> None:
        self.params = params
        self.clients = clients
        self.reported = self.fields_of(params)
        """Every field of this one's readings."""
        self.deployment_began: Callable[[], datetime | None] = _not_begun
        """When the deployment of this cutover was begun, as its session says; None before that, and without a session."""

    @classmethod
    def fields_of(cls, params: P) -> tuple[Field, ...]:  # noqa: ARG003 - for kinds whose fields a plan declares
        """The fields with these parameters: `fields`, and those that a plan declares where the kind lets it."""
        return cls.fields

    @classmethod
    def least(cls, params: P) -> Least | None:  # noqa: ARG003 - for kinds that count
        """How much must have been counted before some fields are known; None where nothing is counted, or nothing needed."""
        return None

    @classmethod
    def never_known(cls, params: P) -> Mapping[str, str]:  # noqa: ARG003 - for kinds whose fields depend on them
        """Fields that no reading with these parameters ever has -> why, and what to set."""
        return {}

    @abstractmethod
    async def read(self, now: datetime) -> Reading:
        """Read once. `now` is the cutover's clock (aware UTC); use it for every time sent to or compared with the world."""

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        """IAM action -> resource ARNs it is needed on; an action not named here is needed on `*`."""
        return {}

    async def close(self) -> None:
        """Let go of what the probe keeps open. Called once, at the end."""

    # -- building readings -------------------------------------------------------------------------------------------

    def reading(
        self,
        now: datetime,
        values: Mapping[str, Value | None],
        *,
        unknown: Mapping[str, Unknown] | None = None,
        missing: Unknown | None = None,
        data_at: datetime | None = None,
        evidence: Evidence = Evidence(),  # noqa: B008 - frozen
        state_since: datetime | None = None,
        earlier: tuple[Reading, ...] = (),
    ) -> Reading:
        """A reading in which every declared field is either known or says why not.

        A value of None, NaN, an infinity or an empty tuple is not a value: the field becomes `unknown[field]`, else `missing`,
        else NO_DATA. Names that are not declared are left out; a value of another type than declared is a defect, and unknown.
        """
        held = {name: _without_secrets(value) for name, value in values.items() if value is not None}
        evidence = _evidence(evidence)
        made = Reading(now, data_at or now, held, unknown or {}, evidence, state_since=state_since, earlier=earlier)
        return checked(made, self.reported, self.name, missing)

    def blind(self, now: datetime, unknown: Unknown, evidence: Evidence = Evidence()) -> Reading:  # noqa: B008 - frozen
        """A reading in which nothing could be seen, for one reason."""
        hidden = replace(unknown, detail=hide(unknown.detail), hint=hide(unknown.hint))
        return Reading(now, now, {}, {f.name: hidden for f in self.reported}, _evidence(evidence))


def _without_secrets(value: Value) -> Value:
    if isinstance(value, str):
        return hide(value)
    return tuple(hide(each) for each in value) if isinstance(value, tuple) else value


def _evidence(seen: Evidence) -> Evidence:
    return replace(
        seen,
        query=hide(seen.query),
        request_id=hide(seen.request_id),
        console_url=hide(seen.console_url),
        lines=tuple(hide(line) for line in seen.lines),
    )
