"""A window that is closed: whoever reads keys from it stops by itself, and last words into it end nothing."""

from __future__ import annotations

import asyncio
import os
import threading
import tty

from support.waiting import until
from textual.app import App

from cockpit.console import DoorStream
from cockpit.tui.driver import TerminalDriver


class Left(App[None]):
    """Writes down that it was asked to end."""

    asked = False

    def exit(self, *_: object, **__: object) -> None:
        self.asked = True


async def test_keys_are_no_longer_read_from_it_and_the_cockpit_ends() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    app = Left()
    driver = TerminalDriver(app)
    driver.fileno = slave
    keys: list[str] = []
    driver.process_message = lambda message: keys.append(getattr(message, "key", ""))  # type: ignore[method-assign]
    reading = threading.Thread(target=driver.run_input_thread, daemon=True)
    reading.start()
    os.write(master, b"a\x1b[A")
    await until(lambda: keys == ["a", "up"])
    assert reading.is_alive()
    os.close(master)
    await until(lambda: not reading.is_alive())  # by itself: nobody has set `exit_event`
    assert not driver.exit_event.is_set()
    await until(lambda: app.asked)
    os.close(slave)


async def test_it_ends_with_the_screen_as_well() -> None:
    master, slave = os.openpty()
    driver = TerminalDriver(Left())
    driver.fileno = slave
    driver.exit_event.set()
    await asyncio.to_thread(driver.run_input_thread)
    os.close(master)
    os.close(slave)


def test_last_words_into_it_are_lost_and_nothing_else() -> None:
    master, slave = os.openpty()
    with os.fdopen(os.dup(slave), "w") as behind:
        stream = DoorStream(behind)
        os.close(master)
        stream.write("record kept in /tmp\n")
        stream.flush()
    os.close(slave)
