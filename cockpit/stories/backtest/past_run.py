"""A plan over the past: its metric probes read what was, and the watch of the night judges it, moment by moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cockpit.decide.events import Change, Decision, PhaseBegan, Record
from cockpit.decide.situation import Situation
from cockpit.decide.states import State, Word
from cockpit.plan.model import Criterion, Mode, OnUnknown, Person, Phase, Plan
from cockpit.stories.backtest.backtested import Backtested, NotSeen, OtherLimit, PastCriterion, PastTrip
from cockpit.stories.backtest.limit_variants import Variant, variants
from cockpit.stories.backtest.past_measures import approaches, series_of, silences, traffic
from cockpit.stories.backtest.past_source import Due, PastSource, has_past, queries_of, read_past, why_no_past
from cockpit.stories.played_watch import PlayedWatch
from cockpit.stories.story_clock import StoryClock
from probes.clients.past_clients import POINTS_A_PAGE, PastClients, kept_for
from probes.frozen import frozen
from probes.reading import Unknown

ZERO = timedelta(0)
REST, BLIND_REST, LEAST = timedelta(minutes=30), timedelta(minutes=1), timedelta(seconds=1)
"""It decides at least so often, and where a trigger may trip for not being seen; beside that where anything has come to
something else."""
WARM_UP = timedelta(minutes=10)
"""Before the windows of its criteria: what a probe learns of its metric's lateness."""
_NOBODY = Person("backtest", "backtest", ("backtest",))
OnStep = Callable[[int, int, str], None]


@frozen
class PastPlan:
    """The part of a plan that has a past, as it is judged: what is seen in part moves no verdict."""

    plan: Plan
    others: tuple[Variant, ...]
    blind: Mapping[str, tuple[str, ...]]
    """By criterion: probes of its condition without a past."""
    not_seen: tuple[NotSeen, ...]
    go_rests_on: tuple[str, ...]


def past_plan(plan: Plan, held_back: Mapping[str, Unknown] | None = None) -> PastPlan:
    """What can be judged of a plan's past. `held_back`: probes nobody has allowed, and why."""
    unseen = {name: why for name, spec in plan.probes.items() if (why := why_no_past(spec))}
    unseen |= {name: f"{why.reason}: {why.detail}" for name, why in (held_back or {}).items()}
    fields = {f"{name}.{each.name}": each for name, spec in plan.probes.items() for each in spec.fields}
    judged: list[Criterion] = []
    blind: dict[str, tuple[str, ...]] = {}
    not_seen = [NotSeen(name, "probe", why) for name, why in unseen.items()]
    for one in plan.criteria():
        read = _read_by(one)
        hidden = tuple(name for name in read if name in unseen)
        if not read or len(hidden) == len(read):
            why = "nothing it reads has a past" if read else "people sign it"
            not_seen.append(NotSeen(one.id, str(one.kind).replace("success", "criterion"), why))
            continue
        blind |= {one.id: hidden} if hidden else {}
        # No phase begins in the past that was asked for: what is judged until a time of it could have been any of that past.
        judged.append(replace(one, sign_off=None, until=None, mode=Mode.SHADOW if hidden else one.mode))
    others = tuple(other for one in judged for other in variants(one, fields))
    all_ = [*judged, *(other.criterion for other in others)]
    success, triggers = ({each.id for each in kind} for kind in (plan.success_criteria, plan.rollback_triggers))
    of = {each.criterion.id: each.of for each in others}
    used = {name for one in all_ for name in _read_by(one)}
    made = replace(
        plan,
        people=(_NOBODY,),
        probes={name: spec for name, spec in plan.probes.items() if name in used},
        checklist=(),
        gates=(),
        success_criteria=tuple(one for one in all_ if of.get(one.id, one.id) in success),
        rollback_triggers=tuple(one for one in all_ if of.get(one.id, one.id) in triggers),
        runbook=(),
        rollback_plan=(),
        migration=None,
        window=None,
    )
    rests_on = tuple(one.id for one in judged if one.id in success and one.enforced)
    return PastPlan(made, others, blind, tuple(not_seen), rests_on)


def _read_by(one: Criterion) -> tuple[str, ...]:
    conditions = (one.condition, one.clear_condition)
    return tuple(dict.fromkeys(name for each in conditions if each is not None for name in each.probes))


@frozen
class Cost:
    """What will be asked of CloudWatch."""

    series: int
    calls: int
    too_old: tuple[str, ...]
    """Probes of whose past a part is no longer kept, each with since when it is."""


