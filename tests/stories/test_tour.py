"""A newcomer's first night: each stage is done when the record shows it, and each line has room at 80 columns."""

from __future__ import annotations

from datetime import UTC, datetime

from cockpit.decide.events import Decision, Entry, Happened, PhaseBegan, Record, SignOff, Vote
from cockpit.plan.model import Phase
from cockpit.stories.fault_entry import fault_entry
from cockpit.stories.tour import STAGE_CELLS, STAGES, crew_may_sign, crew_may_vote, opening_card, stage_now, tour_line

NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)
DEEDS: list[Entry] = [
    SignOff(NOW, "vpn", "ann", "on_call", "100.64.0.7 answered", ""),
    Vote(NOW, "go", "ann", "on_call", "go"),
    PhaseBegan(NOW, Phase.POST_DEPLOY, "ann"),
    fault_entry(NOW, "S3 is slow", active=True),
    Decision(NOW, "execute", "ann", "it burns"),
]


def test_each_stage_is_done_by_one_entry_of_the_record_and_by_nothing_else() -> None:
    others: list[Entry] = [
        SignOff(NOW, "vpn", "ann", "on_call", "the crew's", "", rehearsal=True),
        SignOff(NOW, "vpn", "bob", "backup", "another's", ""),
        Vote(NOW, "go", "bob", "backup", "go"),
        PhaseBegan(NOW, Phase.PRE_DEPLOY),
        fault_entry(NOW, "S3 is slow", active=False),
        Happened(NOW, "migration", "injected: nothing"),
    ]
    assert stage_now(Record(others), "ann") == 0
    for done in range(len(DEEDS) + 1):
        assert stage_now(Record([*others, *DEEDS[:done]]), "ann") == done
    assert len(DEEDS) == len(STAGES)


def test_the_crew_follows_the_newcomer() -> None:
    assert (crew_may_sign(Record([]), "ann"), crew_may_vote(Record([]), "ann")) == (False, False)
    assert crew_may_sign(Record(DEEDS[:1]), "ann")
    assert not crew_may_vote(Record(DEEDS[:1]), "ann")
    assert crew_may_vote(Record(DEEDS[:2]), "ann")


def test_every_line_of_the_tour_has_room_at_80_columns() -> None:
    for done in range(len(DEEDS) + 1):
        assert len(tour_line(Record(DEEDS[:done]), "ann")) <= STAGE_CELLS
    card = opening_card("TOUR", "ann")
    assert all(len(line) <= 75 for line in card if line.startswith(" "))
    assert len(card) + sum(len(line) > 75 for line in card) <= 20
