"""What is always in view: whose account this is, what the verdict is and why, and which keys there are."""

from __future__ import annotations

import textwrap
from datetime import timedelta

from rich.text import Text
from textual.widget import Widget

from cockpit.decide import words
from cockpit.decide.situation import Situation
from cockpit.engine.watch import Watching
from cockpit.plan.model import Phase
from cockpit.tui import palette
from cockpit.tui.actions import SCREENS, Action

STALE_AFTER_S = 3.0
PHASES = {Phase.PRE_DEPLOY: "before deployment", Phase.POST_DEPLOY: "after deployment"}


def environment_label(environment: str) -> str:
    """
    >>> environment_label("production"), environment_label("staging")
    ('PROD', 'STAGING')
    """
    return "PROD" if environment.lower() in ("production", "prod") else environment.upper()


class ContextRow(Widget):
    """Row 1: environment, account, region, role, READ-ONLY, plan and digest, UTC and local clock."""

    DEFAULT_CSS = "ContextRow { height: 1; }"

    def __init__(self, watch: Watching, label: str) -> None:
        super().__init__()
        self.cutover = watch
        self.label = label

    def render(self) -> Text:
        return context_line(self.cutover, self.label, self.size.width)


def context_line(watch: Watching, label: str, width: int) -> Text:
    """As many parts as fit; the environment, READ-ONLY and the clock are never dropped."""
    now = watch.situation.now
    plan = watch.plan
    role = watch.arn.rpartition(":")[2].removeprefix("assumed-role/").partition("/")[0] if watch.arn else ""
    here = now.astimezone()
    local = f"{here:%H:%M %Z}" if here.utcoffset() else ""
    if watch.clock.speed != 1.0:
        local = f"{watch.clock.speed:.0f}x"
    parts = [
        (7, watch.account or plan.target.account),
        (5, plan.target.region),
        (3, role),
        (4, plan.name),
        (2, plan.digest[:7]),
    ]
    clock = [(9, f"{words.clock(now)} UTC"), *([(6, local)] if local else [])]
    shown = [(rank, text) for rank, text in parts if text]
    tail = clock
    left = f" {label}  READ-ONLY"

    def length() -> int:
        return len(left) + sum(len(text) + 2 for _, text in (*shown, *tail)) + 2

    while length() > width and (shown or len(tail) > 1):
        weakest = min((*shown, *tail[1:]), key=lambda part: part[0])
        (shown if weakest in shown else tail).remove(weakest)
    line = Text(no_wrap=True, style=f"{palette.TEXT} on {palette.PANEL}")
    line.append(f" {label} ", style=f"bold {palette.STRONG} on {palette.of_environment(label)}")
    line.append(" READ-ONLY", style="bold")
    for _, text in shown:
        line.append(f"  {text}")
    right = "  ".join(text for _, text in tail)
    line.append(" " * max(1, width - line.cell_len - len(right) - 1))
    line.append(right + " ", style="bold")
    return line


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
    verdict = situation.verdict
    colour = palette.VERDICTS[verdict.word]
    first = Text(no_wrap=True)
    first.append(f" {words.SYMBOLS[verdict.word]} {verdict.label} ", style=f"bold {palette.GROUND} on {colour}")
    first.append(f" since {words.clock(verdict.since)}", style=colour)
    first.append(f" ({words.duration(situation.now - verdict.since)})", style=palette.QUIET)
    if verdict.latch is not None:
        first.append(f"  undecided {words.duration(verdict.latch.undecided)} ", style=f"bold {palette.BAD}")
    else:
        first.append(f"  {PHASES[verdict.phase]}", style=palette.QUIET)
    first.append(_sight(situation), style=palette.QUIET if situation.sight.share == 1 else palette.UNKNOWN)
    if age.total_seconds() > STALE_AFTER_S or paused:
        first.append(f"  STALE {words.duration(age)} ", style=f"bold reverse {palette.BAD}")
    lines = [first]
    reasons = list(verdict.reasons)
    if notice:
        lines.append(Text(f" ▲ {notice}", style=f"bold {palette.BAD if paused else palette.HOLD}", no_wrap=True))
    if len(reasons) == 1 and len(lines) == 1:
        first.truncate(width, overflow="ellipsis")
        return Text("\n").join([first, *_wrapped(reasons[0], width)])
    while len(lines) < 3:
        reason = reasons.pop(0) if reasons else ""
        more = f"  (+{len(reasons)} more)" if len(lines) == 2 and reasons else ""
        line = Text(f"   {reason}", style=palette.TEXT, no_wrap=True)
        line.truncate(max(10, width - len(more)), overflow="ellipsis")
        line.append(more, style=palette.QUIET)
        lines.append(line)
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)


def _wrapped(reason: str, width: int) -> list[Text]:
    """The only reason, over two lines."""
    parts = textwrap.wrap(reason, max(10, width - 4)) or [""]
    lines = [Text(f"   {part}", style=palette.TEXT, no_wrap=True) for part in (*parts, "")[:2]]
    if len(parts) > 2:
        lines[1].append(" …")
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def _sight(situation: Situation) -> str:
    sight = situation.sight
    return f"  sees {sight.visible}/{sight.enforced}" if sight.enforced else ""


class Footer(Widget):
    """The last row: which screen this is, and six keys at most."""

    DEFAULT_CSS = "Footer { height: 1; dock: bottom; }"

    def __init__(self, actions: list[Action], screen_id: str) -> None:
        super().__init__()
        self.actions = actions
        self.screen_id = screen_id

    def render(self) -> Text:
        return footer_line(self.actions, self.screen_id, self.size.width)


def footer_line(actions: list[Action], screen_id: str, width: int) -> Text:
    """Screens by number, the current one by name as well; then keys, as many as fit."""
    line = Text(no_wrap=True, style=f"{palette.QUIET} on {palette.PANEL}")
    wide = width >= 110
    for action in SCREENS:
        here = action.id == screen_id
        text = f" {action.shown} {action.label} " if here or wide else f" {action.shown} "
        line.append(text, style=f"bold {palette.STRONG} on {palette.CURSOR}" if here else palette.TEXT)
    line.append(" ")
    for action in actions:
        room = width - line.cell_len - len(action.shown) - len(action.label) - 3
        if room < 0:
            break
        line.append(f" {action.shown}", style=f"bold {palette.TEXT}")
        line.append(f" {action.label} ")
    line.append(" " * max(0, width - line.cell_len))
    return line
