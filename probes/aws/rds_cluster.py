"""RDS: a cluster (Aurora or Multi-AZ), which decides most of what its instances only repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from probes.aws.newest_minute import NewestMinute
from probes.aws.rds_snapshots import unfinished
from probes.aws.rds_status import answers_in, plain_name, storage, waiting
from probes.clients.arns import arn, console
from probes.clients.clients import Clients
from probes.clients.long_list import LongList
from probes.clients.metrics import MetricQuery
from probes.clients.paging import pages, request_id
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Bounds, Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, every, sorted_out


class ClusterParams(Params):
    cluster: str
    """Name or ARN of the cluster."""


class RdsCluster(Probe[ClusterParams]):
    """An RDS cluster: status, members that can take over, backups, snapshots, protection, storage and serverless capacity.

    Reads rds DescribeDBClusters: Status, DBClusterMembers[] (IsClusterWriter, DBClusterParameterGroupStatus),
    DBClusterParameterGroup, BackupRetentionPeriod, LatestRestorableTime, DeletionProtection, StorageEncrypted, StorageType,
    AllocatedStorage, PendingModifiedValues, ServerlessV2ScalingConfiguration or ScalingConfigurationInfo; DescribeDBInstances
    for the members' status; DescribeDBClusterSnapshots; of a serverless one CloudWatch ServerlessDatabaseCapacity. A call
    that fails makes only its fields unknown.
    """

    name = "rds.cluster"
    params_type = ClusterParams
    demands = AWS_ALONE
    subjects = ("aurora", "rds cluster", "database cluster", "database")
    cannot_see = "inside the database, how full its storage is, copies of snapshots, and those of AWS Backup"
    late = "a minute or so, serverless capacity 3; the latest restorable time trails by about 5 minutes"
    fields = (
        Field("status", str, "available, failing-over, modifying, ...", "available"),
        Field("available", bool, "it answers in this status", example=True),
        Field("engine", str, "aurora-postgresql, or postgres for a Multi-AZ cluster", "aurora-postgresql"),
        Field("engine_version", str, "version of the engine", "16.4"),
        Field("members", int, "instances in the cluster", 2, "count", low=0),
        Field("writer", str, "the instance that writes", "orders-1"),
        Field("writer_available", bool, "that instance answers in its status", example=True),
        Field("failover_members", int, "others that could take over now", 1, "count", low=0),
        Field("multi_az", bool, "its instances are in more than one zone", example=True),
        Field("parameter_group", str, "parameter group of the cluster", "orders-16"),
        Field(
            "parameters_in_sync", bool, "no member waits for a reboot to take the cluster's parameters", example=True
        ),
        Field("backup_retention_days", int, "days automated backups are kept", 7, "days", low=0, high=35),
        Field("restorable_age_s", float, "age of the newest moment it can be restored to", 300.0, "s", low=0),
        Field("newest_snapshot_age_s", float, "age of the newest finished snapshot", 21600.0, "s", low=0),
        Field("newest_manual_age_s", float, "age of the newest finished manual one", 600.0, "s", low=0),
        Field("snapshots_unfinished", int, "snapshots that are under way or failed", 0, "count", low=0),
        Field("deletion_protection", bool, "it cannot be deleted by accident", example=True),
        Field("encrypted", bool, "its storage is encrypted", example=True),
        Field("storage_type", str, "aurora, aurora-iopt1, gp3, io1, ...", "aurora"),
        Field("allocated_bytes", int, "storage allocated; Aurora's grows by itself", 100 * 1024**3, "bytes", low=0),
        Field("pending_changes", bool, "a modification waits for the maintenance window", example=False),
        Field("serverless_min", float, "least capacity, in ACU; 0 may pause", 0.5, low=0),
        Field("serverless_max", float, "most capacity, in ACU", 16.0, low=0),
        Field("serverless_now", float, "capacity of its serverless instances now, on average, in ACU", 4.0, low=0),
        Field("serverless_utilization", float, "that capacity divided by the most", 0.25, "ratio", low=0),
        Field("host", str, "name that leads to the writer", "orders.cluster-abc.us-east-1.rds.amazonaws.com"),
        Field(
            "reader_host", str, "name that leads to the readers", "orders.cluster-ro-abc.us-east-1.rds.amazonaws.com"
        ),
    )
    iam = (
        "rds:DescribeDBClusters",
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusterSnapshots",
        "cloudwatch:GetMetricData",
    )
    iam_sometimes = MappingProxyType({"cloudwatch:GetMetricData": "the cluster is serverless"})
    interval = timedelta(seconds=60)

    def __init__(self, params: ClusterParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._newest = NewestMinute(clients, None)
        self._listed = LongList(
            clients, "rds", "describe_db_cluster_snapshots", "DBClusterSnapshots", page_key="Marker",
            DBClusterIdentifier=plain_name(params.cluster),
        )  # fmt: skip

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        options, name = self.clients.options, plain_name(self.params.cluster)
        cluster = arn(options, "rds", f"cluster:{name}")
        return {
            "rds:DescribeDBClusters": (cluster,),
            "rds:DescribeDBInstances": (arn(options, "rds", "db:*"),),
            "rds:DescribeDBClusterSnapshots": (cluster, arn(options, "rds", "cluster-snapshot:*")),
        }

    async def read(self, now: datetime) -> Reading:
        name = plain_name(self.params.cluster)
        query = (
            f"rds describe-db-clusters --db-cluster-identifier {name}; rds describe-db-{{instances,cluster-snapshots}}"
        )
        try:
            found, request = await find_cluster(self.clients, name)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        fields = cluster_fields(found, now)
        members, snapshots, capacity = await asyncio.gather(
            self._members(found, name), self._snapshots(now), self._capacity(fields["serverless_max"], name, now)
        )
        fields |= members | snapshots | capacity
        values, unknown = sorted_out(fields)
        region = self.clients.options.region
        url = console(region, f"rds/home?region={region}#database:id={name};is-cluster=true")
        return self.reading(now, values, unknown=unknown, evidence=Evidence(query, request, url, _lines(found)))

    async def _members(self, found: Mapping[str, Any], name: str) -> dict[str, FieldValue]:
        """What hangs on the status of the members, which the cluster itself does not tell."""
        members = found.get("DBClusterMembers") or []
        writer = next((str(m.get("DBInstanceIdentifier")) for m in members if m.get("IsClusterWriter")), None)
        none = Unknown(
            Reason.NO_DATA, "no member of the cluster writes", "is it stopped, or a replica of another cluster?"
        )
        known: dict[str, FieldValue] = {"members": len(members), "writer": writer or none}
        others = [str(m.get("DBInstanceIdentifier")) for m in members if not m.get("IsClusterWriter")]
        try:
            answers = await pages(
                self.clients, "rds", "describe_db_instances", request_key="Marker", response_key="Marker",
                Filters=[{"Name": "db-cluster-id", "Values": [name]}],
            )  # fmt: skip
        except Unseen as unseen:
            return known | dict.fromkeys(("writer_available", "failover_members"), unseen.unknown)
        instances = [each for page in answers for each in page.get("DBInstances") or ()]
        answering = {
            str(each.get("DBInstanceIdentifier")): answers_in(each.get("DBInstanceStatus")) for each in instances
        }
        undescribed = Unknown(Reason.PARTIAL, "RDS does not describe every member of the cluster", "it is asked again")
        states = [undescribed if (a := answering.get(other)) is None else a for other in others]
        open_left = next((state for state in states if isinstance(state, Unknown)), None)
        ready = sum(state is True for state in states)
        return known | {
            "writer_available": answering.get(writer) if writer else none,
            "failover_members": ready if open_left is None else open_left,
        }

    async def _capacity(self, most: FieldValue, name: str, now: datetime) -> dict[str, FieldValue]:
        """How much of its serverless capacity it uses, by CloudWatch's newest final minute."""
        names = ("serverless_now", "serverless_utilization")
        if not isinstance(most, float):
            return dict.fromkeys(names, most)
        query = MetricQuery("AWS/RDS", "ServerlessDatabaseCapacity", (("DBClusterIdentifier", name),), "Average")
        try:
            (capacity,), until = await self._newest.read([query], now)
        except Unseen as unseen:
            return dict.fromkeys(names, unseen.unknown)
        if capacity is None:
            hint = "it is paused, or has no serverless instance"
            return dict.fromkeys(
                names, Unknown(Reason.NO_DATA, f"CloudWatch has no capacity up to {until:%H:%M}", hint)
            )
        return {"serverless_now": capacity, "serverless_utilization": capacity / most if most else None}

    async def _snapshots(self, now: datetime) -> dict[str, FieldValue]:
        fields = ("newest_snapshot_age_s", "newest_manual_age_s", "snapshots_unfinished")
        try:
            await self._listed.read_on_by("DBClusterSnapshotIdentifier", now)
        except Unseen as unseen:
            return dict.fromkeys(fields, unseen.unknown)
        found = list(self._listed.entries.values())
        # A copy has the time at which it was copied, and RDS does not say of a cluster's how old its data is.
        done = [e for e in found if e.get("Status") == "available" and not e.get("SourceDBClusterSnapshotArn")]
        manual = [each for each in done if each.get("SnapshotType") == "manual"]
        ages = (_youngest(done, now, "snapshot"), _youngest(manual, now, "manual snapshot"))
        known: dict[str, FieldValue] = dict(zip(fields, (*ages, unfinished(found)), strict=True))
        if self._listed.whole:
            return known
        unknown = self._listed.from_below(fields, {})
        # The youngest of all is no older than the youngest of some.
        return {
            name: replace(why, bounds=Bounds(0.0, age)) if isinstance(age := known[name], float) else why
            for name, why in unknown.items()
        }


