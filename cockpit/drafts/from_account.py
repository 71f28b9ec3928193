"""From what an account holds to the first draft of a plan: YAML that loads, with a comment wherever somebody must think."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from cockpit.drafts.account_inventory import UNKNOWN_HOST, Found, FoundService
from probes.display_text import yaml_quoted
from probes.frozen import frozen


@frozen
class Chosen:
    """What the plan is to be about."""

    name: str
    url: str
    service: FoundService
    database: str = ""
    bucket: str = ""
    secrets: Sequence[str] = ()
    alarms: Sequence[str] = ()
    others: Sequence[FoundService] = ()
    """Services that are released with it."""
    clustered: bool = False
    """The database is a cluster."""


def draft(found: Found, chosen: Chosen) -> str:
    """The plan's text. It validates; what is in [brackets] is for people to fill in."""
    return "\n".join(
        (*_head(found, chosen), *_probes(chosen), *_checklist(chosen), *_criteria(chosen), *_steps(chosen), "")
    )


def _name(text: str) -> str:
    """A plan's name: letters, digits, . _ and -, a letter first.

    >>> _name("1: shop/web")
    'plan-1-shop-web'
    """
    made = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-")[:60]
    return made if made[:1].isalpha() else f"plan-{made}".rstrip("-")


def _quoted(text: str) -> str:
    """A YAML scalar that means exactly this text: what an account holds refers to no variable of a plan."""
    return yaml_quoted(text.replace("${", "$${"))


def _head(found: Found, chosen: Chosen) -> Iterator[str]:
    yield "# A first draft, made from what the account holds. Read every line: a plan is an agreement between people."
    yield "# Check it: cockpit validate, then cockpit lint and cockpit doctor."
    for part, why in sorted(found.unseen.items()):
        yield f"# Not seen: {part}. {why}".replace("\n", " ")
    yield "plan: v1"
    yield f"name: {_quoted(_name(chosen.name))}"
    yield f"title: {_quoted(f'Cutover of {chosen.service.name}')}"
    yield "environment: production"
    yield f"target: {{account: {_quoted(found.account)}, region: {_quoted(found.region)}}}"
    yield ""
    yield "vars:"
    unknown = UNKNOWN_HOST in chosen.url
    yield f"  url: {_quoted(chosen.url)}" + ("        # fill in: no load balancer was seen" if unknown else "")
    yield f"  cluster: {_quoted(chosen.service.cluster)}"
    yield f"  service: {_quoted(chosen.service.name)}"
    yield "  deployed_after: phase                    # or when the deployment was started, as --var deployed_after=TIME"
    for name, text in (
        ("target_group", chosen.service.target_group),
        ("alb", chosen.service.load_balancer),
        ("log_group", chosen.service.log_group),
        ("database", chosen.database),
        ("bucket", chosen.bucket),
    ):
        if text:
            yield f"  {name}: {_quoted(text)}"
    yield ""
    yield "people:                                   # who signs, votes and decides; an ssh_key makes their word provable"
    yield '  - {id: primary, name: "[Your Name]", roles: [on_call]}'
    yield '  - {id: second, name: "[Backup Name]", roles: [backup]}'
    yield "contacts:"
    yield '  channel: "[#channel]"'
    yield ""
    yield from _others(chosen)


_PART = """\
parts:
  ecs-service:                            # of each further service
    part: v1
    inputs: {cluster: {}, service: {}, tasks: {type: number}}
    probes:
      service: {uses: ecs.service, with: {cluster: "${cluster}", service: "${service}"}, interval: 15s}
      deployment: {uses: ecs.deployment, with: {cluster: "${cluster}", service: "${service}", after: phase}, interval: 15s}
    success_criteria:
      - id: released
        title: "${service}: the release was deployed, and its ${tasks} tasks run"
        success_condition: deployment.succeeded && service.stable && service.running >= ${tasks}
        for: 10m
    rollback_triggers:
      - id: failing
        title: "${service}: tasks of the new release keep failing, or ECS went back by itself"
        failure_condition: service.failed_tasks >= 3 || deployment.failed
    runbook:
      - id: deploy
        title: "Deploy ${service}"
        command: aws ecs update-service --cluster ${cluster} --service ${service} --task-definition $${REVISION}
    rollback_plan:
      - {id: back, title: "${service}: back to the revision before", action: {uses: ecs.rollback, service: service}}
"""


