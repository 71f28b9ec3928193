"""A live list by the line API: rows keep their place, the cursor keeps its row, and only what changed is painted again.

A table widget that repaints every visible row for one changed cell costs half a core at ten updates a second; here each
row's strip is kept until its content, the width or the cursor changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rich.style import Style
from rich.text import Text
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cockpit.tui import theme
from cockpit.tui.text import cut_to, safe_copy
from probes.frozen import frozen

GAP = 2
NARROW = 60
"""Columns of a terminal below which a list is one of a side pane."""
MARGIN = 1
"""Left of every row: the cursor's mark, which is there without colours too."""


@frozen
class Column:
    """A column of fixed `width` (0: takes what is left). Columns of a high `rank` are dropped first when there is no room."""

    key: str
    title: str
    width: int = 0
    rank: int = 0
    least: int = 18
    """Cells a flexible column must keep."""
    weight: int = 1
    """A flexible column's share of what is left."""
    most: int = 0
    """Cells a flexible column takes at most; 0 for no end."""
    ample: int = 0
    """Cells a flexible column has before there is room for an ornament; one that loses its middle: its longest text too."""
    ornament: bool = False
    """Whether it is there only where every flexible column has ample room."""
    middle: bool = False
    """Whether what is too long loses its middle, not its end."""


Cells = tuple[tuple[str, Text], ...]
"""By column key."""


@frozen
class LateCells:
    """Cells made when they are painted: of hundreds of rows a terminal shows thirty. Equal where made from equal things."""

    made_from: tuple[object, ...]
    make: Callable[[], Cells] = field(compare=False)

    def __iter__(self) -> Iterator[tuple[str, Text]]:
        return iter(self.make())


@frozen
class Row:
    """One line. `cells` are by column key; `search` is what a filter looks at. A heading has only `heading`."""

    key: str
    cells: Cells | LateCells = ()
    heading: Text | None = None
    search: str = ""
    failing: bool = False
    selectable: bool = True
    changed: bool = False
    """Whether it became another since somebody looked: it has a mark, which is there without colours too."""

    def cell(self, key: str) -> Text:
        return next((text for name, text in self.cells if name == key), Text(""))


def fit(columns: Sequence[Column], width: int, longest: Mapping[str, int] | None = None) -> list[tuple[Column, int]]:
    """The columns that fit, with their widths. `longest`: by key, the cells of the longest text of what loses its middle.

    >>> [c.key for c, _ in fit([Column("a", "A", 10), Column("b", "B"), Column("c", "C", 30, rank=2)], 45)]
    ['a', 'b']
    """
    kept = [_no_wider(c, (longest or {}).get(c.key, 0)) for c in columns]
    while len(kept) > 1:
        fixed = sum(c.width for c in kept) + GAP * (len(kept) - 1)
        needed = sum(_floor(kept).values())
        if fixed + needed <= width:
            break
        droppable = max(kept, key=lambda c: c.rank)
        if droppable.rank == 0:
            break
        kept.remove(droppable)
    flexible = [c for c in kept if not c.width]
    room = max(0, width - sum(c.width for c in kept) - GAP * (len(kept) - 1))
    # Nobody has less than its least for another's sake; what is left over goes by weight.
    least = _floor(kept) if len(flexible) > 1 else {c.key: 0 for c in flexible}
    free = max(0, room - sum(least.values()))
    shares: dict[str, int] = {}
    for column in sorted(flexible, key=lambda c: (c.most - least[c.key]) / c.weight if c.most else float("inf")):
        weights = sum(c.weight for c in flexible if c.key not in shares)
        share = free * column.weight // weights
        extra = min(share, max(0, column.most - least[column.key])) if column.most else share
        free -= extra
        shares[column.key] = min(least[column.key] + extra, room)
    return [(c, c.width or shares[c.key]) for c in kept]


def _no_wider(column: Column, longest: int) -> Column:
    """The column, as wide as its longest text where that is known."""
    if not longest:
        return column
    return replace(
        column, ample=max(column.ample, longest), most=min(column.most or longest, max(longest, column.least))
    )


def without_middle(text: Text, width: int) -> Text:
    """A text that is too long with its start and its end.

    >>> without_middle(Text("one two three"), 9).plain
    'one …hree'
    """
    over = text.cell_len - width
    if over <= 0 or width < 5 or text.cell_len != len(text):  # a wide letter takes two cells: it loses its end
        return text
    head = (width - 1) // 2
    return text[:head].append("…").append_text(text[head - width + 1 :])


