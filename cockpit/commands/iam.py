"""`cockpit iam`: the least-privilege policy for exactly the probes of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click
from pydantic import ValidationError

from cockpit.commands.options import PLAN_TEXT, VARIABLES
from cockpit.commands.plan_loading import given_values, load_for_showing
from cockpit.console import json_text, output, output_document
from cockpit.exit_codes import USAGE
from cockpit.plan.model import Migration, Plan, ProbeSpec, Target
from cockpit.plan.step_action import EcsService
from probes.clients.arns import arn_in
from probes.clients.clients import AwsOptions, Clients
from probes.probe import Probe
from probes.registry import find

MIGRATION = {
    "bucket": (
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetBucketVersioning",
        "s3:GetLifecycleConfiguration",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
    ),
    "objects": (
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:GetObject",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    ),
    "kms": ("kms:Decrypt", "kms:GenerateDataKey"),
}
"""Actions that moving the files needs, on the bucket, on what is in it, and on the KMS key that encrypts it."""


ROLLBACK = {
    "service": ("ecs:DescribeServices", "ecs:ListServiceDeployments", "ecs:UpdateService"),
    "deployments": ("ecs:DescribeServiceDeployments", "ecs:StopServiceDeployment"),
    "revisions": ("ecs:DescribeServiceRevisions",),
    "anything": ("ecs:DescribeTaskDefinition", "ecs:DescribeTasks", "ecs:ListTasks", "ecr:DescribeImages"),
    "roles": ("iam:PassRole",),
}
"""Actions that `ecs.rollback` needs, and on what."""


@click.command("iam")
@PLAN_TEXT
@VARIABLES
@click.option("--migration", is_flag=True, help="Include the permissions of the file migration.")
@click.option("--actions", is_flag=True, help="Include the permissions of the plan's built-in actions (ecs.rollback).")
def main(plan: str, variables: tuple[str, ...], *, migration: bool, actions: bool) -> int:
    """Print the least-privilege IAM policy for a plan's probes."""
    loaded = load_for_showing(plan, given_values(variables))
    needs = probes_need(loaded)
    if migration:
        more = migration_needs(loaded)
        if not more:
            output(f"{plan} has no migration.bucket: nothing to allow. Write migration: {{bucket: ...}}", err=True)
            return USAGE
        needs = _joined((needs, more))
    if actions:
        more = actions_need(loaded)
        if not more:
            output(f"{plan} has no step with an action: nothing to allow", err=True)
            return USAGE
        needs = _joined((needs, more))
    if needs:
        output_document(json_text(policy(needs)))
    else:
        output(f"{plan}: its probes need no AWS permission", err=True)
    for grant in sorted({grant for spec in loaded.probes.values() for grant in find(spec.uses).grants}):
        output(f"Besides this policy: {grant}", err=True)
    for spec in (spec for spec in loaded.probes.values() if spec.profile):
        needed = ", ".join(find(spec.uses).iam)
        output(f"Besides this policy: the profile {spec.profile} needs, for {spec.name}: {needed}", err=True)
    return 0


def probes_need(plan: Plan) -> dict[str, set[str]]:
    """IAM action -> ARNs, of all probes but those with another profile. What one does not narrow down is needed on `*`."""
    clients = Clients(AwsOptions(region=plan.target.region, account=plan.target.account))
    return _joined(_probe_needs(spec, clients) for spec in plan.probes.values() if not spec.profile)


def _probe_needs(spec: ProbeSpec, clients: Clients) -> dict[str, set[str]]:
    kind = find(spec.uses)
    narrowed = resources(spec, clients)
    needed = {action: set(narrowed.get(action, ("*",))) for action in kind.iam}
    return {action: arns for action, arns in needed.items() if arns}


def resources(spec: ProbeSpec, clients: Clients) -> Mapping[str, tuple[str, ...]]:
    """IAM action -> ARNs that one probe narrows its needs down to."""
    kind = find(spec.uses)
    try:
        probe: Probe[Any] = kind(
            kind.params_type.model_validate(spec.params), clients.elsewhere(spec.region, spec.profile)
        )
    except ValidationError:  # a parameter from a variable of the environment that is not set
        return {}
    return probe.resources()


def migration_needs(plan: Plan) -> dict[str, set[str]]:
    """What moving the files needs on the bucket and prefix of `migration:`; empty without a bucket."""
    bucket, prefix = _where(plan.migration)
    if not bucket:
        return {}
    region = plan.target.region
    objects, whole = (arn_in(region, "", "s3", place) for place in (f"{bucket}/{prefix}*", bucket))
    needs = {action: {whole} for action in MIGRATION["bucket"]} | {action: {objects} for action in MIGRATION["objects"]}
    return needs | {action: {_kms_key(plan)} for action in MIGRATION["kms"] if _encrypts_by_kms(plan.migration)}


def _encrypts_by_kms(migration: Migration | None) -> bool:
    return migration is not None and migration.storage.encryption == "aws:kms"


def _kms_key(plan: Plan) -> str:
    """The key's ARN. An alias is no resource of a policy; then, and where none is named, it is all of the account's."""
    named = plan.migration.storage.kms_key if plan.migration else ""
    if named.startswith("arn:") and ":key/" in named:
        return named
    return arn_in(
        plan.target.region, plan.target.account, "kms", f"key/{'*' if not named or 'alias/' in named else named}"
    )


def actions_need(plan: Plan) -> dict[str, set[str]]:
    """What the built-in actions of the plan's steps need; empty where it has none."""
    actions = {step.action for step in (*plan.runbook, *plan.rollback_plan) if step.action is not None}
    services = {action.on for action in actions if isinstance(action.on, EcsService)}
    return _joined(_rollback_needs(service, plan.target) for service in services)


def _rollback_needs(service: EcsService, target: Target) -> dict[str, set[str]]:
    on = {
        "service": arn_in(target.region, target.account, "ecs", f"service/{service}"),
        "deployments": arn_in(target.region, target.account, "ecs", f"service-deployment/{service}/*"),
        "revisions": arn_in(target.region, target.account, "ecs", f"service-revision/{service}/*"),
        "anything": "*",
        "roles": arn_in(target.region, target.account, "iam", "role/*"),
    }
    return {action: {on[where]} for where, actions in ROLLBACK.items() for action in actions}


def _where(migration: Migration | None) -> tuple[str, str]:
    """Bucket and prefix; empty without a migration."""
    return (migration.bucket, migration.prefix) if migration else ("", "")


def policy(needs: Mapping[str, set[str]]) -> dict[str, Any]:
    """The policy document: actions on the same resources stand in one statement; the order never depends on the plan's."""
    by_resources: dict[tuple[str, ...], list[str]] = {}
    for action in sorted(needs):
        resources = ("*",) if "*" in needs[action] else tuple(sorted(needs[action]))
        by_resources.setdefault(resources, []).append(action)
    ordered = sorted(by_resources.items(), key=lambda pair: (pair[1], pair[0]))
    statements = [
        {"Effect": "Allow", "Action": actions, "Resource": resources[0] if resources == ("*",) else list(resources)}
        for resources, actions in ordered
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _joined(parts: Iterable[Mapping[str, set[str]]]) -> dict[str, set[str]]:
    joined: dict[str, set[str]] = {}
    for part in parts:
        for action, resources in part.items():
            joined.setdefault(action, set()).update(resources)
    return joined
