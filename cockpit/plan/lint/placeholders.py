"""What a draft left open: it is valid, and watches nothing."""

from __future__ import annotations

from collections.abc import Iterator

from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Subject

_RESERVED = r"(?<=://)(?:[\w-]+\.)+(?:invalid|example)(?![\w.-])"
"""RFC 2606: names under these two are never anybody's."""


@rule(
    "placeholder-host",
    "A host that cannot exist",
    why="Its name never resolves, so what watches it is UNKNOWN, and the verdict HOLD, from the first minute to the last.",
    instead="Write the name users reach the system by.",
)
def placeholder_host(subject: Subject) -> Iterator[Found]:
    for text in subject.texts_of("probes", "vars"):
        if (place := subject.find(_RESERVED, text)) is not None:
            yield Found(text.path, "no name under .invalid or .example ever resolves: the draft left it open", place)


RULES = (placeholder_host,)
