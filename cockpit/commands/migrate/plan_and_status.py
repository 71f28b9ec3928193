"""`cockpit migrate plan` and `status`: what would be moved, and the progress. A run that came to its end unseen is ended."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import click

from cockpit.commands.migrate.migration_context import FAILED, MigrationContext, migration_command
from cockpit.commands.migrate.migration_text import JSON_VERSION, Meter, check_lines, print_progress, survey_lines
from cockpit.commands.options import FORMAT, Form
from cockpit.console import output, output_json
from cockpit.migration.dry_run import survey
from cockpit.migration.follower import Follower
from cockpit.migration.ownerless import settled_by_reader
from cockpit.migration.preflight import describe


@click.command("plan")
@migration_command
@FORMAT
async def plan(context: MigrationContext, form: Form) -> int:
    """The dry run: counts, sizes, time, rows to look at. Writes nothing."""
    async with context.connection(read_only=True) as connection:
        types, checks = await describe(connection, context.migration)
        if any(check.ok is False for check in checks):
            output(*check_lines(checks))
            return FAILED
        found = await survey(connection, context.settings(types))
        if form == "json":
            output_json(asdict(found), version=JSON_VERSION, indent=1)
        else:
            output(*survey_lines(found, context.migration))
    return 0


@click.command("status")
@migration_command
@FORMAT
@click.option("--follow", is_flag=True, help="Repeat until the run has ended.")
async def status(context: MigrationContext, form: Form, *, follow: bool) -> int:
    """Progress, what blocks it, what failed."""
    async with context.connection() as connection:
        await settled_by_reader(connection)
        follower = Follower()
        await follower.poll(connection)
        await asyncio.sleep(1)  # a rate takes two samples
        progress = await follower.poll(connection)
        print_progress(progress, form)
        meter = Meter(form)
        while follow and progress.active:
            await asyncio.sleep(1)
            await settled_by_reader(connection)
            progress = await follower.poll(connection)
            meter(progress)
    return 0
