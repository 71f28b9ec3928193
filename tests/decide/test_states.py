"""One table of words: none without its meaning, no second table, and every front end knows every member."""

from __future__ import annotations

import re
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import pytest

from cockpit.decide import states
from cockpit.decide.states import (
    Badness,
    Check,
    GateState,
    Shown,
    State,
    StepState,
    Tone,
    Visibility,
    Word,
    by_text,
    meaning_of,
)
from probes import reading as reading_module

WORDS = (Word, State, Check, GateState, StepState, Visibility)


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.__name__)
def test_a_word_without_its_meaning_cannot_be_imported(word: type[StrEnum]) -> None:
    first = next(iter(word))
    source = Path(states.__file__).read_text(encoding="utf-8")
    added = re.sub(rf"^    {first.name} = ", f'    LATE = "LATE"\n    {first.name} = ', source, flags=re.MULTILINE)
    assert added != source
    with pytest.raises(TypeError, match="LATE"):
        exec(compile(added, states.__file__, "exec"), {"__name__": states.__name__})


def test_a_reason_without_its_cause_cannot_be_imported() -> None:
    source = Path(reading_module.__file__).read_text(encoding="utf-8")
    added = source.replace('    WARMING = "WARMING"', '    LATE = "LATE"\n    WARMING = "WARMING"')
    with pytest.raises(TypeError, match="LATE"):
        exec(compile(added, reading_module.__file__, "exec"), {"__name__": reading_module.__name__})


@pytest.mark.parametrize("member", [member for word in WORDS for member in word], ids=repr)
def test_a_word_is_shown_with_a_symbol_of_one_cell_and_explained(member: Word) -> None:
    meaning = member.meaning
    assert len(meaning.symbol) == 1
    assert meaning.help
    assert not (meaning.done and meaning.failing)
    assert (meaning.tone is Tone.GOOD) <= meaning.done
    assert meaning.done <= (meaning.badness is Badness.FINE)


def test_unknown_is_neither_done_nor_failing_and_never_good() -> None:
    for member in (State.UNKNOWN, Check.UNKNOWN):
        assert not member.meaning.done
        assert not member.meaning.failing
        assert member.meaning.tone is Tone.UNKNOWN


def test_a_word_of_a_later_version_counts_as_unknown() -> None:
    assert meaning_of("SPLENDID") == State.UNKNOWN.meaning


def test_every_word_of_a_record_is_read_as_it_was_written() -> None:
    for member in (*Word, *State, *Check, *GateState):
        assert meaning_of(str(member)).badness is member.meaning.badness


def test_of_two_words_of_one_text_the_first_counts_and_they_must_look_alike() -> None:
    class Seen(Shown):
        UNKNOWN = "UNKNOWN", replace(State.UNKNOWN.meaning, help="what nobody has seen")

    assert by_text((*State, *Seen)) == {str(state): state.meaning for state in State}
    for differs in ({"symbol": "x"}, {"tone": Tone.BAD}, {"badness": Badness.FAILING}):

        class Odd(Shown):
            UNKNOWN = "UNKNOWN", replace(State.UNKNOWN.meaning, **differs)

        with pytest.raises(TypeError, match=r"Odd.UNKNOWN: .* looks other than"):
            by_text((*State, *Odd))


def test_people_read_the_label_of_a_word_and_its_text_where_it_has_none() -> None:
    class Seen(Shown):
        BARE = "BARE", replace(State.MET.meaning, label="")
        NAMED = "NAMED", replace(State.MET.meaning, label="as people say it")

    assert [each.label for each in Seen] == ["BARE", "as people say it"]


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_reached(state: State) -> None:
    machines = [
        Path(states.__file__).with_name(name).read_text(encoding="utf-8")
        for name in ("state_machine.py", "criterion.py")
    ]
    assert any(f"State.{state.name}" in text for text in machines), (
        f"no criterion is ever {state}: reach it in _success or _trigger of cockpit/decide/state_machine.py, "
        "or, where it rests on missing data, in _state of criterion.py"
    )
