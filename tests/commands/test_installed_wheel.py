"""A wheel installed alone, in an environment and a folder of its own: each command of the pages, as a user types it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from support.cockpit_process import ROOT

pytestmark = pytest.mark.long

PAGES = ("README.md", *(f"docs/{name}.md" for name in ("plans", "night", "migration", "record", "stories", "schedule")))
NO_PAST, NO_PROFILE, NO_TERMINAL, NO_EXTRA, NOT_PROVABLE = 3, 64, 64, 64, 3
ENDS = {
    "init": NO_PROFILE,
    "rehearse": NO_TERMINAL,
    "run": NO_TERMINAL,
    "serve": NO_EXTRA,
    "backtest": NO_PAST,
    "doctor": 1,
    "check": NO_PAST,
    "replay": NO_TERMINAL,
    "journal": NOT_PROVABLE,
    "migrate": 65,
    "import": 0,
}
"""The exit code of a command where nothing is reachable, no terminal is there and nobody is named; else 0."""
SCREENS = {
    "cockpit rehearse --plan plan.yaml --headless": 0,
    "cockpit rehearse --plan plan.yaml --headless --fault trip:site.down": 2,
}
WORDS_OF_A_FAILURE = re.compile(r"Traceback|Error:|No module|cannot be read: No such file")
CHECKLIST = "# Go live\n## Before\n- [ ] The database answers\n## Rollback\n1. Deploy the release before\n"


def commands() -> list[str]:
    """Every command in a block of code of those pages, without what is said of it; alternatives as one each."""
    found: dict[str, None] = {}
    for page in PAGES:
        # The text within fences is every second piece.
        for block in re.split(r"^```.*\n", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE)[1::2]:
            for line in block.splitlines():
                typed = line.partition(" # ")[0].strip()
                words = typed.split()
                if words[:1] == ["cockpit"]:
                    found |= (
                        {typed.replace(words[2], each): None for each in words[2].split("|")}
                        if "|" in typed
                        else {typed: None}
                    )
    return list(found)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`cockpit` of the wheel, with what it requires as it is pinned, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    installing = [
        str(folder / "venv/bin/python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    required = subprocess.run(
        [*installing, "--require-hashes", "-r", str(ROOT / "requirements/run.txt")],
        capture_output=True,
        text=True,
        check=False,
    )
    if required.returncode:
        pytest.skip(f"what the wheel requires cannot be had here: {required.stderr.strip().splitlines()[-1]}")
    subprocess.run([*installing, str(wheel)], check=True)
    return folder / "venv/bin/cockpit"


def shell(program: Path, folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """As a user types it, in `folder`, who has no AWS settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON", "COCKPIT_"))}
    environ = kept | {
        "PATH": f"{program.parent}:/usr/bin:/bin",
        "HOME": str(folder / "home"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "us-east-1",
    }
    return subprocess.run(
        line, shell=True, cwd=folder, env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def test_every_command_of_the_pages_does_what_they_promise(program: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "CHECKLIST.md").write_text(CHECKLIST, encoding="utf-8")
    ready = "cockpit example minimal > minimal.yaml && cockpit rehearse --plan minimal.yaml --headless --keep RECORD"
    assert shell(program, tmp_path, ready).returncode == 0
    unlike = []
    for typed in commands():
        shell(program, tmp_path, "cp minimal.yaml plan.yaml && mkdir -p stories")
        (tmp_path / "stories" / "one.yaml").write_text(
            "story: v1\nplan: ../plan.yaml\ntitle: One\nexpect: [{at: 1m, verdict: HOLD}]\n", encoding="utf-8"
        )
        line = re.sub(r"\bPLAN\b", "plan.yaml", re.sub(r"--for 2m", "--for 2s", re.sub(r"\[[^]]*\]", "", typed)))
        done = shell(program, tmp_path, line.replace("s3://bucket/cutover", "share"))
        expected = SCREENS.get(typed, ENDS.get(shlex.split(typed)[1], 0))
        written = done.stderr + done.stdout
        if done.returncode != expected or WORDS_OF_A_FAILURE.search(written):
            unlike.append(f"{typed}: {done.returncode}, not {expected}: {written[:600]}")
    assert not unlike, "\n".join(unlike)


def test_nothing_of_the_checkout_is_needed_for_what_lists_and_completes(program: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    for line in (
        "_COCKPIT_COMPLETE=bash_source cockpit",
        "cockpit keys",
        "cockpit probes ecs.service",
        "cockpit --version",
    ):
        done = shell(program, tmp_path, line)
        assert (done.returncode, done.stderr) == (0, ""), line
    for name in ("part", "vars", "story"):
        assert shell(program, tmp_path, f"cockpit schema {name}").stdout.startswith("{")
    for name in shell(program, tmp_path, "cockpit example").stdout.splitlines():
        plan = name.split()[0]
        assert name.rstrip()[-1] in ".?", f"an example is described in a whole sentence: {name}"
        assert shell(program, tmp_path, f"cockpit example {plan} | cockpit validate -").returncode == 0, plan
    lacking = shell(program, tmp_path, "cockpit rehearse --headless")
    assert lacking.returncode == 64
    assert "pipx install --force '.[rehearsal]'" in lacking.stderr
