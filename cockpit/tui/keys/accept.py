"""What the cockpit does not go on with by itself, until somebody who decides accepts it by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.text import Text

from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.tui import theme
from cockpit.tui.screens.answer import AnswerScreen
from cockpit.tui.text import hanging

if TYPE_CHECKING:
    from cockpit.tui.cockpit import Cockpit


def accept(cockpit: Cockpit, desk: Desk, push: Callable[[AnswerScreen], None]) -> None:
    """Ask for what waits: other credentials first, then lines of others that are missing; else say that nothing does."""
    try:
        name = desk.caller_to_accept()
    except Refused as refused:
        if not cockpit.cutover.situation.withheld.sentences:
            cockpit.refuse(str(refused))
            return
    else:
        push(_caller(desk, name))
        return
    try:
        push(_missing_lines(cockpit, desk))
    except Refused as refused:
        cockpit.refuse(str(refused))


def _caller(desk: Desk, name: str) -> AnswerScreen:
    async def submit(text: str) -> str:
        return await desk.accept_caller(text)

    def seen(width: int, _: int) -> Text:
        problem = (
            f"The credentials changed while this cockpit ran. AWS has not been read since. They now belong to: {name}"
        )
        return hanging("", problem, width, indent=0, styles=("", theme.TEXT))

    return AnswerScreen("WRONG ACCOUNT: continue with this one?", seen, f"type: {name}", submit)


def _missing_lines(cockpit: Cockpit, desk: Desk) -> AnswerScreen:
    """Raises Refused."""
    note = desk.missing_lines()
    withheld = cockpit.cutover.situation.withheld

    async def submit(text: str) -> str:
        await desk.go_without(note, text)
        return f"going on without {withheld.what}"

    def seen(width: int, _: int) -> Text:
        text = Text("\n")
        for line in (*withheld.sentences, *withheld.names):
            text.append_text(hanging("·", line, width, indent=2, styles=(theme.QUIET, theme.TEXT)))
        ends = f"{withheld.ends}. What is found missing later holds again"
        return text.append_text(hanging("ends", ends, width, indent=6, styles=(theme.QUIET, theme.TEXT)))

    title = "GO ON WITHOUT what others may have stated or taken back: why?"
    return AnswerScreen(title, seen, "whom you asked, and what they said; for the record", submit)
