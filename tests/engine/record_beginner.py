"""A cockpit's recording in a process of its own: `record_beginner.py RECORDS PLAN AHEAD_S`.

Of every place that comes in on a line it begins the record, and prints the record's id once the place holds its lines.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.clock import HandClock
from support.waiting import until

from cockpit.engine.recording import recording
from cockpit.journal.shared_store import store_at
from cockpit.plan.load import load_plan


async def begin(root: Path, plan: str, place: str, ahead: timedelta) -> str:
    clock = HandClock(datetime.now(UTC) + ahead)
    store = store_at(place)
    async with recording(load_plan(plan), clock, who="ada", root=root / place[-2:], store=store) as kept:
        await until(lambda: kept.journal.writer in {part.writer for part in store.parts()}, "it is shared")
        return kept.folder.id


def main(root: str, plan: str, ahead_s: str) -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        print(asyncio.run(begin(Path(root), plan, line.strip(), timedelta(seconds=float(ahead_s)))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
