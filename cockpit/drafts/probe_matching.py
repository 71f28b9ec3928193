"""Which probe sees what a line asks for, judged by its words."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A probe that would see it. `needs` are the names its parameters take; it is real only if all of them are known."""

    pattern: str
    probe: str
    expect: str
    needs: tuple[str, ...] = ()
    note: str = ""
    enough: bool = True
    """Whether the probe sees all of it; else a person signs as well."""


PROBES: dict[str, str] = {
    "documents": '{uses: s3.bucket, with: {bucket: "${bucket}"}, interval: 5m}',
    "database": '{uses: rds.instance, with: {instance: "${database}"}, interval: 60s}',
    "service": '{uses: ecs.service, with: {cluster: "${cluster}", service: "${service}"}, interval: 15s}',
    "site": '{uses: http.health, with: {url: "${url}"}, interval: 15s}',
    "oauth": '{uses: http.health, with: {url: "${url}/api/auth/providers"}, interval: 30s}',
    "secrets": "{uses: secrets.metadata, with: {names: [%s]}, interval: 5m}",
    "alarms": "{uses: cloudwatch.alarms, with: {names: [name-of-an-alarm]}, interval: 60s}",
    "pool": '{uses: postgres.pool, with: {dsn: "$${env:DATABASE_URL}"}, interval: 15s}',
    "logs": '{uses: logs.query, with: {log_group: /ecs/name, query: filter level = "error"}, interval: 60s}',
    "migrations": (
        '{uses: postgres.query, with: {dsn: "$${env:DATABASE_URL}", query: '
        '"SELECT count(*) AS value FROM _prisma_migrations WHERE finished_at IS NULL AND rolled_back_at IS NULL"}}'
    ),
}

SUGGESTIONS: tuple[Suggestion, ...] = (
    Suggestion(r"lifecycle", "documents", "documents.archive_class in ['STANDARD_IA', 'GLACIER_IR']", ("bucket",)),
    Suggestion(r"bucket.*version|version.*bucket", "documents", "documents.versioned", ("bucket",)),
    Suggestion(r"bucket.*encrypt|encrypt.*bucket", "documents", "documents.encrypted", ("bucket",)),
    Suggestion(r"public access", "documents", "documents.public_access_blocked", ("bucket",)),
    Suggestion(r"retention", "", "", note="no probe sees the retention of a log group: look, and sign"),
    Suggestion(r"backup|snapshot", "database", "database.backup_retention_days >= 1", ("database",)),
    Suggestion(r"connection pool|pooling", "pool", "pool.utilization < 0.8", ("dsn",)),
    Suggestion(
        r"migrations? (?:applied|run|deployed)|prisma migration", "migrations", "migrations.value == 0.0", ("dsn",)
    ),
    Suggestion(r"\brds\b|database instance", "database", "database.available", ("database",)),
    Suggestion(r"certificate|\bssl\b|\btls\b", "site", "site.ok", ("url",)),
    Suggestion(r"alarms?\b", "alarms", "alarms.actions_enabled && alarms.with_actions", ("alarms",)),
    Suggestion(r"secrets? (?:manager )?(?:secrets )?created", "secrets", "secrets.all_present", ("secrets",)),
    Suggestion(r"log groups?", "logs", "logs.scanned > 0", ("log group",)),
    Suggestion(
        r"tasks? (?:are |is )?(?:running|healthy)|ecs service", "service", "service.stable", ("cluster", "service")
    ),
    Suggestion(r"oauth|callback", "oauth", "oauth.ok", ("url",), enough=False),
    Suggestion(r"health (?:check|endpoint)|smoke", "site", "site.ok", ("url",), enough=False),
)


def suggestion(title: str) -> Suggestion | None:
    """The first that recognises the words.

    >>> found = suggestion("S3 bucket created with versioning enabled")
    >>> found and found.expect
    'documents.versioned'
    """
    return next((one for one in SUGGESTIONS if re.search(one.pattern, title, re.IGNORECASE)), None)
