"""ECS: the newest deployment of a service."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from probes.aws.ecs import ServiceParams, service_url
from probes.clients.arns import arn
from probes.clients.paging import pages, request_id
from probes.demand import AWS_ALONE
from probes.probe import Moment, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line

_LOOKED_BACK = (timedelta(days=1), timedelta(days=7), timedelta(days=100))


class DeploymentParams(ServiceParams):
    after: Moment | None = None
    """Only deployments created after this moment count: an older success proves nothing."""


class EcsDeployment(Probe[DeploymentParams]):
    """The newest deployment of an ECS service: its status, and how close ECS is to rolling it back by itself.

    Reads ecs ListServiceDeployments and DescribeServiceDeployments: status, statusReason, deploymentCircuitBreaker (status,
    failureCount, threshold), alarms (status, triggeredAlarmNames), rollback. ECS keeps about 90 days of them; without `after`
    the last day is looked through first, then the last week, then all of them. Alarms that the deployment does not watch
    (DISABLED) have not gone off, and are no zero.
    """

    name = "ecs.deployment"
    params_type = DeploymentParams
    demands = AWS_ALONE
    fields = (
        Field(
            "status",
            str,
            "PENDING, IN_PROGRESS, SUCCESSFUL, STOPPED, ROLLBACK_IN_PROGRESS, ROLLBACK_SUCCESSFUL, ...",
            "SUCCESSFUL",
        ),
        Field("reason", str, "why, in ECS's words", "Service deployment circuit breaker: tasks failed to start."),
        Field("succeeded", bool, "it ended as SUCCESSFUL, and was not rolled back", example=True),
        Field("rolled_back", bool, "ECS went, or is going, back to the release before", example=False),
        Field("breaker", str, "circuit breaker: MONITORING, MONITORING_COMPLETE, TRIGGERED or DISABLED", "MONITORING"),
        Field("breaker_failures", int, "failed tasks the circuit breaker has counted", 0, "count", low=0),
        Field("breaker_threshold", int, "failed tasks at which ECS rolls back by itself", 3, "count", low=0),
        Field("alarms_watched", bool, "ECS watches alarms, and rolls back or stops at one", example=True),
        Field("alarms_triggered", int, "deployment alarms that went off", 0, "count", low=0),
        Field("created_at", datetime, "when it was started", datetime(2026, 1, 1, tzinfo=UTC)),
    )
    iam = ("ecs:ListServiceDeployments", "ecs:DescribeServiceDeployments")
    interval = timedelta(seconds=15)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        options = self.clients.options
        name = f"{self.params.cluster}/{self.params.service}"
        return {
            "ecs:ListServiceDeployments": (arn(options, "ecs", f"service/{name}"),),
            "ecs:DescribeServiceDeployments": (arn(options, "ecs", f"service-deployment/{name}/*"),),
        }

    async def read(self, now: datetime) -> Reading:
        cluster, service = self.params.cluster, self.params.service
        query = (
            f"ecs list-service-deployments --cluster {cluster} --service {service}; ecs describe-service-deployments"
        )
        url = service_url(self.clients, cluster, service, "deployments")
        try:
            brief = await self._listed(now)
            if not brief:
                since = f" since {self.params.after:%Y-%m-%d %H:%M}" if self.params.after else ""
                why = Unknown(
                    Reason.NO_DATA, f"no deployment of {service}{since}", "start the deployment, or correct `after`"
                )
                return self.blind(now, why, Evidence(query, console_url=url))
            newest = max(brief, key=lambda d: d["createdAt"])
            arn = newest["serviceDeploymentArn"]
            answer = await self.clients.aws("ecs", "describe_service_deployments", serviceDeploymentArns=[arn])
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query, console_url=url))
        found = next(iter(answer.get("serviceDeployments", [])), None)
        evidence = Evidence(query, request_id(answer), url)
        if found is None:
            return self.blind(now, Unknown(Reason.NOT_FOUND, f"{arn} cannot be described", "press r"), evidence)
        values, unknown = _deployment_values(found)
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    async def _listed(self, now: datetime) -> list[Mapping[str, Any]]:
        """Those that count of the newest stretch that has any. All pages of it: AWS does not say in which order it lists them."""
        for since in [self.params.after] if self.params.after else [now - back for back in _LOOKED_BACK]:
            found = await pages(
                self.clients, "ecs", "list_service_deployments", request_key="nextToken", response_key="nextToken",
                cluster=self.params.cluster, service=self.params.service, createdAt={"after": since},
            )  # fmt: skip
            if brief := [d for page in found for d in page.get("serviceDeployments") or () if self._counts(d)]:
                return brief
        return []

    def _counts(self, deployment: Mapping[str, Any]) -> bool:
        created = deployment.get("createdAt")
        return created is not None and (self.params.after is None or created > self.params.after)


def _deployment_values(found: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Unknown]]:
    status = found.get("status")
    breaker = found.get("deploymentCircuitBreaker") or {}
    rolled_back = None if status is None else str(status).startswith("ROLLBACK") or bool(found.get("rollback"))
    unknown = {}
    if not breaker:
        none = Unknown(Reason.NO_DATA, "ECS reports no circuit breaker for this deployment")
        unknown = dict.fromkeys(("breaker", "breaker_failures", "breaker_threshold"), none)
    alarms = found.get("alarms") or {}
    watched = alarms.get("status") not in (None, "DISABLED")
    if not watched:
        detail = "ECS watches no alarms in this deployment"
        unknown["alarms_triggered"] = Unknown(Reason.NO_DATA, detail, "deploymentConfiguration.alarms, if it should")
    if not found.get("statusReason"):
        unknown["reason"] = Unknown(Reason.NO_DATA, "ECS gives no reason")
    return {
        "status": status,
        "reason": one_line(found["statusReason"]) if found.get("statusReason") else None,
        "succeeded": None if status is None else status == "SUCCESSFUL" and not rolled_back,
        "rolled_back": rolled_back,
        "breaker": breaker.get("status"),
        "breaker_failures": breaker.get("failureCount"),
        "breaker_threshold": breaker.get("threshold"),
        "alarms_watched": watched,
        "alarms_triggered": len(alarms.get("triggeredAlarmNames") or ()) if watched else None,
        "created_at": found.get("createdAt"),
    }, unknown
