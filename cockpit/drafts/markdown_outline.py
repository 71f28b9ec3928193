"""A Markdown document as what it asks for: lines to check, criteria, triggers, steps; by its structure. Pure.

What a section is for is said by its headings, outermost first, and by what came before it: a list after the deployment's steps is
of the time after. Nothing is dropped silently: each line that asks for something and is not carried over is in `left_out`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cockpit.drafts.line_account import Carried, LeftOut, LineAccount
from cockpit.drafts.markdown_lines import numbered
from cockpit.drafts.markdown_words import TICK_CELL, cells_of, command_last, split_command, words_of
from cockpit.drafts.section_roles import Role, is_after, is_of_checks, is_rollback, role_named, role_of
from probes.frozen import frozen

MAX_LINES = 500
"""More is nothing a person works through in a night."""
_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_BOX = re.compile(r"^([ >]*)(?:[-*+]|\d+[.)])\s+\[([ xX]?)\](?:\s+(.*))?$")
_DRAWN_BOX = re.compile(r"^([ >]*)(?:(?:[-*+]|\d+[.)])\s+)?([\u2610\u2611\u2612\u2b1c])\ufe0f?\s+(\S.*)$")
_PLAIN_STEP = re.compile(r"^ {0,3}step\s*\d+\s*[.:)\u2013-]\s*(\S.*)$", re.IGNORECASE)
_ENTRY = re.compile(r"^([ >]*)(?:([-*+])|(\d+)[.)])\s+(\S.*)$")
_BOLD_STEP = re.compile(r"^ {0,3}\*\*\s*(?:step\s*)?\d+\s*[.:)\u2013-]\s*(.+?)\*\*:?\s*(.*)$", re.IGNORECASE)
_BOLD_HEADING = re.compile(r"^ {0,3}(?:\*\*|__)([^*`]+?):?(?:\*\*|__):?\s*$")
"""A line that is bold as a whole: a heading to whoever wrote it."""
_UNDERLINE = re.compile(r"^ {0,3}(=+|-+)\s*$")
_LEAD = re.compile(r"^ {0,3}([^\s|>*+`-][^|]{2,78}):\s*$")
"""A line that introduces the list below it."""
_BOLD_LEVEL, _LEAD_LEVEL, _ENTRY_LEVEL = 7, 8, 9
"""Below every heading of Markdown: a bold line lasts to the next one, a line that introduces a list to the end of the list.

