"""RDS: the database instance as AWS describes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from probes.aws.rds_cluster import cluster_fields, find_cluster, in_sync
from probes.aws.rds_status import GIB, answers_in, plain_name, storage, waiting
from probes.clients.arns import arn, console
from probes.clients.paging import request_id
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.three_valued import FieldValue, every, sorted_out

OF_THE_CLUSTER = (
    "encrypted",
    "backup_retention_days",
    "restorable_age_s",
    "deletion_protection",
    "multi_az",
    "engine_version",
    "allocated_bytes",
)
"""What a cluster decides for its instances: RDS gives an instance these too, and there they mean nothing."""


class InstanceParams(Params):
    instance: str
    """Name or ARN of the instance."""


class RdsInstance(Probe[InstanceParams]):
    """An RDS instance: status, backups, encryption, exposure, and changes that wait for a reboot.

    Reads rds DescribeDBInstances: DBInstanceStatus, PubliclyAccessible, StorageEncrypted, BackupRetentionPeriod,
    LatestRestorableTime, PendingModifiedValues, DBParameterGroups[].ParameterApplyStatus, DeletionProtection, MultiAZ,
    Endpoint.Address, DBClusterIdentifier. Of an instance of a cluster, DescribeDBClusters decides `encrypted`,
    `backup_retention_days`, `restorable_age_s`, `deletion_protection`, `multi_az`, `engine_version` and `allocated_bytes`, and
    counts in `available`, `pending_changes` and `parameters_in_sync`; rds.cluster has more of it.
    """

    name = "rds.instance"
    params_type = InstanceParams
    demands = AWS_ALONE
    subjects = ("rds", "database")
    cannot_see = "inside the database: an instance is available while its connections are exhausted"
    late = "a minute or so; the latest restorable time trails by about 5 minutes"
    fields = (
        Field("status", str, "available, modifying, backing-up, ...", "available"),
        Field("available", bool, "it answers in this status, and so does the cluster it belongs to", example=True),
        Field("cluster", str, "the cluster it belongs to", "orders"),
        Field("publicly_accessible", bool, "it has a public address", example=False),
        Field("encrypted", bool, "its storage is encrypted", example=True),
        Field("backup_retention_days", int, "days automated backups are kept; 0 is off", 7, "days", low=0, high=35),
        Field("restorable_age_s", float, "age of the newest moment it can be restored to", 240.0, "s", low=0),
        Field("pending_changes", bool, "a modification waits for the maintenance window or a reboot", example=False),
        Field("parameters_in_sync", bool, "no parameter waits for a reboot", example=True),
        Field("deletion_protection", bool, "it cannot be deleted by accident", example=True),
        Field("multi_az", bool, "it has a standby in another zone", example=True),
        Field("engine_version", str, "version of the engine", "16.4"),
        Field("instance_class", str, "size", "db.t4g.medium"),
        Field("allocated_bytes", int, "storage allocated", 100 * GIB, "bytes", low=0),
        Field("host", str, "name of its endpoint", "db.abc.us-east-1.rds.amazonaws.com"),
    )
    iam = ("rds:DescribeDBInstances", "rds:DescribeDBClusters")
    iam_sometimes = MappingProxyType({"rds:DescribeDBClusters": "the instance belongs to a cluster"})
    interval = timedelta(seconds=60)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        options = self.clients.options
        return {
            "rds:DescribeDBInstances": (arn(options, "rds", f"db:{plain_name(self.params.instance)}"),),
            "rds:DescribeDBClusters": (arn(options, "rds", "cluster:*"),),
        }

    async def read(self, now: datetime) -> Reading:
        name = plain_name(self.params.instance)
        query = f"rds describe-db-instances --db-instance-identifier {name}"
        try:
            answer = await self.clients.aws("rds", "describe_db_instances", DBInstanceIdentifier=name)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        found = next(iter(answer.get("DBInstances") or []), None)
        if found is None:
            return self.blind(
                now, Unknown(Reason.NOT_FOUND, f"no instance {name}", "check the name in the plan"), Evidence(query)
            )
        fields = _fields(found, now)
        if cluster := found.get("DBClusterIdentifier"):
            query += f"; rds describe-db-clusters --db-cluster-identifier {cluster}"
            fields |= await self._with_cluster(str(cluster), name, fields, now)
        elif not found.get("LatestRestorableTime"):
            fields["restorable_age_s"] = _NOT_RESTORABLE
        values, unknown = sorted_out(fields)
        evidence = Evidence(query, request_id(answer), self._url(), _lines(found))
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    async def _with_cluster(
        self, cluster: str, instance: str, own: Mapping[str, FieldValue], now: datetime
    ) -> dict[str, FieldValue]:
        """What the cluster says of what it decides: where it cannot be seen, nothing of the instance stands in for it."""
        try:
            found, _ = await find_cluster(self.clients, cluster)
        except Unseen as unseen:
            why = unseen.unknown
            decides = Unknown(why.reason, f"the cluster {cluster} decides it: {why.detail}", why.hint)
            decided: dict[str, FieldValue] = dict.fromkeys(OF_THE_CLUSTER, decides)
            theirs: dict[str, bool | Unknown] = dict.fromkeys(
                ("available", "parameters_in_sync", "pending_changes"), decides
            )
        else:
            of_cluster = cluster_fields(found, now)
            decided = {name: of_cluster[name] for name in OF_THE_CLUSTER}
            if decided["restorable_age_s"] is None:
                decided["restorable_age_s"] = _NOT_RESTORABLE
            members = {str(m.get("DBInstanceIdentifier")): m for m in found.get("DBClusterMembers") or ()}
            theirs = {
                "available": _known(of_cluster["available"]),
                "parameters_in_sync": in_sync(members.get(instance, {})),
                "pending_changes": _known(of_cluster["pending_changes"]),
            }
        return decided | {
            "cluster": cluster,
            "available": every(_known(own["available"]), theirs["available"]),
            "parameters_in_sync": every(_known(own["parameters_in_sync"]), theirs["parameters_in_sync"]),
            "pending_changes": True if own["pending_changes"] else theirs["pending_changes"],
        }

    def _url(self) -> str:
        region = self.clients.options.region
        return console(
            region, f"rds/home?region={region}#database:id={plain_name(self.params.instance)};is-cluster=false"
        )


_NOT_RESTORABLE = Unknown(Reason.NO_DATA, "it cannot be restored to any moment", "check that automated backups are on")


def _known(value: FieldValue) -> bool | Unknown:
    if isinstance(value, bool | Unknown):
        return value
    return Unknown(Reason.NO_DATA, "RDS answered without it")


def _fields(found: Mapping[str, Any], now: datetime) -> dict[str, FieldValue]:
    restorable, groups = found.get("LatestRestorableTime"), found.get("DBParameterGroups") or []
    return {
        "status": found.get("DBInstanceStatus"),
        "available": answers_in(found.get("DBInstanceStatus")),
        "cluster": Unknown(Reason.NO_DATA, "it belongs to no cluster"),
        "publicly_accessible": found.get("PubliclyAccessible"),
        "encrypted": found.get("StorageEncrypted"),
        "backup_retention_days": found.get("BackupRetentionPeriod"),
        "restorable_age_s": max((now - restorable).total_seconds(), 0.0) if restorable else None,
        # RDS leaves PendingModifiedValues out, or empty, when nothing waits (API reference of DBInstance).
        "pending_changes": bool(waiting(found)),
        "parameters_in_sync": every(*(_applied(g) for g in groups)) if groups else None,
        "deletion_protection": found.get("DeletionProtection"),
        "multi_az": found.get("MultiAZ"),
        "engine_version": found.get("EngineVersion"),
        "instance_class": found.get("DBInstanceClass"),
        "allocated_bytes": storage(found),
        "host": (found.get("Endpoint") or {}).get("Address"),
    }


def _applied(group: Mapping[str, Any]) -> bool | Unknown:
    status = group.get("ParameterApplyStatus")
    return _known(None if status is None else status == "in-sync")


def _lines(found: Mapping[str, Any]) -> tuple[str, ...]:
    pending = waiting(found)
    groups = [
        f"{g.get('DBParameterGroupName')}: {g.get('ParameterApplyStatus')}"
        for g in found.get("DBParameterGroups") or []
    ]
    return (*(["pending: " + ", ".join(pending)] if pending else []), *groups)
