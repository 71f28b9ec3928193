"""Pages opened over a list: evidence, help, and the rehearsal's faults. The frame stays in view on each."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from cockpit.tui import palette
from cockpit.tui.actions import available
from cockpit.tui.evidence import evidence
from cockpit.tui.screens.frame import FrameScreen
from cockpit.tui.widgets.grid import Column, Grid, Row


class Page(FrameScreen):
    """Text that scrolls."""

    is_page = True

    def body(self) -> Iterable[Widget]:
        with_text = VerticalScroll(Static("", id="text", markup=False), id="page")
        yield with_text

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#page").focus()

    def text(self) -> Text:
        """What the page says now."""
        raise NotImplementedError

    def paint_body(self) -> None:
        self.query_one("#text", Static).update(self.text())

    def on_resize(self) -> None:
        self.call_after_refresh(self.paint)


class EvidenceScreen(Page):
    """Why one thing is as it is."""

    def __init__(self, subject: str) -> None:
        super().__init__()
        self.about = subject

    def text(self) -> Text:
        return evidence(self.cockpit.cutover, self.about, self.size.width - 2, self.size.height - 5)

    def subject(self) -> str:
        return self.about


class HelpScreen(Page):
    """Keys, from the registry; and the settings in force."""

    def text(self) -> Text:
        cockpit = self.cockpit
        text = Text()
        text.append("KEYS\n", style=f"bold {palette.TEXT}")
        for action in available(rehearsal=cockpit.drill is not None):
            text.append(f"{action.shown:>8}  ", style=f"bold {palette.STRONG}")
            text.append(f"{action.label:10} ", style=palette.TEXT)
            text.append(f"{action.help}\n", style=palette.QUIET)
        text.append(f"{'↑ ↓ j k':>8}  ", style=f"bold {palette.STRONG}")
        text.append(f"{'move':10} ", style=palette.TEXT)
        text.append("pgup, pgdn, home, end; the mouse works too\n", style=palette.QUIET)
        text.append("\nSETTINGS\n", style=f"bold {palette.TEXT}")
        for name, value in cockpit.settings():
            text.append(f"{name:>16}  ", style=palette.QUIET)
            text.append(f"{value}\n", style=palette.TEXT)
        text.append("\nWORDS\n", style=f"bold {palette.TEXT}")
        for word, meaning in _WORDS:
            text.append(f"{word:>16}  ", style=f"bold {palette.of_state(word)}")
            text.append(f"{meaning}\n", style=palette.QUIET)
        return text


_WORDS = (
    ("GO", "everything holds, and has held for the dwell time"),
    ("HOLD", "something is missing, pending or cannot be seen"),
    ("ROLLBACK", "a trigger has tripped; it stays until a named person decides"),
    ("PROVING", "holds, but not yet for long enough"),
    ("PENDING", "a trigger is true, but not yet for long enough"),
    ("UNKNOWN", "cannot be seen: never counts as healthy"),
    ("RECOVERING", "a tripped trigger that is clear, but not yet for long enough"),
)


class FaultsScreen(FrameScreen):
    """What can be broken in this rehearsal; the verdict above reacts while you watch."""

    COLUMNS = (
        Column("on", "STATE", 11),
        Column("title", "ENTER BREAKS AND MENDS", least=30),
        Column("id", "FAULT", 24, rank=1),
    )

    def body(self) -> Iterable[Widget]:
        yield Static("", id="titles", markup=False)
        yield Grid(self.COLUMNS, id="grid")

    def on_mount(self) -> None:
        grid = self.query_one(Grid)
        grid.on_layout = lambda: self.query_one("#titles", Static).update(
            Text(grid.header.plain, style=f"{palette.QUIET} underline", no_wrap=True)
        )
        grid.focus()
        super().on_mount()

    def paint_body(self) -> None:
        drill = self.cockpit.drill
        rows = []
        for fault in drill.faults() if drill else ():
            mark = Text("✗ BROKEN", style=f"bold {palette.BAD}") if fault.active else Text("✓ whole", style=palette.GO)
            cells = (
                ("on", mark),
                ("title", Text(fault.title, style=palette.TEXT)),
                ("id", Text(fault.id, style=palette.QUIET)),
            )
            rows.append(Row(fault.id, cells, search=fault.title.lower()))
        self.query_one(Grid).show(rows)

    def toggle(self) -> None:
        row = self.query_one(Grid).selected
        if row is not None and self.cockpit.drill is not None:
            self.cockpit.drill.toggle(row.key)
            self.paint()
