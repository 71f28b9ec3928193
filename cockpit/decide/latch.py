"""The latch: a rollback once shown stays until a named person decides, whatever the metric does afterwards.

What latches are occurrences: one trip of one trigger each. A decision answers those it names, and what trips later latches anew.
The record keeps which were shown, so that neither corrected data nor a restart takes one away.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from cockpit.decide.counted import Counted
from cockpit.decide.criterion import Judged
from cockpit.decide.events import DECISION, Change, Decision, Occurrence
from cockpit.decide.shortened import ends_by, renews
from cockpit.decide.situation import Latch
from cockpit.decide.state_machine import Trip
from cockpit.decide.states import State, Word
from cockpit.plan.model import VERDICT, Severity
from probes.frozen import frozen

ROLLING_BACK = frozenset(word for word in Word if word.calls_for_decision)
COURSES = frozenset({"execute", "fix_forward"})
"""Choices that set the cutover on a course, which has an end; "dismiss" says that there is nothing to do."""


@frozen
class Cause:
    """An occurrence that calls for a rollback."""

    since: datetime
    trigger: str
    first: datetime
    """When its trigger tripped first since it was last clear."""
    until: datetime | None = None
    cleared: datetime | None = None
    lasts: bool = True
    """Whether the data still show the trip; else the record alone does."""
    latched: datetime | None = None
    """Since when it calls for a rollback, where that is later than `since`."""

    @property
    def named(self) -> Occurrence:
        return Occurrence(self.since, self.trigger)

    @property
    def place(self) -> tuple[datetime, str, datetime]:
        """Their order: two trips of one trigger may wait since the same moment, when a dismissal of both ended."""
        return self.since, self.trigger, self.first


@frozen
class Standing:
    """What the trips and decisions of a phase come to."""

    latch: Latch | None = None
    """The rollback that waits for a decision."""
    course: Decision | None = None
    """The newest decision to roll back or to fix forward, unless it was withdrawn."""
    ended: datetime | None = None
    """When the record shows that the course came to its end."""
    dismissals: tuple[Decision, ...] = ()
    """Those that now keep a trip from latching, of a trigger that is not clear."""

    @property
    def under_way(self) -> Decision | None:
        return self.course if self.ended is None else None


def standing(judged: Sequence[Judged], record: Counted, now: datetime) -> Standing:
    """Which trips wait for a decision at `now`, and the decision that is being carried out."""
    answers = _Answers(record, now)
    shown = list(_shown(judged, record))
    names = [*sorted(cause.named for cause in shown), *answers.names()]
    known = [name for name in names if name.since <= now]
    by_name = {cause.named: cause for cause in (*shown, *_criticals(judged, known), *_majors(judged, shown, answers))}
    causes = sorted(by_name.values(), key=lambda cause: cause.place)
    answers.learn(causes)
    left = (cause for each in causes if (cause := answers.left_open(each)) is not None)
    open_ = sorted(left, key=lambda cause: cause.place)
    course = answers.course()
    return Standing(
        _latch(open_, now),
        course,
        _ended(course, record),
        answers.in_force(causes),
    )


def _latch(open_: Sequence[Cause], now: datetime) -> Latch | None:
    if not open_:
        return None
    since = min(cause.latched or cause.since for cause in open_)
    newest = {cause.trigger: cause.named for cause in open_}
    triggers = tuple(dict.fromkeys(cause.trigger for cause in open_ if cause.trigger))
    return Latch(since, now - since, triggers, tuple(sorted(newest.values())))


def _criticals(judged: Sequence[Judged], known: Sequence[Occurrence]) -> Iterator[Cause]:
    """`known`: what the record names, this cockpit's own first."""
    for each in judged:
        if each.criterion.enforced and each.criterion.severity is Severity.CRITICAL:
            seen = {Occurrence(trip.since, each.criterion.id) for trip in each.trips if trip.unseen is None}
            for trip in each.trips:
                named = (o.since for o in known if o.subject == each.criterion.id and o not in seen)
                kept = _as_named(trip, named)
                yield Cause(kept.since, each.criterion.id, kept.first, kept.until, kept.cleared)


