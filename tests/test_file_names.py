"""A file name stands for one thing: two product modules share it only where they hold the two sides of one concept."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAME_CONCEPT = {
    "__init__": "a room's own sentence",
    "__main__": "how a program is started",
    "cloudtrail": "the probe, and the service it is rehearsed against",
    "context": "what surrounds the criteria: as written in a plan file, and compiled",
    "ecs": "the probe, and the simulated service",
    "lists": "one set of lists: the screen, and the rows it shows",
    "migration": "one screen: its keys, what it shows, its page; and its part of a plan",
    "rds_snapshots": "the probe, and the simulated service",
    "readings": "the readings of a cutover: in memory, and in the record",
    "replay": "the command, and the keys of what it opens",
    "run": "the command, and its rule of lint",
    "steps": "the steps of a plan: judged, listed, on the screen",
    "verify": "one word of two crafts: a file's bytes, and a journal's chain",
    "states": "the words of a room, each defined once",
    "registry": "what there is of one kind in a room",
    "model": "the values of a room",
}


def test_no_two_modules_share_a_name_but_for_one_concept() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for room in ("cockpit", "probes"):
        for path in sorted((ROOT / room).rglob("*.py")):
            found[path.stem].append(str(path.relative_to(ROOT)))
    shared = {name: places for name, places in found.items() if len(places) > 1}
    assert shared.keys() <= SAME_CONCEPT.keys(), {name: shared[name] for name in shared.keys() - SAME_CONCEPT.keys()}
    assert SAME_CONCEPT.keys() <= shared.keys(), f"no longer shared: {SAME_CONCEPT.keys() - shared.keys()}"
