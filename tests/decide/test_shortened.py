"""What is given anew for a shorter time ends what was given before; what an answer is about, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from decide.scene import at

from cockpit.decide.counted import Counted, unruled
from cockpit.decide.events import DECISION, Change, Decision, Entry, Occurrence, Proof, Record, SignOff, Vote, Waiver
from cockpit.decide.occurrence_text import answers_of
from cockpit.decide.shortened import ends_by, renews, shortened, shortens

ERRORS, BLOCKED = Occurrence(at(300), "errors"), Occurrence(at(360), "blocked")


def waiver(minute: int, until: int, subject: str = "errors") -> Waiver:
    return Waiver(at(60 * minute), subject, "ann", "known", at(60 * until))


def decision(choice: str, *answers: Occurrence, until: int | None = None, minute: int = 10) -> Decision:
    ends = None if until is None else at(60 * until)
    return Decision(at(60 * minute), choice, "ann", "so", answers=answers, until=ends)


OLD = Decision(at(600), "dismiss", "ann", "so")
"""Of an earlier version: it names nothing, and answers everything."""


@pytest.mark.parametrize(
    ("entry", "earlier", "same"),
    [
        (waiver(2, 3), waiver(1, 9), True),
        (waiver(2, 3), waiver(1, 9, "blocked"), False),
        (waiver(2, 3), decision("dismiss", ERRORS), False),
        (decision("dismiss", ERRORS), waiver(1, 9), False),
        (decision("dismiss", ERRORS), decision("dismiss", ERRORS, BLOCKED), True),
        (decision("dismiss", BLOCKED), decision("dismiss", ERRORS), False),
        (decision("dismiss"), decision("dismiss", ERRORS), True),
        (OLD, decision("dismiss", ERRORS), True),
        (decision("dismiss", BLOCKED), OLD, True),
        (decision("dismiss", ERRORS), decision("execute", ERRORS), False),
        (Vote(at(0), "go", "ann", "on_call", "go"), waiver(1, 9), False),
    ],
)
def test_what_renews_what(entry: Entry, earlier: Entry, same: bool) -> None:
    assert renews(entry, earlier) is same


def test_a_waiver_ends_by_the_shorter_one_that_renews_it_and_is_never_longer_or_over_before_it_began() -> None:
    given = waiver(5, 60)
    assert shortened(given, waiver(6, 10)) == waiver(5, 10)
    assert shortened(given, waiver(6, 60)) is given
    assert shortened(given, waiver(6, 70)) is given
    assert shortened(given, waiver(1, 2)) == waiver(5, 5)
    assert shortened(given, Vote(at(0), "go", "ann", "on_call", "go")) is given


def test_what_is_given_anew_ends_by_its_length_from_when_it_is_learned_of_or_by_its_own_end() -> None:
    stated = waiver(60, 70)
    by_a_fast_clock, by_a_slow_one = (Proof(received=at(60 * minute), stated=stated) for minute in (10, 65))
    assert ends_by(replace(waiver(10, 70), proof=by_a_fast_clock)) == at(60 * 20)
    assert ends_by(replace(waiver(65, 70), proof=by_a_slow_one)) == at(60 * 70)
    assert ends_by(stated) == ends_by(decision("dismiss", ERRORS, until=70)) == at(60 * 70)
    assert ends_by(decision("execute", ERRORS, until=70)) is ends_by(decision("dismiss", ERRORS)) is None


def test_what_lasts_longer_without_it_is_shortened_by_it() -> None:
    assert shortens(waiver(6, 10), [waiver(5, 60)])
    assert not shortens(waiver(6, 10), [waiver(5, 10), waiver(5, 60, "blocked")])
    assert shortens(decision("dismiss", ERRORS, until=20), [decision("dismiss", ERRORS)])
    assert not shortens(decision("dismiss", ERRORS), [decision("dismiss", ERRORS, until=20)])
    assert not shortens(decision("execute", ERRORS, until=20), [decision("dismiss", ERRORS)])


def test_the_newest_waiver_of_a_line_is_known_as_it_lasts() -> None:
    counts, given, renewed = Counted(), waiver(5, 60), waiver(7, 50)
    seen: set[Entry] = set()
    assert all(counts.take(each, "", seen) for each in (given, renewed))
    assert counts.shorten(given, waiver(6, 10)) == waiver(5, 10)
    assert counts.latest(Waiver, "errors") is renewed, "an earlier one changes nothing of it"
    assert counts.shorten(renewed, waiver(8, 10, "blocked")) is renewed
    assert counts.shorten(renewed, waiver(8, 10)) == waiver(7, 10) == counts.latest(Waiver, "errors")
    assert counts.latest(Waiver, "blocked") is None


def test_without_a_plan_what_is_sound_counts_and_what_holds_back_counts_although_it_came_late() -> None:
    late, broken = Proof(late="it came late"), Proof(flaw="its line was changed")
    signed = SignOff(at(1), "vpn", "ann", "on_call", "seen", "d1")
    go, no, hold = (Vote(at(2), "go", "ann", "on_call", choice, proof=late) for choice in ("go", "no-go", "hold"))
    forged = Vote(at(3), "go", "bob", "on_call", "no-go", proof=broken)
    turned = Change(at(4), "verdict", "HOLD", "GO")
    record = Record([signed, signed, go, no, hold, forged, turned])
    counts = unruled(record)
    assert counts.all(SignOff) == [signed]
    assert counts.latest(SignOff, "vpn") is signed
    assert counts.all(Vote) == [no, hold]
    assert sorted(each.why for each in counts.left_out) == [
        "it came late", "it is a copy of an earlier one", "its line was changed",
    ]  # fmt: skip
    assert list(counts.turns["verdict"]) == [turned]
    assert counts.place(no) > counts.place(signed) >= 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (decision("dismiss", ERRORS, BLOCKED), "answers errors of 22:05:00, blocked of 22:06:00, until it is clear"),
        (decision("dismiss", ERRORS, until=20), "answers errors of 22:05:00, until 22:20:00"),
        (decision("execute", ERRORS), "answers errors of 22:05:00"),
        (decision("execute", Occurrence(at(300), "")), "answers the rollback of 22:05:00"),
        (
            decision("dismiss", Occurrence(at(300), DECISION)),
            "withdraws the decision of 22:05:00, until it is clear",
        ),
        (decision("fix_forward"), ""),
        (OLD, ""),
    ],
)
def test_what_a_decision_is_about(given: Decision, told: str) -> None:
    assert answers_of(given) == told