def _as_named(trip: Trip, named: Iterable[datetime]) -> Trip:
    """A trip for not having been seen, by the moment that the record names: there is one such trip between two sights, but its
    moment moves with what is learned of how late the data is."""
    if trip.unseen is None:
        return trip
    inside = (moment for moment in named if trip.unseen < moment and (trip.until is None or moment <= trip.until))
    return replace(trip, since=next(inside, trip.since))


def _majors(judged: Sequence[Judged], shown: Sequence[Cause], answers: _Answers) -> Iterator[Cause]:
    """Majors that are TRIPPED and seen at this moment, two at least: one alone is not enough. The record keeps them."""
    newest = {each.criterion.id: each.trips[-1] for each in judged if _is_major(each) and each.trips}
    seen = [each.criterion.id for each in judged if tripped_major(each)]
    together = [Cause(newest[id_].since, id_, newest[id_].first) for id_ in seen]
    for cause in shown:  # what the data say of a major that was shown
        trip = newest.get(cause.trigger)
        if trip is not None and trip.since == cause.since:
            yield replace(cause, first=trip.first, until=trip.until, cleared=trip.cleared, lasts=True)
    if len(together) < 2:
        return
    answers.learn(together)
    begins = sorted(cause.since for cause in together)[1]
    if any(answers.left_open(cause) is not None for cause in together):
        yield from (replace(cause, latched=max(begins, cause.since)) for cause in together)


def _is_major(each: Judged) -> bool:
    return each.criterion.enforced and each.criterion.severity is Severity.MAJOR


def tripped_major(each: Judged) -> bool:
    """Whether it is one of the majors of which two call for a rollback, whatever was decided on its trip."""
    return _is_major(each) and bool(each.trips) and each.status.state is State.TRIPPED and each.status.unknown is None


def _shown(judged: Sequence[Judged], record: Counted) -> Iterator[Cause]:
    """What the record shows as latched in this phase."""
    began = record.place(record.phase())
    for change in record.turns.get(VERDICT, ()):
        if change.after in ROLLING_BACK and record.place(change) > began:
            given = change.latched if change.latched is not None else _unnamed(change, judged, record)
            for named in given:
                yield Cause(named.since, named.subject, named.since, lasts=False)


def _unnamed(change: Change, judged: Sequence[Judged], record: Counted) -> tuple[Occurrence, ...]:
    """What an earlier version latched: the triggers that tripped with it."""
    if change.before in ROLLING_BACK:
        return ()
    with_it = [
        each.criterion.id
        for each in judged
        if any(c.at == change.at and c.after == State.TRIPPED for c in record.turns.get(each.criterion.id, ()))
    ]
    return tuple(Occurrence(change.at, id_) for id_ in with_it or [""])


def _ended(course: Decision | None, record: Counted) -> datetime | None:
    """When the verdict first was another after a course was set; one that names no trips (an earlier version's) has no end."""
    if course is None or course.answers is None:
        return None
    place = record.place(course)
    later = (c for c in reversed(record.turns.get(VERDICT, ())) if c.after not in ROLLING_BACK)
    ends = [change.at for change in later if record.place(change) > place]
    return ends[-1] if ends else None


