"""Programs of the operator's: what plug-ins and JSON printers say, and all they may do wrong."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support.waiting import until

from probes.clients.clients import AwsOptions, Clients
from probes.demand import Asked
from probes.local.external_command import CommandParams, ExternalCommand
from probes.reading import Reading, Reason

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
Script = Callable[[str], str]
PERFDATA = "OK - 12 messages | 'queue depth'=12;50;100;0 time=5ms;;; size=2KB used=41.5%;80;90 left=U rate=3c"
FIELDS = {
    "depth": {"type": "int", "source": "queue depth", "unit": "count"},
    "time_s": {"type": "float", "source": "time", "unit": "s"},
    "time_ms": {"type": "float", "source": "time", "unit": "ms"},
    "size": {"type": "int", "unit": "bytes"},
    "used": {"type": "float", "unit": "ratio"},
    "rate": {"type": "int"},
}


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


@pytest.fixture
def script(tmp_path: Path) -> Script:
    def make(body: str) -> str:
        program = tmp_path / "check"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o700)
        return str(program)

    return make


async def read(clients: Clients, program: str, **params: Any) -> Reading:
    return await ExternalCommand(CommandParams.model_validate({"program": program} | params), clients).read(NOW)


async def test_a_plug_in_and_its_perfdata_in_the_plan_s_units(clients: Clients, script: Script) -> None:
    reading = await read(clients, script(f'echo "{PERFDATA}"'), fields=FIELDS)
    assert reading.values == {
        "ok": True,
        "state": "OK",
        "code": 0,
        "output": "OK - 12 messages",
        "depth": 12,
        "time_s": 0.005,
        "time_ms": 5.0,
        "size": 2048,
        "used": 0.415,
        "rate": 3,
    }


async def test_perfdata_of_later_lines_counts_too(clients: Clients, script: Script) -> None:
    out = "printf 'OK | a=1\\nmore text\\nand more | b=2\\nc=3\\n'"
    fields = {name: {"type": "int"} for name in "abc"}
    values = (await read(clients, script(out), fields=fields)).values
    assert (values["a"], values["b"], values["c"]) == (1, 2, 3)


@pytest.mark.parametrize(("code", "state"), [(1, "WARNING"), (2, "CRITICAL")])
async def test_a_warning_is_an_answer(clients: Clients, script: Script, code: int, state: str) -> None:
    values = (await read(clients, script(f"echo bad; exit {code}"))).values
    assert (values["ok"], values["state"], values["code"]) == (False, state, code)


@pytest.mark.parametrize("end", ["exit 3", "exit 127", "kill -9 $$"])
async def test_any_other_end_is_unknown(clients: Clients, script: Script, end: str) -> None:
    reading = await read(clients, script(f"echo no route; {end}"))
    assert not reading.values
    assert reading.unknown["ok"].reason is Reason.ERROR
    assert "no route" in reading.unknown["ok"].detail


async def test_a_value_it_could_not_get_is_unknown_by_itself(clients: Clients, script: Script) -> None:
    fields = {"left": {"type": "float"}, "gone": {"type": "float"}, "used": FIELDS["used"]}
    reading = await read(clients, script(f'echo "{PERFDATA}"'), fields=fields)
    assert {name: unknown.reason for name, unknown in reading.unknown.items()} == {
        "left": Reason.NO_DATA,
        "gone": Reason.NO_DATA,
    }


async def test_one_json_object(clients: Clients, script: Script) -> None:
    fields = {"depth": {"type": "int", "source": "queue.depth"}, "lag": {"type": "float"}, "mode": {"type": "str"}}
    body = """echo '{"queue.depth": 12, "mode": "rw", "lag": "3"}'"""
    reading = await read(clients, script(body), format="json", fields=fields)
    assert (reading.values["depth"], reading.values["mode"], reading.values["ok"]) == (12, "rw", True)
    assert reading.unknown["lag"].reason is Reason.ERROR


@pytest.mark.parametrize("body", ["echo '[1]'", "echo '{} {}'", "true", "echo '{}'; exit 1"])
async def test_what_prints_no_object_is_unknown(clients: Clients, script: Script, body: str) -> None:
    assert (await read(clients, script(body), format="json")).unknown["ok"].reason is Reason.ERROR


async def test_it_gets_the_variables_that_are_named_and_no_others(
    clients: Clients, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANTED", "w4nted-by-the-plan")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-it")
    program = script(
        'echo "$(env | cut -d= -f1 | grep -v "^_$\\|^PWD$\\|^SHLVL$\\|^OLDPWD$" | sort | tr "\\n" " ") $WANTED"'
    )
    reading = await read(clients, program, environment=["WANTED"])
    assert reading.values["output"] == "PATH WANTED ***"
    assert (await read(clients, program, environment=["NOT_SET_HERE"])).unknown["ok"].reason is Reason.NOT_FOUND


async def test_arguments_are_words_and_there_is_no_shell(clients: Clients, script: Script) -> None:
    reading = await read(clients, script('echo "$# $1"'), arguments=["a; exit 2", "$(id)"])
    assert reading.values["output"] == "2 a; exit 2"


async def test_at_its_deadline_it_ends_with_everything_it_started(
    clients: Clients, script: Script, tmp_path: Path
) -> None:
    program = script(f'sleep 600 & echo $! > "{tmp_path}/child"; wait')
    reading = await read(clients, program, timeout="5s")
    assert reading.unknown["ok"].reason is Reason.TIMEOUT
    child = int((tmp_path / "child").read_text())

    def is_gone() -> bool:
        with suppress(ProcessLookupError):
            os.kill(child, 0)
            return Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"
        return True

    await until(is_gone)


async def test_what_is_not_there_is_not_found(clients: Clients, tmp_path: Path) -> None:
    assert (await read(clients, str(tmp_path / "none"))).unknown["ok"].reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("holds", "why"),
    [
        (b"#!/usr/bin/no-such-interpreter\n", "is there, and the interpreter that its first line (#!) names is not"),
        (b"\x7fELF, they say", "is no program that this machine can run"),
    ],
)
async def test_what_is_there_and_cannot_be_started_is_not_said_to_be_missing(
    holds: bytes, why: str, clients: Clients, script: Script
) -> None:
    program = Path(script(""))
    program.write_bytes(holds)
    unknown = (await read(clients, str(program))).unknown["ok"]
    assert unknown.detail == f"{program} {why}"
    assert "#!" in unknown.hint or "correct the line" in unknown.hint


def test_an_operator_agrees_to_the_whole_line(tmp_path: Path) -> None:
    params = CommandParams(program="check_disk", arguments=["-w", "20 %"], environment=["HOME"])
    (demand,) = ExternalCommand.demands[0].demands(Asked(params, (), tmp_path))
    assert str(demand) == "runs check_disk -w '20 %' with the environment variables HOME"


@pytest.mark.parametrize(
    "params",
    [
        {"fields": {"code": {"type": "int"}}},
        {"fields": {"mode": {"type": "str"}}},
        {"environment": ["LD_PRELOAD"]},
        {"environment": ["A=b"]},
    ],
)
def test_what_cannot_be_meant_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CommandParams.model_validate({"program": "check"} | params)
