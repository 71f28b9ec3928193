"""`cockpit migrate ...`: the migration's commands by name; each is imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping

import click

from cockpit.cli.lazy_group import Lazy, LazyGroup

RUN, CONTROL, LOOK, LEDGER = (
    f"cockpit.commands.migrate.{name}" for name in ("run_phase", "control", "plan_and_status", "ledger_upkeep")
)
COMMANDS: Mapping[str, Lazy] = {
    "plan": Lazy(f"{LOOK}:plan", "The dry run: counts, sizes, time, rows to look at. Writes nothing."),
    "prepare": Lazy(f"{LEDGER}:prepare", "Run every check, create the ledger, plan every file."),
    "copy": Lazy(f"{RUN}:copy", "Upload files and point their rows at them. The bytes stay in the database."),
    "verify": Lazy(f"{RUN}:verify", "Read files back from S3 independently. Files that fail return to the database."),
    "purge": Lazy(
        f"{RUN}:purge",
        "Remove the bytes of verified files from the database: the point of no return. Needs a typed confirmation.",
    ),
    "restore": Lazy(f"{RUN}:restore", "Copy files back to the database, with checksums, at any time."),
    "status": Lazy(f"{LOOK}:status", "Progress, what blocks it, what failed."),
    "pause": Lazy(f"{CONTROL}:pause", "Start no new file; files in flight finish."),
    "resume": Lazy(f"{CONTROL}:resume", "Resume; the cause of a halt counts as fixed."),
    "drain": Lazy(f"{CONTROL}:drain", "End the run once files in flight have finished."),
    "abort": Lazy(f"{CONTROL}:abort", "End the run at once; leases expire, nothing is lost."),
    "limit": Lazy(f"{CONTROL}:limit", "Change the limits of the active run."),
    "retry": Lazy(f"{CONTROL}:retry", "Try quarantined files again."),
    "sweep": Lazy(f"{LEDGER}:sweep", "Delete left-over objects; report unknown keys."),
    "audit": Lazy(
        f"{LEDGER}:audit",
        "Look at every object a row names again, and list unknown keys. Exit 1 if anything is wrong.",
    ),
    "forget": Lazy(f"{LEDGER}:forget", "Drop the ledger, once every file is purged or restored."),
    "run-on-ecs": Lazy(f"{RUN}:run_on_ecs", "Run the workers as ECS tasks, follow them, drain and stop them."),
}


@click.group("migrate", cls=LazyGroup, lazy=COMMANDS)
def main() -> None:
    """Move document files from PostgreSQL to S3: plan, prepare, copy, verify, purge; restore at any time.

    Every phase can be interrupted and resumed. Closing this program does not stop the workers; `drain` does.
    """
