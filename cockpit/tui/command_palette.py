"""The palette: every action by its name, those that can be done now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from cockpit.tui.action_registry import Action

if TYPE_CHECKING:
    from cockpit.tui.cockpit import Cockpit


class ActionCommands(Provider):
    """What is typed is looked for in an action's name and its help."""

    @property
    def _cockpit(self) -> Cockpit:
        return cast("Cockpit", self.app)

    async def discover(self) -> Hits:
        for action in self._cockpit.actions():
            yield DiscoveryHit(f"{action.label}  ({action.shown})", self._run(action), help=action.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in self._cockpit.actions():
            name = f"{action.label} {action.help}"
            if (score := matcher.match(name)) > 0:
                yield Hit(score, matcher.highlight(name), self._run(action), help=action.shown)

    def _run(self, action: Action) -> Callable[[], None]:
        cockpit = self._cockpit
        return lambda: cockpit.action_do(action.id)
