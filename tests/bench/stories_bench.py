"""How long stories and proofs take: 100 stories of an hour, and the proof of the shipped plan. `make bench` prints it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from cockpit.commands.story_worker import go_through, workers_for
from cockpit.plan.load import load_plan
from cockpit.stories.proof.plan_proof import prove

CHECKLISTS = Path(__file__).parents[2] / "checklists"
STORIES, STORIES_S, PROOF_S = 100, 30.0, 20.0
TEXT = """\
story: v1
plan: {plan}
title: An hour with a fault in it
lasts: 1h
timeline: [{{at: {minute}m, trip: site.down}}, {{at: 50m, mend: site}}]
expect: [{{by: 59m, verdict: ROLLBACK, because: site.down}}]
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number in range(STORIES):
            path = Path(folder) / f"s{number}.yaml"
            path.write_text(TEXT.format(plan=CHECKLISTS / "minimal.yaml", minute=5 + number % 30))
            paths.append(str(path))
        began = time.perf_counter()
        workers = workers_for(STORIES)
        outcomes = asyncio.run(go_through(paths, {}, workers, lambda _done, _path: None))
        took = time.perf_counter() - began
    assert not any(each.failures or each.problems for each in outcomes)
    print(f"{STORIES} stories of an hour, {workers} processes: {took:.1f} s (wanted: under {STORIES_S:g} s)")
    plan = load_plan(CHECKLISTS / "transparent-trust.yaml", environ={}, require_environment=False)
    began, cpu = time.perf_counter(), time.process_time()
    proven = prove(plan)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert not list(proven.findings())
    many = f"{len(plan.probes)} probes, {len(list(plan.criteria()))} criteria, {len(proven.lines)} lines"
    print(f"proof of {plan.name} ({many}): {took:.1f} s, {cpu:.1f} s of one processor (wanted: under {PROOF_S:g} s)")


if __name__ == "__main__":
    main()
