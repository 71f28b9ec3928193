"""Converts between entries and the bodies of journal lines, without loss.

A body names its kind and holds the fields under their own names. Times are UTC in ISO 8601 to the microsecond. Fields a newer
version added are left out on reading, fields it left out take their default: an old record stays readable.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, assert_never, get_args, get_type_hints

from cockpit.decide import events as kinds
from cockpit.decide.counted import CHOICES
from cockpit.decide.events import Proof
from cockpit.decide.states import State, StepState, Word
from cockpit.journal.entry import Type, in_range
from cockpit.plan.model import Phase
from probes.redact import HIDDEN, holds_secret, redact

LONGEST_WRITTEN = 16_000
"""Characters of one text of an entry: the writer cuts longer ones, before what is secret in them is hidden."""
LONGEST_TEXT = 64_000
"""Characters of one text of a valid entry."""
_CUT = " … (cut)"
LINES_MISSING = "lines_missing"
_KINDS: Mapping[str, type[kinds.Entry]] = {
    "sign_off": kinds.SignOff,
    "vote": kinds.Vote,
    "waiver": kinds.Waiver,
    "acknowledgement": kinds.Acknowledgement,
    "decision": kinds.Decision,
    "step_began": kinds.StepBegan,
    "step_ended": kinds.StepEnded,
    "happened": kinds.Happened,
    "step_measured": kinds.StepMeasured,
    "release_seen": kinds.ReleaseSeen,
    "phase_began": kinds.PhaseBegan,
    "gate_used": kinds.GateUsed,
    "point_of_no_return": kinds.PointOfNoReturn,
    "change": kinds.Change,
    "observer_gap": kinds.ObserverGap,
    LINES_MISSING: kinds.LinesMissing,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_HINTS = {kind: get_type_hints(kind) for kind in _NAMES}
_FIELDS = {kind: tuple(each for each in fields(kind) if each.name != "proof") for kind in _NAMES}
"""What is kept of an entry: all it says, and not what was found out about it."""
_ONE_OF: Mapping[tuple[type[kinds.Entry], str], Sequence[str]] = {
    (kinds.Vote, "choice"): CHOICES,
    (kinds.StepEnded, "outcome"): (StepState.DONE, StepState.FAILED, StepState.SKIPPED, StepState.OPEN),
}
"""Texts that are one of a few words."""
_READ: Mapping[Any, Callable[[Any], Any]] = {
    datetime: lambda text: moment(text),  # noqa: PLW0108 - defined below
    Phase: Phase,
    str: lambda text: _bounded(text),  # noqa: PLW0108 - defined below
    bool: lambda text: _exactly(bool, text),
    int: lambda number: _counted(number),  # noqa: PLW0108 - defined below
    datetime | None: lambda text: None if text is None else moment(text),
    tuple[str, ...]: lambda listed: tuple(_bounded(text) for text in _listed(listed)),
    tuple[kinds.Occurrence, ...] | None: lambda listed: (
        None if listed is None else tuple(_occurrence(each) for each in _listed(listed))
    ),
}
HIGHEST = 10**9
"""A number of an entry: of seconds, thirty years."""
MOST_LISTED = 1_000
"""Members of one list of an entry."""


def _check_complete(every: Iterable[type[kinds.Entry]]) -> None:
    """What could not be kept, or not be read back, is found when the program starts. Raises TypeError."""
    for kind in every:
        if kind not in _NAMES:
            raise TypeError(f"cockpit.journal.codec: {kind.__name__} has no name in _KINDS: it could not be kept")
        for name in (each.name for each in _FIELDS[kind]):
            if (hint := _HINTS[kind][name]) not in _READ:
                raise TypeError(f"cockpit.journal.codec: {kind.__name__}.{name} has no reader in _READ for {hint}")


_check_complete(get_args(kinds.Entry))


def type_of(entry: kinds.Entry) -> Type:
    """The type an entry is kept as. A change to ROLLBACK or TRIPPED is a trigger; a phase nobody began is a note."""
    match entry:
        case kinds.SignOff():
            return Type.SIGN_OFF
        case kinds.Vote():
            return Type.VOTE
        case kinds.Waiver() | kinds.Acknowledgement():
            return Type.WAIVER
        case kinds.Decision() | kinds.GateUsed():
            return Type.DECISION
        case kinds.StepBegan():
            return Type.ACTION_START
        case kinds.StepEnded():
            return Type.ACTION_END
        case kinds.PhaseBegan():
            return Type.DECISION if entry.by else Type.NOTE
        case kinds.Happened():
            return Type.MIGRATION if entry.subject.startswith("migration") else Type.NOTE
        case kinds.Change():
            return Type.TRIGGER if entry.after in (Word.ROLLBACK, State.TRIPPED) else Type.PROBE
        case kinds.StepMeasured() | kinds.ReleaseSeen() | kinds.PointOfNoReturn():
            return Type.NOTE
        case kinds.ObserverGap() | kinds.LinesMissing():
            return Type.NOTE
        case _:
            assert_never(entry)


def to_body(entry: kinds.Entry) -> dict[str, Any]:
    """The body that keeps an entry. Raises ValueError for a time without a zone, and for text no file can hold."""
    body: dict[str, Any] = {"kind": _NAMES[type(entry)]}
    for each in _FIELDS[type(entry)]:
        body[each.name] = _plain(getattr(entry, each.name))
    return body


def from_body(body: Mapping[str, Any]) -> kinds.Entry | None:
    """The entry a body keeps; None for bodies of another kind. Raises ValueError where one is malformed."""
    name = body.get("kind")
    if not isinstance(name, str) or name not in _KINDS:
        return None
    kind = _KINDS[name]
    given: dict[str, Any] = {}
    for each in _FIELDS[kind]:
        if each.name in body:
            try:
                given[each.name] = _READ[_HINTS[kind][each.name]](body[each.name])
                _check_word(given[each.name], _ONE_OF.get((kind, each.name), ()))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name}.{each.name}: {error}") from None
        elif each.default is MISSING:
            raise ValueError(f"{name} lacks {each.name}")
    return kind(**given, proof=Proof())


def time_text(at: datetime) -> str:
    """UTC, microseconds. Raises ValueError for a time without a zone, and for one no record is from."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be kept")
    return in_range(in_range(at).astimezone(UTC)).isoformat()


