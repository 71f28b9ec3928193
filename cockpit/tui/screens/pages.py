"""Pages opened over a list: evidence, help, and the rehearsal's faults. The frame stays in view on each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from cockpit.decide.states import Check, GateState, Shown, State, StepState, Visibility, Word
from cockpit.tui import theme
from cockpit.tui.action_registry import ACTIONS, EVIDENCE_FOOTER, FAULTS_FOOTER, HELP_FOOTER, PAGE_FOOTER, Where
from cockpit.tui.screens.base import FrameScreen, own_bindings
from cockpit.tui.text import hanging, wrapped
from cockpit.tui.views import evidence_bundle
from cockpit.tui.views.evidence import evidence
from cockpit.tui.views.lookup import change_of
from cockpit.tui.views.notices import notices_text
from cockpit.tui.views.operand_charts import MOST_ZOOM
from cockpit.tui.widgets.grid import Column, Grid, Row
from cockpit.tui.widgets.passage import Passage


class Page(FrameScreen):
    """Text that scrolls."""

    footer: ClassVar[tuple[str, ...]] = PAGE_FOOTER

    def body(self) -> Iterable[Widget]:
        with_text = VerticalScroll(Passage("text"), id="page")
        yield with_text

    def on_mount(self) -> None:
        self.query_one("#page").focus()
        self.call_after_refresh(self.paint)  # opened while the cockpit starts, its text is put together after this

    def text(self) -> Text:
        """What the page says now."""
        raise NotImplementedError

    def paint_body(self) -> None:
        for passage in self.query("#text").results(Passage):
            passage.show(self.text(), keep="\n")

    def to_edge(self, *, top: bool) -> None:
        page = self.query_one("#page", VerticalScroll)
        page.scroll_home(animate=False) if top else page.scroll_end(animate=False)

    def on_resize(self) -> None:
        self.call_after_refresh(self.paint)


class EvidenceScreen(Page):
    """Why one thing is as it is."""

    footer = EVIDENCE_FOOTER
    of_situation = True
    offered = frozenset({"zoom_in", "zoom_out"})
    BINDINGS: ClassVar[list[BindingType]] = own_bindings(Where.EVIDENCE)

    def __init__(self, subject: str) -> None:
        super().__init__()
        self.about = subject
        self._zoom = 0

    def text(self) -> Text:
        width, height = self.size.width - 3, self.size.height - 5
        return evidence(self.cockpit.cutover, self.about, width, height, zoom=self._zoom)

    def zoom(self, by: int) -> None:
        self._zoom = max(-MOST_ZOOM, min(MOST_ZOOM, self._zoom + by))
        self.paint()

    def subject(self) -> str:
        return self.about

    def clipboard_line(self) -> str:
        change = change_of(self.cockpit.cutover, self.about)
        return (
            super().clipboard_line()
            if change is None
            else evidence_bundle.change_line(self.cockpit.cutover.plan, change)
        )


WORDS: tuple[tuple[str, type[Shown]], ...] = (
    ("VERDICT", Word),
    ("CRITERIA AND TRIGGERS", State),
    ("CHECKLIST", Check),
    ("GATES", GateState),
    ("STEPS", StepState),
    ("PROBES", Visibility),
)


LABELLED = 11 + max(len(action.label) for action in ACTIONS)
"""Cells before the meaning of a key on the help page."""


class HelpScreen(Page):
    """Keys, from the registry; and the settings in force."""

    footer = HELP_FOOTER

    def text(self) -> Text:
        cockpit = self.cockpit
        width = self.size.width - 3
        text = Text()
        text.append("KEYS\n", style=f"bold {theme.TEXT}")
        for action in cockpit.actions():
            self._key(text, action.shown, action.label, action.help)
        self._key(text, "↑ ↓ j k", "move", "Also pgup, pgdn, home, end; click selects, a double click opens")
        text.append("\nSETTINGS\n", style=f"bold {theme.TEXT}")
        for name, value in cockpit.settings():
            text += hanging(name, value, width, indent=12, styles=(theme.QUIET, theme.TEXT))
        for title, shown in WORDS:
            text.append(f"\n{title}\n", style=f"bold {theme.TEXT}")
            for word in shown:
                styles = (f"bold {theme.of_meaning(word.meaning)}", theme.QUIET)
                text += hanging(
                    f"{word.meaning.symbol} {word.label}", word.meaning.help, width, indent=14, styles=styles
                )
        return text

    def _key(self, text: Text, shown: str, label: str, meaning: str) -> None:
        """One line of the keys, its meaning wrapped below itself."""
        text.append(f"{shown:>7}  ", style=f"bold {theme.STRONG}")
        text.append(f"{label:{LABELLED - 11}}  ", style=theme.TEXT)
        lines = wrapped(meaning, self.size.width - 3 - LABELLED)
        text.append(("\n" + " " * LABELLED).join(lines) + "\n", style=theme.QUIET)


class CardScreen(Page):
    """A few lines over the first screen: how a tour begins, and how it ended."""

    footer = HELP_FOOTER

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__()
        self.lines = lines

    def text(self) -> Text:
        width = self.size.width - 5
        shown = [part for line in self.lines for part in (wrapped(line, width) or [""])]
        return Text("\n".join(shown), style=theme.TEXT)


class NoticesScreen(Page):
    """Every notice in full, with its time; the banner has room for one line."""

    def text(self) -> Text:
        return notices_text(self.cockpit.noticed.all(), self.size.width - 3)


class FaultsScreen(FrameScreen):
    """What can be broken in this rehearsal; the verdict above reacts while you watch."""

    footer = FAULTS_FOOTER
    COLUMNS = (
        Column("on", "STATE", 11),
        Column("title", "ENTER INJECTS OR CLEARS THE FAULT", least=56, most=90),
        Column("id", "FAULT", 24, rank=1),
    )

    def body(self) -> Iterable[Widget]:
        yield Passage("titles")
        yield Grid(self.COLUMNS, id="grid")

    def on_mount(self) -> None:
        grid = self.query_one(Grid)
        grid.on_layout = lambda: self.query_one("#titles", Passage).show(
            Text(grid.header.plain, style=f"{theme.QUIET} underline", no_wrap=True)
        )
        grid.focus()

    def paint_body(self) -> None:
        drill = self.cockpit.drill
        rows = []
        for fault in drill.faults() if drill else ():
            mark = Text("✗ injected", style=f"bold {theme.BAD}") if fault.active else Text("✓ ok", style=theme.GO)
            cells = (
                ("on", mark),
                ("title", Text(fault.title, style=theme.TEXT)),
                ("id", Text(fault.id, style=theme.QUIET)),
            )
            rows.append(Row(fault.id, cells, search=fault.title.lower()))
        self.query_one(Grid).show(rows)

    def to_edge(self, *, top: bool) -> None:
        grid = self.query_one(Grid)
        grid.key_home() if top else grid.key_end()

    @on(Grid.Opened)
    def _opened(self) -> None:
        self.open_selected()

    def open_selected(self) -> None:
        """Inject the fault under the cursor, or clear it."""
        row = self.query_one(Grid).selected
        if row is not None and self.cockpit.drill is not None:
            self.cockpit.drill.toggle(row.key)
            self.paint()
