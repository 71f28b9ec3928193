"""The command line as a user meets it: real processes, real exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands.watched_site import Site
from support.cockpit_process import COCKPIT, ROOT, cockpit
from support.pty_terminal import Terminal


@pytest.fixture
def plan(tmp_path: Path, site: Site) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(
        f"""
plan: v1
name: small
environment: test
verdict_dwell: 0s
probes:
  site: {{uses: http.health, with: {{url: "http://127.0.0.1:{site.server_port}/"}}, interval: 1s}}
success_criteria:
  - {{id: up, title: The site answers, success_condition: site.ok}}
rollback_triggers:
  - {{id: down, title: The site fails, failure_condition: "!site.ok"}}
"""
    )
    return path


def test_check_exits_0_when_everything_holds(plan: Path) -> None:
    done = cockpit("check", str(plan))
    assert (done.returncode, done.stdout.splitlines()[0].split()[1]) == (0, "GO")


def test_check_exits_2_and_names_the_trigger_when_one_trips(plan: Path, site: Site) -> None:
    site.status = 500
    done = cockpit("check", str(plan))
    assert done.returncode == 2
    assert "The site fails" in done.stdout


def test_check_exits_1_while_something_is_missing(plan: Path) -> None:
    text = plan.read_text().replace("success_condition: site.ok", "success_condition: site.ok, for: 10m")
    plan.write_text(text)
    done = cockpit("check", str(plan), "--for", "2s")
    assert done.returncode == 1
    assert "HOLDING" in done.stdout


def test_check_exits_3_when_nothing_can_be_seen(plan: Path, site: Site) -> None:
    site.shutdown()
    site.server_close()
    done = cockpit("check", str(plan))
    assert done.returncode == 3
    assert "UNREACHABLE" in done.stdout


def test_check_prints_one_json_situation(plan: Path) -> None:
    found = json.loads(cockpit("check", str(plan), "--format", "json").stdout)
    assert found["verdict"]["word"] == "GO"
    assert found["criteria"][0]["because"]["observed"][0]["path"] == "site.ok"


def test_a_plan_for_an_account_stops_without_credentials_before_the_first_probe(plan: Path) -> None:
    plan.write_text(
        plan.read_text().replace(
            "environment: test", 'environment: test\ntarget: {account: "123456789012", region: us-east-1}'
        )
    )
    done = cockpit("check", str(plan))
    assert done.returncode == 3
    assert "cannot determine the AWS account" in done.stderr
    assert done.stdout == ""


def test_without_the_account_no_record_begins_and_none_is_shared(plan: Path, tmp_path: Path) -> None:
    target = 'environment: test\ntarget: {account: "123456789012", region: us-east-1}'
    plan.write_text(plan.read_text().replace("environment: test", target))
    share, state = tmp_path / "share", tmp_path / "state"
    share.mkdir()
    nobody = {name: "" for name in os.environ if name.startswith("AWS_")}
    nobody |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "XDG_STATE_HOME": str(state)}
    terminal = Terminal([str(COCKPIT), "run", str(plan), "--share", str(share)], env=nobody)
    printed = terminal.read_until(terminal.ended)
    assert terminal.code == 3
    assert b"cannot determine the AWS account" in printed
    assert not list(share.iterdir())
    assert not list(state.rglob("*.jsonl"))


@pytest.mark.world
def test_another_account_than_the_plans_stops_before_the_first_probe(plan: Path, site: Site) -> None:
    from cockpit.engine.clock import SessionClock
    from cockpit.rehearsal.aws.simulation import SimulatedAws

    target = 'environment: test\ntarget: {account: "999999999999", region: us-east-1}'
    plan.write_text(plan.read_text().replace("environment: test", target))
    aws = SimulatedAws(SessionClock())
    environ = {
        "AWS_ENDPOINT_URL": aws.start(),
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "x",
        "NO_PROXY": "127.0.0.1",
    }
    try:
        done = cockpit("check", str(plan), **environ)
    finally:
        aws.stop()
    assert done.returncode == 3
    assert "these credentials are for account 123456789012" in done.stderr
    assert site.asked == 0


def test_validate_prints_every_problem_with_its_place_and_exits_65(plan: Path) -> None:
    text = plan.read_text().replace("site.ok}", "site.okk}").replace("http.health", "http.helth")
    plan.write_text(text + "  - {id: up, title: Again, failure_condition: site.ok}\n")
    done = cockpit("validate", str(plan))
    assert done.returncode == 65
    assert "did you mean 'http.health'" in done.stderr
    assert "'up' is already" in done.stderr


def test_validate_summarises_the_shipped_plans() -> None:
    for name in ("minimal.yaml", "transparent-trust.yaml"):
        done = cockpit("validate", f"checklists/{name}")
        assert done.returncode == 0, done.stderr


def test_validate_prints_problems_and_summaries_for_machines() -> None:
    sound = json.loads(cockpit("validate", "checklists/minimal.yaml", "--format", "json").stdout)
    assert (sound["version"], sound["valid"], sound["problems"], sound["never_go"]) == (1, True, [], [])
    assert sound["earliest_go_s"] > 0
    done = cockpit("validate", "-", "--format", "json", given="plan: v1\nname: x\nprobes: {a: {uses: http.helth}}\n")
    broken = json.loads(done.stdout)
    assert (done.returncode, broken["valid"]) == (65, False)
    (wrong,) = [each for each in broken["problems"] if "http.helth" in each["message"]]
    assert (wrong["file"], wrong["line"], wrong["path"]) == ("standard input", 3, "probes.a.uses")


def test_a_plan_can_be_piped_to_what_only_reads_it() -> None:
    text = cockpit("example", "minimal").stdout
    for command in ("validate", "lint", "iam"):
        done = cockpit(command, "-", given=text)
        assert (done.returncode, done.stderr) == (0, ""), command
    for command in ("check", "run", "trust", "doctor"):
        done = cockpit(command, "-", given=text)
        assert done.returncode == 64
        assert "give a file here" in done.stderr


def test_examples_are_listed_and_printed_as_they_are_shipped() -> None:
    listed = cockpit("example").stdout
    assert [line for line in listed.splitlines() if line[-1] not in ".?"] == [], "each in a whole sentence"
    for path in Path("checklists").glob("*.yaml"):
        assert f"{path.stem} " in listed
        assert cockpit("example", path.stem).stdout == path.read_text()
    assert cockpit("schema").stdout == Path("checklists/plan.v1.schema.json").read_text()
    done = cockpit("example", "minimla")
    assert done.returncode == 64
    assert "minimal" in done.stderr


def test_a_missing_variable_of_the_environment_is_a_problem_when_it_is_needed() -> None:
    done = cockpit("check", "checklists/transparent-trust.yaml", DATABASE_URL="")
    assert done.returncode == 65
    assert "DATABASE_URL is not set" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["nonsense"],
        ["check", "plan.yaml", "--for", "soon"],
        ["check", "p", "--var", "x"],
        ["backtest", "checklists/minimal.yaml", "--from", "999999d"],
        ["backtest", "checklists/orders.yaml", "--from", "0001-01-01T00:00Z"],
        ["backtest", "checklists/orders.yaml", "--from", "1d", "--to", "0001-01-01T00:00Z"],
        ["rehearse", "--plan", "checklists/minimal.yaml", "--headless", "--keep", "README.md"],
    ],
)
def test_wrong_usage_exits_64(arguments: list[str]) -> None:
    assert cockpit(*arguments).returncode == 64


def test_probes_lists_and_shows() -> None:
    assert "ecs.service" in cockpit("probes").stdout
    shown = cockpit("probes", "ecs.service").stdout
    assert "ecs:DescribeServices" in shown
    assert "running" in shown
    assert cockpit("probes", "ecs.servce").returncode == 64


def test_rehearse_lists_its_scenarios() -> None:
    listed = cockpit("rehearse", "--list").stdout
    assert {"smooth", "bad-release", "crash-loop", "pool-exhaustion", "s3-denied", "blind"} <= set(listed.split())


def test_an_output_without_room_is_one_line_and_its_own_code() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cockpit", "validate", "checklists/minimal.yaml"],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (73, "cannot write the output: No space left on device\n")