def _floor(kept: Sequence[Column]) -> dict[str, int]:
    """What each flexible column must have, by key: its ample width as long as there are ornaments."""
    ornate = any(column.ornament for column in kept)
    wanted = {c: max(c.least, c.ample if ornate else 0) for c in kept if not c.width}
    return {c.key: min(cells, c.most or cells) for c, cells in wanted.items()}


class Grid(ScrollView, can_focus=True):
    """Rows with a cursor. Post-only: it says what was chosen, and decides nothing."""

    DEFAULT_CSS = """
    Grid { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-gutter: stable; scrollbar-size-vertical: 1; }
    """

    @dataclass
    class Moved(Message):
        """The cursor is on another row."""

        grid: Grid
        key: str

    @dataclass
    class Opened(Message):
        """A row was clicked twice."""

        grid: Grid
        key: str

    def __init__(self, columns: Sequence[Column], *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.rows: list[Row] = []
        self.cursor = ""
        self.empty = "nothing to show"
        self.follow = False
        """Stay on the first row until another is chosen: for lists that grow at the top."""
        self.narrow: Sequence[Column] = ()
        """The columns of a terminal narrower than `NARROW`; empty where they are the same."""
        self._aimed = False
        self._strips: dict[str, tuple[Row, int, bool, Strip]] = {}
        self._ground = Style.null()
        """Of a row; asked of the style sheet once for all of them."""
        self._layout: list[tuple[Column, int]] = []
        self._longest: dict[str, int] = {}
        self._measured: set[str] = set()
        self.on_layout: Callable[[], None] | None = None

    # -- content -----------------------------------------------------------------------------------------------------

    def show(self, rows: Sequence[Row]) -> None:
        """Replace the rows. The cursor stays on its row, or goes to the nearest one if that has gone."""
        before, self.rows = self.rows, list(rows)
        if [row.key for row in before] != [row.key for row in self.rows]:
            self.virtual_size = Size(0, len(self.rows))
            self._keep_cursor(before)
            keys = {row.key for row in self.rows}
            self._strips = {key: held for key, held in self._strips.items() if key in keys}
            self._measure()
            self.refresh()
            return
        self._paint_rows(lambda index: before[index] is not self.rows[index] and before[index] != self.rows[index])

    def _paint_rows(self, chosen: Callable[[int], bool]) -> None:
        """Paint those of the rows in view that are chosen, by their places."""
        top = round(self.scroll_offset.y)
        seen = range(top, min(top + self.size.height, len(self.rows)))
        if dirty := [Region(0, index - top, self.size.width, 1) for index in seen if chosen(index)]:
            self.refresh(*dirty)

    def _measure(self) -> None:
        """Columns that lose their middle: whoever filters lines or is shown a badge sees no column come or go."""
        before = dict(self._longest)
        new = [row for row in self.rows if row.key not in self._measured]
        self._measured.update(row.key for row in new)
        for column in self.columns:
            if column.middle:
                longest = max((row.cell(column.key).cell_len for row in new), default=0)
                self._longest[column.key] = max(longest, self._longest.get(column.key, 0))
        if self._longest != before and self._layout:
            self._lay_out()

    def _keep_cursor(self, before: Sequence[Row]) -> None:
        keys = [row.key for row in self.rows if row.selectable]
        if self.cursor in keys and (self._aimed or not self.follow):
            self._keep_place(before)
            self._scroll_to_cursor()
            return
        old = [row.key for row in before if row.selectable]
        index = old.index(self.cursor) if self.cursor in old and (self._aimed or not self.follow) else 0
        self.cursor = keys[min(index, len(keys) - 1)] if keys else ""
        self._scroll_to_cursor()
        self.post_message(self.Moved(self, self.cursor))

    def _keep_place(self, before: Sequence[Row]) -> None:
        """Scroll by as many rows as came or went above the cursor: its row does not move on the screen."""
        was = next((i for i, row in enumerate(before) if row.key == self.cursor), None)
        now = next((i for i, row in enumerate(self.rows) if row.key == self.cursor), None)
        if self._aimed and was is not None and now is not None and was != now:
            self.scroll_to(y=self.scroll_offset.y + now - was, animate=False, force=True, immediate=True)

    @property
    def selected(self) -> Row | None:
        return next((row for row in self.rows if row.key == self.cursor), None)

    def select(self, key: str) -> None:
        """Put the cursor on a row, if it is there."""
        self._aimed = True
        if key != self.cursor and any(row.key == key and row.selectable for row in self.rows):
            left, self.cursor = self.cursor, key
            self._scroll_to_cursor()
            self._paint_rows(lambda index: self.rows[index].key in (left, key))
            self.post_message(self.Moved(self, key))

    # -- moving ------------------------------------------------------------------------------------------------------

    def key_down(self) -> None:
        self.move(1)

    def key_up(self) -> None:
        self.move(-1)

    def key_j(self) -> None:
        self.move(1)

    def key_k(self) -> None:
        self.move(-1)

    def key_pagedown(self) -> None:
        self.move(max(1, self.size.height - 2))

    def key_pageup(self) -> None:
        self.move(-max(1, self.size.height - 2))

    def key_home(self) -> None:
        self.move(-len(self.rows))
        self._aimed = False

    def key_end(self) -> None:
        self.move(len(self.rows))

    def move(self, by: int) -> None:
        """Move the cursor by so many selectable rows."""
        keys = [row.key for row in self.rows if row.selectable]
        if not keys:
            return
        index = keys.index(self.cursor) if self.cursor in keys else 0
        self.select(keys[max(0, min(len(keys) - 1, index + by))])

    def on_click(self, event: Click) -> None:
        """One click selects, two open."""
        y = event.y + self.scroll_offset.y
        if 0 <= y < len(self.rows) and self.rows[y].selectable:
            self.select(self.rows[y].key)
            if event.chain == 2:
                self.post_message(self.Opened(self, self.cursor))

    def _scroll_to_cursor(self) -> None:
        index = next((i for i, row in enumerate(self.rows) if row.key == self.cursor), None)
        if index is not None and self.size.height:
            top = self.scroll_offset.y
            # Above the first line there may be a heading worth seeing.
            wanted = index - 1 if index and self.rows[index - 1].heading is not None else index
            if wanted < top:
                self.scroll_to(y=wanted, animate=False, force=True, immediate=True)
            elif index >= top + self.size.height:
                self.scroll_to(y=index - self.size.height + 1, animate=False, force=True, immediate=True)

    # -- painting ----------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        self.virtual_size = Size(0, len(self.rows))
        self._lay_out()
        self._scroll_to_cursor()
        self.refresh()

    def _lay_out(self) -> None:
        columns = self.narrow if self.narrow and self.app.size.width < NARROW else self.columns
        self._layout = fit(columns, (self.scrollable_content_region.width or self.size.width) - MARGIN, self._longest)
        self._strips.clear()
        self._ground = self.rich_style
        if self.on_layout is not None:
            self.on_layout()

    @property
    def widths(self) -> Mapping[str, int]:
        """How many cells each column that is shown has, by key; empty before there is a size."""
        return {column.key: width for column, width in self._layout}

    @property
    def header(self) -> Text:
        """The column titles, aligned with the rows."""
        line = Text(" " * MARGIN, no_wrap=True)
        for index, (column, width) in enumerate(self._layout):
            line.append(" " * (GAP if index else 0))
            line.append(column.title[:width].ljust(width))
        return line

    def render_line(self, y: int) -> Strip:
        if not self._layout:  # asked for before it was told its size: never a frame of empty rows
            self._lay_out()
        width = self.size.width
        index = y + self.scroll_offset.y
        if not self.rows and y == 0:
            return self._strip(Text(f" {self.empty}", style=theme.QUIET), width, selected=False)
        if index >= len(self.rows):
            return Strip.blank(width, self._ground)
        row = self.rows[index]
        selected = row.key == self.cursor and row.selectable
        held = self._strips.get(row.key)
        if held is not None and held[:3] == (row, width, selected):
            return held[3]
        strip = self._strip(self._line(row, ">" if selected else "*" if row.changed else " "), width, selected=selected)
        self._strips[row.key] = (row, width, selected, strip)
        return strip

    def _line(self, row: Row, mark: str) -> Text:
        line = Text(no_wrap=True).append(mark, style=f"bold {theme.STRONG}")
        if row.heading is not None:
            return cut_to(line + safe_copy(row.heading), self.size.width)
        cells = dict(row.cells)
        for index, (column, width) in enumerate(self._layout):
            cell = safe_copy(cells.get(column.key, Text("")))
            if column.middle:
                cell = without_middle(cell, width)
            cut_to(cell, width, pad=True)
            line.append(" " * (GAP if index else 0))
            line.append_text(cell)
        return line

    def _strip(self, line: Text, width: int, *, selected: bool) -> Strip:
        ground = self._ground + Style(bgcolor=theme.CURSOR, bold=True) if selected else self._ground
        segments = [segment for segment in line.render(self.app.console) if segment.text != "\n"]
        return Strip(segments).adjust_cell_length(width, None).crop(0, width).apply_style(ground)
