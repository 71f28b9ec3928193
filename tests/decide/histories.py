"""Generated cutovers for the invariants: rules that only ever get worse with worse values, and days on which things happen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from decide.scene import START, STEP, blind, plan, reading, success, trigger
from hypothesis import strategies as st

from cockpit.decide.board import Board
from cockpit.decide.decide import changes, decide
from cockpit.decide.events import Entry, Record
from cockpit.decide.settle import settle
from cockpit.decide.situation import Situation
from cockpit.decide.states import Word
from cockpit.plan.model import Criterion, Mode, OnUnknown, Plan, Severity
from probes.reading import Reading, Reason, Value

RANK = {Word.ROLLBACK: 0, Word.FIX_FORWARD: 0, Word.HOLD: 1, Word.GO: 2}
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
        "hold_for": draw(st.sampled_from([0, 15, 30, 60])),
        "min_samples": draw(st.integers(1, 3)),
        "gap_tolerance": draw(st.sampled_from([15, 30, 60, 0])),
        "stale_after": draw(st.sampled_from([45, 30, 120])),
        "initial_delay": draw(st.sampled_from([0, 0, 30])),
        "error_limit": draw(st.integers(1, 4)),
        "mode": draw(st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.ENFORCE, Mode.SHADOW])),
    }
    clear = None
    if kind == "trigger":
        params["clear_for"] = draw(st.sampled_from([0, 30, 60]))
        params["severity"] = draw(
            st.sampled_from([Severity.CRITICAL, Severity.CRITICAL, Severity.MAJOR, Severity.INFO])
        )
        clear = draw(st.none() | ATOMS)
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


POLLS = st.sampled_from([BEST, BEST, BEST, BEST, 1, 2, WORST, WORST, None, *sorted(Reason)])
SPELLS = st.tuples(POLLS, POLLS, st.integers(1, 8))
DAYS = st.lists(SPELLS, min_size=1, max_size=4).map(
    lambda spells: [(BEST, BEST)] * 5 + [(m, n) for m, n, steps in spells for _ in range(steps)] + [(BEST, BEST)] * 5
)
"""What the polls of m and n say, step by step: spells of one kind between calm ones."""


def plan_of(ruled: Sequence[Rule], strict: int = 0) -> Plan:
    return plan(*(rule.criterion(f"c{number}", strict) for number, rule in enumerate(ruled)), dwell=30)


def reading_of(poll: Poll, step: int, probe: str) -> Reading | None:
    when = START + (step + 1) * STEP + (timedelta(seconds=2) if probe == "n" else timedelta(0))
    if poll is None:
        return None
    return blind(when, poll) if isinstance(poll, Reason) else reading(when, LEVELS[poll])


def ticks(plan: Plan, day: Sequence[tuple[Poll, Poll]], entries: Sequence[Entry] = ()) -> list[Situation]:
    """Every situation of a day, decided and recorded as a watch does."""
    board, record = Board(plan, START), Record(list(entries))
    situation = decide(plan, board, record, START)
    seen = []
    for step, polls in enumerate(day):
        for probe, poll in zip("mn", polls, strict=True):
            answer = reading_of(poll, step, probe)
            if answer is not None:
                board.add(probe, answer)
        now = START + (step + 1) * STEP + timedelta(seconds=3)
        situation, _ = settle(plan, board, record, situation, now)
        assert not list(changes(situation, decide(plan, board, record, now))), "it settles within its passes"
        seen.append(situation)
    return seen
