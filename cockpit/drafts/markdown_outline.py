"""A Markdown document as what it asks for: lines to check, criteria, triggers, steps; by its structure. Pure.

What a section is for is said by its headings, outermost first, and by what came before it: a list after the deployment's steps is
of the time after. Nothing is dropped silently: each line that asks for something and is not carried over is in `left_out`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from probes.display_text import visible

MAX_LINES = 500
"""More is nothing a person works through in a night."""
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})\s*([\w+-]*)")
_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_BOX = re.compile(r"^([ >]*)(?:[-*+]|\d+[.)])\s+\[([ xX]?)\](?:\s+(.*))?$")
_ENTRY = re.compile(r"^([ >]*)(?:([-*+])|(\d+)[.)])\s+(\S.*)$")
_BOLD_STEP = re.compile(r"^ {0,3}\*\*\s*(?:step\s*)?\d+\s*[.:)\u2013-]\s*(.+?)\*\*:?\s*(.*)$", re.IGNORECASE)
_ROW = re.compile(r"^\s*\|(.*)\|\s*$")
_RULE = re.compile(r"^[\s|:-]+$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_CODE = re.compile(r"`([^`]+)`")
_TICK_CELL = re.compile(r"^\[([ xX]?)\]$|^[\u2610\u2611\u2612]$")


class Role(StrEnum):
    """What a section's entries become."""

    CHECKLIST = "checklist"
    SUCCESS = "success_criteria"
    TRIGGERS = "rollback_triggers"
    RUNBOOK = "runbook"
    ROLLBACK = "rollback_plan"
    LEFT_OUT = "left out"


