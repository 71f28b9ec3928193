"""The change window: whether the steps and a way back fit into it, and whether anybody knows how long they take."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cockpit.formatting import duration
from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Subject
from cockpit.plan.step_graph import critical_path, predecessors


@rule(
    "window-too-short",
    "A change window shorter than the steps and a way back",
    why="Before the last step has ended it is too late to go back within the window.",
    instead="Ask for a longer window, let steps run beside each other (after), or take what is not of that night out of it.",
)
def window_too_short(subject: Subject) -> Iterator[Found]:
    plan = subject.plan
    if plan.window is None:
        return
    there, back, reserve = critical_path(plan.runbook), critical_path(plan.rollback_plan), plan.rollback_reserve
    whole = there + back + reserve
    if whole > plan.window.length:
        parts = [f"the runbook takes {duration(there)}", f"a rollback {duration(back)}"]
        parts += [f"the reserve is {duration(reserve)}"] if reserve else []
        problem = f"it is open for {duration(plan.window.length)}; {', '.join(parts)}: {duration(whole)}"
        yield Found(("window",), problem)


@rule(
    "step-without-expected",
    "A step of the night without `expected`",
    why="Nobody can say when the night ends, and the last safe moment to go back is later than the truth.",
    instead="Write expected: 30m. A rehearsal measures it.",
)
def step_without_expected(subject: Subject) -> Iterator[Found]:
    if subject.plan.window is None:
        return
    measured = subject.done_before or ()
    waited_for = {each for before in predecessors(subject.plan.runbook).values() for each in before}
    for path, step in subject.steps():
        counts = step.in_window and (path[0] == "rollback_plan" or step.id in waited_for)
        if counts and step.duration is None and step.id not in measured:
            yield Found(path, f"'{step.id}' has no `expected`, and was never done before")


@rule(
    "rollback-never-rehearsed",
    "A rollback plan that was never rehearsed",
    why="How long the way back takes is a guess, and the moment until which it fits into the window is made of it.",
    instead="Rehearse it and do its steps: cockpit rehearse --keep FOLDER, the one `cockpit record list --durations` names.",
)
def rollback_never_rehearsed(subject: Subject) -> Iterator[Found]:
    plan, done = subject.plan, subject.done_before
    if plan.window is not None and plan.rollback_plan and done is not None:
        never = [step.id for step in plan.rollback_plan if step.id not in done]
        if len(never) == len(plan.rollback_plan):
            yield Found(("rollback_plan",), f"no record and no kept rehearsal of '{plan.name}' has done a step of it")


@rule(
    "window-over-clock-change",
    "A change window over the night in which the clocks change",
    why="The window is an hour longer or shorter than its clock times say, and times are read twice or not at all.",
    instead="Take another night; or write both ends with their offset: 2026-11-01T04:00-05:00.",
)
def window_over_clock_change(subject: Subject) -> Iterator[Found]:
    window = subject.plan.window
    if window is None or window.once is None or not window.changes_clocks(window.once):
        return
    if not all(_has_offset(subject.tree.value_at(("window", key))) for key in ("from", "to")):
        yield Found(
            ("window",), f"the clocks of {window.time_zone} change in it: it is open for {duration(window.length)}"
        )


def _has_offset(written: object) -> bool:
    """Whether a time was written with its offset, after 2026-11-01T04:00."""
    return isinstance(written, str) and any(sign in written[len("2026-11-01") :] for sign in "Z+-")


@rule(
    "votes-expire-too-soon",
    "Votes that expire before the step they are for can start",
    why="People vote while the step before it runs, and when it ends their votes no longer count.",
    instead="Let votes count for longer (valid_for) than the step before takes.",
)
def votes_expire_too_soon(subject: Subject) -> Iterator[Found]:
    valid = {gate.id: (path, gate.poll.valid_for) for path, gate in subject.gates()}
    steps = {step.id: step for step in subject.plan.runbook}
    waits = predecessors(subject.plan.runbook)
    for step in subject.plan.runbook:
        path, lasts = valid.get(step.gate, ((), None))
        if lasts is None:
            continue
        before = max((steps[id_].duration or timedelta(0) for id_ in waits[step.id]), default=timedelta(0))
        if before > lasts:
            problem = f"votes count for {duration(lasts)}, and the step before '{step.id}' takes {duration(before)}"
            yield Found((*path, "poll", "valid_for"), problem)


RULES = (
    window_too_short,
    step_without_expected,
    rollback_never_rehearsed,
    window_over_clock_change,
    votes_expire_too_soon,
)