async def find_cluster(clients: Clients, name: str) -> tuple[Mapping[str, Any], str]:
    """One cluster as DescribeDBClusters gives it, and the request's id. Raises Unseen."""
    answer = await clients.aws("rds", "describe_db_clusters", DBClusterIdentifier=name)
    found = next(iter(answer.get("DBClusters") or ()), None)
    if found is None:
        raise Unseen(Unknown(Reason.NOT_FOUND, f"no cluster {name}", "check the name in the plan"))
    return found, request_id(answer)


def cluster_fields(found: Mapping[str, Any], now: datetime) -> dict[str, FieldValue]:
    """What DescribeDBClusters says; also of an instance, for what its cluster decides."""
    restorable = found.get("LatestRestorableTime")
    minimum, maximum = _serverless(found)
    return {
        "status": found.get("Status"),
        "available": answers_in(found.get("Status")),
        "engine": found.get("Engine"),
        "engine_version": found.get("EngineVersion"),
        "multi_az": found.get("MultiAZ"),
        "parameter_group": found.get("DBClusterParameterGroup"),
        "parameters_in_sync": every(*(in_sync(member) for member in found.get("DBClusterMembers") or ()))
        if found.get("DBClusterMembers")
        else None,
        "backup_retention_days": found.get("BackupRetentionPeriod"),
        "restorable_age_s": max((now - restorable).total_seconds(), 0.0) if restorable else None,
        "deletion_protection": found.get("DeletionProtection"),
        "encrypted": found.get("StorageEncrypted"),
        "storage_type": found.get("StorageType"),
        "allocated_bytes": storage(found),
        # RDS leaves PendingModifiedValues out, or empty, when nothing waits (API reference of DBCluster).
        "pending_changes": bool(waiting(found)),
        "serverless_min": minimum,
        "serverless_max": maximum,
        "host": found.get("Endpoint"),
        "reader_host": found.get("ReaderEndpoint"),
    }


