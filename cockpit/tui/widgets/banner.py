"""What is always in view: whose account this is, what the verdict is and why, and which keys there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from rich.text import Text
from textual.events import Click
from textual.widget import Widget

from cockpit.decide import words
from cockpit.decide.situation import Situation
from cockpit.engine.ports import Watching
from cockpit.plan.model import Phase
from cockpit.tui import theme
from cockpit.tui.keys.registry import SCREENS, Action
from cockpit.tui.text import plain, wrapped

STALE_AFTER_S = 3.0
PHASES = {Phase.PRE_DEPLOY: "before deployment", Phase.POST_DEPLOY: "after deployment"}


def environment_label(environment: str) -> str:
    """
    >>> environment_label("production"), environment_label("staging")
    ('PROD', 'STAGING')
    """
    return "PROD" if environment.lower() in ("production", "prod") else environment.upper()


class ContextRow(Widget):
    """Row 1: environment, account, region, role, READ-ONLY or ARMED, plan and digest, UTC and local clock."""

    DEFAULT_CSS = "ContextRow { height: 1; }"

    def __init__(self, watch: Watching, label: str, armed: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self.cutover = watch
        self.label = label
        self._armed = armed

    def render(self) -> Text:
        return context_line(self.cutover, self.label, self.size.width, armed=self._armed())


def context_line(watch: Watching, label: str, width: int, *, armed: bool = False) -> Text:
    """As many parts as fit; the environment, READ-ONLY or ARMED and the clock are never dropped."""
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
    mode = "ARMED" if armed else "READ-ONLY"
    left = f" {label}  {mode}"

    def length() -> int:
        return len(left) + sum(len(text) + 2 for _, text in (*shown, *tail)) + 2

    while length() > width and (shown or len(tail) > 1):
        weakest = min((*shown, *tail[1:]), key=lambda part: part[0])
        (shown if weakest in shown else tail).remove(weakest)
    line = Text(no_wrap=True, style=f"{theme.TEXT} on {theme.PANEL}")
    line.append(f" {label} ", style=f"bold {theme.STRONG} on {theme.of_environment(label)}")
    line.append(" ")
    line.append(mode, style=f"bold {theme.STRONG} on {theme.BAD_FILL}" if armed else "bold")
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
    stale = f"STALE {words.duration(age)}" if age.total_seconds() > STALE_AFTER_S or paused else ""
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
        (5, f" since {words.clock(verdict.since)}", colour),
        (3, f" ({words.duration(situation.now - verdict.since)})", theme.QUIET),
    ]
    if not stale:
        parts.pop(1)
    if verdict.latch is not None:
        parts.append((7, f"  undecided {words.duration(verdict.latch.undecided)}", f"bold {theme.BAD}"))
    else:
        parts.append((2, f"  {PHASES[verdict.phase]}", theme.QUIET))
    parts.append((4, _sight(situation), theme.QUIET if situation.sight.share == 1 else theme.UNKNOWN))
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


def _sight(situation: Situation) -> str:
    sight = situation.sight
    return f"  sees {sight.visible}/{sight.enforced}" if sight.enforced else ""


class Footer(Widget):
    """The last row: which screen this is, and six keys at most. What it says can also be clicked."""

    DEFAULT_CSS = "Footer { height: 1; dock: bottom; }"

    def __init__(self, actions: Sequence[Action], screen_id: str, chosen: Callable[[str], None]) -> None:
        super().__init__()
        self.actions = actions
        self.screen_id = screen_id
        self._chosen = chosen

    def render(self) -> Text:
        return footer_line(self.actions, self.screen_id, self.size.width)

    def on_click(self, event: Click) -> None:
        at = 0
        for action, key, label in footer_parts(self.actions, self.screen_id, self.size.width):
            at += len(key) + len(label)
            if event.x < at:
                self._chosen(action.id)
                return


KEPT = ("back", "help", "quit")
"""Whoever is lost needs these: other keys leave a narrow footer first."""


def footer_parts(actions: Sequence[Action], screen_id: str, width: int) -> list[tuple[Action, str, str]]:
    """What the footer says, left to right: the action, its key, its label (empty for other screens when narrow)."""
    wide, named = width >= 120, width >= 44
    screens = [
        (action, f" {action.shown} ", f"{action.label} " if wide or (named and action.id == screen_id) else "")
        for action in SCREENS
    ]
    keys = [(action, f"  {action.shown} ", action.label) for action in actions]

    def length() -> int:
        return sum(len(key) + len(label) for _, key, label in (*screens, *keys)) + 1

    while keys and length() > width:
        keys.remove(next((part for part in reversed(keys) if part[0].id not in KEPT), keys[-1]))
    return [*screens, *keys]


def footer_line(actions: Sequence[Action], screen_id: str, width: int) -> Text:
    """Screens by number, the current one by name as well; then keys, as many as fit."""
    line = Text(no_wrap=True, style=f"{theme.QUIET} on {theme.PANEL}")
    for action, key, label in footer_parts(actions, screen_id, width):
        if action.id == screen_id:
            line.append(key + label, style=f"bold {theme.STRONG} on {theme.CURSOR}")
        elif action in SCREENS:
            line.append(key + label, style=theme.TEXT)
        else:
            line.append(key, style=f"bold {theme.TEXT}")
            line.append(label)
    line.append(" " * max(0, width - line.cell_len))
    return line
