"""What the keys of a replay do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cockpit.tui.action_registry import Handler, handled

if TYPE_CHECKING:
    from cockpit.replay.session import Deck

_KEYS: Mapping[str, Callable[[Deck], None]] = {
    "play": lambda deck: deck.toggle(),
    "turn_next": lambda deck: deck.turn(1),
    "turn_last": lambda deck: deck.turn(-1),
    "step_next": lambda deck: deck.step(1),
    "step_last": lambda deck: deck.step(-1),
    "faster": lambda deck: deck.faster(1),
    "slower": lambda deck: deck.faster(-1),
}
KEYS = handled(Handler.REPLAY, _KEYS)


def do(deck: Deck, action: str) -> None:
    """Do an action of the registry with the controls of this replay."""
    KEYS[action](deck)
