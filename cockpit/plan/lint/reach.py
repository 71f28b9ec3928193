"""Conditions that cannot come out one way: they judge nothing, and look as if they did."""

from __future__ import annotations

from collections.abc import Iterator

from cockpit import formatting
from cockpit.plan.lint.logic import Atom, atoms, consistent, possible
from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Judged, Subject
from cockpit.plan.model import Kind
from probes.reading import Field

_PER_NAME = {
    ("cloudwatch.alarms", "in_alarm"),
    ("cloudwatch.alarms", "missing"),
    ("cloudwatch.alarms", "exist_count"),
    ("secrets.metadata", "missing_count"),
    ("secrets.metadata", "deleted_count"),
    ("secrets.metadata", "without_current"),
}
"""Counts that cannot exceed the names the probe is given."""


def bounded(subject: Subject, path: str) -> Field | None:
    """A field as this plan's probe can give it."""
    declared = subject.field(path)
    probe, _, name = path.partition(".")
    if declared is None or (subject.plan.probes[probe].uses, name) not in _PER_NAME:
        return declared
    names = subject.plan.probes[probe].params.get("names")
    most = float(len(names)) if isinstance(names, list) else declared.high
    return Field(declared.name, declared.type, declared.meaning, declared.example, declared.unit, declared.low, most)


@rule(
    "never-trips",
    "A trigger that can never trip",
    why="It shows CLEAR whatever happens, so it protects nothing.",
    instead="Give it a threshold its field can reach. Shares are ratios: 5 % is 0.05.",
)
def never_trips(subject: Subject) -> Iterator[Found]:
    yield from _never(subject, str(Kind.TRIGGER), "can never trip")


@rule(
    "never-met",
    "A criterion or line that can never be met",
    why="The verdict stays HOLD to the end, and people learn to ignore it.",
    instead="Give it a value its field can have. Shares are ratios: 80 % is 0.8.",
)
def never_met(subject: Subject) -> Iterator[Found]:
    yield from _never(subject, str(Kind.SUCCESS), "can never be met")
    yield from _never(subject, "item", "can never be met")


@rule(
    "always-true",
    "A condition that is true whatever is seen",
    why="A criterion proves nothing with it, and a trigger calls for a rollback at once.",
    instead="Compare with a value that separates good from bad, or leave the condition out.",
)
def always_true(subject: Subject) -> Iterator[Found]:
    for judged in subject.judged:
        source = judged.condition.source
        if not possible(source, lambda path: bounded(subject, path), outcome=False):
            place = subject.piece(judged, 0, len(source))
            yield Found(judged.path, "is true whatever is seen" + _because(subject, judged, true=True), place)


def _never(subject: Subject, kind: str, what: str) -> Iterator[Found]:
    for judged in (one for one in subject.judged if one.kind == kind):
        source = judged.condition.source
        hopeless = not possible(source, lambda path: bounded(subject, path))
        dead = [atom for atom in atoms(source) if _dead(subject, atom)]
        for atom in dead:
            place = subject.piece(judged, atom.start, atom.end - atom.start)
            problem = what if hopeless else "has a part that is never true"
            yield Found(judged.path, f"{problem}: {_range(subject, atom)}", place)
        if hopeless and not dead:
            place = subject.piece(judged, 0, len(source))
            yield Found(judged.path, f"{what}: its parts exclude each other", place)


def _dead(subject: Subject, atom: Atom) -> bool:
    """Never true by itself, though its field is compared with something."""
    return bool(atom.path) and not consistent((atom,), lambda path: bounded(subject, path))


def _because(subject: Subject, judged: Judged, *, true: bool) -> str:
    dead = [atom for atom in atoms(judged.condition.source) if true and _dead_when_flipped(subject, atom)]
    return f": {_range(subject, dead[0])}" if dead else ""


def _dead_when_flipped(subject: Subject, atom: Atom) -> bool:
    return bool(atom.path) and _dead(subject, atom.flipped())


def _range(subject: Subject, atom: Atom) -> str:
    declared = bounded(subject, atom.path)
    if declared is None:
        return atom.path
    low, high, unit = declared.low, declared.high, declared.unit
    if low is not None and high is not None:
        text = f"{atom.path} is between {formatting.value(low, unit)} and {formatting.value(high, unit)}"
    elif low is not None:
        text = f"{atom.path} is never below {formatting.value(low, unit)}"
    elif high is not None:
        text = f"{atom.path} is never above {formatting.value(high, unit)}"
    else:
        text = f"{atom.path} is a whole number" if declared.type is int else atom.path
    value = atom.values[0]
    if unit == "ratio" and isinstance(value, int | float) and not isinstance(value, bool) and 1 < value <= 100:
        text += f"; {value:g} % is written {value / 100:g}"
    return text


RULES = (never_trips, never_met, always_true)
