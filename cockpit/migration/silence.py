"""Workers that run and do not come to the ledger: stopped, cut off, on a host that is gone, or no workers at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from cockpit.migration.worker_names import name_of

NOTED_S = 30.0
"""After so long the ledger says it of a worker that came before: by then one that a failover cut off is back."""
SILENT_S = 180.0
"""After so long a worker is ended: its leases have lapsed, whatever it does is not this run. Longer than a failover takes."""
LOOKS_APART_S = 30.0
"""Nobody looked for so long: the machine slept, or the database was away. How long workers were silent is not known then."""


@dataclass(slots=True)
class Silence:
    """Since when each worker has not come to the ledger, while somebody looked. `clock` gives seconds that only grow."""

    clock: Callable[[], float] = field(default=time.monotonic)
    _reported_at: dict[str, float] = field(default_factory=dict)
    _began_at: float = 0.0
    _looked_at: float = float("-inf")

    def looked(self, running: Collection[str], reporting: Collection[str]) -> None:
        """Once a round: the names of those that run here, and the ids of those that came to the ledger of late.

        One that reports under the name of none may be any of them: while it does, none counts as silent.
        """
        now = self.clock()
        if now - self._looked_at > LOOKS_APART_S:
            self._reported_at, self._began_at = {}, now
        self._looked_at = now
        reported = {name_of(each) for each in reporting}
        if not reported <= set(running):
            reported = set(running)
        self._reported_at = {name: now if name in reported else self._reported_at.get(name, now) for name in running}

    @property
    def looked_long(self) -> bool:
        """Whether one that is silent now has had the time to come back, as far as somebody looked."""
        return self._looked_at - self._began_at > NOTED_S

    def too_long(self) -> list[str]:
        """Those that are to be ended: each once, and then whoever has its name has as long again."""
        now = self.clock()
        found = [name for name, at in self._reported_at.items() if now - at > SILENT_S]
        self._reported_at |= dict.fromkeys(found, now)
        return found
