"""The main screens, by the id of the action that opens them. Import fails where one has no key, or a key no screen."""

from __future__ import annotations

from cockpit.tui.action_registry import Handler, handled
from cockpit.tui.screens.base import FrameScreen
from cockpit.tui.screens.cutover import CutoverScreen
from cockpit.tui.screens.lists import ChecklistScreen, ProbesScreen, TimelineScreen
from cockpit.tui.screens.migration import MigrationScreen
from cockpit.tui.screens.steps import RollbackScreen, RunbookScreen

_KINDS: tuple[type[FrameScreen], ...] = (
    CutoverScreen,
    ChecklistScreen,
    ProbesScreen,
    MigrationScreen,
    RollbackScreen,
    TimelineScreen,
    RunbookScreen,
)
MAIN_SCREENS = handled(Handler.SCREEN, {kind.screen_id: kind for kind in _KINDS})
FIRST = CutoverScreen.screen_id
"""Shown at the start, and where esc leads."""
