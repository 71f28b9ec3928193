"""A cutover whose readings come from the test: the real board and the real decide(), a clock that is set by hand."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from support.clock import HandClock
from support.sources import NoSource
from textual import events
from textual._compositor import Compositor
from textual._context import visible_screen_stack
from textual.app import App
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from cockpit.conditions.condition import compile_condition
from cockpit.decide.events import PhaseBegan, Record
from cockpit.engine.watch import Watch
from cockpit.plan.model import (
    Ask,
    Criterion,
    Gate,
    Item,
    Kind,
    Person,
    Phase,
    Plan,
    Poll,
    ProbeSpec,
    Section,
    Severity,
    Target,
)
from cockpit.plan.position import Position
from cockpit.rehearsal.script.fault_catalogue import FaultState
from cockpit.tui.app import CockpitApp
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Value

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
HERE = Position("plan.yaml", 12, 5)
FIELDS = (
    Field("rate", float, "share of requests that failed", 0.01, "ratio", 0, 1),
    Field("running", int, "tasks running", 2, "count", 0),
    Field("ok", bool, "the page answers", example=True),
)
EVIDENCE = Evidence(
    "ecs describe-services --cluster c --services s",
    "r-1",
    "https://console.example/ecs",
    ("[/aws/ecs/prod] one line",),
)


def criterion(id_: str, title: str, kind: Kind, condition: str, **more: object) -> Criterion:
    settings: dict[str, object] = {"gap_tolerance": timedelta(seconds=30), "stale_after": timedelta(seconds=45)}
    return Criterion(id_, title, kind, compile_condition(condition), HERE, **(settings | more))  # type: ignore[arg-type]


def plan(criteria: int = 4, environment: str = "production") -> Plan:
    spec = {"interval": timedelta(seconds=15), "timeout": timedelta(seconds=5), "position": HERE, "fields": FIELDS}
    names = ("errors", "service", "site", *(f"p{n}" for n in range(criteria // 20)))
    probes = {name: ProbeSpec(name=name, uses="http.health", params={}, **spec) for name in names}  # type: ignore[arg-type]
    success = [
        criterion(
            "site.up",
            "Application accessible via internal ALB",
            Kind.SUCCESS,
            "site.ok",
            hold_for=timedelta(minutes=5),
            min_samples=3,
        ),
        criterion(
            "tasks.healthy", "ECS tasks start and remain healthy (2/2 running)", Kind.SUCCESS, "service.running == 2"
        ),
    ]
    triggers = [
        criterion(
            "errors.high",
            "500 error rate above 5 % for 5 minutes",
            Kind.TRIGGER,
            "errors.rate > 0.05",
            hold_for=timedelta(seconds=30),
        ),
        criterion("tasks.gone", "No task is running", Kind.TRIGGER, "service.running < 1", severity=Severity.MAJOR),
    ]
    for n in range(criteria - 4):
        source = names[n % len(names)]
        success.append(criterion(f"c{n}", f"Criterion number {n}", Kind.SUCCESS, f"{source}.running >= {n % 3}"))
    people = (Person("ada", "Ada", ("on_call",)), Person("bob", "Bob", ("backup",)))
    items = (
        Item(
            "i.rds", "RDS PostgreSQL instance provisioned", HERE, compile_condition("service.running == 2"), killer=True
        ),
        Item("i.vpn", "Tailscale VPN access tested", HERE, None, Ask("Which address answered?", ("on_call",))),
        Item("i.odd", "A title with [/aws/x] and [bold] in it", HERE, compile_condition("site.ok"), blocking=False),
    )
    return Plan(
        name="stage",
        title="Stage",
        environment=environment,
        path="plan.yaml",
        digest="f" * 64,
        target=Target("123456789012", "us-east-1"),
        people=people,
        probes=probes,
        checklist=(
            Section("Infrastructure", Phase.PRE_DEPLOY, items),
            Section(
                "Afterwards",
                Phase.POST_DEPLOY,
                (Item("i.smoke", "Smoke tests passed", HERE, None, Ask("What did you see?", ("on_call",))),),
            ),
        ),
        gates=(Gate("go", "Go / no-go", "deploy", Poll(("on_call", "backup"), 2), HERE),),
        success_criteria=tuple(success),
        rollback_triggers=tuple(triggers),
    )


@dataclass
class Broken:
    """A drill with one thing to break."""

    scenario: str = "test"
    speed: float = 1.0
    active: bool = False
    signed: int = 0

    def faults(self) -> Sequence[FaultState]:
        return [FaultState("app.errors", "The application [/fails]", self.active)]

    def toggle(self, _fault: str) -> None:
        self.active = not self.active

    def crew_signs(self) -> int:
        self.signed += 1
        return 2


def shown(app: CockpitApp) -> str:
    """The screen as text."""
    compositor = app.screen._compositor
    visible_screen_stack.set(app._background_screens)  # what a palette is open over
    return "\n".join("".join(segment.text for segment in line) for line in compositor.render_strips())


class Stage(Watch):
    """A watch that is told what the probes saw."""

    def __init__(self, of: Plan | None = None) -> None:
        self.hand = HandClock(START)
        super().__init__(of or plan(), NoSource(), self.hand, Record())
        self.record.append(PhaseBegan(START, Phase.POST_DEPLOY))
        self.arn = "arn:aws:sts::123456789012:assumed-role/on-call/ada"
        self.account = "123456789012"
        self.tick()

    def saw(self, seconds: float = 15, *, blind: Mapping[str, Unknown] | None = None, **values: Value) -> None:
        """Time passes, every probe says `values`, and the cockpit decides. Probes in `blind` see nothing."""
        self.hand.time += timedelta(seconds=seconds)
        now = self.hand.time
        for name in self.plan.probes:
            why = (blind or {}).get(name)
            known = {} if why else {"rate": 0.01, "running": 2, "ok": True} | values
            unknown = {f.name: why for f in FIELDS} if why else {}
            self.board.add(name, Reading(now, now, known, unknown, EVIDENCE, latency_s=0.012))
        self.tick()

    def calm(self, minutes: float = 2) -> Stage:
        for _ in range(int(minutes * 4)):
            self.saw()
        return self

    def burning(self) -> Stage:
        """A latched ROLLBACK."""
        self.calm(1)
        for _ in range(5):
            self.saw(rate=0.12)
        return self

    def blinded(self) -> Stage:
        self.calm(1)
        why = Unknown(
            Reason.ACCESS_DENIED,
            "User [arn:aws:iam::1:user/x] is not authorized: error [/aws/ecs/prod]",
            "allow ecs:DescribeServices, then press r",
        )
        self.saw(blind={"errors": why, "service": why})
        return self


class Seat(Pilot[None]):
    """Presses keys and looks at once: it waits until the application has nothing left to do, and no longer.

    Textual's own sleeps two fiftieths of a second after every key, and asks every widget whether it has finished.
    """

    async def press(self, *keys: str) -> None:
        for key in keys:
            self.app._driver.send_message(_pressed(key))  # type: ignore[union-attr]
            await settled(self.app)

    async def pause(self, delay: float | None = None) -> None:
        if delay:
            await asyncio.sleep(delay)
        await settled(self.app)

    async def resize_terminal(self, width: int, height: int) -> None:
        """Until the screen is laid out anew: Textual waits a moment for the next size before it is."""
        await super().resize_terminal(width, height)
        await until(self, lambda: self.app.screen._compositor.size == (width, height))

    async def _wait_for_screen(self, timeout: float = 0) -> bool:  # noqa: ASYNC109 - as Textual declares it
        await settled(self.app)
        return True


def _pressed(key: str) -> events.Key:
    name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
    try:
        character = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(name, name)))
    except KeyError:
        character = name if len(name) == 1 else ""
    return events.Key(name, character or None)


async def settled(app: App[None]) -> None:
    """Until nothing is ready to run and everything is painted: what is left waits for time, a thread or the outside."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    for _ in range(3):  # painting may ask for more to be painted, once it is known how large things are
        quiet = 0
        while quiet < 2:
            await asyncio.sleep(0)
            quiet = 0 if ready else quiet + 1
        if not app.is_running or not app.screen_stack:
            return
        screen = app.screen
        if not (screen._dirty_widgets or screen._layout_required or screen._repaint_required or screen._callbacks):
            return
        screen._on_timer_update()


def _unseen(of: Compositor, full: bool = False, screen_stack: list[Screen[object]] | None = None, **_: object) -> None:
    """What nobody looks at is not painted: a look (`shown`) paints the whole screen."""
    visible_screen_stack.set(screen_stack or [])
    of._dirty_regions.clear()


@asynccontextmanager
async def opened(
    app: CockpitApp, size: tuple[int, int] = (80, 24), *, notifications: bool = False
) -> AsyncIterator[Seat]:
    """The application, running without a terminal, and a seat before it."""
    with patch.object(Compositor, "render_update", _unseen):
        async with app.run_test(size=size, notifications=notifications):
            seat = Seat(app)
            await settled(app)
            yield seat


async def until(pilot: Pilot[None], what: Callable[[], bool]) -> None:
    """Let the terminal go on until something is so; the test's own limit ends what never is."""
    while not what():
        await pilot.pause(0.02)


def listens(app: CockpitApp) -> bool:
    """Whether the page in front takes what is typed now."""
    return isinstance(app.focused, Input) and getattr(app.screen, "listening", True)
