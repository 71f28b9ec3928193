"""The page on which a person answers in words: a question, what is seen now, and one line to type."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Static

from cockpit.engine.ports import Refused
from cockpit.tui import theme
from cockpit.tui.keys.registry import CONFIRM_FOOTER
from cockpit.tui.screens.base import FrameScreen
from cockpit.tui.screens.confirm import DEAF_S
from cockpit.tui.text import plain, safe, wrapped

Say = Callable[[str], Awaitable[str]]
"""Takes what was typed; gives what to tell the person. Raises Refused, and then the page stays."""


class AnswerScreen(FrameScreen):
    """Enter says it, esc leaves without. What is seen goes on changing above the line that is typed."""

    footer: ClassVar[tuple[str, ...]] = CONFIRM_FOOTER
    takes_text = True

    def __init__(
        self,
        question: str,
        seen: Callable[[int, int], Text],
        hint: str,
        say: Say,
        *,
        about: str = "",
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """`seen` paints what is known now, for a width and a height. `then` runs once it was said and the page is gone."""
        super().__init__()
        self.question, self.hint, self.about = question, hint, about
        self._seen, self._say, self._then = seen, say, then
        self._saying: asyncio.Task[None] | None = None
        self.problem = ""

    def body(self) -> Iterable[Widget]:
        yield Static("", id="question", markup=False)
        yield VerticalScroll(Static("", id="text", markup=False), id="page", can_focus=False)
        yield Static("", id="problem", markup=False)
        field = Input(placeholder=self.hint, id="word")
        field.disabled = True
        yield field

    def on_mount(self) -> None:
        self.set_timer(DEAF_S, self._listen)

    def on_unmount(self) -> None:
        if self._saying is not None:
            self._saying.cancel()

    def _listen(self) -> None:
        field = self.query_one("#word", Input)
        field.disabled = False
        field.focus()

    def subject(self) -> str:
        return self.about

    def paint_body(self) -> None:
        width = self.size.width - 4
        asked = wrapped(plain(self.question), width, most=3)
        self.query_one("#question", Static).update(
            Text("\n".join(f" {line}" for line in asked), style=f"bold {theme.STRONG}")
        )
        self.query_one("#text", Static).update(safe(self._seen(width, max(4, self.size.height - 8 - len(asked)))))
        self.query_one("#problem", Static).update(Text(f" {plain(self.problem)}", style=f"bold {theme.HOLD}"))

    def on_resize(self) -> None:
        self.call_after_refresh(self.paint)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if self._saying is None or self._saying.done():
            self._saying = asyncio.ensure_future(self._said(event.value))

    async def _said(self, text: str) -> None:
        field = self.query_one("#word", Input)
        self.problem = "keeping it … (touch your key if it waits)"
        self.paint()
        try:
            told = await self._say(text)
        except Refused as refused:
            self.problem = str(refused)
            self.paint()
            field.focus()
            return
        if self.is_current:
            self.cockpit.pop_screen()
        if told:
            self.cockpit.say(told)
        self._then()
        self.cockpit.paint()
