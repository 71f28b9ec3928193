"""Replay: an 8-hour record of 40 probes, through it in one go, and back in it. Budget: 10 s, and 0.3 s for the longest seek."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.spread import spread
from support.clock import Undisturbed
from support.sources import NoSource

from cockpit.decide.events import PhaseBegan
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.plan.load import load_plan
from cockpit.plan.model import Phase
from cockpit.replay.player import play_through
from cockpit.replay.session import Replay
from cockpit.replay.trace import Trace, trace_of
from probes.reading import Reading

START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
HOURS, PROBES, EVERY_S = 8, 40, 30


class Clock(Undisturbed):
    speed = 1.0

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    async def sleep(self, duration: timedelta) -> None:
        self.at += duration


def plan_text() -> str:
    probes = "\n".join(
        f"  p{n}: {{uses: http.health, with: {{url: 'https://h{n}.example/'}}, interval: {EVERY_S}s}}"
        for n in range(PROBES)
    )
    success = "\n".join(
        f"  - {{id: s{n}, title: Criterion {n}, success_condition: 'p{n}.ok && p{n}.latency_ms < 800.0', for: 10m}}"
        for n in range(PROBES // 2)
    )
    triggers = "\n".join(
        f"  - {{id: t{n}, title: Trigger {n}, failure_condition: 'p{n}.latency_ms > 900.0', for: 5m}}"
        for n in range(PROBES // 2, PROBES)
    )
    heads = ("plan: v1\nname: long\nenvironment: bench\nprobes:", "success_criteria:", "rollback_triggers:")
    return "".join(f"{head}\n{part}\n" for head, part in zip(heads, (probes, success, triggers), strict=True))


async def make(folder: Path) -> tuple[Path, int]:
    """A record made by the code that makes them; how many readings it holds."""
    path = folder / "plan.yaml"
    path.write_text(plan_text())
    plan, clock, count = load_plan(path), Clock(), 0
    async with recording(plan, clock, root=folder / "records") as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.attach(watch)
        watch.record.append(PhaseBegan(clock.now(), Phase.POST_DEPLOY))
        for second in range(0, HOURS * 3600, EVERY_S):
            for n in range(PROBES):
                clock.at = START + timedelta(seconds=second, milliseconds=n * 300 + 1)
                slow = 950.0 if (second // 900 + n) % 7 == 0 else 120.0
                values = {"ok": True, "status": 200, "latency_ms": slow}
                reading = Reading(clock.at, clock.at, values, latency_s=slow / 1000)
                watch.take(f"p{n}", reading)
                count += 1
            clock.at += timedelta(seconds=1)
            watch.tick()
        return kept.folder.path, count


def to_the_end(trace: Trace) -> float:
    """Seconds of the processor until the end of a record is shown that was just opened."""
    began = time.process_time()
    Replay(trace, at=trace.ends_at)
    return time.process_time() - began


def longest_seek(trace: Trace) -> float:
    """Back and forth over the whole record, in seconds."""
    replay = Replay(trace)
    while not replay.ahead:
        replay.play_ahead(1.0)
    longest = 0.0
    for n in range(60):
        began = time.perf_counter()
        replay.seek(trace.started_at + timedelta(minutes=(n * 311) % (HOURS * 60)))
        longest = max(longest, time.perf_counter() - began)
    return longest


def main() -> None:
    from cockpit.journal.record_folder import RecordFolder

    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        folder, readings = asyncio.run(make(Path(name)))
        making = time.perf_counter() - began
        began = time.perf_counter()
        trace = trace_of(RecordFolder(folder))
        read = time.perf_counter() - began
        situation, changes, differences = play_through(trace)
        took = time.perf_counter() - began
        opening = [to_the_end(trace) for _ in range(3)]
        longest = longest_seek(trace)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1024 / HOURS
    print(
        f"replay of {HOURS} h, {PROBES} probes, {readings:,} readings, {len(changes):,} changes: {took:.1f} s (budget 10), "
        f"of it {read:.1f} s to read; 1/{HOURS * 3600 / took:,.0f} of its span; {took / making:.2f} of the time it took to make; "
        f"{situation.verdict.word}"
    )
    print(f"its end shown, just opened: {spread(opening, 's of one processor', 1)}")
    print(f"longest seek, once it has been played ahead: {longest * 1000:.0f} ms (budget 300); {size:,.0f} KiB an hour")
    if differences:
        raise SystemExit(f"not reproduced: {differences[0]}")
    sys.exit(0 if took < 10 and longest < 0.3 else 1)


if __name__ == "__main__":
    main()
