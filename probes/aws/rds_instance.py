"""RDS: the database instance as AWS describes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from probes.clients.arns import arn, console
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen

GIB = 1024**3


class InstanceParams(Params):
    instance: str


class RdsInstance(Probe[InstanceParams]):
    """An RDS instance: status, backups, encryption, exposure, and changes that wait for a reboot.

    Reads rds DescribeDBInstances: DBInstanceStatus, PubliclyAccessible, StorageEncrypted, BackupRetentionPeriod,
    LatestRestorableTime, PendingModifiedValues, DBParameterGroups[].ParameterApplyStatus, DeletionProtection, MultiAZ,
    Endpoint.Address. Cannot see inside the database: an instance is `available` while its connections are exhausted.
    """

    name = "rds.instance"
    params_type = InstanceParams
    demands = AWS_ALONE
    fields = (
        Field("status", str, "available, modifying, backing-up, ...", "available"),
        Field("available", bool, "the status is available", example=True),
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
    iam = ("rds:DescribeDBInstances",)
    interval = timedelta(seconds=60)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        return {self.iam[0]: (arn(self.clients.options, "rds", f"db:{self.params.instance}"),)}

    async def read(self, now: datetime) -> Reading:
        name = self.params.instance
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
        evidence = Evidence(
            query, str(answer.get("ResponseMetadata", {}).get("RequestId", "")), self._url(), _lines(found)
        )
        unknown = {}
        if not found.get("LatestRestorableTime"):
            why = Unknown(Reason.NO_DATA, "it cannot be restored to any moment", "check that automated backups are on")
            unknown["restorable_age_s"] = why
        return self.reading(now, _values(found, now), unknown=unknown, evidence=evidence)

    def _url(self) -> str:
        region = self.clients.options.region
        return console(region, f"rds/home?region={region}#database:id={self.params.instance};is-cluster=false")


def _values(found: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    status, restorable = found.get("DBInstanceStatus"), found.get("LatestRestorableTime")
    groups, pending = found.get("DBParameterGroups") or [], found.get("PendingModifiedValues") or {}
    return {
        "status": status,
        "available": None if status is None else status == "available",
        "publicly_accessible": found.get("PubliclyAccessible"),
        "encrypted": found.get("StorageEncrypted"),
        "backup_retention_days": found.get("BackupRetentionPeriod"),
        "restorable_age_s": max((now - restorable).total_seconds(), 0.0) if restorable else None,
        # RDS leaves PendingModifiedValues out, or empty, when nothing waits (API reference of DBInstance).
        "pending_changes": any(v not in (None, {}, []) for v in pending.values()),
        "parameters_in_sync": all(g.get("ParameterApplyStatus") == "in-sync" for g in groups) if groups else None,
        "deletion_protection": found.get("DeletionProtection"),
        "multi_az": found.get("MultiAZ"),
        "engine_version": found.get("EngineVersion"),
        "instance_class": found.get("DBInstanceClass"),
        "allocated_bytes": found["AllocatedStorage"] * GIB if "AllocatedStorage" in found else None,
        "host": (found.get("Endpoint") or {}).get("Address"),
    }


def _lines(found: Mapping[str, Any]) -> tuple[str, ...]:
    """What waits, by name only: pending values can hold a password."""
    pending = sorted(
        key for key, value in (found.get("PendingModifiedValues") or {}).items() if value not in (None, {}, [])
    )
    groups = [
        f"{g.get('DBParameterGroupName')}: {g.get('ParameterApplyStatus')}"
        for g in found.get("DBParameterGroups") or []
    ]
    return (*(["pending: " + ", ".join(pending)] if pending else []), *groups)