def moment(text: Any) -> datetime:
    """Raises ValueError unless it is a time with a zone, within the years a record may be from."""
    at = in_range(datetime.fromisoformat(_exactly(str, text)))
    if at.tzinfo is None:
        raise ValueError("a time needs a zone")
    return at


def without_secrets(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with every secret in it hidden, by its looks or by the name it stands under. Raises ValueError for non-JSON."""
    return {_text(str(name)): _hidden(str(name), value) for name, value in body.items()}


def _hidden(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_secrets(value)
    if isinstance(value, str):
        return HIDDEN if value and _is_secret(name) else _text(value)
    if isinstance(value, list | tuple):
        return [_hidden(name, each) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    raise ValueError(f"{name}: {type(value).__name__} cannot be kept")


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    shown = json.dumps({name: "x"})
    return holds_secret(shown)


def _text(text: str) -> str:
    """Redacted, and without halves of characters, which no file can hold."""
    return redact(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, kinds.Occurrence):
        return {"subject": value.subject, "since": time_text(value.since)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if not isinstance(value, str):
        return value
    return str(value) if len(value) <= LONGEST_WRITTEN else value[: LONGEST_WRITTEN - len(_CUT)] + _CUT


def _check_word(text: Any, words: Sequence[str]) -> None:
    if words and text not in words:
        raise ValueError(f"{text[:40]!r} is none of {', '.join(words)}")


def _bounded(text: Any) -> str:
    if len(_exactly(str, text)) > LONGEST_TEXT:
        raise ValueError(f"has more than {LONGEST_TEXT} characters")
    return str(text)


def _counted(given: Any) -> int:
    if not 0 <= _exactly(int, given) <= HIGHEST:
        raise ValueError(f"is not between 0 and {HIGHEST}")
    return int(given)


def _listed(given: Any) -> list[Any]:
    if len(_exactly(list, given)) > MOST_LISTED:
        raise ValueError(f"has more than {MOST_LISTED} members")
    return list(given)


def _occurrence(given: Any) -> kinds.Occurrence:
    if not {"subject", "since"} <= set(_exactly(dict, given)):
        raise ValueError("an occurrence has a subject and a time")
    return kinds.Occurrence(moment(given["since"]), _bounded(given["subject"]))


def _exactly(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{type(value).__name__} is not {kind.__name__}")
    return value
