"""The frame every screen shares: context row, verdict banner, a body of its own, and the footer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from cockpit.tui.actions import footer
from cockpit.tui.widgets.frame import ContextRow, Footer, VerdictBanner

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


class FrameScreen(Screen[None]):
    """A screen that is painted, all of it, from the newest Situation."""

    screen_id = ""
    is_page = False
    """Opened over a list; esc goes back."""

    @property
    def cockpit(self) -> CockpitApp:
        return cast("CockpitApp", self.app)

    def compose(self) -> ComposeResult:
        cockpit = self.cockpit
        yield ContextRow(cockpit.cutover, cockpit.label)
        yield VerdictBanner(cockpit.cutover)
        yield from self.body()
        yield Footer(footer(rehearsal=cockpit.drill is not None, page=self.is_page), self.screen_id)

    def body(self) -> Iterable[Widget]:
        """What is between the banner and the footer."""
        return ()

    def on_mount(self) -> None:
        self.set_class(self.cockpit.label == "PROD", "-production")
        self.paint()

    def on_screen_resume(self) -> None:
        self.paint()

    def paint(self) -> None:
        """Show the newest Situation."""
        if not self.is_attached:
            return
        banner = self.query_one(VerdictBanner)
        banner.degraded = self.cockpit.degraded
        banner.refresh()
        self.query_one(ContextRow).refresh()
        self.paint_body()

    def paint_body(self) -> None:
        """Show the newest Situation in the body."""

    def back(self) -> bool:
        """Leave something inside this screen; False if there is nothing to leave."""
        return False
