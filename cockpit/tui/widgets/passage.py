"""Text on the screen that is laid out and painted again only when it has become another."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from cockpit.tui.text import safe


class Passage(Static):
    """A text without markup. Every frame may show it again: what has not changed costs a comparison."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as every widget calls it
        super().__init__("", id=id, markup=False)
        self._shown: Text | None = None

    def show(self, text: Text, *, keep: str = "") -> None:
        """What it is to be, made safe; `keep`: characters that stay, see `safe`."""
        before = self._shown
        if before is not None and before.style == text.style and before == text:
            return
        self._shown = text.copy()
        # Laying out the whole screen costs more than painting this: only where it takes another number of rows.
        height, rows = self.styles.height, self._rows()
        self.update(safe(text, keep=keep), layout=False)
        if (height is None or height.is_auto) and (not rows or self._rows() != rows):
            self.refresh(layout=True)

    def _rows(self) -> int:
        """As many as its text takes at its width; none before it has one."""
        self.clear_cached_dimensions()
        return self.get_content_height(self.container_size, self.app.size, self.content_size.width)
