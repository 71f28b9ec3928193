"""The command line: every command by name. None is imported before it is called; each has its options in its own file."""

from __future__ import annotations

from collections.abc import Mapping

import click

from cockpit.cli.lazy_group import Lazy, LazyGroup
from cockpit.exit_codes import USAGE

click.UsageError.exit_code = USAGE

COMMANDS: Mapping[str, Lazy] = {
    "run": Lazy("cockpit.commands.run", "Open the cockpit on a living system (read-only until it is armed)."),
    "check": Lazy("cockpit.commands.check", "Judge without a terminal: one Situation, and the verdict as exit code."),
    "validate": Lazy("cockpit.commands.validate", "Load a plan: every problem with its place, or a summary."),
    "lint": Lazy("cockpit.commands.lint", "What is legal in a plan, and will be regretted."),
    "iam": Lazy("cockpit.commands.iam", "Print the least-privilege IAM policy for a plan's probes."),
    "doctor": Lazy("cockpit.commands.doctor", "Try every probe once: which would be blind, and why."),
    "init": Lazy("cockpit.commands.init", "Draft a plan from what the account holds: cockpit init plan.yaml."),
    "import": Lazy(
        "cockpit.commands.import_",
        "Turn a Markdown checklist into a plan: cockpit import DEPLOYMENT_CHECKLIST.md > plan.yaml.",
    ),
    "rehearse": Lazy(
        "cockpit.commands.rehearse", "Rehearse a cutover on this machine: a whole world, no cloud account."
    ),
    "replay": Lazy("cockpit.commands.replay", "Play a record back on the same screens: play, pause, step, seek."),
    "probes": Lazy("cockpit.commands.probes", "List the probes, or show one: parameters, fields, permissions."),
    "migrate": Lazy(
        "cockpit.commands.migrate.group",
        "Move document files from PostgreSQL to S3: plan, prepare, copy, verify, purge; restore at any time.",
    ),
    "journal": Lazy(
        "cockpit.commands.journal",
        "Look at what a cutover left behind: who saw, said and did what, and whether it can be believed.",
    ),
    "report": Lazy(
        "cockpit.commands.report", "Tell what was planned, seen, signed and decided, and what was left open."
    ),
    "record": Lazy("cockpit.commands.record", "The records kept on this machine."),
}


@click.version_option(package_name="cutover-cockpit", prog_name="cockpit")
@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def main() -> None:
    """Go, hold or roll back, and why: a cockpit for the night a system moves to AWS.

    Exit codes wherever a verdict is the answer: 0 GO, 1 HOLD, 2 ROLLBACK, 3 could not judge; 64 usage, 65 bad plan.
    """


@main.result_callback()
@click.pass_context
def _exit(context: click.Context, code: int) -> None:
    """What a command returns is its exit code."""
    context.exit(code)
