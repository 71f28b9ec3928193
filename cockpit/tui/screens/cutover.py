"""The first screen: criteria and triggers; where there is room, charts of what decides them and what happened."""

from __future__ import annotations

from rich.text import Text

from cockpit.tui import theme
from cockpit.tui.screens.lists import TALL_ABOUT, Lines, ListScreen, without_empty_headings
from cockpit.tui.views import activity, evidence_bundle, lists, operand_charts, outlook
from cockpit.tui.widgets.grid import NARROW, Row

BROAD, HIGH = 120, 40
"""Columns and rows from which there are charts, what happened, and the step under way."""


class CutoverScreen(ListScreen):
    screen_id = "go_cutover"
    columns = lists.CUTOVER
    narrow = lists.COMPACT
    empty = "nothing fails"

    def __init__(self) -> None:
        super().__init__()
        self._charted: tuple[object, Text] | None = None

    def rows(self) -> list[Row]:
        rows = lists.cutover(self.cockpit.cutover.situation, self.cockpit.cutover.series)
        if self.app.size.width >= NARROW:
            return rows
        # A side pane shows the verdict, what to do next, and what fails.
        return without_empty_headings([row for row in rows if row.heading is not None or row.failing])

    def about(self, row: Row) -> Lines:
        status = next((c for c in self.cockpit.cutover.situation.criteria if c.id == row.key), None)
        if status is None:
            return ()
        # The title may have been cut in the list.
        return (
            (f"{status.title}: {status.because.line}", theme.TEXT),
            (status.caution, theme.HOLD),
            (status.because.condition, theme.QUIET),
        )

    def below(self) -> tuple[Text, Text]:
        """Charts, and what happened with the step under way; with less room the path to GO and what is blind."""
        cutover, half = self.cockpit.cutover, self.list_columns // 2 - 2
        situation, room = cutover.situation, self.list_rows - TALL_ABOUT - 1 - len(self.grid.rows)
        if self.app.size.width < BROAD or self.app.size.height < HIGH:
            return outlook.path(situation, half), outlook.blind_spots(situation)
        right = outlook.runbook(situation, half)
        right.append_text(
            activity.activity(
                situation,
                cutover.record,
                evidence_bundle.titles(cutover.plan),
                since=self.cockpit.attention.since,
                who=self.cockpit.who,
                width=half,
                height=room - right.plain.count("\n"),
            )
        )
        return self._trends(half, room), right

    def _trends(self, width: int, height: int) -> Text:
        """Made again only once there is newer data."""
        cutover = self.cockpit.cutover
        states = tuple((each.because.data_at, each.state) for each in cutover.situation.criteria)
        made_from = (width, height, states, len(cutover.record.entries))
        if self._charted is None or self._charted[0] != made_from:
            marked = operand_charts.marks(cutover.record)
            text = operand_charts.trends(cutover.situation, cutover.series, marked, width, height)
            self._charted = (made_from, text)
        return self._charted[1].copy()
