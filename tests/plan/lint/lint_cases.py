"""For each rule the smallest plan that has it, and one that does not: what is added to HEAD."""

from __future__ import annotations

HEAD = """\
plan: v1
name: p
probes:
  errors:
    uses: cloudwatch.ratio
    with: {load_balancer: app/x/01, part: [HTTPCode_Target_5XX_Count], total: RequestCount, min_total: 20}
  pool: {uses: postgres.pool, with: {dsn: "postgresql://u:hidden@h/d"}}
  service: {uses: ecs.service, with: {cluster: c, service: s}, interval: 15s}
  llm: {uses: logs.query, with: {log_group: g, query: "stats pct(ms, 95) as value", kind: number, min_matched: 20}}
people:
  - {id: ann, name: Ann, roles: [on_call, db_owner]}
  - {id: bob, name: Bob, roles: [backup]}
"""


def trigger(condition: str, more: str = "for: 5m, runbook: r") -> str:
    return f'rollback_triggers: [{{id: t, title: T, failure_condition: "{condition}", {more}}}]\n'


def success(condition: str, more: str = "for: 5m") -> str:
    return f'success_criteria: [{{id: s, title: S, success_condition: "{condition}", {more}}}]\n'


def item(title: str, more: str) -> str:
    return f"checklist: [{{section: S, items: [{{id: i, title: '{title}', {more}}}]}}]\n"


def step(command: str, more: str = "", key: str = "runbook", id_: str = "one") -> str:
    return f"{key}:\n  - id: {id_}\n    title: A step\n    command: |-\n      {command}\n{more}"


def sign(ask: str, role: str = "on_call") -> str:
    return f'sign_off: {{ask: "{ask}", roles: [{role}]}}'


BACK = "rollback_plan: [{id: back, title: Go back to the revision written down, action: ecs.rollback}]\n"
ASK = f"    {sign('What did you see?')}\n"
GATE = (
    "gates: [{id: g, before: deploy, poll: {roles: [on_call, db_owner, backup], required: 2, distinct_people: %s}}]\n"
)
BUCKET = "  documents: {uses: s3.bucket, with: {bucket: b}}\n"
UPLOADS = "  uploads: {uses: s3.uploads, with: {log_group: g}}\n"
FILES = "tsx scripts/migrate-files-to-s3.ts"

DEPLOYED = HEAD.replace(
    "  service:",
    """\
  deployment: {uses: ecs.deployment, with: {cluster: c, service: s, after: phase}}
  old: {uses: ecs.deployment, with: {cluster: c, service: s}}
  service:""",
)
HEADS = {"success-of-the-release-before": DEPLOYED, "primary-fools": DEPLOYED}
"""Of rules whose plans need another head."""


def night(runbook: str, *, to: str = "2026-06-07T04:00", back: str = "expected: 30m", more: str = "") -> str:
    """A plan with a change window of six hours, a runbook and a step back."""
    return (
        f'window: {{from: "2026-06-06T22:00", to: "{to}", time_zone: America/New_York}}\nrunbook:\n{runbook}'
        + (f"rollback_plan: [{{id: back, title: Go back, {back}}}]\n" if back else "")
        + more
    )


DEPLOY = "  - {id: deploy, title: Deploy, expected: %s}\n"
VOTED = "gates: [{id: g, before: deploy, poll: {roles: [on_call], required: 1, valid_for: %s}}]\n"
WAITING = "  - {id: build, title: Build, expected: 1h}\n  - {id: deploy, title: Deploy, expected: 1h, gate: g}\n"
CLOCKS = 'window: {from: "2026-%sT22:00", to: "2026-%sT06:00", time_zone: America/New_York}\n'

