"""CodeDeploy: the newest deployment of a deployment group, on instances, ECS or Lambda."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from probes.clients.arns import arn, console
from probes.clients.paging import request_id
from probes.demand import AWS_ALONE
from probes.probe import Moment, Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, every, sorted_out

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_GOING_ON = ("Created", "Queued", "InProgress", "Baking", "Ready")
_FAILED = ("Failed", "Stopped")
_KNOWN = (*_GOING_ON, *_FAILED, "Succeeded")
"""Closed: every status of a deployment."""


class CodeDeployParams(Params):
    application: Name
    """Name of the application."""
    group: Name
    """Name of its deployment group."""
    after: Literal["phase"] | Moment | None = None
    """Only deployments begun after this time count, or since the phase began (phase): an older success proves nothing."""
    revision: Annotated[str, StringConstraints(min_length=4, max_length=1000)] | None = None
    """The release: S3 object as bucket/key, Git commit, or SHA-256 of the AppSpec. `succeeded` is then of it alone."""


class CodeDeployDeployment(Probe[CodeDeployParams]):
    """The newest deployment of a CodeDeploy group: how far it is, whether it brought the release, and whether it is a rollback.

    Reads codedeploy GetDeploymentGroup (lastAttemptedDeployment) and GetDeployment (status, createTime, completeTime,
    creator, rollbackInfo, deploymentOverview, errorInformation, revision). With `after: phase` those count that were
    created since the cutover's deployment phase began: with none of them nothing was begun, and nothing has succeeded or
    failed.
    """

    name = "codedeploy.deployment"
    params_type = CodeDeployParams
    demands = AWS_ALONE
    subjects = ("codedeploy",)
    cannot_see = "whether the release works, and what its hooks checked"
    late = "seconds; targets report to CodeDeploy every few seconds"
    fields = (
        Field("status", str, "Created, Queued, InProgress, Baking, Ready, Succeeded, Failed or Stopped", "Succeeded"),
        Field("begun", bool, "there is one: since `after`, where that is set", example=True),
        Field("in_progress", bool, "it has not come to its end", example=False),
        Field("succeeded", bool, "it ended well, is no rollback, and brought what is expected", example=True),
        Field("failed", bool, "it failed or was stopped, or it is a rollback of one that did", example=False),
        Field("is_rollback", bool, "CodeDeploy brings back the release before", example=False),
        Field("waits", bool, "it is Ready and waits for a person to shift the traffic", example=False),
        Field("deployment_id", str, "CodeDeploy's name for it", "d-A1B2C3D4E"),
        Field("revision", str, "what it brings: bucket/key, commit, or the AppSpec's SHA-256", "releases/web-42.zip"),
        Field("error", str, "why it failed, in CodeDeploy's words", "HEALTH_CONSTRAINTS: too many failed"),
        Field("began_at", datetime, "when it was created", datetime(2026, 1, 1, tzinfo=UTC)),
        Field("age_s", float, "since it was created", 240.0, "s", low=0),
        Field("targets", int, "instances or task sets it deploys to", 4, "count", low=0),
        Field("targets_succeeded", int, "those that are done", 4, "count", low=0),
        Field("targets_failed", int, "those that failed", 0, "count", low=0),
    )
    iam = ("codedeploy:GetDeploymentGroup", "codedeploy:GetDeployment")

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        name = f"deploymentgroup:{self.params.application}/{self.params.group}"
        return dict.fromkeys(self.iam, (arn(self.clients.options, "codedeploy", name),))

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        query = (
            f"deploy get-deployment-group --application-name {asked.application} --deployment-group-name {asked.group}"
        )
        region = self.clients.options.region
        try:
            answer = await self.clients.aws(
                "codedeploy", "get_deployment_group", applicationName=asked.application, deploymentGroupName=asked.group
            )
            if "deploymentGroupInfo" not in answer:
                empty = Unknown(Reason.NO_DATA, "CodeDeploy answered without the deployment group", "it is asked again")
                return self.blind(now, empty, Evidence(query, request_id(answer)))
            last = answer["deploymentGroupInfo"].get("lastAttemptedDeployment") or {}
            name = str(last.get("deploymentId") or "")
            if not name:
                return self._none(now, Evidence(query, request_id(answer)))
            answer = await self.clients.aws("codedeploy", "get_deployment", deploymentId=name)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        found = answer.get("deploymentInfo") or {}
        url = console(region, f"codesuite/codedeploy/deployments/{name}?region={region}")
        evidence = Evidence(f"deploy get-deployment --deployment-id {name}", request_id(answer), url, _lines(found))
        after, created = self._after(now), found.get("createTime")
        if created is None and after is not None:
            return self.blind(
                now, Unknown(Reason.NO_DATA, f"CodeDeploy does not say when {name} was created"), evidence
            )
        if after is not None and created is not None and created <= after:
            return self._none(now, evidence)
        values, unknown = sorted_out(_values(found, asked.revision, now))
        return self.reading(now, values, unknown=unknown, evidence=evidence, state_since=found.get("completeTime"))

    def _after(self, now: datetime) -> datetime | None:
        """Since when one counts; with `after: phase` and none begun, none does."""
        after = self.params.after
        return self.deployment_began() or now if after == "phase" else after

    def _none(self, now: datetime, evidence: Evidence) -> Reading:
        detail = f"{self.params.group} has had no deployment" + (" since then" if self.params.after is not None else "")
        why = Unknown(Reason.NO_DATA, detail, "start the deployment, or correct `after`")
        values = {"begun": False, "in_progress": False, "succeeded": False, "failed": False, "is_rollback": False}
        unknown = {field.name: why for field in self.reported if field.name not in values}
        return self.reading(now, values, unknown=unknown, evidence=evidence)


def _values(found: Mapping[str, Any], expected: str | None, now: datetime) -> dict[str, FieldValue]:
    status, created = found.get("status"), found.get("createTime")
    rollback = bool((found.get("rollbackInfo") or {}).get("rollbackTriggeringDeploymentId")) or (
        found.get("creator") == "codeDeployRollback"
    )
    error = found.get("errorInformation") or {}
    counts = found.get("deploymentOverview") or {}
    revision = _revision(found.get("revision") or {})
    unnamed = Unknown(Reason.NO_DATA, "CodeDeploy does not name its revision")
    fits: bool | Unknown = expected is None or (expected == revision if revision else unnamed)
    new = Unknown(Reason.NO_DATA, f"the status is {one_line(str(status), 60)}", "see it in the console: it is new here")
    known = status in _KNOWN
    ended: bool | Unknown = status == "Succeeded" if known else new
    none = Unknown(Reason.NO_DATA, "CodeDeploy gives no error", "it has not failed")
    return {
        "status": status,
        "begun": True,
        "in_progress": status in _GOING_ON if known else new,
        "succeeded": every(ended, not rollback, fits),
        "failed": True if rollback else status in _FAILED if known else new,
        "is_rollback": rollback,
        "waits": status == "Ready" if known else new,
        "deployment_id": found.get("deploymentId"),
        "revision": revision or unnamed,
        "error": one_line(f"{error.get('code', '')}: {error.get('message', '')}", 200) if error else none,
        "began_at": created,
        "age_s": (now - created).total_seconds() if isinstance(created, datetime) else None,
        "targets": sum(counts.values()) if counts else None,
        "targets_succeeded": counts.get("Succeeded"),
        "targets_failed": counts.get("Failed"),
    }


def _revision(held: Mapping[str, Any]) -> str:
    s3, git, text = held.get("s3Location"), held.get("gitHubLocation"), held.get("appSpecContent") or held.get("string")
    if s3:
        return f"{s3.get('bucket', '')}/{s3.get('key', '')}"
    return str((git or {}).get("commitId") or (text or {}).get("sha256") or "")


def _lines(found: Mapping[str, Any]) -> tuple[str, ...]:
    rollback, error = found.get("rollbackInfo") or {}, found.get("errorInformation") or {}
    texts = (rollback.get("rollbackMessage"), error.get("message"), found.get("description"))
    return tuple(one_line(str(each), 200) for each in texts if each)
