"""A Situation written out: a line for each thing that it says, and of a night what each moment says anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any

from decide.scene import START, Scene

from cockpit import formatting
from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import Change, Record
from cockpit.plan.model import Plan
from cockpit.plan.position import Position
from probes.reading import Unknown

LEFT_OUT = {"now", "position", "proof", "plan_digest", "interval", "meaning"}
"""What is the same all night, and the time that stands above each part."""
WORKED_OUT = frozenset(
    [
        "line",
        "word",
        "path",
        "path_word",
        "before",
        "calls",
        "left",
        "label",
        "exit_code",
        "because",
        "brief",
        "for_others",
        "differs",
        "critical",
        "done",
        "share",
    ]
)
"""Properties that are written out beside what a thing holds."""
PLAIN: dict[str, type] = {each.__name__: each for each in (str, bool, int, tuple, datetime, timedelta)}
"""What a field that is declared so is, and never None."""


def lines(of: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of everything that is there; what is empty, nothing, or no is left out."""
    if isinstance(of, datetime):
        yield path, f"{formatting.clock(of)} ({(of - START).total_seconds():+.0f} s)"
    elif isinstance(of, timedelta):
        yield path, f"{of.total_seconds():.0f} s"
    elif isinstance(of, Unknown):
        yield path, " ".join(filter(None, [str(of.reason), of.detail, of.hint and f"({of.hint})"]))
    elif isinstance(of, Mapping):
        for name, value in of.items():
            yield from lines(value, f"{path}.{name}")
    elif isinstance(of, (tuple, list)):
        for number, value in enumerate(of):
            yield from lines(value, f"{path}.{_named(value, number)}")
    elif is_dataclass(of) and not isinstance(of, (type, Position)):
        yield from _of_thing(of, path)
    elif of not in (None, "", False) or (of == 0 and of is not False):
        yield path, str(of)


def _of_thing(of: Any, path: str) -> Iterator[tuple[str, str]]:
    for field in fields(of):
        name, value = field.name, getattr(of, field.name)
        held = object if "None" in str(field.type) else PLAIN.get(str(field.type).partition("[")[0], object)
        assert isinstance(value, held), f"{path}.{name} is {value!r}, not {field.type}"
        if not name.startswith("_") and name not in LEFT_OUT:
            yield from lines(value, f"{path}.{name}" if path else name)
    for name in sorted(WORKED_OUT):
        if isinstance(getattr(type(of), name, None), property):
            yield from lines(getattr(of, name), f"{path}.{name}")


def _named(value: object, number: int) -> str:
    """By its id where it has one: what is put before it moves nothing."""
    return str(getattr(value, "id", None) or number)


class WrittenNight(Scene):
    """A scene that writes out what each shown moment says that the one before it did not."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.record, self.now = plan, Record(), START
        self.board = Board(plan, START)
        self.situation = decide(plan, self.board, self.record, START)
        self.text: list[str] = []
        self._before: dict[str, str] = {}
        self._recorded = 0

    def show(self, title: str) -> None:
        shown = dict(lines(self.situation))
        gone = [(path, "gone") for path in self._before if path not in shown]
        anew = [(path, text) for path, text in shown.items() if self._before.get(path) != text]
        by_thing: dict[str, list[str]] = {}
        for path, text in (*anew, *gone):
            thing, name = _split(path)
            by_thing.setdefault(thing, []).append(f"{name} {text}".strip())
        self.text += ["", f"== {(self.now - START).total_seconds() / 60:g} min: {title}"]
        self.text += [f"{thing}: {' | '.join(said)}" for thing, said in by_thing.items()]
        self._before = shown
        for each in self.record.entries[self._recorded :]:
            if isinstance(each, Change):
                waits = "".join(
                    f"; waits: {trip.subject} {formatting.clock(trip.since)}" for trip in each.latched or ()
                )
                self.text.append(f"recorded: {each.subject} {each.before} -> {each.after}: {each.because}{waits}")
        self._recorded = len(self.record.entries)


def _split(path: str) -> tuple[str, str]:
    """
    >>> _split("criteria.errors.because.line"), _split("verdict.word"), _split("sections.0.items.vpn.check")
    (('criteria errors', 'because.line'), ('verdict', 'word'), ('sections 0 vpn', 'check'))
    """
    head, _, rest = path.partition(".")
    if head in ("verdict", "sight", "schedule") and not rest.startswith(("runbook", "rollback_plan")):
        return head, rest
    parts = rest.split(".")
    if head == "sections" and parts[1:2] == ["items"]:
        return f"{head} {parts[0]} {parts[2]}", ".".join(parts[3:])
    if head == "schedule":
        return f"{head} {parts[1]}", ".".join(parts[2:])
    return f"{head} {parts[0]}", ".".join(parts[1:])
