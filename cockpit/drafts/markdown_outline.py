"""A Markdown checklist as sections with lines: headings, `- [ ]` at any depth, and the numbered steps of a rollback. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from probes.display_text import visible

MAX_LINES = 500
"""More is no checklist a person works through in a night."""
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})\s*([\w+-]*)")
_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_BOX = re.compile(r"^([ >]*)(?:[-*+]|\d+[.)])\s+\[([ xX]?)\](?:\s+(.*))?$")
_NUMBERED = re.compile(r"^ {0,3}\d+[.)]\s+(?!\[[ xX]?\])(\S.*)$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Line:
    """One line to do. `title` carries the titles it is nested in: "Backups: restore rehearsed"."""

    title: str
    number: int
    ticked: bool = False


@dataclass(frozen=True, slots=True)
class RollbackStep:
    title: str
    number: int
    command: str = ""


@dataclass(slots=True)
class Group:
    title: str
    lines: list[Line] = field(default_factory=list)

    @property
    def after_deployment(self) -> bool:
        return bool(re.search(r"\bpost\b|\bafter\b|\bverif", self.title, re.IGNORECASE))


@dataclass(slots=True)
class Outline:
    title: str = ""
    groups: list[Group] = field(default_factory=list)
    rollback: list[RollbackStep] = field(default_factory=list)
    left_out: int = 0
    """Lines beyond MAX_LINES."""


def outline(text: str) -> Outline:
    """What a Markdown text asks to be done. Code fences are skipped, except those that hold Markdown."""
    made, group, parents = Outline(), Group("Checklist"), list[tuple[int, str]]()
    kept = 0
    for number, line in _lines(text):
        if heading := _HEADING.match(line):
            title = _words(heading[2])
            made.title = made.title or (title if heading[1] == "#" else "")
            group, parents = Group(title or "Checklist"), []
        elif box := _BOX.match(line):
            title = _words(box[3] or "")
            if not title:
                continue
            kept += 1
            if kept > MAX_LINES:
                made.left_out += 1
                continue
            depth = len(box[1])
            parents = [(at, name) for at, name in parents if at < depth]
            whole = ": ".join([*(name for _, name in parents), title])
            parents.append((depth, title))
            if not group.lines:
                made.groups.append(group)
            group.lines.append(Line(whole, number, box[2] in ("x", "X")))
        elif re.search("roll ?back", group.title, re.IGNORECASE) and (step := _NUMBERED.match(line)):
            code = _CODE.search(step[1])
            title = _words(step[1][: code.start()] if code and code.start() > 3 else step[1]).rstrip(" :")
            if len(made.rollback) < MAX_LINES:
                made.rollback.append(RollbackStep(title, number, code[1] if code else ""))
    return made


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, tabs as four spaces, without what stands in code fences."""
    code, markdown = "", ""
    for number, raw in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        line = raw.expandtabs(4)
        found = _FENCE.match(line)
        if code:
            code = "" if found and _closes(found, code) else code
        elif found and markdown and _closes(found, markdown):
            markdown = ""
        elif found and found[2].lower() in ("markdown", "md"):
            markdown = found[1]
        elif found:
            code = found[1]
        else:
            yield number, line


def _closes(found: re.Match[str], opened: str) -> bool:
    return found[1].startswith(opened) and not found[2]


def _words(text: str) -> str:
    """The words without their Markdown.

    >>> _words("**S3** bucket [docs](https://x) with `versioning`")
    'S3 bucket docs with versioning'
    """
    text = _CODE.sub(r"\1", _LINK.sub(r"\1", visible(text)))
    return " ".join(re.sub(r"(\*\*|__|~~)(.+?)\1", r"\2", text).split())
