"""A night as the cockpit sees it: the same board, the same decisions, the clock of the operator's machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bench.verdict_anchors import Answered, Word
from bench.verdict_worlds import BEGINS_S, ENOUGH, LIMIT, MINUTE_S, STEP_S, Minute, Sight, World
from decide.scene import plan, probe, success, trigger
from support.sources import NoSource

from cockpit.decide.events import Decision, PhaseBegan
from cockpit.decide.situation import Latch
from cockpit.decide.states import Word as Verdict
from cockpit.engine.clock import SessionClock
from cockpit.engine.watch import Watch
from cockpit.plan.model import Phase, Plan
from probes.clients.clock_offset import ClockOffset, MachineTime
from probes.reading import Reading, Reason, Unknown, Value

START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
SETTLE_S = 120
LOOKBACK = 15
DISMISSED_S = 10 * MINUTE_S
TICK_S = 5
"""A watch that does not decide for longer than this was not watching."""
REASONS = {
    Sight.THROTTLED: Reason.THROTTLED,
    Sight.TIMEOUT: Reason.TIMEOUT,
    Sight.DENIED: Reason.ACCESS_DENIED,
}
WORDS = {
    Verdict.GO: Word.GO,
    Verdict.HOLD: Word.HOLD,
    Verdict.ROLLBACK: Word.ROLLBACK,
    Verdict.FIX_FORWARD: Word.ROLLBACK,
}


def the_plan() -> Plan:
    """A fast probe of the site and a slow one of the balancer's metrics; a trigger and a criterion on each, and on both."""
    more = {"gap_tolerance": 2 * MINUTE_S, "stale_after": 5 * MINUTE_S}
    return plan(
        trigger("errors", f"m.rate > {LIMIT}", hold_for=5 * MINUTE_S, min_samples=5, **more),
        trigger("site", "!n.ok", hold_for=2 * MINUTE_S),
        trigger("both bad", f"m.rate > {LIMIT} && !n.ok", hold_for=3 * MINUTE_S),
        success("few errors", f"m.rate <= {LIMIT}", hold_for=10 * MINUTE_S, min_samples=5, **more),
        success("answers", "n.ok", hold_for=10 * MINUTE_S),
        success("both good", f"m.rate <= {LIMIT} && n.ok", hold_for=10 * MINUTE_S),
        probes=(probe("m", interval=MINUTE_S, period=MINUTE_S, settle=SETTLE_S), probe("n")),
    )


def at(moment: int) -> datetime:
    return START + timedelta(seconds=moment)


class Machine:
    """The operator's machine: ticks that nobody can set, and a clock that is as wrong as the night has it."""

    def __init__(self, night: World) -> None:
        self.night = night
        self.moment = 0

    def time(self) -> MachineTime:
        return MachineTime(lambda: float(self.moment), lambda: START.timestamp() + self.night.wall(self.moment))


def cockpit(night: World) -> Answered:
    """The word of every step, by a watch as it runs; HOLD while the machine sleeps, since nobody sees its screen."""
    machine = Machine(night)
    offset = ClockOffset(machine.time())
    offset.measure("AWS", "aws", at(0).timestamp(), -0.2)  # the account is checked before anything is read
    clock = SessionClock(offset)
    clock.correct()
    watch = Watch(the_plan(), NoSource(), clock)
    watch.record.append(PhaseBegan(watch.moment(), Phase.PRE_DEPLOY))
    said = Answered()
    advised_since: int | None = None
    for moment in night.steps:
        machine.moment = moment
        if night.poll(moment) is Sight.ASLEEP:
            said[moment] = Word.HOLD
            continue
        if night.poll(moment) is Sight.SEEN:
            offset.measure("AWS", "aws", at(moment).timestamp(), moment - 0.2)
        watch.tick()  # before anything is taken in, as after a sleep
        now = watch.moment()
        if moment == BEGINS_S:
            watch.record.append(PhaseBegan(now, Phase.POST_DEPLOY))
        watch.take("n", site(night, moment, now))
        if moment % MINUTE_S == 0:
            watch.take("m", metrics(night, moment, now))
        for later in range(0, STEP_S, TICK_S):
            machine.moment = moment + later
            watch.tick()
        word = WORDS[watch.situation.verdict.word]
        advised_since = (moment if advised_since is None else advised_since) if word is Word.ROLLBACK else None
        wait = night.dismisses_after
        if advised_since is not None and wait is not None and moment - advised_since >= wait:
            latch = watch.situation.verdict.latch
            assert latch is not None
            watch.record.append(dismissal(watch, latch))
            said.dismissed.append((moment, moment + DISMISSED_S, frozenset(latch.triggers)))
            advised_since = None
        said[moment] = word
    return said


def dismissal(watch: Watch, latch: Latch) -> Decision:
    """Somebody who decides says that it is known, for ten minutes."""
    now, digest = watch.moment(), watch.plan.digest
    made = Decision(now, "dismiss", "primary", "known", role="on_call", plan_digest=digest, answers=latch.trips)
    return replace(made, until=now + timedelta(seconds=DISMISSED_S))


def site(night: World, moment: int, now: datetime) -> Reading:
    if (sight := night.poll(moment)) is not Sight.SEEN:
        return blind(now, sight)
    return reading(now, now, {"ok": night.is_up(moment)})


def metrics(night: World, moment: int, now: datetime) -> Reading:
    """The closed and settled periods, as one answer of the store."""
    if (sight := night.poll(moment)) is not Sight.SEEN:
        return blind(now, sight)
    closed = [minute for minute in night.minutes if minute.end + SETTLE_S <= moment][-LOOKBACK:]
    samples = [sample for minute in closed if (sample := of_minute(minute, moment, now)) is not None]
    if not samples:
        return Reading(now, now, {}, {"rate": Unknown(Reason.NO_DATA, "no period has closed")})
    newest = samples[-1]
    return Reading(now, newest.data_at, newest.values, newest.unknown, earlier=tuple(samples[:-1]))


def of_minute(minute: Minute, moment: int, now: datetime) -> Reading | None:
    if (shown := minute.seen_at(moment)) is None:
        return None
    requests, errors = shown
    end = at(minute.end)
    if requests < ENOUGH:
        return Reading(now, end, {}, {"rate": Unknown(Reason.LOW_VOLUME, f"{requests} of {ENOUGH} requests")})
    return reading(now, end, {"rate": errors / requests})


def reading(now: datetime, data_at: datetime, values: dict[str, Value]) -> Reading:
    return Reading(now, data_at, values)


def blind(now: datetime, sight: Sight) -> Reading:
    why = Unknown(REASONS[sight], f"it says {sight.value}")
    return Reading(now, now, {}, dict.fromkeys(("rate", "ok"), why))
