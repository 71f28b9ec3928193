"""Keys and sign-in: rotation that makes old data unreadable, and callbacks the provider refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Subject

_ROTATES = r"\brotat\w+\b[^.\n]*\bencryption[_ -]?key|\bencryption[_ -]?key\b[^.\n]*\brotat"
_REENCRYPTS = r"re-?encrypt|\bdecrypt"
_WILDCARD = r"https?://\*|\*\.[\w.-]+/[\w/]*callback|wild ?card callback|callbacks?\b[^.\n]*\bwild ?card"


@rule(
    "key-rotation",
    "An encryption key is rotated, and old data is not re-encrypted",
    why="What the old key encrypted cannot be read with the new one: integrations lose their credentials at the cutover.",
    instead="Add a step that re-encrypts, keep the old key until it is done, and let somebody decrypt an existing row.",
    report="T9",
)
def key_rotation(subject: Subject) -> Iterator[Found]:
    if subject.mentions(_REENCRYPTS, "title", "ask", "command", "seen"):
        return
    for text in subject.said("title", "command"):
        if (place := subject.find(_ROTATES, text)) is not None:
            yield Found(text.path, "no step re-encrypts, and nobody decrypts an existing row", place)


@rule(
    "wildcard-callback",
    "Wildcard OAuth callbacks",
    why="Google refuses wildcards in redirect URIs; where they are accepted, anybody with a subdomain receives the codes.",
    instead="List each callback in full: https://host/api/auth/callback/google.",
    report="T13",
)
def wildcard_callback(subject: Subject) -> Iterator[Found]:
    for text in subject.said("title", "command", "seen", "ask", "vars", "runbook", "probes"):
        place = subject.find(_WILDCARD, text)
        if place is not None and re.search("callback|redirect", text.said, re.IGNORECASE):
            yield Found(text.path, "asks for a wildcard", place)


RULES = (key_rotation, wildcard_callback)
