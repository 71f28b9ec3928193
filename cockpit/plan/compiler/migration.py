"""The migration section of a plan: tables, limits, and the guards that pause it."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from cockpit.migration_scope import MIB, EcsTask, Limits, MigrationTable, Storage
from cockpit.plan.compiler.probe_specs import Watched
from cockpit.plan.document.document import HeaderPart
from cockpit.plan.document.migration_part import (
    EcsTaskPart,
    GuardPart,
    LimitsPart,
    MigrationPart,
    MigrationTablePart,
    StoragePart,
)
from cockpit.plan.model import SOAK, Criterion, Kind, Migration
from cockpit.plan.source.yaml_tree import Path_, Tree

RESUME_AFTER = timedelta(seconds=60)
_AT: Path_ = ("migration",)
_ENCRYPTION = {"sse-s3": "AES256", "sse-kms": "aws:kms", "bucket": ""}


class Moving:
    """Builds the migration; what cannot be used is reported to the tree."""

    def __init__(self, tree: Tree, watched: Watched) -> None:
        self.tree = tree
        self.watched = watched

    def migration(self, header: HeaderPart | None) -> Migration | None:
        part = header.migration if header else None
        if header is None or part is None:
            return None
        self._tables(part)
        self._timezone(part)
        begins, _, ends = (part.window or "").partition("-")
        return Migration(
            database=part.database,
            bucket=part.bucket,
            region=part.region or header.target.region,
            tables=tuple(_table(table) for table in part.tables),
            prefix=part.prefix,
            guards=tuple(self._guard((*_AT, "guards", n), guard) for n, guard in enumerate(part.guards)),
            limits=_limits(part.limits),
            soak=SOAK if part.soak is None else part.soak,
            verify_share=part.verify_share,
            window=(begins, ends),
            timezone=part.timezone,
            ecs=_ecs(part.ecs) if part.ecs else None,
            storage=_storage(part.storage),
        )

    def _guard(self, path: Path_, part: GuardPart) -> Criterion:
        condition = self.watched.condition((*path, "pause_if"), part.pause_if)
        return Criterion(
            id=part.id,
            title=part.title,
            kind=Kind.TRIGGER,
            condition=condition,
            position=self.tree.place(path).position,
            clear_for=RESUME_AFTER if part.resume_after is None else part.resume_after,
        )

    def _tables(self, part: MigrationPart) -> None:
        seen: set[tuple[str, str]] = set()
        for number, table in enumerate(part.tables):
            if (table.schema_, table.name) in seen:
                self.tree.report((*_AT, "tables", number, "name"), f"the table '{table.name}' is named twice")
            seen.add((table.schema_, table.name))

    def _timezone(self, part: MigrationPart) -> None:
        try:
            ZoneInfo(part.timezone)
        except (KeyError, ValueError, OSError):
            self.tree.report((*_AT, "timezone"), f"'{part.timezone}' is no time zone; write one such as Europe/Berlin")


def _table(part: MigrationTablePart) -> MigrationTable:
    names = part.model_dump()
    return MigrationTable(schema=names.pop("schema_"), **names)


def _limits(part: LimitsPart) -> Limits:
    return Limits(
        workers=part.workers,
        connections=part.connections,
        memory_bytes=part.memory_mib * MIB,
        concurrency=part.concurrency,
        bytes_per_s=round(part.mib_per_s * MIB),
        files_per_s=part.files_per_s,
    )


def _storage(part: StoragePart) -> Storage:
    return Storage(
        encryption=_ENCRYPTION[part.encryption],
        kms_key=part.kms_key,
        bucket_key=part.bucket_key,
        requester_pays=part.requester_pays,
    )


def _ecs(part: EcsTaskPart) -> EcsTask:
    return EcsTask(
        cluster=part.cluster,
        task_definition=part.task_definition,
        subnets=tuple(part.subnets),
        security_groups=tuple(part.security_groups),
        container=part.container,
        count=part.count,
        public_ip=part.public_ip,
        spot=part.spot,
    )
