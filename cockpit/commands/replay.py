"""`cockpit replay`: a record on the same screens, or through it in one go to see that it can be reproduced."""

from __future__ import annotations

import asyncio
import gc
from datetime import UTC, datetime, timedelta

import click

from cockpit.cli import BAD_PLAN, USAGE
from cockpit.commands.logs import log_to_file
from cockpit.engine.player import play_through
from cockpit.engine.replay import Replay
from cockpit.engine.tape import NoTape, Tape, Turned, tape_of
from cockpit.journal.folder import find_record
from cockpit.report.text import situation_text, turning_points

NOT_REPRODUCED = 70
SHOWN = 5


def main(record: str, speed: float, at: str, writer: str, headless: bool) -> int:
    log_to_file()
    try:
        tape = tape_of(find_record(record), writer)
        begin = moment_of(at, tape) if at else None
    except (NoTape, FileNotFoundError) as error:
        click.echo(str(error), err=True)
        return BAD_PLAN
    except ValueError as error:
        click.echo(f"--at {at}: {error}", err=True)
        return USAGE
    gc.freeze()  # a long record is many things, and none of them is garbage
    if headless:
        return _headless(tape)
    return asyncio.run(_terminal(tape, speed, begin))


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


def _headless(tape: Tape) -> int:
    situation, changes, differences = play_through(tape)
    click.echo(situation_text(situation))
    click.echo("\nTurned\n" + (turning_points(changes, tape.started_at) or "  never"))
    if differences:
        click.echo(f"\nNOT REPRODUCED: {len(differences)} decisions are not what is decided again", err=True)
        for each in differences[:SHOWN]:
            click.echo(f"  {each}", err=True)
        return NOT_REPRODUCED
    stood = sum(isinstance(step, Turned) and not step.changes for step in tape.steps)
    click.echo(f"\nReproduced: {len(changes)} changes, each as it was kept, and {stood} times that nothing had turned")
    return situation.verdict.exit_code


async def _terminal(tape: Tape, speed: float, begin: datetime | None) -> int:
    from cockpit.tui.app import CockpitApp

    replay = Replay(tape, speed, begin)
    app = CockpitApp(replay, environment_label="REPLAY", background=replay.run, deck=replay, record=tape.folder.path)
    await app.run_async()
    return replay.situation.verdict.exit_code
