"""A screen that is a list: rows from a pure function, a filter, and a line or two about the selected row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rich.text import Text
from textual import on
from textual.containers import Horizontal, Vertical
from textual.events import Key
from textual.widget import Widget
from textual.widgets import Input

from cockpit.decide.situation import GateStatus, ItemStatus
from cockpit.plan.model import VERDICT
from cockpit.tui import theme
from cockpit.tui.action_registry import CHECKLIST_FOOTER
from cockpit.tui.screens.base import FrameScreen
from cockpit.tui.screens.pages import EvidenceScreen
from cockpit.tui.text import wrapped
from cockpit.tui.views import activity, evidence_bundle, lists, timeline
from cockpit.tui.views.evidence import evidence
from cockpit.tui.views.lookup import change_of, find, is_known
from cockpit.tui.widgets.banner import banner_height
from cockpit.tui.widgets.grid import Column, Grid, Row
from cockpit.tui.widgets.passage import Passage

TALL = 32
FRAME_ROWS = 3
"""Context, titles, footer; the banner is as high as the terminal allows."""
TALL_ABOUT = 4
"""Lines about the row in a tall terminal; below the list is a blank line."""
BELOW_ROWS = 6
WIDE = 160
"""Columns from which the evidence of the selected row stands beside the list."""
DETAIL_SHARE = 40
"""Percent of the columns for it, as in the style sheet."""
Lines = Sequence[tuple[str, str]]
"""Lines with their styles; empty ones are left out."""


def about_text(lines: Lines, width: int, height: int) -> Text:
    """As much of `lines` as fits, the first of them wrapped over as many rows as it needs."""
    text = Text(no_wrap=True)
    left = height
    for line, style in lines:
        if not line or left <= 0:
            continue
        parts = wrapped(line, width - 3, most=left)
        left -= len(parts)
        text.append("".join(f" {part}\n" for part in parts), style=style)
    return text


class ListScreen(FrameScreen):
    """What the four lists share."""

    columns: Sequence[Column] = ()
    narrow: Sequence[Column] = ()
    """The columns of a side pane, where they are others."""
    empty = "nothing here yet"
    follow = False
    of_situation = True

    def __init__(self) -> None:
        super().__init__()
        self.only_failing = False
        self.only_mine = False
        self.wanted = ""
        self._due = ""
        self._changed: frozenset[str] = frozenset()
        """Ids of what is another since somebody looked."""

    def aim(self, subject: str) -> None:
        """Put the cursor on the line of what is next, once it is shown."""
        self._due = subject
        self.paint()

    def _look_back(self) -> None:
        new = activity.new_since(self.cockpit.cutover.record, self.cockpit.attention.since)
        self._changed = frozenset(timeline.as_change(entry).subject for entry in new)

    def _marked(self, row: Row) -> Row:
        return replace(row, changed=True) if row.key in self._changed else row

    def rows(self) -> list[Row]:
        """Every row, from the newest Situation."""
        raise NotImplementedError

    def about(self, row: Row) -> Lines:
        """What to say of the selected row, below the list, most important first."""
        return ((row.search, theme.TEXT),)

    def below(self) -> tuple[Text, Text] | None:
        """What to show below the list, left and right, where the terminal is tall; None for nothing."""
        return None

    def body(self) -> Iterable[Widget]:
        yield Passage("titles")
        grid = Grid(self.columns, id="grid")
        grid.narrow = self.narrow
        grid.empty = self.empty
        grid.follow = self.follow
        below = Horizontal(Passage("left"), Passage("right"), id="below")
        yield Horizontal(Vertical(grid, below), Passage("detail"), id="main")
        search = Input(placeholder="filter: part of a name or state; enter keeps it, esc clears it", id="filter")
        search.display = False
        yield search
        yield Passage("about")

    def on_mount(self) -> None:
        grid = self.query_one(Grid)
        grid.on_layout = self._titles
        grid.focus()

    @property
    def grid(self) -> Grid:
        return self.query_one(Grid)

    def paint_body(self) -> None:
        mine = self.cockpit.mine() if self.only_mine else None
        self._look_back()
        shown = [self._marked(row) for row in self.rows() if self._shown(row, mine)]
        if self.wanted or self.only_failing or self.only_mine:
            shown = without_empty_headings(shown)
        self.grid.show(shown)
        if self._due:
            due, self._due = self._due, ""
            self.grid.select(due)
        self._about()
        # The list comes first: what is below it is shown only where every row is in view as well.
        room = self.list_rows - TALL_ABOUT - 1 - len(shown)
        below = self.below() if self.size.height >= TALL and room >= BELOW_ROWS else None
        self.query_one("#below").display = below is not None
        if below is not None:
            self._grid_rows(len(shown))
            for name, text in zip(("#left", "#right"), below, strict=True):
                self.query_one(name, Passage).show(text, keep="\n")
        else:
            self._grid_rows(0)

    @property
    def list_rows(self) -> int:
        """Rows for the list and what is about its rows."""
        return self.size.height - FRAME_ROWS - banner_height(self.size.height)

    def _grid_rows(self, rows: int) -> None:
        """Give the list exactly so many rows; 0: whatever is left."""
        height = self.grid.styles.height
        if rows and (height is None or not height.is_cells or height.value != rows):
            self.grid.styles.height = rows
        elif not rows and height is not None and height.is_cells:
            self.grid.styles.height = "1fr"

    def _shown(self, row: Row, mine: frozenset[str] | None) -> bool:
        # Headings that are left with nothing are dropped afterwards.
        if row.heading is not None:
            return True
        wanted = (not self.only_failing or row.failing) and self.wanted in row.search
        return wanted and (mine is None or row.key in mine)

    def _titles(self) -> None:
        titles = Text(no_wrap=True, style=f"{theme.QUIET} underline")
        titles.append_text(self.grid.header)
        marks = ["only failing (! for all)"] if self.only_failing else []
        marks += ["what you can sign (y for all)"] if self.only_mine else []
        marks += [f"filter: {self.wanted}"] if self.wanted else []
        if marks:
            mark = f" {' · '.join(marks)} "
            titles.truncate(max(0, self.size.width - len(mark)))
            titles.append(mark, style=f"bold {theme.GROUND} on {theme.HOLD}")
        self.query_one("#titles", Passage).show(titles)

    def _about(self) -> None:
        about = self.query_one("#about", Passage)
        lines = TALL_ABOUT if self.size.height >= TALL else 2
        if lines == 2 and len(self.grid.rows) == self.list_rows - 1:
            lines = 1  # the last row is worth more than the second line
        about.set_class(lines == TALL_ABOUT, "-tall")
        about.set_class(lines == 1, "-short")
        row = self.grid.selected
        self._detail(row)
        about.show(about_text(self.about(row) if row is not None else (), self.size.width, lines), keep="\n")

    def _detail(self, row: Row | None) -> None:
        """Beside the list, where the terminal is wide: the evidence of the row the cursor is on."""
        wide = self.app.size.width >= WIDE
        detail = self.query_one("#detail", Passage)
        detail.display = wide
        if wide:
            subject, text = self.subject(), Text("")
            if row is not None and is_known(self.cockpit.cutover, subject):
                width, height = self.size.width - self.list_columns - 3, self.list_rows - TALL_ABOUT
                text = evidence(self.cockpit.cutover, subject, width, height)
            detail.show(text, keep="\n")

    @property
    def list_columns(self) -> int:
        """Columns for the list and what is below it."""
        return self.size.width * (100 - DETAIL_SHARE) // 100 if self.app.size.width >= WIDE else self.size.width

    def on_resize(self) -> None:
        self.call_after_refresh(self.paint)

    @on(Grid.Moved)
    def _moved(self) -> None:
        if self._ready:
            self._about()

    @on(Grid.Opened)
    def _opened(self) -> None:
        self.cockpit.action_do("evidence")

    # -- filter ------------------------------------------------------------------------------------------------------

    def toggle_failing(self) -> None:
        self.only_failing = not self.only_failing
        self._titles()
        self.paint()

    def toggle_mine(self) -> None:
        self.only_mine = not self.only_mine
        self._titles()
        self.paint()

    def to_edge(self, *, top: bool) -> None:
        self.grid.key_home() if top else self.grid.key_end()

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

    def on_key(self, event: Key) -> None:
        """The arrows move the cursor while a filter is typed."""
        if self.query_one("#filter", Input).has_focus and event.key in ("up", "down"):
            self.grid.move(1 if event.key == "down" else -1)

    def _close_filter(self) -> None:
        self.query_one("#filter", Input).display = False
        self.grid.focus()

    def back(self) -> bool:
        search = self.query_one("#filter", Input)
        if not (search.display or self.wanted or self.only_failing or self.only_mine):
            return False
        search.value = ""
        self.wanted, self.only_failing, self.only_mine = "", False, False
        self._close_filter()
        self._titles()
        self.paint()
        return True

    # -- what actions need -------------------------------------------------------------------------------------------

    def open_selected(self) -> None:
        if is_known(self.cockpit.cutover, subject := self.subject()):
            self.cockpit.push_screen(EvidenceScreen(subject))

    def subject(self) -> str:
        """Id of the criterion, item or probe the cursor is on; empty where there is none."""
        row = self.grid.selected
        return "" if row is None or ":" in row.key else row.key


def without_empty_headings(shown: list[Row]) -> list[Row]:
    """Drop headings that a filter has left with nothing below them."""
    kept: list[Row] = []
    for row in reversed(shown):
        below = kept[-1] if kept else None
        is_line = below is not None and below.heading is None
        if row.heading is None or is_line or (not row.selectable and below is not None and below.selectable):
            kept.append(row)
    return kept[::-1]


class ChecklistScreen(ListScreen):
    screen_id = "go_checklist"
    footer = CHECKLIST_FOOTER
    columns = lists.CHECKLIST
    empty = "this plan has no checklist"

    def __init__(self) -> None:
        super().__init__()
        self.folded: set[str] = set()

    def rows(self) -> list[Row]:
        return lists.checklist(
            self.cockpit.cutover.situation,
            set() if self.wanted or self.only_failing or self.only_mine else self.folded,
        )

    def about(self, row: Row) -> Lines:
        situation = self.cockpit.cutover.situation
        for section in situation.sections:
            if row.key == f"section:{section.title}":
                done = f"{section.title}: {section.done} of {len(section.items)} done; enter folds and unfolds"
                return ((done, theme.QUIET),)
        subject = find(situation, row.key)
        if isinstance(subject, GateStatus):
            return (
                (
                    "; ".join((*subject.missing, *subject.not_counted)) or "passed",
                    theme.HOLD if subject.missing else theme.TEXT,
                ),
                ("; ".join(subject.votes) or "no votes yet", theme.QUIET),
            )
        if not isinstance(subject, ItemStatus):
            return ()
        return (
            (f"{subject.title}: {subject.detail or subject.because.line}", theme.TEXT),
            (subject.sign_off.ask if subject.sign_off else "", theme.QUIET),
            (subject.caution, theme.HOLD),
        )

    def open_selected(self) -> None:
        """Fold or unfold the section under the cursor; the evidence of any other line."""
        row = self.grid.selected
        if row is None or not row.key.startswith("section:"):
            super().open_selected()
            return
        self.folded ^= {row.key.removeprefix("section:")}
        self.paint()


class ProbesScreen(ListScreen):
    screen_id = "go_probes"
    columns = lists.PROBES

    def rows(self) -> list[Row]:
        specs = self.cockpit.cutover.plan.probes
        units = {name: {field.name: field.unit for field in spec.fields} for name, spec in specs.items()}
        return lists.probes(self.cockpit.cutover.situation, units, self.cockpit.cutover.slowed)

    def about(self, row: Row) -> Lines:
        status = next((p for p in self.cockpit.cutover.situation.probes if p.name == row.key), None)
        if status is None:
            return ()
        causes = dict.fromkeys(status.unknown.values())
        return (
            *((f"{why.line} ({why.hint})" if why.hint else why.line, theme.UNKNOWN) for why in causes),
            (f"{status.title or status.uses}: {status.query}", theme.TEXT),
        )


class TimelineScreen(ListScreen):
    screen_id = "go_timeline"
    columns = lists.TIMELINE
    empty = "nothing has changed yet"
    follow = True

    def rows(self) -> list[Row]:
        cutover = self.cockpit.cutover
        items = {item.id for _, item in cutover.plan.items()}
        changes = timeline.changes(cutover.record.entries, cutover.situation)
        return lists.timeline(changes, evidence_bundle.titles(cutover.plan), items)

    def about(self, row: Row) -> Lines:
        change = change_of(self.cockpit.cutover, row.key)
        if change is None:
            return ()
        what = "verdict" if change.subject == VERDICT else row.cell("subject").plain
        return ((f"{what}: {change.because or 'no reason was recorded'}", theme.TEXT),)

    def subject(self) -> str:
        """The criterion, item or gate whose change the cursor is on; the change itself if it is the verdict's."""
        row = self.grid.selected
        change = change_of(self.cockpit.cutover, row.key) if row is not None else None
        if row is None or change is None:
            return ""
        return change.subject if find(self.cockpit.cutover.situation, change.subject) else row.key

    def clipboard_line(self) -> str:
        row = self.grid.selected
        change = change_of(self.cockpit.cutover, row.key) if row is not None else None
        return (
            super().clipboard_line()
            if change is None
            else evidence_bundle.change_line(self.cockpit.cutover.plan, change)
        )
