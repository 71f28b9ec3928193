"""The page on which a person types an answer: the question, the current readings, and one line to type."""

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
from cockpit.tui.action_registry import CONFIRM_FOOTER
from cockpit.tui.screens.base import FrameScreen
from cockpit.tui.screens.confirm import INPUT_DELAY_S
from cockpit.tui.text import plain, safe, wrapped

Accept = Callable[[str], Awaitable[str]]
"""Takes what was typed; returns what to show. Raises Refused, and then the page stays."""


class AnswerScreen(FrameScreen):
    """Enter submits, esc cancels. What is seen goes on changing above the line that is typed."""

    footer: ClassVar[tuple[str, ...]] = CONFIRM_FOOTER
    takes_text = True

    def __init__(
        self,
        question: str,
        seen: Callable[[int, int], Text],
        hint: str,
        accept: Accept,
        *,
        about: str = "",
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """`seen` paints what is known now, for a width and a height. `then` runs once it was accepted and the page is closed."""
        super().__init__()
        self.question, self.hint, self.about = question, hint, about
        self._seen, self._accept, self._then = seen, accept, then
        self._submitting: asyncio.Task[None] | None = None
        self.problem = ""

    def body(self) -> Iterable[Widget]:
        yield Static("", id="question", markup=False)
        yield VerticalScroll(Static("", id="text", markup=False), id="page", can_focus=False)
        yield Static("", id="problem", markup=False)
        field = Input(placeholder=plain(self.hint), id="word")
        field.disabled = True
        yield field

    def on_mount(self) -> None:
        self.set_timer(INPUT_DELAY_S, self._listen)

    def on_unmount(self) -> None:
        if self._submitting is not None:
            self._submitting.cancel()

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
        self.query_one("#text", Static).update(
            safe(self._seen(width, max(4, self.size.height - 8 - len(asked))), keep="\n")
        )
        self.query_one("#problem", Static).update(Text(f" {plain(self.problem)}", style=f"bold {theme.HOLD}"))

    def on_resize(self) -> None:
        self.call_after_refresh(self.paint)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if self._submitting is None or self._submitting.done():
            self._submitting = asyncio.ensure_future(self._submit(event.value))

    async def _submit(self, text: str) -> None:
        field = self.query_one("#word", Input)
        self.problem = "saving … (touch your security key if it blinks)"
        self.paint()
        try:
            answer = await self._accept(text)
        except Refused as refused:
            self.problem = str(refused)
            self.paint()
            field.focus()
            return
        if self.is_current:
            self.cockpit.pop_screen()
        if answer:
            self.cockpit.show_message(answer)
        self._then()
        self.cockpit.paint()
