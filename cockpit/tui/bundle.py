"""What a person takes away: a because-line, a link, a folder of evidence. Files are for this user only."""

from __future__ import annotations

from pathlib import Path

from cockpit.decide import words
from cockpit.decide.situation import CriterionStatus, ItemStatus, ProbeStatus, Situation
from cockpit.report.as_json import situation_json
from cockpit.report.text import situation_text

Subject = CriterionStatus | ItemStatus | ProbeStatus


def line(situation: Situation, subject: Subject | None) -> str:
    """One line to paste into the incident channel."""
    at = f"{situation.now:%H:%M:%S} UTC"
    if isinstance(subject, CriterionStatus):
        return f"{at} {subject.state}: {subject.title}: {subject.because.line}"
    if isinstance(subject, ItemStatus):
        return f"{at} {subject.check}: {subject.title}: {subject.detail or subject.because.line}"
    if isinstance(subject, ProbeStatus):
        seen = ", ".join(f"{name} {words.value(value)}" for name, value in subject.known.items())
        return f"{at} probe {subject.name}: {seen or 'sees nothing'}"
    return f"{at} {situation.verdict.label}: {'; '.join(situation.verdict.reasons[:3])}"


def link(subject: Subject | None) -> str:
    """The runbook, or the console's page; empty where there is none."""
    if isinstance(subject, CriterionStatus) and subject.runbook:
        return subject.runbook
    if isinstance(subject, (CriterionStatus, ItemStatus)):
        return subject.because.console_url
    return subject.console_url if subject is not None else ""


def keep_line(folder: Path, text: str) -> Path:
    """Append a line to the file of copied lines (a terminal may not pass the clipboard on)."""
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
