"""A real browser without a window, driven over its debugging protocol: one page, its keys, and what its sockets receive."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from support.waiting import LAST_RESORT_S, at_last, until

NAMES = ("chromium", "chromium-browser", "google-chrome")


def browser() -> str:
    """Its path; empty where none is installed."""
    return next(filter(None, map(shutil.which, NAMES)), "")


def printed_pages(document: Path) -> int:
    """Of how many sheets an HTML file is when it is printed."""
    sheets = document.with_suffix(".pdf")
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={document.with_suffix('.profile')}")
    command = [browser(), *options, f"--print-to-pdf={sheets}", document.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=LAST_RESORT_S)
    return len(re.findall(rb"/Type\s*/Page\b", sheets.read_bytes()))


@dataclass
class Page:
    """The one page."""

    socket: aiohttp.ClientWebSocketResponse
    received: bytearray = field(default_factory=bytearray)
    """What its web sockets received."""
    statuses: list[tuple[str, int]] = field(default_factory=list)
    """Address and status of every answer."""
    _answers: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _number: int = 0

    async def read(self) -> None:
        async for message in self.socket:
            told = json.loads(message.data)
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told.get("result", {}))
            elif told["method"] == "Network.webSocketFrameReceived":
                frame = told["params"]["response"]
                binary = frame["opcode"] == 2
                self.received += base64.b64decode(frame["payloadData"]) if binary else frame["payloadData"].encode()
            elif told["method"] == "Network.responseReceived":
                response = told["params"]["response"]
                self.statuses.append((response["url"], response["status"]))

    async def ask(self, method: str, **params: Any) -> Any:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self.socket.send_json({"id": self._number, "method": method, "params": params})
        return await at_last(answer)

    async def click(self) -> None:
        """In the middle of the page, which then has the keys."""
        for kind in ("mousePressed", "mouseReleased"):
            await self.ask("Input.dispatchMouseEvent", type=kind, x=600, y=300, button="left", clickCount=1)

    async def press(self, key: str, code: int = 0) -> None:
        """A key by its name, with the code of one that types nothing."""
        typed = {"text": key} if len(key) == 1 else {}
        code = code or ord(key.upper())
        for kind in ("keyDown", "keyUp"):
            await self.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **typed)

    async def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode((await self.ask("Page.captureScreenshot"))["data"]))


@asynccontextmanager
async def page() -> AsyncIterator[Page]:
    """A page of a new browser, empty."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        words = (browser(), "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,900")
        process = await asyncio.create_subprocess_exec(
            *(*words, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            place = Path(profile) / "DevToolsActivePort"
            await until(lambda: place.exists() and "\n" in place.read_text())
            port = place.read_text().splitlines()[0]
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                    address = next(each for each in await answer.json() if each["type"] == "page")
                async with session.ws_connect(address["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    made = Page(socket)
                    reading = asyncio.create_task(made.read())
                    await made.ask("Network.enable")
                    await made.ask("Page.enable")
                    yield made
                    reading.cancel()
        finally:
            process.kill()
            await process.wait()
