"""One story from its beginning to its end, without a terminal, and whether it came to what it expects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cockpit import formatting
from cockpit.decide.events import Change, Record
from cockpit.decide.situation import Situation
from cockpit.stories.healthy_values import Contradiction, healthy
from cockpit.stories.played_source import PlayedSource
from cockpit.stories.played_watch import UNWATCHED_REST, WATCHED_REST, PlayedWatch
from cockpit.stories.played_world import PlayedWorld
from cockpit.stories.story_clock import BEGINS, StoryClock
from cockpit.stories.story_director import StoryDirector
from cockpit.stories.story_file import Expectation, Story
from probes.frozen import frozen


@frozen
class Failure:
    """An expectation that was not met: what was so instead, and why, at that time."""

    expectation: Expectation
    elapsed: timedelta
    instead: str
    because: str

    def __str__(self) -> str:
        wanted = worded(self.expectation)
        return f"{self.expectation.position}: {wanted}: at {formatting.duration(self.elapsed)} {self.instead}: {self.because}"


@frozen
class Ended:
    """How a story ended."""

    story: Story
    failures: tuple[Failure, ...]
    situation: Situation
    changes: tuple[Change, ...]
    contradictions: tuple[Contradiction, ...]
    started_at: datetime

    @property
    def passed(self) -> bool:
        return not self.failures


@dataclass(slots=True)
class StoryRun:
    """A story being gone through. `watch.step` goes on; `expectations` judges after each step."""

    story: Story
    watch: PlayedWatch
    director: StoryDirector
    expectations: Expectations
    contradictions: tuple[Contradiction, ...]

    @property
    def elapsed(self) -> timedelta:
        return self.director.elapsed


def story_run(
    story: Story, *, at: datetime = BEGINS, speed: float = 1.0, record: Record | None = None, plays_crew: bool = True
) -> StoryRun:
    """A run of a story that has not begun. `record`: where it is kept; else nowhere."""
    clock = StoryClock(at, speed)
    return run_with(story, clock, record if record is not None else Record(rehearsal=True), plays_crew=plays_crew)


def run_with(
    story: Story, clock: StoryClock, record: Record, *, plays_crew: bool = True, rest: timedelta = WATCHED_REST
) -> StoryRun:
    """`rest`: it decides at least so often."""
    found = healthy(story.plan, story.pinned)
    world = PlayedWorld(story.plan, found.values)
    watch = PlayedWatch(story.plan, PlayedSource(story.plan, world, clock), clock, record, rest)
    director = StoryDirector(story, world, watch, plays_crew)
    expectations = Expectations(story.expect)
    asked = (one.at if one.at is not None else one.by for one in story.expect)
    watch.moments = sorted(clock.now() + elapsed for elapsed in asked if elapsed is not None)
    watch.before_step.append(director.happen)
    watch.after_step.append(director.act)
    watch.after_step.append(lambda: expectations.judge(watch.situation, director.elapsed))
    return StoryRun(story, watch, director, expectations, found.contradictions)


def play_through(story: Story, *, at: datetime = BEGINS) -> Ended:
    """Everything a story has, as fast as this machine can."""
    run = run_with(story, StoryClock(at), Record(rehearsal=True), rest=UNWATCHED_REST)
    run.director.begin()
    while run.elapsed < story.lasts:
        run.watch.step()
    failures = (*run.expectations.failures, *run.expectations.left(run.watch.situation, run.elapsed))
    changes = tuple(run.watch.changes())
    return Ended(story, failures, run.watch.situation, changes, run.contradictions, at)


@dataclass(slots=True)
class Expectations:
    """What a story is to come to, judged step by step."""

    open: tuple[Expectation, ...]
    failures: list[Failure] = field(default_factory=list)
    _last: tuple[Situation, timedelta] | None = None

    def judge(self, situation: Situation, elapsed: timedelta) -> None:
        """Judge what is due by now: an `at` by the last decision up to its time."""
        still = []
        for one in self.open:
            due, failure = self._due(one, situation, elapsed)
            if not due:
                still.append(one)
            elif failure is not None:
                self.failures.append(failure)
        self.open = tuple(still)
        self._last = situation, elapsed

    def _due(self, one: Expectation, situation: Situation, elapsed: timedelta) -> tuple[bool, Failure | None]:
        """Whether it is decided by now, and how it failed if it did."""
        if one.never:
            came = str(situation.verdict.word) == one.never
            return came, _failure(one, situation, elapsed) if came else None
        if one.by is not None:
            if elapsed <= one.by and meets(one, situation):
                return True, None
            return elapsed >= one.by, _failure(one, situation, elapsed)
        assert one.at is not None
        if elapsed < one.at:
            return False, None
        seen, when = (situation, elapsed) if elapsed == one.at or self._last is None else self._last
        return True, None if meets(one, seen) else _failure(one, seen, when)

    def left(self, situation: Situation, elapsed: timedelta) -> Iterator[Failure]:
        """What is still open at the end: a `never` that never came is met."""
        for one in self.open:
            if not one.never:
                yield _failure(one, situation, elapsed)


def meets(one: Expectation, situation: Situation) -> bool:
    """Whether a situation is as expected."""
    verdict = situation.verdict
    if one.verdict and str(verdict.word) != one.verdict:
        return False
    if one.because and one.because not in reasons(situation):
        return False
    return not one.subject or states(situation).get(one.subject) == one.state


def reasons(situation: Situation) -> set[str]:
    """Ids of what the verdict rests on: the triggers that are latched, else what stands in the way of GO."""
    latch = situation.verdict.latch
    if latch is not None:
        return set(latch.triggers)
    return {step.subject for step in situation.path_to_go if step.subject}


def states(situation: Situation) -> Mapping[str, str]:
    """The state of every criterion, guard and line, by id."""
    found = {status.id: str(status.state) for status in (*situation.criteria, *situation.guards)}
    return found | {item.id: str(item.check) for section in situation.sections for item in section.items}


def _failure(one: Expectation, situation: Situation, elapsed: timedelta) -> Failure:
    """What was so instead, with the line that says why."""
    verdict = situation.verdict
    if one.subject and states(situation).get(one.subject) != one.state:
        return Failure(
            one, elapsed, f"{one.subject} was {states(situation).get(one.subject)}", because_of(situation, one.subject)
        )
    why = "; ".join(verdict.reasons[:2])
    if one.because and one.because not in reasons(situation):
        known = because_of(situation, one.because)
        why += f" (and {one.because}: {known})" if known else ""
    return Failure(one, elapsed, f"it was {verdict.word}", why)


def because_of(situation: Situation, subject: str) -> str:
    """The because-line of a criterion, guard or line; empty where there is none."""
    for status in (*situation.criteria, *situation.guards):
        if status.id == subject:
            return f"{status.state}, {status.because.line}"
    items = (item for section in situation.sections for item in section.items if item.id == subject)
    return next((f"{item.check}, {item.detail or item.because.line}" for item in items), "")


def worded(one: Expectation) -> str:
    """An expectation in words.

    >>> from cockpit.plan.model import Position
    >>> worded(Expectation(Position("s.yaml", 1), by=timedelta(minutes=18), verdict="ROLLBACK", because="queue.old"))
    'ROLLBACK by 18m because of queue.old'
    """
    if one.never:
        return f"never {one.never}"
    parts = [one.verdict, f"{one.subject} {one.state}" if one.subject else ""]
    when = (
        f"by {formatting.duration(one.by)}"
        if one.by is not None
        else f"at {formatting.duration(one.at or timedelta(0))}"
    )
    because = f" because of {one.because}" if one.because else ""
    return f"{' and '.join(part for part in parts if part)} {when}{because}"
