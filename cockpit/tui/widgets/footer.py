"""The last row: which screen this is, and the keys that matter here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text
from textual.events import Click
from textual.widget import Widget

from cockpit.tui import theme
from cockpit.tui.action_registry import SCREENS, Action


class Footer(Widget):
    """The last row: which screen this is, and six keys at most. What it says can also be clicked."""

    DEFAULT_CSS = "Footer { height: 1; dock: bottom; }"

    def __init__(
        self, actions: Sequence[Action], screen_id: str, chosen: Callable[[str], None], *, screens: bool = True
    ) -> None:
        """`screens`: whether the keys of the screens do something here."""
        super().__init__()
        self.actions = actions
        self.screens = SCREENS if screens else ()
        self.screen_id = screen_id
        self._chosen = chosen

    def render(self) -> Text:
        return footer_line(self.actions, self.screen_id, self.size.width, self.screens)

    def on_click(self, event: Click) -> None:
        at = 0
        for action, key, label in footer_parts(self.actions, self.screen_id, self.size.width, self.screens):
            at += len(key) + len(label)
            if event.x < at:
                self._chosen(action.id)
                return


KEPT_LONGEST = ("back", "help", "quit")
"""Keys dropped last from a narrow footer."""


def footer_parts(
    actions: Sequence[Action], screen_id: str, width: int, shown: Sequence[Action] = SCREENS
) -> list[tuple[Action, str, str]]:
    """What the footer says, left to right: the action, its key, its label (empty for other screens when narrow)."""
    wide, named = width >= 120, width >= 44
    screens = [
        (action, f" {action.shown} ", f"{action.label} " if wide or (named and action.id == screen_id) else "")
        for action in shown
    ]
    keys = [(action, f"  {action.shown} ", action.label) for action in actions]

    def length() -> int:
        return sum(len(key) + len(label) for _, key, label in (*screens, *keys)) + 1

    while length() > width and (others := [part for part in keys if part[0].id not in KEPT_LONGEST]):
        keys.remove(others[-1])
    if length() > width:
        keys = [(action, key, "") for action, key, _ in keys]  # the ways out lose their names before they go
    while keys and length() > width:
        keys.pop()
    return [*screens, *keys]


def footer_line(actions: Sequence[Action], screen_id: str, width: int, shown: Sequence[Action] = SCREENS) -> Text:
    """Screens by number, the current one by name as well; then keys, as many as fit."""
    line = Text(no_wrap=True, style=f"{theme.QUIET} on {theme.PANEL}")
    for action, key, label in footer_parts(actions, screen_id, width, shown):
        if action.id == screen_id:
            line.append(key + label, style=f"bold {theme.STRONG} on {theme.CURSOR}")
        elif action in SCREENS:
            line.append(key + label, style=theme.TEXT)
        else:
            line.append(key, style=f"bold {theme.TEXT}")
            line.append(label)
    line.append(" " * max(0, width - line.cell_len))
    return line
