"""ECS: the newest deployment of a service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from probes.aws import ecs_rollout
from probes.aws.ecs import ServiceParams, service_url
from probes.aws.ecs_task_sets import ECS, controller_of, elsewhere, is_alone, line, task_sets
from probes.aws.image_names import own, served_by
from probes.clients.arns import arn
from probes.clients.clients import Clients
from probes.clients.paging import needed, pages, request_id
from probes.demand import AWS_ALONE
from probes.probe import Moment, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, every, sorted_out

KEPT = timedelta(days=90)
"""How long ECS remembers deployments."""
_LOOKED_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=100))
A_PAGE = 100
"""The most that ListServiceDeployments gives at once."""


def _revision(name: str) -> str:
    """family:revision, from that or from an ARN."""
    found = name.rpartition("/")[2]
    if not re.fullmatch(r"[A-Za-z0-9_-]+:[0-9]+", found):
        raise ValueError("a task definition is named by family:revision, or by its ARN")
    return found


def _digest(text: str) -> str:
    if not re.fullmatch(r"sha256:[0-9A-Za-z]+", text):
        raise ValueError("an image digest begins with sha256:")
    return text


class DeploymentParams(ServiceParams):
    after: Literal["phase"] | Moment | None = None
    """Only deployments begun after this time count, or since the phase began: an older success proves nothing."""
    task_definition: Annotated[str, AfterValidator(_revision)] | None = None
    """family:revision of the release, or its ARN: a deployment of another one did not succeed."""
    image_digest: Annotated[str, AfterValidator(_digest)] | None = None
    """sha256:... of the release: a deployment without this image did not succeed."""


class EcsDeployment(Probe[DeploymentParams]):
    """The newest deployment of an ECS service: whether it brought the release, and how close ECS is to rolling it back.

    Reads ecs ListServiceDeployments and DescribeServiceDeployments: status, statusReason, deploymentCircuitBreaker (status,
    failureCount, threshold), alarms (status, triggeredAlarmNames), rollback; with `task_definition` or `image_digest` also
    DescribeServiceRevisions: taskDefinition, containerImages[].imageDigest. ECS keeps about 90 days of them; the
    last hour is looked through first, then longer stretches back to `after`. `after: phase` counts those since the cutover's
    deployment phase began: with none of them nothing was begun, and nothing has succeeded or failed. Alarms that the deployment
    does not watch (DISABLED) have not gone off, and are no zero. A deployment that shifts traffic (BLUE_GREEN, LINEAR, CANARY) is
    SUCCESSFUL after its bake time, and has failed once one of its hooks has (lifecycleStage, lifecycleHookDetails). Where
    CodeDeploy or an external controller deploys, ECS keeps none: then DescribeServices is read, and the newest task set has
    succeeded once it has the traffic, is steady, and is alone.
    """

    name = "ecs.deployment"
    params_type = DeploymentParams
    demands = AWS_ALONE
    subjects = ("ecs", "fargate", "circuit breaker")
    cannot_see = "whether the release works; why a deployment of CodeDeploy failed; ECS forgets its own after 90 days"
    late = "seconds; ECS counts a failed task when it has stopped"
    fields = (
        Field(
            "status",
            str,
            "PENDING, IN_PROGRESS, SUCCESSFUL, STOPPED, ROLLBACK_IN_PROGRESS, ROLLBACK_SUCCESSFUL, ...",
            "SUCCESSFUL",
        ),
        Field("reason", str, "why, in ECS's words", "Service deployment circuit breaker: tasks failed to start."),
        Field("begun", bool, "there is one: since `after`, where that is set", example=True),
        Field(
            "succeeded", bool, "it ended as SUCCESSFUL, was not rolled back, and brought what is expected", example=True
        ),
        Field(
            "failed",
            bool,
            "stopped, rolled back, about to be, or given up by the circuit breaker or a hook",
            example=False,
        ),
        Field("strategy", str, "ROLLING, BLUE_GREEN, LINEAR or CANARY", "BLUE_GREEN"),
        Field("stage", str, "how far it has come: SCALE_UP, PRODUCTION_TRAFFIC_SHIFT, BAKE_TIME, ...", "BAKE_TIME"),
        Field(
            "traffic_share",
            float,
            "of the users' traffic, what the new tasks are meant to get",
            0.1,
            "ratio",
            low=0,
            high=1,
        ),
        Field("paused", bool, "a pause hook waits until a person lets it go on", example=False),
        Field("expected", bool, "it brings the task definition and the image that the plan expects", example=True),
        Field("rolled_back", bool, "ECS went, or is going, back to the release before", example=False),
        Field("breaker", str, "circuit breaker: MONITORING, MONITORING_COMPLETE, TRIGGERED or DISABLED", "MONITORING"),
        Field("breaker_failures", int, "failed tasks the circuit breaker has counted", 0, "count", low=0),
        Field("breaker_threshold", int, "failed tasks at which ECS rolls back by itself", 3, "count", low=0),
        Field("alarms_watched", bool, "ECS watches alarms, and rolls back or stops at one", example=True),
        Field("alarms_triggered", int, "deployment alarms that went off", 0, "count", low=0),
        Field("created_at", datetime, "when it was started", datetime(2026, 1, 1, tzinfo=UTC)),
    )
    iam = (
        "ecs:ListServiceDeployments",
        "ecs:DescribeServiceDeployments",
        "ecs:DescribeServiceRevisions",
        "ecs:DescribeServices",
    )
    iam_sometimes = MappingProxyType(
        {
            "ecs:DescribeServiceDeployments": "there is a deployment that counts",
            "ecs:DescribeServiceRevisions": "a task definition or an image is expected",
            "ecs:DescribeServices": "ECS has no deployment that counts",
        }
    )
    interval = timedelta(seconds=15)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        options = self.clients.options
        name = f"{self.params.cluster}/{self.params.service}"
        return {
            "ecs:ListServiceDeployments": (arn(options, "ecs", f"service/{name}"),),
            "ecs:DescribeServices": (arn(options, "ecs", f"service/{name}"),),
            "ecs:DescribeServiceDeployments": (arn(options, "ecs", f"service-deployment/{name}/*"),),
            "ecs:DescribeServiceRevisions": (arn(options, "ecs", f"service-revision/{name}/*"),),
        }

    def __init__(self, params: DeploymentParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._newest_known: datetime | None = None

    async def read(self, now: datetime) -> Reading:
        cluster, service = self.params.cluster, self.params.service
        query = (
            f"ecs list-service-deployments --cluster {cluster} --service {service}; ecs describe-service-deployments"
        )
        url = service_url(self.clients, cluster, service, "deployments")
        after = self._after(now)
        try:
            brief = await self._listed(after, now)
            if not brief:
                described = await self._service()
                if controller_of(described) != ECS:
                    return self._of_task_sets(described, after, now, Evidence(query, console_url=url))
                return self._none(after, now, Evidence(query, console_url=url))
            newest = max(brief, key=lambda d: d["createdAt"])
            arn = needed(newest, "serviceDeploymentArn", "a deployment")
            answer = await self.clients.aws("ecs", "describe_service_deployments", serviceDeploymentArns=[arn])
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query, console_url=url))
        found = next(iter(answer.get("serviceDeployments", [])), None)
        evidence = Evidence(query, request_id(answer), url, ecs_rollout.lines(found or {}))
        if found is None:
            return self.blind(now, Unknown(Reason.NOT_FOUND, f"{arn} cannot be described", "press r"), evidence)
        values, unknown = _deployment_values(found)
        brings = await self._brings_expected(found)
        if isinstance(brings, Unknown):
            unknown["expected"] = brings
            if self._expects and values.get("succeeded"):
                values["succeeded"], unknown["succeeded"] = None, brings
        else:
            values["expected"] = brings
            if values.get("succeeded"):
                values["succeeded"] = brings
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    def _after(self, now: datetime) -> datetime | None:
        """Since when deployments count. Before the phase there can be none of it, and ECS is asked all the same."""
        after = self.params.after
        return self.deployment_began() or now if after == "phase" else after

    def _none(self, after: datetime | None, now: datetime, evidence: Evidence) -> Reading:
        """There is no deployment: where ECS would remember one, that is known, and it has neither succeeded nor failed."""
        detail = f"no deployment of {self.params.service}"
        if after is not None:
            detail += f" since {after:%Y-%m-%d %H:%M}"
        if self.params.after == "phase":
            begun = self.deployment_began() is not None
            detail = f"{detail}, when the phase began" if begun else "the deployment of this cutover has not begun"
        why = Unknown(Reason.NO_DATA, detail, "start the deployment, or correct `after`")
        if after is None or now - after > KEPT:
            return self.blind(now, why, evidence)
        values = dict.fromkeys(("begun", "succeeded", "failed", "rolled_back"), False)
        return self.reading(now, values, missing=why, evidence=evidence)

    async def _service(self) -> Mapping[str, Any]:
        """The service itself, which says who deploys it. Raises Unseen."""
        cluster, service = self.params.cluster, self.params.service
        answer = await self.clients.aws("ecs", "describe_services", cluster=cluster, services=[service])
        found: Mapping[str, Any] | None = next(iter(answer.get("services") or ()), None)
        if found is None:
            raise Unseen(
                Unknown(Reason.NOT_FOUND, f"no service {service} in cluster {cluster}", "check the plan's names")
            )
        return found

    def _of_task_sets(
        self, service: Mapping[str, Any], after: datetime | None, now: datetime, evidence: Evidence
    ) -> Reading:
        """A deployment that is not ECS's own. One that has failed has left nothing here, so failing is never said."""
        sets = task_sets(service)
        why = elsewhere(controller_of(service), sets)
        evidence = Evidence(
            f"{evidence.query}; ecs describe-services", "", evidence.console_url, tuple(line(each) for each in sets[:4])
        )
        newest = sets[0] if sets else {}
        created = newest.get("createdAt")
        if created is None or (after is not None and created <= after):
            return self.blind(now, why, evidence)
        expected: bool | Unknown = Unknown(Reason.NO_DATA, "the plan expects no task definition and no image of it")
        if self.params.image_digest is not None:
            hint = "compare ecs.tasks digests with the image's"
            expected = Unknown(Reason.NO_DATA, "a task set does not name the digest of its images", hint)
        if self.params.task_definition is not None and newest.get("taskDefinition"):
            brings = str(newest["taskDefinition"]).rpartition("/")[2] == self.params.task_definition
            expected = expected if brings and self.params.image_digest is not None else brings
        done = is_alone(newest, sets)
        succeeded = every(why if done is None else done, *([expected] if self._expects else []))
        over = newest.get("status") == "PRIMARY"
        fields: dict[str, FieldValue] = {
            "begun": True,
            "created_at": created,
            "expected": expected,
            "succeeded": succeeded,
            "failed": False if done and over else why,
            "rolled_back": False if over else why,
        }
        values, unknown = sorted_out(fields)
        return self.reading(now, values, unknown=unknown, missing=why, evidence=evidence)

    async def _listed(self, after: datetime | None, now: datetime) -> list[Mapping[str, Any]]:
        """Those that count of the newest stretch that has any; the stretches get longer, so that few come back.

        All pages of a stretch: AWS does not say in which order it lists them. The newest one known begins the first stretch.
        """
        for since in self._stretches(after, now):
            found = await pages(
                self.clients, "ecs", "list_service_deployments", request_key="nextToken", response_key="nextToken",
                cluster=self.params.cluster, service=self.params.service, createdAt={"after": since}, maxResults=A_PAGE,
            )  # fmt: skip
            if brief := [d for page in found for d in page.get("serviceDeployments") or () if _counts(d, after)]:
                self._newest_known = max(d["createdAt"] for d in brief)
                return brief
        return []

    def _stretches(self, after: datetime | None, now: datetime) -> list[datetime]:
        """Since when to ask, one after the other; none begins before `after`."""
        known = [] if self._newest_known is None else [self._newest_known - timedelta(seconds=1)]
        begins = [*known, *(now - back for back in _LOOKED_BACK)]
        if after is None:
            return begins
        return [*(begin for begin in begins if begin > after), after]

    @property
    def _expects(self) -> bool:
        return self.params.task_definition is not None or self.params.image_digest is not None

    async def _brings_expected(self, deployment: Mapping[str, Any]) -> bool | Unknown:
        """Whether it brings what the plan expects, or why that cannot be said."""
        if not self._expects:
            return Unknown(Reason.NO_DATA, "the plan expects no task definition and no image of it")
        untold = Unknown(Reason.NO_DATA, "ECS does not say what this deployment brings")
        target = (deployment.get("targetServiceRevision") or {}).get("arn")
        if target is None:
            return untold
        try:
            answer = await self.clients.aws("ecs", "describe_service_revisions", serviceRevisionArns=[target])
        except Unseen as unseen:
            return unseen.unknown
        revision: Mapping[str, Any] = next(iter(answer.get("serviceRevisions") or ()), {})
        wanted, digest = self.params.task_definition, self.params.image_digest
        if wanted is not None:
            if not revision.get("taskDefinition"):
                return untold
            if str(revision["taskDefinition"]).rpartition("/")[2] != wanted:
                return False
        images = [(str(c.get("containerName")), c) for c in revision.get("containerImages") or ()]
        judged = own(((name, str(image.get("image", ""))) for name, image in images), served_by(revision))
        digests = {image.get("imageDigest") for name, image in images if name in judged}
        if digest is None or digest in digests:
            return True
        return untold if not digests or None in digests else False


