"""RDS instances: moto keeps them; what it has no notion of (pending changes, parameters out of sync) is settable here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import Any

from moto.rds.exceptions import RDSClientError
from moto.rds.models import rds_backends

from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.routing import Call
from probes.frozen import frozen

_RESTORABLE_LAG = timedelta(minutes=5)
"""RDS ships its transaction logs every five minutes."""
_MEMBERS = {
    "DBInstanceIdentifier": "db_instance_identifier",
    "DBClusterIdentifier": "db_cluster_identifier",
    "DBInstanceClass": "db_instance_class",
    "Engine": "engine",
    "EngineVersion": "engine_version",
    "MasterUsername": "master_username",
    "DBName": "db_name",
    "Endpoint": "endpoint",
    "AllocatedStorage": "allocated_storage",
    "MaxAllocatedStorage": "max_allocated_storage",
    "PreferredBackupWindow": "preferred_backup_window",
    "PreferredMaintenanceWindow": "preferred_maintenance_window",
    "BackupRetentionPeriod": "backup_retention_period",
    "VpcSecurityGroups": "vpc_security_group_membership_list",
    "AvailabilityZone": "availability_zone",
    "MultiAZ": "multi_az",
    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
    "LicenseModel": "license_model",
    "OptionGroupMemberships": "option_group_memberships",
    "PubliclyAccessible": "publicly_accessible",
    "StorageType": "storage_type",
    "StorageEncrypted": "storage_encrypted",
    "KmsKeyId": "kms_key_id",
    "DbiResourceId": "dbi_resource_id",
    "CACertificateIdentifier": "ca_certificate_identifier",
    "CopyTagsToSnapshot": "copy_tags_to_snapshot",
    "DeletionProtection": "deletion_protection",
    "DBInstanceArn": "db_instance_arn",
    "EnabledCloudwatchLogsExports": "enabled_cloudwatch_logs_exports",
}


@frozen
class InstanceHealth:
    """What a scenario set on an instance beside moto's own attributes."""

    status: str = ""
    """Empty: as moto says, which is "available"."""
    pending: Mapping[str, Any] = field(default_factory=dict)
    """PendingModifiedValues."""
    parameters: str = "in-sync"
    """ParameterApplyStatus of its parameter group: "in-sync", "pending-reboot", "applying"."""
    restorable_lag: timedelta = _RESTORABLE_LAG


class Databases:
    """DescribeDBInstances. `set` changes what an instance says of itself, at any time."""

    def __init__(self, now: Callable[[], datetime], account: str, region: str) -> None:
        self._now = now
        self._account = account
        self._region = region
        self._health: dict[str, InstanceHealth] = {}

    def answers(self) -> Mapping[tuple[str, str], Callable[[Call], Mapping[str, Any] | None]]:
        return {
            ("rds", "DescribeDBInstances"): self.describe_db_instances,
            ("rds", "RebootDBInstance"): self.reboot_db_instance,
        }

    def set(self, identifier: str, **changes: Any) -> None:
        """Change fields of an instance's `InstanceHealth`; those not named stay."""
        self._health = self._health | {identifier: replace(self._health_of(identifier), **changes)}

    def describe_db_instances(self, call: Call) -> Mapping[str, Any] | None:
        asked = call.params
        if asked.get("Filters"):
            return None
        try:
            found = rds_backends[self._account][self._region].describe_db_instances(asked.get("DBInstanceIdentifier"))
        except RDSClientError as error:
            message = f"DBInstance {asked.get('DBInstanceIdentifier')} not found."
            raise AwsError("DBInstanceNotFound", message, 404) from error
        return {"DBInstances": [self._described(instance) for instance in found]}

    def reboot_db_instance(self, call: Call) -> None:
        """What waits for a reboot is applied; moto does the rest."""
        identifier = call.params["DBInstanceIdentifier"]
        if identifier in self._health:
            self.set(identifier, pending={}, parameters="in-sync")

    def _health_of(self, identifier: str) -> InstanceHealth:
        return self._health.get(identifier, InstanceHealth())

    def _described(self, instance: Any) -> dict[str, Any]:
        condition = self._health_of(instance.db_instance_identifier)
        fields = {name: getattr(instance, attribute, None) for name, attribute in _MEMBERS.items()}
        fields["DBInstanceStatus"] = condition.status or instance.status
        fields["PendingModifiedValues"] = dict(condition.pending)
        fields["DBParameterGroups"] = [
            {"DBParameterGroupName": group.name, "ParameterApplyStatus": condition.parameters}
            for group in instance.db_parameter_groups()
        ]
        fields["DBSubnetGroup"] = _subnet_group(getattr(instance, "db_subnet_group", None))
        fields["InstanceCreateTime"] = instance.instance_create_time
        if instance.backup_retention_period:
            fields["LatestRestorableTime"] = (self._now() - condition.restorable_lag).replace(microsecond=0)
        return fields


def _subnet_group(group: Any) -> dict[str, Any] | None:
    if group is None:
        return None
    return {
        "DBSubnetGroupName": group.name,
        "DBSubnetGroupDescription": group.description,
        "SubnetGroupStatus": "Complete",
        "VpcId": group.vpc_id,
        "Subnets": group.subnets,
    }
