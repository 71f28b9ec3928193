"""The file migration in a plan file: its tables, what pauses it, what it may take of the world."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cockpit.migration_scope import MIB, Limits, MigrationTable
from cockpit.plan.document.field_types import (
    ConditionText,
    Credential,
    Hours,
    Id,
    Note,
    Part,
    Period,
    Prefix,
    Region,
    Span,
    Text,
)

_TABLE = MigrationTable("")
_LIMITS = Limits()


class MigrationTablePart(Part):
    """One table whose files move. Column names default to those of the readiness report."""

    name: Text = Field(description="The table, as the database spells it")
    schema_: Note = Field(_TABLE.schema, alias="schema", description="Its schema")
    id: Text = Field(_TABLE.id, description="Primary key column")
    data: Text = Field(_TABLE.data, description="The bytea column the files are in")
    filename: Text = Field(_TABLE.filename, description="Column with the file's name")
    file_type: Text = Field(_TABLE.file_type, description="Column with the file's type, such as pdf")
    size: Text = Field(_TABLE.size, description="Column with the file's size in bytes")
    key: Text = Field(_TABLE.key, description="Column that takes the object's key")
    bucket: Text = Field(_TABLE.bucket, description="Column that takes the bucket's name")
    region: Text = Field(_TABLE.region, description="Column that takes the bucket's region")


class GuardPart(Part):
    """What pauses copying: while it is true, or cannot be seen."""

    id: Id = Field(description="Unique among items, criteria, gates, steps and guards")
    title: Text = Field(description="What is guarded, as people say it")
    pause_if: ConditionText = Field(description="CEL over probe.field: copying pauses while it is true or unknown")
    resume_after: Period | None = Field(
        None, description="How long it must be clear before copying goes on; default 60s"
    )


class LimitsPart(Part):
    """What the migration may take of the world."""

    workers: int = Field(_LIMITS.workers, ge=1, le=32, description="Worker processes on this machine")
    connections: int = Field(_LIMITS.connections, ge=2, le=16, description="Database connections of one worker")
    memory_mib: int = Field(
        _LIMITS.memory_bytes // MIB, ge=64, le=16_384, description="Memory for files in one worker, in MiB"
    )
    concurrency: int = Field(
        _LIMITS.concurrency, ge=1, le=2_000, description="Uploads in flight of one worker, at most"
    )
    mib_per_s: float = Field(
        _LIMITS.bytes_per_s // MIB, ge=0, le=100_000, description="MiB a second of all workers; 0: no limit"
    )
    files_per_s: int = Field(
        _LIMITS.files_per_s, ge=0, le=100_000, description="Files a second of all workers; 0: no limit"
    )


class EcsTaskPart(Part):
    """How workers run as ECS tasks (`cockpit migrate run-on-ecs`)."""

    cluster: Text = Field(description="Cluster the tasks run in")
    task_definition: Text = Field(description="Family, family:revision or ARN of a task definition with this image")
    subnets: list[Text] = Field(min_length=1, max_length=16, description="Subnets of the tasks")
    security_groups: list[Text] = Field(default_factory=list, max_length=5, description="Their security groups")
    container: Note = Field("", description="Container whose command is replaced; default the only one")
    count: int = Field(2, ge=1, le=64, description="How many tasks")
    public_ip: bool = Field(False, description="Whether the tasks get a public address")
    spot: bool = Field(
        False, description="Whether they run on Fargate Spot: cheaper, and reclaimed at two minutes' notice"
    )


class StoragePart(Part):
    """How files are put into the bucket. `cockpit migrate prepare` puts, reads and removes one object in the same way."""

    encryption: Literal["sse-s3", "sse-kms", "bucket"] = Field(
        "sse-s3", description="With S3's own key, a KMS key, or as the bucket is set to"
    )
    kms_key: Note = Field("", description="Id or ARN of the KMS key; default the account's own for S3")
    bucket_key: bool = Field(
        False, description="Whether one data key of the bucket serves many files: KMS is paid less"
    )
    requester_pays: bool = Field(False, description="Whether the bucket makes whoever asks pay for it")

    @model_validator(mode="after")
    def _keys_are_of_kms(self) -> Self:
        if self.encryption != "sse-kms" and (self.kms_key or self.bucket_key):
            raise ValueError("kms_key and bucket_key need encryption: sse-kms")
        return self


class MigrationPart(Part):
    """The document files that move from PostgreSQL to S3."""

    database: Credential = Field(description="Connection string of a role that may write the tables: ${env:NAME:-}")
    bucket: Text = Field(description="The bucket that takes the files")
    region: Region = Field("", description="Its region; default the target's")
    prefix: Prefix = Field("documents/", description="What every key begins with; ends in /")
    tables: list[MigrationTablePart] = Field(min_length=1, max_length=50, description="The tables whose files move")
    guards: list[GuardPart] = Field(default_factory=list, max_length=50, description="What pauses copying")
    limits: LimitsPart = Field(default_factory=LimitsPart, description="What it may take of the world")
    soak: Span | None = Field(None, description="How long files live in S3 before a purge; default 24h")
    verify_share: float = Field(1.0, ge=0, le=1, description="Share of small files read back whole; default all")
    window: Hours | None = Field(None, description="Off-hours in which it may run: 22:00-05:00")
    timezone: Note = Field("UTC", description="Time zone of the window, such as Europe/Berlin")
    ecs: EcsTaskPart | None = Field(None, description="Workers as ECS tasks")
    storage: StoragePart = Field(default_factory=StoragePart, description="Encryption, and who pays")