def cost(past: PastPlan, since: datetime, until: datetime, now: datetime) -> Cost:
    """Worked out before anything is asked: series, and GetMetricData calls if all points are there."""
    begins = since - warm_up(past.plan)
    by_start: dict[tuple[str, str, datetime], dict[object, float]] = {}
    too_old = []
    for name, spec in past.plan.probes.items():
        if not has_past(spec):
            continue
        period_s = int(spec.period.total_seconds())
        oldest = now - kept_for(period_s)
        if oldest > since:
            too_old.append(
                f"{name}: periods of {period_s // 60}m are kept for {kept_for(period_s).days} days, so from "
                f"{oldest:%Y-%m-%d %H:%M} on"
            )
        start = max(begins, oldest)
        queries = by_start.setdefault((spec.region, spec.profile, start if oldest > begins else begins), {})
        queries |= {query: max((until - start) / spec.period, 0.0) for query in queries_of(spec)}
    calls = 0
    for queries in by_start.values():
        points = list(queries.values())
        for at in range(0, len(points), 500):
            calls += max(-(-int(sum(points[at : at + 500])) // POINTS_A_PAGE), 1)
    return Cost(sum(map(len, by_start.values())), calls, tuple(too_old))


def warm_up(plan: Plan) -> timedelta:
    """How long before the first moment asked for it begins, so that every window can be full by then."""
    longest = max((one.needs + one.initial_delay for one in plan.criteria()), default=ZERO)
    lag = max((spec.settle + 2 * spec.period + spec.interval for spec in plan.probes.values()), default=ZERO)
    return longest + lag + plan.verdict_dwell + WARM_UP


async def backtest(
    plan: Plan,
    past: PastPlan,
    clients: PastClients,
    since: datetime,
    until: datetime,
    on_step: OnStep | None = None,
    notes: tuple[str, ...] = (),
) -> Backtested:
    """Read the past of a plan and judge it. Progress is counted in hours of the past, after one step for each probe."""
    begins = since - warm_up(past.plan)
    names = [name for name, spec in past.plan.probes.items() if has_past(spec)]
    step: OnStep = on_step or _quietly
    hours = max(int((until - begins) / timedelta(hours=1)), 1)
    total, read = len(names) + hours, 0

    def on_read(name: str) -> None:
        nonlocal read
        read += 1
        step(read, total, f"{name} is read")

    readings = await read_past(past.plan, clients, begins, until, on_read)
    watched = _Watched(past, readings, begins, since, until)
    watched.go_through(lambda hour: step(len(names) + min(hour, hours), total, f"{watched.clock.at:%a %d %b %H:%M}"))
    return replace(_backtested(plan, past, clients, readings, watched), notes=notes)


def _quietly(_done: int, _total: int, _what: str) -> None:
    """Nobody waits for it."""


@dataclass(slots=True)
class _Held:
    """For how long a criterion was in each state, and its changes."""

    spans: dict[str, timedelta] = field(default_factory=dict)
    breaches: int = 0


class _Watched:
    """The watch of the night over readings of the past. A latched rollback is dismissed once its triggers are clear."""

    def __init__(
        self, past: PastPlan, readings: Mapping[str, Sequence[Due]], begins: datetime, since: datetime, until: datetime
    ) -> None:
        self.past, self.since, self.until = past, since, until
        self.clock = StoryClock(begins)
        trips_blind = any(one.on_unknown is OnUnknown.ROLLBACK for one in past.plan.rollback_triggers)
        self.rest = BLIND_REST if trips_blind else REST
        record = Record(rehearsal=True)
        record.append(PhaseBegan(begins, Phase.POST_DEPLOY, why="backtest"))
        self.watch = PlayedWatch(past.plan, PastSource(past.plan, readings, until), self.clock, record)
        self.held: dict[str, _Held] = {one.id: _Held() for one in past.plan.criteria()}
        self.go: list[tuple[datetime, datetime]] = []

    def go_through(self, on_hour: Callable[[int], None]) -> None:
        """From the beginning to the end."""
        began, hour = self.clock.at, 0
        while self.clock.at < self.until:
            before = self.watch.situation, self.clock.at
            self.watch.leap(self.until, self.rest, LEAST)
            self._note(*before)
            self._dismiss(self.watch.situation)
            if (now := int((self.clock.at - began) / timedelta(hours=1))) != hour:
                hour = now
                on_hour(hour)

    def _note(self, before: Situation, at: datetime) -> None:
        """What stood from the last decision up to this one."""
        begun, now = max(at, self.since), self.clock.at
        if now <= begun:
            return
        old = {status.id: status.state for status in before.criteria}
        for status in before.criteria:
            held = self.held[status.id]
            held.spans[str(status.state)] = held.spans.get(str(status.state), ZERO) + (now - begun)
        for status in self.watch.situation.criteria:
            self.held[status.id].breaches += status.state is State.PENDING and old.get(status.id) is not State.PENDING
        if before.verdict.word is Word.GO:
            last = self.go[-1] if self.go else None
            self.go[-1:] = [(last[0], now)] if last and last[1] == begun else [*([last] if last else []), (begun, now)]

    def _dismiss(self, situation: Situation) -> None:
        latch = situation.verdict.latch
        if latch is None or any(one.state.judging.tripped for one in situation.criteria if one.id in latch.triggers):
            return
        answers, plan = latch.trips, self.past.plan
        self.watch.record.append(
            Decision(
                situation.now,
                "dismiss",
                _NOBODY.id,
                "its triggers are clear again: the backtest goes on",
                role=_NOBODY.roles[0],
                plan_digest=plan.digest,
                answers=answers,
            )
        )

    def trips(self, trigger: str) -> Iterator[PastTrip]:
        """Every time it tripped since the moment asked for, each until it was clear."""
        changes = [each for each in self.watch.record.all(Change) if each.subject == trigger]
        begun: Change | None = None
        again = 0
        for each in changes:
            if each.after == State.TRIPPED:
                again += begun is not None and each.before == State.RECOVERING
                begun = begun or each
            elif begun is not None and each.after in (State.CLEAR, State.PENDING):
                if each.at >= self.since:
                    yield PastTrip(begun.at, each.at, begun.because, again)
                begun, again = None, 0
        if begun is not None:
            yield PastTrip(begun.at, None, begun.because, again)

    def longest(self, trigger: str) -> timedelta:
        """How long its window ran at most, without a trip at its end."""
        begun, longest = None, ZERO
        for each in (each for each in self.watch.record.all(Change) if each.subject == trigger):
            if begun is not None and each.after == State.CLEAR:
                longest = max(longest, each.at - begun)
            begun = each.at if each.after == State.PENDING and each.at >= self.since else None
        return max(longest, self.until - begun) if begun is not None else longest


def _backtested(
    plan: Plan, past: PastPlan, clients: PastClients, readings: Mapping[str, Sequence[Due]], watched: _Watched
) -> Backtested:
    since, until = watched.since, watched.until
    samples = {name: [reading for _, _, reading in due if reading.data_at >= since] for name, due in readings.items()}
    series = series_of(past.plan, samples)
    others: dict[str, list[OtherLimit]] = {}
    for each in past.others:
        condition = each.criterion.condition
        others.setdefault(each.of, []).append(
            OtherLimit(
                each.name,
                condition.source if condition else "",
                tuple(watched.trips(each.criterion.id)),
                watched.held[each.criterion.id].spans.get(str(State.MET), ZERO),
            )
        )
    triggers = {each.id for each in plan.rollback_triggers}
    judged = []
    for one in plan.criteria():
        if one.id not in watched.held or one.condition is None:
            continue
        held = watched.held[one.id]
        judged.append(
            PastCriterion(
                one.id,
                one.title,
                one.position,
                one.id in triggers,
                one.condition.source,
                past.blind.get(one.id, ()),
                tuple(watched.trips(one.id)) if one.id in triggers else (),
                held.breaches,
                watched.longest(one.id),
                held.spans.get(str(State.MET), ZERO),
                held.spans.get(str(State.UNKNOWN), ZERO),
                tuple(approaches(one, series)),
                tuple(others.get(one.id, ())),
                until=one.until,
            )
        )
    fetched = clients.fetched
    refused = {
        name: why
        for name, found in samples.items()
        if found and not any(each.values for each in found) and (why := next(iter(found[-1].unknown.values()), None))
    }
    not_seen = (
        *past.not_seen,
        *(NotSeen(name, "probe", f"{why.reason}: {why.detail}") for name, why in refused.items()),
    )
    zone = plan.window.time_zone if plan.window is not None else "UTC"
    return Backtested(
        plan.name,
        plan.digest,
        since,
        until,
        tuple(judged),
        not_seen,
        tuple(watched.go),
        past.go_rests_on,
        tuple(traffic(past.plan, samples, zone)),
        tuple(silences(past.plan, samples, since, until)),
        tuple(series.values()),
        {"calls": fetched.calls, "points": fetched.points, "waits": fetched.waits},
    )
