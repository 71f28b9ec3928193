"""Options that several commands share, each with the type of what it hands over."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, get_args

import click

from cockpit.console import output
from cockpit.exit_codes import BAD_PLAN
from cockpit.plan.model import Phase, Plan
from cockpit.plan.source.problems import PlanError
from cockpit.plan.source.source_file import STDIN
from cockpit.plan.source.vars_file import read_vars
from probes.clients.child_process import GIVEN_VARS
from probes.clients.clients import AwsOptions
from probes.frozen import frozen

Form = Literal["text", "json"]
PhaseText = Literal["pre_deploy", "post_deploy"]
Receiver = Literal["slack", "pagerduty"]


def _file(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    """A plan that is watched or allowed stays where it is: it is read again, and what it names lies beside it."""
    if given == STDIN:
        raise click.BadParameter("a plan from standard input can be validated and linted; give a file here")
    return given


PLAN = click.argument("plan", type=click.Path(dir_okay=False), callback=_file)
PLAN_TEXT = click.argument("plan", type=click.Path(dir_okay=False, allow_dash=True))
"""A plan that is only read, once: "-" is standard input."""
RECORD = click.argument("record", default="latest")
FORMAT = click.option("--format", "form", type=click.Choice(get_args(Form)), default="text", show_default=True)
PROFILE = click.option("--profile", default="", help="AWS profile; default: the usual credential chain.")
REGION = click.option("--region", default="", help="AWS region; default: the plan's.")


_FILE = "cockpit.vars_file"
F = TypeVar("F", bound=Callable[..., object])


def _vars_file(context: click.Context, _parameter: click.Parameter, given: str) -> None:
    """Its vars are kept for `--var`, which is looked at after it."""
    try:
        context.meta[_FILE] = read_vars(given) if given else ()
    except PlanError as error:
        output(*error.lines, err=True)
        raise SystemExit(BAD_PLAN) from None


def _variables(context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """The file's, then the environment's: what may be secret stands in no command line, which every user can read."""
    text = os.environ.get(GIVEN_VARS, "")
    try:
        held = json.loads(text) if text else []
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, list) or not all(isinstance(each, str) for each in held):
        raise click.BadParameter(f'{GIVEN_VARS} is not a JSON list of texts: ["NAME=VALUE"]')
    return (*context.meta.get(_FILE, ()), *held, *given)


_VARS_FILE = click.option(
    "--vars",
    default="",
    metavar="FILE",
    callback=_vars_file,
    is_eager=True,
    expose_value=False,
    help="Set the plan's vars that this file names (name: value): one for each environment. --var outdoes it.",
)


class _VarOfPlan(click.Option):
    """`--var` of a command that can do without `--plan`: a var of no plan would be ignored, so it is refused."""

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        if (opts.get("variables") or opts.get("vars")) and not (opts.get("plan") or opts.get("own_plan")):
            raise click.UsageError(
                "--var and --vars set vars of the plan that --plan names; a record has the values it was run with"
            )
        return super().handle_parse_result(ctx, opts, args)


def _var(kind: type[click.Option]) -> Callable[[F], F]:
    return click.option(
        "--var",
        "variables",
        cls=kind,
        multiple=True,
        metavar="NAME=VALUE",
        callback=_variables,
        help=f"Set one of the plan's vars; those that are secret in {GIVEN_VARS}, a JSON list.",
    )


def VARIABLES(command: F) -> F:  # noqa: N802 - an option like the others here
    """`--vars FILE` and `--var NAME=VALUE`: together `variables`."""
    return _var(click.Option)(_VARS_FILE(command))


def VARIABLES_OF_PLAN(command: F) -> F:  # noqa: N802 - an option like the others here
    """The same for a command that can do without `--plan`."""
    return _var(_VarOfPlan)(_VARS_FILE(command))


PHASE = click.option(
    "--phase",
    type=click.Choice(get_args(PhaseText)),
    default=None,
    help="The phase to evaluate; default: the record's, else post_deploy.",
)
SPEED = click.option(
    "--speed",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0.1, 600),
    help="How many times faster than real time.",
)
NOTIFY = click.option(
    "--notify",
    multiple=True,
    type=click.Choice(get_args(Receiver)),
    help="Notify when the verdict changes or a gate is decided; may be repeated. "
    "COCKPIT_SLACK_WEBHOOK, COCKPIT_PAGERDUTY_KEY.",
)
ANCHORS = click.option(
    "--anchor",
    "anchors",
    multiple=True,
    metavar="TEXT|FILE",
    help="A head that was published elsewhere, or a message or file that holds it; may be repeated.",
)
RECORD_OF_GATES = click.option(
    "--record", default="", metavar="NAME", help="Where the plan's gates were voted on; default: its newest."
)
SHARE = click.option("--share", default="", metavar="PLACE", help="Share the record: s3://bucket/prefix, or a folder.")
TSA = click.option(
    "--tsa",
    default="",
    envvar="COCKPIT_TSA",
    metavar="URL",
    help="Have this authority (RFC 3161) timestamp the journal every five minutes. COCKPIT_TSA.",
)
TSA_CA = click.option(
    "--tsa-ca",
    default="",
    type=click.Path(dir_okay=False),
    help="PEM file: root certificates of the authorities whose timestamps count.",
)
OWN_PLAN = click.option(
    "--plan",
    "own_plan",
    default="",
    type=click.Path(dir_okay=False),
    help="Your own copy of the plan: the authority's certificate and the log's key in it are those that count.",
)
ALLOWED_SIGNERS = click.option(
    "--allowed-signers",
    default="",
    type=click.Path(dir_okay=False),
    help="OpenSSH's file of who signs with which key.",
)


@frozen
class LiveOptions:
    """How a live system is reached: what `--profile`, `--region`, `--phase` and `--var` say."""

    profile: str = ""
    """AWS profile; empty for the usual credential chain."""
    region: str = ""
    """AWS region; empty for the plan's."""
    phase: Phase | None = None
    """The decision being taken; None for the one the record is in."""
    variables: Sequence[str] = ()
    """NAME=VALUE, as `load` has checked them."""

    def region_for(self, plan: Plan) -> str:
        """The region asked for, or else the plan's."""
        return self.region or plan.target.region

    def aws(self, plan: Plan) -> AwsOptions:
        """How the plan's account is called."""
        return AwsOptions(self.region_for(plan), self.profile, plan.target.account)

    def values(self) -> Mapping[str, str]:
        """The variables by name."""
        return dict(pair.split("=", 1) for pair in self.variables)


P = ParamSpec("P")
R = TypeVar("R")
TEXTS = ("__name__", "__doc__")
"""What a wrapper has of the command it wraps. Its parameters and their types are its own."""


def live_options(command: Callable[Concatenate[LiveOptions, P], R]) -> Callable[..., R]:
    """Give a command `--profile`, `--region`, `--var`, `--vars` and `--phase`; it takes them as one `LiveOptions`."""

    @PROFILE
    @REGION
    @VARIABLES
    @PHASE
    @wraps(command, assigned=TEXTS)
    def parsed(
        profile: str,
        region: str,
        variables: tuple[str, ...],
        phase: PhaseText | None,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        live = LiveOptions(profile, region, Phase(phase) if phase else None, variables)
        return command(live, *args, **kwargs)

    return parsed
