"""Below the first row: the verdict and since when, what to do next, and why; it says so when it may no longer be true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
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
from cockpit.tui.text import cut_to, plain, wrapped
from probes.frozen import frozen

STALE_AFTER_S = 3.0
WIDE = 100
LOW, HIGH = 3, 4
"""Lines of the banner."""
HIGH_FROM = 30
"""Rows of a terminal that has room for the higher one."""
PHASES = {Phase.PRE_DEPLOY: "before deployment", Phase.POST_DEPLOY: "after deployment"}


@frozen
class Here:
    """Who is at this cockpit, and what keys do there."""

    who: str | None = None
    """Id of the person; empty while nobody has said who they are, None where nobody can act."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Key, as people read it, by action id; only of actions there are."""


NOBODY_HERE = Here()


class VerdictBanner(Widget):
    """The word with its symbol, since when and the clock of an undecided rollback; what to do next; why."""

    DEFAULT_CSS = "VerdictBanner { height: auto; }"

    def __init__(self, watch: Watching, here: Callable[[], Here]) -> None:
        super().__init__()
        self.cutover = watch
        self._here = here
        self.degraded = ""
        self._shown: Text | None = None

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - as Textual calls it
        return banner_height(viewport.height)

    def show_newest(self) -> None:
        """Paint it where it has become another: every frame asks."""
        if self._text() != self._shown:
            self.refresh()

    def render(self) -> Text:
        self._shown = self._text()
        return self._shown.copy()

    def _text(self) -> Text:
        watch = self.cutover
        return banner_lines(
            watch.situation,
            real_age(watch),
            self.degraded or watch.notice,
            self.size.width,
            self.size.height,
            paused=watch.paused or bool(self.degraded),
            here=self._here(),
            aside=watch.aside,
        )


def real_age(watch: Watching) -> timedelta:
    """Real time since what is shown was so."""
    age = watch.clock.now() - watch.situation.now
    if watch.paused:  # it goes on deciding, from readings that grow old
        age += min((each.age for each in watch.situation.probes if each.age is not None), default=timedelta(0))
    return age / max(watch.clock.speed, 1e-9)


def is_stale(watch: Watching) -> bool:
    """Whether the verdict is no longer renewed, or from readings that nobody renews."""
    return watch.paused or real_age(watch).total_seconds() > STALE_AFTER_S


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
    here: Here = NOBODY_HERE,
    aside: str = "",
) -> Text:
    """`height` lines. `age` is real time since the situation was made; `notice` is what matters above all reasons, and `aside`
    what may stand beside them.
    """
    stale = f"STALE {formatting.duration(age)}" if age.total_seconds() > STALE_AFTER_S or paused else ""
    lines = [_word_line(situation, stale, width), next_line(situation, here, width)]
    reasons = [plain(reason) for reason in situation.verdict.reasons]
    if notice and (paused or height > LOW):
        lines.append(_notice(notice, width, paused=paused))
        notice = ""
    at = 2
    if len(reasons) == 1 and not notice:
        wrapped_reason = _wrapped(reasons.pop(), width, height - len(lines))
        lines[at:at] = wrapped_reason
        at += len(wrapped_reason)
    while len(lines) < height:
        last = len(lines) == height - 1
        reason = reasons.pop(0) if reasons else ""
        more = f"  (+{len(reasons)} more)" if last and reasons and not notice else ""
        # A notice takes what the reason leaves, and a little less than half at least.
        room = max(width // 2 - 5, width - len(more) - len(reason) - 3)
        beside = _notice(notice, room, paused=False) if notice else Text("")
        if last and aside and not notice and 4 + len(reason) + len(more) + len(aside) + 3 <= width:
            beside = Text(f" ▲ {plain(aside)}", style=theme.QUIET, no_wrap=True)
        line = Text(f"   {reason}", style=theme.TEXT, no_wrap=True)
        cut_to(line, max(10, width - len(more) - beside.cell_len))
        lines.insert(at, line.append(more, style=theme.QUIET).append_text(beside))
        at += 1
    for line in lines:
        cut_to(line, width)
    return Text("\n").join(lines)


def _notice(notice: str, width: int, *, paused: bool) -> Text:
    line = Text(f" ▲ {plain(notice)}", style=f"bold {theme.BAD if paused else theme.HOLD}", no_wrap=True)
    cut_to(line, width)
    return line


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


CAUSE = 5
"""Its rank: what is weaker goes for it; beside what is stronger it is cut."""
SHORTEST = 12
"""Cells below which a cause says nothing."""


def _word_line(situation: Situation, stale: str, width: int) -> Text:
    """The word with what it will become, the cause, then as much as fits: since when, the phase, how much is seen."""
    verdict, sight = situation.verdict, situation.sight
    colour = theme.of_meaning(verdict.word.meaning)
    # A word that may no longer be true must not shine in its colour.
    ground = theme.UNKNOWN if stale else colour
    parts = [(9, f" {verdict.word.meaning.symbol} {verdict.label} ", f"bold {theme.GROUND} on {ground}")]
    if stale:
        parts.append((8, f" {stale} ", f"bold {theme.STRONG} on {theme.PRODUCTION}"))
    if verdict.turns_to is not None and verdict.turns_in is not None:
        soon = f"-> {verdict.turns_to} {formatting.left(verdict.turns_in)}"
        parts.append((8, soon, f"bold {theme.BAD}"))
    if verdict.latch is not None:
        parts.append((7, f"undecided {formatting.duration(verdict.latch.undecided)}", f"bold {theme.BAD}"))
    elif verdict.under_way is not None:
        parts.append((7, f"decided: {formatting.decided(verdict.under_way.choice)} ", f"bold {theme.HOLD}"))
        parts.append((4, f"for {formatting.duration(situation.now - verdict.since)}", theme.QUIET))
    elif verdict.turns_to is None:
        parts.append((4, f"for {formatting.duration(situation.now - verdict.since)}", theme.QUIET))
    parts += [
        (3, f" since {formatting.clock(verdict.since)}", colour),
        (1, f"  {PHASES[verdict.phase]}", theme.QUIET),
        *_way_back(situation),
        (6 if sight.share < 1 else 2, _sight(situation, width), theme.QUIET if sight.share == 1 else theme.UNKNOWN),
        (CAUSE, f"  {plain(verdict.cause)}" if verdict.cause else "", f"bold {theme.TEXT}"),
    ]
    parts = [part for part in parts if part[1]]
    while len(parts) > 1 and (over := sum(len(text) for _, text, _ in parts) - width) > 0:
        weakest = min(parts, key=lambda part: part[0])
        if weakest[0] == CAUSE and len(weakest[1]) - over >= SHORTEST:
            break
        parts.remove(weakest)
    line = Text(no_wrap=True)
    for _, text, style in parts:
        line.append(text, style=style)
    cut_to(line, width)
    return line


def _way_back(situation: Situation) -> list[tuple[int, str, str]]:
    """Until when a rollback fits into the change window, and the path to GO against that; none where there is nothing to say.

    Where somebody must act soon it stands before the cause, which is cut for it; a distant moment makes way for the cause, and
    who has decided is not asked to decide by then.
    """
    back = situation.back
    if back is None or not back.word or (situation.verdict.under_way is not None and not back.calls):
        return []
    colour = theme.of_meaning(back.fit.meaning)
    strong = f"bold {colour}" if back.calls else theme.TEXT
    parts = [(7 if back.calls else 4, f"  {back.word}", strong)]
    return [*parts, (7 if back.calls else 4, f"; {back.path_word}", colour)] if back.path else parts


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
        else f"  {sight.visible}/{sight.enforced} seen"
    )