class _Answers:
    """The decisions of one phase, and which occurrences they answer."""

    def __init__(self, record: Counted, now: datetime) -> None:
        self._record = record
        self._now = now
        began = record.place(record.phase())
        self._decisions = [
            each for each in reversed(record.all(Decision)) if each.choice != "proceed" and record.place(each) > began
        ]
        """The newest first."""
        self._turns: dict[str, list[Change]] = {}
        self.learn(())

    def learn(self, causes: Iterable[Cause]) -> None:
        """All occurrences there are: a name means the one of them that is nearest to it."""
        self._known: dict[str, list[Cause]] = {}
        self._meanings: dict[tuple[int, str], Cause | None] = {}
        for cause in causes:
            self._known.setdefault(cause.trigger, []).append(cause)

    def names(self) -> list[Occurrence]:
        """All that the decisions name."""
        return sorted(name for each in self._decisions for name in each.answers or ())

    def course(self) -> Decision | None:
        for place, each in enumerate(self._decisions):
            if each.choice in COURSES:
                mark = Occurrence(each.proof.dated or each.at, DECISION)
                withdrawn = any(mark in (later.answers or ()) for later in self._decisions[:place])
                return None if withdrawn else each
        return None

    def left_open(self, cause: Cause) -> Cause | None:
        """The occurrence if it waits for a decision: nobody answered it, or its dismissal is over and it lasts."""
        answer = self._answer(cause)
        if answer is None:
            return cause
        ends = self._end(answer)
        if ends is None or self._now < ends or not cause.lasts or (cause.cleared is not None and cause.cleared <= ends):
            return None
        return replace(cause, since=max(cause.since, ends), latched=None)

    def in_force(self, causes: Iterable[Cause]) -> tuple[Decision, ...]:
        answers = [self._answer(cause) for cause in causes if cause.lasts and cause.cleared is None]
        dismissals = dict.fromkeys(each for each in answers if each is not None and each.choice == "dismiss")
        return tuple(replace(each, until=self._end(each)) for each in dismissals)

    def _end(self, answer: Decision) -> datetime | None:
        """When an answer is over: one that was given anew, for a shorter time, ends by then."""
        place = self._record.place(answer)
        renewed = [each for each in self._record.ends if self._record.place(each) > place and renews(each, answer)]
        ends = [answer.until, *(ends_by(each) for each in renewed)]
        return min((each for each in ends if each is not None), default=None)

    def _answer(self, cause: Cause) -> Decision | None:
        return next((each for each in self._decisions if self._covers(each, cause)), None)

    def _covers(self, decision: Decision, cause: Cause) -> bool:
        if decision.answers is None:
            return self._was_known(cause, decision)
        meant = self._meant(decision, cause.trigger)
        if meant is None:
            return False
        if decision.choice == "dismiss" and decision.until is not None:
            # For so long: with it goes what trips again before the trigger is clear.
            return cause.first <= meant.since
        return cause.since <= meant.since

    def _meant(self, decision: Decision, trigger: str) -> Cause | None:
        """The newest occurrence of a trigger that a decision answers: the one nearest to the time it names.

        Another cockpit saw the same trip a little earlier or later, by a clock of its own.
        """
        key = id(decision), trigger
        if key not in self._meanings:
            named = max((each.since for each in decision.answers or () if each.subject == trigger), default=None)
            known = [] if named is None else [c for c in self._known[trigger] if self._is_older(c, decision)]
            self._meanings[key] = min(known, key=lambda c: (abs(c.since - (named or c.since)), c.since), default=None)
        return self._meanings[key]

    def _is_older(self, cause: Cause, decision: Decision) -> bool:
        """Whether the trip was read or shown here before this cockpit learned of the decision."""
        return cause.since <= (decision.proof.received or decision.at) or self._was_known(cause, decision)

    def _was_known(self, cause: Cause, decision: Decision) -> bool:
        """Whether the trip had been shown here before the decision: an answer may arrive after one given without it."""
        shown = self._shown(cause)
        if shown is not None:
            return self._record.place(shown) < self._record.place(decision)
        return cause.since <= decision.at

    def _shown(self, cause: Cause) -> Change | None:
        """The change that first showed the trip."""
        if cause.trigger not in self._turns:
            turns = self._record.turns.get(cause.trigger, ())
            self._turns[cause.trigger] = [turn for turn in turns if turn.after == State.TRIPPED]
        turns = self._turns[cause.trigger]
        place = bisect_left(turns, cause.since, key=lambda turn: turn.at)
        if place == len(turns) or (cause.until is not None and turns[place].at > cause.until):
            return None
        return turns[place]
