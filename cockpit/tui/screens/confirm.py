"""The page that asks for a typed confirmation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.text import Text
from textual import on
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Input

from cockpit.tui import theme
from cockpit.tui.screens.typed import TypedScreen
from cockpit.tui.text import hanging, wrapped
from cockpit.tui.widgets.passage import Passage


class ConfirmScreen(TypedScreen):
    """A verb, an object, an account; consequences; and a word to be typed exactly. Esc leaves everything as it is."""

    def __init__(self, title: str, consequences: str, word: str, then: Callable[[], None]) -> None:
        super().__init__()
        self.what, self.consequences, self.word = title, consequences, word
        self._then = then
        self._confirmed = False

    def body(self) -> Iterable[Widget]:
        yield VerticalScroll(Passage("text"), id="page", can_focus=False)
        yield self.line_to_type(f"type: {self.word}")

    def paint_body(self) -> None:
        width = self.size.width - 4
        text = Text("\n")
        for line in wrapped(self.what, width, most=3):
            text.append(f" {line}\n", style=f"bold {theme.BAD}")
        text.append("\n")
        text += hanging("", self.consequences, width, indent=0, styles=("", theme.TEXT))
        for number, line in enumerate(wrapped(f"Type  {self.word}  to confirm", width, most=3)):
            text.append(f"{'' if number else chr(10)} {line}\n", style=theme.STRONG)
        self.query_one("#text", Passage).show(text, keep="\n")

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if self._confirmed or not self.listening:  # enter pressed twice before the page was closed
            return
        if event.value.strip() != self.word:
            self.cockpit.show_message("text does not match; nothing was changed")
            return
        self._confirmed = True
        self.cockpit.pop_screen()
        self._then()
