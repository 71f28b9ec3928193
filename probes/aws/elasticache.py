"""ElastiCache: whether a Redis or Valkey replication group takes writes, and how near it is to its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import StringConstraints

from probes.aws.cloudwatch_periods import MINUTE
from probes.aws.newest_minute import NewestMinute
from probes.clients.arns import arn, console
from probes.clients.clients import Clients
from probes.clients.metrics import MetricQuery
from probes.clients.paging import request_id
from probes.demand import AWS_ALONE
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, every, sorted_out

_METRICS = {
    "memory_used": "DatabaseMemoryUsagePercentage",
    "engine_cpu": "EngineCPUUtilization",
    "connections": "CurrConnections",
    "evictions_per_min": "Evictions",
    "replication_lag_s": "ReplicationLag",
}
"""Field -> metric of each node; the first is asked for first, and decides which minute is read."""
_PERCENT = ("memory_used", "engine_cpu")
MOST_NODES = 90
"""Five metrics of each fit one GetMetricData."""


class ReplicationGroupParams(Params):
    group: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    """Id of the replication group."""
    settle: Duration | None = None
    """How long after its end a minute of the metrics is still filling up; default 2m. One that is seen to change later counts
    later."""


class ElastiCacheReplicationGroup(Probe[ReplicationGroupParams]):
    """An ElastiCache replication group: its state, primaries and replicas, and the worst of its nodes in the newest minute.

    Reads elasticache DescribeReplicationGroups (Status, NodeGroups[].Status, NodeGroupMembers, MemberClusters,
    AutomaticFailover, MultiAZ, TransitEncryptionEnabled, AtRestEncryptionEnabled, PendingModifiedValues); CloudWatch
    AWS/ElastiCache by CacheClusterId of every member, the newest minute that is final: DatabaseMemoryUsagePercentage,
    EngineCPUUtilization, CurrConnections, ReplicationLag (Maximum) and Evictions (Sum). With cluster mode the roles of
    nodes are not shown, and `primaries` counts the shards that are available.
    """

    name = "elasticache.replication_group"
    params_type = ReplicationGroupParams
    demands = AWS_ALONE
    subjects = ("elasticache", "redis", "valkey")
    cannot_see = "whether clients reach it and can sign in, and whether its keys are the right ones"
    late = "metrics by a period and the settle, about 3 minutes; the rest seconds"
    fields = (
        Field("status", str, "available, modifying, snapshotting, creating, deleting or create-failed", "available"),
        Field("available", bool, "the group and each of its shards are available", example=True),
        Field("shards", int, "node groups", 1, "count", low=0),
        Field("shards_available", int, "those that are available", 1, "count", low=0),
        Field("nodes", int, "cache nodes, primaries and replicas", 2, "count", low=0),
        Field("primary", str, "the node that takes writes, of a group with one shard", "sessions-001"),
        Field("automatic_failover", bool, "a replica takes over by itself", example=True),
        Field("multi_az", bool, "its nodes are in several zones", example=True),
        Field("encrypted_in_transit", bool, "clients may use TLS", example=True),
        Field("tls_required", bool, "clients must use TLS", example=True),
        Field("encrypted_at_rest", bool, "what it stores is encrypted", example=True),
        Field("changes_pending", bool, "a modification waits for its time", example=False),
        Field("memory_used", float, "of its memory, the fullest node", 0.4, "ratio", low=0),
        Field("engine_cpu", float, "of the engine's thread, the busiest node", 0.2, "ratio", low=0, high=1),
        Field("connections", int, "client connections of the node that has most", 40, "count", low=0),
        Field("evictions_per_min", int, "keys thrown out for want of memory, all nodes", 0, "count", low=0),
        Field("replication_lag_s", float, "of the replica that is furthest behind", 0.1, "s", low=0),
    )
    iam = ("elasticache:DescribeReplicationGroups", "cloudwatch:GetMetricData")
    interval = MINUTE

    def __init__(self, params: ReplicationGroupParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._newest = NewestMinute(clients, params.settle)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        return {self.iam[0]: (arn(self.clients.options, "elasticache", f"replicationgroup:{self.params.group}"),)}

    async def read(self, now: datetime) -> Reading:
        group = self.params.group
        query = f"elasticache describe-replication-groups --replication-group-id {group}"
        try:
            answer = await self.clients.aws("elasticache", "describe_replication_groups", ReplicationGroupId=group)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        found = next(iter(answer.get("ReplicationGroups") or ()), None)
        if found is None:
            return self.blind(now, Unknown(Reason.NOT_FOUND, f"no group {group}", "check the name"), Evidence(query))
        fields = _values(found) | await self._metrics(found.get("MemberClusters") or (), now)
        values, unknown = sorted_out(fields)
        region = self.clients.options.region
        url = console(region, f"elasticache/home?region={region}#/redis/{group}")
        lines = tuple(_line(shard) for shard in (found.get("NodeGroups") or ())[:6])
        return self.reading(now, values, unknown=unknown, evidence=Evidence(query, request_id(answer), url, lines))

    async def _metrics(self, nodes: Sequence[str], now: datetime) -> dict[str, FieldValue]:
        """The worst of the nodes. A node without a point may be the worst: then the field is not known."""
        if not nodes or len(nodes) > MOST_NODES:
            detail = f"the group has {len(nodes)} nodes; up to {MOST_NODES} are read"
            return dict.fromkeys(_METRICS, Unknown(Reason.PARTIAL if nodes else Reason.NO_DATA, detail))
        asked = [
            MetricQuery("AWS/ElastiCache", metric, (("CacheClusterId", node),), _stat(metric))
            for metric in _METRICS.values()
            for node in nodes
        ]
        try:
            found, until = await self._newest.read(asked, now)
        except Unseen as unseen:
            return dict.fromkeys(_METRICS, unseen.unknown)
        fields: dict[str, FieldValue] = {}
        for at, field in enumerate(_METRICS):
            points = found[at * len(nodes) : (at + 1) * len(nodes)]
            fields[field] = self._worst(field, dict(zip(nodes, points, strict=True)), until)
        return fields

    def _worst(self, field: str, points: Mapping[str, float | None], until: datetime) -> FieldValue:
        seen = [value for value in points.values() if value is not None]
        silent = [node for node, value in points.items() if value is None]
        if field == "replication_lag_s" and seen:
            return max(seen)  # of replicas alone: a primary has none
        if silent or not seen:
            detail = f"CloudWatch has no minute of {', '.join(silent[:3])} up to {until:%H:%M}"
            return Unknown(Reason.NO_DATA, detail, "a new node has none for some minutes")
        if field == "evictions_per_min":
            return round(sum(seen))
        return max(seen) / 100 if field in _PERCENT else round(max(seen))


def _stat(metric: str) -> str:
    return "Sum" if metric == "Evictions" else "Maximum"


def _values(found: Mapping[str, Any]) -> dict[str, FieldValue]:
    shards = found.get("NodeGroups") or []
    up = [shard for shard in shards if shard.get("Status") == "available"]
    status = found.get("Status")
    members = [member for shard in shards for member in shard.get("NodeGroupMembers") or ()]
    primary = next((str(each.get("CacheClusterId")) for each in members if each.get("CurrentRole") == "primary"), None)
    hidden = Unknown(Reason.NO_DATA, "with cluster mode AWS does not show which node takes writes")
    return {
        "status": status,
        # While it is modified or backed up it answers: only its shards can say.
        "available": None if status is None or "NodeGroups" not in found else _available(status, shards),
        "shards": len(shards) if "NodeGroups" in found else None,
        "shards_available": len(up) if "NodeGroups" in found else None,
        "nodes": len(found["MemberClusters"]) if "MemberClusters" in found else None,
        "primary": primary or hidden,
        "automatic_failover": _enabled(found.get("AutomaticFailover")),
        "multi_az": _enabled(found.get("MultiAZ")),
        "encrypted_in_transit": found.get("TransitEncryptionEnabled"),
        "tls_required": found.get("TransitEncryptionEnabled") and found.get("TransitEncryptionMode") != "preferred",
        "encrypted_at_rest": found.get("AtRestEncryptionEnabled"),
        "changes_pending": any((found.get("PendingModifiedValues") or {}).values()),
    }


_GROUP = {
    **dict.fromkeys(("available", "modifying", "snapshotting"), True),
    **dict.fromkeys(("creating", "deleting", "create-failed"), False),
}
_SHARD = {"available": True, "creating": False, "deleting": False}
"""Closed: whether it answers in a status. A shard that is modified answers, or is just being exchanged."""


def _available(status: str, shards: Sequence[Mapping[str, Any]]) -> bool | Unknown:
    if not shards:
        return False
    return every(
        _in(_GROUP, status, "the group"),
        *(_in(_SHARD, str(each.get("Status")), f"shard {each.get('NodeGroupId', '?')}") for each in shards),
    )


def _in(table: Mapping[str, bool], status: str, what: str) -> bool | Unknown:
    hint = "that does not say whether it answers: see it in the console"
    return table.get(status, Unknown(Reason.NO_DATA, one_line(f"{what} is {status}"), hint))


def _enabled(text: str | None) -> bool | Unknown | None:
    """`enabling` and `disabling` are neither."""
    if text in ("enabling", "disabling"):
        return Unknown(Reason.NO_DATA, f"it is {text} it now", "read again when it has ended")
    return None if text is None else text == "enabled"


def _line(shard: Mapping[str, Any]) -> str:
    nodes = (
        f"{each.get('CacheClusterId', '?')} {each.get('CurrentRole', '')} {each.get('PreferredAvailabilityZone', '')}".strip()
        for each in shard.get("NodeGroupMembers") or ()
    )
    return one_line(f"shard {shard.get('NodeGroupId', '?')} {shard.get('Status', '?')}: {', '.join(nodes)}", 200)
