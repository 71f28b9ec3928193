"""What a plan would run, send, read and write: said in words, with the host and never the value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cockpit.engine.trusted_plans import TrustedPlans, wanted_by
from cockpit.plan.demands import demands_of, migration_demands, synthetic_demands
from cockpit.plan.load import PlanError, load_plan, load_text
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.registry import find, names

SECRET = "pw-Zeder-4711-Tanne"
DSN = f"postgresql://reader:{SECRET}@db.example.org:5433/app"


def said(tmp_path: Path, probe: str, environ: Mapping[str, str] | None = None, **more: str) -> list[str]:
    """The demands of a plan with this one probe, in words."""
    folder = tmp_path / "plans"
    folder.mkdir()
    file = folder / "plan.yaml"
    file.write_text(f"plan: v1\nname: p\nprobes:\n  one: {probe}\n")
    plan = load_plan(file, environ=environ or {}, overrides=more)
    return [str(each) for each in demands_of(plan).get("one", ())]


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        ("{uses: tailscale.status}", ["runs tailscale"]),
        ("{uses: tailscale.status, with: {program: /opt/x.sh}}", ["runs /opt/x.sh"]),
        ("{uses: http.health, with: {url: 'https://a.example.org/h'}}", []),
        ("{uses: http.health, with: {url: 'https://a.example.org/h', headers: {X: plain}}}", []),
        (
            "{uses: http.health, with: {url: 'https://a.example.org/h', headers: {X: 'Bearer ${env:KEY}'}}}",
            ["sends headers.X with values of the environment to a.example.org"],
        ),
        (
            "{uses: http.health, with: {url: 'https://a.example.org/?t=${env:KEY}'}}",
            ["sends url with values of the environment to a.example.org"],
        ),
        (
            "{uses: http.health, with: {url: 'https://a.example.org', method: POST}}",
            ["writes with a POST to a.example.org"],
        ),
        (
            "{uses: llm.models, with: {url: 'https://b.example.org:8443', env: KEY}}",
            ["sends the environment variable KEY to b.example.org:8443"],
        ),
        ("{uses: llm.models, with: {secret: app/llm}}", ["sends the secret app/llm to api.anthropic.com"]),
        (
            "{uses: redis.upstash, with: {url: 'https://c.example.org'}}",
            ["sends the environment variable UPSTASH_REDIS_REST_TOKEN to c.example.org"],
        ),
        ("{uses: slack.webhook, with: {env: KEY}}", []),
        (
            "{uses: slack.webhook, with: {env: KEY, post: true, consent: true}}",
            ["sends the environment variable KEY to hooks.slack.com", "writes a message to hooks.slack.com"],
        ),
        (
            "{uses: postgres.pool, with: {dsn: '${env:DSN}'}}",
            ["sends the user and password of dsn to db.example.org:5433"],
        ),
        (
            "{uses: postgres.pool, with: {dsn: '${env:DSN}?host=e.example.org'}}",
            ["sends the user and password of dsn to e.example.org:5433"],
        ),
        (
            "{uses: postgres.pool, with: {dsn: 'host=f.example.org hostaddr=192.0.2.7 user=x'}}",
            ["sends the user and password of dsn to 192.0.2.7"],
        ),
        (
            "{uses: postgres.pool, with: {dsn: 'service=elsewhere'}}",
            ["sends the user and password of dsn to a host that the plan does not name"],
        ),
        ("{uses: s3.roundtrip, with: {bucket: files}}", []),
        ("{uses: s3.roundtrip, with: {bucket: files, consent: true}}", ["writes an object to the bucket files"]),
        ("{uses: s3.bucket, with: {bucket: '${env:KEY}'}}", []),
    ],
)
def test_what_a_probe_would_do_is_said_with_its_host_and_without_its_value(
    tmp_path: Path, probe: str, words: list[str]
) -> None:
    found = said(tmp_path, probe, {"KEY": SECRET, "DSN": DSN})
    assert found == words
    assert SECRET not in str(found)


def test_a_value_of_the_environment_in_a_host_name_is_not_shown(tmp_path: Path) -> None:
    (found,) = said(tmp_path, "{uses: http.health, with: {url: 'https://${env:KEY}.example.org'}}", {"KEY": SECRET})
    assert "***.example.org (of the environment: " in found
    assert SECRET not in found


@pytest.mark.parametrize(
    "probe",
    [
        "{uses: http.health, with: {url: 'https://${env:TO}/', headers: {Authorization: '${env:KEY}'}}}",
        "{uses: llm.models, with: {url: 'https://${env:TO}/', env: KEY}}",
        "{uses: postgres.query, with: {dsn: 'postgresql://a:${env:KEY}@${env:TO}/b', query: SELECT 1}}",
        "{uses: tls.certificate, with: {host: a.example.org, ca: '/${env:TO}'}}",
    ],
)
def test_another_host_or_file_of_the_environment_is_another_demand(tmp_path: Path, probe: str) -> None:
    """What was allowed for one is not allowed for the other, and neither is shown."""
    good, evil = tmp_path / "1", tmp_path / "2"
    good.mkdir()
    evil.mkdir()
    one = said(good, probe, {"KEY": SECRET, "TO": "good.example.org"})
    other = said(evil, probe, {"KEY": SECRET, "TO": "evil.example.org"})
    assert one
    assert not {*one} & {*other}
    assert "example.org" not in str([one, other]).replace("a.example.org", "")


def test_a_var_that_moves_a_secret_to_another_host_changes_the_words(tmp_path: Path) -> None:
    text = "{uses: llm.models, with: {url: 'https://${host}', env: KEY}}\nvars: {host: a.example.org}"
    assert said(tmp_path, text, host="evil.example.org") == ["sends the environment variable KEY to evil.example.org"]


@pytest.mark.parametrize(
    "probe",
    [
        "{{uses: file.env_example, with: {{path: '{path}', required: [A]}}}}",
        "{{uses: tls.certificate, with: {{host: a.example.org, ca: '{path}'}}}}",
    ],
)
def test_files_are_demands_outside_the_folder_of_the_plan_and_not_inside(tmp_path: Path, probe: str) -> None:
    outside, inside = tmp_path / "elsewhere", tmp_path / "plans" / "file"
    assert said(tmp_path, probe.format(path=outside)) == [f"reads {outside}"]
    inside.parent.rename(tmp_path / "before")
    assert said(tmp_path, probe.format(path=inside)) == []


def test_a_relative_path_is_one_of_the_plans_folder_wherever_the_cockpit_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, name in (
        ("file.env_example, with: {required: [A], path", "reads"),
        ("tailscale.status, with: {program", "runs"),
    ):
        for given, demanded in (("./in/file", "plans/in/file"), ("../file", "file"), ("in/../../file", "file")):
            where = tmp_path / f"{name}-{given.replace('/', '-')}"
            where.mkdir()
            monkeypatch.chdir(where)
            inside = name == "reads" and demanded.startswith("plans")
            found = said(where, f"{{uses: {kind}: '{given}'}}}}")
            assert found == ([] if inside else [f"{name} {where / demanded}"])
            monkeypatch.chdir("/")
            again = load_plan(where / "plans" / "plan.yaml", environ={})
            assert [str(each) for each in demands_of(again).get("one", ())] == found


def test_a_link_out_of_the_folder_is_outside(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/etc")
    probe = f"{{uses: file.env_example, with: {{path: '{link}/hostname', required: [A]}}}}"
    assert said(tmp_path, probe) == [f"reads {Path('/etc/hostname').resolve()}"]


def test_a_migration_names_the_host_of_its_database(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("""
plan: v1
name: p
target: {account: "123456789012", region: eu-central-1}
probes: {one: {uses: s3.bucket, with: {bucket: files}}}
migration:
  database: "${env:DSN}"
  bucket: files
  tables: [{name: documents, id: id}]
