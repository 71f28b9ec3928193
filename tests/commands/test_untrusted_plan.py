"""A plan nobody has allowed runs no program, sends no secret, reads no file outside its folder and writes nothing."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from commands.watched_site import Site
from support.cockpit_process import COCKPIT, ROOT
from support.plans.trusted_plan import allow
from support.pty_terminal import Terminal

from cockpit.cli.main import main
from cockpit.commands.live_session import migration_controller, open_watch
from cockpit.commands.migrate.group import COMMANDS
from cockpit.commands.options import LiveOptions
from cockpit.engine.ports import Refused
from cockpit.engine.trusted_plans import TrustedPlans
from cockpit.migration.states import PhaseName
from cockpit.plan.load import load_plan
from probes.demand import AWS_ALONE
from probes.registry import find

SECRET = "pw-Zeder-4711-Tanne"


@dataclass
class World:
    """What a plan could reach, and whether it did."""

    folder: Path
    site: Site
    database: socket.socket
    connected: list[object] = field(default_factory=list)

    @property
    def ran(self) -> Path:
        """There once the program has run."""
        return self.folder / "ran"

    @property
    def port(self) -> int:
        """Where what is connected to is counted and hears nothing."""
        return int(self.database.getsockname()[1])

    def reached(self) -> bool:
        return bool(self.ran.exists() or self.site.asked or self.connected)


@pytest.fixture
def world(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("KEY", SECRET)
    folder = tmp_path / "plans"
    folder.mkdir()
    program = folder / "tailscale.sh"
    program.write_text(f"#!/bin/sh\necho > '{folder}/ran'\necho '{{}}'\n")
    program.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as database:
        made = World(folder, site, database)
        monkeypatch.setenv("DSN", f"postgresql://me:{SECRET}@127.0.0.1:{made.port}/app")
        monkeypatch.setenv("HOOK", f"https://127.0.0.1:{made.port}/services/T0AB12CD3/B0AB12CD3/{SECRET}")
        thread = threading.Thread(target=_listen, args=(made,), daemon=True)
        thread.start()
        yield made
        database.shutdown(socket.SHUT_RDWR)
        thread.join()


def _listen(world: World) -> None:
    while True:
        try:
            connection, where = world.database.accept()
        except OSError:
            return
        world.connected.append(where)
        connection.close()


KINDS: dict[str, Callable[[World], str]] = {
    "a program": lambda w: f"{{uses: tailscale.status, with: {{program: '{w.folder}/tailscale.sh'}}}}",
    "a header": lambda w: f"{{uses: http.health, with: {{url: '{url(w)}', headers: {{X: '${{env:KEY}}'}}}}}}",
    "an address": lambda w: f"{{uses: http.health, with: {{url: '{url(w)}?key=${{env:KEY}}'}}}}",
    "a post": lambda w: f"{{uses: http.health, with: {{url: '{url(w)}', method: POST}}}}",
    "a key": lambda w: f"{{uses: llm.models, with: {{url: '{url(w)}', env: KEY}}}}",
    "a token": lambda w: f"{{uses: redis.upstash, with: {{url: '{url(w)}', token_env: KEY}}}}",
    "a message that has the plan's consent": lambda w: (
        f"{{uses: slack.webhook, with: {{host: '127.0.0.1:{w.port}', env: HOOK, post: true, consent: true}}}}"
    ),
    "a password": lambda w: "{uses: postgres.query, with: {dsn: '${env:DSN}', query: 'SELECT 1 AS value'}}",
}


def url(world: World) -> str:
    return f"http://127.0.0.1:{world.site.server_port}/"


def written(world: World, probe: str, more: str = "") -> Path:
    plan = world.folder / "plan.yaml"
    plan.write_text(f"plan: v1\nname: p\nprobes:\n  one: {probe}\n{more}")
    return plan


def invoked(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, list(arguments))
    return done.exit_code, done.output


def checked(plan: Path, *more: str) -> list[dict[str, Any]]:
    """The probes, as `cockpit check` shows them."""
    done = CliRunner().invoke(main, ["check", str(plan), "--format", "json", *more])
    return list(json.loads(done.stdout)["probes"])


def unknown(plan: Path, *more: str) -> list[dict[str, Any]]:
    """Why each field of the one probe is not known."""
    (probe,) = checked(plan, *more)
    return list(probe["unknown"].values())


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_neither_run_nor_sent_until_it_was_allowed(world: World, kind: str) -> None:
    plan = written(world, KINDS[kind](world))
    for why in unknown(plan):
        assert why["reason"] == "NOT_TRUSTED"
        assert f"cockpit trust {plan}" in why["hint"]
        assert SECRET not in str(why)
    code, text = invoked("doctor", str(plan))
    assert (code, "NOT_TRUSTED" in text) == (1, True)
    assert not world.reached()
    allow(plan)
    assert {why["reason"] for why in unknown(plan)} != {"NOT_TRUSTED"}
    assert world.reached()


def test_a_file_outside_its_folder_is_read_once_it_was_allowed(world: World) -> None:
    outside = world.folder.parent / ".env.example"
    outside.write_text("A=1\n")
    plan = written(world, f"{{uses: file.env_example, with: {{path: '{outside}', required: [A]}}}}")
    assert {why["reason"] for why in unknown(plan)} == {"NOT_TRUSTED"}
    allow(plan)
    assert "NOT_TRUSTED" not in {why["reason"] for why in unknown(plan)}


def test_a_file_of_its_folder_is_read_without_a_word_wherever_the_cockpit_was_started(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.folder / ".env.example").write_text("A=\n")
    plan = written(world, "{uses: file.env_example, with: {required: [A]}}")
    for folder in (world.folder, world.folder.parent, Path("/")):
        monkeypatch.chdir(folder)
        (probe,) = checked(plan)
        assert probe["known"]["missing"] == 0


def test_what_demands_nothing_is_read_beside_what_is_held_back(world: World) -> None:
    plan = written(world, KINDS["a header"](world), f"  two: {{uses: http.health, with: {{url: '{url(world)}'}}}}\n")
    one, two = checked(plan)
    assert (one["known"], two["known"]["ok"], world.site.asked) == ({}, True, 1)


def test_a_var_that_leads_elsewhere_and_a_change_of_the_plan_are_asked_again(world: World) -> None:
    plan = written(world, "{uses: llm.models, with: {url: 'http://${host}/', env: KEY}}", "vars: {host: 127.0.0.1:9}\n")
    allow(plan)
    assert {why["reason"] for why in unknown(plan)} != {"NOT_TRUSTED"}
    there = f"host=127.0.0.1:{world.site.server_port}"
    found = unknown(plan, "--var", there)
    assert {why["reason"] for why in found} == {"NOT_TRUSTED"}
    assert {"with the same --var" in why["hint"] for why in found} == {True}
    plan.write_text(plan.read_text() + "# changed\n")
    assert {why["reason"] for why in unknown(plan)} == {"NOT_TRUSTED"}
    assert not world.reached()


MIGRATION = """
migration:
  database: "${env:DSN}"
  bucket: docs
  tables: [{name: Document}]
  guards: [{id: calm, title: Calm, pause_if: "!one.running"}]
  ecs: {cluster: prod, task_definition: migration, subnets: [subnet-1]}
