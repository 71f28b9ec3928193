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
from cockpit.plan.load import load_text
from cockpit.plan.model import Item, Phase, Plan

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


def test_what_is_not_known_stays_a_suggestion_and_a_person_signs() -> None:
    plan = imported(REPORT)
    assert list(plan.probes) == ["identity"]
    assert all(item.sign_off is not None for _, item in plan.items())
    written = Sketch(REPORT, "CHECK.md").text()
    for comment in (
        '# documents: {uses: s3.bucket, with: {bucket: "${bucket}"}, interval: 5m}',
        "# expect: documents.versioned",
        "# expect: alarms.actions_enabled && alarms.with_actions",
        "# no probe sees the retention of a log group",
    ):
        assert comment in written


def test_names_found_in_the_text_make_probes_real() -> None:
    plan = imported(REPORT + NAMES)
    assert plan.target.region == "eu-west-1"
    assert plan.probes["documents"].params["bucket"] == "docs-prod"
    assert plan.probes["database"].params["instance"] == "db-prod"
    versioned = items(plan)["S3 bucket created with versioning enabled"]
    assert versioned.expect is not None
    assert versioned.expect.source == "documents.versioned"
    assert versioned.sign_off is None


def test_a_probe_that_sees_only_part_of_it_leaves_the_rest_to_a_person() -> None:
    smoke = items(imported(REPORT + 'NEXTAUTH_URL="https://app.corp.net"\n'))[
        "Smoke tests passed (login, create project, answer question)"
    ]
    assert smoke.expect is not None
    assert smoke.sign_off is not None


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
    assert (len(found.groups[0].lines), found.left_out) == (MAX_LINES, 7)


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
    assert "9 lines in 3 sections" in done.stderr
    assert CliRunner().invoke(main, ["import", str(tmp_path / "absent.md")]).exit_code == 65
