"""Every notice of this terminal in full, with its time: those that stand, and those that are gone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rich.text import Text

from cockpit import formatting
from cockpit.tui import theme
from cockpit.tui.text import hanging, plain
from probes.frozen import frozen

MOST = 200
"""Notices that are gone and still listed."""
LONGEST = 1000
"""Characters of one: a page of them all is made and laid out within a frame."""
INDENT = 20
_NUMBER = re.compile(r"\d+")


@frozen
class Noted:
    """One notice; while only its numbers change it stays the same one."""

    text: str
    since: datetime
    until: datetime | None = None
    """None while it stands."""


class NoticeLog:
    """What was noticed, from when to when."""

    def __init__(self) -> None:
        self._standing: dict[str, Noted] = {}
        self._gone: list[Noted] = []

    def look(self, texts: Sequence[str], at: datetime) -> None:
        """`texts`: every notice that stands now."""
        now = {_NUMBER.sub("#", text): text for text in texts if text}
        for key in [key for key in self._standing if key not in now]:
            self._end(replace(self._standing.pop(key), until=at))
        for key, text in now.items():
            before = self._standing.get(key)
            self._standing[key] = Noted(text, before.since if before else at)

    def message(self, text: str, at: datetime) -> None:
        """One that was shown for a moment."""
        self._end(Noted(text, at, at))

    def all(self) -> list[Noted]:
        """Those that stand first, then those that are gone, the newest first."""
        standing = sorted(self._standing.values(), key=lambda noted: noted.since, reverse=True)
        return [*standing, *reversed(self._gone)]

    def _end(self, noted: Noted) -> None:
        self._gone = [*self._gone[-MOST + 1 :], noted]


def notices_text(noted: Sequence[Noted], width: int) -> Text:
    """The page."""
    text = Text("NOTICES\n", style=f"bold {theme.TEXT}")
    if not noted:
        return text.append("there was none\n", style=theme.QUIET)
    for each in noted:
        stands = each.until is None
        when = f"since {formatting.clock(each.since)}" if stands else formatting.clock(each.since)
        if each.until is not None and each.until != each.since:
            when += f"-{formatting.clock(each.until)}"
        styles = (theme.HOLD if stands else theme.QUIET, theme.TEXT if stands else theme.QUIET)
        text.append_text(hanging(when, plain(each.text, longest=LONGEST), width, indent=INDENT, styles=styles))
    return text
