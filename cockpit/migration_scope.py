"""What a migration moves and what it may use. The plan names it, the run's row keeps it, and a worker reads it there.

It stands below the plan and the migration, so that a worker loads no plan to learn the name of a table.
"""

from __future__ import annotations

from probes.frozen import frozen

MIB = 1024 * 1024


@frozen
class MigrationTable:
    """One table whose files move, and what its columns are called."""

    name: str
    schema: str = "public"
    id: str = "id"
    data: str = "fileData"
    filename: str = "filename"
    file_type: str = "fileType"
    size: str = "fileSize"
    key: str = "s3Key"
    bucket: str = "s3Bucket"
    region: str = "s3Region"


@frozen
class Limits:
    """What the migration may take of the world. 0 means no limit of its own."""

    workers: int = 2
    connections: int = 4
    """Database connections of one worker."""
    memory_bytes: int = 256 * MIB
    """Bytes of files one worker holds at a time, with what handling them takes."""
    concurrency: int = 400
    """Uploads in flight of one worker, at most."""
    bytes_per_s: int = 0
    files_per_s: int = 3_000
    """Of all workers together; S3 takes 3,500 writes a second for one prefix."""


@frozen
class Storage:
    """How objects are put into the bucket; both clients honour it."""

    encryption: str = "AES256"
    """As S3 calls it: AES256, aws:kms, or empty for the bucket's default."""
    kms_key: str = ""
    """Id or ARN of the KMS key; empty for the account's own for S3."""
    bucket_key: bool = False
    """One data key of the bucket for many objects: KMS is asked, and paid, less often."""
    requester_pays: bool = False


@frozen
class EcsTask:
    """How workers run as ECS tasks: RunTask with these, and the image the task definition names."""

    cluster: str
    task_definition: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...] = ()
    container: str = ""
    """The container whose command is replaced; the task's only one by default."""
    count: int = 2
    public_ip: bool = False
    spot: bool = False
    """On Fargate Spot: a task that is reclaimed drains, and another takes its place."""
