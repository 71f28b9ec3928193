"""Application Load Balancer: the health of what it sends traffic to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import Field as Setting
from pydantic import model_validator

from probes.aws.alb_load_balancer import find_balancer, listeners_of, rules_of
from probes.aws.listener_rules import Rule, group_name, reached, shares, with_group
from probes.clients.arns import console
from probes.clients.paging import needed, request_id
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Bounds, Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line

HTTPS = 443
_DRAINING = ("draining", "unhealthy.draining")
_HEALTHY = MappingProxyType({"healthy": True, "unhealthy": False, "initial": False, "unused": False})
"""Closed: whether a target that is not draining is healthy. Of one that is `unavailable` nobody checks the health."""
Target = Mapping[str, Any]
_SEE = Unknown(Reason.NO_DATA, hint="see the console")


class TargetsParams(Params):
    target_group: str = ""
    """Name or ARN of a target group: it is judged, or the groups that the same rule sends its requests to instead."""
    load_balancer: str = ""
    """Name or ARN of a load balancer, in place of a target group: the groups that serve behind its listener are judged."""
    port: Annotated[int | None, Setting(ge=1, le=65535)] = None
    """The listener's port. Left out: 443 of a load balancer, any that names a target group."""
    host: str = ""
    """Behind a load balancer: only what requests for this host meet."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.target_group) == bool(self.load_balancer):
            raise ValueError("give either target_group or load_balancer")
        if self.host and self.target_group:
            raise ValueError("host goes with load_balancer")
        return self


class AlbTargets(Probe[TargetsParams]):
    """The targets that a load balancer sends traffic to, as it sees them.

    Reads elbv2 DescribeListeners and DescribeRules: a target group serves where a rule forwards to it with a weight above 0, and
    every group that serves is judged, by DescribeTargetHealth (State, Reason); with blue and green groups, the one that has the
    traffic now. Also DescribeTargetGroups, for the ARN and the health check. A group that no rule sends anything to is
    NO_DATA, however healthy, and so is one without targets. Rules for requests with a header or query of their own (test
    traffic) do not count. Draining targets count in `total`. Old tasks can be healthy too: compare with ecs.tasks.
    """

    name = "alb.targets"
    params_type = TargetsParams
    demands = AWS_ALONE
    subjects = ("alb", "load balancer", "target group", "target")
    cannot_see = "what a target answers to users, and traffic that comes by another way than these listeners"
    late = "the health check's interval times its threshold: up to minutes"
    fields = (
        Field("total", int, "registered targets", 2, "count", low=0),
        Field("healthy", int, "targets that pass the health check", 2, "count", low=0),
        Field("unhealthy", int, "targets that fail it", 0, "count", low=0),
        Field("initial", int, "targets whose first check is not done", 0, "count", low=0),
        Field("draining", int, "targets on their way out", 0, "count", low=0),
        Field(
            "all_healthy",
            bool,
            "in every group that serves, each target that is not draining is healthy, and there is one",
            example=True,
        ),
        Field("reasons", tuple, "why targets are not healthy", ("Target.ResponseCodeMismatch",)),
        Field("health_check_path", str, "path the load balancer asks", "/api/health"),
        Field("serving", tuple, "names of the target groups that traffic goes to: all else is of them", ("web-green",)),
    )
    iam = (
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeLoadBalancers",
    )
    iam_sometimes = MappingProxyType({"elasticloadbalancing:DescribeLoadBalancers": "the plan names the load balancer"})
    interval = timedelta(seconds=15)

    _groups: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    """By ARN, as DescribeTargetGroups gave them last."""

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        query = "elbv2 describe-rules; elbv2 describe-target-health " + (
            f"--target-group {asked.target_group}" if asked.target_group else f"(of {asked.load_balancer})"
        )
        try:
            serving = await self._serving()
            if not serving:
                return self.blind(now, self._no_traffic(), Evidence(query))
            groups = await self._described(sorted(serving))
            answers = await asyncio.gather(
                *(self.clients.aws("elbv2", "describe_target_health", TargetGroupArn=arn) for arn in groups)
            )
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        by_group = [answer.get("TargetHealthDescriptions") or [] for answer in answers]
        values, unknown = _values(by_group)
        paths = sorted({str(group["HealthCheckPath"]) for group in groups.values() if group.get("HealthCheckPath")})
        values["health_check_path"] = ", ".join(paths) or None
        values["serving"] = tuple(group_name(arn) for arn in groups)
        lines = [
            f"{group_name(arn)} gets {share:.3g} %" for arn, share in serving.items() if len(serving) > 1 or share < 100
        ]
        lines += [_line(target) for targets in by_group for target in sorted(targets, key=_healthy)[:6]]
        evidence = Evidence(query, request_id(answers[0]), self._url(next(iter(groups))), tuple(lines))
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    async def _serving(self) -> dict[str, float]:
        """Target groups that are sent requests, by ARN, and the share of them each gets in percent. Raises Unseen."""
        asked = self.params
        if asked.load_balancer:
            balancer, _ = await find_balancer(self.clients, asked.load_balancer)
            port = asked.port or HTTPS
            listeners = await self._rules(str(balancer["LoadBalancerArn"]), port)
            if not listeners:
                detail = f"{asked.load_balancer} has no listener on port {port}"
                raise Unseen(Unknown(Reason.NOT_FOUND, detail, "add it, or correct `port`"))
            return shares(rule for rules in listeners for rule in reached(rules, asked.host))
        group = await self._named(asked.target_group)
        balancers = [str(arn) for arn in group.get("LoadBalancerArns") or ()]
        found = await asyncio.gather(*(self._rules(arn, asked.port) for arn in balancers))
        rules = [rule for listeners in found for rules in listeners for rule in rules]
        return shares(with_group(rules, str(group["TargetGroupArn"])))

    async def _rules(self, balancer: str, port: int | None) -> list[list[Rule]]:
        """The rules of each listener on a port, or of every listener. Raises Unseen."""
        listeners = [
            each for each in await listeners_of(self.clients, balancer) if port is None or each.get("Port") == port
        ]
        return await asyncio.gather(*(self._of_listener(each) for each in listeners))

    async def _of_listener(self, listener: Mapping[str, Any]) -> list[Rule]:
        default = {"Priority": "default", "Actions": listener.get("DefaultActions")}
        if listener.get("Protocol") not in ("HTTP", "HTTPS"):  # of a Network Load Balancer, which has no rules
            return [default]
        rules = await rules_of(self.clients, str(listener["ListenerArn"]))
        return [*(rule for rule in rules if not rule.get("IsDefault")), default]

    async def _named(self, wanted: str) -> Mapping[str, Any]:
        """The group the plan names, with the load balancers it belongs to now: a deployment may change those."""
        key = "TargetGroupArns" if wanted.startswith("arn:") else "Names"
        answer = await self.clients.aws("elbv2", "describe_target_groups", **{key: [wanted]})
        groups = answer.get("TargetGroups") or []
        if not groups:
            raise Unseen(Unknown(Reason.NOT_FOUND, f"no target group {wanted}", "check the name in the plan"))
        self._groups = {**self._groups, needed(groups[0], "TargetGroupArn", wanted): groups[0]}
        return dict(groups[0])

    async def _described(self, arns: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Groups by ARN; each is asked for once, for its health check. Raises Unseen."""
        if missing := [arn for arn in arns if arn not in self._groups]:
            answer = await self.clients.aws("elbv2", "describe_target_groups", TargetGroupArns=missing)
            found = {
                needed(group, "TargetGroupArn", "a target group"): group for group in answer.get("TargetGroups") or ()
            }
            self._groups = {**self._groups, **found}
        return {arn: self._groups.get(arn, {}) for arn in arns}

    def _no_traffic(self) -> Unknown:
        if self.params.load_balancer:
            detail = f"no rule of {self.params.load_balancer} forwards to a target group"
            return Unknown(Reason.NO_DATA, detail, "check `port` and `host`, and the listener's rules")
        detail = f"no rule of a load balancer sends traffic to {self.params.target_group}"
        hint = "give load_balancer (and host) in its place: the group that serves is then found, blue or green"
        return Unknown(Reason.NO_DATA, detail, hint)

    def _url(self, group: str) -> str:
        region = self.clients.options.region
        return console(region, f"ec2/home?region={region}#TargetGroup:targetGroupArn={group}")


