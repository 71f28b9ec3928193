"""Steps that cannot be taken back, and scripts that say they worked whatever happened."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.plan.lint.release import goes_back
from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Subject, Text
from cockpit.plan.model import Step

MOVES_FILES = r"migrate[-_]\w*(?:files?|documents?|blobs?)[-_\w]*s3|migrate[-_]to[-_]s3|fileData\s*[:=]\s*null"
_DESTROYS = (
    r"terraform\s+destroy|\bdrop\s+(?:table|column|database)\b|\btruncate\s+\w|\bdelete\s+from\b|"
    r"aws\s+s3\s+r[mb]\b|aws\s+s3api\s+delete-|\bdelete-(?:db|secret|bucket|stack|service|cluster)[\w-]*|"
    r"prisma\s+migrate\s+reset|prisma\s+db\s+push\s+--(?:force|accept)|cockpit\s+migrate\s+purge"
)
_BYTES_STAY = r"bytes (?:stay|are kept|remain)|keeps? the bytes|fileData (?:stays|is kept)"
_SCRIPT = r"(?:^|[\s;&|])(?:npx\s+)?(?:tsx|ts-node|node|python3?|bash|sh)\s+[\w./-]+\.(?:ts|js|mjs|py|sh)\b"
_SWALLOWS = r"\|\|\s*true\b|;\s*true\s*$|\.catch\(console\.\w+\)|set\s+\+e\b"


def _guard(step: Step) -> str:
    return "migrate" if re.search(MOVES_FILES, step.command, re.IGNORECASE) else "purge"


@rule(
    "point-of-no-return",
    "Files leave the database while the rollback needs them there",
    why="An image that reads files only from the database finds none that has left it: from the first file on, a rollback "
    "loses documents.",
    instead="Copy and keep the bytes; drop them days later, in a step behind a gate. After that the only way is forward.",
    report="T3",
)
def point_of_no_return(subject: Subject) -> Iterator[Found]:
    back = next((step for _, step in subject.rollback_plan() if goes_back(step)), None)
    if back is None:
        return
    for path, step in subject.runbook():
        if not re.search(MOVES_FILES, step.command, re.IGNORECASE):
            continue
        text = f"{step.title}\n{step.expect}\n{step.command}\n{step.sign_off.ask if step.sign_off else ''}"
        if not re.search(_BYTES_STAY, text, re.IGNORECASE):
            problem = f"after this '{back.id}' starts an image that cannot read the moved files"
            yield Found((*path, "command"), problem, subject.find(MOVES_FILES, _command(subject, path)))


@rule(
    "unattended-irreversible",
    "A step that cannot be undone, and nobody signs for it",
    why="No rollback undoes this command, and it runs like any other step.",
    instead="Give the step a sign_off, or put a gate before it (before: migrate, before: purge).",
    report="T3",
)
def unattended_irreversible(subject: Subject) -> Iterator[Found]:
    gates = {gate.before for gate in subject.plan.gates}
    for path, step in subject.steps():
        pattern = f"{_DESTROYS}|{MOVES_FILES}"
        if step.sign_off or not re.search(pattern, step.command, re.IGNORECASE) or _guard(step) in gates:
            continue
        place = subject.find(pattern, _command(subject, path))
        yield Found((*path, "command"), f"'{step.id}' cannot be undone, and asks nobody", place)


@rule(
    "exit-code-trusted",
    "A script whose exit code is all there is to see",
    why="A script that ends in .catch(console.error) exits 0 whatever failed: the step looks done, and the work is not.",
    instead="Say in `expect` which counts to see, count the rows with a probe, and let a person sign the numbers.",
    report="T4",
)
def exit_code_trusted(subject: Subject) -> Iterator[Found]:
    for path, step in subject.steps():
        if not step.command:
            continue
        text = _command(subject, path)
        if (place := subject.find(_SWALLOWS, text)) is not None:
            yield Found((*path, "command"), "hides its own failure", place)
        elif not step.expect and not step.sign_off and (place := subject.find(_SCRIPT, text)) is not None:
            yield Found((*path, "command"), "nothing but the exit code says whether it worked", place)


def _command(subject: Subject, path: tuple[str | int, ...]) -> Text:
    return next(text for text in subject.texts if text.path == (*path, "command"))


RULES = (point_of_no_return, unattended_irreversible, exit_code_trusted)
