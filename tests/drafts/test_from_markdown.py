"""A Markdown checklist becomes a plan that loads, whatever the Markdown looks like."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.cli.main import main
from cockpit.drafts.from_markdown import Sketch
from cockpit.drafts.markdown_outline import MAX_LINES, outline
from cockpit.drafts.probe_matching import proposals
from cockpit.drafts.section_roles import Role
from cockpit.plan.load import load_text
from cockpit.plan.model import Item, Mode, Phase, Plan
from probes.registry import BUILT_IN, find

REPORT = """\
# Pre-Deployment Checklist

## Infrastructure

- [ ] RDS PostgreSQL instance provisioned
- [ ] Connection pooling configured (100+ connections)
- [ ] S3 bucket created with versioning enabled
- [ ] S3 lifecycle policy configured (archive after 90 days)
- [ ] Security groups configured (ALB → ECS only)
- [ ] CloudWatch alarms configured

## Security

- [ ] SSL certificate installed on ALB
- [ ] CloudWatch logs retention set (30 days)

## Post-Deployment

- [ ] Smoke tests passed (login, create project, answer question)

## Rollback Plan

If deployment fails:

1. Revert ECS task definition to previous version
2. Roll back Prisma migration: `npx prisma migrate resolve --rolled-back {migration_name}`
"""
NAMES = """
```bash
aws s3 mb s3://docs-prod --region eu-west-1
```
**RDS Instance:** `db-prod`
"""


def imported(text: str, file: str = "CHECK.md") -> Plan:
    return load_text(Sketch(text, file).text(), "plan.yaml", environ={}, require_environment=False)


def items(plan: Plan) -> dict[str, Item]:
    return {item.title: item for _, item in plan.items()}


def test_headings_become_sections_and_boxes_become_lines_that_name_where_they_come_from() -> None:
    plan = imported(REPORT)
    assert [(s.title, s.phase, len(s.items)) for s in plan.checklist] == [
        ("Infrastructure", Phase.PRE_DEPLOY, 6),
        ("Security", Phase.PRE_DEPLOY, 2),
        ("Post-Deployment", Phase.POST_DEPLOY, 1),
    ]
    assert items(plan)["RDS PostgreSQL instance provisioned"].ref == "CHECK.md:5"
    assert plan.title == "Pre-Deployment Checklist"


def test_the_numbered_steps_of_a_rollback_become_the_rollback_plan() -> None:
    back = imported(REPORT).rollback_plan
    assert [step.title for step in back] == [
        "Revert ECS task definition to previous version",
        "Roll back Prisma migration",
    ]
    assert back[1].command == "npx prisma migrate resolve --rolled-back {migration_name}"


def test_no_line_becomes_automatic_whatever_names_are_found_in_the_text() -> None:
    for text in (REPORT, REPORT + NAMES + 'NEXTAUTH_URL="https://app.corp.net"\n'):
        plan = imported(text)
        assert list(plan.probes) == ["identity"]
        assert all(item.expect is None and item.sign_off is not None for _, item in plan.items())


def test_names_found_in_the_text_become_vars() -> None:
    plan = imported(REPORT + NAMES)
    assert plan.target.region == "eu-west-1"
    assert '  bucket: "docs-prod"' in Sketch(REPORT + NAMES, "CHECK.md").text()


def suggested(title: str) -> list[str]:
    return [one.probe for one in proposals(title)]


@pytest.mark.parametrize(
    ("title", "probe"),
    [
        ("S3 bucket created with versioning enabled", "s3.bucket"),
        ("Connection pooling configured (100+ connections)", "postgres.pool"),
        ("The dead-letter queue of SQS is empty", "sqs.queue"),
        ("The DNS name leads to the new place at every public resolver", "dns.record"),
        ("CloudFront distribution is deployed", "cloudfront.distribution"),
        ("Lambda function runs the new version", "lambda.function"),
        ("ElastiCache replication group is available", "elasticache.replication_group"),
        ("TLS certificate is valid for 30 days", "tls.certificate"),
    ],
)
def test_every_kind_of_probe_is_proposed_by_its_own_words(title: str, probe: str) -> None:
    assert probe in suggested(title)
    written = Sketch(f"- [ ] {title}\n", "x.md").text()
    assert f"# suggest: {probe}, perhaps its field" in written
    assert "it cannot see" in written


@pytest.mark.parametrize("title", ["Team informed", "Order pizza", "備份", ""])
def test_what_no_probe_has_words_for_is_proposed_nothing(title: str) -> None:
    assert suggested(title) == []


@pytest.mark.parametrize(
    "title",
    [
        "Support team informed about maintenance page",
        "Change request approved by CAB",
        "On-call rota for the weekend published",
        "IAM roles reviewed by security team",
        "WAF rules in count mode",
        "ALB access logs are written to S3",
        "Container image signed and scanned, no critical findings",
        "Load test with 200 users done",
        "Payment provider reports failures, Threshold: any, Action: call payment lead",
        "Replica lag of the Aurora cluster, Threshold: > 30 s, Action: roll back",
        "Old servers are switched off",
    ],
)
def test_a_line_of_which_a_probe_would_see_a_word_and_not_the_matter_is_proposed_nothing(title: str) -> None:
    assert suggested(title) == []


@pytest.mark.parametrize(
    ("title", "fields"),
    [
        ("Aurora writer and reader are available", {"rds.cluster.writer_available"}),
        ("5xx error rate of the load balancer, Threshold: < 1 % for 10 min", {"cloudwatch.ratio.rate"}),
        ("Error rate too high, Threshold: > 5 % for 5 min, Action: roll back", {"cloudwatch.ratio.rate"}),
        ("p99 latency of checkout, Threshold: < 800 ms", {"cloudwatch.percentile.value"}),
        ("Secrets rotated in Secrets Manager, Owner: Sec", {"secrets.metadata.all_rotated"}),
        ("S3-Bucket verschlüsselt und Versionierung aktiviert", {"s3.bucket.versioning"}),
        ("Log-Aufbewahrung auf 30 Tage gesetzt", {"logs.group.retention_days"}),
        ("Keine 5xx-Fehler am Load Balancer", {"cloudwatch.ratio.rate"}),
        ("Warteschlange leer", {"sqs.queue.waiting"}),
        ("Alle ECS-Tasks laufen", {"ecs.service.running", "ecs.tasks.running"}),
        ("CPU below 70 %", {"cloudwatch.metric.value"}),
    ],
)
def test_what_is_proposed_is_about_the_line(title: str, fields: set[str]) -> None:
    assert {f"{one.probe}.{one.field}" for one in proposals(title)} == fields


def test_every_kind_of_probe_says_what_it_reads_in_words_that_checklists_have() -> None:
    assert [name for name in BUILT_IN if not find(name).subjects] == []


def test_rds_enforces_tls_is_no_available_database() -> None:
    assert {(one.probe, one.field) for one in proposals("RDS enforces TLS")} == {("rds.proxy", "requires_tls")}
    assert imported("- [ ] RDS enforces TLS\n").checklist[0].items[0].expect is None


def test_nested_boxes_carry_what_they_are_nested_in() -> None:
    text = "- [ ] Backups\n    - [ ] restored once\n\t- [x] by whom\n- [ ] Next\n  1. [ ] deeper\n"
    assert [line.title for line in outline(text).groups[0].lines] == [
        "Backups",
        "Backups: restored once",
        "Backups: by whom",
        "Next",
        "Next: deeper",
    ]


def test_fences_hide_their_boxes_unless_they_hold_markdown() -> None:
    text = "- [ ] a\n```sh\n- [ ] no\n```\n```markdown\n- [ ] b\n```bash\n- [ ] no\n```\n```\n- [ ] c\n~~~\n- [ ] no\n"
    assert [line.title for group in outline(text).groups for line in group.lines] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("- [ ] **S3** [bucket](http://x) with `versioning`", "S3 bucket with versioning"),
        ("* [X] done already", "done already"),
        ("+ [] no space", "no space"),
        ("> - [ ] quoted", "quoted"),
        ("-\t[ ]\ttabs", "tabs"),
        ("- [ ] 備份 — größer 🚀", "備份 — größer 🚀"),
        ('- [ ] say "yes": no, # not a comment \\ ${HOME}', 'say "yes": no, # not a comment \\ ${HOME}'),
        ("- [ ] left\u202eright\x07", "left\\u{202e}right\\u{7}"),
        ("- [ ] yes", "yes"),
    ],
)
def test_odd_markdown_keeps_its_words(written: str, title: str) -> None:
    ((_, item),) = imported(written + "\n").items()
    assert item.title == title


def test_equal_lines_get_ids_of_their_own() -> None:
    plan = imported("# A\n- [ ] same\n- [ ] same\n# A\n- [ ] same\n- [ ] 備\n- [ ] 份\n")
    ids = [item.id for _, item in plan.items()]
    assert len(set(ids)) == 5


def test_more_lines_than_anybody_works_through_are_left_out_and_counted() -> None:
    found = outline("- [ ] x\n" * (MAX_LINES + 7))
    assert (len(found.groups[0].lines), len(found.left_out)) == (MAX_LINES, 7)


GO_LIVE = """\
# Payments cutover

