"""`cockpit serve`: one browser enters, once; what it sees can be looked at and nothing else."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

import aiohttp
import httpx
import pytest
from click.testing import CliRunner
from support.headless_browser import browser, page
from support.plans.signing_plan import signing_plan
from support.records.lived_night import TURNS, Night
from support.waiting import at_last, until
from tui.stage import Stage, plan

import cockpit.commands.serve as command
from cockpit.cli.main import main
from cockpit.commands.browser.door import HOST, Door
from cockpit.commands.browser.page import REFUSED, Served, serve
from cockpit.tui.action_registry import ACTIONS, IN_BROWSER, Handler, Where
from cockpit.tui.app import CockpitApp
from probes.clients.child_process import Command


def test_the_token_opens_once_and_nothing_else_does() -> None:
    door = Door(8000)
    assert door.address == f"http://127.0.0.1:8000/?token={door.token}"
    assert not door.enter("")
    assert not door.enter(door.token + "x")
    assert not door.knows("")
    session = door.enter(door.token)
    assert door.knows(session)
    assert not door.enter(door.token), "a second time"
    assert not door.knows(door.token)
    assert door.token not in repr(door)
    assert session not in repr(door)
    assert Door(8000).token != door.token


async def test_whoever_has_no_session_gets_nothing(tmp_path: Path) -> None:
    door, ready = Door(command.free_port()), asyncio.Event()
    served = Served(Command(("/nowhere",), {}), tmp_path / "log", "a night")
    serving = asyncio.create_task(serve(served, door, ready.set))
    await at_last(ready.wait())
    things = ("/", "/?token=", f"/?token={door.token}x", "/ws", "/static/js/textual.js", "/download/x", "/nothing")
    async with httpx.AsyncClient(base_url=door.origin, trust_env=False) as stranger:
        assert {each: (await stranger.get(each)).status_code for each in things} == dict.fromkeys(things, 403)
        foreign = await stranger.get(door.address, headers={"Host": "evil.example"})
        assert foreign.status_code == 403, "a name that leads here is not this address"
        async with httpx.AsyncClient(base_url=door.origin, trust_env=False, follow_redirects=True) as first:
            seen = await first.get(door.address)
            assert seen.status_code == 200
            assert "a night" in seen.text
            assert "token" not in str(seen.url), "it stands in no history that is shared on the call"
            assert (await first.get("/")).status_code == 200, "it may load the page again"
            for origin in ({}, {"Origin": "http://evil.example"}):
                assert (await first.get("/ws", headers=origin)).status_code == 403, (
                    "only its own page speaks to the screens"
                )
        again = await stranger.get(door.address)
        assert (again.status_code, again.text) == (403, REFUSED)
    with pytest.raises(httpx.ConnectError):
        await httpx.AsyncClient(trust_env=False).get(f"http://127.0.0.2:{door.port}/")  # on one address alone
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_screens_that_cannot_be_shown_say_why_on_the_page_and_their_log_is_their_user_s_alone(
    tmp_path: Path,
) -> None:
    door, ready, log = Door(command.free_port()), asyncio.Event(), tmp_path / "serve.log"
    dies = Command(("/bin/sh", "-c", "echo 'no account \x1b]0;x' >&2; exit 3"), {})
    serving = asyncio.create_task(serve(Served(dies, log, "a night"), door, ready.set))
    await at_last(ready.wait())
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as first:
        await first.get(door.address)
        async with first.ws_connect(f"{door.origin}/ws", headers={"Origin": door.origin}) as screens:
            assert b"The screens have ended: no account \\u{1b}]0;x" in (await at_last(screens.receive())).data
    assert log.stat().st_mode & 0o777 == 0o600
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


def test_in_a_browser_nothing_can_be_armed_signed_or_done() -> None:
    app = CockpitApp(Stage(plan()), in_browser=True)
    there = {action.id for action in app.actions()}
    assert there <= IN_BROWSER
    assert {"go_cutover", "evidence", "help"} <= there
    of_desks = {each.id for each in ACTIONS if each.handler in (Handler.DESK, Handler.MIGRATION) or each.dangerous}
    assert not IN_BROWSER & {*of_desks, "arm", "pause", "save", "suspend", "faults", "crew", "copy"}
    assert not any(
        each.where in (Where.LIVE, Where.ROLLBACK, Where.REHEARSAL) for each in ACTIONS if each.id in IN_BROWSER
    )
    with pytest.raises(ValueError, match="nothing can be signed, decided, done or armed"):
        CockpitApp(Stage(plan()), in_browser=True, armed=True)


def test_it_says_what_to_install_and_what_it_cannot_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = CliRunner().invoke(main, ["serve", str(tmp_path / "nothing")])
    assert (gone.exit_code, "nothing" in gone.output) == (65, True)
    monkeypatch.setattr(command, "NEEDS", ("a_package_that_is_not_there",))
    without = CliRunner().invoke(main, ["serve", str(tmp_path / "nothing")])
    assert without.exit_code == 64
    assert "pipx install --force '.[rehearsal,serve]'" in without.output
    assert "cutover-cockpit[" not in without.output, "no index has it from us: who has that name there is somebody else"


@pytest.mark.long
@pytest.mark.skipif(not browser(), reason="no Chromium is installed here")
async def test_a_browser_shows_the_screens_and_cannot_arm_them(tmp_path: Path) -> None:
    night = Night(signing_plan(tmp_path), tmp_path / "records")
    night.clock.time += timedelta(seconds=1)
    await night.live([("vote", 1), *TURNS])
    assert night.folder is not None
    words = (sys.executable, "-m", "cockpit", "serve", str(night.folder.path))
    process = await asyncio.create_subprocess_exec(
        *words, env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        address = (await at_last(process.stdout.readline())).decode().split()[-1]
        assert address.startswith(f"http://{HOST}:")
        async with page() as shown:
            await shown.ask("Page.navigate", url=address)
            await until(lambda: b"REPLAY" in shown.received and b"ROLLBACK" in shown.received)
            await shown.click()
            shown.received.clear()
            await shown.press("F9", code=120)
            await shown.press("?")
            await until(lambda: b"Every line of the checklist" in shown.received)
            assert b"READ-ONLY" in shown.received
            assert b"ARMED" not in shown.received
            assert b"Enable keys that change production" not in shown.received
            assert all(url.startswith((f"http://{HOST}:", "data:", "blob:")) for url, _ in shown.statuses), (
                "nothing from afar"
            )
        async with page() as another:
            await another.ask("Page.navigate", url=address)
            await until(lambda: another.statuses)
            assert another.statuses[0][1] == 403
    finally:
        process.terminate()
        await process.wait()
