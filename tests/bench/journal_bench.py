"""The journal: appending with fsync, verifying, and what an hour takes. Target: over 10,000 entries verified a second."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cockpit.decide.events import Change
from cockpit.journal.findings import NOT_PROVABLE
from cockpit.journal.reading_segments import Segment
from cockpit.journal.readings import ReadingStore
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Draft, Journal
from probes.reading import Evidence, Reading, Value

START = datetime(2026, 1, 1, tzinfo=UTC)
PROBES, EVERY_S = 30, 15
ENTRIES = 20_000
CHANGE = Change(START, "errors.low", "PENDING", "MET", "5xx share 0.01 below 0.05 for 5 min")


def reading(second: int) -> Reading:
    at = START + timedelta(seconds=second)
    query = "ecs describe-services --cluster production --services web"
    evidence = Evidence(query, "0a1b2c3d-0000-4000-8000-0123456789ab")
    values: dict[str, Value] = {
        "running": 2,
        "desired": 2,
        "pending": 0,
        "cpu": second % 100 / 100,
        "image": "web@sha256:" + "0" * 64,
    }
    return Reading(at, at, values, {}, evidence, 0.12)


def append_ms(folder: Path, many: int = 300) -> tuple[list[float], list[float]]:
    """Milliseconds of single appends, and of a bare write and fsync of as many bytes, in turn."""
    journal = Journal.open(folder / "journal", "single", "bench")
    bare = os.open(folder / "bare", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    ours, plain = [], []
    for _ in range(many):
        began = time.perf_counter()
        line = journal.add(CHANGE)
        ours.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        os.write(bare, line.raw)
        os.fsync(bare)
        plain.append((time.perf_counter() - began) * 1000)
    journal.close()
    os.close(bare)
    return ours, plain


def verify_rate(folder: Path) -> tuple[float, float]:
    """Entries a second: verified, and appended 200 at a time."""
    journal = Journal.open(folder / "journal", "many", "bench")
    began = time.perf_counter()
    for _ in range(ENTRIES // 200):
        journal.extend([Draft.of(CHANGE)] * 200)
    appended = ENTRIES / (time.perf_counter() - began)
    journal.close()
    rates = []
    for _ in range(3):
        began = time.perf_counter()
        result = verify_record(folder)
        rates.append(result.entries / (time.perf_counter() - began))
        if result.exit_code != NOT_PROVABLE:
            raise SystemExit("the bench's record is broken")
    return statistics.median(rates), appended


def hour_kb(folder: Path) -> tuple[float, float]:
    """KiB an hour takes: the journal (a change and a segment of readings a minute), and the readings."""
    journal = Journal.open(folder / "journal", "hour", "bench")
    segment = Segment("0" * 32, 1, 120, 120, "0" * 64).draft()
    journal.extend([Draft.of(CHANGE), segment] * 60)
    journal.close()
    store = ReadingStore(folder / "readings.sqlite")
    for second in range(0, 3600, EVERY_S):
        for n in range(PROBES):
            store.put(f"probe{n}", reading(second))
    store.close()
    return journal.path.stat().st_size / 1024, (folder / "readings.sqlite").stat().st_size / 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for each in ("append", "verify", "hour"):
            (root / each).mkdir()
        ours, plain = append_ms(root / "append")
        p50, p99 = statistics.median(ours), sorted(ours)[int(len(ours) * 0.99)]
        rate, appended = verify_rate(root / "verify")
        journal_kb, readings_kb = hour_kb(root / "hour")
    print(
        f"append with fsync: median {p50:.2f} ms, p99 {p99:.2f} ms; bare write and fsync {statistics.median(plain):.2f} ms"
    )
    print(f"verify: {rate:,.0f} entries/s (target over 10,000); append 200 at a time: {appended:,.0f} entries/s")
    print(
        f"one hour, {PROBES} probes every {EVERY_S} s: journal {journal_kb:,.0f} KiB, readings {readings_kb:,.0f} KiB "
        f"({PROBES * 3600 // EVERY_S:,} readings)"
    )
    sys.exit(0 if rate > 10_000 else 1)


if __name__ == "__main__":
    main()
