"""The page on which a person answers: the question, what can be chosen, the current readings, and one line to type."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Input

from cockpit.engine.ports import Refused
from cockpit.tui import theme
from cockpit.tui.screens.typed import TypedScreen
from cockpit.tui.text import plain, wrapped
from cockpit.tui.widgets.passage import Passage
from probes.frozen import frozen

Accept = Callable[[str], Awaitable[str]]
"""Takes what was typed; returns what to show. Raises Refused, and then the page stays."""


@frozen
class Choice:
    """One of several answers; what is typed beside it is its reason."""

    value: str
    """What is submitted, before the reason."""
    label: str
    help: str = ""


class AnswerScreen(TypedScreen):
    """Enter submits, esc cancels; where there are choices, the arrows choose. What is seen goes on changing above the line typed.

    What is typed is never lost: the line takes text from the first moment. On a dangerous page enter alone waits a moment, since
    it may have been pressed for the page before.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "choose(1)", show=False, priority=True),
        Binding("up", "choose(-1)", show=False, priority=True),
    ]

    def __init__(
        self,
        question: str,
        seen: Callable[[int, int], Text],
        hint: str,
        accept: Accept,
        *,
        about: str = "",
        choices: Sequence[Choice] = (),
        dangerous: bool = False,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """`seen` paints what is known now, for a width and a height. `then` runs once it was accepted and the page is closed.

        Of `choices` none is chosen at first, so that enter alone does nothing.
        """
        super().__init__()
        self.question, self.hint, self.about = question, hint, about
        self._seen, self._accept, self._then = seen, accept, then
        self._submitting: asyncio.Task[None] | None = None
        self.problem = ""
        self.choices, self.chosen = tuple(choices), -1
        self.listening = not dangerous

    def body(self) -> Iterable[Widget]:
        yield Passage("question")
        yield VerticalScroll(Passage("text"), id="page", can_focus=False)
        yield Passage("problem")
        yield self.line_to_type(self.hint)

    def on_unmount(self) -> None:
        if self._submitting is not None:
            self._submitting.cancel()

    def action_choose(self, by: int) -> None:
        """The next choice, or the one before; from none, the first or the last."""
        if self.choices:
            at = self.chosen + by if self.chosen >= 0 else (0 if by > 0 else -1)
            self.chosen = at % len(self.choices)
            self.paint()

    def subject(self) -> str:
        return self.about

    def paint_body(self) -> None:
        width = self.size.width - 4
        asked = wrapped(plain(self.question), width, most=3)
        question = Text("\n".join(f" {line}" for line in asked), style=f"bold {theme.STRONG}")
        for choice in self._choice_lines(width):
            question.append("\n").append_text(choice)
        self.query_one("#question", Passage).show(question, keep="\n")
        room = self.size.height - 8 - len(asked) - len(self.choices)
        self.query_one("#text", Passage).show(self._seen(width, max(4, room)), keep="\n")
        typed = self.line.value  # and with it what the empty line said
        line, style = (
            (self.problem, f"bold {theme.HOLD}") if self.problem else (self.hint if typed else "", theme.QUIET)
        )
        self.query_one("#problem", Passage).show(Text(f" {plain(line)}", style=style))

    def _choice_lines(self, width: int) -> Iterable[Text]:
        longest = max((len(choice.label) for choice in self.choices), default=0)
        for number, choice in enumerate(self.choices):
            chosen = number == self.chosen
            line = Text(f" {'▶' if chosen else ' '} {plain(choice.label):{longest}} ", no_wrap=True)
            line.stylize(f"bold {theme.STRONG} on {theme.CURSOR}" if chosen else theme.TEXT)
            line.append(f"  {plain(choice.help)}" if choice.help else "", style=theme.QUIET)
            line.truncate(width, overflow="ellipsis")
            yield line

    def on_resize(self) -> None:
        self.call_after_refresh(self.paint)

    @on(Input.Changed)
    def _typing(self) -> None:
        self.paint_body()

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if not self.listening:
            return
        if self._submitting is None or self._submitting.done():
            self._submitting = asyncio.ensure_future(self._submit(self._answer(event.value)))

    def _answer(self, typed: str) -> str:
        """With the choice before it, unless somebody has typed that too."""
        value = self.choices[self.chosen].value if self.chosen >= 0 else ""
        same = value and typed.strip().lower().split(" ")[0].rstrip(":,") == value.rstrip(":,")
        return typed if same or not value else f"{value} {typed}"

    async def _submit(self, text: str) -> None:
        self.problem = "saving … (touch your security key if it blinks)"
        self.paint()
        try:
            answer = await self._accept(text)
        except Refused as refused:
            self.problem = str(refused)
            self.paint()
            self.line.focus()
            return
        if self.is_current:
            self.cockpit.pop_screen()
        if answer:
            self.cockpit.show_message(answer)
        self._then()
        self.cockpit.paint()
