"""What must hold whatever happens (order ROLLBACK < HOLD < GO)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from decide.histories import (
    ALARM,
    BEST,
    DAYS,
    LEVELS,
    RANK,
    REASONS,
    WORST,
    Deeds,
    Night,
    Poll,
    Rule,
    beside,
    nights,
    plan_of,
    reading_of,
    rule_sets,
    ticks,
)
from decide.scene import CALM, START, ask, at, blind, gate, item, plan, probe, reading, success, trigger
from hypothesis import Phase as Stage
from hypothesis import assume, given, seed, settings
from hypothesis import strategies as st

from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import (
    Acknowledgement,
    Decision,
    Entry,
    ObserverGap,
    PhaseBegan,
    PointOfNoReturn,
    Record,
    SignOff,
    Vote,
    Waiver,
)
from cockpit.decide.settle import settle
from cockpit.decide.situation import Badge, Situation
from cockpit.decide.states import State, Word
from cockpit.plan.model import OnUnknown, Phase, Severity
from probes.reading import Reading, Reason, Unknown

EXAMPLES = int(os.environ.get("EXAMPLES", "10"))
"""More for a longer look: `EXAMPLES=100000 pytest --timeout 0 tests/decide/test_invariants.py` (hours)."""
QUICK = settings(max_examples=EXAMPLES)
PRE = [PhaseBegan(START, Phase.PRE_DEPLOY)]
LOUD = st.sampled_from([Reason.TIMEOUT, Reason.ACCESS_DENIED, Reason.NOT_FOUND])


def never_toward_go(pairs: Iterable[tuple[Situation, Situation]]) -> None:
    for one, other in pairs:
        before, after = one.verdict.word, other.verdict.word
        assert RANK[after] <= RANK[before], f"{before} -> {after} at {one.now - START}"


TURNS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 1)), min_size=1, max_size=3)


@QUICK
@given(nights(opt_in=True), TURNS, REASONS)
def test_turning_a_good_sample_into_unknown_never_moves_the_verdict_toward_go(
    night: Night, turns: list[tuple[int, int]], reason: Reason
) -> None:
    worse = night.worse(turns, reason, good_alone=True)
    never_toward_go(beside(night, worse))


@QUICK
@given(nights(deploys=False), TURNS, LOUD)
def test_before_deployment_too(night: Night, turns: list[tuple[int, int]], reason: Reason) -> None:
    """For want of traffic a trigger is excused there, so other reasons are drawn."""
    worse = night.worse(turns, reason, good_alone=True)
    never_toward_go(beside(night, worse, PRE))


@QUICK
@given(nights(), TURNS)
def test_turning_any_sample_into_a_bad_one_never_moves_the_verdict_toward_go(
    night: Night, turns: list[tuple[int, int]]
) -> None:
    """Where no trigger opted in to roll back blind: there, being seen to breach is milder than not being seen."""
    worse = night.worse(turns, WORST, good_alone=False)
    never_toward_go(beside(night, worse))


@QUICK
@given(rule_sets(), DAYS)
def test_a_stricter_threshold_never_moves_it_toward_go(ruled: list[Rule], day: list[tuple[Poll, Poll]]) -> None:
    """Where no trigger opted in to roll back blind: there, being seen to breach is milder than not being seen."""
    never_toward_go(zip(ticks(plan_of(ruled), day), ticks(plan_of(ruled, strict=1), day), strict=True))


@QUICK
@given(
    rule_sets(opt_in=True), st.lists(st.tuples(REASONS | st.none(), REASONS | st.none()), max_size=20), st.booleans()
)
def test_a_stream_of_only_unknown_never_gives_go_nor_rollback_unless_opted_in(
    ruled: list[Rule], day: list[tuple[Poll, Poll]], before: bool
) -> None:
    made = plan_of(ruled)
    opted_in = any(c.on_unknown is OnUnknown.ROLLBACK for c in made.criteria())
    for situation in ticks(made, day, PRE if before else (), Deeds(rings=None)):
        assert situation.verdict.word is Word.HOLD or (opted_in and situation.verdict.word is Word.ROLLBACK)
        assert situation.verdict.word is Word.ROLLBACK or situation.verdict.exit_code == 3


@QUICK
@given(rule_sets(opt_in=True), DAYS)
def test_go_has_held_without_a_break_for_the_whole_dwell(ruled: list[Rule], day: list[tuple[Poll, Poll]]) -> None:
    made = plan_of(ruled)
    seen = list(ticks(made, day))
    for number, situation in enumerate(seen):
        if situation.verdict.word is not Word.GO:
            continue
        for earlier in seen[:number]:
            if situation.now - earlier.now < made.verdict_dwell:
                assert all(c.ok for c in earlier.criteria if c.enforced)
                assert earlier.verdict.word is not Word.ROLLBACK


@QUICK
@given(rule_sets(opt_in=True), DAYS)
def test_the_verdict_says_why_and_the_path_leads_to_go(ruled: list[Rule], day: list[tuple[Poll, Poll]]) -> None:
    for situation in ticks(plan_of(ruled), day):
        assert situation.verdict.reasons
        assert all(situation.verdict.reasons)
        assert bool(situation.path_to_go) or situation.verdict.word is not Word.HOLD
        assert situation.verdict.word is not Word.GO or not situation.path_to_go
        assert all(step.eta is None or step.eta >= situation.now for step in situation.path_to_go)


@QUICK
@given(nights(opt_in=True))
def test_a_trip_nobody_decides_on_calls_until_the_night_ends(night: Night) -> None:
    """Whatever else is dismissed, waived, acknowledged or decided, and whatever the metric does then.

    A decision that names no trips answers all that were known, and the course it sets may be followed by another's end.
    """
    unnamed = any(isinstance(entry, Decision) and entry.answers is None for _, entry in night.deeds.entries)
    assume(not (unnamed and night.deeds.answers))
    waived = {entry.subject for _, entry in night.deeds.entries if isinstance(entry, Waiver)}
    calls = False
    for situation in ticks(night.plan, night.day, deeds=night.deeds, settled=True):
        if situation.verdict.phase is Phase.POST_DEPLOY:
            calls = calls or any(
                each.state is State.TRIPPED
                and Badge.PRE_EXISTING not in each.badges
                and each.id not in {ALARM, *waived}
                for each in situation.criteria
                if each.enforced and each.severity is Severity.CRITICAL
            )
            assert not calls or situation.verdict.word is Word.ROLLBACK


class AllReachedError(Exception):
    """No more days are drawn."""


DECIDED = ("roll back", "fix forward", "dismissed")


def test_the_days_reach_every_state() -> None:
    """What the invariants are tried on really gets to where they could break."""
    reached: set[str] = set()

    wanted = {*State, *Badge, Word.GO, Word.HOLD, Word.ROLLBACK, "a metric", "a gap", *DECIDED}
    wanted |= {f"GO, {badge}" for badge in (Badge.PRE_EXISTING, Badge.WAIVED, Badge.FLAPPED)}
    wanted |= {f"GO after {decided}" for decided in ("dismissed", "fix forward")}

    @seed(1)
    @settings(max_examples=400, database=None, phases=(Stage.generate,), report_multiple_bugs=False)
    @given(nights(opt_in=True))
    def look(night: Night) -> None:
        if wanted <= reached:
            raise AllReachedError
        found: set[str] = {"a metric"} if night.plan.probes["m"].period else set()
        found |= {"a gap"} if night.deeds.asleep else set()
        for situation in ticks(night.plan, night.day, deeds=night.deeds):
            verdict = situation.verdict
            badges = {badge for each in situation.criteria for badge in each.badges}
            found |= {verdict.word, *badges, *(each.state for each in situation.criteria)}
            found |= {decided for decided in DECIDED if decided in verdict.decided}
            if verdict.word is Word.GO:
                found |= {f"GO, {badge}" for badge in badges}
                found |= {f"GO after {decided}" for decided in found.intersection(DECIDED)}
        reached.update(found)

    with contextlib.suppress(AllReachedError):
        look()
    assert wanted - reached == set()


# -- arrival ---------------------------------------------------------------------------------------------------------

SLOW = (probe("m", period=60), probe("n"))
MIXED = (
    success("both", "m.ok && n.ok", hold_for=30, gap_tolerance=120, stale_after=120),
    trigger("either", "m.rate > 0.05 || n.rate > 0.05", hold_for=30, clear_for=30, clear_condition="n.running > 1"),
    trigger("errors", "m.rate > 0.05", on_unknown=OnUnknown.ROLLBACK, unknown_limit=60),
    trigger("alarm", "!n.ok"),
)


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[str, Reading]]:
    """Readings as they were made: periods polled again and corrected, older periods along with them, parts and blanks."""
    made: list[tuple[str, Reading]] = []
    for step in range(draw(st.integers(1, 10))):
        when = at(15 * (step + 1))
        period = at(60 * (draw(st.integers(0, 15 * (step + 1))) // 60))
        earlier = tuple(
            reading(when, LEVELS[draw(st.integers(0, 3))], data_at=period - timedelta(minutes=back))
            for back in range(draw(st.integers(0, 2)), 0, -1)
        )
        said = _answer(draw, when, data_at=period, earlier=earlier)
        again = draw(st.booleans())
        if made and again:
            said = replace(made[-2][1], observed_at=when)  # the same again: nothing new in the world
        made.append(("m", said))
        made.append(("n", _answer(draw, when, state_since=draw(st.sampled_from([None, at(-60), at(5)])))))
    return made


def _answer(draw: st.DrawFn, when: object, **more: object) -> Reading:
    level = draw(st.integers(-1, 3))
    if level < 0:
        return blind(when, draw(REASONS))  # type: ignore[arg-type]
    full = reading(when, LEVELS[level], **more)  # type: ignore[arg-type]
    if draw(st.booleans()):
        return full
    lost = draw(st.sampled_from(["rate", "ok", "running"]))
    values = {name: value for name, value in full.values.items() if name != lost}
    return Reading(
        full.observed_at,
        full.data_at,
        values,
        {lost: Unknown(draw(REASONS))},
        state_since=full.state_since,
        earlier=full.earlier,
    )


@settings(max_examples=2 * EXAMPLES)
@given(arrivals(), st.randoms(use_true_random=False), st.booleans())
def test_shuffling_arrival_order_changes_no_state(
    made: list[tuple[str, Reading]], shuffle: object, looking: bool
) -> None:
    """Nor anything else of the Situation, whether it was decided in between or only at the end."""
    arranged = list(made)
    shuffle.shuffle(arranged)  # type: ignore[attr-defined]
    mixed = plan(*MIXED, probes=SLOW)
    one, other = Board(mixed, START), Board(mixed, START)
    now = at(15 * 12)
    for name, answer in made:
        one.add(name, answer)
    for name, answer in arranged:
        if looking:
            decide(other.plan, other, Record(), now)
        other.add(name, answer)
    assert decide(one.plan, one, Record(), now) == decide(other.plan, other, Record(), now)


# -- replay ----------------------------------------------------------------------------------------------------------

EVERYTHING = plan(
    *MIXED,
    *CALM,
    success("team", "", sign_off=ask(valid_for=120)),
    probes=SLOW,
    items=(item("infra", "m.ok"), item("vpn", sign_off=ask())),
    after=(item("smoke", "n.ok", sign_off=ask()),),
    gates=(gate(valid_for=60),),
    dwell=30,
)
SUBJECTS = st.sampled_from(["both", "either", "errors", "alarm", "infra", "vpn", "smoke", "team"])


@st.composite
def deeds(draw: st.DrawFn) -> list[tuple[int, Entry | None]]:
    """What people do, and when nobody looked (None), by step."""
    done: list[tuple[int, Entry | None]] = []
    for step in draw(st.lists(st.integers(0, 19), max_size=8)):
        now, who = at(15 * (step + 1)), draw(st.sampled_from(["ann", "bob"]))
        done.append(
            (
                step,
                draw(
                    st.sampled_from(
                        [
                            SignOff(now, draw(SUBJECTS), who, "on_call", "seen", EVERYTHING.digest),
                            Vote(
                                now,
                                "go_no_go",
                                who,
                                draw(st.sampled_from(["on_call", "backup"])),
                                "go",
                                plan_digest="d1",
                            ),
                            Waiver(now, draw(SUBJECTS), who, "known", now + timedelta(seconds=60), "backup", "d1"),
                            Acknowledgement(now, "alarm", who, "known", "backup", "d1"),
                            Decision(now, draw(st.sampled_from(["dismiss", "execute"])), who, "so", "", "backup", "d1"),
                            PhaseBegan(now, draw(st.sampled_from(list(Phase)))),
                            PointOfNoReturn(now, "documents"),
                            None,
                        ]
                    )
                ),
            )
        )
    return sorted(done, key=lambda deed: deed[0])


@settings(max_examples=max(20, EXAMPLES // 2))
@given(arrivals(), deeds(), st.lists(st.sampled_from([BEST, BEST, BEST, WORST]), min_size=10, max_size=10))
def test_replaying_the_same_readings_and_record_reproduces_every_situation(
    made: list[tuple[str, Reading]], deeds: list[tuple[int, Entry | None]], tail: list[int]
) -> None:
    polls = [*made, *((name, reading_of(level, 10 + n, name)) for n, level in enumerate(tail) for name in "mn")]
    record, board = Record(), Board(EVERYTHING, START)
    situation = decide(EVERYTHING, board, record, START)
    kept: list[tuple[int, int, Situation]] = []
    arrived = 0
    for step in range(20):
        now = at(15 * (step + 1) + 5)
        while arrived < len(polls) and polls[arrived][1].observed_at <= now:  # type: ignore[union-attr]
            board.add(polls[arrived][0], polls[arrived][1])  # type: ignore[arg-type]
            arrived += 1
        for when, deed in deeds:
            if when == step:
                entry = deed or ObserverGap(now, now - timedelta(seconds=50))
                record.append(entry)
                if isinstance(entry, ObserverGap):
                    board.gap(entry.since, entry.at)
        situation, _ = settle(EVERYTHING, board, record, situation, now)
        kept.append((arrived, len(record.entries), situation))
    again, rerecord, taken = Board(EVERYTHING, START), Record(), 0
    for arrived, written, was in kept:
        for name, answer in polls[taken:arrived]:
            again.add(name, answer)  # type: ignore[arg-type]
        taken = arrived
        for entry in record.entries[len(rerecord.entries) : written]:
            rerecord.append(entry)
            if isinstance(entry, ObserverGap):
                again.gap(entry.since, entry.at)
        assert decide(EVERYTHING, again, rerecord, was.now) == was
