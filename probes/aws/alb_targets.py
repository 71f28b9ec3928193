"""Application Load Balancer: the health of what it sends traffic to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from probes.clients.arns import console
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line


class TargetsParams(Params):
    target_group: str
    """Name or ARN of the target group."""


class AlbTargets(Probe[TargetsParams]):
    """The targets of a target group as the load balancer sees them.

    Reads elbv2 DescribeTargetGroups (once, for the ARN and the health check) and DescribeTargetHealth: State, Reason. A group
    without targets is NO_DATA, never healthy. Draining targets count in `total`. Old tasks can be healthy too: compare with
    ecs.tasks.
    """

    name = "alb.targets"
    params_type = TargetsParams
    demands = AWS_ALONE
    fields = (
        Field("total", int, "registered targets", 2, "count", low=0),
        Field("healthy", int, "targets that pass the health check", 2, "count", low=0),
        Field("unhealthy", int, "targets that fail it", 0, "count", low=0),
        Field("initial", int, "targets whose first check is not done", 0, "count", low=0),
        Field("draining", int, "targets on their way out", 0, "count", low=0),
        Field("all_healthy", bool, "every target that is not draining is healthy, and there is one", example=True),
        Field("reasons", tuple, "why targets are not healthy", ("Target.ResponseCodeMismatch",)),
        Field("health_check_path", str, "path the load balancer asks", "/api/health"),
    )
    iam = ("elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth")
    interval = timedelta(seconds=15)

    _group: Mapping[str, Any] | None = None

    async def read(self, now: datetime) -> Reading:
        query = f"elbv2 describe-target-health --target-group {self.params.target_group}"
        try:
            group = await self._find()
            answer = await self.clients.aws("elbv2", "describe_target_health", TargetGroupArn=group["TargetGroupArn"])
        except Unseen as unseen:
            if unseen.unknown.reason is Reason.NOT_FOUND:
                self._group = None  # recreated under the same name, it has another ARN
            return self.blind(now, unseen.unknown, Evidence(query))
        targets = answer.get("TargetHealthDescriptions") or []
        values, unknown = _values(targets)
        values["health_check_path"] = group.get("HealthCheckPath")
        evidence = Evidence(
            query,
            str(answer.get("ResponseMetadata", {}).get("RequestId", "")),
            self._url(group),
            tuple(_line(t) for t in targets[:6]),
        )
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    async def _find(self) -> Mapping[str, Any]:
        if self._group is None:
            wanted = self.params.target_group
            key = "TargetGroupArns" if wanted.startswith("arn:") else "Names"
            answer = await self.clients.aws("elbv2", "describe_target_groups", **{key: [wanted]})
            groups = answer.get("TargetGroups") or []
            if not groups:
                raise Unseen(Unknown(Reason.NOT_FOUND, f"no target group {wanted}", "check the name in the plan"))
            self._group = groups[0]
        return self._group

    def _url(self, group: Mapping[str, Any]) -> str:
        region = self.clients.options.region
        if not region:
            return ""
        return console(region, f"ec2/home?region={region}#TargetGroup:targetGroupArn={group['TargetGroupArn']}")


def _values(targets: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Unknown]]:
    states = Counter(str(t.get("TargetHealth", {}).get("State", "")) for t in targets)
    judged = [t for t in targets if t.get("TargetHealth", {}).get("State") != "draining"]
    reasons = {str(t["TargetHealth"]["Reason"]) for t in judged if t.get("TargetHealth", {}).get("Reason")}
    unknown = {}
    if not judged:
        unknown["all_healthy"] = Unknown(
            Reason.NO_DATA, "the target group has no targets", "are tasks running and registered?"
        )
    if not reasons:
        unknown["reasons"] = Unknown(Reason.NO_DATA, "no target gives a reason")
    return {
        "total": len(targets),
        "healthy": states["healthy"],
        "unhealthy": states["unhealthy"],
        "initial": states["initial"],
        "draining": states["draining"],
        "all_healthy": states["healthy"] == len(judged),
        "reasons": tuple(sorted(reasons)),
    }, unknown


def _line(target: Mapping[str, Any]) -> str:
    health, at = target.get("TargetHealth", {}), target.get("Target", {})
    why = " ".join(str(health[key]) for key in ("Reason", "Description") if health.get(key))
    return one_line(f"{at.get('Id', '?')}:{at.get('Port', '?')} {health.get('State', '?')} {why}")
