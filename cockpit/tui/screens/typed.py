"""What pages have in common on which somebody types a line: it stands out in every theme, and the footer says what sends it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.widgets import Input

from cockpit.tui.action_registry import TYPED_FOOTER, Where
from cockpit.tui.screens.base import FrameScreen, own_bindings
from cockpit.tui.text import plain

INPUT_DELAY_S = 0.4
"""Seconds during which enter does nothing on a dangerous page: it was pressed before the page was shown."""


class TypedScreen(FrameScreen):
    """A page with one line to type in. Enter submits it, once `listening`; esc leaves everything as it is."""

    BINDINGS: ClassVar[list[BindingType]] = own_bindings(Where.TYPED)
    offered: ClassVar[frozenset[str]] = frozenset({"submit"})
    footer: ClassVar[tuple[str, ...]] = TYPED_FOOTER
    takes_text = True
    listening = False
    """Whether enter submits by now."""

    @property
    def line(self) -> Input:
        return self.query_one("#word", Input)

    def line_to_type(self, hint: str) -> Input:
        """The line, with what it asks for while it is empty."""
        return Input(placeholder=plain(hint), id="word")

    def on_mount(self) -> None:
        self.line.focus()
        self.set_timer(INPUT_DELAY_S, self._listen)

    def _listen(self) -> None:
        self.listening = True

    def submit(self) -> None:
        self.line.post_message(Input.Submitted(self.line, self.line.value))
