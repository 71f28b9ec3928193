"""A cutover lived through by a list of events, on a real record."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import strategies as st
from support.clock import HandClock
from support.sources import NoSource

from cockpit.decide.events import Change, ObserverGap, PhaseBegan
from cockpit.decide.situation import Situation
from cockpit.engine.operator_desk import Desk
from cockpit.engine.poller import paced
from cockpit.engine.ports import Refused
from cockpit.engine.recording import Recording, recording
from cockpit.engine.watch import Watch
from cockpit.journal.entry import Line, Type
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.writer import Draft
from cockpit.plan.load import load_plan
from cockpit.plan.model import Phase, Plan
from probes.reading import Reading, Reason, Unknown, Value

Event = tuple[str, int]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            (
                "right",
                "wrong",
                "other",
                "blind",
                "slow",
                "nan",
                "late",
                "sign",
                "retract",
                "waive",
                "vote",
                "begin",
                "start",
                "dismiss",
                "gap",
                "restart",
                "edit",
            )
        ),
        st.integers(0, 400) | st.just(0),
    ),
    min_size=1,
    max_size=25,
)
RESTARTS_IN = timedelta(milliseconds=1)
"""A process that ends and begins again takes longer than the microseconds by which a watch keeps moments apart."""
ACCOUNTS = {"right": "123456789012", "wrong": "000000000000", "other": "999999999999", "late": "000000000000"}
REASONS = {"blind": Reason.TIMEOUT, "slow": Reason.THROTTLED}
READINGS = {*ACCOUNTS, *REASONS, "nan"}


def reading(kind: str, now: datetime) -> Reading:
    if kind in REASONS:
        return Reading(now, now, {}, {"account": Unknown(REASONS[kind], "no answer")})
    known: dict[str, Value] = {"account": ACCOUNTS.get(kind, float("nan")), "arn": "arn:x", "user": "u"}
    return Reading(now, now - timedelta(seconds=95 if kind == "late" else 0), known)


class Night:
    """A cutover played by a list of events, on a real record."""

    def __init__(self, plan: Plan, root: Path) -> None:
        self.plan, self.root, self.clock = plan, root, HandClock()
        self.folder: RecordFolder | None = None

    async def live(self, events: Sequence[Event]) -> tuple[list[Change], Situation]:
        rest = list(events)
        while True:
            rest, changes, situation = await self._session(rest)
            if not rest:
                return changes, situation

    async def _session(self, events: list[Event]) -> tuple[list[Event], list[Change], Situation]:
        async with recording(self.plan, self.clock, who="ada", root=self.root) as kept:
            self.folder = kept.folder
            watch = Watch(self.plan, NoSource(), self.clock, kept.record, kept.started_at)
            kept.attach(watch)
            noting(kept)
            if watch.counted().phase() is None:
                watch.record.append(PhaseBegan(self.clock.now(), Phase.PRE_DEPLOY))
            desk = Desk(watch, kept, "ada")
            watch.tick()
            while events:
                kind, seconds = events.pop(0)
                self.clock.time += timedelta(seconds=seconds)
                if kind == "edit":
                    self._edit()
                if kind in ("restart", "edit"):
                    self.clock.time += RESTARTS_IN
                    break
                await self._happen(kind, watch, desk)
                self.clock.time += timedelta(milliseconds=min(seconds, 30))
                watch.tick()
            return events, watch.record.all(Change), watch.situation

    def _edit(self) -> None:
        """Somebody changes the plan while nobody looks: what was signed was another."""
        path = Path(self.plan.path)
        path.write_text(path.read_text() + "\n# edited\n")
        self.plan = load_plan(path)

    async def _happen(self, kind: str, watch: Watch, desk: Desk) -> None:
        now = self.clock.now()
        if kind in READINGS:
            made = reading(kind, now)
            watch.source.slowed = {"identity": paced(watch.source.slowed.get("identity", 1.0), made)}  # type: ignore[misc]
            watch.take("identity", made)
        elif kind == "start":
            watch.record.append(PhaseBegan(now, Phase.POST_DEPLOY))
        elif kind == "gap":
            since = now - timedelta(minutes=3)
            watch.board.gap(since, now)
            watch.record.append(ObserverGap(now, since))
        else:
            orders: dict[str, Callable[[], Awaitable[object]]] = {
                "sign": lambda: desk.sign("vpn", "100.64.0.7 answered"),
                "retract": lambda: desk.retract("vpn"),
                "waive": lambda: desk.waive("wrong", "we know of it", timedelta(minutes=5)),
                "vote": lambda: desk.vote("deploy", "go"),
                "begin": lambda: desk.begin(Phase.POST_DEPLOY, "it is time"),
                "dismiss": lambda: desk.decide("dismiss", "a false alarm"),
            }
            with contextlib.suppress(Refused):
                await orders[kind]()


TURNS = [
    ("vote", 1),
    ("start", 1),
    ("right", 5),
    ("wrong", 30),
    ("wrong", 30),
    ("dismiss", 20),
    ("right", 30),
    ("wrong", 60),
    ("sign", 9),
]


def words(changes: Sequence[Change]) -> list[tuple[object, ...]]:
    return sorted((c.at, c.subject, c.before, c.after) for c in changes)


async def written(kept: Recording) -> None:
    """Everything said so far is on the disk."""
    await asyncio.wrap_future(kept.writer_thread.submit(Draft(Type.NOTE, {})))


def noting(kept: Recording) -> None:
    """Another thread notes something before each entry, so even between the changes of one decision."""
    tell = kept.writer_thread.submit

    def with_note(draft: Draft, *, held: bool = False) -> Future[Line]:
        tell(Draft(Type.NOTE, {"kind": "remark"}))
        return tell(draft, held=held)

    kept.writer_thread.submit = with_note  # type: ignore[method-assign]
