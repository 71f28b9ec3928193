"""The frame every screen shares: context row, verdict banner, a body of its own, and the footer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from cockpit.tui.action_registry import Action, footer
from cockpit.tui.text import plain
from cockpit.tui.views import evidence_bundle
from cockpit.tui.views.lookup import find, step_of
from cockpit.tui.widgets.banner import Here, VerdictBanner
from cockpit.tui.widgets.context_row import ContextRow
from cockpit.tui.widgets.footer import Footer
from cockpit.tui.widgets.message_line import MessageLine
from probes.known_secrets import hide

if TYPE_CHECKING:
    from cockpit.tui.cockpit import Cockpit


class FrameScreen(Screen[None]):
    """A screen that is painted, all of it, from the newest Situation."""

    screen_id = ""
    _ready = False
    takes_text: ClassVar[bool] = False
    """Whether letters typed here are words, not keys."""
    footer: ClassVar[tuple[str, ...]] = ()
    """Ids of the actions in the footer; empty for those of a list."""

    @property
    def cockpit(self) -> Cockpit:
        return cast("Cockpit", self.app)

    def compose(self) -> ComposeResult:
        cockpit = self.cockpit
        yield ContextRow(cockpit.cutover, cockpit.label, armed=lambda: cockpit.armed, who=lambda: cockpit.who)
        yield VerdictBanner(cockpit.cutover, self._here)
        yield from self.body()
        yield MessageLine(lambda: cockpit.message)
        yield Footer(self._keys(), self.screen_id, cockpit.action_do)

    def _here(self) -> Here:
        return Here(self.cockpit.who, {action.id: action.shown for action in self.cockpit.actions()})

    def _keys(self) -> list[Action]:
        cockpit = self.cockpit
        there = footer(
            rehearsal=cockpit.drill is not None,
            of=self.footer,
            armed=cockpit.armed,
            replay=cockpit.controls is not None,
        )
        return list(cockpit.key_map.of(there))

    def body(self) -> Iterable[Widget]:
        """What is between the banner and the footer."""
        return ()

    def on_mount(self) -> None:
        self._ready = True
        self.set_class(self.cockpit.label == "PROD", "-production")
        self.paint()

    def on_unmount(self) -> None:
        self._ready = False

    def on_screen_resume(self) -> None:
        self.paint()

    def paint(self) -> None:
        """Show the newest Situation."""
        # A frame may fall due while the screen is put together or taken apart; the next one paints it.
        if not self._ready or not self.is_running:
            return
        banner = self.query_one(VerdictBanner)
        banner.degraded = self.cockpit.degraded
        banner.refresh()
        self.query_one(ContextRow).refresh()
        self.query_one(MessageLine).show()
        keys = self.query_one(Footer)
        if keys.actions != (now := self._keys()):
            keys.actions = now
            keys.refresh()
        self.paint_body()

    def paint_body(self) -> None:
        """Show the newest Situation in the body."""

    def subject(self) -> str:
        """Id of what this screen or its cursor is about; empty where there is nothing."""
        return ""

    def clipboard_text(self) -> str:
        """The command of a step, exactly as the plan has it, to paste into a shell; else one line for the incident channel."""
        step = step_of(self.cockpit.cutover.situation, self.subject())
        return hide(step.command) if step is not None and step.command else plain(self.clipboard_line())

    def clipboard_line(self) -> str:
        """One line to paste into the incident channel."""
        situation = self.cockpit.cutover.situation
        return evidence_bundle.line(situation, find(situation, self.subject()))

    def back(self) -> bool:
        """Leave something inside this screen; False if there is nothing to leave."""
        return False

    # What the keys of lists do; nothing on a screen that is none.

    def open_selected(self) -> None:
        """Enter on the line under the cursor."""

    def open_filter(self) -> None:
        """Ask for the text that lines must contain."""

    def toggle_failing(self) -> None:
        """Show only what stands in the way, or everything again."""

    def toggle_mine(self) -> None:
        """Show only what the person here can sign, or everything again."""
