"""A small stage for rules: real plans, real boards, and readings written as a line of words.

    scene = Scene(trigger("errors", "m.rate > 0.05", hold_for=60))
    scene.feed("0.01 0.2x5 err _x3 stale")

One word is one poll of probe `m`, 15 seconds apart: a number is its `rate`, `up`/`down` its `ok`, an unknown is written as
`err timeout throttled unreachable denied expired none low partial`, `_` is a poll that never came, `stale` is silence until the
data is too old. `0.2x5` is five of them. The scene decides and records changes after each poll, as a watch does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cockpit.conditions.condition import compile_condition
from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import Decision, Entry, PhaseBegan, Record
from cockpit.decide.settle import settle
from cockpit.decide.situation import CriterionStatus, ItemStatus
from cockpit.decide.states import State, Word
from cockpit.plan.model import Ask, Criterion, Gate, Item, Kind, Person, Phase, Plan, Poll, ProbeSpec, Section, Step
from cockpit.plan.position import Position
from probes.reading import Field, Reading, Reason, Unknown, Value

START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
HERE = Position("scene.yaml", 1)
STEP = timedelta(seconds=15)
FIELDS = (
    Field("rate", float, "share of failed requests", 0.01, "ratio", low=0, high=1),
    Field("running", int, "tasks running", 2, "count", low=0),
    Field("ok", bool, "answers", example=True),
    Field("name", str, "what it calls itself", "web"),
    Field("tags", tuple, "its tags", ("blue",)),
)
GOOD: dict[str, Value] = {"rate": 0.0, "running": 2, "ok": True, "name": "web", "tags": ("blue",)}
REASONS = {
    "err": Reason.ERROR,
    "timeout": Reason.TIMEOUT,
    "throttled": Reason.THROTTLED,
    "unreachable": Reason.UNREACHABLE,
    "denied": Reason.ACCESS_DENIED,
    "expired": Reason.EXPIRED_CREDENTIALS,
    "none": Reason.NO_DATA,
    "low": Reason.LOW_VOLUME,
    "partial": Reason.PARTIAL,
}


def seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def at(value: float) -> datetime:
    """That many seconds into the scene."""
    return START + seconds(value)


def probe(name: str = "m", interval: float = 15, period: float = 0, settle: float = 0) -> ProbeSpec:
    return ProbeSpec(
        name,
        "scene.probe",
        {},
        seconds(interval),
        seconds(5),
        HERE,
        seconds(period),
        seconds(settle),
        fields=FIELDS,
    )


def trigger(id_: str, condition: str, **more: Any) -> Criterion:
    """A rollback trigger; durations are seconds."""
    return _criterion(id_, Kind.TRIGGER, condition, more)


def success(id_: str, condition: str, **more: Any) -> Criterion:
    """A success criterion; durations are seconds."""
    return _criterion(id_, Kind.SUCCESS, condition, more)


def _criterion(id_: str, kind: Kind, condition: str, more: dict[str, Any]) -> Criterion:
    fields: dict[str, Any] = {
        name: seconds(value)
        if isinstance(value, (int, float)) and name not in ("min_samples", "error_limit", "at_least")
        else value
        for name, value in more.items()
    }
    hold = fields.get("hold_for", timedelta(0)) or fields.get("within", timedelta(0))
    fields = {"gap_tolerance": 2 * STEP, "stale_after": 3 * STEP, "clear_for": 2 * hold, **fields}
    if isinstance(fields.get("clear_condition"), str):
        fields["clear_condition"] = compile_condition(fields["clear_condition"])
    fields.setdefault("min_samples", 3 if hold else 1)
    return Criterion(id_, id_, kind, compile_condition(condition) if condition else None, HERE, **fields)


def item(id_: str, expect: str = "", **more: Any) -> Item:
    more.setdefault("stale_after", 3 * STEP)
    return Item(id_, id_, HERE, compile_condition(expect) if expect else None, **more)


def ask(*roles: str, valid_for: float | None = None) -> Ask:
    return Ask("What did you see?", roles or ("on_call",), seconds(valid_for) if valid_for else None)


def gate(required: int = 2, distinct: bool = True, valid_for: float | None = None) -> Gate:
    poll = Poll(("on_call", "backup"), required, distinct, seconds(valid_for) if valid_for else None)
    return Gate("go_no_go", "Go / no-go", "deploy", poll, HERE)


def plan(
    *criteria: Criterion,
    items: tuple[Item, ...] = (),
    after: tuple[Item, ...] = (),
    gates: tuple[Gate, ...] = (),
    probes: tuple[ProbeSpec, ...] = (),
    dwell: float = 60,
    digest: str = "d1",
    people: tuple[Person, ...] | None = None,
    runbook: tuple[Step, ...] = (),
    rollback_plan: tuple[Step, ...] = (),
) -> Plan:
    """`items` belong to the phase before the deployment, `after` to the one after it."""
    sections = (Section("before", Phase.PRE_DEPLOY, items), Section("after", Phase.POST_DEPLOY, after))
    return Plan(
        name="scene",
        title="A scene",
        environment="test",
        path="scene.yaml",
        digest=digest,
        people=PEOPLE if people is None else people,
        probes={spec.name: spec for spec in (probes or (probe("m"), probe("n")))},
        checklist=tuple(section for section in sections if section.items),
        gates=gates,
        success_criteria=tuple(c for c in criteria if c.kind is Kind.SUCCESS),
        rollback_triggers=tuple(c for c in criteria if c.kind is Kind.TRIGGER),
        runbook=runbook,
        rollback_plan=rollback_plan,
        verdict_dwell=seconds(dwell),
    )


PEOPLE = (
    Person("primary", "Primary", ("on_call", "db_owner")),
    Person("ann", "Ann", ("on_call", "backup")),
    Person("bob", "Bob", ("backup",)),
    Person("cid", "Cid", ("backup",)),
    Person("eve", "Eve", ("intern",)),
)
"""Without keys: what they state is claimed."""
CALM = (success("fine", "m.ok"), trigger("quiet", "m.running < 1"))
"""One of each, satisfied by every good reading."""


def reading(when: datetime, values: dict[str, Value] | None = None, **more: Any) -> Reading:
    return Reading(when, more.pop("data_at", when), {**GOOD, **(values or {})}, **more)


def blind(when: datetime, reason: Reason, detail: str = "", hint: str = "") -> Reading:
    why = Unknown(reason, detail or f"it says {reason}", hint)
    return Reading(when, when, {}, {field.name: why for field in FIELDS})


class Scene:
    """A plan being watched. `now` is the time of the newest poll."""

    def __init__(self, *criteria: Criterion, record: Record | None = None, **more: Any) -> None:
        self.plan = plan(*criteria, **more)
        self.record = record or Record()
        self.now = START
        self.board = Board(self.plan, START)
        self.situation = decide(self.plan, self.board, self.record, self.now)

    def feed(self, line: str, probe: str = "m") -> Scene:
        """Play a line of polls, one step each; the scene's time ends at the last."""
        for word in words(line):
            self.now += self.plan_stale(probe) if word == "stale" else STEP
            if word not in ("_", "stale"):
                self.board.add(probe, _poll(word, self.now))
            self.tick()
        return self

    def feed_all(self, line: str) -> Scene:
        """The same polls for every probe."""
        for word in words(line):
            self.now += STEP
            for name in self.plan.probes:
                if word != "_":
                    self.board.add(name, _poll(word, self.now))
            self.tick()
        return self

    def plan_stale(self, probe: str) -> timedelta:
        longest = [c.stale_after for c in self.plan.criteria() if c.stale_after is not None]
        return max(longest, default=self.plan.probes[probe].stale_after) + seconds(1)

    def give(self, probe: str = "m", **values: Value) -> Scene:
        """One poll at the scene's time with these values; everything else is good."""
        self.board.add(probe, reading(self.now, values))
        return self.tick()

    def wait(self, duration: float) -> Scene:
        self.now += seconds(duration)
        return self.tick()

    def say(self, *entries: Entry) -> Scene:
        """People do something."""
        self.record.extend(entries)
        return self.tick()

    def dismiss(self, why: str = "known") -> Scene:
        return self.say(Decision(self.now, "dismiss", "primary", why, role="on_call", plan_digest=self.plan.digest))

    def begin(self, phase: Phase) -> Scene:
        return self.say(PhaseBegan(self.now, phase))

    def tick(self) -> Scene:
        self.situation, _ = settle(self.plan, self.board, self.record, self.situation, self.now)
        return self

    # -- what is seen ------------------------------------------------------------------------------------------------

    def of(self, id_: str) -> CriterionStatus:
        return self.situation.criterion(id_)

    def state(self, id_: str) -> State:
        return self.of(id_).state

    def reason(self, id_: str) -> Reason | None:
        unknown = self.of(id_).unknown
        return unknown.reason if unknown else None

    def item(self, id_: str) -> ItemStatus:
        return next(i for section in self.situation.sections for i in section.items if i.id == id_)

    @property
    def word(self) -> Word:
        return self.situation.verdict.word


def words(line: str) -> Iterator[str]:
    """
    >>> list(words("1 _x2 err"))
    ['1', '_', '_', 'err']
    """
    for part in line.split():
        word, _, times = part.rpartition("x")
        if word and times.isdigit():
            yield from [word] * int(times)
        else:
            yield part


def _poll(word: str, when: datetime) -> Reading:
    if word in REASONS:
        return blind(when, REASONS[word])
    if word in ("up", "down"):
        return reading(when, {"ok": word == "up"})
    return reading(when, {"rate": float(word)})
