"""`cockpit init` on the rehearsed account: a plan that loads and sees, without what may not be listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rehearsal.test_aws_desk import Desk, open_desk

from cockpit.cli.main import main
from cockpit.drafts.account_inventory import PERMISSIONS, Found, FoundService
from cockpit.drafts.from_account import Chosen, draft
from cockpit.exit_codes import USAGE
from cockpit.plan.lint.run import lint_plan
from cockpit.plan.load import load_plan, load_text
from cockpit.rehearsal.aws.fixtures.account import create_account
from cockpit.rehearsal.aws.simulation import AwsFault

WEB = FoundService("prod", "shop-web", 3, "shop-web", "app/shop/1", "shop.example", "/ecs/shop-web")
FOUND = Found("123456789012", "eu-west-1", (WEB,), ("db: one",), ("files",), ("shop/key",), ("shop-5xx",))


@pytest.fixture(scope="module")
def furnished() -> Iterator[Desk]:
    with open_desk() as opened:
        create_account(opened.aws, opened.endpoint, site_url="https://transparent-trust.company.com")
        yield opened


@pytest.fixture
def desk(furnished: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Desk]:
    for name, text in {
        "AWS_ENDPOINT_URL": furnished.endpoint,
        "AWS_ACCESS_KEY_ID": "AKIACOCKPIT",
        "AWS_SECRET_ACCESS_KEY": "rehearsed",
        "AWS_REGION": "us-east-1",
        "XDG_STATE_HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, text)
    yield furnished
    for name in furnished.aws.faults.active():
        furnished.aws.faults.clear(name)


def init(*words: str) -> Result:
    return CliRunner().invoke(main, ["init", *words])


def test_a_plan_from_what_is_there(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    done = init(str(path), "--bucket", "transparent-trust-documents-prod", "--yes")
    assert done.exit_code == 0, done.output
    plan = load_plan(path)
    uses = {spec.uses for spec in plan.probes.values()}
    assert {"ecs.service", "alb.targets", "cloudwatch.ratio", "rds.instance", "s3.bucket", "secrets.metadata"} <= uses
    assert plan.probes["service"].params["cluster"] == "transparent-trust-prod"
    assert plan.probes["database"].params["instance"] == "transparent-trust-db-prod"
    assert "transparent-trust/encryption-key" in plan.probes["secrets"].params["names"]
    assert plan.target.account == "123456789012"
    assert [step.action.uses for step in plan.rollback_plan if step.action] == ["ecs.rollback"]
    findings = {finding.rule.id: str(finding) for finding in lint_plan(path)}
    for_people = {"contact-in-brackets", "production-without-keys", "role-nobody-holds"}
    about_the_system = {"bands-gap", "s3-permission-unseen", "uploads-unwatched"}
    assert findings.keys() <= for_people | about_the_system, findings
    again = init(str(path), "--yes")
    assert again.exit_code == USAGE
    assert "it was not overwritten" in again.output


ODD = (
    *("${env:DATABASE_URL}", "$${x}", "${cluster}", 'quote " and \\ back'),
    *("{a: b}", "- x", "# no comment", "a: b", "\u202e\x1b[2J", "~"),
)


@pytest.mark.parametrize("name", ODD)
def test_what_an_account_calls_its_things_is_text_and_nothing_else(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://app:hunter2hunter2@db/app")
    found = Found("123456789012", "eu-west-1", (WEB,), (), (), (), (name,))
    plan = load_text(draft(found, Chosen("shop", "https://shop.example", WEB, alarms=(name,))), "plan.yaml")
    assert plan.probes["alarms"].params["names"] == [name]
    assert plan.probes["service"].params["cluster"] == WEB.cluster


def test_instances_of_a_cluster_stand_for_the_cluster_which_decides_their_backups(desk: Desk, tmp_path: Path) -> None:
    rds = desk.client("rds", "AKIAOPERATOR00000000")
    login = {"MasterUsername": "u", "MasterUserPassword": "hunter2hunter2"}
    rds.create_db_cluster(DBClusterIdentifier="orders", Engine="aurora-postgresql", **login)
    members = ("orders-1", "orders-2")
    for name in members:
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBClusterIdentifier="orders",
            Engine="aurora-postgresql",
            DBInstanceClass="db.r6g.large",
        )
    try:
        path = tmp_path / "plan.yaml"
        unclear = init(str(path), "--bucket", "none", "--yes")
        assert "which database? --database orders | transparent-trust-db-prod | none" in unclear.output
        done = init(str(path), "--bucket", "none", "--database", "orders", "--yes")
        assert done.exit_code == 0, done.output
        plan = load_plan(path)
        database = plan.probes["database"]
        assert (database.uses, dict(database.params)) == ("rds.cluster", {"cluster": "orders"})
        assert "database.writer_available" in path.read_text()
    finally:
        for name in members:
            rds.delete_db_instance(DBInstanceIdentifier=name)
        rds.delete_db_cluster(DBClusterIdentifier="orders", SkipFinalSnapshot=True)


def test_what_may_not_be_listed_is_left_out_and_named(desk: Desk, tmp_path: Path) -> None:
    desk.aws.faults.set("rds", AwsFault("rds", "DescribeDBInstances", "deny"))
    desk.aws.faults.set("secrets", AwsFault("secretsmanager", "ListSecrets", "deny"))
    path = tmp_path / "plan.yaml"
    done = init(str(path), "--bucket", "none", "--yes")
    assert done.exit_code == 0, done.output
    text = path.read_text()
    for part in ("databases", "secrets"):
        assert f"# Not seen: {part}." in text
        assert PERMISSIONS[part][0] in text
    assert {"database", "secrets", "bucket"}.isdisjoint(load_plan(path).probes)


@pytest.mark.parametrize(
    ("service", "operation", "part"),
    [
        ("elasticloadbalancing", "DescribeTargetGroups", "load balancers"),
        ("elasticloadbalancing", "DescribeLoadBalancers", "load balancers"),
        ("elasticloadbalancing", "DescribeListeners", "load balancers"),
        ("ecs", "DescribeTaskDefinition", "task definitions"),
    ],
)
def test_a_service_is_drafted_though_what_stands_beside_it_may_not_be_seen(
    desk: Desk, tmp_path: Path, service: str, operation: str, part: str
) -> None:
    desk.aws.faults.set("beside", AwsFault(service, operation, "deny"))
    path = tmp_path / "plan.yaml"
    done = init(str(path), "--bucket", "none", "--yes")
    assert done.exit_code == 0, done.output
    assert load_plan(path).probes["service"].uses == "ecs.service"
    (line,) = (line for line in path.read_text().splitlines() if line.startswith(f"# Not seen: {part}."))
    assert f":{operation}" in line
    assert ("# fill in: no load balancer was seen" in path.read_text()) is (operation[8:14] in ("Target", "LoadBa"))


def test_without_the_service_there_is_no_plan(desk: Desk, tmp_path: Path) -> None:
    desk.aws.faults.set("ecs", AwsFault("ecs", "ListClusters", "deny"))
    done = init(str(tmp_path / "plan.yaml"), "--yes")
    assert done.exit_code == USAGE
    assert "ecs:ListClusters" in done.output
    assert not (tmp_path / "plan.yaml").exists()


def test_what_is_unclear_is_asked_for_by_name(desk: Desk) -> None:
    bucket = desk.client("s3", "AKIAOPERATOR00000000")
    bucket.create_bucket(Bucket="another")
    try:
        done = init("-", "--yes")
        assert done.exit_code == USAGE
        assert "which bucket? --bucket another | transparent-trust-documents-prod" in done.output
        wrong = init("-", "--yes", "--bucket", "nothing")
        assert "--bucket nothing: there is another, transparent-trust-documents-prod" in wrong.output
    finally:
        bucket.delete_bucket(Bucket="another")


@pytest.mark.parametrize(
    "chosen",
    [
        Chosen("shop", "https://shop.example/", WEB, "db: one", "files", ("shop/key",), ("shop-5xx",)),
        Chosen("shop", "https://shop.example/", FoundService("prod", "batch"), alarms=('odd "name" # here',)),
        Chosen("a: b", "https://shop.example/?a=[x]", FoundService("c", "- s", 1, "t", "", "", "/l")),
    ],
    ids=["everything", "nothing but a service", "odd names"],
)
def test_every_draft_loads(chosen: Chosen) -> None:
    plan = load_text(draft(FOUND, chosen), "plan.yaml")
    assert plan.success_criteria
    assert plan.rollback_triggers
    assert plan.probes["service"].params["service"] == chosen.service.name


def test_several_services_are_drafted_from_one_part(tmp_path: Path) -> None:
    worker = FoundService("prod", "shop-worker", 2)
    chosen = Chosen("shop", "https://shop.example", WEB, others=(worker, FoundService("prod", "cron-worker", 1)))
    plan = load_text(draft(FOUND, chosen), "plan.yaml")
    assert {"service", "worker_service", "worker_2_service"} <= plan.probes.keys()
    assert {"worker.released", "worker_2.released"} <= {each.id for each in plan.success_criteria}
    back = [str(step.action.on) for step in plan.rollback_plan if step.action]
    assert back == ["prod/shop-web", "prod/shop-worker", "prod/cron-worker"]


@pytest.mark.parametrize(
    ("service", "url"),
    [
        (FoundService("c", "s"), "https://fill-in.invalid/"),
        (FoundService("c", "s", host="h", scheme="http", port=80, health_path="/up"), "http://h/up"),
        (FoundService("c", "s", host="h", port=8443, health_path="/up"), "https://h:8443/up"),
    ],
)
def test_the_health_check_is_the_load_balancer_s_own(service: FoundService, url: str) -> None:
    assert service.health_url == url


def test_the_region_is_the_environment_s_and_it_says_where_it_looked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    done = init("-", "--yes", "--bucket", "none")
    assert "looked in account 123456789012, region us-east-1" in done.stderr
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    done = init("-", "--yes")
    assert (done.exit_code, "give --region, or set AWS_REGION" in done.output) == (USAGE, True)