def _others(chosen: Chosen) -> Iterator[str]:
    """Further services: one part, put in for each."""
    if not chosen.others:
        return
    yield from _PART.splitlines()
    yield "include:                                  # their probes are NAME_service, their lines NAME.released"
    used: set[str] = set()
    for each in chosen.others:
        name = _short(each.name, used)
        used.add(name)
        given = f"cluster: {_quoted(each.cluster)}, service: {_quoted(each.name)}, tasks: {each.desired}"
        yield f"  - {{part: ecs-service, as: {name}, with: {{{given}}}}}"
    yield ""


def _short(name: str, used: Collection[str]) -> str:
    """A name for a part: the end of the service's.

    >>> _short("orders-worker", ()), _short("2nd", ()), _short("orders-worker", ("worker",))
    ('worker', 's_2nd', 'worker_2')
    """
    made = re.sub(r"[^a-z0-9_]+", "_", name.lower().rpartition("-")[2]).strip("_")[:14] or "other"
    made = made if made[0].isalpha() and made != "env" else f"s_{made}"
    return made if made not in used else f"{made}_{len(used) + 1}"


def _probes(chosen: Chosen) -> Iterator[str]:
    service = chosen.service
    yield "probes:                                   # what is read, and how often; `cockpit probes` lists them"
    yield "  identity: {uses: aws.identity, interval: 60s}"
    yield '  site: {uses: http.health, with: {url: "${url}"}, interval: 15s}'
    of_service = 'with: {cluster: "${cluster}", service: "${service}"}, interval: 15s'
    yield f"  service: {{uses: ecs.service, {of_service}}}"
    yield '  tasks: {uses: ecs.tasks, with: {cluster: "${cluster}", service: "${service}", window: 10m}, interval: 15s}'
    yield "  deployment:                             # a deployment from before the phase began is another release"
    yield "    uses: ecs.deployment"
    yield '    with: {cluster: "${cluster}", service: "${service}", after: "${deployed_after}"}'
    yield "    interval: 15s"
    if service.target_group:
        yield '  targets: {uses: alb.targets, with: {target_group: "${target_group}"}, interval: 15s}'
    if service.load_balancer:
        yield "  errors:"
        yield "    uses: cloudwatch.ratio"
        yield "    with:"
        yield '      load_balancer: "${alb}"'
        yield "      part: [HTTPCode_Target_5XX_Count, HTTPCode_ELB_5XX_Count]"
        yield "      total: RequestCount"
        yield "      min_total: 20                       # fewer requests in a minute say nothing about a rate"
        yield "    interval: 60s"
    if service.log_group:
        yield '  log: {uses: logs.group, with: {log_group: "${log_group}"}, interval: 5m}'
    if chosen.database:
        kind = "cluster" if chosen.clustered else "instance"
        yield f'  database: {{uses: rds.{kind}, with: {{{kind}: "${{database}}"}}, interval: 60s}}'
    if chosen.bucket:
        yield '  bucket: {uses: s3.bucket, with: {bucket: "${bucket}"}, interval: 5m}'
    for name, uses, given in (
        ("secrets", "secrets.metadata", chosen.secrets),
        ("alarms", "cloudwatch.alarms", chosen.alarms),
    ):
        if given:
            yield f"  {name}:"
            yield f"    uses: {uses}"
            yield "    with:"
            yield "      names:"
            yield from (f"        - {_quoted(each)}" for each in given)
            yield "    interval: 60s"
    yield ""


def _item(id_: str, title: str, expect: str, *more: str) -> Iterator[str]:
    yield f"      - id: {id_}"
    yield f"        title: {_quoted(title)}"
    if expect:
        yield f"        expect: {_quoted(expect)}"
    yield from (f"        {line}" for line in more)


