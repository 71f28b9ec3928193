"""Random nights: what is true, when anybody can see it, and how the watching fails. Each follows from its seed alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TypeVar

STEP_S = 15
"""Seconds between live polls."""
MINUTE_S = 60
NIGHT_S = 2 * 60 * 60
T = TypeVar("T")
BEGINS_S = 10 * 60 - STEP_S
"""When the deployment begins: not on the minute, where it takes the clock's error to say which side a period is on."""
LIMIT = 0.05
"""Share of failed requests above which a minute is bad."""
BAD_MINUTES = 5
DOWN_S = 120
"""How long the site must be down for a rollback."""
ENOUGH = 20
"""Requests a minute below which nothing is said about it."""


class Sight(Enum):
    """What becomes of one poll."""

    SEEN = "seen"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    DENIED = "denied"
    ASLEEP = "asleep"
    """Nobody asks: the machine sleeps."""


@dataclass(frozen=True, slots=True)
class Minute:
    """One metric period. The store shows its requests from `total_at` on, and until `errors_at` only half of its errors."""

    end: int
    requests: int
    errors: int
    total_at: int
    errors_at: int

    @property
    def bad(self) -> bool:
        return self.requests >= ENOUGH and self.errors / self.requests > LIMIT

    def seen_at(self, moment: int) -> tuple[int, int] | None:
        """Requests and errors as the store shows them at `moment`; None before it shows any."""
        if moment < self.total_at:
            return None
        return self.requests, self.errors if moment >= self.errors_at else self.errors // 2


@dataclass(frozen=True, slots=True)
class Due:
    """A rollback that is due. `known` is the first second at which somebody who misses nothing can know."""

    known: int
    ends: int
    """The last second of the trouble."""
    trigger: str
    """What is in trouble: "errors" or "site"."""


