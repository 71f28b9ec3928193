"""A program, or a script, that is no longer what the operator allowed is not run, whenever it was changed and by whom."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.clock import HandClock
from support.plans.trusted_plan import allow

from cockpit.cli.main import main
from cockpit.engine.poller import LiveSource
from cockpit.engine.trusted_plans import TrustedPlans, wanted_by
from cockpit.plan.load import load_plan
from cockpit.plan.model import Plan
from probes.clients.clients import AwsOptions, Clients
from probes.held_files import digest_of, files_in, open_to_others
from probes.reading import Reading, Reason, Unknown

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
CHECK = "#!/bin/sh\necho 'OK - as allowed'\n"
OTHER = "#!/bin/sh\necho 'OK - as somebody else wants it'\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = tmp_path / "plans"
    made.mkdir(mode=0o755)
    written(made / "check.sh", CHECK)
    return made


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def plan_of(folder: Path, probe: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(f"plan: v1\nname: p\nprobes:\n  one: {{uses: command, with: {probe}}}\n")
    return path


async def read(plan: Plan) -> Reading:
    """One reading, as a session of this plan takes it."""
    trusted = TrustedPlans()
    refusal = partial(trusted.refusal, plan, ())
    source = LiveSource(plan, Clients(AwsOptions()), HandClock(NOW), trusted.held_back(plan, ()), refusal)
    try:
        return await source.loops["one"].read()
    finally:
        await source.close()


def refused(reading: Reading) -> Unknown:
    (why,) = set(reading.unknown.values())
    assert why.reason is Reason.NOT_TRUSTED
    return why


WAYS = {
    "a path": "{program: ./check.sh}",
    "a script given to a program": "{program: sh, arguments: [check.sh]}",
    "a script by its whole path": "{program: sh, arguments: ['FOLDER/check.sh']}",
    "a script in an option": "{program: sh, arguments: [-c, 'exec FOLDER/check.sh', '--file=check.sh']}",
    "a name on PATH": "{program: check.sh}",
    "a link": "{program: ./link.sh}",
}


@pytest.mark.parametrize("way", WAYS)
async def test_it_runs_as_it_was_allowed_and_is_refused_once_it_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.chdir(folder)
    (folder / "link.sh").symlink_to("check.sh")
    plan = load_plan(allow(plan_of(folder, WAYS[way].replace("FOLDER", str(folder)))))
    assert (await read(plan)).values["output"] == "OK - as allowed"
    before = (folder / "check.sh").stat()
    written(folder / "check.sh", OTHER)
    os.utime(folder / "check.sh", ns=(before.st_atime_ns, before.st_mtime_ns))
    why = refused(await read(plan))
    assert "changed since it was allowed" in why.detail
    assert "check.sh as it is now" in why.detail
    assert f"cockpit trust {plan.path}" in why.hint
    allow(Path(plan.path))
    assert (await read(plan)).values["output"] == "OK - as somebody else wants it"


async def test_a_change_while_the_cockpit_runs_is_refused_and_allowed_again_without_a_restart(folder: Path) -> None:
    plan = load_plan(allow(plan_of(folder, "{program: ./check.sh}")))
    trusted = TrustedPlans()
    source = LiveSource(plan, Clients(AwsOptions()), HandClock(NOW), {}, partial(trusted.refusal, plan, ()))
    loop = source.loops["one"]
    assert (await loop.read()).values["ok"]
    written(folder / "check.sh", OTHER)
    refused(await loop.read())
    allow(Path(plan.path))
    assert (await loop.read()).values["output"] == "OK - as somebody else wants it"
    assert trusted.remove(plan)
    refused(await loop.read())
    await source.close()


async def test_what_was_replaced_between_the_look_and_its_end_does_not_count(folder: Path) -> None:
    """The script replaces itself while it runs, as somebody else may between the look and the start."""
    itself = written(folder / "check.sh", f"#!/bin/sh\ncp '{folder}/next' '{folder}/check.sh'\necho 'OK - fine'\n")
    written(folder / "next", OTHER)
    plan = load_plan(allow(plan_of(folder, "{program: ./check.sh}")))
    refused(await read(plan))
    assert itself.read_text() == OTHER


async def test_a_program_that_comes_first_on_path_later_is_another(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first"
    first.mkdir(mode=0o755)
    monkeypatch.setenv("PATH", f"{first}:{folder}:{os.environ['PATH']}")
    plan = load_plan(allow(plan_of(folder, "{program: check.sh}")))
    assert (await read(plan)).values["ok"]
    written(first / "check.sh", CHECK)
    refused(await read(plan))


async def test_a_link_that_leads_elsewhere_is_another(folder: Path) -> None:
    (folder / "link.sh").symlink_to("check.sh")
    plan = load_plan(allow(plan_of(folder, "{program: ./link.sh}")))
    (folder / "link.sh").unlink()
    (folder / "link.sh").symlink_to(written(folder / "other.sh", CHECK))
    refused(await read(plan))


@pytest.mark.parametrize("place", ["plans", "plans/check.sh", "elsewhere"])
async def test_where_others_may_write_nothing_is_run_and_trust_says_so(folder: Path, place: str) -> None:
    """The folder of a link's target counts as well."""
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    written(elsewhere / "real.sh", CHECK)
    (folder / "link.sh").symlink_to(elsewhere / "real.sh")
    program = "./link.sh" if place == "elsewhere" else "./check.sh"
    plan = load_plan(allow(plan_of(folder, f"{{program: {program}}}")))
    assert (await read(plan)).values["ok"]
    shared = folder.parent / place
    shared.chmod(0o777)
    why = refused(await read(plan))
    assert f"others may change {shared}" in why.detail
    assert f"chmod go-w {shared}" in why.hint
    listed = CliRunner().invoke(main, ["trust", plan.path, "--list"]).output
    assert f"not run while others may change these: chmod go-w, or chown them\n  {shared}\n" in listed
    shared.chmod(0o1777 if shared.is_dir() else 0o755)
    assert (await read(plan)).values["ok"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")
def test_what_belongs_to_somebody_else_is_open_to_them(folder: Path) -> None:
    os.chown(folder / "check.sh", 12345, 0)
    assert open_to_others(folder / "check.sh") == str(folder / "check.sh")


def test_what_was_shown_is_what_is_allowed(folder: Path) -> None:
    """It may change while the operator reads the list."""
    plan = load_plan(plan_of(folder, "{program: ./check.sh}"))
    shown = tuple(CliRunner().invoke(main, ["trust", plan.path, "--list"]).output.splitlines()[1:-1])
    written(folder / "check.sh", OTHER)
    TrustedPlans().add(plan, NOW, "me", tuple(line.strip() for line in shown))
    assert not TrustedPlans().holds(plan)


def test_it_is_the_same_wherever_the_cockpit_was_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(folder, "{program: sh, arguments: [./check.sh]}")
    found = set()
    for start in (folder, folder.parent):
        monkeypatch.chdir(start)
        found.add(wanted_by(load_plan(os.path.relpath(plan))))
    assert [len(lines) for lines in found] == [3]


def test_data_that_changes_all_the_time_is_not_held(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "syslog"
    log.write_text("now\n")
    assert not list(files_in([str(log), "-n", "1", "", "no\0name", "--x="], folder))
    script = tmp_path / "script"
    script.write_text("#!/usr/bin/perl\n")
    assert list(files_in([str(script)], folder)) == [script]


def test_what_is_no_file_or_may_not_be_read_has_no_digest(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "circle").symlink_to("circle")
    for name in ("pipe", "circle", "nothing", "."):
        assert digest_of(folder / name) == ""
        assert open_to_others(folder / name) == ""
