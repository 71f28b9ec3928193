"""Whose credentials are in use: asked of STS for every access key, and again on request. Under another caller nothing is read."""

from __future__ import annotations

import threading
from collections.abc import Callable

from probes.frozen import frozen
from probes.reading import Reason, Unknown, Unseen

WAIT_S = 5.0
"""Longest a call waits for another one to ask STS."""


@frozen
class Caller:
    """An account, and the principal in it, as STS answers."""

    account: str
    arn: str

    @property
    def name(self) -> str:
        """What a person types to accept it.

        >>> Caller("123456789012", "arn:aws:sts::123456789012:assumed-role/on-call/me").name
        '123456789012 assumed-role/on-call/me'
        """
        return f"{self.account} {self.arn.rpartition(':')[2]}"


class CallerCheck:
    """Lets calls pass whose access key belongs to the accepted caller. Used from many threads."""

    def __init__(self, accepted: Caller | None, on_change: Callable[[], None] = lambda: None) -> None:
        """Without `accepted` the first caller that is seen is the accepted one.

        `on_change` is called from the thread that first sees another caller.
        """
        self.accepted = accepted
        self.now = accepted
        self._on_change = on_change
        self._known: dict[str, Caller] = {}
        self._lock = threading.Lock()
        self._asking = threading.Lock()

    @property
    def refused(self) -> Caller | None:
        """The caller in use now, where it is not the accepted one."""
        return self.now if self.now != self.accepted else None

    def admit(self, key: str, identify: Callable[[], tuple[str, Caller]]) -> None:
        """Raises Unseen unless the access key is the accepted caller's; one not seen before is identified first."""
        caller = self._known.get(key) or self._ask(key, identify)
        if caller != self.accepted:
            raise Unseen(self.why(caller))

    def _ask(self, key: str, identify: Callable[[], tuple[str, Caller]]) -> Caller:
        """One call asks, the others wait for its answer, and not for ever."""
        if not self._asking.acquire(timeout=WAIT_S):
            hint = "check the network to sts"
            raise Unseen(Unknown(Reason.TIMEOUT, "STS has not yet identified these credentials", hint))
        try:
            if key not in self._known:
                self.identified(*identify())
            return self._known.get(key) or self.now or Caller("", "")
        finally:
            self._asking.release()

    def identified(self, key: str, caller: Caller) -> None:
        """STS said whose a key is. Never waits for STS."""
        with self._lock:
            before = self.now
            self._known[key] = self.now = caller
            if self.accepted is None:
                self.accepted = caller
            changed = caller not in (before, self.accepted)
        if changed:
            self._on_change()

    def accept(self, caller: Caller) -> None:
        """From now on this one is the accepted caller."""
        with self._lock:
            self.accepted = caller

    def why(self, caller: Caller | None) -> Unknown:
        """Why nothing is read under a caller."""
        now, was = (each.name if each else "nobody known" for each in (caller, self.accepted))
        hint = "change the credentials back, or press A and accept them by name"
        return Unknown(Reason.WRONG_ACCOUNT, f"the credentials now belong to {now}; before, to {was}", hint)
