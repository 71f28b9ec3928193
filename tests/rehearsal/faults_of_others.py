"""Single faults beside the account: alarms, logs and graphs, the database's content, vendors, sign-in, the operator's machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from rehearsal.fault_world import AGO, DATABASE, NAME, World, catalogued, changed, entered, fault

from cockpit.rehearsal.application.app_secrets import ANTHROPIC_KEY
from cockpit.rehearsal.application.log import GROUP
from cockpit.rehearsal.aws.services.call_faults import AwsFault
from cockpit.rehearsal.database.seed import DEFAULT_PROMPTS

LAST = "20241228101500_add_s3_storage_fields"

# -- logs, alarms, graphs --------------------------------------------------------------------------------------------


def kept_for(world: World, days: int | None) -> Iterator[None]:
    logs = world.client("logs")
    if days is None:
        logs.delete_retention_policy(logGroupName=GROUP)
    else:
        logs.put_retention_policy(logGroupName=GROUP, retentionInDays=days)
    yield
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=30)


@fault("The log group keeps events forever", "security.log_retention")
def _(world: World) -> Iterator[None]:
    yield from kept_for(world, None)


@fault("Nothing counts failed uploads in the log", "monitoring.upload_alarm")
def _(world: World) -> Iterator[None]:
    logs = world.client("logs")
    (held,) = logs.describe_metric_filters(logGroupName=GROUP)["metricFilters"]
    logs.delete_metric_filter(logGroupName=GROUP, filterName=held["filterName"])
    yield
    logs.put_metric_filter(
        logGroupName=GROUP,
        filterName=held["filterName"],
        filterPattern=held["filterPattern"],
        metricTransformations=held["metricTransformations"],
    )


@fault("Nobody has confirmed a subscription to the alarms' topic", "infra.alarms")
def _(world: World) -> Iterator[None]:
    sns = world.client("sns")
    (held,) = sns.list_subscriptions()["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=held["SubscriptionArn"])
    yield
    told = {"TopicArn": held["TopicArn"], "Protocol": held["Protocol"], "Endpoint": held["Endpoint"]}
    sns.subscribe(**told, ReturnSubscriptionArn=True)


entered(
    "The response time alarm looks at a load balancer that is gone",
    lambda world: world.alarm(
        "response-time", Dimensions=[{"Name": "LoadBalancer", "Value": "app/old/0123456789abcdef"}]
    ),
    *("infra.alarms", "monitoring.response_alarm"),
)
entered(
    "The error rate alarm's threshold is 50 %",
    lambda world: world.alarm("error-rate", Threshold=50.0),
    "monitoring.error_alarm",
)
entered(
    "The connection alarm's threshold is 500",
    lambda world: world.alarm("db-connections", Threshold=500.0),
    "monitoring.connection_alarm",
)
entered(
    "The alarms' actions are switched off",
    lambda world: world.alarm("error-rate", ActionsEnabled=False),
    "infra.alarms",
)


@fault("The upload alarm does not exist", "infra.alarms", "monitoring.upload_alarm")
def _(world: World) -> Iterator[None]:
    alarms = world.aws.alarms._alarms
    held = alarms[f"{NAME}-s3-upload-failures"]
    world.client("cloudwatch").delete_alarms(AlarmNames=[held.name])
    yield
    alarms[held.name] = held


@fault("The dashboard shows the resources of long ago", "monitoring.dashboard")
def _(world: World) -> Iterator[None]:
    watch = world.client("cloudwatch")
    held = watch.get_dashboard(DashboardName=f"{NAME}-prod")["DashboardBody"]
    watch.put_dashboard(DashboardName=f"{NAME}-prod", DashboardBody=held.replace(DATABASE, "old-database"))
    yield
    watch.put_dashboard(DashboardName=f"{NAME}-prod", DashboardBody=held)


# -- what the application wrote --------------------------------------------------------------------------------------


def error(message: str, **more: object) -> dict[str, object]:
    return {"level": "error", "message": message, **more}


entered(
    "A secret was taken from the environment",
    lambda world: world.logged(
        {"level": "warn", "message": f"Using environment variable fallback for {ANTHROPIC_KEY}"}
    ),
    "app.secrets",
    past=True,
)
entered(
    "The application's own connection pool ran dry (P2024)",
    lambda world: world.logged(error("Timed out fetching a new connection from the connection pool", code="P2024")),
    "logs.clean",
    past=True,
)
entered(
    "Five calls of the LLM failed",
    lambda world: world.logged(*[error("LLM call failed", status=529)] * 5),
    "llm.failing",
    past=True,
)
entered(
    "The LLM takes 40 seconds",
    lambda world: world.logged(*[{"level": "info", "message": "LLM call completed", "durationMs": 40_000}] * 20),
    "llm.fast",
    past=True,
)
entered(
    "A sign-in failed at the callback",
    lambda world: world.logged(error("OAuthCallback error", error="invalid_client")),
    *("oauth.works", "logs.clean"),
    past=True,
)


@fault(
    "Uploads fall back to the database, with a 201",
    *("app.uploads", "uploads.work", "uploads.failing", "logs.clean"),
    past=True,
)
def _(world: World) -> Iterator[None]:
    columns = '"id", "title", "filename", "fileType", "content", "fileData", "fileSize", "createdAt"'
    for number in range(12):
        values = (f"fallen-{number}", "t", "t.pdf", "pdf", "", b"x", 1, (world.now - AGO).replace(tzinfo=None))
        world.sql(f'INSERT INTO "KnowledgeDocument" ({columns}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)', *values)
    with world.logged(*[error("S3 upload failed, falling back to database storage", code="AccessDenied")] * 12):
        yield
    world.sql('DELETE FROM "KnowledgeDocument" WHERE "id" LIKE \'fallen-%%\'')


@fault(
    "One request in five is answered with a 500", "errors.none", "errors.high", "guard.errors", "post.load", past=True
)
def _(world: World) -> Iterator[None]:
    balancer = {"LoadBalancer": world.balancer.partition(":loadbalancer/")[2]}
    with world.metric("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", balancer, 12.0):
        yield


# -- the database ----------------------------------------------------------------------------------------------------


@fault("A migration of the repository is not applied", "db.migrations")
def _(world: World) -> Iterator[None]:
    folder = world.operator_machine.repository / "prisma" / "migrations" / "20250102090000_add_audit_log"
    folder.mkdir()
    (folder / "migration.sql").write_text("CREATE TABLE audit ();\n")
    yield
    shutil.rmtree(folder)


@fault("A migration failed half-way", "db.migrations")
def _(world: World) -> Iterator[None]:
    row = "UPDATE _prisma_migrations SET finished_at = "
    world.sql(row + "NULL WHERE migration_name = %s", LAST)
    yield
    world.sql(row + "started_at WHERE migration_name = %s", LAST)


@fault("The index on s3Key is missing", "db.indexes")
def _(world: World) -> Iterator[None]:
    world.sql('DROP INDEX "CustomerDocument_s3Key_idx"')
    yield
    world.sql('CREATE INDEX "CustomerDocument_s3Key_idx" ON "CustomerDocument"("s3Key")')


@fault("An index is invalid, as CREATE INDEX CONCURRENTLY leaves one that failed", "db.indexes")
def _(world: World) -> Iterator[None]:
    mark = "UPDATE pg_index SET indisvalid = {} WHERE indexrelid = '\"KnowledgeDocument_s3Key_idx\"'::regclass"
    world.sql(mark.format("false"))
    yield
    world.sql(mark.format("true"))


@fault("The default prompts are not loaded", "db.seed")
def _(world: World) -> Iterator[None]:
    world.sql('DELETE FROM "DefaultPrompt"')
    yield
    for name, body in DEFAULT_PROMPTS:
        world.sql(
            'INSERT INTO "DefaultPrompt" ("id", "name", "body") VALUES (%s, %s, %s)', f"prompt-{name}", name, body
        )


@fault("The cockpit may not read the seed's tables", "db.seed")
def _(world: World) -> Iterator[None]:
    world.sql('REVOKE SELECT ON "SkillCategory" FROM cockpit')
    yield
    world.sql('GRANT SELECT ON "SkillCategory" TO cockpit')


catalogued(
    "A report takes every connection slot of the database",
    "db.connections",
    *("pool.below_80", "pool.exhausted", "guard.pool"),
)

# -- vendors and sign-in ---------------------------------------------------------------------------------------------


@fault("Anthropic refuses the key", "security.api_keys", "llm.failing")
def _(world: World) -> Iterator[None]:
    with changed(world.vendors, anthropic_keys=set()):
        yield


catalogued("Anthropic is overloaded (529)", "llm.down", "security.api_keys", "llm.failing")


def admitted(world: World, part: str, how: str) -> Iterator[None]:
    with changed(world.vendors, troubled={**world.vendors.troubled, part: how}):
        yield


@fault("Anthropic's status page is red", "vendor.anthropic")
def _(world: World) -> Iterator[None]:
    yield from admitted(world, "api.anthropic.com", "major_outage")


@fault("Upstash's status page is red", "vendor.upstash")
def _(world: World) -> Iterator[None]:
    yield from admitted(world, "Redis", "partial_outage")


@fault("Google's status page is red", "vendor.google")
def _(world: World) -> Iterator[None]:
    yield from admitted(world, "Google Cloud Identity", "SERVICE_OUTAGE")


catalogued("Redis is down", "redis.down", "app.redis")


catalogued(
    "Google does not know the callback URL",
    "oauth.broken",
    *("app.oauth_callbacks", "oauth.works", "oauth.broken"),
)

# -- the operator's machine ------------------------------------------------------------------------------------------


@fault("This machine is not on the tailnet", "security.tailscale")
def _(world: World) -> Iterator[None]:
    world.operator_machine.set_tailnet(online=False)
    yield
    world.operator_machine.set_tailnet(online=True)


def exported(name: str, value: str | None) -> Iterator[None]:
    held = os.environ.pop(name)
    if value is not None:
        os.environ[name] = value
    yield
    os.environ[name] = held


@fault("The Slack webhook is the report's placeholder", "monitoring.slack")
def _(_world: World) -> Iterator[None]:
    yield from exported("SLACK_WEBHOOK_URL", "https://hooks.slack.com/...")


def example(world: World, before: str, after: str) -> Iterator[None]:
    file = world.operator_machine.repository / ".env.example"
    held = file.read_text()
    assert before in held
    file.write_text(held.replace(before, after))
    yield
    file.write_text(held)


@fault(".env.example holds a real key", "prep.env_example")
def _(world: World) -> Iterator[None]:
    yield from example(world, 'ANTHROPIC_API_KEY=""', 'ANTHROPIC_API_KEY="sk-ant-api03-Zq81fXvT0w5mXbL2nDq7Hs94uYcE"')


# -- the cockpit sees less -------------------------------------------------------------------------------------------


def denied(world: World, service: str, operation: str = "*") -> Iterator[None]:
    id_ = f"denied {service} {operation}"
    world.aws.faults.set(id_, AwsFault(service, operation, "deny", caller="cockpit"))
    yield
    world.aws.faults.clear(id_)


@fault("The cockpit may not read security groups", "infra.security_groups", "security.database")
def _(world: World) -> Iterator[None]:
    yield from denied(world, "ec2")


@fault("The cockpit may not simulate policies", "infra.iam", "prep.secrets", "app.uploads")
def _(world: World) -> Iterator[None]:
    yield from denied(world, "iam", "SimulatePrincipalPolicy")


@fault(
    "The cockpit may not describe task definitions", "infra.iam", "infra.log_groups", "app.environment", "prep.image"
)
def _(world: World) -> Iterator[None]:
    yield from denied(world, "ecs", "DescribeTaskDefinition")


@fault(
    "The cockpit may not read metrics",
    *("errors.none", "errors.high", "guard.errors", "post.load"),
    past=True,
)
def _(world: World) -> Iterator[None]:
    yield from denied(world, "monitoring", "GetMetricData")
