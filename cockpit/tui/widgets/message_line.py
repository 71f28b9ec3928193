"""Above the keys: what was just done, or why it was not. It takes its own lines, for a moment, and covers none."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual.widgets import Static

from cockpit.tui import theme
from cockpit.tui.text import safe

MOST = 3
"""Lines of one message."""


class MessageLine(Static):
    """Takes no room while there is nothing to show."""

    DEFAULT_CSS = (
        f"MessageLine {{ height: auto; max-height: {MOST}; padding: 0 1; background: {theme.PANEL}; display: none; }}"
    )

    def __init__(self, message: Callable[[], Text]) -> None:
        super().__init__("", markup=False)
        self._message = message
        self._shown: Text | None = None

    def show(self) -> None:
        """The message there is now."""
        message = self._message()
        if message is self._shown:
            return
        self._shown = message
        self.display = bool(message)
        self.update(safe(message.copy()))