def _counts(deployment: Mapping[str, Any], after: datetime | None) -> bool:
    created = deployment.get("createdAt")
    return created is not None and (after is None or created > after)


def _deployment_values(found: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Unknown]]:
    status = found.get("status")
    breaker = found.get("deploymentCircuitBreaker") or {}
    known, unknown = sorted_out(ecs_rollout.outcome(found) | ecs_rollout.stages(found))
    if not breaker:
        none = Unknown(Reason.NO_DATA, "ECS reports no circuit breaker for this deployment")
        unknown |= dict.fromkeys(("breaker", "breaker_failures", "breaker_threshold"), none)
    alarms = found.get("alarms") or {}
    watched = alarms.get("status") not in (None, "DISABLED")
    if not watched:
        detail = "ECS watches no alarms in this deployment"
        unknown["alarms_triggered"] = Unknown(Reason.NO_DATA, detail, "deploymentConfiguration.alarms, if it should")
    if not found.get("statusReason"):
        unknown["reason"] = Unknown(Reason.NO_DATA, "ECS gives no reason")
    return known | {
        "begun": True,
        "status": status,
        "reason": one_line(found["statusReason"]) if found.get("statusReason") else None,
        "breaker": breaker.get("status"),
        "breaker_failures": breaker.get("failureCount"),
        "breaker_threshold": breaker.get("threshold"),
        "alarms_watched": watched,
        "alarms_triggered": len(alarms.get("triggeredAlarmNames") or ()) if watched else None,
        "created_at": found.get("createdAt"),
    }, unknown
