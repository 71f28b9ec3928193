"""The Migration screen: what it says, and that nothing dangerous is there before the cockpit is armed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from textual.widgets import Input
from tui.stage import HERE, START, Stage, listens, opened, plan, shown, until

from cockpit.decide.events import Vote
from cockpit.migration.controller import Controller
from cockpit.migration.ledger import Event
from cockpit.migration.progress import Failure, Progress, TableProgress, Throughput, WorkerLine
from cockpit.migration.states import ItemState, PhaseName, Wanted
from cockpit.plan.model import Gate, Migration, Poll
from cockpit.tui.action_registry import available
from cockpit.tui.app import CockpitApp
from cockpit.tui.keys.migration import OF_A_RUN, MigrationKeys
from cockpit.tui.screens import typed
from cockpit.tui.screens.confirm import ConfirmScreen
from cockpit.tui.screens.migration import MigrationScreen
from cockpit.tui.views.migration import migration_text

GUARD = {
    "id": "g",
    "title": "Pool below 80 %",
    "holds": True,
    "since": "2026-03-01T01:59:00+00:00",
    "line": "utilization 91 %",
}


def progress(**more: object) -> Progress:
    states = {ItemState.PLANNED: 298, ItemState.SWITCHED: 100, ItemState.QUARANTINED: 2}
    table = TableProgress("KnowledgeDocument", 400, 100, 8_000_000, 2_000_000, states)
    why = "doubling while throughput rises: 32"
    worker = WorkerLine("host-1-ab", "host", "working", 12, 32, why, 100, 2_000_000, 3, 0, 21.0, 90_000_000, 0.4)
    given: dict[str, object] = {
        "prepared": True,
        "phase": PhaseName.COPY,
        "run": 3,
        "wanted": Wanted.RUN,
        "active": True,
        "started_by": "ada",
        "started_at": START - timedelta(minutes=2),
        "tables": (table,),
        "files_per_s": 71.0,
        "eta_s": 4.2,
        "workers": (worker,),
        "failures": (Failure("KnowledgeDocument", "doc-7", ItemState.QUARANTINED, 5, "InvalidRequest: [/odd]", "k"),),
        "events": (Event(START, "ada", "began", "copy"),),
        "at": START,
        "throughput": measured_at(0.0, 20.0, 71.0),
    }
    return Progress(**(given | more))  # type: ignore[arg-type]


def measured_at(*rates: float | None) -> tuple[Throughput, ...]:
    """A measurement a second, the last at START; a file has 20 KB."""
    return tuple(
        Throughput(START - timedelta(seconds=len(rates) - 1 - n), rate, None if rate is None else rate * 20 * 1024)
        for n, rate in enumerate(rates)
    )


def said(of: Progress, width: int = 77, *, armed: bool = False, trouble: str = "", plot: int = 0) -> str:
    return migration_text(of, trouble, width, armed=armed, plot=plot).plain


@pytest.mark.parametrize("width", [57, 77, 137, 197])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    guard = GUARD | {"line": "pool 91 % " * 12}
    for of in (
        progress(),
        progress(guards=(guard,), held_since=START),
        progress(active=False, outcome="done"),
        Progress(),
    ):
        assert max(len(line) for line in said(of, width, armed=True).splitlines()) <= width + 2


def test_it_says_what_is_done_what_is_left_and_what_failed() -> None:
    text = said(progress())
    assert "COPY ▶ RUNNING" in text
    assert "100 of 400 files" in text
    assert "4s left" in text
    assert "quarantined KnowledgeDocument doc-7, 5 failures: InvalidRequest: [/odd]" in " ".join(text.split())
    assert "Closing this screen does not stop the migration" in " ".join(text.split())


def test_what_holds_it_is_said_with_its_value() -> None:
    text = said(progress(guards=(GUARD,), held_since=START))
    assert "HELD BY A GUARD" in text
    assert "HOLDS since 01:59: utilization 91 %" in " ".join(text.split())


def test_what_went_wrong_is_above_the_fold_at_80_by_24() -> None:
    guards = tuple(GUARD | {"id": str(n), "holds": False} for n in range(4))
    workers = progress().workers * 6
    text = said(progress(guards=guards, workers=workers, errors=12, retries=7))
    above = "\n".join(text.splitlines()[:8])
    assert "2 quarantined  0 stale  12 errors  7 retries" in above


def test_a_silent_worker_is_named_with_its_time_above_what_goes_on_without_it() -> None:
    [worker] = progress().workers
    silent = replace(worker, id="task-0a1b-cd", seen_s=25.0, seen_at=START - timedelta(seconds=25))
    of = progress(workers=(worker, silent), lease_s=60.0)
    since = f"{START - timedelta(seconds=25):%H:%M:%S} UTC (25s)"
    assert f"SILENT task-0a1b-cd since {since}: its files are taken over" in " ".join(said(of).split())
    assert "SILENT" in "\n".join(said(of).splitlines()[:3])
    assert of.in_flight == worker.in_flight, "of a silent one nobody knows"
    assert of.alarm == "MIGRATION: 1 worker silent, task-0a1b-cd for 25s"
    later = replace(silent, seen_s=70.0)
    assert "its leases have lapsed, others take its files" in " ".join(
        said(progress(workers=(later,), lease_s=60.0)).split()
    )
    many = tuple(replace(silent, id=f"task-{n}-cd") for n in range(9))
    assert "; 7 more" in " ".join(said(progress(workers=many, lease_s=60.0)).split())
    assert progress(workers=many).alarm == "MIGRATION: 9 workers silent, task-0-cd for 25s"
    ended = progress(workers=(silent,), active=False, outcome="done")
    assert ("SILENT" in said(ended), ended.alarm) == (False, "")
    halted = progress(halted={"code": "AccessDenied", "detail": "no", "hint": "allow it"})
    assert (halted.alarm, progress().alarm) == ("MIGRATION HALTED: AccessDenied no", "")


def test_a_guard_that_nobody_has_seen_yet_is_waited_for_and_is_no_alarm() -> None:
    first = GUARD | {"first_sight": True, "state": "UNKNOWN", "line": "no reading yet"}
    text = " ".join(said(progress(guards=(first,), held_since=START)).split())
    assert "WAITING FOR GUARDS" in text
    assert "… Pool below 80 %: waits for its first reading" in text
    assert "HOLDS" not in text
    both = said(progress(guards=(first, GUARD), held_since=START))
    assert "HELD BY A GUARD" in both


def test_the_guards_it_waits_for_are_named_in_the_first_line_whatever_else_is_to_be_shown() -> None:
    first = GUARD | {"first_sight": True}
    of = progress(guards=(first, GUARD | {"holds": False, "title": "Few errors"}), held_since=START)
    assert said(of).splitlines()[0].startswith(" COPY … WAITING FOR GUARDS: Pool below 80 %")
    held = progress(guards=(first, GUARD | {"title": "Few errors"}), held_since=START)
    assert held.stands == "HELD BY A GUARD: Pool below 80 %, Few errors"
    assert (replace(held, active=False, outcome="done").stands, progress().stands) == ("DONE", "RUNNING")


def test_the_end_is_a_band_where_nobody_can_know_it_better() -> None:
    assert "1m to 5m left" in said(progress(eta_least_s=60.0, eta_s=300.0), 97)


def test_the_throughput_is_drawn_where_there_is_room_with_its_caps_and_its_gaps() -> None:
    rates = (*[50.0] * 30, *[None] * 30, *[100.0] * 30)
    lines = said(progress(throughput=measured_at(*rates), files_per_s_most=120), 137, plot=5).splitlines()
    top = next(n for n, line in enumerate(lines) if "FILES A SECOND" in line)
    assert "averages of 10 s, seen for 1m29s" in lines[top]
    assert "cap 120/s" in lines[top]
    far = said(progress(throughput=measured_at(*rates), files_per_s_most=3_000), 137, plot=5)
    assert ("╌" in far, "cap 3,000/s" in far) == (False, True), "a cap far above would flatten everything"
    drawn = lines[top + 1 : top + 7]
    assert "120/s" in "".join(drawn)
    assert "MB" in drawn[0]
    assert drawn[5].count("1m29s ago") == drawn[5].count("─0s ago") == 2
    assert not re.search(r"\d\d:\d\d", "".join(drawn)), "the database's clock is none of this screen's"
    lowest = drawn[4][:68]
    assert "██" in lowest
    assert " " * 15 in lowest.partition("█")[2], "what nobody saw is no number"
    assert max(line.count("▇") + line.count("█") for line in lines[:top]) < 40, "and no second line of the same"


@pytest.mark.parametrize("of", [Progress(), Progress(prepared=True)])
def test_between_the_key_and_the_run_it_says_what_begins_and_not_to_press_the_key_again(of: Progress) -> None:
    text = " ".join(migration_text(of, "", 77, armed=True, beginning=PhaseName.COPY).plain.split())
    assert "BEGINS copy, in a process of its own" in text
    assert "NEXT" not in text


def test_no_average_contradicts_the_bar_before_a_worker_has_reported() -> None:
    assert "run average" not in said(progress())
    assert "run average 12 files/s" in said(progress(run_files_per_s=12.0, uploads=90))


@pytest.mark.parametrize("measured", [(), measured_at(71.0)])
def test_one_measurement_makes_no_chart(measured: tuple[Throughput, ...]) -> None:
    assert "FILES A SECOND" not in said(progress(throughput=measured), 137, plot=5)


def test_a_ledger_that_cannot_be_read_says_of_when_the_numbers_are_and_no_clock_runs_on() -> None:
    text = " ".join(said(progress(), trouble="timeout").split())
    assert "cannot be read: timeout; what stands below is of 02:00:00" in text
    assert "run 3, 2m" in text


def test_how_workers_died_is_shown_while_the_run_goes_on() -> None:
    death = Event(START, "", "worker died", "worker 77 ended with 70: no space left on device")
    assert "worker 77 ended with 70: no space left on device" in " ".join(said(progress(deaths=(death,))).split())


def test_nobody_judging_halted_and_a_ledger_that_cannot_be_read_are_loud() -> None:
    left = progress(watched=False, ownerless=True, held_since=START)
    assert "NO SUPERVISOR" in said(left)
    assert "`cockpit migrate copy PLAN`" in " ".join(said(left).split()), "what can be done from here"
    assert "m goes on with it, d ends it" in " ".join(said(left, armed=True).split())
    assert "WAITING FOR GUARDS" in said(progress(watched=False)), "its supervisor has just begun"
    halted = {"code": "AccessDenied", "detail": "", "hint": "allow s3:PutObject"}
    assert "allow s3:PutObject" in said(progress(halted=halted))
    assert "cannot be read: timeout" in said(progress(), trouble="timeout")


def test_after_a_purge_it_says_what_a_rollback_would_lose() -> None:
    assert "400 files live in S3 alone" in said(
        progress(purged=400, active=False, outcome="done", phase=PhaseName.PURGE)
    )


def test_while_bytes_leave_the_database_it_does_not_say_that_they_stay() -> None:
    text = " ".join(said(progress(phase=PhaseName.PURGE)).split())
    assert "bytes leave the database" in text
    assert "stay in the database" not in text


def test_of_a_run_that_has_ended_nothing_is_in_flight() -> None:
    assert progress().in_flight == 12
    assert progress(active=False, outcome="done").in_flight == 0


@pytest.mark.parametrize("key", OF_A_RUN)
def test_what_is_asked_of_a_run_is_refused_while_there_is_none(key: str) -> None:
    refused: list[str] = []
    cockpit: Any = SimpleNamespace(controller=SimpleNamespace(progress=Progress(prepared=True)), refuse=refused.append)
    MigrationKeys(cockpit).do(key)
    assert refused == ["no run is active: m starts one"]


async def test_dangerous_keys_are_absent_until_the_account_is_typed() -> None:
    app = CockpitApp(Stage().calm(1))
    async with opened(app) as pilot:
        await pilot.press("4")
        assert isinstance(app.screen, MigrationScreen)
        assert "no files are moved" in " ".join(shown(app).split())
        assert not any(action.dangerous for action in app.actions())
        await pilot.press("f9")
        assert isinstance(app.screen, ConfirmScreen)
        await until(pilot, lambda: listens(app))
        await pilot.press(*"wrong", "enter")
        assert not app.armed
        await pilot.press("escape", "f9")
        await until(pilot, lambda: listens(app))
        await pilot.press(*"123456789012", "enter")
        await pilot.pause()
        assert app.armed
        assert "ARMED" in shown(app).splitlines()[0]
        assert {a.id for a in app.actions()} == {a.id for a in available(rehearsal=False, armed=True)}
        await pilot.press("f9")
        assert not app.armed


async def test_keys_typed_before_the_page_was_seen_are_not_meant_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed, "INPUT_DELAY_S", 3600)  # however slow this machine types
    app = CockpitApp(Stage().calm(1))
    async with opened(app) as pilot:
        await pilot.press("f9", *"123456789012", "enter")
        assert not app.armed
        assert isinstance(app.screen, ConfirmScreen)


async def test_a_gate_that_leaves_out_who_begins_it_holds_until_somebody_says_who_they_are() -> None:
    gate = Gate("move", "Move the files", "migrate", Poll(("on_call",), 1, exclude_initiator=True), HERE)
    of = replace(plan(environment="staging"), gates=(gate,))
    stage = Stage(of).calm(1)
    stage.record.append(Vote(stage.clock.now(), "move", "ada", "on_call", "go", plan_digest=of.digest))
    stage.tick()
    controller = Controller(Migration("", "bucket", "eu-west-1", ()), "plan.yaml")
    app = CockpitApp(stage, controller=controller, armed=True)
    async with opened(app, (100, 30), notifications=True) as pilot:
        await pilot.press("4", "m")
        await pilot.pause()
        assert "m start   BLOCKED: identify yourself first: press i" in shown(app)


async def test_enter_pressed_twice_confirms_once() -> None:
    app = CockpitApp(Stage().calm(1))
    done: list[str] = []
    async with opened(app) as pilot:
        below = app.screen
        page = ConfirmScreen("PURGE 3 files", "they are gone", "purge db/app", lambda: done.append("purged"))
        app.push_screen(page)
        await until(pilot, lambda: listens(app))
        field = page.query_one("#word", Input)
        field.value = "purge db/app"
        for _ in range(2):
            field.post_message(Input.Submitted(field, field.value))
        await pilot.pause()
        assert done == ["purged"]
        assert app.screen is below


@pytest.mark.parametrize("moves", [False, True])
async def test_a_view_that_follows_nothing_denies_no_section_the_plan_has(moves: bool) -> None:
    """A replay has no controller either, whatever the plan moves."""
    of = replace(plan(), migration=SimpleNamespace(guards=()) if moves else None)  # type: ignore[arg-type]
    app = CockpitApp(Stage(of))
    async with opened(app) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "NOTHING" in shown(app))
        assert ("this plan has no `migration:` section" in shown(app)) is not moves
