"""The whole cockpit on AWS at its worst (late, throttled, full of others): right verdicts, no false state on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from support.headless_browser import browser, printed_pages
from support.waiting import LAST_RESORT_S

from cockpit.decide.events import Change
from cockpit.journal.record_folder import find_record
from cockpit.rehearsal.aws_profile import PROFILES, WORST
from cockpit.rehearsal.script.scenario import Judgement, load_scenario
from cockpit.replay.trace import Decided, ReadingTaken, Trace, trace_of
from probes.reading import Reason

pytestmark = [pytest.mark.world]
SPEED = 30
LATE_OR_BUSY = {Reason.THROTTLED, Reason.STALE}


@dataclass(frozen=True, slots=True)
class Night:
    """One scenario, run headless to its end."""

    told: str
    code: int
    trace: Trace
    record: Path

    def changes(self) -> Iterator[tuple[datetime, Change]]:
        for step in self.trace.steps:
            if isinstance(step, Decided):
                yield from ((step.at, change) for change in step.changes)

    def states_of(self, kind: str) -> dict[str, list[str]]:
        """States in order, by criterion of this kind."""
        ids = {criterion.id for criterion in self.trace.plan.criteria() if str(criterion.kind) == kind}
        found: dict[str, list[str]] = {id_: [] for id_ in ids}
        for _, change in self.changes():
            if change.subject in ids:
                found[change.subject].append(str(change.after))
        return found

    def lost(self) -> set[tuple[str, str]]:
        """Probe and detail of every reading that AWS's being late or busy has cost."""
        return {
            (step.probe, why.detail)
            for step in self.trace.steps
            if isinstance(step, ReadingTaken)
            for why in step.reading.unknown.values()
            if why.reason in LATE_OR_BUSY
        }


def night(name: str, folder: Path) -> Night:
    kept = folder / "record"
    command = [sys.executable, "-m", "cockpit", "rehearse", name, "--aws", WORST, "--headless", "--speed", str(SPEED)]
    environment = os.environ | {"TMPDIR": str(folder), "XDG_STATE_HOME": str(folder / "state")}
    done = subprocess.run(
        [*command, "--keep", str(kept)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=LAST_RESORT_S * 3,
        check=False,
    )
    told = done.stdout + done.stderr
    assert PROFILES[WORST].title in told
    assert f"{name}: {Judgement.AS_EXPECTED}" in told, told[-4000:]
    (record,) = kept.iterdir()
    return Night(told, done.returncode, trace_of(find_record(str(record))), record)


@pytest.mark.long
def test_smooth_ends_in_go_and_no_trigger_ever_stirs(tmp_path: Path) -> None:
    lived = night("smooth", tmp_path)
    assert lived.code == load_scenario("smooth").ends.verdict.exit_code
    assert lived.lost() == set()
    triggers, successes = lived.states_of("trigger"), lived.states_of("success")
    assert {id_: states for id_, states in triggers.items() if set(states) - {"CLEAR", "UNKNOWN"}} == {}
    # Unknown once, as the next phase begins and nothing is seen of it yet; never again.
    assert {id_: states for id_, states in (triggers | successes).items() if states.count("UNKNOWN") > 1} == {}
    if browser():  # a night of twelve steps and a migration is what a report has most to say of
        page = tmp_path / "night.html"
        command = [sys.executable, "-m", "cockpit", "report", str(lived.record), "--format", "html", "--out", str(page)]
        subprocess.run(command, check=True, timeout=LAST_RESORT_S)
        assert printed_pages(page) < 6


@pytest.mark.long
def test_bad_release_ends_in_rollback_and_nothing_looks_recovered(tmp_path: Path) -> None:
    lived = night("bad-release", tmp_path)
    assert lived.code == load_scenario("bad-release").ends.verdict.exit_code
    assert lived.lost() == set()
    states = lived.states_of("trigger")["errors.high"]
    breached = states.index("PENDING")
    assert states[breached:] == ["PENDING", "TRIPPED"], "once it breaches, nothing looks recovered"
    # Old tasks answer for a part of the minute in which the release comes, so that one may be below the limit, and truly.
    assert set(states[:breached]) <= {"CLEAR"}
