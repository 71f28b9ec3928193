"""The database and the bucket of the healthy account."""

from __future__ import annotations

from datetime import timedelta

from moto.rds.models import rds_backends

from cockpit.rehearsal.aws.furnish_network import Network
from cockpit.rehearsal.aws.furnish_tools import BUCKET, DATABASE, NAME, REQUEST_METRICS, Tools

_SNAPSHOT_AGE = timedelta(hours=6)
_CREATED = timedelta(days=60)


def furnish_database(tools: Tools, network: Network) -> None:
    """A private, encrypted instance with backups for a week, and an automated snapshot of this morning."""
    rds = tools.client("rds")
    rds.create_db_subnet_group(
        DBSubnetGroupName=NAME, DBSubnetGroupDescription=f"{NAME} private subnets", SubnetIds=list(network.subnets)
    )
    rds.create_db_instance(
        DBInstanceIdentifier=DATABASE,
        DBInstanceClass="db.t4g.medium",
        Engine="postgres",
        EngineVersion="16.4",
        AllocatedStorage=100,
        MaxAllocatedStorage=500,
        StorageType="gp3",
        MasterUsername="postgres",
        MasterUserPassword="rehearsed-master",
        DBName="transparent_trust",
        DBSubnetGroupName=NAME,
        VpcSecurityGroupIds=[network.database_group],
        BackupRetentionPeriod=7,
        StorageEncrypted=True,
        PubliclyAccessible=False,
        MultiAZ=True,
        DeletionProtection=True,
        CopyTagsToSnapshot=True,
    )
    _age(tools)


def _age(tools: Tools) -> None:
    """Months old, with its latest automated snapshot of some hours ago: neither can be said through the API."""
    backend = rds_backends[tools.account][tools.region]
    instance = backend.databases[DATABASE]
    instance.created = instance.instance_create_time = (tools.now - _CREATED).replace(tzinfo=None)
    backend.database_snapshots.clear()
    taken = tools.now - _SNAPSHOT_AGE
    snapshot = backend.create_db_snapshot(DATABASE, f"rds:{DATABASE}-{taken:%Y-%m-%d-%H-%M}", snapshot_type="automated")
    snapshot.created = snapshot.original_snapshot_create_time = taken.replace(tzinfo=None)


def furnish_bucket(tools: Tools) -> None:
    """Versioned, encrypted, closed to the public, with an archive rule that keeps objects readable."""
    s3 = tools.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    encrypted = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [encrypted]})
    archive = {
        "ID": "archive-after-90-days",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Transitions": [{"Days": 90, "StorageClass": "STANDARD_IA"}],
    }
    sweep = {
        "ID": "abort-incomplete-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [archive, sweep]})
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))
    s3.put_bucket_metrics_configuration(Bucket=BUCKET, Id=REQUEST_METRICS, MetricsConfiguration={"Id": REQUEST_METRICS})
