"""The Migration screen."""

from __future__ import annotations

from rich.text import Text

from cockpit.tui import theme
from cockpit.tui.action_registry import MIGRATION_FOOTER
from cockpit.tui.screens.pages import Page
from cockpit.tui.text import hanging
from cockpit.tui.views.migration import migration_text
from cockpit.tui.views.throughput import plot_rows


class MigrationScreen(Page):
    """How far the files are, and what holds them."""

    screen_id = "go_migration"
    footer = MIGRATION_FOOTER

    def text(self) -> Text:
        cockpit = self.cockpit
        width = self.size.width - 3
        controller = cockpit.controller
        if controller is None:
            text = "nothing is followed or moved from here; what happened to the files is on the Timeline (6)"
            if cockpit.cutover.plan.migration is None:
                text = "this plan has no `migration:` section, so no files are moved from here"
            return hanging("NOTHING", text, width, indent=10, styles=(theme.QUIET, theme.TEXT))
        rows = plot_rows(self.size.width, self.size.height)
        return migration_text(
            controller.progress,
            controller.trouble,
            width,
            armed=cockpit.armed,
            plot=rows,
            beginning=controller.beginning,
        )

    def clipboard_line(self) -> str:
        controller = self.cockpit.controller
        if controller is None:
            return super().clipboard_line()
        progress = controller.progress
        return f"migration {progress.phase} {progress.stands}; {progress.done:,} of {progress.files:,} files"