"""


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_no_command_of_the_migration_reaches_its_database(world: World, command: str) -> None:
    plan = written(world, KINDS["a program"](world), MIGRATION)
    code, text = invoked("migrate", command, str(plan))
    assert code == 1
    assert f"cockpit trust {plan}" in text
    assert SECRET not in text
    assert not world.reached()


async def test_nor_does_the_terminal(world: World) -> None:
    plan = load_plan(written(world, KINDS["a program"](world), MIGRATION))
    async with open_watch(plan, LiveOptions()) as watch, migration_controller(watch, LiveOptions()) as controller:
        assert controller is not None
        await controller.run()
        told = [controller.trouble, controller.go_on(), await controller.retry()]
        with pytest.raises(Refused) as refused:
            await controller.propose(PhaseName.COPY)
        told.append(str(refused.value))
        assert watch.notice == f"cockpit trust {plan.path}: NOT TRUSTED, 1 of 1 probe not read"
    assert all(f"cockpit trust {plan.path}" in text for text in told)
    assert not world.reached()


def test_what_the_migration_does_is_allowed_with_the_plan(world: World) -> None:
    plan = allow(written(world, KINDS["a program"](world), MIGRATION))
    _, text = invoked("migrate", "status", str(plan))
    assert "cockpit trust" not in text
    assert world.connected


def test_the_shipped_plan_reads_aws_without_anybodys_word() -> None:
    """All that demands something says what; nothing that only asks AWS is held back."""
    environ = dict.fromkeys(("DATABASE_URL", "MIGRATION_DATABASE_URL"), "postgresql://me@db.example.org/app")
    plan = load_plan(ROOT / "checklists" / "transparent-trust.yaml", environ=environ)
    held = TrustedPlans().held_back(plan, ())
    assert set(plan.probes) - set(held) >= {"identity", "service", "tasks", "site", "oauth"}
    aws_alone = {name for name, spec in plan.probes.items() if find(spec.uses).demands == AWS_ALONE}
    assert aws_alone
    assert not aws_alone & set(held)


def test_the_terminal_says_what_to_do_on_the_smallest_screen(world: World) -> None:
    plan = written(world, KINDS["a password"](world))
    terminal = Terminal([str(COCKPIT), "run", plan.name], width=80, height=24, folder=plan.parent)
    try:
        terminal.wait_for(b"cockpit trust plan.yaml")
    finally:
        terminal.kill()
    assert not world.reached()