def in_sync(member: Mapping[str, Any]) -> bool | Unknown:
    """Whether a member of a cluster has taken the cluster's parameters."""
    status = member.get("DBClusterParameterGroupStatus")
    if status is None:
        return Unknown(Reason.NO_DATA, "RDS does not say whether the cluster's parameters are applied")
    return bool(status == "in-sync")


def _serverless(found: Mapping[str, Any]) -> tuple[FieldValue, FieldValue]:
    """Least and most capacity: of Serverless v2, whose settings v1 has under another name."""
    scaling = found.get("ServerlessV2ScalingConfiguration") or found.get("ScalingConfigurationInfo") or {}
    none = Unknown(Reason.NO_DATA, "the cluster has no serverless capacity")
    least, most = scaling.get("MinCapacity"), scaling.get("MaxCapacity")
    return none if least is None else float(least), none if most is None else float(most)


def _youngest(snapshots: Sequence[Mapping[str, Any]], now: datetime, what: str) -> float | Unknown:
    if not snapshots:
        return Unknown(Reason.NOT_FOUND, f"no finished {what} of the cluster", "take one")
    times = [each.get("SnapshotCreateTime") for each in snapshots]
    known = [time for time in times if time is not None]
    if len(known) < len(times):
        return Unknown(Reason.NO_DATA, "RDS gives no time for every finished snapshot")
    age: float = (now - max(known)).total_seconds()
    return max(age, 0.0)


def _lines(found: Mapping[str, Any]) -> tuple[str, ...]:
    pending = waiting(found)
    members = [
        one_line(
            f"{m.get('DBInstanceIdentifier')} {'writer' if m.get('IsClusterWriter') else 'reader'} "
            f"tier {m.get('PromotionTier', '?')} parameters {m.get('DBClusterParameterGroupStatus', '?')}"
        )
        for m in (found.get("DBClusterMembers") or [])[:8]
    ]
    return (*(["pending: " + ", ".join(pending)] if pending else []), *members)
