"""From a story file to a frozen Story with its plan, or every problem it has, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cockpit.decide.states import Check, State
from cockpit.plan.document.validation_messages import explain, found
from cockpit.plan.load import PlanError, load_plan
from cockpit.plan.model import Phase, Plan
from cockpit.plan.position import Position
from cockpit.plan.source.source_file import MAX_BYTES, Source, read
from cockpit.plan.source.yaml_tree import Path_, TooMany, Tree, parse
from cockpit.stories.story_document import DEEDS, DeedPart, ExpectationPart, StoryPart
from probes.frozen import frozen
from probes.reading import Field, Value
from probes.suggestion import suggestion

AFTER_THE_LAST = timedelta(minutes=1)
FOLDER = "stories"
"""Beside a plan: the folder of its stories."""


@frozen
class Deed:
    """One thing that happens: `kind` is one of DEEDS, `target` the probe, field, trigger or line it happens to."""

    at: timedelta
    kind: str
    position: Position
    target: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    """For set: by path. For flap: the one value, by its path."""
    reason: str = ""
    lasts: timedelta | None = None
    by: timedelta = timedelta(0)
    every: timedelta = timedelta(0)


@frozen
class Expectation:
    """What is to be so `at` a time, at one moment up to and including `by`, or (`never`) at none."""

    position: Position
    at: timedelta | None = None
    by: timedelta | None = None
    never: str = ""
    verdict: str = ""
    because: str = ""
    subject: str = ""
    state: str = ""


@frozen
class Story:
    """A world as readings, and what the plan is to make of it."""

    name: str
    title: str
    path: str
    plan: Plan
    phase: Phase = Phase.POST_DEPLOY
    begin: timedelta | None = None
    """When the deployment begins, of a story that starts before it."""
    begin_on_go: bool = False
    """Whether the deployment begins by itself as soon as the verdict before it is GO."""
    people_play: bool = True
    pinned: Mapping[str, Value] = field(default_factory=dict)
    timeline: tuple[Deed, ...] = ()
    expect: tuple[Expectation, ...] = ()
    lasts: timedelta = timedelta(hours=1)
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the plan's vars were given."""

    @property
    def first_phase(self) -> Phase:
        before = self.begin is not None or self.begin_on_go
        return Phase.PRE_DEPLOY if before else self.phase


def is_story(path: Path) -> bool:
    """Whether a file says of itself that it is a story."""
    return any(line.startswith("story:") for line in beginning_of(path).splitlines())


def beginning_of(path: Path) -> str:
    """As much of a file as a story may hold; empty for what is no file, and might never end, or cannot be read."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def load_story(path: str | Path, variables: Mapping[str, str] | None = None) -> Story:
    """The story in a file, with its plan. Raises PlanError with every problem, the plan's own if it has some."""
    tree = Tree(read(path))
    return _loaded(tree, variables or {})


def story_of(text: str, file: str, variables: Mapping[str, str] | None = None) -> Story:
    """The story in a text; `file` is how problems name it, and where its plan is looked for."""
    return _loaded(Tree(Source.of(text, file)), variables or {})


def _loaded(tree: Tree, variables: Mapping[str, str]) -> Story:
    story = None
    try:
        parse(tree)
        part = _part(tree)
        if part is not None:
            given = {name: _as_text(value) for name, value in part.vars.items()} | dict(variables)
            story = replace(_Reader(tree, part, _plan(tree, part, given)).story(), variables=given)
    except TooMany:
        story = None
    if tree.problems or story is None:
        raise PlanError(tree.problems)
    return story


