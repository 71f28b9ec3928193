"""Keys and sign-in: rotation that makes old data unreadable, and callbacks the provider refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Subject

_ROTATES = r"\brotat\w+\b[^.\n]*\bencryption[_ -]?key|\bencryption[_ -]?key\b[^.\n]*\brotat"
_REENCRYPTS = r"re-?encrypt|\bdecrypt"
_READS_SECRETS = r"secrets? manager\b[^.\n]*\b(integrat|test|retriev|read)|secrets?\b[^.\n]*\bretriev"
_FALLBACK = r"fallback|fall back|failed to (retrieve|read|get) secret"
_WILDCARD = r"https?://\*|\*\.[\w.-]+/[\w/]*callback|wild ?card callback|callbacks?\b[^.\n]*\bwild ?card"


@rule(
    "key-rotation",
    "An encryption key is rotated, and old data is not re-encrypted",
    why="What the old key encrypted cannot be read with the new one, and that shows when somebody needs it.",
    instead="Add a step that re-encrypts, keep the old key until it is done, and let somebody decrypt an existing row.",
    report="T9",
)
def key_rotation(subject: Subject) -> Iterator[Found]:
    if subject.mentions(_REENCRYPTS, "title", "ask", "command", "seen"):
        return
    for text in subject.texts_of("title", "command"):
        if (place := subject.find(_ROTATES, text)) is not None:
            yield Found(text.path, "no step re-encrypts, and nobody decrypts an existing row", place)


@rule(
    "wildcard-callback",
    "Wildcard OAuth callbacks",
    why="Google refuses wildcards in redirect URIs; where they are accepted, anybody with a subdomain receives the codes.",
    instead="List each callback in full: https://HOST/PATH/OF/THE/CALLBACK.",
    report="T13",
)
def wildcard_callback(subject: Subject) -> Iterator[Found]:
    for text in subject.texts_of("title", "command", "seen", "ask", "vars", "runbook", "probes"):
        place = subject.find(_WILDCARD, text)
        if place is not None and re.search("callback|redirect", text.content, re.IGNORECASE):
            yield Found(text.path, "asks for a wildcard", place)


@rule(
    "secrets-unproven",
    "Reading secrets is tested where the environment could have answered",
    why="Code that falls back to environment variables, or keeps what it read until a restart, passes the test without a "
    "secret: the cutover then fails on a rotated key.",
    instead="Watch the reading: cloudtrail.events for GetSecretValue by the task role, or logs.query for the fallback.",
    report="T7",
)
def secrets_unproven(subject: Subject) -> Iterator[Found]:
    watched = any("GetSecretValue" in str(dict(spec.params)) for spec in subject.probes("cloudtrail.events"))
    watched |= any(
        re.search(_FALLBACK, str(spec.params.get("query", "")), re.IGNORECASE) for spec in subject.probes("logs.query")
    )
    if watched:
        return
    for path, item in subject.items():
        if re.search(_READS_SECRETS, item.title, re.IGNORECASE):
            yield Found((*path, "title"), "nothing in the plan would see that the values came from somewhere else")


RULES = (key_rotation, wildcard_callback, secrets_unproven)
