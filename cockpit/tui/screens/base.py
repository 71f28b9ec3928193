"""The frame every screen shares: context row, verdict banner, a body of its own, and the footer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import ScreenResume
from textual.screen import Screen
from textual.widget import Widget

from cockpit.tui.action_registry import ACTIONS, Action, Where, footer
from cockpit.tui.made_once import MadeOnce
from cockpit.tui.text import plain
from cockpit.tui.views import activity, evidence_bundle
from cockpit.tui.views.lookup import find, step_of
from cockpit.tui.widgets.banner import Here, VerdictBanner
from cockpit.tui.widgets.context_row import ContextRow
from cockpit.tui.widgets.footer import Footer
from cockpit.tui.widgets.message_line import MessageLine
from cockpit.tui.widgets.passage import Passage
from probes.known_secrets import hide

if TYPE_CHECKING:
    from cockpit.tui.cockpit import Cockpit


AWAY_LINES, SHORT_AWAY_LINES = 4, 2
"""Changes on the card of what happened meanwhile, on a tall terminal and on a short one."""
TALL = 30
AWAY_ROWS = 16
"""Rows of a terminal that has room for it."""


def own_bindings(where: Where) -> list[BindingType]:
    """The keys that do something on one kind of screen, whatever they do elsewhere; the application does it."""
    return [
        Binding(action.keys, f"app.do('{action.id}')", action.label, show=False, id=action.id)
        for action in ACTIONS
        if action.where is where
    ]


class FrameScreen(Screen[None]):
    """A screen that is painted, all of it, from the newest Situation."""

    screen_id = ""
    _ready = False
    _made_from: object = None
    takes_text: ClassVar[bool] = False
    """Whether letters typed here are words, not keys."""
    footer: ClassVar[tuple[str, ...]] = ()
    """Ids of the actions in the footer; empty for those of a list."""
    of_situation: ClassVar[bool] = False
    """Whether the body shows nothing but the Situation and what its keys do to it."""
    offered: ClassVar[frozenset[str]] = frozenset()
    """Ids of actions that only this kind of screen has."""

    def __init__(self) -> None:
        super().__init__()
        self._happened = MadeOnce[tuple[int, Text]]()
        """What the card after an absence lists."""

    @property
    def cockpit(self) -> Cockpit:
        return cast("Cockpit", self.app)

    def compose(self) -> ComposeResult:
        cockpit = self.cockpit
        # Before there are widgets: each would be styled once more.
        self.set_class(cockpit.label == "PROD", "-production")
        yield ContextRow(cockpit.cutover, cockpit.label, armed=lambda: cockpit.armed, who=lambda: cockpit.who)
        yield VerdictBanner(cockpit.cutover, self._here)
        yield Passage("away")
        yield from self.body()
        yield MessageLine(lambda: cockpit.message)
        yield Footer(self._keys(), self.screen_id, cockpit.action_do, screens=not self.takes_text)

    def _here(self) -> Here:
        return Here(self.cockpit.who, {action.id: action.shown for action in self.cockpit.actions()})

    def _keys(self) -> list[Action]:
        cockpit = self.cockpit
        there = footer(
            rehearsal=cockpit.drill is not None,
            of=self.footer_keys(),
            armed=cockpit.armed,
            replay=cockpit.controls is not None,
        )
        can = {action.id for action in cockpit.actions()}
        return [action for action in cockpit.key_map.of(there) if action.id in can]

    def footer_keys(self) -> tuple[str, ...]:
        """Ids of the actions in the footer now."""
        return self.footer

    def offers(self, action: str) -> bool:
        """Whether an action of this kind of screen makes sense on it now; its key does what it does elsewhere if not."""
        return action in self.offered

    def body(self) -> Iterable[Widget]:
        """What is between the banner and the footer."""
        return ()

    def on_mount(self) -> None:
        self._ready = True
        self.paint()

    def on_unmount(self) -> None:
        self._ready = False

    def on_screen_resume(self, event: ScreenResume) -> None:
        # Nothing of the style sheet depends on what was in front meanwhile, and finding that out takes as long as painting.
        event.refresh_styles = False
        self.paint()

    def paint(self, *, again: bool = True) -> None:
        """Show the newest Situation. Not `again`: a body that was made from this very Situation is left as it is."""
        # A frame may fall due while the screen is put together or taken apart; the next one paints it.
        if not self._ready or not self.is_running:
            return
        banner = self.query_one(VerdictBanner)
        banner.degraded = self.cockpit.degraded
        banner.show_newest()
        self.query_one(ContextRow).show_newest()
        self.query_one(MessageLine).show_newest()
        self._away()
        keys = self.query_one(Footer)
        if keys.actions != (now := self._keys()):
            keys.actions = now
            keys.refresh()
        made_from = (self.cockpit.cutover.revision, self.cockpit.attention.since)
        if again or not self.of_situation or self._made_from != made_from:
            self._made_from = made_from
            self.paint_body()

    def _away(self) -> None:
        """While nobody presses a key: what has happened since; the next key takes it away."""
        cutover, attention = self.cockpit.cutover, self.cockpit.attention
        card = Text("")
        if attention.away and attention.since is not None and self.size.height >= AWAY_ROWS:
            titles, width = evidence_bundle.titles(cutover.plan), self.size.width - 2
            most = AWAY_LINES if self.size.height >= TALL else SHORT_AWAY_LINES
            record, now, since, who = cutover.record, cutover.situation, attention.since, self.cockpit.who
            made_from = (len(record.entries), now.not_counted, since, width, most, who)
            count, body = self._happened.of(
                made_from, lambda: activity.away_body(record, titles, now, since, width, most, who=who)
            )
            card = activity.away_card(count, body, now, since, width, most)
        box = self.query_one("#away", Passage)
        box.display = bool(card)
        box.show(card, keep="\n")

    def paint_body(self) -> None:
        """Show the newest Situation in the body."""

    def subject(self) -> str:
        """Id of what this screen or its cursor is about; empty where there is nothing."""
        return ""

    def clipboard_text(self) -> str:
        """The command of a step, exactly as the plan has it, to paste into a shell; else one line for the incident channel."""
        step = step_of(self.cockpit.cutover.situation, self.subject())
        return hide(step.command) if step is not None and step.command else plain(self.clipboard_line())

    def clipboard_line(self) -> str:
        """One line to paste into the incident channel."""
        situation = self.cockpit.cutover.situation
        return evidence_bundle.line(situation, find(situation, self.subject()))

    def back(self) -> bool:
        """Leave something inside this screen; False if there is nothing to leave."""
        return False

    # What the keys of lists do; nothing on a screen that is none.

    def open_selected(self) -> None:
        """Enter on the line under the cursor."""

    def open_filter(self) -> None:
        """Ask for the text that lines must contain."""

    def toggle_failing(self) -> None:
        """Show only what stands in the way, or everything again."""

    def to_edge(self, *, top: bool) -> None:
        """To the first line, or to the last."""

    def zoom(self, by: int) -> None:
        """Show half the time on charts (1), or twice as much (-1)."""

    def submit(self) -> None:
        """Send what is typed on this page."""

    def toggle_mine(self) -> None:
        """Show only what the person here can sign, or everything again."""
