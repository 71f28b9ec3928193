"""`cockpit replay`: a record on the same screens, or through it in one go to see that it can be reproduced."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import click

from cockpit.commands.options import RECORD, SPEED
from cockpit.commands.plan_loading import known_vars
from cockpit.exit_codes import BAD_PLAN, NOT_REPRODUCED, USAGE
from cockpit.journal.record_folder import find_record
from cockpit.journal.verify import verify_record
from cockpit.log_file import log_to_file
from cockpit.plan.load import PlanError, load_plan
from cockpit.replay.backtest import judged_by
from cockpit.replay.player import play_through
from cockpit.replay.session import Replay
from cockpit.replay.trace import NoTape, Tape, Turned, tape_of
from cockpit.report.escaping import safe
from cockpit.report.formats.situation_text import situation_text, turning_points

SHOWN = 5


@click.command("replay")
@RECORD
@SPEED
@click.option("--at", default="", metavar="TIME", help="Begin there: 03:04 (UTC), 2026-01-02T03:04Z, or +15m.")
@click.option("--writer", default="", metavar="NAME", help="Whose cockpit; default: the one that saw the most turn.")
@click.option(
    "--headless", is_flag=True, help="Through it in one go; exit 70 if anything is decided otherwise than then."
)
@click.option("--plan", default="", help="What another plan would have said.", type=click.Path(dir_okay=False))
def main(record: str, speed: float, at: str, writer: str, *, headless: bool, plan: str) -> int:
    """Play a record back on the same screens: play, pause, step, seek."""
    log_to_file()
    try:
        tape = _tape(record, writer, plan)
        begin = moment_of(at, tape) if at else None
    except (NoTape, OSError, PlanError) as error:
        click.echo(safe(str(error)), err=True)
        return BAD_PLAN
    except ValueError as error:
        click.echo(f"--at {at}: {error}", err=True)
        return USAGE
    gc.freeze()  # a long record is many things, and none of them is garbage
    if headless:
        return _headless(tape, begin)
    return asyncio.run(_terminal(tape, speed, begin))


def _tape(record: str, writer: str, plan: str) -> Tape:
    """Raises NoTape, OSError and PlanError."""
    tape = tape_of(find_record(record), writer, Path(plan) if plan else None)
    if not plan or sha256(Path(plan).read_bytes()).hexdigest() == tape.plan.digest:
        return tape
    given = known_vars(plan, tape.given)
    return judged_by(tape, load_plan(plan, overrides=given, environ={}, require_environment=False))


def moment_of(text: str, tape: Tape) -> datetime:
    """A time (2026-01-02T03:04Z), a clock time of the record's nights (03:04, UTC), or a span from its begin (+15m).

    Raises ValueError.
    """
    from probes.periods import parse_duration

    if text.startswith("+"):
        return tape.started_at + parse_duration(text[1:])
    if "T" not in text and "-" not in text:
        clock = datetime.strptime(text, "%H:%M:%S" if text.count(":") == 2 else "%H:%M").time()  # noqa: DTZ007 - UTC below
        found = datetime.combine(tape.started_at.date(), clock, UTC)
        return found if found >= tape.started_at.replace(second=0, microsecond=0) else found + timedelta(days=1)
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _headless(tape: Tape, until: datetime | None) -> int:
    """All of it is decided again; what is shown is its end, or the moment asked for."""
    situation, turned, differences = play_through(tape)
    if until is not None:
        situation = Replay(tape, at=until).situation
    changes = [change for change in turned if until is None or change.at <= until]
    click.echo(situation_text(situation))
    click.echo("\nTurned\n" + (turning_points(changes, tape.started_at) or "  never"))
    broken = verify_record(tape.folder.path).broken
    _print_findings(f"THE RECORD IS BROKEN: {len(broken)} places are not as they were written", broken)
    _print_findings(f"NOT REPRODUCED: {len(differences)} decisions are not what is decided again", differences)
    if tape.hidden:
        click.echo(
            safe(f"\nThe record hides the value of {', '.join(tape.hidden)}: judged with what the plan itself says")
        )
    if broken or differences:
        return NOT_REPRODUCED
    if tape.anew:
        click.echo(f"\nJudged by {safe(tape.anew)}; that night was decided by another plan")
    else:
        stood = sum(isinstance(step, Turned) and not step.changes for step in tape.steps)
        click.echo(
            f"\nReproduced: {len(turned)} changes, each as it was kept, and {stood} times that nothing had turned"
        )
    return situation.verdict.exit_code


def _print_findings(title: str, found: Sequence[object]) -> None:
    if found:
        click.echo(f"\n{title}", err=True)
        for each in found[:SHOWN]:
            click.echo(f"  {safe(str(each))}", err=True)


async def _terminal(tape: Tape, speed: float, begin: datetime | None) -> int:
    from cockpit.tui.app import CockpitApp

    replay = Replay(tape, speed, begin)
    app = CockpitApp(replay, environment_label="REPLAY", background=replay.run, deck=replay, record=tape.folder.path)
    await app.run_async()
    return replay.situation.verdict.exit_code
