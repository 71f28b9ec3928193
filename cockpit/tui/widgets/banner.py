"""Below the first row: the verdict and since when, what to do next, and why; it says so when it may no longer be true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from rich.text import Text
from textual.geometry import Size
from textual.widget import Widget

from cockpit import formatting
from cockpit.decide.act import Act
from cockpit.decide.next_action import also, next_for
from cockpit.decide.situation import Situation
from cockpit.engine.ports import Watching
from cockpit.plan.model import Phase
from cockpit.tui import theme
from cockpit.tui.text import plain, wrapped

STALE_AFTER_S = 3.0
WIDE = 76
LOW, HIGH = 3, 4
"""Lines of the banner."""
HIGH_FROM = 30
"""Rows of a terminal that has room for the higher one."""
PHASES = {Phase.PRE_DEPLOY: "before deployment", Phase.POST_DEPLOY: "after deployment"}


@dataclass(frozen=True, slots=True)
class Here:
    """Who is at this cockpit, and what keys do there."""

    who: str | None = None
    """Id of the person; empty while nobody has said who they are, None where nobody can act."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Key, as people read it, by action id; only of actions there are."""


class VerdictBanner(Widget):
    """The word with its symbol, since when and the clock of an undecided rollback; what to do next; why."""

    DEFAULT_CSS = "VerdictBanner { height: auto; }"

    def __init__(self, watch: Watching, here: Callable[[], Here]) -> None:
        super().__init__()
        self.cutover = watch
        self._here = here
        self.degraded = ""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - as Textual calls it
        return banner_height(viewport.height)

    def render(self) -> Text:
        watch = self.cutover
        age = (watch.clock.now() - watch.situation.now) / max(watch.clock.speed, 1e-9)
        return banner_lines(
            watch.situation,
            age,
            self.degraded or watch.notice,
            self.size.width,
            self.size.height,
            paused=watch.paused or bool(self.degraded),
            here=self._here(),
        )


def banner_height(rows: int) -> int:
    """Lines of the banner in a terminal of so many rows."""
    return HIGH if rows >= HIGH_FROM else LOW


def banner_lines(
    situation: Situation,
    age: timedelta,
    notice: str,
    width: int,
    height: int = LOW,
    *,
    paused: bool = False,
    here: Here = Here(),
) -> Text:
    """`height` lines. `age` is real time since the situation was made; `notice` is what matters above all reasons."""
    stale = f"STALE {formatting.duration(age)}" if age.total_seconds() > STALE_AFTER_S or paused else ""
    lines = [_word_line(situation, stale, width), next_line(situation, here, width)]
    reasons = [plain(reason) for reason in situation.verdict.reasons]
    if notice:
        colour = theme.BAD if paused else theme.HOLD
        lines.append(Text(f" ▲ {plain(notice)}", style=f"bold {colour}", no_wrap=True))
    elif len(reasons) == 1:
        lines += _wrapped(reasons.pop(), width, height - len(lines))
    while len(lines) < height:
        reason = reasons.pop(0) if reasons else ""
        more = f"  (+{len(reasons)} more)" if len(lines) == height - 1 and reasons else ""
        line = Text(f"   {reason}", style=theme.TEXT, no_wrap=True)
        line.truncate(max(10, width - len(more)), overflow="ellipsis")
        line.append(more, style=theme.QUIET)
        lines.append(line)
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)


def next_line(situation: Situation, here: Here, width: int) -> Text:
    """What the person here does next, with its key; what others have to do, where there is room."""
    mine = next_for(situation, here.who)
    waits = mine.act is Act.WAIT
    others = () if mine.act in (Act.WAIT, Act.IDENTIFY) else also(situation, mine)
    line = Text(no_wrap=True)
    line.append(" NEXT ", style=f"bold {theme.QUIET if waits else theme.HOLD}")
    if key := here.keys.get(mine.act):
        line.append(f"{key} ", style=f"bold {theme.GROUND} on {theme.HOLD}")
    line.append(f" {plain(mine.what)}", style=theme.QUIET if waits else f"bold {theme.STRONG}")
    for other in others:
        text = f"   ALSO {plain(other)}"
        if line.cell_len + len(text) <= width:
            line.append(text, style=theme.QUIET)
    return line


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
    if (back := situation.back) is not None and back.word:
        colour = theme.of_meaning(back.fit.meaning)
        parts.append((6, f"  {back.word}", f"bold {colour}" if back.calls else theme.TEXT))
        if back.path:
            parts.append((5, f"; {back.path_word}", colour))  # as much as since when, and dropped after it
    parts.append((4, _sight(situation, width), theme.QUIET if situation.sight.share == 1 else theme.UNKNOWN))
    while len(parts) > 1 and sum(len(text) for _, text, _ in parts) > width:
        parts.remove(min(parts, key=lambda part: part[0]))
    line = Text(no_wrap=True)
    for _, text, style in parts:
        line.append(text, style=style)
    line.truncate(width, overflow="ellipsis")
    return line


def _wrapped(reason: str, width: int, most: int) -> list[Text]:
    """The only reason, over at most so many lines."""
    return [Text(f"   {part}", style=theme.TEXT, no_wrap=True) for part in wrapped(reason, width - 4, most=most)]


def _sight(situation: Situation, width: int) -> str:
    sight = situation.sight
    if not sight.enforced:
        return ""
    return (
        f"  {sight.visible} of {sight.enforced} checks visible"
        if width >= WIDE
        else f"  {sight.visible}/{sight.enforced} visible"
    )
