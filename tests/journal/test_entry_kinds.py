"""Every kind of entry is kept, read back, taken in, shown and reported; one that is not known fails, and loudly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, cast, get_args, get_type_hints

import pytest

from cockpit.decide import events as kinds
from cockpit.journal.codec import _ONE_OF, _check_complete, from_body, to_body, type_of
from cockpit.journal.findings import Outcome
from cockpit.plan.model import Phase
from cockpit.report import labels
from cockpit.report.build import _event
from cockpit.tui.views.timeline import as_change

KINDS: tuple[type[kinds.Entry], ...] = get_args(kinds.Entry)
AT = datetime(2026, 1, 2, 22, 0, tzinfo=UTC)
VALUES: dict[Any, Any] = {
    datetime: AT,
    datetime | None: AT,
    str: "text",
    bool: True,
    int: 3,
    Phase: Phase.PRE_DEPLOY,
    tuple[str, ...]: ("text",),
    tuple[kinds.Occurrence, ...] | None: (kinds.Occurrence(AT, "errors"),),
}
READERS: list[Callable[[Any], object]] = [type_of, to_body, _event, as_change]


@dataclass(frozen=True, slots=True)
class Unheard:
    """A kind of entry that nobody has been taught."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Odd:
    """One with a field that no file was taught to hold."""

    at: datetime
    lasted: timedelta


def one(kind: type[kinds.Entry]) -> kinds.Entry:
    hints = get_type_hints(kind)
    words = {name: words[0] for (of, name), words in _ONE_OF.items() if of is kind}
    return kind(**{each.name: VALUES[hints[each.name]] for each in fields(kind) if each.name != "proof"} | words)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_kept_read_back_taken_in_shown_and_reported(kind: type[kinds.Entry]) -> None:
    entry = one(kind)
    assert from_body(to_body(entry)) == entry
    for reader in READERS:
        reader(entry)


@pytest.mark.parametrize("reader", READERS)
def test_a_kind_that_a_reader_does_not_know_fails(reader: Callable[[Any], object]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        reader(Unheard(AT))


@pytest.mark.parametrize(("kind", "told"), [(Unheard, "Unheard has no name"), (kinds.Change, "")])
def test_a_kind_without_a_name_in_the_codec_is_refused_at_import(kind: type, told: str) -> None:
    if not told:
        _check_complete([kind])
        return
    with pytest.raises(TypeError, match=told):
        _check_complete([kind])


def test_a_field_no_reader_knows_is_refused_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    from cockpit.journal import codec

    kind = cast("type[kinds.Entry]", Odd)
    monkeypatch.setitem(codec._NAMES, kind, "odd")
    monkeypatch.setitem(codec._FIELDS, kind, fields(Odd))
    monkeypatch.setitem(codec._HINTS, kind, get_type_hints(Odd))
    with pytest.raises(TypeError, match=r"Odd\.lasted has no reader"):
        _check_complete([kind])


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_of_a_check_has_its_words(outcome: Outcome) -> None:
    assert outcome.word
    assert labels._MEANING[outcome.word] == outcome.meaning
