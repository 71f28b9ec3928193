"""A folder that holds modules of the same names as ours changes nothing of what is run in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.waiting import LAST_RESORT_S

from cockpit.migration.ecs_workers import WORKER
from probes.clients.child_environment import PHASE, WORLD
from probes.clients.child_environment import WORKER as WORKER_CHILD
from probes.clients.child_process import program, python_module

ROOT = Path(__file__).parents[2]
NAMES = (
    "secrets.py",
    "psycopg.py",
    "yaml.py",
    "click.py",
    "sitecustomize.py",
    "usercustomize.py",
    "asyncio/__init__.py",
)
OURS = ("probes/__init__.py", "checklists/__init__.py")
TOUCHED = "import os, pathlib\npathlib.Path(os.environ['TOUCHED']).touch()\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    hostile = tmp_path / "hostile"
    for name in (*NAMES, *OURS):
        path = hostile / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TOUCHED)
    return hostile


def run(folder: Path, *command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=LAST_RESORT_S, check=False
    )


@pytest.mark.parametrize(
    "command",
    [
        (str(Path(sys.executable).with_name("cockpit")), "validate", "no-such-plan.yaml"),
        (sys.executable, "-m", "cockpit", "validate", "no-such-plan.yaml"),
        python_module(PHASE, "cockpit", "validate", "no-such-plan.yaml").words,
    ],
    ids=["the installed script", "python -m", "a child"],
)
def test_what_a_folder_holds_is_not_imported(folder: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    touched = tmp_path / "touched"
    done = run(folder, *command, env=os.environ | {"TOUCHED": str(touched)})
    assert not touched.exists()
    assert "no-such-plan.yaml" in done.stderr
    assert done.returncode == 65


def test_a_childs_environment_leads_to_no_other_code(folder: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    led = {"TOUCHED": str(touched), "PYTHONPATH": str(folder), "PYTHONSTARTUP": "secrets.py", "LD_PRELOAD": "./x.so"}
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **led}
    command = python_module(WORLD, "cockpit", "validate", "no-such-plan.yaml", environ=environ, reads=(*led, "HOME"))
    done = run(folder, *command.words, env={**command.environment})
    assert not touched.exists()
    assert "no-such-plan.yaml" in done.stderr
    assert set(command.environment) == {"PATH", "HOME", "TOUCHED", "PYTHONSAFEPATH"}


def test_a_program_is_found_in_no_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "cockpit-only-here"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.pathsep}{os.environ['PATH']}")
    for name in (own.name, f"./{own.name}"):
        with pytest.raises(FileNotFoundError):
            program(name)
    assert program(str(own)).words == (str(own),)
    assert "." not in program("true").environment["PATH"].split(os.pathsep)


def test_the_interpreter_is_named_in_one_place() -> None:
    """Whoever starts Python takes its command from there: safe path, same interpreter."""
    named = [
        str(path.relative_to(ROOT))
        for room in ("cockpit", "probes")
        for path in (ROOT / room).rglob("*.py")
        if re.search(r"\bsys\.executable\b", path.read_text())
    ]
    assert named == ["probes/clients/child_process.py"]


@pytest.mark.parametrize("command", [(*WORKER, "1"), python_module(WORKER_CHILD, "cockpit.migration", "1").words])
def test_a_worker_anywhere_is_started_with_a_safe_path(folder: Path, command: tuple[str, ...], tmp_path: Path) -> None:
    """The words a task's container runs, and those of a worker on this machine."""
    touched = tmp_path / "touched"
    done = run(folder, sys.executable, *command[1:], env={"PATH": os.environ["PATH"], "TOUCHED": str(touched)})
    assert not touched.exists()
    assert "COCKPIT_MIGRATION_DATABASE" in done.stderr
