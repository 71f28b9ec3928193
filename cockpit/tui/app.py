"""The terminal: renders Situations, and nothing else. It never waits for a probe, and quits at once."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, assert_never

from platformdirs import user_log_path, user_state_path
from rich.text import Text
from textual.app import App
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.events import Event, Key, MouseDown
from textual.filter import LineFilter, Monochrome, NoColor

from cockpit import formatting
from cockpit.ascii_symbols import ascii_only
from cockpit.decide.next_action import next_for
from cockpit.engine.ports import Drill, Watching
from cockpit.tui import calling, theme
from cockpit.tui.action_registry import ACTIONS, IN_BROWSER, PLACED, Action, Handler, Where, available
from cockpit.tui.attention import Attention
from cockpit.tui.command_palette import ActionCommands
from cockpit.tui.driver import TerminalDriver
from cockpit.tui.key_map import KeyMap
from cockpit.tui.keys import replay
from cockpit.tui.keys.general import GeneralKeys
from cockpit.tui.keys.migration import MigrationKeys
from cockpit.tui.keys.sign_and_decide import DeskKeys
from cockpit.tui.keys.walk_steps import StepKeys
from cockpit.tui.look import Look
from cockpit.tui.screens.base import FrameScreen
from cockpit.tui.screens.lists import ListScreen
from cockpit.tui.screens.pages import CardScreen
from cockpit.tui.screens.registry import FIRST, MAIN_SCREENS
from cockpit.tui.terminal_settings import Settings, fitting, settings_path
from cockpit.tui.text import plain
from cockpit.tui.views.notices import NoticeLog
from cockpit.tui.widgets.banner import is_stale
from cockpit.tui.widgets.context_row import environment_label

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.screen import Screen

    from cockpit.actions.executor import Executor
    from cockpit.engine.operator_desk import Desk
    from cockpit.migration.controller import Controller
    from cockpit.replay.session import ReplayControls

log = logging.getLogger(__name__)
FRAME_S = 0.5
_PLACED_IDS = frozenset(action.id for action in ACTIONS if action.where in PLACED)
MESSAGE = 300
"""Characters of a short notice."""
MESSAGE_S, REFUSAL_S = 5.0, 30.0
"""How long a notice stands, and a refusal where no other key is pressed."""
SETTLED_AFTER_S = (1.0, 8.0)
"""When everything has been imported, and again when every client has been made."""


def _web_driver() -> type[Driver]:
    from textual.drivers.web_driver import WebDriver

    return WebDriver


class CockpitApp(App[None]):
    """The cockpit over a watch. `background` is run on this loop and cancelled at the end; if it dies, a banner says so."""

    CSS_PATH = "cockpit.tcss"
    TITLE = "cockpit"
    COMMANDS = {ActionCommands}  # noqa: RUF012 - Textual's way
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(action.keys, f"do('{action.id}')", action.label, show=False, id=action.id)
        for action in ACTIONS
        if action.where not in PLACED
    ]

    def __init__(
        self,
        watch: Watching,
        *,
        environment_label: str = "",
        drill: Drill | None = None,
        controller: Controller | None = None,
        desk: Desk | None = None,
        executor: Executor | None = None,
        record: Path | None = None,
        controls: ReplayControls | None = None,
        armed: bool = False,
        settings: Settings | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
        card: Callable[[], Sequence[str]] | None = None,
        seconds: Callable[[], float] = time.monotonic,
        in_browser: bool = False,
    ) -> None:
        """`in_browser`: shown there, and nothing but looking is possible."""
        super().__init__(driver_class=_web_driver() if in_browser else TerminalDriver)
        if in_browser and (desk or executor or controller or drill or armed):
            raise ValueError("in a browser nothing can be signed, decided, done or armed")
        self._in_browser = in_browser
        self.cutover = watch
        self.drill = drill
        self.controller = controller
        self.desk = desk
        self.executor = executor
        self.record = record
        self.controls = controls
        self.armed = armed
        self.look_settings = settings = settings or fitting()
        self._look = Look(settings.palette, ascii_symbols=settings.ascii_symbols)
        self.set_keymap(dict(settings.keys.keys))
        self.label = environment_label or _label(watch)
        self.degraded = ""
        self.noticed = NoticeLog()
        self.attention = Attention(seconds)
        self.doing, self.message = "", Text()
        self._caller = calling.Caller(watch.plan.name, os.environ, rings=controls is None)
        self._left_out = False
        """Whether the terminal lacks a part of the screen that is not painted anew."""
        self._card, self._card_shown = card, ""
        """What a tour has to show now, and the title of the card that was shown last."""
        self._background = background
        self._watching: asyncio.Task[None] | None = None
        self._general_keys = GeneralKeys(self)
        self._migration_keys = MigrationKeys(self)
        self._desk_keys = DeskKeys(self)
        self._step_keys = StepKeys(self, self._desk_keys)
        self._main: dict[str, FrameScreen] = {}

    # -- lifecycle --------------------------------------------------------------------------------------------------------

    async def run_to_end(self, *, headless: bool = False) -> None:
        """Run until it is quit, `headless` without a terminal. Raises what ended it, if that was an unexpected error.

        Cancelled, it quits, and gives the terminal back before it says so. Textual itself is never cancelled: it drops the
        request where it is not looking for one, and then goes on forever.
        """
        running = asyncio.ensure_future(self.run_async(headless=headless))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            self.exit()
            await running
            raise
        if self._exception is not None:
            raise self._exception

    def _fatal_error(self) -> None:
        """End, and show nothing: Textual would print the traceback with every local variable, and those hold secrets."""
        self._close_messages_no_wait()

    async def on_event(self, event: Event) -> None:
        """Every key and click is seen here first, whoever takes it."""
        if isinstance(event, Key | MouseDown):
            was_away = self.attention.away
            self.attention.key(self.cutover.clock.now())
            if was_away:
                self.call_later(self.paint)
        await super().on_event(event)

    def on_mount(self) -> None:
        self.attention.key(self.cutover.clock.now())
        for screen_id, kind in MAIN_SCREENS.items():
            screen = self._main[screen_id] = kind()
            self.install_screen(screen, screen_id)
        self.push_screen(FIRST)
        self.set_interval(FRAME_S, self._frame)
        self.cutover.on_change.append(self.paint)
        self.app_resume_signal.subscribe(self, self._continued)
        # After the first paint, so that the screen is there before anything else is loaded.
        self.call_after_refresh(self.set_timer, 0.02, self._start)
        for seconds in SETTLED_AFTER_S:
            self.set_timer(seconds, _settle)

    def _continued(self, _: App[None]) -> None:
        """After fg: the terminal shows nothing of the screen any more."""
        self._left_out = True
        self.refresh(layout=True)

    def _start(self) -> None:
        if self._background is not None and self._watching is None:
            self._watching = asyncio.ensure_future(self._background())
            self._watching.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        why = f"{type(error).__name__}, see the log file" if error else "it stopped"
        self.degraded = f"COCKPIT DEGRADED: nothing is being read or evaluated ({why})"
        log.error("the watch ended", exc_info=error)
        self.paint()

    def exit(self, *args: Any, **options: Any) -> None:
        """Quit. The watch stops first: closing the screens is enough work for an end that somebody waits for."""
        if self._watching is not None:
            self._watching.cancel()
        super().exit(*args, **options)

    async def on_unmount(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching}, timeout=0.8)

    def _frame(self) -> None:
        """What the time alone changes: clocks, ages of the verdict, a newer Situation if there is one."""
        self.paint(again=False)

    def paint(self, *, again: bool = True) -> None:
        """Show the newest Situation on the screen in front (below a palette, if one is open)."""
        self.noticed.look([self.degraded, *self.cutover.notices_now], self.cutover.clock.now())
        self._call()
        self._show_card()
        for screen in reversed(self.screen_stack):
            if isinstance(screen, FrameScreen):
                screen.paint(again=again)
                return

    def _show_card(self) -> None:
        """Open the card of a tour over a main screen, each once."""
        lines = self._card() if self._card is not None else ()
        if lines and lines[0] != self._card_shown and self.screen in self._main.values():
            self._card_shown = lines[0]
            self.push_screen(CardScreen(lines))

    def _call(self) -> None:
        """Keep the title true, and ring and notify where something has turned."""
        text = self._caller.due(self.cutover.situation, self.degraded, stale=is_stale(self.cutover))
        if text and self._driver is not None and not self.look_settings.quiet:
            self._driver.write(ascii_only(text) if self._look.ascii_only else text)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """A frame the terminal has no room for is left out, and the next one is of the whole screen."""
        if isinstance(self._driver, TerminalDriver) and not self._driver.room():
            self._left_out = True
            return
        if self._left_out and not self._batch_count:
            self._left_out = False
            renderable = screen._compositor.render_update(full=True, screen_stack=self._background_screens)
        super()._display(screen, renderable)

    def _print_error_renderables(self) -> None:
        if isinstance(self._driver, TerminalDriver) and self._driver.gave_up:
            self._exit_renderables.clear()  # writing them would wait for the terminal
        super()._print_error_renderables()

    @property
    def key_map(self) -> KeyMap:
        return self.look_settings.keys

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Ours comes last. Textual's own for NO_COLOR makes greys of the colours, in which what is bad is no stronger."""
        kept = [each for each in super().get_line_filters() if not isinstance(each, Monochrome | NoColor)]
        return [*kept, self._look] if self._look.enabled else kept

    def settings(self) -> list[tuple[str, str]]:
        """What is in force, for the help page."""
        plan = self.cutover.plan
        found = [
            ("plan", f"{plan.path} ({plan.digest[:12]})"),
            ("environment", plan.environment),
            ("account", self.cutover.account or "not known yet"),
            ("principal", self.cutover.arn or "not known yet"),
            ("mode", "armed" if self.armed else "read-only"),
            ("probes", f"{len(plan.probes)}, dwell before GO {formatting.duration(plan.verdict_dwell)}"),
            ("you are", self.desk.person.id if self.desk and self.desk.person else "not identified: press i"),
            ("record", str(self.record or "none")),
            ("log file", str(user_log_path("cockpit", appauthor=False) / "cockpit.log")),
            ("saved to", str(self.saved_to)),
            ("theme", f"{self._look.name}{', ASCII symbols' if self._look.ascii_only else ''}"),
            ("settings", self.look_settings.source or f"none: {settings_path()} would be read"),
        ]
        return found + ([("rehearsal", f"{self.drill.scenario} at {self.drill.speed:g}x")] if self.drill else [])

    @property
    def who(self) -> str | None:
        """Id of the person here; empty while nobody has said who they are, None where nobody can act."""
        if self.desk is None:
            return None
        return self.desk.person.id if self.desk.person is not None else ""

    @property
    def saved_to(self) -> Path:
        return Path(user_state_path("cockpit", appauthor=False))

    # -- actions -----------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key of one kind of screen is there only while that screen offers it."""
        if action == "do" and parameters and parameters[0] in _PLACED_IDS:
            return isinstance(self.screen, FrameScreen) and self.screen.offers(str(parameters[0]))
        return super().check_action(action, parameters)

    def action_do(self, action: str) -> None:
        """Do an action of the registry, if it is available here."""
        front = self.screen if isinstance(self.screen, FrameScreen) else None
        self.doing, self.message = action, Text()
        found = next((each for each in self.actions() if each.id == action), None)
        if found is None or (found.where is Where.MIGRATION and self.screen is not self._main["go_migration"]):
            return
        if front is not None and front.takes_text and action not in ("submit", "back", "copy", "start_step", "suspend"):
            return  # letters typed there are text, not keys; F6 copies a step's command, F7 starts it
        match found.handler:
            case Handler.SCREEN:
                self._go(action)
            case Handler.MIGRATION:
                self._migration_keys.do(action)
            case Handler.REPLAY:
                if self.controls is not None:
                    replay.do(self.controls, action)
                    self.paint()
            case Handler.DESK:
                self._desk_keys.do(action, front.subject() if front is not None else "")
            case Handler.GENERAL:
                self._general_keys.do(action)
            case _:
                assert_never(found.handler)

    def actions(self) -> Iterator[Action]:
        """What can be done now."""
        there = available(rehearsal=self.drill is not None, armed=self.armed, replay=self.controls is not None)
        return self.key_map.of(each for each in there if not self._in_browser or each.id in IN_BROWSER)

    def show_message(self, text: str) -> None:
        self.noticed.message(text, self.cutover.clock.now())
        self._show(Text(plain(text, longest=MESSAGE), style=theme.TEXT), MESSAGE_S)

    def refuse(self, why: str, action: str = "") -> None:
        keys = {each.id: each for each in self.key_map.of(ACTIONS)}
        asked = keys.get(action or self.doing)
        self.noticed.message(why, self.cutover.clock.now())
        text = Text(f"{asked.shown} {asked.label}   " if asked else "", style=f"bold {theme.STRONG}")
        self._show(text.append(f"BLOCKED: {plain(why, longest=MESSAGE)}", style=f"bold {theme.HOLD}"), REFUSAL_S)

    def _show(self, message: Text, seconds: float) -> None:
        self.message = message
        self.set_timer(seconds, lambda: self._hide(message))
        self.paint()

    def _hide(self, message: Text) -> None:
        if self.message is message:
            self.message = Text()
            self.paint()

    def _go(self, screen_id: str) -> None:
        while self.screen not in self._main.values() and len(self.screen_stack) > 2:
            self.pop_screen()
        front = self._main[screen_id]
        if self.screen is not front:
            self.switch_screen(screen_id)
        due = next_for(self.cutover.situation, self.who)
        if due.act == screen_id and isinstance(front, ListScreen):
            front.aim(due.subject)

    def leave(self) -> None:
        """Close the page in front; on a main screen, go to the first one."""
        if len(self.screen_stack) > 2:
            self.pop_screen()
        elif self.screen is not self._main[FIRST]:
            self._go(FIRST)

    def mine(self) -> frozenset[str]:
        """Ids of what the person here can sign and has not."""
        return frozenset(self._desk_keys.open_for(self.desk)) if self.desk else frozenset()

    def decide(self, choice: str) -> None:
        self._desk_keys.decide(choice)

    def open_step(self, step_id: str) -> None:
        self._step_keys.open(step_id)

    def action_help_quit(self) -> None:
        """For ctrl+c, which does not quit."""
        self.show_message("q leaves the cockpit; c copies")


def _settle() -> None:
    """Take what is there to stay out of the garbage collector's rounds: each would stop the keys for a tenth of a second.

    Nothing is looked for before: a look costs that tenth too, and what little of a start is garbage may stay.
    """
    gc.freeze()


def _label(watch: Watching) -> str:
    return environment_label(watch.plan)
