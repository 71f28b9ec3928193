"""What can go wrong between a client and S3, on demand."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class StoreFault:
    """One thing to do wrong. It applies to requests whose method and key fit, `times` times (-1: always), by `chance`.

    Kinds: `status` answers with `status` and `code` and does nothing; `reset_before` closes the connection without
    doing anything; `reset_after` does it and closes without an answer; `stall` waits `seconds` first; `flip` turns one
    bit of the body on its way in.
    """

    kind: str
    status: int = 503
    code: str = "SlowDown"
    method: str = "PUT"
    key: str = ""
    chance: float = 1.0
    times: int = -1
    seconds: float = 0.0
    happened: int = 0


def choose(faults: Sequence[StoreFault], method: str, key: str, chance: random.Random) -> list[StoreFault]:
    """The faults that strike this request; each is counted."""
    struck = []
    for fault in list(faults):
        if fault.method not in ("*", method) or fault.key not in key or fault.times == 0:
            continue
        if fault.chance < 1.0 and chance.random() >= fault.chance:
            continue
        fault.times -= fault.times > 0
        fault.happened += 1
        struck.append(fault)
    return struck