## Pre-Deployment
- [ ] RDS enforces TLS
- [ ] (optional) Warm the cache
- [ ] Backup taken (owner: Bob)
      and restored once

## Deployment Steps

1. Announce the window (5 min)
2. **Deploy the API**
   ```bash
   aws ecs update-service \\
     --cluster prod
   ```
   - watch the events

**Step 3: Switch the DNS** ~10 min

## Post-Deployment

### Smoke Tests
- [ ] Login works

### First 24 hours
| Check | Who | Done |
|---|---|---|
| Error rate below 1 % | Ann | [ ] |
| Queue drains | Bob | [x] |

## Success Criteria
- p99 below 800 ms
* [ ] Orders go through

## Rollback Triggers
| Metric | Threshold | Window |
|---|---|---|
| 5xx rate | 5 % | 5 min |
| Queue age | 900 s | 10 min |

## Rollback Plan
1. Switch the DNS back: `aws route53 change-resource-record-sets --hosted-zone-id Z1`
2. Deploy the release before

### Post-Rollback
1. Write the post-mortem

## Post-mortem
1. The rollback of May took an hour
"""


def test_a_document_is_carried_over_by_its_structure() -> None:
    plan = imported(GO_LIVE)
    sections = {section.title: section for section in plan.checklist}
    assert {name: section.phase for name, section in sections.items()} == {
        "Pre-Deployment": Phase.PRE_DEPLOY,
        "Smoke Tests": Phase.POST_DEPLOY,
        "First 24 hours": Phase.POST_DEPLOY,
    }
    _, cache, backup = sections["Pre-Deployment"].items
    assert (cache.title, cache.blocking) == ("Warm the cache", False)
    assert backup.caution == "and restored once Owner: Bob."
    assert [item.title for item in sections["First 24 hours"].items] == [
        "Error rate below 1 %, Who: Ann",
        "Queue drains, Who: Bob",
    ]
    assert "ticked already" in sections["First 24 hours"].items[1].caution
    assert [one.title for one in plan.success_criteria] == ["p99 below 800 ms", "Orders go through"]


def test_steps_keep_their_commands_nesting_and_durations() -> None:
    plan = imported(GO_LIVE)
    assert [step.title for step in plan.runbook] == [
        "Announce the window (5 min)",
        "Deploy the API",
        "Deploy the API: watch the events",
        "Switch the DNS ~10 min",
    ]
    assert [step.duration and step.duration.total_seconds() for step in plan.runbook] == [300, None, None, 600]
    assert plan.runbook[1].command == "aws ecs update-service \\\n  --cluster prod"
    assert [(step.title, step.command[:11]) for step in plan.rollback_plan] == [
        ("Switch the DNS back", "aws route53"),
        ("Deploy the release before", ""),
    ]


def test_triggers_arrive_in_shadow_with_their_thresholds() -> None:
    triggers = imported(GO_LIVE).rollback_triggers
    assert [(one.title, one.mode) for one in triggers] == [
        ("5xx rate, Threshold: 5 %, Window: 5 min", Mode.SHADOW),
        ("Queue age, Threshold: 900 s, Window: 10 min", Mode.SHADOW),
    ]


def test_what_is_left_out_is_said_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "golive.md"
    path.write_text(GO_LIVE)
    done = CliRunner().invoke(main, ["import", str(path)])
    lines = GO_LIVE.splitlines()
    for text, heading in (
        ("Write the post-mortem", "Post-Rollback"),
        ("The rollback of May took an hour", "Post-mortem"),
    ):
        number = lines.index(f"1. {text}") + 1
        assert f"golive.md:{number}: left out: {text}" in done.stderr
        assert f"# golive.md:{number}: {text} (it is of '{heading}'" in done.stdout


def test_numbered_steps_without_a_box_are_a_runbook() -> None:
    plan = imported("# Move\n\n## Monday\n1. Stop the writers\n2. Copy\n\n## Tuesday\n1) Start them\n")
    assert [step.title for step in plan.runbook] == ["Stop the writers", "Copy", "Start them"]
    assert not plan.checklist


def test_after_the_steps_of_the_deployment_it_is_after_the_deployment() -> None:
    text = "## Ready\n- [ ] a\n## Deployment\n1. do it\n## Looking at it\n- [ ] b\n"
    phases = {section.title: section.phase for section in imported(text).checklist}
    assert phases == {"Ready": Phase.PRE_DEPLOY, "Looking at it": Phase.POST_DEPLOY}
    assert [group.role for group in outline(text).groups] == [Role.CHECKLIST, Role.RUNBOOK, Role.CHECKLIST]


@settings(max_examples=60)
@given(st.lists(st.text(max_size=60), max_size=8), st.text(max_size=20))
def test_whatever_stands_in_a_checklist_the_plan_loads(lines: list[str], heading: str) -> None:
    text = f"# {heading}\n- [ ] first\n" + "".join(f"{' ' * (i % 5)}- [ ] {line}\n" for i, line in enumerate(lines))
    assert imported(text, f"{heading}.md").checklist


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# Only a heading\n- a bullet\n", b"\0\1"])
def test_a_file_without_lines_is_refused_with_a_reason(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_bytes(content)
    done = CliRunner().invoke(main, ["import", str(path)])
    assert done.exit_code == 65
    assert done.stdout == ""
    assert str(path) in done.stderr


def test_the_plan_goes_to_standard_output_and_the_summary_aside(tmp_path: Path) -> None:
    path = tmp_path / "DEPLOYMENT_CHECKLIST.md"
    path.write_bytes(b"\xef\xbb\xbf" + REPORT.encode())
    done = CliRunner().invoke(main, ["import", str(path)])
    assert done.exit_code == 0
    assert load_text(done.stdout, "plan.yaml", environ={}).name == "deployment-checklist"
    assert "11 lines in 4 sections; people sign all of them" in done.stderr
    assert CliRunner().invoke(main, ["import", str(tmp_path / "absent.md")]).exit_code == 65
