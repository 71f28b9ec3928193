"""Rows 2 to 4: the verdict, since when, and why; it says so when it may no longer be true."""

from __future__ import annotations

from datetime import timedelta

from rich.text import Text
from textual.widget import Widget

from cockpit import formatting
from cockpit.decide.situation import Situation
from cockpit.engine.ports import Watching
from cockpit.plan.model import Phase
from cockpit.tui import theme
from cockpit.tui.text import plain, wrapped

STALE_AFTER_S = 3.0
WIDE = 76
PHASES = {Phase.PRE_DEPLOY: "before deployment", Phase.POST_DEPLOY: "after deployment"}


class VerdictBanner(Widget):
    """Rows 2 to 4: the word with its symbol, since when, why, and the clock of an undecided rollback."""

    DEFAULT_CSS = "VerdictBanner { height: 3; }"

    def __init__(self, watch: Watching) -> None:
        super().__init__()
        self.cutover = watch
        self.degraded = ""

    def render(self) -> Text:
        age = (self.cutover.clock.now() - self.cutover.situation.now) / max(self.cutover.clock.speed, 1e-9)
        notice = self.degraded or self.cutover.notice
        return banner_lines(
            self.cutover.situation, age, notice, self.size.width, paused=self.cutover.paused or bool(self.degraded)
        )


def banner_lines(situation: Situation, age: timedelta, notice: str, width: int, *, paused: bool = False) -> Text:
    """Three lines. `age` is real time since the situation was made; `notice` is what matters above all."""
    stale = f"STALE {formatting.duration(age)}" if age.total_seconds() > STALE_AFTER_S or paused else ""
    lines = [_word_line(situation, stale, width)]
    reasons = [plain(reason) for reason in situation.verdict.reasons]
    if notice:
        colour = theme.BAD if paused else theme.HOLD
        lines.append(Text(f" ▲ {plain(notice)}", style=f"bold {colour}", no_wrap=True))
    elif len(reasons) == 1:
        return Text("\n").join([*lines, *_wrapped(reasons[0], width)])
    while len(lines) < 3:
        reason = reasons.pop(0) if reasons else ""
        more = f"  (+{len(reasons)} more)" if len(lines) == 2 and reasons else ""
        line = Text(f"   {reason}", style=theme.TEXT, no_wrap=True)
        line.truncate(max(10, width - len(more)), overflow="ellipsis")
        line.append(more, style=theme.QUIET)
        lines.append(line)
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)


def _word_line(situation: Situation, stale: str, width: int) -> Text:
    """The word, then as much as fits. What is dropped first: the phase, how much is seen, since when."""
    verdict = situation.verdict
    colour = theme.of_meaning(verdict.word.meaning)
    # A word that may no longer be true must not shine in its colour.
    ground = theme.UNKNOWN if stale else colour
    parts = [
        (9, f" {verdict.word.meaning.symbol} {verdict.label} ", f"bold {theme.GROUND} on {ground}"),
        (8, f" {stale} ", f"bold {theme.STRONG} on {theme.PRODUCTION}"),
        (5, f" since {formatting.clock(verdict.since)}", colour),
        (3, f" ({formatting.duration(situation.now - verdict.since)})", theme.QUIET),
    ]
    if not stale:
        parts.pop(1)
    if verdict.latch is not None:
        parts.append((7, f"  undecided {formatting.duration(verdict.latch.undecided)}", f"bold {theme.BAD}"))
    else:
        parts.append((2, f"  {PHASES[verdict.phase]}", theme.QUIET))
    parts.append((4, _sight(situation, width), theme.QUIET if situation.sight.share == 1 else theme.UNKNOWN))
    while len(parts) > 1 and sum(len(text) for _, text, _ in parts) > width:
        parts.remove(min(parts, key=lambda part: part[0]))
    line = Text(no_wrap=True)
    for _, text, style in parts:
        line.append(text, style=style)
    line.truncate(width, overflow="ellipsis")
    return line


def _wrapped(reason: str, width: int) -> list[Text]:
    """The only reason, over two lines."""
    parts = wrapped(reason, width - 4, most=2)
    return [Text(f"   {part}", style=theme.TEXT, no_wrap=True) for part in (*parts, "")[:2]]


def _sight(situation: Situation, width: int) -> str:
    sight = situation.sight
    if not sight.enforced:
        return ""
    return (
        f"  {sight.visible} of {sight.enforced} checks visible"
        if width >= WIDE
        else f"  {sight.visible}/{sight.enforced} visible"
    )
