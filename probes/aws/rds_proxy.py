"""RDS Proxy: what it leads to, and how near its connections are to their limit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from probes.aws.cloudwatch_periods import MINUTE
from probes.aws.newest_minute import NewestMinute
from probes.clients.arns import console
from probes.clients.clients import Clients
from probes.clients.metrics import MetricQuery
from probes.clients.paging import pages, request_id
from probes.demand import AWS_ALONE
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, every, sorted_out

_STATUSES = MappingProxyType(
    {
        "available": True,
        "modifying": None,
        "incompatible-network": False,
        "insufficient-resource-limits": False,
        "creating": False,
        "deleting": False,
        "suspended": False,
        "suspending": False,
        "reactivating": False,
    }
)
"""Closed: whether a proxy takes connections in this status; None where the status does not tell."""
_HEALTH = MappingProxyType({"AVAILABLE": True, "REGISTERING": False, "UNAVAILABLE": False})
"""Closed: whether the proxy can use a target. A cluster that it tracks has no health: its instances have."""


class ProxyParams(Params):
    proxy: str
    """Name of the proxy."""
    settle: Duration | None = None
    """How long after its end a minute of the metrics is still filling up; default 2m. One that is seen to change later counts
    later."""


class RdsProxy(Probe[ProxyParams]):
    """An RDS Proxy: its targets and their health, its borrow timeout, pinned sessions, and connections against the limit.

    Reads rds DescribeDBProxies (Status, RequireTLS), DescribeDBProxyTargetGroups (ConnectionPoolConfig) and
    DescribeDBProxyTargets (TargetHealth, Role); CloudWatch AWS/RDS by ProxyName, the newest minute that is final:
    DatabaseConnections, MaxDatabaseConnectionsAllowed, DatabaseConnectionsCurrentlySessionPinned (Sum over the proxy's nodes)
    and DatabaseConnectionsBorrowLatency (Maximum). A call that fails makes only its fields unknown; a metric exists once a client
    has connected.
    """

    name = "rds.proxy"
    params_type = ProxyParams
    demands = AWS_ALONE
    subjects = ("rds",)
    cannot_see = "which clients wait, and why a session is pinned: the proxy's log says that"
    late = "connections by a period and the settle of AWS's metrics, about 3 minutes; the rest seconds"
    fields = (
        Field("status", str, "available, modifying, suspended, ...", "available"),
        Field("available", bool, "it takes connections in this status", example=True),
        Field("requires_tls", bool, "it refuses clients without TLS", example=True),
        Field("targets", int, "databases it leads to", 1, "count", low=0),
        Field("targets_available", int, "those it can use now", 1, "count", low=0),
        Field("all_available", bool, "it can use every target, and there is one", example=True),
        Field("writer_available", bool, "it can use a target that takes writes", example=True),
        Field("reasons", tuple, "why targets cannot be used", ("AUTH_FAILURE",)),
        Field(
            "borrow_timeout_s",
            float,
            "how long a client waits for a connection before it is refused",
            120.0,
            "s",
            low=0,
        ),
        Field("borrow_wait_s", float, "the longest that a client waited for one in that minute", 0.002, "s", low=0),
        Field(
            "max_connections_percent",
            int,
            "of the database's max_connections, what the proxy may take",
            100,
            low=1,
            high=100,
        ),
        Field("connections", int, "connections to the database", 18, "count", low=0),
        Field("connections_allowed", int, "the most it may open", 90, "count", low=0),
        Field("utilization", float, "connections divided by the most it may open", 0.2, "ratio", low=0),
        Field("pinned", int, "connections that serve one client alone, for as long as it stays", 0, "count", low=0),
    )
    iam = (
        "rds:DescribeDBProxies",
        "rds:DescribeDBProxyTargetGroups",
        "rds:DescribeDBProxyTargets",
        "cloudwatch:GetMetricData",
    )
    interval = MINUTE

    def __init__(self, params: ProxyParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._newest = NewestMinute(clients, params.settle)

    async def read(self, now: datetime) -> Reading:
        name = self.params.proxy
        query = f"rds describe-db-proxies --db-proxy-name {name}; rds describe-db-proxy-{{target-groups,targets}}"
        try:
            answer = await self.clients.aws("rds", "describe_db_proxies", DBProxyName=name)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        found = next(iter(answer.get("DBProxies") or ()), None)
        if found is None:
            return self.blind(now, Unknown(Reason.NOT_FOUND, f"no proxy {name}", "check the name"), Evidence(query))
        fields: dict[str, FieldValue] = {
            "status": found.get("Status"),
            "available": _usable(_STATUSES, found.get("Status"), "the proxy"),
            "requires_tls": found.get("RequireTLS"),
        }
        (targets, lines), pool, metrics = await asyncio.gather(self._targets(), self._pool(), self._metrics(now))
        values, unknown = sorted_out(fields | targets | pool | metrics)
        region = self.clients.options.region
        url = console(region, f"rds/home?region={region}#proxy:id={name}")
        return self.reading(now, values, unknown=unknown, evidence=Evidence(query, request_id(answer), url, lines))

    async def _targets(self) -> tuple[dict[str, FieldValue], tuple[str, ...]]:
        names = ("targets", "targets_available", "all_available", "writer_available", "reasons")
        try:
            answers = await pages(
                self.clients, "rds", "describe_db_proxy_targets", request_key="Marker", response_key="Marker",
                DBProxyName=self.params.proxy,
            )  # fmt: skip
        except Unseen as unseen:
            return dict.fromkeys(names, unseen.unknown), ()
        found = [
            each for page in answers for each in page.get("Targets") or () if each.get("Type") != "TRACKED_CLUSTER"
        ]
        if not found:
            none = Unknown(Reason.NO_DATA, "the proxy has no target", "register the database with its target group")
            return {"targets": 0, "targets_available": 0} | dict.fromkeys(names[2:], none), ()
        health = [_health(each) for each in found]
        writers = [
            _writes(target, each)
            for each, target in zip(health, found, strict=True)
            if target.get("Role") != "READ_ONLY"
        ]
        reasons = {str(why) for target in found if (why := (target.get("TargetHealth") or {}).get("Reason"))}
        return {
            "targets": len(found),
            "targets_available": next((h for h in health if isinstance(h, Unknown)), sum(h is True for h in health)),
            "all_available": every(*health),
            "writer_available": True in writers or next((each for each in writers if isinstance(each, Unknown)), False),
            "reasons": tuple(sorted(reasons)) or Unknown(Reason.NO_DATA, "no target gives a reason"),
        }, tuple(_line(target) for target in found[:6])

    async def _pool(self) -> dict[str, FieldValue]:
        """The settings of its default target group: a proxy has no other."""
        names = ("borrow_timeout_s", "max_connections_percent")
        try:
            answers = await pages(
                self.clients, "rds", "describe_db_proxy_target_groups", request_key="Marker", response_key="Marker",
                DBProxyName=self.params.proxy,
            )  # fmt: skip
        except Unseen as unseen:
            return dict.fromkeys(names, unseen.unknown)
        group: Mapping[str, Any] = next((g for page in answers for g in page.get("TargetGroups") or ()), {})
        config = group.get("ConnectionPoolConfig") or {}
        timeout = config.get("ConnectionBorrowTimeout")
        return dict(
            zip(names, (None if timeout is None else float(timeout), config.get("MaxConnectionsPercent")), strict=True)
        )

    async def _metrics(self, now: datetime) -> dict[str, FieldValue]:
        """Of the newest final minute; what has no point in it is not known."""
        names = ("connections", "connections_allowed", "pinned", "borrow_wait_s")
        try:
            found, until = await self._newest.read(self._queries(), now)
        except Unseen as unseen:
            return dict.fromkeys((*names, "utilization"), unseen.unknown)
        hint = "no client has connected yet, or the name of the proxy is wrong: both look the same"
        none = Unknown(Reason.NO_DATA, f"CloudWatch has no minute of it up to {until:%H:%M}", hint)
        used, allowed, pinned, waited = found
        return {
            "connections": none if used is None else round(used),
            "connections_allowed": none if allowed is None else round(allowed),
            "utilization": used / allowed if used is not None and allowed else none,
            "pinned": none if pinned is None else round(pinned),
            "borrow_wait_s": none if waited is None else waited / 1e6,
        }

    def _queries(self) -> Sequence[MetricQuery]:
        of = (("ProxyName", self.params.proxy),)
        return [
            MetricQuery("AWS/RDS", "DatabaseConnections", of, "Sum"),
            MetricQuery("AWS/RDS", "MaxDatabaseConnectionsAllowed", of, "Sum"),
            MetricQuery("AWS/RDS", "DatabaseConnectionsCurrentlySessionPinned", of, "Sum"),
            MetricQuery("AWS/RDS", "DatabaseConnectionsBorrowLatency", of, "Maximum"),
        ]


def _usable(table: Mapping[str, bool | None], state: str | None, what: str) -> bool | Unknown | None:
    if state is None:
        return None
    known = table.get(state)
    if known is not None:
        return known
    return Unknown(
        Reason.NO_DATA, f"{what} is {state}", "that does not say whether it can be used: look at the console"
    )


def _health(target: Mapping[str, Any]) -> bool | Unknown:
    usable = _usable(
        _HEALTH, (target.get("TargetHealth") or {}).get("State"), str(target.get("RdsResourceId", "a target"))
    )
    return Unknown(Reason.NO_DATA, "RDS gives no health of a target") if usable is None else usable


def _writes(target: Mapping[str, Any], usable: bool | Unknown) -> bool | Unknown:
    """Whether a target that can be used takes writes: RDS may not know its role yet."""
    role = target.get("Role", "READ_WRITE")
    if usable is not True or role == "READ_WRITE":
        return usable
    return Unknown(
        Reason.NO_DATA, one_line(f"the role of {target.get('RdsResourceId', 'a target')} is {role}"), "press r"
    )


def _line(target: Mapping[str, Any]) -> str:
    health = target.get("TargetHealth") or {}
    why = " ".join(str(health[key]) for key in ("Reason", "Description") if health.get(key))
    return one_line(
        f"{target.get('RdsResourceId', '?')} {target.get('Role', '')} {health.get('State', '?')} {why}".strip()
    )
