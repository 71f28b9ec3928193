"""A night as the cockpit sees it: the same board, the same decisions, the clock of the operator's machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bench.verdict_anchors import Word, Words
from bench.verdict_worlds import BEGINS_S, ENOUGH, LIMIT, MINUTE_S, Minute, Sight, World
from decide.scene import plan, probe, success, trigger

from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import Decision, ObserverGap, PhaseBegan, Record
from cockpit.decide.settle import settle
from cockpit.decide.states import Word as Verdict
from cockpit.plan.model import Phase, Plan
from probes.reading import Reading, Reason, Unknown, Value

START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
SETTLE_S = 120
LOOKBACK = 15
ASLEEP_S = 45
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
    """A fast probe of the site and a slow one of the balancer's metrics; a trigger and a criterion on each."""
    more = {"gap_tolerance": 2 * MINUTE_S, "stale_after": 5 * MINUTE_S}
    return plan(
        trigger("errors", f"m.rate > {LIMIT}", hold_for=5 * MINUTE_S, min_samples=5, **more),
        trigger("site", "!n.ok", hold_for=2 * MINUTE_S),
        success("few errors", f"m.rate <= {LIMIT}", hold_for=10 * MINUTE_S, min_samples=5, **more),
        success("answers", "n.ok", hold_for=10 * MINUTE_S),
        probes=(probe("m", interval=MINUTE_S, period=MINUTE_S), probe("n")),
    )


def at(moment: int) -> datetime:
    return START + timedelta(seconds=moment)


def cockpit(night: World) -> Words:
    """The word of every step; what it said last while the machine sleeps."""
    judged, record = the_plan(), Record()
    board = Board(judged, at(0))
    situation = decide(judged, board, record, at(0))
    said: dict[int, Word] = {}
    word, asleep_since, advised_since = Word.HOLD, None, None
    for moment in night.steps:
        if night.poll(moment) is Sight.ASLEEP:
            asleep_since = moment if asleep_since is None else asleep_since
            said[moment] = Word.HOLD  # nobody sees its screen
            continue
        now = at(moment)
        if asleep_since is not None:
            board.gap(at(asleep_since), now)
            record.append(ObserverGap(now, at(asleep_since)))
            asleep_since = None
        if moment == BEGINS_S:
            record.append(PhaseBegan(now, Phase.POST_DEPLOY))
        board.add("n", site(night, moment, now))
        if moment % MINUTE_S == 0:
            board.add("m", metrics(night, moment, now))
        situation, _ = settle(judged, board, record, situation, now)
        word = WORDS[situation.verdict.word]
        advised_since = (moment if advised_since is None else advised_since) if word is Word.ROLLBACK else None
        wait = night.dismisses_after
        if advised_since is not None and wait is not None and moment - advised_since >= wait:
            why = Decision(now, "dismiss", "primary", "known", role="on_call", plan_digest=judged.digest)
            record.append(why)
            advised_since = None
        said[moment] = word
    return said


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
