"""Row 1: whose account this is, in which role, read-only or armed, which plan, and the time."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual.widget import Widget

from cockpit import formatting
from cockpit.engine.ports import Watching
from cockpit.plan.model import Plan
from cockpit.tui import theme
from cockpit.tui.text import plain


def environment_label(plan: Plan) -> str:
    """The plan's environment, in the word that stands first on every screen."""
    return "PROD" if plan.production else plan.environment.upper()


def _you(plan: Plan, who: str | None) -> str:
    """The person here with their roles."""
    person = next((each for each in plan.people if each.id == who), None)
    if person is not None:
        return f"{person.id} ({', '.join(map(formatting.role, person.roles))})"
    return "not identified (i)" if who is not None and plan.people else ""


class ContextRow(Widget):
    """Row 1: environment, READ-ONLY or ARMED, account, you, region, role, plan and digest, UTC and local clock."""

    DEFAULT_CSS = "ContextRow { height: 1; }"

    def __init__(
        self, watch: Watching, label: str, *, armed: Callable[[], bool], who: Callable[[], str | None]
    ) -> None:
        super().__init__()
        self.cutover = watch
        self.label = label
        self._armed, self._who = armed, who
        self._shown: Text | None = None

    def show_newest(self) -> None:
        """Paint it where it has become another: every frame asks."""
        if self._text() != self._shown:
            self.refresh()

    def render(self) -> Text:
        self._shown = self._text()
        return self._shown.copy()

    def _text(self) -> Text:
        return context_line(self.cutover, self.label, self.size.width, armed=self._armed(), who=self._who())


def context_line(watch: Watching, label: str, width: int, *, armed: bool = False, who: str | None = None) -> Text:
    """As many parts as fit; the environment, READ-ONLY or ARMED and the clock are never dropped.

    `who`: id of the person here, empty while nobody has said who they are, None where nobody can act.
    """
    now = watch.situation.now
    plan = watch.plan
    role = watch.arn.rpartition(":")[2].removeprefix("assumed-role/").partition("/")[0] if watch.arn else ""
    here = now.astimezone()
    local = f"{here:%H:%M %Z}" if here.utcoffset() else ""
    if watch.clock.speed != 1.0:
        local = f"{watch.clock.speed:.0f}x"
    parts = [
        (8, watch.account or plan.target.account),
        (7, _you(plan, who)),
        (5, plan.target.region),
        (3, role),
        (4, plan.name),
        (2, plan.digest[:7]),
    ]
    clock = [(9, f"{formatting.clock(now)} UTC"), *([(6, local)] if local else [])]
    shown = [(rank, plain(text)) for rank, text in parts if text]
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
