"""Scenarios: what happens in a rehearsal and when, and the verdict it must end in. One YAML file each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cockpit.decide.states import Word
from cockpit.ordinary_file import read_ordinary
from cockpit.plan.model import Phase
from cockpit.rehearsal.script.fault_catalogue import known
from probes.periods import Duration
from probes.suggestion import suggestion

SCENARIOS = Path(__file__).parent.parent / "scenarios"
DEFAULT_PLAN = "checklists/transparent-trust.yaml"
_ACTIONS = ("break", "repair", "deploy", "crew", "begin", "roll_back")


class ScenarioError(ValueError):
    """A scenario that cannot be used: every problem, each with file and field."""


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _OnceOnly(yaml.SafeLoader):
    """YAML in which a duplicate key is an error instead of a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"'{key.value}' is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


FaultId = Annotated[str, AfterValidator(known)]


class Event(_Values):
    """One line of the timeline: exactly one thing happens, `at` this long after the scenario began or later.

    Lines happen in order. `crew: sign`, `crew: vote` and `crew: steps` put the crew on duty: from then on it signs, votes go, or
    does the runbook, whenever it can. `crew: traffic` starts the plan's synthetic traffic, once. `begin` waits until the verdict
    is GO, and the crew's steps before it are done, as a real team would; `roll_back` waits until it is ROLLBACK, then decides it
    and does that action of the rollback plan.
    """

    at: Duration
    break_: FaultId | None = Field(None, alias="break")
    repair: FaultId | None = None
    deploy: Literal["good", "bad", "crash"] | None = None
    crew: Literal["sign", "vote", "steps", "traffic"] | None = None
    begin: Literal["post_deploy"] | None = None
    roll_back: Literal["ecs.rollback"] | None = None

    @model_validator(mode="after")
    def _one_action(self) -> Event:
        given = (self.break_, self.repair, self.deploy, self.crew, self.begin, self.roll_back)
        if sum(value is not None for value in given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(_ACTIONS)}")
        return self

    def __str__(self) -> str:
        if self.break_ or self.repair:
            return f"{'break' if self.break_ else 'repair'} {self.break_ or self.repair}"
        if self.deploy:
            return f"deploy a {self.deploy} release"
        if self.crew == "traffic":
            return "the crew sends synthetic traffic"
        if self.crew == "steps":
            return "the crew does the runbook"
        if self.roll_back:
            return f"roll back by {self.roll_back}"
        return f"the crew {self.crew}s" if self.crew else f"begin {self.begin}"


class Judgement(StrEnum):
    """How a run stands against what its scenario expects."""

    RUNNING = "running"
    AS_EXPECTED = "as expected"
    FORBIDDEN = "a verdict that must never be"
    TOO_LATE = "too late"


class Ends(_Values):
    """The verdict a scenario must end in, and by when (the cutover's time since its beginning).

    GO, ROLLBACK and ROLLED BACK end it when first reached in `phase`; HOLD, as everything begins with it, is judged once `by` has
    passed.
    """

    verdict: Word
    by: Duration
    never: tuple[Word, ...] = ()
    phase: Phase = Phase.POST_DEPLOY

    @model_validator(mode="after")
    def _consistent(self) -> Ends:
        if self.verdict in self.never:
            raise ValueError(f"ends in {self.verdict}, which it says must never be")
        return self

    def judge(self, word: Word, phase: Phase, elapsed: timedelta) -> Judgement:
        """Where a run stands, from the verdict of one tick."""
        if word in self.never:
            return Judgement.FORBIDDEN
        patient = self.verdict is Word.HOLD
        if word is self.verdict and phase is self.phase and (elapsed >= self.by or not patient):
            return Judgement.AS_EXPECTED if patient or elapsed <= self.by else Judgement.TOO_LATE
        return Judgement.TOO_LATE if elapsed > self.by else Judgement.RUNNING


class Scenario(_Values):
    """One rehearsal, as its file says."""

    name: str
    title: str
    story: str
    phase: Phase
    plan: str = DEFAULT_PLAN
    timeline: tuple[Event, ...] = ()
    ends: Ends

    @model_validator(mode="after")
    def _in_order(self) -> Scenario:
        for earlier, later in zip(self.timeline, self.timeline[1:], strict=False):
            if later.at < earlier.at:
                raise ValueError(
                    f"timeline: '{later}' comes after '{earlier}' but is set earlier; write it in order of time"
                )
        return self


def names() -> list[str]:
    """Every scenario's name, sorted."""
    return sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


def scenarios() -> Iterator[Scenario]:
    """Every scenario that comes with the cockpit."""
    for name in names():
        yield load_scenario(name)


def load_scenario(name_or_path: str) -> Scenario:
    """A scenario by its name, or from a file. Raises ScenarioError with every problem, its file and field."""
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = SCENARIOS / f"{name_or_path}.yaml"
        if not path.exists():
            hint = suggestion(name_or_path, names(), "there is")
            raise ScenarioError(f"there is no scenario '{name_or_path}'{hint}")
    try:
        text = read_ordinary(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ScenarioError(f"{path}: cannot be read: {why}") from error
    return parse_scenario(text, path.name, path.stem)


def parse_scenario(text: str, file: str, name: str) -> Scenario:
    """A scenario from its text. `file` is how errors name it; `name` is what it is called unless it says otherwise."""
    try:
        document: Any = yaml.load(text, Loader=_OnceOnly)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        raise ScenarioError(f"{place}: {error.problem or 'is not YAML'}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ScenarioError(f"{file}: is not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(document, dict):
        raise ScenarioError(
            f"{file}: is not a scenario: a mapping with title, story, phase, timeline and ends is expected"
        )
    try:
        return Scenario.model_validate({"name": name} | document)
    except ValidationError as error:
        raise ScenarioError("\n".join(_problem(file, p["loc"], p["msg"]) for p in error.errors())) from error


def _problem(file: str, where: Sequence[str | int], message: str) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")
    return f"{file}: {path + ': ' if path else ''}{message.removeprefix('Value error, ')}"