def _as_text(value: Any) -> str:
    """As `--var` would write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _part(tree: Tree) -> StoryPart | None:
    if not isinstance(tree.value, dict):
        tree.report((), "is not a story: a mapping with story, plan, title and expect is expected")
        return None
    try:
        return StoryPart.model_validate(tree.value)
    except ValidationError as error:
        explain(found(error), tree, StoryPart, ())
        return None


def _plan(tree: Tree, part: StoryPart, variables: Mapping[str, str]) -> Plan:
    path = Path(tree.file).parent / part.plan
    if not path.is_file():
        tree.report(("plan",), f"there is no file {path}")
        raise TooMany
    return load_plan(path, overrides=variables, require_environment=False)


class _Reader:
    """Puts the names of a story right by its plan, and reports those that are not there."""

    def __init__(self, tree: Tree, part: StoryPart, plan: Plan) -> None:
        self.tree, self.part, self.plan = tree, part, plan
        self.fields = {f"{probe}.{each.name}": each for probe, spec in plan.probes.items() for each in spec.fields}
        self.triggers = [one.id for one in plan.rollback_triggers if one.condition]
        self.lines = [one.id for one in plan.success_criteria if one.condition]
        self.lines += [item.id for _, item in plan.items() if item.expect]
        self.subjects = {one.id for one in (*plan.criteria(), *plan.guards())} | {item.id for _, item in plan.items()}

    def story(self) -> Story:
        part = self.part
        pinned = {
            path: value
            for path, held in part.healthy.items()
            if (value := self._value(("healthy", path), path, held)) is not None
        }
        timeline = tuple(self._deed(index, deed) for index, deed in enumerate(part.timeline))
        for index, (one, other) in enumerate(pairwise(timeline), 1):
            if other.at < one.at:
                self.tree.report(
                    ("timeline", index, "at"), "is earlier than the line before: write them in order of time"
                )
        expect = tuple(self._expectation(index, each) for index, each in enumerate(part.expect))
        if part.begin is not None and part.phase == "pre_deploy":
            self.tree.report(("begin",), "begins the deployment, and phase is pre_deploy: leave one of them out")
        return Story(
            name=Path(self.tree.file).stem,
            title=part.title,
            path=self.tree.file,
            plan=self.plan,
            phase=Phase(part.phase),
            begin=part.begin,
            people_play=part.people == "play",
            pinned=pinned,
            timeline=timeline,
            expect=expect,
            lasts=part.lasts or max([timedelta(0), *self._times()]) + AFTER_THE_LAST,
        )

    def _times(self) -> Iterator[timedelta]:
        yield from (deed.at + (deed.for_ or timedelta(0)) for deed in self.part.timeline)
        yield from (one.at if one.at is not None else one.by for one in self.part.expect if one.at or one.by)  # type: ignore[misc]
        if self.part.begin is not None:
            yield self.part.begin

    def _deed(self, index: int, deed: DeedPart) -> Deed:
        here: Path_ = ("timeline", index)
        kind = next(key for key in DEEDS if getattr(deed, "restore" if key == "mend" else key) is not None)
        position = self.tree.place((*here, kind)).position
        if deed.set is not None:
            values = {
                path: value
                for path, held in deed.set.items()
                if (value := self._value((*here, "set", path), path, held)) is not None
            }
            return Deed(deed.at, kind, position, values=values)
        target = str(getattr(deed, "restore" if kind == "mend" else kind))
        values = {}
        if kind in ("trip", "fail"):
            self._known((*here, kind), target, self.triggers if kind == "trip" else self.lines)
        else:
            self._target((*here, kind), target, field_too=kind != "late")
        if deed.to is not None and target in self.fields:
            value = self._value((*here, "to"), target, deed.to)
            values = {} if value is None else {target: value}
        return Deed(
            deed.at,
            kind,
            position,
            target,
            values,
            deed.reason or ("UNREACHABLE" if kind == "flap" else "THROTTLED"),
            deed.for_,
            deed.by or timedelta(0),
            deed.every,
        )

    def _expectation(self, index: int, one: ExpectationPart) -> Expectation:
        here: Path_ = ("expect", index)
        if one.because is not None:
            self._known((*here, "because"), one.because, self.subjects | {gate.id for gate in self.plan.gates})
        if one.subject is not None:
            self._known((*here, "subject"), one.subject, self.subjects)
            self._known((*here, "state"), str(one.state), {*map(str, State), *map(str, Check)})
        return Expectation(
            self.tree.place(here).position,
            one.at,
            one.by,
            one.never or "",
            one.verdict or "",
            one.because or "",
            one.subject or "",
            one.state or "",
        )

    def _known(self, path: Path_, name: str, names: Sequence[str] | set[str]) -> None:
        if name not in names:
            self.tree.report(path, f"there is no '{name}' in the plan{suggestion(name, names, 'there is')}")

    def _target(self, path: Path_, target: str, *, field_too: bool) -> None:
        if target.partition(".")[0] not in self.plan.probes:
            probe = target.partition(".")[0]
            self.tree.report(
                path, f"there is no probe '{probe}' in the plan{suggestion(probe, self.plan.probes, 'it has')}"
            )
        elif "." in target and not field_too:
            self.tree.report(path, "a probe is late, not one of its fields")
        elif "." in target:
            self._field(path, target)

    def _field(self, path: Path_, name: str) -> Field | None:
        declared = self.fields.get(name)
        if declared is None:
            probe, _, short = name.partition(".")
            if probe not in self.plan.probes:
                hint = suggestion(probe, self.plan.probes, "it has")
                self.tree.report(path, f"there is no probe '{probe}' in the plan{hint}", on_key=True)
            else:
                known = [each.name for each in self.plan.probes[probe].fields]
                self.tree.report(
                    path, f"probe '{probe}' has no field '{short}'{suggestion(short, known, 'it has')}", on_key=True
                )
        return declared

    def _value(self, path: Path_, name: str, held: Any) -> Value | None:
        declared = self._field(path, name)
        return None if declared is None else typed(declared, held, lambda why: self.tree.report(path, why))


def typed(declared: Field, held: Any, report: Any) -> Value | None:
    """A value of a field as its type; None, with the reason reported, where it is not of that type or out of range."""
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", tuple: "a list of texts"}
    value: Any = held
    if declared.type is float and isinstance(held, int) and not isinstance(held, bool):
        value = float(held)
    elif declared.type is tuple and isinstance(held, list) and held:
        value = tuple(held)
    elif declared.type is datetime and isinstance(held, str):
        try:
            value = datetime.fromisoformat(held)
        except ValueError:
            value = held
    of_type = isinstance(value, declared.type) and isinstance(value, bool) == (declared.type is bool)
    if not of_type or (isinstance(value, datetime) and value.tzinfo is None):
        report(f"must be {names.get(declared.type, 'a time with its zone: 2026-01-01T22:00:00Z')}")
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = declared.low, declared.high
        if (low is not None and value < low) or (high is not None and value > high):
            if low is not None and high is not None:
                ends = f"lies between {low:g} and {high:g}"
            else:
                ends = f"is at least {low:g}" if low is not None else f"is at most {high:g}"
            report(f"can never be: {declared.name} {ends}")
            return None
    return value  # type: ignore[no-any-return]
