"""What each kind of child process really gets of an environment full of what it must not have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import botocore.loaders
import botocore.session
import pytest
from psycopg.pq import Conninfo
from pydantic import ValidationError

from cockpit.migration.controller import Controller
from cockpit.migration.ecs_workers import WORKER as COMMAND
from cockpit.migration.local_workers import LocalWorkers
from cockpit.migration.states import PhaseName
from cockpit.plan.model import Migration
from cockpit.rehearsal.aws.ecs.ecs import EcsSimulation
from cockpit.rehearsal.process.launcher import Rehearsal
from cockpit.rehearsal.process.migration_workers import Movers
from probes.clients.child_environment import (
    AWS,
    AWS_SERVICES,
    KINDS,
    NETWORK,
    PERSON,
    PHASE,
    POSTGRES,
    PROGRAM,
    PYTHON,
    SESSION,
    WORKER,
    WORLD,
    ChildKind,
    child_environment,
    leads_elsewhere,
)
from probes.clients.child_process import Command, complete, program
from probes.clients.clients import AwsOptions, Clients
from probes.local.external_command import CommandParams, ExternalCommand

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
GIVEN = {
    **{name: "x" for kind in KINDS for name in kind.names},
    "PGOPTIONS": "-c default_transaction_read_only=off",
    **dict.fromkeys(("AWS_OTHER", "AWS_DATA_PATH", "PGOTHER", "COCKPIT_OTHER", "LC_OTHER", "XDG_OTHER"), "x"),
    **dict.fromkeys(("COCKPIT_SLACK_WEBHOOK", "COCKPIT_PAGERDUTY_KEY", "COCKPIT_VARS", "COCKPIT_SETTINGS"), "x"),
    **dict.fromkeys(("ECS_CONTAINER_METADATA_URI_V4", "GITHUB_TOKEN", "DATABASE_URL", "OUR_TOKEN"), "x"),
    **dict.fromkeys(("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES"), ""),
}
CLOUD = re.compile("AWS_|PG")
ALWAYS = {"PATH", "PYTHONSAFEPATH"}


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)


async def got(command: Command) -> set[str]:
    """The names that a process with this environment finds in it; none of a value is shown."""
    done = await complete(Command(program("env").words, command.environment), timeout_s=60)
    names = {line.partition("=")[0] for line in done.out.splitlines()}
    print(*sorted(names))
    return names


async def test_a_worker_gets_its_database_aws_and_libpq_by_name(crowded: None) -> None:
    expected = WORKER.names | ALWAYS | {"COCKPIT_MIGRATION_DATABASE"}
    assert await got(LocalWorkers("host=/nowhere", 1, 1).command()) == expected


async def test_a_phase_gets_also_what_its_plan_reads_and_what_the_operator_allowed(crowded: None) -> None:
    migration = Migration("host=/nowhere", "bucket", "eu-west-1", ())
    made = Controller(migration, "plan.yaml", reads=("OUR_TOKEN", "LD_PRELOAD", "PATH"))
    expected = PHASE.names | ALWAYS | {"COCKPIT_VARS", "OUR_TOKEN"}
    assert await got(made.command(PhaseName.COPY, "")) == expected


async def test_a_simulated_environment_gets_nothing_of_aws_postgresql_or_a_proxy(crowded: None) -> None:
    names = await got(Rehearsal().command())
    assert names == WORLD.names | ALWAYS | {"AWS_EC2_METADATA_DISABLED", "NO_PROXY"}
    assert {name for name in names if CLOUD.match(name)} == {"AWS_EC2_METADATA_DISABLED"}


async def test_a_simulated_task_gets_the_simulated_accounts_alone(crowded: None, tmp_path: Path) -> None:
    environment = {"PATH": "/bin", "AWS_REGION": "eu-west-1", **dict.fromkeys(("COCKPIT_CLOCK", "DATABASE_URL"), "x")}
    made = Movers(EcsSimulation(lambda: NOW, "1" * 12, "eu-west-1"), environment, "host=/nowhere", tmp_path / "log")
    assert await got(made.worker((*COMMAND, "1"))) == ALWAYS | {"AWS_REGION", "COCKPIT_MIGRATION_DATABASE"}


async def test_a_program_of_a_plan_gets_what_the_plan_names(crowded: None, tmp_path: Path) -> None:
    """PWD, SHLVL and _ are its shell's own."""
    script = tmp_path / "names.sh"
    script.write_text("#!/bin/sh\nenv | cut -d= -f1 | tr '\\n' ' '\n")
    script.chmod(0o700)
    clients = Clients(AwsOptions())
    for named in ([], ["OUR_TOKEN"]):
        params = CommandParams.model_validate({"program": str(script), "environment": named})
        reading = await ExternalCommand(params, clients).read(NOW)
        print(reading.values["output"])
        assert set(str(reading.values["output"]).split()) - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", *named}
    await clients.close()


