"""The account of a document's lines: each that is not empty is carried over, as what, or left out, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import pairwise

from cockpit.drafts.markdown_lines import Kind, classified
from cockpit.drafts.markdown_words import words_of
from probes.frozen import frozen

_LONGEST = 80
"""Of the first words of a stretch of lines."""


class Carried(StrEnum):
    """What a line becomes."""

    TITLE = "the plan's title"
    HEADING = "the heading of what is carried over below it"
    ENTRY = "a line of the plan"
    NOTE = "the caution of a line"
    COMMAND = "a step's command"
    MARKUP = "markup"
    """It has no words: the rule of a table, the underline of a heading, the fence of a command."""


@frozen
class LeftOut:
    """A line that is not carried over, or a stretch of them up to the line `last`."""

    number: int
    text: str
    """Its words; of a stretch the first of them."""
    why: str
    last: int = 0

    @property
    def lines(self) -> str:
        """`12`, or `12-19`."""
        return f"{self.number}-{self.last}" if self.last > self.number else str(self.number)

    @property
    def numbers(self) -> range:
        return range(self.number, max(self.last, self.number) + 1)


class LineAccount:
    """Filled while a document is read. What nothing was said of when it is closed is left out, in stretches."""

    def __init__(self, text: str) -> None:
        kept = [(number, line, kind) for number, line, kind in classified(text) if line.strip()]
        self._raw = {number: line for number, line, _ in kept}
        self._kinds = {number: kind for number, _, kind in kept}
        self._carried: dict[int, Carried] = {}
        self._left: list[LeftOut] = []
        self._begins: set[int] = set()

    def carry(self, number: int, as_what: Carried) -> None:
        """A line is carried over. What it became first stays; 0 is no line."""
        if number in self._raw:
            self._carried.setdefault(number, as_what)

    def leave_out(self, one: LeftOut) -> None:
        self._left.append(one)

    def begin(self, number: int) -> None:
        """A heading: a stretch of lines that are left out ends before it."""
        self._begins.add(number)

    def closed(self) -> tuple[Mapping[int, Carried], list[LeftOut]]:
        """Every line that is not empty, by what became of it."""
        named = {number for one in self._left for number in one.numbers}
        self._fences()
        self._left += self._stretches(named)
        return self._carried, sorted(self._left, key=lambda one: one.number)

    def _fences(self) -> None:
        """A fence is carried over with the code beside it; where there is none it has no words."""
        order = list(self._raw)
        for before, number, after in zip([0, *order], order, [*order[1:], 0], strict=False):
            if self._kinds[number] is Kind.FENCE:
                code = [each for each in (before, after) if self._kinds.get(each) is Kind.CODE]
                if not code or any(each in self._carried for each in code):
                    self.carry(number, Carried.MARKUP)

    def _stretches(self, named: set[int]) -> Iterator[LeftOut]:
        silent = [number for number in self._raw if number not in self._carried and number not in named]
        order = {number: place for place, number in enumerate(self._raw)}
        stretch = silent[:1]
        for before, number in pairwise([*silent, 0]):
            if number and number not in self._begins and order[number] == order[before] + 1:
                stretch.append(number)
                continue
            yield self._stretch(stretch)
            stretch = [number]

    def _stretch(self, numbers: list[int]) -> LeftOut:
        first, *others = numbers
        kinds = list(dict.fromkeys(self._kind(number) for number in numbers))
        shown = next((number for number in numbers if self._kinds[number] is not Kind.FENCE), first)
        text = words_of(self._raw[shown]).strip("#| ")
        text = text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}…"
        if kinds == ["heading"]:
            return LeftOut(first, text, "a heading with nothing below it that is carried over")
        many = f"{len(numbers)} lines of " if others else ""
        return LeftOut(first, text, f"{many}{' and '.join(kinds)}: nothing a plan holds", others[-1] if others else 0)

    def _kind(self, number: int) -> str:
        if number in self._begins:
            return "heading"
        if self._kinds[number] is not Kind.TEXT:
            return "code"
        return "table" if self._raw[number].lstrip().startswith("|") else "prose"
