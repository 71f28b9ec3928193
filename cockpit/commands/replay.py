"""`cockpit replay`: play a record on the same screens, or decide all of it again and compare."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from cockpit.commands.called_again import called_again
from cockpit.commands.ended_by_signal import run_until_signal
from cockpit.commands.options import RECORD, SPEED, VARIABLES_OF_PLAN
from cockpit.commands.plan_loading import given_values, known_vars
from cockpit.commands.terminal_options import QUIET, THEME, ThemeName, settings_chosen
from cockpit.console import output
from cockpit.exit_codes import BAD_PLAN, NOT_REPRODUCED, USAGE
from cockpit.journal.findings import Subject
from cockpit.journal.record_folder import find_record
from cockpit.journal.verify import verify_record
from cockpit.log_file import log_to_file
from cockpit.plan.load import PlanError, load_plan
from cockpit.plan.source.parts_of_plan import read_plan
from cockpit.replay.backtest import judged_by
from cockpit.replay.player import play_through
from cockpit.replay.session import Replay
from cockpit.replay.trace import Decided, NotReplayable, Trace, trace_of
from cockpit.report.formats.situation_text import situation_lines, verdict_changes
from cockpit.tui.terminal_settings import Settings
from cockpit.tui.terminal_streams import no_terminal

SHOWN = 5


@click.command("replay")
@RECORD
@SPEED
@click.option("--at", default="", metavar="TIME", help="Start at: 03:04 (UTC), 2026-01-02T03:04Z, or +15m.")
@click.option(
    "--writer", default="", metavar="NAME", help="The cockpit to replay; default: the one with the most changes."
)
@click.option("--headless", is_flag=True, help="No terminal: replay every decision; exit 70 if any differs.")
@click.option("--plan", default="", help="Backtest: evaluate with this plan instead.", type=click.Path(dir_okay=False))
@VARIABLES_OF_PLAN
@THEME
@QUIET
def main(
    record: str,
    speed: float,
    at: str,
    writer: str,
    *,
    headless: bool,
    plan: str,
    variables: tuple[str, ...],
    theme: ThemeName,
    quiet: bool,
) -> int:
    """Replay a record on the same screens: play, pause, step, seek."""
    log_to_file()
    settings = settings_chosen(theme, quiet=quiet)
    try:
        trace = _trace(record, writer, plan, given_values(variables))
        begin = moment_of(at, trace) if at else None
    except (NotReplayable, OSError, PlanError) as error:
        output(*(error.lines if isinstance(error, PlanError) else [error]), err=True)
        return BAD_PLAN
    except ValueError as error:
        output(f"--at {at}: {error}", err=True)
        return USAGE
    if not headless and (problem := no_terminal(called_again("replay", "--headless"))):
        output(problem, err=True)
        return USAGE
    gc.freeze()  # a long record is many objects, none of them garbage
    if headless:
        return _headless(trace, begin)
    return run_until_signal(_terminal(trace, speed, begin, settings))


def _trace(record: str, writer: str, plan: str, more: Mapping[str, str]) -> Trace:
    """`more`: vars of the plan it is to be judged with, over those of the record. Raises NotReplayable, OSError, PlanError."""
    trace = trace_of(find_record(record), writer, Path(plan) if plan else None)
    if not plan or (read_plan(plan).digest == trace.plan.digest and not more):
        return trace
    given = {**known_vars(plan, trace.given), **more}
    return judged_by(trace, load_plan(plan, overrides=given, environ={}, require_environment=False))


def moment_of(text: str, trace: Trace) -> datetime:
    """A time (2026-01-02T03:04Z), a time of day during the record (03:04, UTC), or an offset from its start (+15m).

    Raises ValueError.
    """
    from probes.periods import parse_duration

    if text.startswith("+"):
        return trace.started_at + parse_duration(text[1:])
    if "T" not in text and "-" not in text:
        clock = datetime.strptime(text, "%H:%M:%S" if text.count(":") == 2 else "%H:%M").time()  # noqa: DTZ007 - UTC below
        found = datetime.combine(trace.started_at.date(), clock, UTC)
        return found if found >= trace.started_at.replace(second=0, microsecond=0) else found + timedelta(days=1)
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _headless(trace: Trace, until: datetime | None) -> int:
    """Decide all of it again; shows the situation at its end, or at the time asked for."""
    situation, found, differences = play_through(trace)
    if until is not None:
        situation = Replay(trace, at=until).situation
    changes = [change for change in found if until is None or change.at <= until]
    output(
        *situation_lines(situation), "", "Verdict changes", *(verdict_changes(changes, trace.started_at) or ["  none"])
    )
    checked = verify_record(trace.folder.path)
    broken, unproven = checked.broken, checked.row(Subject.READINGS).unproven
    _print_findings(f"THE RECORD IS BROKEN: {len(broken)} places differ from what was written", broken)
    _print_findings(f"NOT REPRODUCED: {len(differences)} decisions differ when decided again", differences)
    _print_findings("THE READINGS ARE NOT PROVEN: what was played may not be what was seen", unproven)
    if trace.hidden:
        output("", f"The record hides the value of {', '.join(trace.hidden)}: the plan's own values are used")
    if broken or differences:
        return NOT_REPRODUCED
    if trace.other_plan:
        output("", f"Evaluated with {trace.other_plan}, not with the recorded plan")
    else:
        unchanged = sum(isinstance(step, Decided) and not step.changes for step in trace.steps)
        output(
            "",
            f"Reproduced: {len(found)} changes match the record, and so do {unchanged} decisions that changed nothing",
        )
    return situation.verdict.exit_code


def _print_findings(title: str, found: Sequence[object]) -> None:
    if found:
        output("", title, *(f"  {each}" for each in found[:SHOWN]), err=True)


async def _terminal(trace: Trace, speed: float, begin: datetime | None, settings: Settings) -> int:
    from cockpit.tui.app import CockpitApp

    replay = Replay(trace, speed, begin)
    app = CockpitApp(
        replay,
        environment_label="REPLAY",
        background=replay.run,
        controls=replay,
        record=trace.folder.path,
        settings=settings,
    )
    await app.run_to_end()
    return replay.situation.verdict.exit_code
