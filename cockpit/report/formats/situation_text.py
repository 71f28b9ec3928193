"""A Situation as plain text: what `check` and a headless rehearsal print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from cockpit import formatting
from cockpit.decide.events import Change
from cockpit.decide.next_action import worded
from cockpit.decide.situation import CriterionStatus, PathStep, Situation
from cockpit.plan.model import VERDICT, Kind
from cockpit.report.escaping import safe


def situation_text(situation: Situation) -> str:
    """The lines as one text in which no text of others is taken for a line of its own."""
    return "\n".join(safe(line) for line in situation_lines(situation))


def situation_lines(situation: Situation) -> Iterable[str]:
    """Verdict with its reasons, criteria, open checklist items, visibility and the path to GO.

    What prints or keeps them makes each safe.
    """
    verdict = situation.verdict
    when = f"{situation.now:%Y-%m-%d %H:%M:%S} UTC"
    yield f"{verdict.word.meaning.symbol} {verdict.label}  ({formatting.phase(verdict.phase)}, {situation.plan_name}, {when})"
    yield from (f"    because {reason}" for reason in verdict.reasons[:8])
    if len(verdict.reasons) > 8:
        yield f"    and {len(verdict.reasons) - 8} more"
    if verdict.latch is not None:
        yield f"    undecided for {formatting.duration(verdict.latch.undecided)}"
    if situation.back is not None and situation.back.word:
        yield f"    {situation.back.line} (UTC)"
    yield from (f"    next {line}" for line in worded(situation))
    if situation.schedule is not None and situation.schedule.end is not None and situation.schedule.window is not None:
        yield f"    the runbook {situation.schedule.end.line(situation.schedule.window)} (UTC)"
    for kind, title in ((Kind.SUCCESS, "Success criteria"), (Kind.TRIGGER, "Rollback triggers")):
        yield from ("", title)
        yield from (_criterion(status) for status in situation.criteria if status.kind is kind)
    for section in situation.sections:
        yield from ("", f"{section.title}  {section.done}/{len(section.items)}")
        yield from (
            f"  {item.check.meaning.symbol} {item.check.label:8} {item.title}"
            + ("" if item.check.meaning.done else f": {item.detail or item.because.line}")
            for item in section.items
        )
    if situation.path_to_go:
        yield from ("", "Path to GO")
        yield from (f"  {step.what}" + _eta(step) for step in situation.path_to_go[:12])
    seen = situation.sight
    oldest = f", oldest data {formatting.duration(seen.oldest)}" if seen.oldest is not None else ""
    yield from ("", f"Visible: {seen.visible} of {seen.enforced} enforced criteria{oldest}")


def _eta(step: PathStep) -> str:
    return f" (by {formatting.clock(step.eta)})" if step.eta else ""


def _criterion(status: CriterionStatus) -> str:
    badges = "".join(f" [{badge}]" for badge in status.badges)
    return f"  {status.state.meaning.symbol} {status.state.label:10} {status.title}{badges}: {status.because.line}"


def verdict_changes(changes: Sequence[Change], start: datetime) -> list[str]:
    """A line for each change of the verdict, with its reason."""
    return [
        f"{formatting.clock(c.at)}  +{formatting.duration(c.at - start):8} {c.before} -> {c.after}: {c.because}"
        for c in changes
        if c.subject == VERDICT
    ]
