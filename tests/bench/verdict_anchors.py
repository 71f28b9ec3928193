"""How others would judge the same night: each rule as its documentation states it, on the same polls, with a straight clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum

from bench.verdict_worlds import BAD_MINUTES, BEGINS_S, DOWN_S, LIMIT, MINUTE_S, STEP_S, Sight, World

LOOKBACK_S = 300


class Word(Enum):
    """What a rule says at one moment, in the three words that all of them share."""

    GO = "go"
    HOLD = "hold"
    ROLLBACK = "rollback"


Words = Mapping[int, Word]
"""By true second."""


class Answered(dict[int, Word]):
    """Words of a rule that people decide on."""

    def __init__(self) -> None:
        super().__init__()
        self.dismissed: list[tuple[int, int, frozenset[str]]] = []
        """From when until when people wanted to hear nothing of which triggers."""

    def covers(self, trigger: str, moment: int) -> bool:
        return any(since <= moment < until and trigger in triggers for since, until, triggers in self.dismissed)


def newest_rate(world: World, moment: int) -> float | None:
    """The rate of the newest period that the store shows, as a tool that takes the newest point sees it."""
    if world.poll(moment) is not Sight.SEEN:
        return None
    for minute in reversed(world.minutes):
        if (shown := minute.seen_at(moment)) is not None:
            return shown[1] / shown[0] if moment - minute.end <= LOOKBACK_S else None
    return None


def site_down(world: World, moment: int) -> bool | None:
    return not world.is_up(moment) if world.poll(moment) is Sight.SEEN else None


def prometheus(world: World) -> Words:
    """`for`: pending from the first true evaluation; an empty result deletes the pending alert, and resolves a firing one."""
    said: dict[int, Word] = {}
    since: dict[str, int | None] = {"errors": None, "site": None}
    lasting = {"errors": BAD_MINUTES * MINUTE_S, "site": DOWN_S}
    for moment in world.steps:
        rate, down = newest_rate(world, moment), site_down(world, moment)
        for name, true in (("errors", rate is not None and rate > LIMIT), ("site", bool(down))):
            since[name] = (since[name] if since[name] is not None else moment) if true else None
        waited = {name: moment - at for name, at in since.items() if at is not None}
        if any(waited[name] >= lasting[name] for name in waited):
            said[moment] = Word.ROLLBACK
        else:
            said[moment] = Word.HOLD if waited else Word.GO
    return said


def argo(world: World) -> Words:
    """A measurement a minute: `failureLimit` 4 (errors) and 1 (site), over four errors in a row abort, ten good succeed."""
    said: dict[int, Word] = {}
    failed = {"errors": 0, "site": 0}
    limit = {"errors": BAD_MINUTES - 1, "site": 1}
    errors_in_a_row = good = 0
    word = Word.HOLD
    for moment in world.steps:
        if word is Word.HOLD and moment >= BEGINS_S and moment % MINUTE_S == 0:
            rate, down = newest_rate(world, moment), site_down(world, moment)
            if rate is None or down is None:
                errors_in_a_row += 1
            else:
                errors_in_a_row = 0
                failed["errors"] += rate > LIMIT
                failed["site"] += down
                good += rate <= LIMIT and not down
            if errors_in_a_row > 4 or any(failed[name] > limit[name] for name in failed):
                word = Word.ROLLBACK
            elif good >= 10:
                word = Word.GO
        said[moment] = word
    return said


def flagger(world: World) -> Words:
    """A check a minute, no data is a failed check, failed checks add up: five of them roll back, ten checks promote."""
    said: dict[int, Word] = {}
    failed = checks = 0
    word = Word.HOLD
    for moment in world.steps:
        if word is Word.HOLD and moment >= BEGINS_S and moment % MINUTE_S == 0:
            rate, down = newest_rate(world, moment), site_down(world, moment)
            bad = rate is None or rate > LIMIT or down is None or down
            failed += bad
            checks += not bad
            word = Word.ROLLBACK if failed >= BAD_MINUTES else Word.GO if checks >= 10 else word
        said[moment] = word
    return said


def cloudwatch(datapoints: int) -> Callable[[World], Words]:
    """M of 5 one-minute periods, `missing` data left out; the site by 2 of 2. It runs at AWS: it never sleeps."""

    def rule(world: World) -> Words:
        said: dict[int, Word] = {}
        for moment in world.steps:
            shown = [(m, seen) for m in world.minutes if (seen := m.seen_at(moment)) is not None]
            newest = shown[-BAD_MINUTES:]
            bad = sum(seen[1] / seen[0] > LIMIT for _, seen in newest)
            minutes = [moment - moment % MINUTE_S - MINUTE_S * back for back in (1, 2)]
            down = all(
                at >= 0 and any(not world.is_up(at + part) for part in range(0, MINUTE_S, STEP_S)) for at in minutes
            )
            if bad >= datapoints or down:
                said[moment] = Word.ROLLBACK
            else:
                said[moment] = Word.GO if len(newest) == BAD_MINUTES else Word.HOLD
        return said

    return rule


def ecs_alarm(world: World) -> Words:
    """ECS deployment alarms: 5 of 5, looked at until the bake time (10 minutes) ends; a throttled look is taken for healthy."""
    alarm = cloudwatch(BAD_MINUTES)(world)
    said: dict[int, Word] = {}
    word = Word.HOLD
    for moment in world.steps:
        if word is Word.HOLD and moment >= BEGINS_S:
            seen = world.poll(moment) is not Sight.THROTTLED
            if seen and alarm[moment] is Word.ROLLBACK:
                word = Word.ROLLBACK
            elif moment >= BEGINS_S + 600:
                word = Word.GO
        said[moment] = word
    return said


def anchors() -> Iterator[tuple[str, Callable[[World], Words]]]:
    yield "Prometheus for", prometheus
    yield "Argo Rollouts", argo
    yield "CloudWatch 5 of 5", cloudwatch(5)
    yield "CloudWatch 3 of 5", cloudwatch(3)
    yield "Flagger", flagger
    yield "ECS alarms", ecs_alarm
