"""Files in S3: who may write them, who would notice if nobody could, and whether they can be read again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Judged, Subject
from cockpit.plan.model import Kind

_PERMISSION = r"s3:\*|s3:(?:Put|Get|Delete)Object|\bS3 (?:actions|permissions?)\b|simulate-principal-policy"
_UPLOAD = r"\bupload"
_WITNESS = r"s3_?key|upload"
_STATIC = r"\bAWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY)\b[\"']?\s*[=:]"
_COLD = r"(?<![\w])(?:GLACIER|DEEP_ARCHIVE)(?!_IR|\w)"


def stores_files(subject: Subject) -> bool:
    """Whether the application of this plan keeps files in S3."""
    used = bool(subject.probes("s3."))
    return used or subject.mentions(r"aws\s+s3(?:api)?\s|\bS3\b.*\bupload|\bupload.*\bS3\b", "command", "title")


@rule(
    "s3-permission-unseen",
    "Nobody looks whether the tasks may write to S3",
    why="Without S3 actions in the task role every upload fails, and nobody knows before the first person uploads something.",
    instead="Add a line that shows the task role's S3 actions on this bucket: a probe, or a sign-off that names them.",
    report="T6",
)
def s3_permission_unseen(subject: Subject) -> Iterator[Found]:
    if not stores_files(subject) or subject.probes("iam.simulate", "s3.roundtrip"):
        return
    if subject.mentions(_PERMISSION, "title", "ask", "command", "seen"):
        return
    found = subject.first(r"\bIAM\b", "title", within="checklist") or subject.first(r"\bS3\b", "title")
    where, place = (found[0].path, found[1]) if found else (("probes",), None)
    yield Found(where, "no line and no probe looks at the S3 actions of the task role", place)


@rule(
    "static-keys",
    "Static AWS keys in the task",
    why="Keys in the environment win over the task role; nobody rotates them, and whoever may describe the task reads them.",
    instead="Remove AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; let the SDK use the task role.",
    report="T6",
)
def static_keys(subject: Subject) -> Iterator[Found]:
    for text in subject.texts_of("command", "seen", "vars"):
        if (place := subject.find(_STATIC, text)) is not None:
            yield Found(text.path, "sets static keys", place)


@rule(
    "uploads-unwatched",
    "Uploads judged by what cannot see them fail",
    why="An application that catches S3's refusal answers as if all were well: no 5xx, and no error in S3's own metrics.",
    instead="Count what must be there afterwards, or the lines the application logs: s3.uploads, postgres.query, logs.query.",
    report="T5",
)
def uploads_unwatched(subject: Subject) -> Iterator[Found]:
    for judged in subject.judged:
        about = judged.kind != "item" and re.search(_UPLOAD, judged.owner.title, re.IGNORECASE)
        if about and not any(_sees_uploads(subject, name) for name in judged.condition.probes):
            yield Found(judged.path, "sees neither rows nor the log: a failed upload looks like a good one")
    only_5xx = next((one for one in subject.judged if _judges_5xx(subject, one)), None)
    watched = any(_sees_uploads(subject, name) for name in subject.plan.probes)
    if only_5xx and not watched and stores_files(subject):
        yield Found(only_5xx.path, "5xx can stay 0 while every upload fails, and no probe counts uploads")


def _sees_uploads(subject: Subject, name: str) -> bool:
    spec = subject.plan.probes[name]
    witness = re.search(_WITNESS, str(spec.params.get("query", "")), re.IGNORECASE)
    return spec.uses == "s3.uploads" or bool(witness)


def _judges_5xx(subject: Subject, judged: Judged) -> bool:
    specs = [subject.plan.probes[name] for name in judged.condition.probes]
    counts = any("5XX" in str(spec.params) for spec in specs if spec.uses.startswith("cloudwatch."))
    return judged.kind == str(Kind.TRIGGER) and counts


@rule(
    "cold-archive",
    "An archive that cannot be read",
    why="Objects in GLACIER or DEEP_ARCHIVE fail GetObject until somebody restores them: old files stop opening.",
    instead="Move to STANDARD_IA or GLACIER_IR, and check archive_class of s3.bucket in ['STANDARD_IA', 'GLACIER_IR'].",
    report="T12",
)
def cold_archive(subject: Subject) -> Iterator[Found]:
    for text in subject.texts_of("command", "seen", "vars", "migration"):
        if (place := subject.find(_COLD, text)) is not None:
            yield Found(text.path, "moves files where they cannot be read at once", place)
    for path, item in subject.items():
        if not re.search(r"lifecycle|archiv", item.title, re.IGNORECASE):
            continue
        source = item.expect.source if item.expect else ""
        if re.search(_COLD, source):
            yield Found((*path, "expect"), "accepts a class that cannot be read at once")
        elif "archive_class" not in source and not re.search(r"class|STANDARD_IA|GLACIER", _asked(item.sign_off)):
            yield Found((*path, "title"), "does not say to which class: GLACIER would pass")


def _asked(sign_off: object) -> str:
    return str(getattr(sign_off, "ask", ""))


RULES = (s3_permission_unseen, static_keys, uploads_unwatched, cold_archive)