CASES: dict[str, tuple[str, str]] = {
    "never-trips": (trigger("errors.rate > 5.0"), trigger("errors.rate > 0.05")),
    "never-met": (success("pool.utilization < 0.0"), success("pool.utilization < 0.8")),
    "always-true": (success("service.pending >= 0"), success("service.pending == 0")),
    "placeholder-host": (
        "vars: {url: 'https://fill-in.invalid/api/health'}\n",
        "vars: {url: 'https://app.example.com/api/health'}\n",
    ),
    "for-too-short": (
        trigger("errors.rate > 0.05", "for: 1m, runbook: r"),
        trigger("errors.rate > 0.05", "for: 2m, runbook: r"),
    ),
    "probe-slower-than-window": (
        success("service.pending == 0", "for: 10s"),
        success("service.pending == 0", "for: 1m"),
    ),
    "gap-too-small": (
        trigger("errors.rate > 0.05", "for: 5m, gap_tolerance: 30s, runbook: r"),
        trigger("errors.rate > 0.05", "for: 5m, gap_tolerance: 2m, runbook: r"),
    ),
    "never-fresh": (
        trigger("errors.rate > 0.05", "for: 5m, stale_after: 3m, runbook: r"),
        trigger("errors.rate > 0.05", "for: 5m, stale_after: 4m, runbook: r"),
    ),
    "few-samples": (trigger("errors.rate > 0.01"), trigger("errors.rate > 0.05")),
    "bands-overlap": (
        success("pool.utilization < 0.95") + trigger("pool.utilization > 0.9"),
        success("pool.utilization < 0.9") + trigger("pool.utilization >= 0.9"),
    ),
    "bands-gap": (
        success("errors.part == 0.0") + trigger("errors.rate > 0.05"),
        success("errors.part == 0.0") + trigger("errors.rate > 0.05", "for: 5m, runbook: r, caution: below is a HOLD"),
    ),
    "upside-down": (trigger("errors.rate < 0.05"), trigger("errors.rate > 0.05")),
    "contact-in-brackets": ('contacts: {pagerduty: "[Link]"}\n', "contacts: {pagerduty: https://p.example}\n"),
    "role-nobody-holds": (
        "  - {id: eve, name: '[Name]', roles: [dba]}\n" + item("X", sign("Seen?", "dba")),
        "  - {id: eve, name: Eve, roles: [dba]}\n" + item("X", sign("Seen?", "dba")),
    ),
    "one-person-quorum": (GATE % "false", GATE % "true"),
    "production-without-keys": ("environment: production\n" + GATE % "true", GATE % "true"),
    "no-way-back": (trigger("pool.exhausted", "for: 1m"), trigger("pool.exhausted", "for: 1m") + BACK),
    "mutable-tag": (step("docker push repo:latest"), step("docker push repo:1f3a9c")),
    "rollback-to-same-image": (
        step("aws ecs update-service --service s --force-new-deployment") + BACK,
        step("aws ecs update-service --service s --force-new-deployment --task-definition web:42") + BACK,
    ),
    "success-of-the-release-before": (
        success("service.stable"),
        success("deployment.succeeded && service.stable"),
    ),
    "primary-fools": (
        trigger("service.failed_tasks >= 3"),
        trigger("service.failed_tasks >= 3 || deployment.failed"),
    ),
    "prisma-resolve": (
        step("npx prisma migrate resolve --rolled-back x", key="rollback_plan"),
        step("psql -f down.sql", key="rollback_plan"),
    ),
    "restore-moves-endpoint": (
        "rollback_plan: [{id: b, title: Restore the database from its snapshot}]\n",
        "rollback_plan: [{id: b, title: Restore the database from its snapshot, expect: the new endpoint is in use}]\n",
    ),
    "vendor-rollback": (
        "rollback_triggers: [{id: t, title: Anthropic outage, failure_condition: llm.value > 9.0}]\n",
        "rollback_triggers: [{id: t, title: Anthropic outage, failure_condition: llm.value > 9.0, severity: major}]\n",
    ),
    "point-of-no-return": (
        step(FILES, ASK) + BACK,
        step(FILES, "    expect: the bytes stay in the database\n" + ASK) + BACK,
    ),
    "unattended-irreversible": (step("aws s3 rm --recursive s3://b"), step("aws s3 rm --recursive s3://b", ASK)),
    "exit-code-trusted": (step("tsx scripts/seed.ts"), step("tsx scripts/seed.ts", "    expect: 12 rows\n")),
    "s3-permission-unseen": (
        item("IAM roles for S3 uploads created", sign("Done?")),
        item("IAM roles for S3 uploads created", sign("Which S3 actions does the task role allow?")),
    ),
    "static-keys": (step("export AWS_ACCESS_KEY_ID=$KEY"), step("unset AWS_ACCESS_KEY_ID")),
    "uploads-unwatched": (
        "success_criteria: [{id: s, title: Uploads work, success_condition: errors.part == 0.0}]\n",
        "success_criteria: [{id: s, title: Pages work, success_condition: errors.part == 0.0}]\n",
    ),
    "cold-archive": (
        item("Lifecycle archives after 90 days", sign("Is it set?")),
        item("Lifecycle archives after 90 days", sign("Which storage class do objects move to?")),
    ),
    "pool-budget": (
        "vars: {connection_limit: 100}\n" + success("service.running == 2"),
        "vars: {connection_limit: 20}\n" + success("service.running == 2"),
    ),
    "key-rotation": (
        item("ENCRYPTION_KEY rotated", sign("Done?")),
        item("ENCRYPTION_KEY rotated", sign("Which existing row did you decrypt?")),
    ),
    "wildcard-callback": (
        item("Callbacks listed", sign("Does https://*.company.com/api/auth/callback work?")),
        item("Callbacks listed", sign("Which callback does the console list?")),
    ),
    "secrets-unproven": (
        item("Secrets Manager integration tested", sign("What did you read?")),
        item("Every secret is there", sign("Which ones did you count?")),
    ),
    "built-in-values": (
        "environment_variables:\n  - {name: NEXT_PUBLIC_APP_URL, value: https://x.example}\n",
        step("docker build --build-arg NEXT_PUBLIC_APP_URL=https://x.example .")
        + "environment_variables:\n  - {name: NEXT_PUBLIC_APP_URL, value: https://x.example}\n",
    ),
    "window-too-short": (night(DEPLOY % "6h"), night(DEPLOY % "5h")),
    "step-without-expected": (
        night("  - {id: a, title: A}\n" + DEPLOY % "1h"),
        night("  - {id: a, title: A, expected: 5m}\n" + DEPLOY % "1h"),
    ),
    "rollback-never-rehearsed": (night(DEPLOY % "1h"), night(DEPLOY % "1h", back="")),
    "window-over-clock-change": (CLOCKS % ("10-31", "11-01"), CLOCKS % ("11-01", "11-02")),
    "votes-expire-too-soon": (night(WAITING, more=VOTED % "30m"), night(WAITING, more=VOTED % "1h")),
}
