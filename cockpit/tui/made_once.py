"""What every frame asks for and what seldom changes is made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from probes.known_secrets import KNOWN

T = TypeVar("T")


class MadeOnce(Generic[T]):
    """The last thing made, for as long as what it is made from stays equal and no other secret is to be hidden in it."""

    def __init__(self) -> None:
        self._last: tuple[object, int, T] | None = None

    def of(self, made_from: object, make: Callable[[], T]) -> T:
        """The thing, which nobody may change: `make` is called where it is another than last time."""
        if self._last is None or self._last[:2] != (made_from, KNOWN.revision):
            self._last = (made_from, KNOWN.revision, make())
        return self._last[2]
