"""The command line: every command by name. None is imported before it is called; each has its options in its own file."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Mapping

import click

from cockpit.cli.lazy_group import Lazy, LazyGroup
from cockpit.exit_codes import USAGE

click.ClickException.exit_code = click.UsageError.exit_code = USAGE
# What is there at the end goes with the process. Else the interpreter looks through a million objects first: most of a second.
atexit.register(gc.freeze)

COMMANDS: Mapping[str, Lazy] = {
    "run": Lazy("cockpit.commands.run", "Open the cockpit on a live system (read-only until it is armed)."),
    "check": Lazy("cockpit.commands.check", "Evaluate once without a terminal; the verdict is the exit code."),
    "example": Lazy(
        "cockpit.commands.example",
        "Print a plan to start from: cockpit example minimal > plan.yaml; without a name, list them.",
    ),
    "schema": Lazy(
        "cockpit.commands.plan_schema",
        "Print the plan's JSON Schema: cockpit schema > plan.v1.schema.json, beside the plans that name it.",
    ),
    "validate": Lazy("cockpit.commands.validate", "Load a plan: every problem with its place, or a summary."),
    "lint": Lazy("cockpit.commands.lint", "Report legal but risky settings of a plan."),
    "trust": Lazy(
        "cockpit.commands.trust",
        "List what a plan would run, send, read outside its folder and write, and allow it once.",
    ),
    "iam": Lazy("cockpit.commands.iam", "Print the least-privilege IAM policy for a plan's probes."),
    "doctor": Lazy("cockpit.commands.doctor", "Read every probe once: what cannot be seen, and why."),
    "init": Lazy("cockpit.commands.init", "Draft a plan from what the account holds: cockpit init plan.yaml."),
    "import": Lazy(
        "cockpit.commands.import_",
        "Turn a Markdown checklist or runbook into a plan: cockpit import DEPLOYMENT_CHECKLIST.md > plan.yaml.",
    ),
    "rehearse": Lazy(
        "cockpit.commands.rehearse", "Rehearse a cutover in a simulated environment on this machine; no cloud account."
    ),
    "test": Lazy(
        "cockpit.commands.story_tests",
        "Go through the stories of a plan, or of a folder, and compare what it decides with what they expect.",
    ),
    "prove": Lazy(
        "cockpit.commands.prove",
        "Prove what a plan can do: that each trigger trips, and how soon; that GO can come; what blindness hides.",
    ),
    "backtest": Lazy(
        "cockpit.commands.backtest_past",
        "Judge the past by a plan: when triggers would have tripped, when GO could have been had, what other limits would do.",
    ),
    "replay": Lazy("cockpit.commands.replay", "Replay a record on the same screens: play, pause, step, seek."),
    "serve": Lazy(
        "cockpit.commands.serve",
        "Show the screens in one browser on this machine, read-only, for a sign-off call.",
    ),
    "keys": Lazy(
        "cockpit.commands.key_list",
        "Print every key of the terminal, its action's id for the settings file, and what it does.",
    ),
    "probes": Lazy("cockpit.commands.probes", "List the probes, or show one: parameters, fields, permissions."),
    "migrate": Lazy(
        "cockpit.commands.migrate.group",
        "Move document files from PostgreSQL to S3: plan, prepare, copy, verify, purge; restore at any time.",
    ),
    "journal": Lazy(
        "cockpit.commands.journal",
        "Verify a record, or list its entries.",
    ),
    "report": Lazy(
        "cockpit.commands.report", "Report what was planned, measured, signed and decided, and what is still open."
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
    """Go, hold or roll back, and why: a cockpit for cutovers to AWS.

    Exit codes of commands that end in a verdict: 0 GO, 1 HOLD, 2 ROLLBACK, 3 could not evaluate; 64 usage, 65 bad plan.
    """


@main.result_callback()
@click.pass_context
def _exit(context: click.Context, code: int) -> None:
    """What a command returns is its exit code."""
    context.exit(code)
