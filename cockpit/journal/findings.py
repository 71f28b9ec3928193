"""What checking a record found: by subject, each proven, not provable, or broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import assert_never

from probes.frozen import frozen


class Outcome(IntEnum):
    """What checking a record comes to; the number is the exit code of `cockpit journal verify`."""

    INTACT = 0
    BROKEN = 1
    NOT_PROVABLE = 3

    @property
    def word(self) -> str:
        return self.name.replace("_", " ")

    @property
    def meaning(self) -> str:
        match self:
            case Outcome.INTACT:
                return "every line is as it was written, and what was given proves the rest"
            case Outcome.BROKEN:
                return "this is not the record as it was written"
            case Outcome.NOT_PROVABLE:
                return "nothing is broken, but not everything can be proven"
            case _:
                assert_never(self)


INTACT, BROKEN, NOT_PROVABLE = Outcome.INTACT, Outcome.BROKEN, Outcome.NOT_PROVABLE


class Subject(StrEnum):
    """What is checked, in the order it is shown."""

    COMPLETENESS = "completeness"
    CHAINS = "chains"
    SIGNATURES = "signatures"
    SIGNERS = "signers"
    PLAN = "plan"
    READINGS = "readings"
    TIME = "time"

    @property
    def question(self) -> str:
        match self:
            case Subject.COMPLETENESS:
                return "nothing was cut off, and the record was not rewritten as a whole"
            case Subject.CHAINS:
                return "every line is in its place and follows the one before it"
            case Subject.SIGNATURES:
                return "every line was written by the session it stands in"
            case Subject.SIGNERS:
                return "every statement was signed by the person it names"
            case Subject.PLAN:
                return "the copies of the plan are those the sessions ran by"
            case Subject.READINGS:
                return "the readings are those the sessions took in"
            case Subject.TIME:
                return "every line was written when it says"
            case _:
                assert_never(self)


@frozen
class Problem:
    """What is wrong, and where; `line` counts from 1, and is 0 for a whole file."""

    path: Path
    line: int
    what: str
    follows: bool = False
    """Whether it may only be what a problem of the line before brings with it."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"


class Standing(StrEnum):
    PROVEN = "PROVEN"
    NOT_PROVABLE = "NOT PROVABLE"
    BROKEN = "BROKEN"

    @property
    def word(self) -> str:
        return str(self)


@dataclass(slots=True)
class Findings:
    """What was found about one subject."""

    broken: list[Problem] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    """What cannot be proven, why, and what would prove it."""

    @property
    def standing(self) -> Standing:
        return Standing.BROKEN if self.broken else Standing.NOT_PROVABLE if self.unproven else Standing.PROVEN

    @property
    def why(self) -> list[str]:
        return [*map(str, self.broken), *self.unproven]

    def in_order(self) -> Findings:
        """By file and line, without what is only the consequence of the line before."""
        places = {(problem.path, problem.line) for problem in self.broken}
        causes = [each for each in self.broken if not (each.follows and (each.path, each.line - 1) in places)]
        return Findings(sorted(causes, key=lambda each: (each.path, each.line)), self.unproven)


@frozen
class Result:
    """What checking found. Nothing broken and nothing unproven is the only thing that counts as intact."""

    rows: Mapping[Subject, Findings]
    remarks: Sequence[str]
    heads: Mapping[str, str]
    """Writer -> hash of the last line."""
    entries: int

    @property
    def broken(self) -> Sequence[Problem]:
        every = [problem for row in self.rows.values() for problem in row.broken]
        return sorted(every, key=lambda problem: (problem.path, problem.line))

    @property
    def unproven(self) -> Sequence[str]:
        return [each for row in self.rows.values() for each in row.unproven]

    def row(self, subject: str) -> Findings:
        return self.rows[Subject(subject)]

    @property
    def outcome(self) -> Outcome:
        return BROKEN if self.broken else NOT_PROVABLE if self.unproven else INTACT

    @property
    def exit_code(self) -> int:
        return int(self.outcome)
