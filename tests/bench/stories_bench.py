"""How long stories and proofs take: 100 stories of an hour, and the proof of the shipped plan. `make bench` prints it."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from bench.spread import spread

from cockpit.commands.story_worker import go_through, workers_for
from cockpit.plan.load import load_plan
from cockpit.stories.proof.plan_proof import prove

CHECKLISTS = Path(__file__).parents[2] / "checklists"
STORIES, STORIES_S, PROOF_S, RUNS = 100, 30.0, 20.0, 3
TEXT = """\
story: v1
plan: {plan}
title: An hour with a fault in it
lasts: 1h
timeline: [{{at: {minute}m, trip: site.down}}, {{at: 50m, mend: site}}]
expect: [{{by: 59m, verdict: ROLLBACK, because: site.down}}]
"""


def stories_s(paths: list[str], workers: int) -> tuple[float, float]:
    """Seconds for all of them, and those of the processors."""
    began, cpu = time.perf_counter(), children_s()
    outcomes = asyncio.run(go_through(paths, {}, workers, lambda _done, _path: None))
    assert not any(each.failures or each.problems for each in outcomes)
    return time.perf_counter() - began, children_s() - cpu


def children_s() -> float:
    """Of the processors, of every child that has ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number in range(STORIES):
            path = Path(folder) / f"s{number}.yaml"
            path.write_text(TEXT.format(plan=CHECKLISTS / "minimal.yaml", minute=5 + number % 30))
            paths.append(str(path))
        workers = workers_for(STORIES)
        took, cpu = zip(*(stories_s(paths, workers) for _ in range(RUNS)), strict=True)
    print(
        f"{STORIES} stories of an hour, {workers} processes: {spread(took, 's', 1)} (wanted: under {STORIES_S:g} s), "
        f"of the processors {spread(cpu, 's', 1)}",
        flush=True,
    )
    plan = load_plan(CHECKLISTS / "transparent-trust.yaml", environ={}, require_environment=False)
    proofs = []
    for _ in range(RUNS):
        began = time.process_time()
        proven = prove(plan)
        proofs.append(time.process_time() - began)
    assert not list(proven.findings())
    many = f"{len(plan.probes)} probes, {len(list(plan.criteria()))} criteria, {len(proven.lines)} lines"
    print(f"proof of {plan.name} ({many}): {spread(proofs, 's of one processor', 1)} (wanted: under {PROOF_S:g} s)")


if __name__ == "__main__":
    main()