async def test_another_program_gets_no_credentials(crowded: None) -> None:
    assert await got(program("env")) == PROGRAM.names | {"PATH"}


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "PYTHONPATH", "NODE_OPTIONS", "BASH_ENV"])
def test_no_plan_names_what_leads_a_program_to_other_code(name: str) -> None:
    with pytest.raises(ValidationError, match="other code"):
        CommandParams.model_validate({"program": "true", "environment": [name]})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.title))
def test_no_kind_gets_a_name_that_is_not_on_its_list(kind: ChildKind) -> None:
    kept = child_environment(kind, GIVEN | {"PATH": "/bin:.::bin"})
    assert kept == {name: GIVEN[name] for name in kind.names} | {"PATH": "/bin"}
    assert not {name for name in kept if leads_elsewhere(name)} - {"PATH"} - PYTHON


def test_whatever_libpq_reads_is_on_the_list_or_left_out_on_purpose() -> None:
    """Else a worker reaches another database than its starter."""
    read = {option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    assert read - POSTGRES == {"PGOPTIONS", "PGAPPNAME"}


def test_whatever_botocore_finds_its_credentials_and_region_by_is_on_the_list() -> None:
    session = botocore.session.Session()
    read = {name for _, names, _, _ in session.session_var_map.values() for name in _listed(names)}
    left_out = {name for name in read - AWS if name.startswith("AWS_")}
    assert left_out == {
        *("AWS_DATA_PATH", "AWS_CSM_ENABLED", "AWS_CSM_HOST", "AWS_CSM_PORT", "AWS_CSM_CLIENT_ID"),
        "AWS_ENDPOINT_DISCOVERY_ENABLED",
    }


def _listed(names: str | Sequence[str] | None) -> Sequence[str]:
    return [names] if isinstance(names, str) else names or ()


def test_every_service_that_is_asked_can_be_elsewhere() -> None:
    """Where AWS is reached by addresses of one's own, a phase asks the same ones as the cockpit."""
    called = re.compile(r"""\b(?:aws|call|client)\(\s*"([a-z][a-z0-9-]+)",\s""")
    sources = [path for room in ("probes", "cockpit") for path in (ROOT / room).rglob("*.py")]
    asked = {name for path in sources if "rehearsal" not in path.parts for name in called.findall(path.read_text())}
    known = asked & set(botocore.loaders.create_loader().list_available_services("service-2"))
    assert len(known) > 15
    own = {"elbv2": "ELASTIC_LOAD_BALANCING_V2", "logs": "CLOUDWATCH_LOGS", "secretsmanager": "SECRETS_MANAGER"}
    assert {f"AWS_ENDPOINT_URL_{own.get(name, name.upper())}" for name in known} <= AWS | AWS_SERVICES


def test_the_page_on_trust_lists_every_kind_with_its_groups() -> None:
    page = (ROOT / "docs" / "trust.md").read_text()
    groups = {"PERSON": PERSON, "PYTHON": PYTHON, "NETWORK": NETWORK, "AWS": AWS, "POSTGRES": POSTGRES}
    groups |= {"AWS_SERVICES": AWS_SERVICES, "SESSION": SESSION}
    for kind in KINDS:
        gets = [f"`{name}`" for name, names in groups.items() if names <= kind.names]
        assert f"| {kind.title} | {', '.join(gets) or 'nothing'} |" in page
