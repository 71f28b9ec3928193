"""Generated cutovers for the invariants: rules that only ever get worse with worse values, and days on which things happen."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from decide.scene import PEOPLE, START, STEP, blind, plan, probe, reading, seconds, success, trigger
from hypothesis import strategies as st

from cockpit.decide.board import Board
from cockpit.decide.decide import changes, decide
from cockpit.decide.events import Acknowledgement, Decision, Entry, PhaseBegan, Record, Waiver
from cockpit.decide.settle import settle
from cockpit.decide.situation import Situation
from cockpit.decide.states import Word
from cockpit.plan.model import Criterion, Mode, OnUnknown, Phase, Plan, Severity
from probes.reading import Reading, Reason, Value

RANK = {Word.ROLLBACK: 0, Word.FIX_FORWARD: 0, Word.ROLLED_BACK: 1, Word.HOLD: 1, Word.GO: 2}
LEVELS: tuple[dict[str, Value], ...] = (
    {"rate": 0.0, "running": 3, "ok": True},
    {"rate": 0.03, "running": 2, "ok": True},
    {"rate": 0.08, "running": 1, "ok": False},
    {"rate": 0.5, "running": 0, "ok": False},
)
"""From best to worst: no rule below ever prefers a later one."""
BEST, WORST = 0, 3
RATES, COUNTS = (0.1, 0.05, 0.02), (1, 2, 3)
"""From lenient to strict."""

ALARM = "alarm"
ANN = next(person for person in PEOPLE if person.id == "ann")
"""States everything there is to state."""

Poll = int | Reason | None
"""A level, a reason for not knowing, or nothing at all."""


@dataclass(frozen=True)
class Rule:
    """A criterion before its thresholds are chosen: `strict` moves every threshold one notch."""

    kind: str
    shape: str
    atoms: tuple[tuple[str, str, int], ...]
    clear: tuple[str, str, int] | None
    params: tuple[tuple[str, Any], ...]

    def criterion(self, id_: str, strict: int = 0) -> Criterion:
        good = [_atom(probe, name, notch + strict) for probe, name, notch in self.atoms]
        more = dict(self.params)
        if self.kind == "success":
            return success(id_, self.shape.join(good), **more)
        if self.clear is not None:
            probe, name, notch = self.clear
            more["clear_condition"] = _atom(probe, name, notch + strict)
        return trigger(id_, self.shape.join(f"!({each})" for each in good), **more)


def _atom(probe: str, name: str, notch: int) -> str:
    notch = min(notch, 2)
    return {"rate": f"{probe}.rate < {RATES[notch]}", "running": f"{probe}.running >= {COUNTS[notch]}"}.get(
        name, f"{probe}.ok"
    )


ATOMS = st.tuples(st.sampled_from("mmmnnna"), st.sampled_from(["rate", "running", "ok"]), st.sampled_from([0, 1]))
REASONS = st.sampled_from(sorted(Reason))


@st.composite
def rules(draw: st.DrawFn, kind: str, opt_in: bool = False) -> Rule:
    params: dict[str, Any] = {
        "hold_for": draw(st.sampled_from([0, 0, 15, 30, 60, 120])),
        "min_samples": draw(st.integers(1, 3)),
        "gap_tolerance": draw(st.sampled_from([None, None, 15, 30, 60, 0])),
        "stale_after": draw(st.sampled_from([None, None, 45, 30, 120])),
        "initial_delay": draw(st.sampled_from([0, 0, 0, 30])),
        "until": draw(st.sampled_from([None, None, 45, 120])),
        "error_limit": draw(st.integers(1, 4)),
        "mode": draw(st.sampled_from([Mode.ENFORCE] * 5 + [Mode.SHADOW])),
    }
    clear = None
    if kind == "trigger":
        params["clear_for"] = draw(st.sampled_from([0, 30, 60]))
        params["severity"] = draw(
            st.sampled_from([Severity.CRITICAL] * 4 + [Severity.MAJOR, Severity.MAJOR, Severity.INFO])
        )
        clear = draw(st.none() | ATOMS)
        if draw(st.integers(0, 3)) == 0:
            params |= {
                "hold_for": 0,
                "within": draw(st.sampled_from([60, 120])),
                "at_least": draw(st.sampled_from([0.5, 0.8, 1.0])),
            }
        if opt_in and draw(st.booleans()):
            params |= {"on_unknown": OnUnknown.ROLLBACK, "unknown_limit": draw(st.sampled_from([30, 60]))}
    atoms = tuple(draw(st.lists(ATOMS, min_size=1, max_size=2)))
    return Rule(kind, draw(st.sampled_from([" && ", " || "])), atoms, clear, tuple(params.items()))


def rule_sets(opt_in: bool = False) -> st.SearchStrategy[list[Rule]]:
    """At least one of each kind."""
    first = st.tuples(rules("success"), rules("trigger", opt_in)).map(list)
    return st.tuples(first, st.lists(st.one_of(rules("success"), rules("trigger", opt_in)), max_size=3)).map(
        lambda parts: [*parts[0], *parts[1]]
    )


POLLS = st.sampled_from([BEST] * 6 + [1, 2] + [WORST] * 4 + [None, *sorted(Reason)])
SPELLS = st.tuples(POLLS, POLLS, st.integers(1, 8))
Day = list[tuple[Poll, Poll]]
DAYS = st.lists(SPELLS, min_size=1, max_size=4).map(
    lambda spells: [(BEST, BEST)] * 10 + [(m, n) for m, n, steps in spells for _ in range(steps)] + [(BEST, BEST)] * 10
)
"""What the polls of m and n say, step by step: spells of one kind between calm ones."""
PERIODS = st.sampled_from([0, 0, 30, 30])
"""Of the metric that m reads, in seconds; 0 for a live call."""


def plan_of(ruled: Sequence[Rule], strict: int = 0, period: int = 0, alarm: int | None = None) -> Plan:
    """`alarm` seconds of ringing roll back; None: there is no such trigger."""
    criteria = [rule.criterion(f"c{number}", strict) for number, rule in enumerate(ruled)]
    if alarm is not None:
        criteria.append(trigger(ALARM, "!a.ok", hold_for=alarm, clear_for=30))
    probes = probe("m", period=period, settle=period), probe("n"), probe("a")
    return plan(*criteria, dwell=30, probes=probes, people=(ANN,))


def reading_of(poll: Poll, step: int, probe: str, period: int = 0) -> Reading | None:
    when = START + (step + 1) * STEP + (timedelta(seconds=2) if probe == "n" else timedelta(0))
    if poll is None:
        return None
    if isinstance(poll, Reason):
        return blind(when, poll)
    if probe == "m" and period:
        ended = START + (when - START) // timedelta(seconds=period) * timedelta(seconds=period)
        return reading(when, LEVELS[poll], data_at=ended - timedelta(seconds=period))
    return reading(when, LEVELS[poll])


@dataclass(frozen=True)
class Answer:
    """Somebody decides on the trips of the alarm as soon as any wait. Days that differ elsewhere have these trips in common."""

    step: int
    """Not before it."""
    choice: str
    lasts: int | None
    """Seconds for which it is dismissed."""

    def said(self, situation: Situation) -> Iterator[Entry]:
        latch, now = situation.verdict.latch, situation.now + seconds(1)
        trips = tuple(trip for trip in (latch.trips if latch else ()) if trip.subject == ALARM)
        until = now + seconds(self.lasts) if self.lasts is not None and self.choice == "dismiss" else None
        if trips:
            yield Decision(now, self.choice, "ann", "so", "", "backup", "d1", trips, until)


@dataclass(frozen=True)
class Deeds:
    """What else happens on a day, by step: what people state, when the cockpit was not watching, when the alarm rings."""

    entries: tuple[tuple[int, Entry], ...] = ()
    answers: tuple[Answer, ...] = ()
    asleep: tuple[tuple[int, int], ...] = ()
    """Steps from and to."""
    rings: tuple[tuple[int, int], ...] | None = ()
    """Steps from and to; from before 0 where it rang before the day began. None: it is never read."""


NOTHING_ELSE = Deeds()


@dataclass(frozen=True)
class Night:
    """A plan, a day, and what happens on it. What it polls from `begins` on may be made worse: before that it would only be
    longer ago that the trouble began, and what was there before the cutover is not of its making."""

    plan: Plan
    day: Day
    deeds: Deeds
    begins: int

    def worse(self, turns: Iterable[tuple[int, int]], poll: Poll, *, good_alone: bool) -> Day:
        """The day with some polls (step and which of the two) turned."""
        made = [list(polls) for polls in self.day]
        for step, which in turns:
            held = made[self.begins + step % (len(made) - self.begins)]
            if held[which] == BEST or (not good_alone and held[which] is not None):
                held[which] = poll
        return [(m, n) for m, n in made]


CALM: Day = [(BEST, BEST)] * 10
OLD_SPELLS = st.tuples(st.sampled_from([BEST, 2, WORST]), st.sampled_from([BEST, BEST, WORST]), st.integers(2, 6))


THEMES = st.sampled_from(["anything", "anything", "anything", "old", "answered", "waived"])
"""What the night is about. But for "anything" the rest of it is calm, so that GO comes after it."""


@st.composite
def nights(draw: st.DrawFn, opt_in: bool = False, deploys: bool = True) -> Night:
    """With waivers, acknowledgements, decisions, sleeps and an alarm; some begin before the deployment."""
    theme = draw(THEMES)
    calm = theme != "anything"
    made = plan_of(
        draw(rule_sets(opt_in)),
        period=draw(PERIODS),
        alarm=draw(st.sampled_from([0, 0, 30] if calm else [None, 0, 30])),
    )
    entries: list[tuple[int, Entry]] = []
    day: Day = CALM * 3 if calm else draw(DAYS)
    begins = 0
    if deploys and draw(st.booleans()):
        m, n, lasts = draw(OLD_SPELLS)
        entries = [(0, PhaseBegan(START, Phase.PRE_DEPLOY)), (lasts, PhaseBegan(step_at(lasts), Phase.POST_DEPLOY))]
        old = [(m, n)] * (lasts + draw(st.integers(0, 4)))
        day, begins = old + CALM + day, len(old) + 5
    entries += draw(statements(made, theme, len(day)))
    rings = draw(st.sampled_from([(), ((-4, begins + 9),)]))
    answers: list[Answer] = []
    if theme == "old":
        rings = ((-4, len(day)),)
    elif theme == "answered" or draw(st.booleans()):
        since = begins + draw(st.integers(0, 12))
        rings += ((since, since + draw(st.integers(3, 8))),)
        for step in draw(st.lists(st.integers(since, since + 6), min_size=1, max_size=2)):
            choice = draw(st.sampled_from(["dismiss", "dismiss", "fix_forward", "fix_forward", "execute"]))
            answers.append(Answer(step, choice, draw(st.sampled_from([None, 60, 600]))))
    asleep: tuple[tuple[int, int], ...] = ()
    if draw(st.integers(0, 3)) == 0:
        since = draw(st.integers(begins, len(day) - 1))
        asleep = ((since, since + draw(st.integers(1, 8))),)
    entries.sort(key=lambda entry: entry[0])
    return Night(made, day, Deeds(tuple(entries), tuple(answers), asleep, rings), begins)


@st.composite
def statements(draw: st.DrawFn, made: Plan, theme: str, length: int) -> list[tuple[int, Entry]]:
    """What people state, by step."""
    subjects = [criterion.id for criterion in made.criteria()]
    stated: list[tuple[int, Entry]] = []
    for step in draw(st.lists(st.integers(0, length - 1), min_size=theme != "anything", max_size=2)):
        now, subject = step_at(step), ALARM if theme == "old" else draw(st.sampled_from(subjects))
        waiver = Waiver(now, subject, "ann", "known", now + seconds(draw(st.sampled_from([60, 600]))), "backup", "d1")
        seen = Acknowledgement(now, subject, "ann", "known", "backup", "d1")
        decided = Decision(now, draw(st.sampled_from(["execute", "fix_forward"])), "ann", "so", "", "backup", "d1")
        usual: dict[str, list[Entry]] = {
            "old": [seen],
            "waived": [waiver],
            "answered": [waiver, seen],
            "anything": [waiver, seen, decided],
        }
        stated.append((step, draw(st.sampled_from(usual[theme]))))
    return stated


def step_at(step: int) -> datetime:
    """When people state things in a step: after its polls."""
    return START + (step + 1) * STEP + seconds(2)


def alarm_at(step: int, rings: Sequence[tuple[int, int]]) -> Reading:
    """What the alarm says in a step, and since when."""
    when = START + (step + 1) * STEP + seconds(1)
    ringing = any(since <= step < until for since, until in rings)
    turned = max([at for span in rings for at in span if at <= step], default=-40)
    return reading(when, {"ok": not ringing}, state_since=START + (turned + 1) * STEP)


class Watching:
    """A watch that decides and records step by step; while it is asleep nothing is read or decided.

    `settled`: each situation is decided once more, and must be the last of its passes.
    """

    def __init__(self, made: Plan, entries: Sequence[Entry] = (), deeds: Deeds = NOTHING_ELSE, settled: bool = False):
        self.plan = made
        self.deeds = deeds
        self.settled = settled
        self.board, self.record = Board(made, START), Record(list(entries))
        self.situation = decide(made, self.board, self.record, START)
        self._period = int(made.probes["m"].period.total_seconds())
        self._open = list(deeds.answers)

    def copy(self) -> Watching:
        """One that has seen the same, and goes on by itself."""
        twin = copy.copy(self)
        twin.board, twin.record = self.board.copy(), self.record.copy()
        twin._open = list(self._open)
        return twin

    def step(self, step: int, polls: tuple[Poll, Poll]) -> Situation | None:
        """The situation after these polls; None while it is asleep."""
        deeds, board, record = self.deeds, self.board, self.record
        now = START + (step + 1) * STEP + timedelta(seconds=3)
        if any(since <= step < until for since, until in deeds.asleep):
            return None
        for since, until in deeds.asleep:
            if step == until:
                board.gap(START + since * STEP + timedelta(seconds=3), now)
        if deeds.rings is not None:
            board.add("a", alarm_at(step, deeds.rings))
        for name, poll in zip("mn", polls, strict=True):
            answer = reading_of(poll, step, name, self._period)
            if answer is not None:
                board.add(name, self._with_the_period_before(answer) if name == "m" and self._period else answer)
        record.extend(entry for when, entry in deeds.entries if when == step)
        for due in [each for each in self._open if each.step <= step]:
            if said := list(due.said(self.situation)):
                record.extend(said)
                self._open.remove(due)
        self.situation, found = settle(self.plan, board, record, self.situation, now)
        if self.settled and found:
            assert not list(changes(self.situation, decide(self.plan, board, record, now))), "it settles in its passes"
        return self.situation

    def _with_the_period_before(self, answer: Reading) -> Reading:
        """A store has every period, whoever asked for it then, and corrects the one before to what it is by now."""
        if not answer.values:
            return answer
        return replace(answer, earlier=(replace(answer, data_at=answer.data_at - seconds(self._period)),))


def ticks(
    made: Plan,
    day: Sequence[tuple[Poll, Poll]],
    entries: Sequence[Entry] = (),
    deeds: Deeds = NOTHING_ELSE,
    *,
    settled: bool = False,
) -> Iterator[Situation]:
    """Every situation of a day, decided and recorded as a watch does."""
    watch = Watching(made, entries, deeds, settled)
    for step, polls in enumerate(day):
        if (situation := watch.step(step, polls)) is not None:
            yield situation


def beside(night: Night, other: Day, entries: Sequence[Entry] = ()) -> Iterator[tuple[Situation, Situation]]:
    """The situations of a night and of another day of it, from where they differ on: until then it is watched once."""
    first = next((at for at, polls in enumerate(night.day) if polls != other[at]), len(other))
    watch = Watching(night.plan, entries, night.deeds)
    for step in range(first):
        watch.step(step, other[step])
    twin = watch.copy()
    for step in range(first, len(other)):
        one, two = watch.step(step, night.day[step]), twin.step(step, other[step])
        if one is not None and two is not None:
            yield one, two
