"""What a phase of the migration would do, looked at, shown and confirmed by typed words before it begins."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from textwrap import wrap

from cockpit.commands.migrate.migration_context import MigrationContext
from cockpit.commands.migrate.migration_text import check_lines
from cockpit.console import output
from cockpit.engine.given_text import typed_reason
from cockpit.engine.ports import Refused
from cockpit.engine.record_look import RecordLook
from cockpit.migration import runs
from cockpit.migration.database import Connection, host_and_name
from cockpit.migration.follower import Follower
from cockpit.migration.phase_proposal import PhaseProposal
from cockpit.migration.preflight import preflight
from cockpit.migration.preflight_check import Check
from cockpit.migration.progress import Progress
from cockpit.migration.states import OPEN, ItemState, PhaseName
from probes.clients.clients import Clients
from probes.clients.threads import in_thread
from probes.frozen import frozen


@frozen
class PhaseOptions:
    """How a phase is begun."""

    phase: PhaseName
    limit: int | None = None
    """Files; None for all."""
    table: str = ""
    """Only this one; empty for all."""
    max_bytes_per_s: int = 0
    """Of all workers together; 0 for the plan's."""
    outside_window: str = ""
    """Why it may begin outside the plan's off-hours."""
    workers: str = ""
    """Where they run and how many, for people."""
    many: int = 0
    """How many that is; 0 for the plan's."""
    confirm: str = ""
    """The words that are asked for, and why; empty to ask for them."""
    propose: bool = False
    """Only print what would be begun."""
    unguarded: bool = False
    record: str = ""
    """Where the plan's gates were voted on; empty for its newest."""
    who: str = ""
    """Who begins it, as the plan knows them."""
    key: str = ""
    """File of the SSH key they sign with; empty for the agent's."""
    share: str = ""
    """Where that record is shared: `s3://bucket/prefix` or a folder; empty where it is not named."""
    look: RecordLook = RecordLook(None)
    """That record, as it was last looked at."""

    @property
    def guarded(self) -> bool:
        """Whether the plan's guards can hold it. A restore is never held."""
        return self.phase is not PhaseName.RESTORE and not self.unguarded


async def look(
    context: MigrationContext, connection: Connection, options: PhaseOptions, session: Clients
) -> PhaseProposal:
    """Everything about the phase, asked of STS, the database and the bucket now. Raises NotApproved where a check fails."""
    plan, migration, now = context.plan, context.migration, context.clock.now()
    caller = await session.aws("sts", "get_caller_identity")
    checks = [check async for check in preflight(connection, plan, migration, now, options.phase, options.many)]
    if refused(checks, options.outside_window):
        raise runs.NotApproved(*check_lines([check for check in checks if check.ok is False]))
    progress = await Follower().poll(connection)
    files = files_of(progress, options.phase, options.table)
    if options.phase is PhaseName.PURGE and not files:
        raise runs.RunError("no file is verified yet: there is nothing to purge")
    limits = [f"table {options.table}"] if options.table else []
    limits += [f"at most {options.limit:,} of them"] if options.limit else []
    limits += ["without the plan's guards"] if options.unguarded else []
    return PhaseProposal(
        options.phase,
        str(caller.get("Account", "")),
        migration.region or plan.target.region,
        str(caller.get("Arn", "")),
        host_and_name(migration.database),
        f"s3://{migration.bucket}/{migration.prefix}",
        options.workers,
        ", ".join(limits),
        files if progress.prepared else None,
        # What the time of day says is judged, and would differ a minute later.
        tuple(check.what if check.what == "off-hours" else f"{check.what}: {check.found}" for check in checks),
        now,
    )


def files_of(progress: Progress, phase: PhaseName, table: str = "") -> int:
    """How many files the ledger has for a phase, of one table or of all; what was restored is copied again."""
    again = (ItemState.RESTORED,) if phase is PhaseName.COPY else ()
    tables = [each for each in progress.tables if table in ("", each.label)]
    return sum(each.states.get(state, 0) for each in tables for state in (*OPEN[phase], *again))


async def confirmed(proposal: PhaseProposal, confirm: str) -> str:
    """Why it is begun, as somebody typed after the words. Raises NotApproved where they did not."""
    lines = [f"{name:>9}  {value}" for name, value in proposal.shown()]
    wrapped = [part for line in lines for part in wrap(line, 100, subsequent_indent=" " * 11)]
    output(proposal.title, *wrapped, f"Type  {proposal.words}: and why  to confirm:", err=True)
    typed = confirm or (await in_thread(input) if sys.stdin.isatty() else "")
    try:
        return typed_reason(proposal.words, typed, "nothing was begun")
    except Refused as mistyped:
        raise runs.NotApproved(str(mistyped)) from None


def refused(checks: Iterable[Check], outside_window: str) -> bool:
    """Whether a check forbids to begin. `outside_window`, the reason given, overrides the off-hours alone."""
    return any(check.ok is False and not (check.what == "off-hours" and outside_window) for check in checks)


def number_of(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
