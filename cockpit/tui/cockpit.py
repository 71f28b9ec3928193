"""What screens and key handlers may ask of the terminal they are in. They know this, never the application itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cockpit.engine.ports import Drill, Watching
from cockpit.tui.action_registry import Action
from cockpit.tui.attention import Attention
from cockpit.tui.key_map import KeyMap
from cockpit.tui.views.notices import NoticeLog

if TYPE_CHECKING:
    from rich.text import Text
    from textual.screen import Screen

    from cockpit.actions.executor import Executor
    from cockpit.engine.operator_desk import Desk
    from cockpit.migration.controller import Controller
    from cockpit.replay.session import ReplayControls


class Cockpit(Protocol):
    """One terminal over one cutover, running or replayed."""

    armed: bool
    """Whether keys that change production are there."""
    cutover: Watching
    drill: Drill | None
    """The controls of a rehearsal; None outside one."""
    controls: ReplayControls | None
    """The controls of a replay; None when live."""
    controller: Controller | None
    """None where the plan moves no files."""
    desk: Desk | None
    """Where a person signs and decides; None where no record is kept."""
    executor: Executor | None
    label: str
    """Environment, as the first row shows it."""
    degraded: str
    """Why nothing is judged now; empty while the watch runs."""

    doing: str
    """Id of the action that was asked for last."""
    attention: Attention
    """Whether somebody looks."""
    message: Text
    """What stands above the keys; empty where nothing does."""
    noticed: NoticeLog
    """Every notice so far."""

    @property
    def screen(self) -> Screen[object]:
        """The one in front."""
        ...

    @property
    def who(self) -> str | None:
        """Id of the person here; empty while nobody has said who they are, None where nobody can act."""
        ...

    @property
    def key_map(self) -> KeyMap:
        """The user's own keys."""
        ...

    @property
    def saved_to(self) -> Path:
        """Folder of copied lines and evidence bundles."""
        ...

    def push_screen(self, screen: Screen[None]) -> object: ...

    def pop_screen(self) -> object: ...

    def exit(self) -> None: ...

    def copy_to_clipboard(self, text: str) -> None: ...

    def export_screenshot(self) -> str: ...

    def action_command_palette(self) -> None: ...

    def action_suspend_process(self) -> None:
        """Give the terminal back to the shell and stop, until it is continued."""
        ...

    def action_do(self, action: str) -> None:
        """Do an action of the registry, if it is available here."""
        ...

    def actions(self) -> Iterator[Action]:
        """What can be done now."""
        ...

    def leave(self) -> None:
        """Close the page in front; on a main screen, go to the first one. Never quits."""
        ...

    def settings(self) -> list[tuple[str, str]]:
        """What is in force, by name."""
        ...

    def mine(self) -> frozenset[str]:
        """Ids of what the person here can sign and has not."""
        ...

    def decide(self, choice: str) -> None:
        """Ask for the reason of a decision about a latched rollback, then take it."""
        ...

    def open_step(self, step_id: str) -> None:
        """Open the page of a step of the runbook or the rollback plan."""
        ...

    def paint(self) -> None:
        """Show the newest Situation."""
        ...

    def show_message(self, text: str) -> None:
        """Show a short notice for a moment, above the keys; it covers nothing."""
        ...

    def refuse(self, why: str, action: str = "") -> None:
        """Show why an action is not done, beside its key, until the next action; without an id, of the action under way."""
        ...