def _values(groups: Sequence[Sequence[Target]]) -> tuple[dict[str, Any], dict[str, Unknown]]:
    """Of every group that serves together; one without targets answers its share of the requests with a 503."""
    targets = [target for group in groups for target in group]
    states = Counter(_state(target) for target in targets)
    judged = [[target for target in group if _state(target) not in _DRAINING] for group in groups]
    healthy = [_HEALTHY.get(_state(target)) for group in judged for target in group]
    reasons = {
        str(t["TargetHealth"]["Reason"]) for group in judged for t in group if t.get("TargetHealth", {}).get("Reason")
    }
    unknown = {}
    if not any(judged):
        unknown["all_healthy"] = Unknown(
            Reason.NO_DATA, "the target group has no targets", "are tasks running and registered?"
        )
    elif all(judged) and None in healthy and False not in healthy:
        state = next(_state(target) for group in judged for target in group if _state(target) not in _HEALTHY)
        hint = "switch the health check of the target group on" if state == "unavailable" else "see the console"
        unknown["all_healthy"] = Unknown(Reason.NO_DATA, f"a target is {one_line(state) or 'in no state'}", hint)
    if unchecked := sum(each is None for each in healthy):
        for name in ("healthy", "unhealthy"):
            within = Bounds(states[name], states[name] + unchecked)
            detail = f"of {unchecked} of {len(targets)} targets nobody knows the health"
            unknown[name] = Unknown(Reason.NO_DATA, detail, unknown.get("all_healthy", _SEE).hint, within)
    if not reasons:
        unknown["reasons"] = Unknown(Reason.NO_DATA, "no target gives a reason")
    return {
        "total": len(targets),
        "healthy": states["healthy"],
        "unhealthy": states["unhealthy"],
        "initial": states["initial"],
        "draining": sum(states[each] for each in _DRAINING),
        "all_healthy": all(judged) and False not in healthy,
        "reasons": tuple(sorted(reasons)),
    }, unknown


def _state(target: Target) -> str:
    return str(target.get("TargetHealth", {}).get("State", ""))


def _healthy(target: Mapping[str, Any]) -> bool:
    """What is not comes first."""
    return str(target.get("TargetHealth", {}).get("State")) == "healthy"


def _line(target: Mapping[str, Any]) -> str:
    health, at = target.get("TargetHealth", {}), target.get("Target", {})
    why = " ".join(str(health[key]) for key in ("Reason", "Description") if health.get(key))
    return one_line(f"{at.get('Id', '?')}:{at.get('Port', '?')} {health.get('State', '?')} {why}")
