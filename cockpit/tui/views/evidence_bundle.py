"""What can be copied or saved: a reason, a link, a folder of evidence. Files are for this user only."""

from __future__ import annotations

from pathlib import Path

from cockpit import formatting
from cockpit.decide.criterion import sight_of
from cockpit.decide.events import Change
from cockpit.decide.situation import CriterionStatus, GateStatus, ItemStatus, ProbeStatus, Situation
from cockpit.plan.model import VERDICT, Plan
from cockpit.report.formats.situation_json import situation_json
from cockpit.report.formats.situation_text import situation_text

Subject = CriterionStatus | ItemStatus | ProbeStatus | GateStatus


def line(situation: Situation, subject: Subject | None) -> str:
    """One line to paste into the incident channel."""
    at = f"{situation.now:%H:%M:%S} UTC"
    if isinstance(subject, CriterionStatus):
        return f"{at} {subject.state.label}: {subject.title}: {subject.because.line}"
    if isinstance(subject, ItemStatus):
        return f"{at} {subject.check}: {subject.title}: {subject.detail or subject.because.line}"
    if isinstance(subject, ProbeStatus):
        seen = ", ".join(f"{name} {formatting.value(value)}" for name, value in subject.known.items())
        return f"{at} probe {subject.name}: {seen or 'sees nothing'}"
    if isinstance(subject, GateStatus):
        votes = "; ".join((*subject.votes, *subject.missing, *subject.not_counted))
        return f"{at} gate {subject.title}: {'passed' if subject.passed else 'open'}: {votes}"
    return f"{at} {situation.verdict.label}: {'; '.join(situation.verdict.reasons[:3])}"


def change_line(plan: Plan, change: Change) -> str:
    """One line of the timeline."""
    what = "verdict" if change.subject == VERDICT else titles(plan).get(change.subject, change.subject)
    return f"{change.at:%H:%M:%S} UTC {what}: {change.before} → {change.after}: {change.because}"


def titles(plan: Plan) -> dict[str, str]:
    """Id to title, of everything that can change its word."""
    found = {criterion.id: criterion.title for criterion in plan.criteria()}
    found |= {sight_of(criterion.id): sight_of(criterion.title) for criterion in plan.criteria()}
    found |= {item.id: item.title for section in plan.checklist for item in section.items}
    found |= {guard.id: guard.title for guard in plan.guards()}
    found |= {step.id: step.title for step in (*plan.runbook, *plan.rollback_plan)}
    return found | {gate.id: gate.title for gate in plan.gates}


def link(subject: Subject | None) -> str:
    """The runbook, or the console's page; empty where there is none."""
    if isinstance(subject, CriterionStatus) and subject.runbook:
        return subject.runbook
    if isinstance(subject, (CriterionStatus, ItemStatus)):
        return subject.because.console_url
    return subject.console_url if isinstance(subject, ProbeStatus) else ""


def keep_text(folder: Path, text: str) -> Path:
    """Append a text to the file of what was copied (a terminal may not pass the clipboard on)."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "copied.txt"
    path.touch(mode=0o600)
    with path.open("a", encoding="utf-8") as file:
        file.write(text + "\n")
    return path


def save(folder: Path, situation: Situation, screenshot: str) -> Path:
    """A folder named after the moment, with the screen (SVG) and the situation (text, JSON)."""
    target = folder / "evidence" / f"{situation.plan_name}-{situation.now:%Y%m%dT%H%M%SZ}"
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in (
        ("screen.svg", screenshot),
        ("situation.txt", situation_text(situation)),
        ("situation.json", situation_json(situation)),
    ):
        path = target / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    return target
