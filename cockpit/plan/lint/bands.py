"""What is good enough to stay and what is bad enough to go back: the bands must not overlap, and a gap must have a name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.plan.lint.logic import Atom, alternatives, consistent
from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Judged, Subject
from cockpit.plan.model import Criterion, Kind

KIN = {
    "cloudwatch.ratio": ({"rate", "part"},),
    "postgres.pool": ({"utilization", "exhausted"},),
    "s3.uploads": ({"failure_rate", "new_rows_without_key", "row_failure_rate", "log_failure_rate", "failures"},),
}
"""Fields of one probe that measure the same thing: going from good to bad, all of them move."""
Pair = tuple[Judged, Atom, Judged, Atom]


@rule(
    "bands-overlap",
    "A value that is good enough to stay and bad enough to go back",
    why="The same value means both GO and ROLLBACK.",
    instead="Put the trigger's threshold on the far side of the criterion's.",
)
def bands_overlap(subject: Subject) -> Iterator[Found]:
    for good, stay, bad, back in _pairs(subject):
        if stay.path == back.path and consistent((stay, back), subject.field):
            place = subject.piece(bad, back.start, back.end - back.start)
            yield Found(bad.path, f"values of {back.path} can trip this and still meet '{_id(good)}'", place)


@rule(
    "bands-gap",
    "A gap between go and rollback that the plan does not define",
    why="In the gap the verdict is HOLD, and the plan does not say what people do then.",
    instead="Close the gap, or say HOLD in the caution of one of the two, and who decides how long.",
    report="T11",
)
def bands_gap(subject: Subject) -> Iterator[Found]:
    seen: set[tuple[str, str]] = set()
    for good, stay, bad, back in _pairs(subject):
        pair = (_id(good), _id(bad))
        if pair in seen or re.search(r"\bhold\b", good.owner.caution + bad.owner.caution, re.IGNORECASE):
            continue
        between = stay.path != back.path or consistent((stay.flipped(), back.flipped()), subject.field)
        if between and not _same_meaning(stay, back):
            seen.add(pair)
            place = subject.piece(bad, back.start, back.end - back.start)
            problem = f"between '{_id(good)}' ({_text(stay)}) and this ({_text(back)}) the plan defines nothing"
            yield Found(bad.path, problem, place)


@rule(
    "upside-down",
    "A limit that is the wrong way round",
    why="It calls the healthy system bad, or the broken one good: a trigger trips at once, or a criterion is met by the fault.",
    instead="Turn the comparison round: less is better of errors, failures and waiting times.",
)
def upside_down(subject: Subject) -> Iterator[Found]:
    for judged in subject.judged:
        is_trigger = judged.kind == str(Kind.TRIGGER)
        limits = _enough(judged) if is_trigger else _demands(judged)
        wrong = {"<", "<="} if is_trigger else {">", ">="}
        bounded = {atom.path for atom in limits if atom.operator not in wrong}
        for atom in limits:
            if atom.operator in wrong and atom.path not in bounded and _less_is_better(subject, atom.path):
                does = "trips" if is_trigger else "is met"
                place = subject.piece(judged, atom.start, atom.end - atom.start)
                yield Found(judged.path, f"{does} while {_text(atom)}, and of {atom.path} less is better", place)


def _less_is_better(subject: Subject, path: str) -> bool:
    """Of times to wait, and of what counts failures: by the field's unit and name, of a ratio by what its part is."""
    probe, _, name = path.partition(".")
    field, spec = subject.field(path), subject.plan.probes.get(probe)
    if field is None or spec is None:
        return False
    named = f"{spec.params.get('part')}" if spec.uses == "cloudwatch.ratio" and name in ("rate", "part") else name
    return field.unit == "ms" or _BAD.search(named) is not None


_BAD = re.compile(r"error|fail(?!over)|(?<!de)fault|throttl|unhealthy|dead_letters|[45]xx", re.IGNORECASE)


def _pairs(subject: Subject) -> Iterator[Pair]:
    """What a criterion demands and what trips a trigger, where both measure the same thing."""
    for good in (one for one in subject.judged if one.kind == str(Kind.SUCCESS)):
        for bad in (one for one in subject.judged if one.kind == str(Kind.TRIGGER)):
            for stay in _demands(good):
                yield from ((good, stay, bad, back) for back in _enough(bad) if _kin(subject, stay, back))


def _demands(good: Judged) -> tuple[Atom, ...]:
    forms = _forms(good)
    return tuple(atom for atom in forms[0] if atom.path) if len(forms) == 1 else ()


def _enough(bad: Judged) -> tuple[Atom, ...]:
    """What trips a trigger all by itself."""
    return tuple(form[0] for form in _forms(bad) if len(form) == 1 and form[0].path)


def _forms(judged: Judged) -> list[tuple[Atom, ...]]:
    try:
        return alternatives(judged.condition.source)
    except OverflowError:  # too many to compare: nothing is claimed
        return []


def _kin(subject: Subject, stay: Atom, back: Atom) -> bool:
    if stay.path == back.path:
        return True
    (one, _, left), (other, _, right) = stay.path.partition("."), back.path.partition(".")
    if one != other:
        return False
    return any({left, right} <= group for group in KIN.get(subject.plan.probes[one].uses, ()))


def _same_meaning(stay: Atom, back: Atom) -> bool:
    """None of it and any of it: no failures, and a share of failures above nothing."""
    return stay.operator == "==" and stay.values == (0.0,) and back.operator == ">" and back.values == (0.0,)


def _text(atom: Atom) -> str:
    value = atom.values[0]
    if isinstance(value, bool):
        return atom.path if value == (atom.operator == "==") else f"!{atom.path}"
    return f"{atom.path} {atom.operator} {value:g}" if isinstance(value, int | float) else atom.path


def _id(judged: Judged) -> str:
    owner = judged.owner
    return owner.id if isinstance(owner, Criterion) else owner.title


RULES = (bands_overlap, bands_gap, upside_down)
