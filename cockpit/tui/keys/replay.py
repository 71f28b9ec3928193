"""What the keys of a replay do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cockpit.tui.action_registry import Handler, handled

if TYPE_CHECKING:
    from cockpit.replay.session import ReplayControls

_KEYS: Mapping[str, Callable[[ReplayControls], None]] = {
    "play": lambda controls: controls.toggle(),
    "turn_next": lambda controls: controls.turn(1),
    "turn_last": lambda controls: controls.turn(-1),
    "step_next": lambda controls: controls.step(1),
    "step_last": lambda controls: controls.step(-1),
    "faster": lambda controls: controls.faster(1),
    "slower": lambda controls: controls.faster(-1),
}
KEYS = handled(Handler.REPLAY, _KEYS)


def do(controls: ReplayControls, action: str) -> None:
    """Do an action of the registry with the controls of this replay."""
    KEYS[action](controls)