_BACK = r"roll(?:ing|ed)?[ -]?back|back[ -]?out|fall[ -]?back|revert"
_ROLES: tuple[tuple[Role, str], ...] = (
    (
        Role.LEFT_OUT,
        rf"post[ -]?(?:mortem|(?:{_BACK}))|after (?:a |the )?(?:{_BACK})|lessons|retrospective|appendix|glossary|history",
    ),
    (
        Role.TRIGGERS,
        rf"(?:{_BACK}|abort|no[ -]?go)\b.*\b(?:criteria|criterion|conditions?|triggers?|thresholds?|decision)",
    ),
    (Role.TRIGGERS, rf"when to (?:{_BACK}|roll back|abort)|triggers? for (?:a |the )?(?:{_BACK})"),
    (Role.ROLLBACK, _BACK),
    (
        Role.SUCCESS,
        r"success (?:criteria|metrics)|acceptance criteria|exit criteria|definition of done|go[ -]?live criteria",
    ),
    (
        Role.RUNBOOK,
        r"runbook|(?:deploy\w*|release|cutover|cut-over|migration|rollout|go[ -]?live) (?:steps|procedure|sequence|plan|day)",
    ),
    (Role.RUNBOOK, r"^(?:\d+[.)]?\s*)?(?:deploy(?:ment|ing)?|cutover|cut-over|rollout|execution|procedure|steps)$"),
)
_MOMENT = r"(?:deploy\w*|release|launch|cut[ -]?over|migration|go[ -]?live|rollout)"
_SURELY_AFTER = re.compile(
    rf"\bpost[ -]?{_MOMENT}|\bafter (?:the )?{_MOMENT}|\bfirst (?:\d+|few|hour|day|week)|hypercare", re.IGNORECASE
)
_SURELY_BEFORE = re.compile(
    rf"\bpre[ -]?{_MOMENT}|\bbefore (?:the )?{_MOMENT}|pre[ -]?flight|prerequisite", re.IGNORECASE
)
_AFTER = re.compile(r"\bpost\b|\bafter\b|\bverif|\bsmoke\b|\b\d+ ?(?:h|hours?|minutes?) later", re.IGNORECASE)
_BEFORE = re.compile(r"\bpre\b|\bbefore\b|prepar|readiness", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry: a line of a checklist, a criterion, or a step. `title` carries the titles it is nested in."""

    title: str
    number: int
    ticked: bool = False
    command: str = ""
    notes: tuple[str, ...] = ()
    """Lines that continue it."""


@dataclass(slots=True)
class Group:
    title: str
    role: Role = Role.CHECKLIST
    after_deployment: bool = False
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LeftOut:
    number: int
    text: str
    why: str


@dataclass(slots=True)
class Outline:
    title: str = ""
    groups: list[Group] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def of(self, *roles: Role) -> list[Group]:
        return [group for group in self.groups if group.role in roles and group.lines]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A piece of the document in which something is asked for."""

    number: int
    kind: str
    """box, number, bullet, bold or row."""
    depth: int
    title: str
    ticked: bool = False


def outline(text: str) -> Outline:
    """What a Markdown text asks to be done."""
    return _Reader(text).outline()


class _Reader:
    def __init__(self, text: str) -> None:
        self.lines = list(_lines(text))
        self.made = Outline()
        self.group = Group("Checklist")
        self.headings: list[tuple[int, str]] = []
        self.deployed = False
        """The steps of the deployment have been passed."""
        self.parents: list[tuple[int, str]] = []
        self.header: list[str] | None = None
        self.open: list[str] | None = None
        """Lines of the fence that is being read."""
        self.kept = 0
        tops = [
            line for _, line, code in self.lines if not code and (found := _HEADING.match(line)) and found[1] == "#"
        ]
        self.one_title = len(tops) == 1
        has_boxes = any(_BOX.match(line) for _, line, code in self.lines if not code)
        self.steps_alone = not has_boxes
        """A document without a box whose numbered steps are a runbook."""

    def outline(self) -> Outline:
        for number, line, code in self.lines:
            if code:
                self._code(line)
                continue
            self.open = None
            if heading := _HEADING.match(line):
                self._heading(len(heading[1]), _words(heading[2]))
            elif row := _ROW.match(line):
                self._row(number, [_cell(cell) for cell in row[1].split("|")], is_rule=bool(_RULE.match(line)))
            else:
                self.header = None
                self._plain(number, line)
        return self.made

    def _heading(self, level: int, title: str) -> None:
        if level == 1 and not self.made.title:
            self.made.title = title
        was = self.group.role
        self.headings = [(at, name) for at, name in self.headings if at < level]
        if not (level == 1 and self.one_title):
            self.headings.append((level, title))
        self.parents, self.header = [], None
        role = self._role()
        self.deployed = self.deployed or (was is Role.RUNBOOK and role is not Role.RUNBOOK and bool(self.group.lines))
        self.group = Group(title or "Checklist", role, self._after())

    def _role(self) -> Role:
        """The innermost heading that says it, for each inherits what the one around it is for."""
        for _, title in reversed(self.headings):
            for role, pattern in _ROLES:
                if re.search(pattern, title, re.IGNORECASE):
                    return role
        return Role.CHECKLIST

    def _after(self) -> bool:
        """The innermost heading that names the deployment; else the outermost with another word for it; else what came before."""
        titles = [title for _, title in self.headings]
        for ordered, before, after in (
            (titles[::-1], _SURELY_BEFORE, _SURELY_AFTER),
            (titles, _BEFORE, _AFTER),
        ):
            for title in ordered:
                if before.search(title):
                    return False
                if after.search(title):
                    return True
        return self.deployed

    # -- entries -----------------------------------------------------------------------------------------------------

    def _plain(self, number: int, line: str) -> None:
        if box := _BOX.match(line):
            self._take(_Entry(number, "box", len(box[1]), _words(box[3] or ""), box[2] in ("x", "X")))
        elif bold := _BOLD_STEP.match(line):
            self._take(_Entry(number, "bold", 0, _words(f"{bold[1]} {bold[2]}")))
        elif entry := _ENTRY.match(line):
            self._take(_Entry(number, "bullet" if entry[2] else "number", len(entry[1]), entry[4]))
        elif line.strip() and line.startswith((" ", ">")) and self.parents and self.group.lines:
            last = self.group.lines[-1]
            note = _words(line.lstrip(" >"))
            self.group.lines[-1] = Line(last.title, last.number, last.ticked, last.command, (*last.notes, note))
        elif line.strip():
            self.parents = []

    def _row(self, number: int, cells: list[str], *, is_rule: bool) -> None:
        if is_rule:
            return
        if self.header is None:
            self.header = cells
            return
        ticks = [_TICK_CELL.match(cell) for cell in cells]
        named = [(head, cell) for head, cell, tick in zip(self.header, cells, ticks, strict=False) if cell and not tick]
        if not named:
            return
        first, *others = named
        title = ", ".join([first[1], *(f"{head}: {cell}" if head else cell for head, cell in others)])
        box = next((tick for tick in ticks if tick), None)
        if box is not None or self.group.role not in (Role.CHECKLIST, Role.LEFT_OUT):
            self._take(_Entry(number, "row", 0, title, bool(box and (box[1] or "").lower() == "x")))

    def _take(self, entry: _Entry) -> None:
        title, command = entry.title, ""
        if entry.kind in ("number", "bullet"):
            title, command = _split_command(title)
        role = self._role_of(entry)
        if role is None or not title:
            return
        if role is Role.LEFT_OUT:
            heading = self.headings[-1][1] if self.headings else ""
            self.made.left_out.append(LeftOut(entry.number, title, f"it is of '{heading}', which no plan holds"))
            return
        self.kept += 1
        if self.kept > MAX_LINES:
            self.made.left_out.append(LeftOut(entry.number, title, f"there are more than {MAX_LINES} before it"))
            return
        self.parents = [(at, name) for at, name in self.parents if at < entry.depth]
        whole = ": ".join([*(name for _, name in self.parents), title])
        self.parents.append((entry.depth, title))
        if role is not self.group.role:  # the numbered steps of a document without a box
            self.group = Group(self.group.title, role, self.group.after_deployment)
        if not any(self.group is each for each in self.made.groups):
            self.made.groups.append(self.group)
        self.group.lines.append(Line(whole, entry.number, entry.ticked, command))

    def _role_of(self, entry: _Entry) -> Role | None:
        """What an entry becomes here; None where it asks for nothing (a bullet of prose)."""
        role = self.group.role
        if role is not Role.CHECKLIST:
            if role is Role.LEFT_OUT:
                return role if entry.kind in ("box", "number", "bold", "row") else None
            nested = entry.depth > 0 and self.parents
            return (
                role
                if entry.kind != "bullet" or role in (Role.SUCCESS, Role.TRIGGERS) or nested or not self.group.lines
                else None
            )
        if entry.kind in ("box", "row"):
            return role
        return Role.RUNBOOK if self.steps_alone and entry.kind in ("number", "bold") else None

    def _code(self, line: str) -> None:
        """A line of a fence: the command of the step above it."""
        if self.group.role not in (Role.RUNBOOK, Role.ROLLBACK) or not self.group.lines or not line.strip():
            return
        last = self.group.lines[-1]
        command = f"{last.command}\n{line.rstrip()}" if last.command else line.rstrip()
        self.group.lines[-1] = Line(last.title, last.number, last.ticked, command, last.notes)


def _split_command(text: str) -> tuple[str, str]:
    """A step's words, and the command in it: "Roll back: `npx prisma migrate`"."""
    code = _CODE.search(text)
    alone = code is not None and " " in code[1]
    if code is None or not alone:
        return _words(text).rstrip(" :"), ""
    title = _words(text[: code.start()] if code.start() > 3 else text).rstrip(" :")
    return title, code[1]


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Lines with their numbers, tabs as four spaces, and whether they stand in a code fence (Markdown in a fence is no code)."""
    code, markdown = "", ""
    for number, raw in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        line = raw.expandtabs(4)
        found = _FENCE.match(line)
        if code:
            closes = bool(found and _closes(found, code))
            code = "" if closes else code
            if not closes:
                yield number, line, True
        elif found and markdown and _closes(found, markdown):
            markdown = ""
        elif found and found[2].lower() in ("markdown", "md"):
            markdown = found[1]
        elif found:
            code = found[1]
        else:
            yield number, line, False


def _closes(found: re.Match[str], opened: str) -> bool:
    return found[1].startswith(opened) and not found[2]


def _cell(text: str) -> str:
    text = text.strip()
    return text if _TICK_CELL.match(text) else _words(text)


def _words(text: str) -> str:
    """The words without their Markdown.

    >>> _words("**S3** bucket [docs](https://x) with `versioning`")
    'S3 bucket docs with versioning'
    """
    text = _CODE.sub(r"\1", _LINK.sub(r"\1", visible(text)))
    return " ".join(re.sub(r"(\*\*|__|~~)(.+?)\1", r"\2", text).split())
