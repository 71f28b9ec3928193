"""A screen that is a list: rows from a pure function, a filter, and a line or two about the selected row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text
from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Static

from cockpit.decide import words
from cockpit.tui import palette, rows
from cockpit.tui.screens.frame import FrameScreen
from cockpit.tui.widgets.grid import Column, Grid, Row

TALL = 32
PATH_SHOWN = 16


class ListScreen(FrameScreen):
    """What the four lists share."""

    columns: Sequence[Column] = ()
    empty = "nothing here yet"

    def __init__(self) -> None:
        super().__init__()
        self.only_failing = False
        self.wanted = ""

    def rows(self) -> list[Row]:
        """Every row, from the newest Situation."""
        raise NotImplementedError

    def about(self, row: Row) -> Text:
        """What to say of the selected row, below the list."""
        return Text(row.search)

    def below(self) -> tuple[Text, Text] | None:
        """What to show below the list, left and right, where the terminal is tall; None for nothing."""
        return None

    def body(self) -> Iterable[Widget]:
        yield Static("", id="titles", markup=False)
        grid = Grid(self.columns, id="grid")
        grid.empty = self.empty
        yield grid
        yield Horizontal(Static("", id="left", markup=False), Static("", id="right", markup=False), id="below")
        search = Input(placeholder="filter: part of a name or state; enter keeps it, esc clears it", id="filter")
        search.display = False
        yield search
        yield Static("", id="about", markup=False)

    def on_mount(self) -> None:
        grid = self.query_one(Grid)
        grid.on_layout = self._titles
        grid.focus()
        super().on_mount()

    @property
    def grid(self) -> Grid:
        return self.query_one(Grid)

    def paint_body(self) -> None:
        shown = [row for row in self.rows() if self._shown(row)]
        self.grid.show(_without_empty_headings(shown))
        self._about()
        below = self.below() if self.size.height >= TALL else None
        self.set_class(below is not None, "-tall")
        if below is not None:
            if self.grid.styles.max_height is None or self.grid.styles.max_height.value != len(shown):
                self.grid.styles.max_height = len(shown)
            for name, text in zip(("#left", "#right"), below, strict=True):
                self.query_one(name, Static).update(text)
        elif self.grid.styles.max_height is not None:
            self.grid.styles.max_height = None

    def _shown(self, row: Row) -> bool:
        if row.heading is not None and not row.selectable:
            return True
        return (not self.only_failing or row.failing) and self.wanted in row.search

    def _titles(self) -> None:
        titles = Text(no_wrap=True, style=f"{palette.QUIET} underline")
        titles.append_text(self.grid.header)
        marks = (["only failing (! for all)"] if self.only_failing else []) + (
            [f"filter: {self.wanted}"] if self.wanted else []
        )
        if marks:
            mark = f" {' · '.join(marks)} "
            titles.truncate(max(0, self.size.width - len(mark)))
            titles.append(mark, style=f"bold {palette.GROUND} on {palette.HOLD}")
        self.query_one("#titles", Static).update(titles)

    def _about(self) -> None:
        about = self.query_one("#about", Static)
        tall = self.size.height >= TALL
        about.set_class(tall, "-tall")
        row = self.grid.selected
        text = self.about(row) if row is not None else Text("")
        if not tall:
            text = Text(text.plain.partition("\n")[0], style=palette.TEXT, no_wrap=True)
            text.truncate(self.size.width - 1, overflow="ellipsis")
        about.update(text)

    def on_resize(self) -> None:
        self.call_after_refresh(self.paint)

    @on(Grid.Moved)
    def _moved(self) -> None:
        self._about()

    # -- filter ------------------------------------------------------------------------------------------------------

    def toggle_failing(self) -> None:
        self.only_failing = not self.only_failing
        self._titles()
        self.paint()

    def open_filter(self) -> None:
        search = self.query_one("#filter", Input)
        search.display = True
        search.value = self.wanted
        search.focus()

    @on(Input.Changed, "#filter")
    def _filtering(self, event: Input.Changed) -> None:
        self.wanted = event.value.strip().lower()
        self._titles()
        self.paint()

    @on(Input.Submitted, "#filter")
    def _filtered(self) -> None:
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter", Input).display = False
        self.grid.focus()

    def back(self) -> bool:
        search = self.query_one("#filter", Input)
        if not (search.display or self.wanted or self.only_failing):
            return False
        search.value = ""
        self.wanted, self.only_failing = "", False
        self._close_filter()
        self._titles()
        self.paint()
        return True

    # -- what actions need -------------------------------------------------------------------------------------------

    def subject(self) -> str:
        """Id of the criterion, item or probe the cursor is on; empty where there is none."""
        row = self.grid.selected
        return "" if row is None or ":" in row.key else row.key


def _without_empty_headings(shown: list[Row]) -> list[Row]:
    """Drop headings that a filter has left with nothing below them."""
    kept: list[Row] = []
    for row in reversed(shown):
        plain = row.heading is not None and not row.selectable
        if not plain or (kept and (kept[-1].heading is None or kept[-1].selectable)):
            kept.append(row)
    return kept[::-1]


class CutoverScreen(ListScreen):
    screen_id = "go_cutover"
    columns = rows.CUTOVER

    def __init__(self) -> None:
        super().__init__()
        self._memo: rows.Memo = {}

    def rows(self) -> list[Row]:
        return rows.cutover(self.cockpit.cutover.situation, self.cockpit.cutover.series, self._memo)

    def about(self, row: Row) -> Text:
        status = next((c for c in self.cockpit.cutover.situation.criteria if c.id == row.key), None)
        if status is None:
            return Text("")
        text = Text(f" {status.because.line}", style=palette.TEXT)
        for line in filter(None, (status.because.condition, status.caution)):
            text.append(f"\n {line}", style=palette.QUIET)
        return text

    def below(self) -> tuple[Text, Text]:
        """Path to GO; blind spots and what causes them."""
        return self._path(), self._blind_spots()

    def _path(self) -> Text:
        situation = self.cockpit.cutover.situation
        text = Text(no_wrap=True, overflow="ellipsis").append("PATH TO GO\n", style=f"bold {palette.TEXT}")
        for step in situation.path_to_go[:PATH_SHOWN]:
            when = words.clock(step.eta) if step.eta else step.who or "open"
            text.append(f"{when:>9}  ", style=palette.HOLD if step.eta or step.who else palette.QUIET)
            text.append(f"{step.what}\n", style=palette.TEXT)
        if len(situation.path_to_go) > PATH_SHOWN:
            text.append(f"           and {len(situation.path_to_go) - PATH_SHOWN} more\n", style=palette.QUIET)
        if not situation.path_to_go:
            text.append("nothing is missing\n", style=palette.GO)
        return text

    def _blind_spots(self) -> Text:
        situation = self.cockpit.cutover.situation
        text = Text().append("BLIND SPOTS\n", style=f"bold {palette.TEXT}")
        sight = situation.sight
        text.append(f"{sight.visible} of {sight.enforced} enforced criteria can be seen", style=palette.TEXT)
        if sight.oldest is not None:
            text.append(f"; oldest data {words.duration(sight.oldest)}", style=palette.QUIET)
        for cause in situation.root_causes[:6]:
            text.append(f"\n? {cause.reason} blinds {len(cause.subjects)}: ", style=f"bold {palette.UNKNOWN}")
            text.append(cause.hint or cause.detail, style=palette.TEXT)
        return text


class ChecklistScreen(ListScreen):
    screen_id = "go_checklist"
    columns = rows.CHECKLIST
    empty = "this plan has no checklist"

    def __init__(self) -> None:
        super().__init__()
        self.folded: set[str] = set()

    def rows(self) -> list[Row]:
        return rows.checklist(
            self.cockpit.cutover.situation, set() if self.wanted or self.only_failing else self.folded
        )

    def about(self, row: Row) -> Text:
        for section in self.cockpit.cutover.situation.sections:
            if row.key == f"section:{section.title}":
                return Text(
                    f" {section.done} of {len(section.items)} done; enter folds and unfolds", style=palette.QUIET
                )
            for item in section.items:
                if item.id == row.key:
                    text = Text(f" {item.because.line}", style=palette.TEXT)
                    for line in filter(None, (item.sign_off.ask if item.sign_off else "", item.caution)):
                        text.append(f"\n {line}", style=palette.QUIET)
                    return text
        return Text("")

    def fold(self) -> bool:
        """Fold or unfold the section under the cursor; False if it is not on one."""
        row = self.grid.selected
        if row is None or not row.key.startswith("section:"):
            return False
        self.folded ^= {row.key.removeprefix("section:")}
        self.paint()
        return True


class ProbesScreen(ListScreen):
    screen_id = "go_probes"
    columns = rows.PROBES

    def rows(self) -> list[Row]:
        return rows.probes(self.cockpit.cutover.situation)

    def about(self, row: Row) -> Text:
        status = next((p for p in self.cockpit.cutover.situation.probes if p.name == row.key), None)
        if status is None:
            return Text("")
        text = Text(f" {status.title + ': ' if status.title else ''}{status.query}", style=palette.TEXT)
        for why in list(dict.fromkeys(status.unknown.values()))[:2]:
            text.append(f"\n {why.reason}: {why.detail}", style=palette.QUIET)
        return text


class TimelineScreen(ListScreen):
    screen_id = "go_timeline"
    columns = rows.TIMELINE
    empty = "nothing has changed yet"

    def rows(self) -> list[Row]:
        situation = self.cockpit.cutover.situation
        titles = {c.id: c.title for c in situation.criteria}
        titles |= {item.id: item.title for section in situation.sections for item in section.items}
        return rows.timeline(self.cockpit.cutover.changes(), titles)

    def about(self, row: Row) -> Text:
        return Text(f" {row.cell('because').plain}", style=palette.TEXT)

    def subject(self) -> str:
        """The criterion or item whose change the cursor is on."""
        row = self.grid.selected
        if row is None or not row.key.startswith("change:"):
            return ""
        return self.cockpit.cutover.changes()[int(row.key.partition(":")[2])].subject