@dataclass(frozen=True)
class World:
    """One night. Times are true seconds from its start."""

    seed: int
    minutes: tuple[Minute, ...]
    up: tuple[bool, ...]
    """By step, whether the site answers."""
    polls: tuple[Sight, ...]
    """By step, what becomes of a poll."""
    clock_off: int
    """Seconds by which the operator's clock is ahead all night."""
    clock_jumps: tuple[tuple[int, int], ...]
    """From which second on the clock is set forward or back, and by how many seconds."""
    dismisses_after: int | None
    """Seconds after which a rollback that is advised is dismissed; None: nobody does."""

    @property
    def steps(self) -> range:
        return range(0, NIGHT_S, STEP_S)

    def wall(self, moment: int) -> int:
        """What the operator's clock shows at a true second."""
        return moment + self.clock_off + sum(by for since, by in self.clock_jumps if since <= moment)

    def poll(self, moment: int) -> Sight:
        return self.polls[moment // STEP_S]

    def is_up(self, moment: int) -> bool:
        return self.up[moment // STEP_S]

    @property
    def clock_defect(self) -> bool:
        return bool(self.clock_off or self.clock_jumps)

    @cached_property
    def due(self) -> tuple[Due, ...]:
        """Every rollback that is due: five bad minutes in a row, or a site that is down for two minutes."""
        return tuple(sorted((*self._bad_minutes(), *self._down()), key=lambda due: due.known))

    def _bad_minutes(self) -> Iterator[Due]:
        run: list[Minute] = []
        for minute in (*self.minutes, None):
            if minute is not None and minute.bad and minute.end - MINUTE_S >= BEGINS_S:
                run.append(minute)
                continue
            if len(run) >= BAD_MINUTES:
                first = run[:BAD_MINUTES]
                yield Due(max(max(each.total_at, each.errors_at) for each in first), run[-1].end, "errors")
            run = []

    def _down(self) -> Iterator[Due]:
        """From what was polled: what nobody saw for more than two polls is no trouble that anybody can know.

        What was down before the deployment began does not come from it.
        """
        since = newest = None
        before = not self.is_up(BEGINS_S)
        for moment in self.steps:
            before = before and not self.is_up(max(moment, BEGINS_S))
            if moment <= BEGINS_S or before or self.poll(moment) is not Sight.SEEN:
                continue
            if since is not None and newest is not None and (self.is_up(moment) or moment - newest > 3 * STEP_S):
                if newest - since >= DOWN_S:
                    yield Due(since + DOWN_S, newest, "site")
                since = None
            if not self.is_up(moment):
                since = moment if since is None else since
                newest = moment
        if since is not None and newest is not None and newest - since >= DOWN_S:
            yield Due(since + DOWN_S, newest, "site")

    def bad_seen(self, moment: int, settle: int) -> bool:
        """Whether the newest of what is settled and was polled says that something is bad."""
        live, metrics = self._newest_poll(moment, STEP_S), self._newest_poll(moment, MINUTE_S)
        if live is not None and not self.is_up(live):
            return True
        if metrics is None:
            return False
        shown = [m for m in self.minutes if m.end + settle <= metrics and max(m.total_at, m.errors_at) <= metrics]
        return bool(shown) and shown[-1].bad

    def _newest_poll(self, moment: int, every: int) -> int | None:
        """When something that is asked `every` so many seconds was last seen."""
        return next((at for at in range(moment - moment % every, -1, -every) if self.poll(at) is Sight.SEEN), None)

    def unseen_s(self, moment: int) -> int:
        """Seconds since the newest poll that saw anything."""
        at = moment
        while at >= 0 and self.poll(at) is not Sight.SEEN:
            at -= STEP_S
        return moment - at


def world(seed: int) -> World:
    """The night of a seed."""
    chance = random.Random(seed)
    rate = _error_rates(chance)
    late = chance.choice([(45, 60), (45, 110), (60, 180)])
    requests = chance.choice([30, 60, 600])
    minutes = []
    for number in range(NIGHT_S // MINUTE_S):
        end = (number + 1) * MINUTE_S
        total = max(1, round(requests * chance.uniform(0.8, 1.2)))
        total_at = end + chance.randint(*late)
        minutes.append(
            Minute(
                end, total, round(total * rate[number]), total_at, total_at + chance.choice([0, 0, STEP_S, MINUTE_S])
            )
        )
    return World(
        seed,
        tuple(minutes),
        tuple(_up(chance)),
        tuple(_polls(chance)),
        chance.choice([0, 0, 0, 420, -420, 45]),
        _jumps(chance),
        chance.choice([None, None, 180, 600]),
    )


def _error_rates(chance: random.Random) -> list[float]:
    """By minute: a quiet share, with troubles of many lengths, some of them just under the limit."""
    quiet = chance.choice([0.0, 0.0, 0.01, 0.03])
    trouble = chance.choice([0.04, 0.08, 0.2, 0.5, 0.9])
    return list(
        _spells(chance, NIGHT_S // MINUTE_S, quiet, trouble, (1, 20), chance.choice([0, 1, 1, 2, 3]), BEGINS_S // 60)
    )


def _spells(
    chance: random.Random, length: int, usual: T, other: T, lasting: tuple[int, int], times: int, after: int = 0
) -> Iterator[T]:
    spells = [(start := chance.randrange(after, length), start + chance.randint(*lasting)) for _ in range(times)]
    for at in range(length):
        yield other if any(start <= at < end for start, end in spells) else usual


def _up(chance: random.Random) -> Iterator[bool]:
    for down in _spells(chance, NIGHT_S // STEP_S, "", "down", (2, 40), chance.choice([0, 0, 1, 2])):
        yield not down


def _polls(chance: random.Random) -> Iterator[Sight]:
    """Mostly seen; single failures strewn in, spells of blindness, and sleep. Whoever begins the deployment is awake."""
    count = NIGHT_S // STEP_S
    single = chance.choice([0.0, 0.02, 0.1])
    kind = chance.choice([Sight.DENIED, Sight.TIMEOUT, Sight.ASLEEP])
    blind = list(_spells(chance, count, Sight.SEEN, kind, (4, 80), chance.choice([0, 0, 1, 2])))
    if blind[BEGINS_S // STEP_S] is Sight.ASLEEP:
        blind[BEGINS_S // STEP_S] = Sight.SEEN
    for sight in blind:
        failing = sight is Sight.SEEN and chance.random() < single
        yield chance.choice([Sight.THROTTLED, Sight.TIMEOUT]) if failing else sight


def _jumps(chance: random.Random) -> tuple[tuple[int, int], ...]:
    by = chance.choice([0, 0, 0, -300, -900, 300, 7200, -7200])
    return ((chance.randrange(BEGINS_S, NIGHT_S), by),) if by else ()
