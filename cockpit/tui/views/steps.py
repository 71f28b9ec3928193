"""Rows of the runbook and the rollback, from a Situation. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from rich.text import Text

from cockpit import formatting
from cockpit.decide.occurrence_text import named
from cockpit.decide.situation import CriterionStatus, Situation, StepStatus, Verdict
from cockpit.decide.states import StepState, Word
from cockpit.decide.timing import Schedule
from cockpit.tui import theme
from cockpit.tui.text import hanging, wrapped
from cockpit.tui.views import gantt
from cockpit.tui.views.lists import state_text, window
from cockpit.tui.widgets.grid import Column, Row

STEPS = (
    Column("state", "STATE", 11),
    Column(
        "title", "STEP", rank=0, least=34, weight=2, most=76, middle=True
    ),  # behind it stand its action and what it needs
    Column("took", "TOOK (PLAN)", 16, rank=1),
    Column("who", "BY", 16, rank=2),
    Column("seen", "SEEN", rank=3, least=24),
)
RUNBOOK = (
    *STEPS[:2],
    Column("slack", "SLACK/LATE", 11, rank=1),
    Column("took", "TOOK (PLAN)", 16, rank=1),
    Column("chart", "TIME (UTC)", rank=2, least=36, weight=3),
    Column("who", "BY", 16, rank=3),
    Column("seen", "SEEN", rank=4, least=24),
)
"""With the steps on a time axis, where there is room."""
OPTIONS = (
    ("execute", "ROLL BACK", "then go through the plan below, step by step"),
    ("fix_forward", "FIX FORWARD, with a reason", "stay on the new system and fix it"),
    ("dismiss", "DISMISS it, until when and why", "what trips later brings it back"),
)
INSTEAD = (
    ("execute", "ROLL BACK instead", "then go through the plan below, step by step"),
    ("fix_forward", "FIX FORWARD instead, with a reason", "stay on the new system and fix it"),
    ("dismiss", "WITHDRAW the decision, with a reason", "what it answered is dismissed until it is clear"),
)
"""Where a decision is under way."""


def runbook(situation: Situation, chart: int = 0) -> list[Row]:
    """Every step in order, with headings that count and say when it ends. `chart`: cells there are for the time axis."""
    steps, schedule = situation.runbook, situation.schedule
    if not steps:
        return []
    done = sum(step.over for step in steps)
    rows = [_heading("RUNBOOK", f"{done}/{len(steps)} done{_ends(schedule)}")]
    if schedule is not None and schedule.window is not None:
        rows.append(_heading("WINDOW", gantt.window_text(schedule)))
    if schedule is not None and schedule.back is not None:
        rows.append(_heading("WAY BACK", schedule.back.line))
    axis = gantt.axis_of(situation)
    if axis is not None and chart:
        rows.append(Row("heading:axis", (("chart", gantt.scale(axis, chart)),), selectable=False))
    for number, step in enumerate(steps, 1):
        row, time = step_row(step, situation, number), schedule.of(step.id) if schedule else None
        if time is not None:
            cells = (*row.cells, ("slack", gantt.slack_text(step, time)))
            if axis is not None and chart:
                cells = (*cells, ("chart", gantt.bar(step, time, axis, chart)))
            row = replace(row, cells=cells)
        rows.append(row)
    return rows


def _ends(schedule: Schedule | None) -> str:
    return f"; {schedule.end.line(schedule.window)}" if schedule is not None and schedule.end is not None else ""


def progress(situation: Situation) -> Iterator[tuple[str, str]]:
    """The step under way with its owner and its time, and the one that comes next; empty where neither is."""
    numbered = list(enumerate(situation.runbook, 1))
    under_way = [(number, step) for number, step in numbered if step.progress is StepState.STARTED]
    for number, step in under_way:
        late = " LATE" if is_late(step, situation) else ""
        yield "now", f"{number} {step.title}: {step.by}, {took(step, situation)}{late}"
    last = max((number for number, step in numbered if step.progress is not StepState.OPEN), default=0)
    following = next(((n, step) for n, step in numbered if n > last and step.progress is StepState.OPEN), None)
    if following is not None:
        planned = f" ({formatting.duration(following[1].duration)})" if following[1].duration else ""
        yield "next", f"{following[0]} {following[1].title}{planned}"


def is_late(step: StepStatus, situation: Situation) -> bool:
    """Whether a step that is under way takes longer than planned."""
    return step.began is not None and step.duration is not None and situation.now - step.began > step.duration


KEY_OF = {"execute": "roll_back", "fix_forward": "fix_forward", "dismiss": "dismiss"}
"""The action of each choice."""


def choices_now(verdict: Verdict) -> list[str]:
    """What can be decided: nothing where no rollback waits and no decision is under way; never what has been decided."""
    if verdict.latch is None and verdict.under_way is None:
        return []
    decided = verdict.under_way.choice if verdict.under_way is not None else ""
    return [
        choice
        for choice, _, _ in OPTIONS
        if choice != decided and not (choice == "execute" and verdict.word is Word.FIX_FORWARD)
    ]


def rollback(situation: Situation, keys: Mapping[str, str] | None = None) -> list[Row]:
    """What latched, what can be decided by which of `keys` (by action), and the plan."""
    rows: list[Row] = []
    latch, under_way = situation.verdict.latch, situation.verdict.under_way
    if latch is not None or under_way is not None:
        waits = f"undecided for {formatting.duration(latch.undecided)}: {named(latch.trips)}" if latch else ""
        rows.append(_heading("DECIDE", waits) if latch else _heading("DECIDED", situation.verdict.decided))
        offered = choices_now(situation.verdict)
        for choice, title, meaning in OPTIONS if latch else INSTEAD:
            if choice not in offered:
                continue
            key = (keys or {}).get(KEY_OF[choice], "")
            cells = (
                ("state", Text(f"[{key}] decide" if key else "→ decide", style=f"bold {theme.HOLD}")),
                ("title", Text(title, style=f"bold {theme.STRONG}")),
                ("seen", Text(meaning, style=theme.QUIET)),
            )
            rows.append(Row(f"decide:{choice}", cells, search=title.lower(), failing=True))
    latched = set(latch.triggers) if latch else set()
    if latch is not None or under_way is not None:
        rows += [_fact(name, fact) for name, fact in panel(situation)]
    elif situation.verdict.word is Word.ROLLED_BACK:
        rows.append(_heading(f"ROLLED BACK {situation.verdict.since:%H:%M}", _ended(situation)))
    bad = [c for c in situation.criteria if c.id in latched or c.state.judging.suspected]
    if bad:
        rows.append(_heading("WHY", formatting.count(len(bad), "trigger")))
        rows += [_trigger(status) for status in bad]
    steps = situation.rollback_plan
    if steps:
        done = sum(step.over for step in steps)
        back = f"; {situation.back.line}" if situation.back is not None else ""
        rows.append(_heading("ROLLBACK PLAN", f"{done}/{len(steps)} done{back}"))
        rows += [step_row(step, situation, number) for number, step in enumerate(steps, 1)]
    return rows


def panel(situation: Situation) -> Iterator[tuple[str, str]]:
    """What a rollback is about, name and fact: what runs, back to what, what is lost, how long it takes."""
    for each in situation.releases:
        since = f" since {formatting.clock(each.since)}" if each.since else ""
        runs = f"{each.runs}{_digest(each.digests)}{since}" if each.runs else "cannot be seen now"
        yield ("runs" if len(situation.releases) == 1 else f"{each.service} runs"), runs
        noted = f", noted {formatting.clock(each.noted_at)}" if each.noted_at else ""
        back = f"{each.before}{_digest(each.before_digests)}{noted}"
        yield "back to", back if each.before else "not noted before the deployment: find the revision by hand"
    yield "loses", situation.verdict.loses or f"nothing: {_no_return(situation.verdict)}"
    yield "takes", _takes(situation)


def _no_return(verdict: Verdict) -> str:
    """Why nothing is lost."""
    if verdict.undone is None:
        return "no point of no return was passed"
    return f"the point of no return was passed, and undone at {formatting.clock(verdict.undone)}"


def _digest(digests: Sequence[str]) -> str:
    return f" ({digests[0][:19]})" if len(digests) == 1 else f" ({len(digests)} images)" if digests else ""


def _takes(situation: Situation) -> str:
    """As planned, and as measured in this cutover where a step has ended."""
    steps = situation.rollback_plan
    planned = sum((step.duration for step in steps if step.duration), timedelta(0))
    ended = [step.ended - step.began for step in steps if step.began and step.ended]
    measured = (
        f"; {len(ended)} of {len(steps)} steps took {formatting.duration(sum(ended, timedelta(0)))}" if ended else ""
    )
    return (f"{formatting.duration(planned)} as planned" if planned else "no time is planned") + measured


def _ended(situation: Situation) -> str:
    steps = situation.rollback_plan
    unsigned = sum(not step.over and step.progress.meaning.done for step in steps)
    open_ = sum(not step.progress.meaning.done for step in steps)
    parts = [f"{sum(step.over for step in steps)} of {len(steps)} steps are done"]
    parts += [f"{unsigned} need a signature"] if unsigned else []
    return ", ".join(parts + ([f"{open_} are not recorded"] if open_ else []))


def _fact(name: str, fact: str) -> Row:
    text = Text(no_wrap=True).append(f"{name:>9}  ", style=theme.QUIET).append(fact, style=f"bold {theme.TEXT}")
    return Row(f"fact:{name}", heading=text, selectable=False)


def step_row(step: StepStatus, situation: Situation, number: int) -> Row:
    title = Text(f"{number:>2} {step.title}", style=theme.TEXT)
    if step.action:
        title.append(f"  [{step.action.uses}]", style=f"bold {theme.HOLD}")
    if step.progress is StepState.DONE and not step.over:
        title.append("  needs a sign-off", style=theme.HOLD)
    cells = (
        ("state", state_text(step.progress)),
        ("title", title),
        ("took", Text(took(step, situation), style=theme.QUIET)),
        ("who", Text(_who(step), style=theme.QUIET)),
        (
            "seen",
            Text(
                step.seen or (f"expect: {step.expect}" if step.expect else ""),
                style=theme.TEXT if step.seen else theme.QUIET,
            ),
        ),
    )
    search = f"{step.id} {step.title} {step.progress} {step.seen}".lower()
    return Row(step.id, cells, search=search, failing=not step.over)


def _who(step: StepStatus) -> str:
    at = step.ended or step.began
    return f"{step.by} {formatting.clock(at)[:5]}" if at else ""


def took(step: StepStatus, situation: Situation) -> str:
    """How long it took, or takes so far, beside how long it was to take."""
    plan = f"({formatting.duration(step.duration)})" if step.duration else ""
    if step.began is None:
        return plan
    return f"{formatting.duration((step.ended or situation.now) - step.began)} {plan}".strip()


def _trigger(status: CriterionStatus) -> Row:
    cells = (
        ("state", state_text(status.state)),
        ("title", Text(status.title, style=theme.TEXT)),
        ("took", Text(window(status), style=theme.of_meaning(status.state.meaning))),
        ("seen", Text(status.because.line, style=theme.QUIET)),
    )
    return Row(status.id, cells, search=f"{status.id} {status.title}".lower(), failing=True)


def _heading(title: str, count: str) -> Row:
    text = Text(no_wrap=True).append(f"{title} ", style=f"bold {theme.TEXT}").append(f" {count}", style=theme.QUIET)
    return Row(f"heading:{title}", heading=text, selectable=False)


def step_text(step: StepStatus, situation: Situation, width: int) -> Text:
    """One step, as it is read before it is done."""
    text = Text("\n")

    def pair(name: str, value: str, style: str) -> None:
        if value:
            text.append_text(hanging(name, value, width, indent=9, styles=(theme.QUIET, style)))

    pair("now", f"{step.progress} {step.by} {took(step, situation)}".strip(), f"bold {theme.STRONG}")
    time = situation.schedule.of(step.id) if situation.schedule else None
    if time is not None:
        pair("when", gantt.when_text(step, time), theme.TEXT)
        pair("owner", time.owner, theme.TEXT)
        pair("gate", f"waits for {time.gate}" if time.gate else "", theme.HOLD)
    if step.command:
        text.append("\n")
        for line in step.command.splitlines():
            for part in wrapped(line, width - 4):
                text.append(f"  {part}\n", style=f"{theme.STRONG} on {theme.PANEL}")
        text.append("\n")
    pair("expect", step.expect, theme.TEXT)
    pair("caution", step.caution, theme.HOLD)
    pair("action", f"{step.action}: the cockpit does this once it is armed" if step.action else "", theme.TEXT)
    pair("seen", step.seen, theme.TEXT)
    pair("from", step.ref, theme.QUIET)
    return text


def proposal_text(shown: Iterable[tuple[str, str]], width: int) -> Text:
    """What is about to be done, a line for each name and value."""
    text = Text("\n")
    for name, value in shown:
        text.append_text(hanging(name, value, width, indent=9, styles=(theme.QUIET, theme.TEXT)))
    return text
