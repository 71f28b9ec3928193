"""How long steps took before is found in earlier records, kept in the new one, and decided by again when that is replayed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from support.clock import START, HandClock
from support.plans.night_plan import night_plan
from support.sources import NoSource

from cockpit.decide.events import Change, PhaseBegan, StepMeasured
from cockpit.decide.situation import Situation
from cockpit.engine.earlier_steps import StepTook, earlier_steps, plans_recorded, rehearsals
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.record_folder import list_records
from cockpit.plan.model import Phase, Plan
from cockpit.replay.player import play_through
from cockpit.replay.trace import trace_of

MINUTE = timedelta(minutes=1)


@asynccontextmanager
async def night(
    plan: Plan, root: Path, *, rehearsal: bool = False, new: bool = True, begins: datetime = START
) -> AsyncIterator[tuple[Watch, Desk, HandClock]]:
    clock = HandClock(begins)
    async with recording(plan, clock, who="ada", root=root, rehearsal=rehearsal, new=new) as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.attach(watch)
        if watch.counted().phase() is None:
            watch.record.append(PhaseBegan(clock.now(), Phase.POST_DEPLOY))
        watch.tick()
        yield watch, Desk(watch, kept, "ada"), clock


async def do(watch: Watch, desk: Desk, clock: HandClock, step: str, minutes: int, outcome: str = "done") -> None:
    await desk.start_step(step)
    clock.time += minutes * MINUTE
    watch.tick()
    await desk.end_step(step, outcome, "it is so")
    watch.tick()


async def some_nights(plan: Plan, root: Path) -> None:
    """The way back rehearsed in 6 and 9 minutes, and gone once in 12; a step that failed was not done."""
    for took in (6, 9):
        async with night(plan, rehearsals(root), rehearsal=True) as (watch, desk, clock):
            await do(watch, desk, clock, "back.revision", took)
    async with night(plan, root) as (watch, desk, clock):
        await do(watch, desk, clock, "back.look", 40, "failed")
        await do(watch, desk, clock, "back.revision", 12)


def shown(situation: Situation) -> tuple[object, ...]:
    assert situation.schedule is not None
    return situation.schedule.back, situation.schedule.runbook, situation.schedule.rollback_plan


async def test_earlier_records_and_kept_rehearsals_say_how_long_a_step_takes(tmp_path: Path) -> None:
    plan, root = night_plan(tmp_path), tmp_path / "records"
    await some_nights(plan, root)
    (folder,) = list_records(root)
    took = sorted((each.took / MINUTE, each.rehearsed) for each in earlier_steps(plan.name, root))
    assert took == [(6, True), (9, True), (12, False)]
    assert next(earlier_steps(plan.name, root, but=folder)).rehearsed
    assert list(earlier_steps("another", root)) == []
    assert plans_recorded(root) == [plan.name]


async def test_a_new_night_estimates_by_them_and_is_replayed_by_what_it_kept(tmp_path: Path) -> None:
    plan, root = night_plan(tmp_path), tmp_path / "records"
    await some_nights(plan, root)
    async with night(plan, root) as (watch, desk, clock):
        (measured,) = watch.record.all(StepMeasured)
        assert (measured.subject, measured.times, measured.rehearsed) == ("back.revision", 3, 2)
        assert (measured.shortest_s, measured.median_s, measured.longest_s) == (360, 540, 720)
        back = watch.situation.back
        assert back is not None
        assert back.takes == 12 * MINUTE + 5 * MINUTE  # at worst, and what the plan expects of the other
        assert watch.situation.schedule is not None
        assert watch.situation.schedule.rollback_plan[0].rests_on == "done 3 times before, 2 rehearsed, 6m to 12m"
        await do(watch, desk, clock, "run.bucket", 52)
        for minute in (270, 300, 310, 320, 330):
            clock.time = START + minute * MINUTE
            watch.tick()
        lived = [(each.before, each.after) for each in watch.changes() if each.subject == "last safe moment"]
        situation = watch.situation
    assert lived == [("fits", "30m left"), ("30m left", "10m left"), ("10m left", "too late")]
    for folder in list(list_records(root))[1:]:  # nothing but its own record is asked
        for file in sorted(folder.path.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
    newest = next(each for each in list_records(root) if (each.path / "plan.yaml").is_file())
    again, changes, differences = play_through(trace_of(newest))
    assert differences == []
    assert [(c.before, c.after) for c in changes if c.subject == "last safe moment"] == lived
    assert again.back is not None
    assert situation.back is not None
    assert (again.back.moment, again.back.fit) == (situation.back.moment, situation.back.fit)


async def test_a_resumed_record_measures_the_others_and_never_itself(tmp_path: Path) -> None:
    plan, root = night_plan(tmp_path), tmp_path / "records"
    async with night(plan, root) as (watch, desk, clock):
        await do(watch, desk, clock, "run.bucket", 52)
        end = clock.now()
    async with night(plan, root, new=False, begins=end + MINUTE) as (watch, _, _):
        assert watch.record.all(StepMeasured) == []
        assert len(list(list_records(root))) == 1
    async with night(plan, root, begins=end + 2 * MINUTE) as (watch, _, _):
        assert [each.median_s for each in watch.record.all(StepMeasured)] == [52 * 60]
    async with night(plan, root, new=False, begins=end + 3 * MINUTE) as (watch, _, _):
        assert len(watch.record.all(StepMeasured)) == 1  # known already


def test_a_record_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    chains = tmp_path / "records" / "20260101T000000Z-p" / "journal"
    chains.mkdir(parents=True)
    (chains / "w.jsonl").write_bytes(b'{"step_began": \xff\n{"step_ended"}\n')
    found: list[StepTook] = list(earlier_steps("p", tmp_path / "records"))
    assert found == []
    assert plans_recorded(tmp_path / "records") == []


def test_changes_of_the_last_safe_moment_are_kept_as_any_other() -> None:
    from cockpit.journal.codec import from_body, to_body

    change = Change(START, "last safe moment", "fits", "30m left", "decide by 03:30 (in 30m)")
    assert from_body(to_body(change)) == change
