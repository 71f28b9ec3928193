"""`cockpit init`: a first plan from what an account holds. Reads lists, writes one file, changes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cockpit import console
from cockpit.commands.options import PROFILE
from cockpit.console import output, output_document, output_file
from cockpit.drafts.account_inventory import Found, FoundService, survey
from cockpit.drafts.from_account import Chosen, draft
from cockpit.exit_codes import COULD_NOT_JUDGE, USAGE
from cockpit.log_file import log_to_file
from cockpit.plan.load import PlanError, load_text
from probes.clients.clients import AwsOptions, Clients
from probes.clients.threads import run_loop
from probes.reading import Unseen

NONE = "none"


class Unclear(Exception):  # noqa: N818 - what keeps the plan from being drafted
    """More than one thing could be meant, or what was named is not there; the message says what to add."""


@click.command("init")
@click.argument("out", default="plan.yaml")
@PROFILE
@click.option("--region", default="", help="AWS region; default: AWS_REGION, else the profile's.")
@click.option("--name", default="", help="The plan's name.")
@click.option("--url", default="", help="URL of its health check; default: the load balancer's.")
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="CLUSTER/NAME",
    help="The ECS service to use, where there is more than one; several: repeat it, the one people reach first.",
)
@click.option("--database", default="", metavar="ID", help="RDS instance or cluster, or none.")
@click.option("--bucket", default="", help="Bucket of its files, or none.")
@click.option(
    "--secrets",
    default="",
    metavar="PREFIX",
    help="Prefix of its secrets, or none; default: derived from the service's name.",
)
@click.option(
    "--alarms",
    default="",
    metavar="PREFIX",
    help="Prefix of its alarms, or none; default: derived from the service's name.",
)
@click.option("--yes", is_flag=True, help="Do not ask: an ambiguous choice is an error.")
def main(
    out: str,
    profile: str,
    region: str,
    name: str,
    url: str,
    services: tuple[str, ...],
    database: str,
    bucket: str,
    secrets: str,
    alarms: str,
    *,
    yes: bool,
) -> int:
    """Draft a plan from what the account holds: cockpit init plan.yaml. Only reads; `-` prints it."""
    log_to_file()
    if out != "-" and Path(out).exists():
        output(f"{out} exists already; it was not overwritten", err=True)
        return USAGE
    ask = sys.stdin.isatty() and not yes
    try:
        found = run_loop(_look(profile, region))
        chosen = _choose(found, name, url, services, database, bucket, secrets, alarms, ask=ask)
        text = draft(found, chosen)
        load_text(text, out)
    except Unseen as unseen:
        output(f"{unseen.unknown.detail}. {unseen.unknown.hint}", err=True)
        return COULD_NOT_JUDGE
    except Unclear as unclear:
        output(unclear, err=True)
        return USAGE
    except PlanError as error:
        output("the draft is not a valid plan:", *error.lines, err=True)
        return USAGE
    if out == "-":
        output_document(text)
    else:
        output_file(out, text)
    output(f"looked in account {found.account}, region {found.region}", err=True)
    for part, why in sorted(found.unseen.items()):
        output(f"not seen: {part}. {why}", err=True)
    output(
        f"{'the draft' if out == '-' else out}: fill in what is in [brackets], then cockpit lint and cockpit doctor",
        err=True,
    )
    return 0


async def _look(profile: str, region: str) -> Found:
    region = region or _usual_region(profile)
    clients = Clients(AwsOptions(region, profile))
    try:
        return await survey(clients, region)
    finally:
        await clients.close()


def _usual_region(profile: str) -> str:
    """As AWS's own command line finds it: the environment's, else the profile's. Raises Unclear."""
    from boto3.session import Session
    from botocore.exceptions import ProfileNotFound

    asked = os.environ.get("AWS_REGION", "")
    try:
        found = asked or Session(profile_name=profile or None).region_name
    except ProfileNotFound as error:
        raise Unclear(f"{error}: `aws configure list-profiles` lists them") from None
    if not found:
        raise Unclear("no AWS region is set: give --region, or set AWS_REGION")
    return str(found)


def _choose(
    found: Found,
    name: str,
    url: str,
    services: Sequence[str],
    database: str,
    bucket: str,
    secrets: str,
    alarms: str,
    *,
    ask: bool,
) -> Chosen:
    if not found.services:
        why = found.unseen.get("services", "there is none in this region")
        raise Unclear(f"no ECS service was found in account {found.account}, region {found.region}: {why}")
    there = {each.label: each for each in found.services}
    labels = [_one("service", each, list(there), ask=ask, needed=True) for each in services or ("",)]
    picked, *others = (there[label] for label in dict.fromkeys(labels))
    stem = _stem(picked)
    chosen_database = _one("database", database, found.databases, ask=ask)
    return Chosen(
        name=name or f"{picked.name}-cutover",
        url=url or _address(picked, ask=ask),
        service=picked,
        others=others,
        database=chosen_database,
        clustered=chosen_database in found.clusters,
        bucket=_one("bucket", bucket, found.buckets, ask=ask),
        secrets=_alike(found.secrets, secrets or stem),
        alarms=_alike(found.alarms, alarms or stem),
    )


def _one(what: str, given: str, there: Sequence[str], *, ask: bool, needed: bool = False) -> str:
    """The one that is meant: as given, the only one, or asked for. Raises Unclear."""
    if given == NONE and not needed:
        return ""
    if given:
        fitting = [each for each in there if each == given or each.endswith(f"/{given}")]
        if len(fitting) != 1:
            raise Unclear(f"--{what} {given}: there is {', '.join(there) or 'none'}")
        return fitting[0]
    if len(there) == 1 or not there:
        return there[0] if there else ""
    if not ask:
        raise Unclear(f"which {what}? --{what} {' | '.join(there)}" + ("" if needed else f" | {NONE}"))
    choices = [*there] if needed else [*there, NONE]
    answer = console.ask(f"Which {what}", choices=choices)
    return "" if answer == NONE else answer


def _address(service: FoundService, *, ask: bool) -> str:
    guess = service.health_url
    return console.ask("URL of its health check", default=guess) if ask else guess


def _stem(service: FoundService) -> str:
    """What names of one system begin with: transparent-trust of transparent-trust-web."""
    return service.name.rpartition("-")[0] or service.name


def _alike(names: Sequence[str], stem: str) -> tuple[str, ...]:
    return () if stem == NONE else tuple(each for each in names if each.startswith(stem))
