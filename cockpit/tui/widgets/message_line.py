"""Above the keys: what was just done, or why it was not. It takes its own lines, for a moment, and covers none."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

from cockpit.tui import theme
from cockpit.tui.widgets.passage import Passage

MOST = 3
"""Lines of one message."""


class MessageLine(Passage):
    """Takes no room while there is nothing to show."""

    DEFAULT_CSS = (
        f"MessageLine {{ height: auto; max-height: {MOST}; padding: 0 1; background: {theme.PANEL}; display: none; }}"
    )

    def __init__(self, message: Callable[[], Text]) -> None:
        super().__init__()
        self._message = message

    def show_newest(self) -> None:
        """The message there is now."""
        message = self._message()
        self.display = bool(message)
        self.show(message)
