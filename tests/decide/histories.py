"""Generated cutovers for the invariants: rules that only ever get worse with worse values, and days on which things happen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from decide.scene import START, STEP, blind, plan, probe, reading, success, trigger
from hypothesis import strategies as st

from cockpit.decide.board import Board
from cockpit.decide.decide import changes, decide
from cockpit.decide.events import Entry, Record
from cockpit.decide.settle import settle
from cockpit.decide.situation import Situation
from cockpit.decide.states import Word
from cockpit.plan.model import Criterion, Mode, OnUnknown, Plan, Severity
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


ATOMS = st.tuples(st.sampled_from("mn"), st.sampled_from(["rate", "running", "ok"]), st.sampled_from([0, 1]))
REASONS = st.sampled_from(sorted(Reason))


@st.composite
def rules(draw: st.DrawFn, kind: str, opt_in: bool = False) -> Rule:
    params: dict[str, Any] = {
        "hold_for": draw(st.sampled_from([0, 0, 15, 30, 60, 120])),
        "min_samples": draw(st.integers(1, 3)),
        "gap_tolerance": draw(st.sampled_from([None, None, 15, 30, 60, 0])),
        "stale_after": draw(st.sampled_from([None, None, 45, 30, 120])),
        "initial_delay": draw(st.sampled_from([0, 0, 0, 30])),
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


POLLS = st.sampled_from([BEST] * 6 + [1, 2, WORST, WORST, None, *sorted(Reason)])
SPELLS = st.tuples(POLLS, POLLS, st.integers(1, 8))
Day = list[tuple[Poll, Poll]]
DAYS = st.lists(SPELLS, min_size=1, max_size=4).map(
    lambda spells: [(BEST, BEST)] * 10 + [(m, n) for m, n, steps in spells for _ in range(steps)] + [(BEST, BEST)] * 10
)
"""What the polls of m and n say, step by step: spells of one kind between calm ones."""
PERIODS = st.sampled_from([0, 0, 0, 30])
"""Of the metric that m reads, in seconds; 0 for a live call."""


def plan_of(ruled: Sequence[Rule], strict: int = 0, period: int = 0) -> Plan:
    criteria = (rule.criterion(f"c{number}", strict) for number, rule in enumerate(ruled))
    return plan(*criteria, dwell=30, probes=(probe("m", period=period, settle=period), probe("n")))


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
class Deeds:
    """What else happens on a day, by step: what people state, and when the cockpit was not watching."""

    entries: tuple[tuple[int, Entry], ...] = ()
    asleep: tuple[tuple[int, int], ...] = ()
    """Steps from and to."""


NOTHING_ELSE = Deeds()


def ticks(
    made: Plan, day: Sequence[tuple[Poll, Poll]], entries: Sequence[Entry] = (), deeds: Deeds = NOTHING_ELSE
) -> list[Situation]:
    """Every situation of a day, decided and recorded as a watch does; while it is asleep nothing is read or decided."""
    board, record = Board(made, START), Record(list(entries))
    period = int(made.probes["m"].period.total_seconds())
    situation = decide(made, board, record, START)
    seen = []
    for step, polls in enumerate(day):
        now = START + (step + 1) * STEP + timedelta(seconds=3)
        if any(since <= step < until for since, until in deeds.asleep):
            continue
        for since, until in deeds.asleep:
            if step == until:
                board.gap(START + since * STEP + timedelta(seconds=3), now)
        for name, poll in zip("mn", polls, strict=True):
            answer = reading_of(poll, step, name, period)
            if answer is not None:
                board.add(name, answer)
        record.extend(entry for when, entry in deeds.entries if when == step)
        situation, _ = settle(made, board, record, situation, now)
        assert not list(changes(situation, decide(made, board, record, now))), "it settles within its passes"
        seen.append(situation)
    return seen