An entry that is a heading to what is nested in it lasts to the next entry beside it.
"""
_STRUCK_OUT = re.compile(r"^\s*~~")
_ROW = re.compile(r"^\s*\|(.*)\|\s*$")
_RULE = re.compile(r"^[\s|:-]+$")
_CODE_ALONE = re.compile(r"^`([^`]+)`[.;]?$")
_LIMITS = re.compile(r"threshold|limit|trigger|schwelle|grenzwert|\bseuil", re.IGNORECASE)
WHO = r"owner|who|responsible|assignee|by|verantwortlich\w*|zust\u00e4ndig\w*|wer|responsable|qui"
UNNAMED = "has no boxes and is no list of steps or criteria"
"""Why a line is left out whose heading says nothing."""
HOW_LONG = r"duration|estimated?(?: time| duration)?|takes|eta|dauer|dur\u00e9e"
STANDING = r"status|done|state|erledigt|statut|\u00e9tat"
_OF_STEPS = re.compile(rf"^(?:{HOW_LONG})$", re.IGNORECASE)
"""Heads of columns: who does it, how long it takes, how it stands. What takes time is done, not looked at."""
_MARKED = re.compile(r"^\s*(?:[-*+>|#]|\d+[.)]|$)")
_COUNTING = re.compile(r"^(?:#|no\.?|nr\.?|step|id)?$", re.IGNORECASE)
_INDENTED_CODE = 6


@frozen
class Line:
    """One entry: a line of a checklist, a criterion, or a step. `title` carries the titles it is nested in."""

    title: str
    number: int
    ticked: bool = False
    command: str = ""
    own: str = ""
    """The title without those it is nested in."""
    notes: tuple[str, ...] = ()
    """Lines that continue it."""


@dataclass(slots=True)
class Group:
    title: str
    role: Role = Role.CHECKLIST
    after_deployment: bool = False
    lines: list[Line] = field(default_factory=list)
    kind: str = ""
    """What its outermost entries are: a list that begins with bullets goes on with them, of another a bullet is a note."""


@dataclass(slots=True)
class Outline:
    title: str = ""
    groups: list[Group] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    carried: Mapping[int, Carried] = field(default_factory=dict)
    """What each line that is carried over becomes, by its number."""

    def of(self, *roles: Role) -> list[Group]:
        return [group for group in self.groups if group.role in roles and group.lines]


@frozen
class _Entry:
    """A piece of the document in which something is asked for."""

    number: int
    kind: str
    """box (in a table too), number, bullet, bold, row, limits (a row of thresholds), step (of a table that says how long)."""
    depth: int
    title: str
    ticked: bool = False


def outline(text: str) -> Outline:
    """What a Markdown text asks to be done."""
    return _Reader(text).outline()


class _Reader:
    def __init__(self, text: str) -> None:
        self.lines = list(numbered(text))
        self.made = Outline()
        self.account = LineAccount(text)
        self.group = Group("Checklist")
        self.headings: list[tuple[int, str, int]] = []
        """Those a line stands below: level, title and number of the line."""
        self.deployed = False
        """The steps of the deployment have been passed."""
        self.parents: list[tuple[int, str]] = []
        self.entry_depth = 0
        """How far the entry is indented that is the innermost heading, where one is."""
        self.header: list[str] | None = None
        self.header_at = 0
        self.kept = 0
        self.blank = True
        """The line before was empty."""
        self.paragraph = ""
        """The line before, where it is prose: underlined it is a heading."""
        tops = [
            line for _, line, code in self.lines if not code and (found := _HEADING.match(line)) and found[1] == "#"
        ]
        self.one_title = len(tops) == 1
        has_boxes = any(
            _BOX.match(line) or _DRAWN_BOX.match(line) or ("|" in line and any(map(TICK_CELL.match, cells_of(line))))
            for _, line, code in self.lines
            if not code
        )
        self.steps_alone = not has_boxes
        """A document without a box whose numbered steps are a runbook."""

    def outline(self) -> Outline:
        for index, (number, line, code) in enumerate(self.lines):
            if code:
                self._code(number, line)
                continue
            if not self.blank and self.paragraph and (under := _UNDERLINE.match(line)):
                self._heading(1 if under[1][0] == "=" else 2, self.paragraph, number - 1)
                self.account.carry(number, Carried.MARKUP)
                self.paragraph = ""
                continue
            if heading := _HEADING.match(line):
                self._heading(len(heading[1]), words_of(heading[2]), number)
            elif (bold := _BOLD_HEADING.match(line)) and not _BOLD_STEP.match(line):
                self._heading(_BOLD_LEVEL, words_of(bold[1]), number)
            elif _ROW.match(line) or self._is_open_row(index):
                self._row(number, line, is_rule=bool(_RULE.match(line)))
            else:
                self.header = None
                self._plain(index, number, line)
            self.blank = not line.strip()
            self.paragraph = "" if _MARKED.match(line) else words_of(line)
        self.made.carried, self.made.left_out = self.account.closed()
        return self.made

    def _is_open_row(self, index: int) -> bool:
        """A row of a table without bars at its ends: such a table is known by the rule below its header."""
        _, line, _ = self.lines[index]
        below = self._below(index)
        return "|" in line and (self.header is not None or ("|" in below and bool(_RULE.match(below))))

    def _below(self, index: int) -> str:
        return self.lines[index + 1][1] if index + 1 < len(self.lines) else ""

    def _heading(self, level: int, title: str, number: int) -> None:
        self.account.begin(number)
        if level == 1 and not self.made.title:
            self.made.title = title
            self.account.carry(number, Carried.TITLE)
        was = self.group.role
        self.headings = [each for each in self.headings if each[0] < level]
        if not (level == 1 and self.one_title):
            self.headings.append((level, title, number))
        self.parents, self.header = [], None
        titles = [name for _, name, _ in self.headings]
        role = role_of(titles, self.made.title if self.one_title else "")
        self.deployed = self.deployed or (was is Role.RUNBOOK and role is not Role.RUNBOOK and bool(self.group.lines))
        self.group = Group(title or "Checklist", role, self.deployed if (after := is_after(titles)) is None else after)

    # -- entries -----------------------------------------------------------------------------------------------------

    def _plain(self, index: int, number: int, line: str) -> None:
        if box := _BOX.match(line):
            self._take(_Entry(number, "box", len(box[1]), box[3] or "", box[2] in ("x", "X")))
        elif drawn := _DRAWN_BOX.match(line):
            self._take(_Entry(number, "box", len(drawn[1]), drawn[3], drawn[2] in "\u2611\u2612"))
        elif bold := _BOLD_STEP.match(line):
            self._take(_Entry(number, "bold", 0, f"{bold[1]} {bold[2]}"))
        elif step := _PLAIN_STEP.match(line):
            self._take(_Entry(number, "bold", 0, step[1]))
        elif entry := _ENTRY.match(line):
            self._entry(index, number, entry)
        elif line.strip() and line.startswith((" ", ">")) and self.parents and self.group.lines:
            self._continued(number, line)
        elif (lead := _LEAD.match(line)) and self._introduces(words_of(lead[1])):
            self._heading(_LEAD_LEVEL, words_of(lead[1]), number)
        elif line.strip() and not self.blank and self.parents and self.group.kind in ("bold", "number"):
            self._note(number, line)
        elif line.strip():
            if self.headings and self.headings[-1][0] == _LEAD_LEVEL and self.group.lines:
                self._heading(_LEAD_LEVEL, "", 0)
            self.parents = []
            if not _UNDERLINE.match(self._below(index)):
                self._prose(number, words_of(line))

    def _entry(self, index: int, number: int, entry: re.Match[str]) -> None:
        depth = len(entry[1])
        if self._is_heading(index, entry):
            self._heading(_ENTRY_LEVEL, words_of(entry[4]).rstrip(" :"), number)
            self.entry_depth = depth
            return
        if self.headings and self.headings[-1][0] == _ENTRY_LEVEL and depth <= self.entry_depth:
            self._heading(_ENTRY_LEVEL, "", 0)
        self._take(_Entry(number, "bullet" if entry[2] else "number", depth, entry[4]))

    def _prose(self, number: int, words: str) -> None:
        """A sentence where entries would be carried over, or one that says when or how to go back."""
        if not words.strip("-*_ "):  # a rule between two sections
            self.account.carry(number, Carried.MARKUP)
            return
        asks = self.group.role not in (Role.CHECKLIST, Role.LEFT_OUT)
        if asks or (self.group.role is Role.CHECKLIST and role_named(words) in (Role.TRIGGERS, Role.ROLLBACK)):
            self._leave_out(number, words, "it is a sentence and no entry: make it a line of a list")

    def _is_heading(self, index: int, entry: re.Match[str]) -> bool:
        """Whether an entry is what a heading would be to those nested in it: they have boxes, or it names what they are for."""
        below = next((line for _, line, code in self.lines[index + 1 :] if line.strip() or code), "")
        nested = _BOX.match(below) or _DRAWN_BOX.match(below) or _ENTRY.match(below)
        if nested is None or len(nested[1]) <= len(entry[1]) or any(at < len(entry[1]) for at, _ in self.parents):
            return False
        outer = [name for at, name, _ in self.headings if at < _ENTRY_LEVEL]
        if role_of(outer, self.made.title if self.one_title else "") is not Role.CHECKLIST:
            return False
        return nested.re is not _ENTRY or role_named(words_of(entry[4])) not in (None, Role.LEFT_OUT)

    def _introduces(self, words: str) -> bool:
        """Whether a line before a list says what the list is for, or when it is its turn."""
        return role_named(words) not in (None, Role.LEFT_OUT) or is_after([words]) is not None

    def _continued(self, number: int, line: str) -> None:
        """An indented line below an entry: code of a step is its command, whatever else a note."""
        last = self.group.lines[-1]
        indent, text = len(line) - len(line.lstrip()), line.strip()
        whole = _CODE_ALONE.match(text)
        is_code = whole or ((self.blank or last.command) and indent - self.parents[-1][0] >= _INDENTED_CODE)
        if is_code and self.group.role in (Role.RUNBOOK, Role.ROLLBACK):
            self._command(number, whole[1] if whole else text)
        else:
            self._note(number, line.lstrip(" >"))

    def _note(self, number: int, text: str) -> None:
        self.account.carry(number, Carried.NOTE)
        last = self.group.lines[-1]
        self.group.lines[-1] = replace(last, notes=(*last.notes, words_of(text)))

    def _command(self, number: int, text: str) -> None:
        self.account.carry(number, Carried.COMMAND)
        last = self.group.lines[-1]
        self.group.lines[-1] = replace(last, command=f"{last.command}\n{text}" if last.command else text)

    def _row(self, number: int, line: str, *, is_rule: bool) -> None:
        if is_rule:
            self.account.carry(number, Carried.MARKUP)
            return
        cells = cells_of(line)
        if self.header is None:
            self.header, self.header_at = cells, number
            return
        ticks = [TICK_CELL.match(cell) for cell in cells]
        named = [
            (head, cell)
            for head, cell, tick in zip(self.header, cells, ticks, strict=False)
            if cell and not tick and not (cell.isdigit() and _COUNTING.match(head))
        ]
        if not named:
            return
        first, *others = named
        title = ", ".join([first[1], *(f"{head}: {cell}" if head else cell for head, cell in others)])
        box = next((tick for tick in ticks if tick), None)
        timed = any(map(_OF_STEPS.match, self.header)) and not self._is_timed()
        if timed or self.group.role in (Role.RUNBOOK, Role.ROLLBACK):
            title = command_last(title, line)
        kind = "step" if timed else "box" if box else "limits" if any(map(_LIMITS.search, self.header)) else "row"
        self._take(_Entry(number, kind, 0, title, bool(box and box[0].lower() in ("[x]", "\u2611", "\u2612"))))

    def _take(self, entry: _Entry) -> None:
        role = self._role_of(entry)
        is_step = role in (Role.RUNBOOK, Role.ROLLBACK)
        title, command, tail = split_command(entry.title) if is_step else (words_of(entry.title).rstrip(" :"), "", "")
        if not title:
            return
        if _STRUCK_OUT.match(entry.title):
            self._leave_out(entry.number, title, "it is struck out")
            return
        if role is None:
            if self.group.lines and self.parents:
                self._note(entry.number, entry.title)
            else:
                where = self.headings[-1][1] if self.headings else self.group.title
                self._leave_out(entry.number, title, f"'{where}' {UNNAMED}")
            return
        if role is Role.LEFT_OUT:
            where = self.headings[-1][1] if self.headings else self.made.title
            self._leave_out(entry.number, title, f"it is of '{where}', which no plan holds")
            return
        self.kept += 1
        if self.kept > MAX_LINES:
            self._leave_out(entry.number, title, f"there are more than {MAX_LINES} before it")
            return
        self.parents = [(at, name) for at, name in self.parents if at < entry.depth]
        whole = ": ".join([*(name for _, name in self.parents), title])
        self.parents.append((entry.depth, title))
        group = self.group
        if role is not group.role:  # steps in a document without a box, limits between the steps back
            of = [each for each in self.made.groups if (each.title, each.role) == (group.title, role)]
            group = of[-1] if of else Group(group.title, role, group.after_deployment)
            if entry.kind != "limits":
                self.group = group
        group.kind = group.kind or entry.kind
        if not any(group is each for each in self.made.groups):
            self.made.groups.append(group)
        notes = (tail,) if tail else ()
        group.lines.append(Line(whole, entry.number, entry.ticked, command, f"{title} {tail}", notes))
        self.account.carry(entry.number, Carried.ENTRY)
        for number in (self.header_at if self.header is not None else 0, *(at for _, _, at in self.headings)):
            self.account.carry(number, Carried.HEADING)

    def _leave_out(self, number: int, text: str, why: str) -> None:
        self.account.leave_out(LeftOut(number, text, why))

    def _role_of(self, entry: _Entry) -> Role | None:
        """What an entry becomes here; None where it only explains."""
        role, kind = self.group.role, entry.kind
        nested = entry.depth > 0 and bool(self.parents)
        if role is Role.LEFT_OUT:
            return role
        named = bool(self.headings) and role_named(self.headings[-1][1]) is role
        if kind == "limits" and role is not Role.SUCCESS:
            if role is not Role.CHECKLIST or is_rollback(entry.title):
                return Role.TRIGGERS
            return role if named else None
        if role in (Role.SUCCESS, Role.TRIGGERS):
            return role
        if role is Role.CHECKLIST:
            if kind == "step":
                return Role.RUNBOOK
            if kind == "box" or named or (self.headings and is_of_checks(self.headings[-1][1])):
                return role
            if kind == "number" and not self.steps_alone and self._is_timed():
                return role
            steps = kind in ("number", "bold") and not nested and self.group.kind != "box"
            return Role.RUNBOOK if steps and (self.steps_alone or kind == "bold") else None
        if kind != "bullet" or self.group.kind in ("", "bullet"):
            return role
        return role if nested and self.group.kind != "bold" else None

    def _is_timed(self) -> bool:
        """Whether the innermost heading says when its entries are looked at: then what it numbers is looked at, not done."""
        return bool(self.headings) and is_after([self.headings[-1][1]]) is not None

    def _code(self, number: int, line: str) -> None:
        """A line of a fence: the command of the step above it."""
        if self.group.role not in (Role.RUNBOOK, Role.ROLLBACK) or not self.group.lines or not line.strip():
            return
        self._command(number, line.rstrip())
