"""Going on without lines of others: without those a note named when that was decided, and no other."""

from __future__ import annotations

import pytest
from decide.scene import at

from cockpit.decide.events import Decision, LinesMissing, Occurrence, Record
from cockpit.decide.withheld import GO_WITHOUT, MISSING, withheld

BOB, BOTH = ("bob/1",), ("bob/1", "cid/1")


def note(second: float, *names: str) -> LinesMissing:
    writers = tuple(dict.fromkeys(name.partition("/")[0] for name in names))
    return LinesMissing(at(second), tuple(f"lines of {writer}'s are missing" for writer in writers), writers, names)


def without(second: float, *noted: float) -> Decision:
    """As a person decides it who was shown what was noted then."""
    named = tuple(Occurrence(at(each), MISSING) for each in noted)
    return Decision(at(second), GO_WITHOUT, "ann", "his laptop is lost", "", "on_call", "d1", named)


@pytest.mark.parametrize(
    ("entries", "left"),
    [
        ((note(1, *BOB), without(2, 1)), ()),
        ((note(1, *BOB), without(2, 1), note(3, *BOTH)), ("cid/1",)),
        ((note(1, *BOB), without(2, 1), note(3, *BOTH), without(4, 3)), ()),
        # What was noted is accepted by name: seeing more than was decided on is not enough, nor deciding before it was noted.
        ((note(1, *BOB), note(2, *BOTH), without(3, 1)), ("cid/1",)),
        ((note(1, *BOB), without(2, 3), note(3, *BOTH)), BOTH),
        # Every decision counts on: what was here again for a while, and is missing once more, was decided on.
        ((note(1, *BOB), without(2, 1), note(3, "cid/1"), without(4, 3), note(5, *BOTH)), ()),
        # Of two notes of one moment the newer one was shown.
        ((note(1, *BOB), note(1, "cid/1"), without(2, 1), note(3, *BOTH)), BOB),
    ],
)
def test_what_was_decided_to_go_on_without_is_what_was_noted_then(
    entries: tuple[LinesMissing | Decision, ...], left: tuple[str, ...]
) -> None:
    found = withheld(Record(list(entries)), lambda decision: True)
    assert (found.names, found.lines) == (left, note(0, *left).of)


def test_a_line_that_names_no_cockpit_as_earlier_versions_wrote_it_holds_whatever_was_decided() -> None:
    lines = ("2 lines of bob's are missing", "1 line of cid's is missing")
    for writers in ((), ("bob",)):
        made = LinesMissing(at(1), lines, writers, BOB if writers else ())
        found = withheld(Record([made, without(2, 1)]), lambda decision: True)
        assert (found.lines, found.names) == (lines[len(writers) :], ())
