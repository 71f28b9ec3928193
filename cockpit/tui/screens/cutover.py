"""The first screen: criteria and triggers; where there is room, charts of what decides them and what happened."""

from __future__ import annotations

from rich.text import Text

from cockpit.decide.events import Change
from cockpit.tui import theme
from cockpit.tui.made_once import MadeOnce
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
        self._charted = MadeOnce[Text]()
        self._acts = MadeOnce[list[tuple[str, Change]]]()
        self._activity = MadeOnce[Text]()

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
        record, since, who = cutover.record, self.cockpit.attention.since, self.cockpit.who
        titles, many = evidence_bundle.titles(cutover.plan), len(record.entries)
        acts = self._acts.of((many, who), lambda: activity.last_acts(record, who))
        right.append_text(activity.operators(situation, acts, titles, half))
        left = room - right.plain.count("\n")
        newest = self._activity.of(
            (many, situation.not_counted, since, half, left),
            lambda: activity.activity(situation, record, titles, since=since, width=half, height=left),
        )
        return self._trends(half, room), right.append_text(newest)

    def _trends(self, width: int, height: int) -> Text:
        """Made again only once there is newer data."""
        cutover = self.cockpit.cutover
        states = tuple((each.because.data_at, each.state) for each in cutover.situation.criteria)
        made_from = (width, height, states, len(cutover.record.entries))

        def charts() -> Text:
            return operand_charts.trends(
                cutover.situation, cutover.series, operand_charts.marks(cutover.record), width, height
            )

        return self._charted.of(made_from, charts).copy()
