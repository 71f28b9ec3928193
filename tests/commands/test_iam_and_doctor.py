"""`cockpit iam` and `cockpit doctor`: what a plan needs, and what it would not see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands.watched_site import Site
from support.cockpit_process import ROOT, cockpit
from support.plans.shipped_plan import shipped_plan

from cockpit.commands import doctor as doctor_command
from cockpit.commands import iam
from cockpit.plan.load import load_plan, load_text

CUSTOMER = ROOT / "checklists" / "transparent-trust.yaml"


def needs(**environ: str) -> dict[str, set[str]]:
    return iam.probes_need(load_plan(CUSTOMER, environ=environ, require_environment=False))


def test_the_policy_has_every_action_of_every_probe_and_nothing_else() -> None:
    from probes.registry import find

    plan = shipped_plan()
    assert set(needs()) == {action for spec in plan.probes.values() for action in find(spec.uses).iam}


def test_the_policy_names_resources_where_a_probe_can() -> None:
    found = needs()
    assert found["ecs:DescribeServices"] == {
        "arn:aws:ecs:us-east-1:123456789012:service/transparent-trust-prod/transparent-trust-web"
    }
    assert found["s3:ListBucket"] == {"arn:aws:s3:::transparent-trust-documents-prod"}
    assert found["cloudwatch:GetMetricData"] == {"*"}


def test_statements_are_grouped_by_resources_in_an_order_of_their_own() -> None:
    one = iam.policy({"b:Two": {"y"}, "a:One": {"y"}, "c:Three": {"*", "z"}})
    assert one == iam.policy({"c:Three": {"z", "*"}, "a:One": {"y"}, "b:Two": {"y"}})
    assert one == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["a:One", "b:Two"], "Resource": ["y"]},
            {"Effect": "Allow", "Action": ["c:Three"], "Resource": "*"},
        ],
    }


def test_the_migration_needs_its_prefix_of_the_bucket_and_nothing_wider() -> None:
    head = "plan: v1\nname: p\nprobes: {me: {uses: aws.identity}}\n"
    plan = load_text(head + "migration: {database: x, bucket: docs, tables: [{name: t}]}\n", "p.yaml", environ={})
    found = iam.migration_needs(plan)
    assert found["s3:PutObject"] == {"arn:aws:s3:::docs/documents/*"}
    assert found["s3:ListBucket"] == {"arn:aws:s3:::docs"}
    assert {"s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"} <= set(found)
    assert iam.migration_needs(load_text(head, "p.yaml", environ={})) == {}


def test_iam_prints_one_json_document_and_the_rest_aside() -> None:
    done = cockpit("iam", "checklists/transparent-trust.yaml")
    assert done.returncode == 0
    assert json.loads(done.stdout)["Version"] == "2012-10-17"
    assert "PostgreSQL" in done.stderr
    assert cockpit("iam", "checklists/minimal.yaml", "--migration").returncode == 64


# -- doctor ----------------------------------------------------------------------------------------------------------

PLAN = """
plan: v1
name: small
environment: test
target: {account: "123456789012", region: us-east-1}
probes:
  service: {uses: ecs.service, with: {cluster: c, service: s}}
  documents: {uses: s3.bucket, with: {bucket: docs}}
success_criteria:
  - {id: up, title: Tasks run, success_condition: service.running == 2}
rollback_triggers:
  - {id: open, title: The bucket is open, failure_condition: "!documents.public_access_blocked"}
"""


@pytest.fixture
def aws() -> Iterator[Any]:
    from cockpit.engine.clock import SessionClock
    from cockpit.rehearsal.aws.simulation import SimulatedAws

    aws = SimulatedAws(SessionClock())
    aws.url = aws.start()  # type: ignore[attr-defined]
    yield aws
    aws.stop()


def doctor(aws: Any, plan: Path, *more: str) -> Any:
    environ = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "x", "NO_PROXY": "127.0.0.1"}
    return cockpit("doctor", str(plan), *more, AWS_ENDPOINT_URL=aws.url, **environ)


@pytest.mark.world
def test_doctor_names_the_missing_permission_and_what_go_would_not_see(aws: Any, tmp_path: Path) -> None:
    from cockpit.rehearsal.aws.services.call_faults import AwsFault

    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    aws.faults.set("denied", AwsFault("ecs", "*", "deny"))
    done = doctor(aws, plan, "--format", "json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    service = next(one for one in told["probes"] if one["probe"] == "service")
    assert service["blind"][0]["fields"] == ["running"]
    assert service["blind"][0]["missing"] == ["ecs:DescribeServices on arn:aws:ecs:us-east-1:123456789012:service/c/s"]
    assert {one["id"] for one in told["blind_to"]} == {"up", "open"}
    said = doctor(aws, plan).stdout
    assert "BLIND  service (ecs.service)" in said
    assert "missing: ecs:DescribeServices" in said
    assert "does not cover:" in said


def test_doctor_names_fields_of_log_queries_that_no_event_has() -> None:
    absent = {"sign_ins": ("mesage",)}
    said = "\n".join(doctor_command._lines([], [], {}, absent))
    assert "sign_ins: no event of the last day has mesage" in said
    assert doctor_command._plain([], [], {}, absent)["fields_never_logged"] == absent
    assert "no event" not in "\n".join(doctor_command._lines([], [], {}, {}))


def test_doctor_without_credentials_reads_nothing_and_says_so(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    done = cockpit("doctor", str(plan))
    assert done.returncode == 3
    assert "cannot determine the AWS account" in done.stderr


def test_doctor_exits_0_when_every_probe_sees_what_the_plan_asks_it_for(tmp_path: Path, site: Site) -> None:
    plan = tmp_path / "plan.yaml"
    url = f"http://127.0.0.1:{site.server_port}/"
    plan.write_text(f"plan: v1\nname: p\nprobes: {{site: {{uses: http.health, with: {{url: '{url}'}}}}}}\n")
    done = cockpit("doctor", str(plan))
    assert done.returncode == 0, done.stdout
    assert "all probes see what the plan asks for" in done.stdout


def test_doctor_says_why_a_probe_is_blind_and_what_to_do_next(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "plan: v1\nname: p\nprobes: {site: {uses: http.health, with: {url: 'http://127.0.0.1:9/'}}}\n"
        "success_criteria: [{id: up, title: It answers, success_condition: site.ok}]\n"
    )
    done = cockpit("doctor", str(plan))
    assert done.returncode == 1
    assert "BLIND  site (http.health)" in done.stdout
    assert "ok: UNREACHABLE" in done.stdout
    assert "success  up: It answers (site.ok)" in done.stdout