""")
    found = [str(each) for each in migration_demands(load_plan(file, environ={"DSN": DSN}))]
    assert "sends the user and password of migration.database to db.example.org:5433" in found
    assert SECRET not in str(found)


def test_a_kind_of_probe_that_does_not_say_what_it_demands_cannot_be_defined() -> None:
    with pytest.raises(TypeError, match="does not say what it demands"):
        type("Silent", (Probe,), {"name": "silent", "params_type": Params, "fields": ()})


@pytest.mark.parametrize("name", list(names()))
def test_whatever_takes_an_address_a_key_or_a_connection_string_demands_something(name: str) -> None:
    kind = find(name)
    telling = {"url", "dsn", "env", "token_env", "program", "ca", "folder", "path", "consent"}
    if telling & set(kind.params_type.model_fields):
        assert kind.demands != AWS_ALONE


SYNTHETIC = """
plan: v1
name: p
probes: {one: {uses: s3.bucket, with: {bucket: files}}}
synthetic:
  url: https://app.example.org:8443/shop
  for: 20m
  requests: [{path: /}, {path: /cart, method: POST, body: '{"item": 1}'}]
runbook: [{id: go, title: Go, action: synthetic.traffic}]
"""


def test_synthetic_traffic_is_demanded_with_its_host_its_rate_and_what_may_change(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(SYNTHETIC)
    loaded = load_plan(file, environ={})
    assert [str(each) for each in synthetic_demands(loaded)] == [
        "sends 30 requests a minute for 20m to app.example.org:8443: GET /, POST /cart",
        "writes what POST /cart of app.example.org:8443 change",
    ]
    assert all(any(str(each) in line for line in wanted_by(loaded)) for each in synthetic_demands(loaded))


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("synthetic:", "contacts: {a: b}\nsynthetic:", ""),
        ("for: 20m", "for: 9h", "at most 8h"),
        ("method: POST, ", "", "a GET has no body"),
        ("'{\"item\": 1}'", "'{item'", "the body is not JSON"),
        ("https://app.example.org:8443/shop", "ftp://app", "synthetic.url"),
        ("https://app.example.org:8443/shop", "https://user:word@app", "synthetic.url"),
        ("{path: /}, ", "{path: app}, ", "synthetic.requests[0].path"),
        ("action: synthetic.traffic", "action: {uses: synthetic.traffic, service: a/b}", "changes no service"),
    ],
)
def test_traffic_that_cannot_be_sent_is_refused_at_its_place(before: str, after: str, problem: str) -> None:
    text = SYNTHETIC.replace(before, after)
    assert text != SYNTHETIC
    if not problem:
        load_text(text, "p.yaml", environ={})
        return
    with pytest.raises(PlanError) as refused:
        load_text(text, "p.yaml", environ={})
    assert problem in " ".join(f"{each.path} {each.message}" for each in refused.value.problems)


def test_a_step_that_sends_traffic_the_plan_does_not_name_is_refused() -> None:
    head, _, rest = SYNTHETIC.partition("synthetic:\n")
    with pytest.raises(PlanError, match="this plan names no traffic"):
        load_text(head + rest[rest.index("runbook") :], "p.yaml", environ={})


def test_an_address_the_plan_names_may_be_reached_once_it_was_allowed(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("plan: v1\nname: p\nprobes:\n  one: {uses: http.health, with: {url: 'http://169.254.169.254/x'}}\n")
    plan, trusted = load_plan(file), TrustedPlans(tmp_path / "trusted.json")
    assert trusted.allowed_addresses(plan) == frozenset()
    trusted.add(plan, datetime.now(UTC), "a test")
    assert trusted.allowed_addresses(plan) == {"169.254.169.254"}
