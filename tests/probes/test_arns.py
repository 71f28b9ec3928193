"""Names of AWS: every partition, names or ARNs, and one place that makes them."""

from __future__ import annotations

import ast
import doctest
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.aws.probe_calls import ROOT

import probes.clients.arns
from cockpit.cli.main import main
from probes.aws.ecs import ServiceParams, service_url
from probes.aws.logs_query import LogsQueryParams
from probes.clients.arns import arn_in, console, partition
from probes.clients.clients import AwsOptions, Clients

GOV = """\
plan: v1
name: gov
environment: staging
target: {region: us-gov-west-1, account: "123456789012"}
probes:
  service: {uses: ecs.service, with: {cluster: arn:aws-us-gov:ecs:us-gov-west-1:123456789012:cluster/prod, service: web}}
  db: {uses: rds.instance, with: {instance: db}}
  full: {uses: secrets.value, with: {secret: "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:app/key-AbCdEf"}}
  log: {uses: logs.group, with: {log_group: /ecs/web}}
success_criteria:
  - {id: a, title: a, success_condition: service.stable && db.available && full.ok, for: 5m}
rollback_triggers:
  - {id: b, title: b, failure_condition: service.failed_tasks > 3}
"""


def test_the_examples_hold() -> None:
    assert doctest.testmod(probes.clients.arns).failed == 0


@pytest.mark.parametrize(
    ("region", "name"),
    [
        ("eu-central-1", "aws"),
        ("us-gov-east-1", "aws-us-gov"),
        ("cn-northwest-1", "aws-cn"),
        ("us-isob-east-1", "aws-iso-b"),
    ],
)
def test_a_region_is_in_its_partition(region: str, name: str) -> None:
    assert partition(region) == name
    assert arn_in(region, "123456789012", "s3", "b/*") == f"arn:{name}:s3:::b/*"


def test_the_console_of_a_partition_is_its_own() -> None:
    assert console("cn-north-1", "x") == "https://cn-north-1.console.amazonaws.cn/x"
    assert console("", "x") == ""


def test_a_plan_for_another_partition_asks_for_permissions_and_links_of_that_partition(tmp_path: Path) -> None:
    (tmp_path / "gov.yaml").write_text(GOV)
    answer = CliRunner().invoke(main, ["iam", str(tmp_path / "gov.yaml")])
    assert answer.exit_code == 0, answer.output
    resources = [r for statement in json.loads(answer.output)["Statement"] for r in statement["Resource"] if r != "*"]
    assert "arn:aws-us-gov:ecs:us-gov-west-1:123456789012:service/prod/web" in resources
    assert "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:app/key-AbCdEf" in resources
    assert all(resource.startswith("arn:aws-us-gov:") for resource in resources)
    link = service_url(Clients(AwsOptions("us-gov-west-1")), "prod", "web")
    assert link.startswith("https://us-gov-west-1.console.amazonaws-us-gov.com/ecs/v2/clusters/prod/")


def test_a_name_and_its_arn_mean_the_same() -> None:
    base = "arn:aws:ecs:us-east-1:123456789012"
    by_arn = ServiceParams(cluster=f"{base}:cluster/prod", service=f"{base}:service/prod/web")
    assert by_arn == ServiceParams(cluster="prod", service="web")
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/web:*"
    asked = {"query": "filter a | stats count(*) as value"}
    by_arn_too = LogsQueryParams.model_validate({"log_group": group} | asked)
    assert by_arn_too == LogsQueryParams.model_validate({"log_group": "/ecs/web"} | asked)


@pytest.mark.parametrize(
    "room", ["probes", "cockpit/commands", "cockpit/actions", "cockpit/engine", "cockpit/migration"]
)
def test_no_other_place_writes_a_partition_or_a_console_of_its_own(room: str) -> None:
    """A name put together by hand is right in one partition alone."""
    written = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / room).rglob("*.py")
        if path.name != "arns.py" and re.search("arn:aws:|console.aws.", text := path.read_text())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.JoinedStr)
        for part in node.values
        if isinstance(part, ast.Constant)
        and isinstance(part.value, str)
        and ("arn:aws:" in part.value or "console.aws." in part.value)
    ]
    assert not written
