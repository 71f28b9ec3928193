"""The terminal: renders Situations, and nothing else. It never waits for a probe, and quits at once."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from platformdirs import user_log_path, user_state_path
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import DiscoveryHit, Hit, Hits, Provider

from cockpit.decide import words
from cockpit.engine.ports import Drill, Watching
from cockpit.tui.keys import replay
from cockpit.tui.keys.migration import Steering
from cockpit.tui.keys.registry import ACTIONS, SCREENS, SPEAKING, Action, available
from cockpit.tui.keys.sign_and_decide import Speaking
from cockpit.tui.screens.answer import AnswerScreen
from cockpit.tui.screens.base import FrameScreen
from cockpit.tui.screens.confirm import ConfirmScreen
from cockpit.tui.screens.lists import ChecklistScreen, CutoverScreen, ListScreen, ProbesScreen, TimelineScreen
from cockpit.tui.screens.migration import MigrationScreen
from cockpit.tui.screens.pages import EvidenceScreen, FaultsScreen, HelpScreen
from cockpit.tui.screens.steps import RollbackScreen, RunbookScreen, StepsScreen
from cockpit.tui.text import plain
from cockpit.tui.views import evidence_bundle
from cockpit.tui.views.lookup import find, is_known
from cockpit.tui.widgets.context_row import environment_label

if TYPE_CHECKING:
    from cockpit.actions.executor import Executor
    from cockpit.engine.operator_desk import Desk
    from cockpit.engine.replay import Deck
    from cockpit.migration.helm import Helm

log = logging.getLogger(__name__)
FRAME_S = 0.5
SETTLED_AFTER_S = (1.0, 8.0)
"""When everything has been imported, and again when every client has been made."""


class ActionCommands(Provider):
    """The palette: every action by its name."""

    def _actions(self) -> Iterator[Action]:
        app = self.app
        assert isinstance(app, CockpitApp)
        return app.actions()

    async def discover(self) -> Hits:
        for action in self._actions():
            yield DiscoveryHit(f"{action.label}  ({action.shown})", self._run(action), help=action.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in self._actions():
            name = f"{action.label} {action.help}"
            if (score := matcher.match(name)) > 0:
                yield Hit(score, matcher.highlight(name), self._run(action), help=action.shown)

    def _run(self, action: Action) -> Callable[[], None]:
        app = self.app
        assert isinstance(app, CockpitApp)
        return lambda: app.action_do(action.id)


class CockpitApp(App[None]):
    """The cockpit over a watch. `background` is run on this loop and cancelled at the end; if it dies, a banner says so."""

    CSS_PATH = "cockpit.tcss"
    TITLE = "cockpit"
    COMMANDS = {ActionCommands}  # noqa: RUF012 - Textual's way
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(action.keys, f"do('{action.id}')", action.label, show=False, id=action.id) for action in ACTIONS
    ]

    def __init__(
        self,
        watch: Watching,
        *,
        environment_label: str = "",
        drill: Drill | None = None,
        helm: Helm | None = None,
        desk: Desk | None = None,
        executor: Executor | None = None,
        record: Path | None = None,
        deck: Deck | None = None,
        armed: bool = False,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__()
        self.cutover = watch
        self.drill = drill
        self.helm = helm
        self.desk = desk
        self.executor = executor
        self.record = record
        self.deck = deck
        self.armed = armed
        self.label = environment_label or _label(watch)
        self.degraded = ""
        self._background = background
        self._watching: asyncio.Task[None] | None = None
        self._steer = Steering(self)
        self.speaking = Speaking(self)
        self._main: dict[str, FrameScreen] = {}

    # -- life --------------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        kinds: tuple[type[FrameScreen], ...] = (
            CutoverScreen,
            ChecklistScreen,
            ProbesScreen,
            MigrationScreen,
            RollbackScreen,
            TimelineScreen,
            RunbookScreen,
        )
        for kind in kinds:
            screen = self._main[kind.screen_id] = kind()
            self.install_screen(screen, kind.screen_id)
        self.push_screen("go_cutover")
        self.set_interval(FRAME_S, self.paint)
        self.cutover.on_change.append(self.paint)
        # A moment after the first paint, so that the screen is there before anything else is loaded.
        self.set_timer(0.02, self._start)
        for seconds in SETTLED_AFTER_S:
            self.set_timer(seconds, _settle)

    def _start(self) -> None:
        if self._background is not None and self._watching is None:
            self._watching = asyncio.ensure_future(self._background())
            self._watching.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        why = f"{type(error).__name__}, see the log file" if error else "it stopped"
        self.degraded = f"COCKPIT DEGRADED: nothing is being read or judged ({why})"
        log.error("the watch ended", exc_info=error)
        self.paint()

    async def on_unmount(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching}, timeout=0.8)

    def paint(self) -> None:
        """Show the newest Situation on the screen in front (below a palette, if one is open)."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, FrameScreen):
                screen.paint()
                return

    def settings(self) -> list[tuple[str, str]]:
        """What is in force, for the help page."""
        plan = self.cutover.plan
        found = [
            ("plan", f"{plan.path} ({plan.digest[:12]})"),
            ("environment", plan.environment),
            ("account", self.cutover.account or "not known yet"),
            ("principal", self.cutover.arn or "not known yet"),
            ("mode", "armed" if self.armed else "read-only"),
            ("probes", f"{len(plan.probes)}, dwell before GO {words.duration(plan.verdict_dwell)}"),
            ("you are", self.desk.person.id if self.desk and self.desk.person else "nobody yet: press i"),
            ("record", str(self.record or "none is kept")),
            ("log file", str(user_log_path("cockpit", appauthor=False) / "cockpit.log")),
            ("saved to", str(self.saved_to)),
        ]
        return found + ([("rehearsal", f"{self.drill.scenario} at {self.drill.speed:g}x")] if self.drill else [])

    @property
    def saved_to(self) -> Path:
        return Path(user_state_path("cockpit", appauthor=False))

    # -- actions -----------------------------------------------------------------------------------------------------

    def action_do(self, action: str) -> None:
        """Do an action of the registry, if it is available here."""
        found = next((each for each in self.actions() if each.id == action), None)
        if found is None or (found.where == "migration" and not isinstance(self.screen, MigrationScreen)):
            return
        if isinstance(self.screen, ConfirmScreen | AnswerScreen) and action != "back":
            return  # whoever types a word there means the word
        if any(action == each.id for each in SCREENS):
            self._go(action)
        elif found.where == "migration":
            self._steer.do(action)
        elif found.where == "replay" and self.deck is not None:
            replay.do(self.deck, action)
            self.paint()
        elif action in SPEAKING:
            self.speaking.do(action, self._subject())
        else:
            getattr(self, f"_do_{action}")()

    def actions(self) -> Iterator[Action]:
        """What can be done now."""
        return available(rehearsal=self.drill is not None, armed=self.armed, replay=self.deck is not None)

    def say(self, text: str) -> None:
        self.notify(plain(text), markup=False, timeout=4)

    def _front(self) -> FrameScreen | None:
        return self.screen if isinstance(self.screen, FrameScreen) else None

    def _subject(self) -> str:
        front = self._front()
        return front.subject() if front is not None else ""

    def _go(self, screen_id: str) -> None:
        while self.screen not in self._main.values() and len(self.screen_stack) > 2:
            self.pop_screen()
        if self.screen is not self._main[screen_id]:
            self.switch_screen(screen_id)

    def _do_back(self) -> None:
        front = self._front()
        if front is None or front.back():
            return
        if len(self.screen_stack) > 2:
            self.pop_screen()
        elif self.screen is not self._main["go_cutover"]:
            self._go("go_cutover")

    def _do_evidence(self) -> None:
        front = self._front()
        if isinstance(front, FaultsScreen):
            front.toggle()
        elif (isinstance(front, ChecklistScreen) and front.fold()) or (
            isinstance(front, StepsScreen) and front.opened()
        ):
            return
        elif isinstance(front, ListScreen) and is_known(self.cutover, subject := front.subject()):
            self.push_screen(EvidenceScreen(subject))

    def _do_filter(self) -> None:
        if isinstance(self.screen, ListScreen):
            self.screen.open_filter()

    def _do_failing(self) -> None:
        if isinstance(self.screen, ListScreen):
            self.screen.toggle_failing()

    def _do_mine(self) -> None:
        if isinstance(self.screen, ListScreen):
            self.screen.toggle_mine()

    def mine(self) -> frozenset[str]:
        """Ids of what the person here can sign and has not."""
        return frozenset(self.speaking.open_for(self.desk)) if self.desk else frozenset()

    def _do_probe_now(self) -> None:
        subject = find(self.cutover.situation, self._subject())
        because = getattr(subject, "because", None)
        names = because.probes if because is not None else [getattr(subject, "name", "")] if subject else []
        for name in names or [""]:
            self.cutover.probe_now(name)
        self.say(f"reading {', '.join(names) if names and names[0] else 'every probe'}")

    def _do_pause(self) -> None:
        self.cutover.toggle_pause()
        self.paint()

    def _do_copy(self) -> None:
        front = self._front()
        if front is None:
            return
        line = plain(front.takeaway()).replace("\n", " ")
        self.copy_to_clipboard(line)
        try:
            self.say(f"copied, and added to {evidence_bundle.keep_line(self.saved_to, line)}")
        except OSError as error:
            self.say(f"copied; could not be added to {self.saved_to}: {error.strerror}")

    def _do_link(self) -> None:
        subject = find(self.cutover.situation, self._subject())
        link = evidence_bundle.link(subject)
        if link:
            self.copy_to_clipboard(link)
        self.say(link or "there is no link for this line")

    def _do_save(self) -> None:
        try:
            self.say(
                f"saved to {evidence_bundle.save(self.saved_to, self.cutover.situation, self.export_screenshot())}"
            )
        except OSError as error:
            self.say(f"nothing saved to {self.saved_to}: {error.strerror}; see that it can be written, then again")

    def _do_arm(self) -> None:
        if self.armed:
            self.armed = False
            self.say("read-only again")
        elif not isinstance(self.screen, ConfirmScreen):
            account = self.cutover.account or self.cutover.plan.target.account or self.cutover.plan.name
            consequences = (
                "From then on keys that change the world are there. They still ask before what cannot be undone."
            )
            title = f"ARM the cockpit on {account} ({self.label})"
            self.push_screen(ConfirmScreen(title, consequences, account, self._arm))
        self.paint()

    def _arm(self) -> None:
        self.armed = True
        self.say("ARMED: F9 makes it read-only again")
        self.paint()

    def _do_faults(self) -> None:
        if not isinstance(self.screen, FaultsScreen):
            self.push_screen(FaultsScreen())

    def _do_crew(self) -> None:
        if self.drill is not None:
            count = self.drill.crew_signs()
            self.say(
                words.count(count, "entry").replace("entrys", "entries") + " by the crew"
                if count
                else "nothing for the crew to do now"
            )

    def _do_help(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen())

    def _do_palette(self) -> None:
        self.action_command_palette()

    def _do_quit(self) -> None:
        self.exit()

    def action_help_quit(self) -> None:
        """For ctrl+c, which never ends a cutover by habit."""
        self.say("q leaves the cockpit; c copies")


def _settle() -> None:
    """Take what is there to stay out of the garbage collector's rounds: each would stop the keys for a tenth of a second."""
    gc.collect()
    gc.freeze()


def _label(watch: Watching) -> str:
    return environment_label(watch.plan.environment)