def _checklist(chosen: Chosen) -> Iterator[str]:
    yield "checklist:"
    yield "  - section: Before the deployment"
    yield "    phase: pre_deploy"
    yield "    items:"
    if chosen.database:
        of_kind = "database.writer_available" if chosen.clustered else "!database.publicly_accessible"
        ready = f"database.available && {of_kind} && !database.pending_changes"
        yield from _item("db.ready", f"Database {chosen.database} is ready", ready, "killer: true")
        yield from _item(
            "db.backups",
            "Backups are kept, and a restore was rehearsed",
            "database.backup_retention_days >= 7",
            'sign_off: {ask: "When was a restore last rehearsed, and how long did it take?", roles: [on_call]}',
        )
    if chosen.bucket:
        safe = "bucket.exists && bucket.versioned && bucket.encrypted && bucket.public_access_blocked"
        yield from _item("files.bucket", f"Bucket {chosen.bucket} is versioned, encrypted and closed", safe)
    if chosen.secrets:
        yield from _item("secrets.there", "Every secret is there", "secrets.all_present", "killer: true")
    if chosen.service.log_group:
        yield from _item("log.there", "The log group exists", "log.exists")
    if chosen.alarms:
        yield from _item(
            "alarms.ready",
            "Alarms notify somebody",
            f"alarms.exist_count == {len(chosen.alarms)} && alarms.actions_enabled",
        )
    ask = "Which step of the rollback plan have you read aloud, and to whom?"
    yield from _item(
        "people.ready", "The rollback plan has been read", "", f"sign_off: {{ask: {_quoted(ask)}, roles: [on_call]}}"
    )
    yield "  - section: After the deployment"
    yield "    phase: post_deploy"
    yield "    items:"
    smoke = "Who signed in, and what did they do?"
    yield from _item("post.smoke", "Somebody used it", "", f"sign_off: {{ask: {_quoted(smoke)}, roles: [on_call]}}")
    yield ""
    yield "gates:"
    yield "  - id: go_no_go"
    yield "    title: Go / no-go"
    yield "    before: deploy"
    yield "    poll: {roles: [on_call, backup], required: 2, valid_for: 30m}"
    yield ""


def _criteria(chosen: Chosen) -> Iterator[str]:
    service = chosen.service
    balanced = bool(service.target_group)
    yield "success_criteria:                         # all must hold for GO; what cannot be seen never counts as good"
    yield "  - id: tasks.healthy"
    yield f"    title: All {service.desired} tasks of the new release run and stay healthy"
    count = service.desired
    healthy = f"service.running == {count} && service.desired == {count} && deployment.succeeded && tasks.failed_recently == 0"
    healthy += " && targets.all_healthy" if balanced else ""
    yield f"    success_condition: {_quoted(healthy)}"
    yield "    for: 10m"
    yield "  - id: site.answers"
    yield "    title: The site answers within two seconds"
    yield "    success_condition: site.ok && site.latency_ms < 2000.0"
    yield "    for: 10m"
    if service.load_balancer:
        yield "  - id: errors.low"
        yield "    title: Fewer than 1 % of requests fail, for 30 minutes"
        yield "    success_condition: errors.rate < 0.01"
        yield "    for: 30m"
    if chosen.alarms:
        yield "  - id: alarms.quiet"
        yield "    title: No alarm fires"
        yield "    success_condition: alarms.all_ok"
        yield "    for: 10m"
    yield ""
    yield "rollback_triggers:                        # between success and these lies HOLD: people decide"
    yield "  - id: site.down"
    yield "    title: The site is down for 3 minutes"
    yield '    failure_condition: "!site.ok"'
    yield "    for: 3m"
    yield "  - id: tasks.failing"
    yield "    title: Tasks of the new release keep failing, or ECS went back by itself"
    yield "    failure_condition: tasks.failed_recently >= 3 || service.failed_tasks >= 3 || deployment.failed"
    if service.load_balancer:
        yield "  - id: errors.high"
        yield "    title: More than 5 % of requests fail for 5 minutes"
        yield "    failure_condition: errors.rate > 0.05"
        yield "    for: 5m"
    yield ""


def _steps(chosen: Chosen) -> Iterator[str]:
    yield "runbook:"
    yield "  - id: run.deploy"
    yield "    title: Deploy the release by its digest"
    yield "    command: |-"
    yield "      # the task definition names its image by digest, not by a tag: a tag cannot be gone back to"
    update = "aws ecs update-service --cluster ${cluster} --service ${service} --task-definition $${REVISION}"
    yield f"      {update}"
    yield "    expected: 30m"
    yield "    expect: the deployment SUCCESSFUL, every task healthy"
    yield ""
    yield "rollback_plan:"
    yield "  - id: back.revision"
    yield "    title: Back to the revision that ran before"
    named = "{uses: ecs.rollback, service: service}" if chosen.others else "ecs.rollback"
    yield f"    action: {named:<22}        # the cockpit does it, once armed; it has noted the revision"
    yield "    expected: 10m"
    yield "    expect: the earlier revision runs on every task, and errors fall"
    yield "  - id: back.notify"
    yield "    title: Tell everybody"
    yield '    sign_off: {ask: "When was the channel notified, and what was posted?", roles: [on_call]}'
