"""What was stated to begin a phase of the migration: used by a run that begins, not by one that is refused, and by one alone."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Literal

import pytest
from decide.scene import HERE, START, at, plan

from cockpit.decide.events import HERE as HERE_MADE
from cockpit.decide.events import MIGRATION, Decision, Entry, GateUsed, Happened, PhaseBegan, Proof, Record, Vote
from cockpit.decide.gate import GOOD_FOR, begun_by, missing_before, opening, tag_of
from cockpit.plan.model import Gate, Phase, Plan, Poll

LINES = ("purge 3 files of db/app", "purge 3 files, at most 1 of them of db/app")
NIGHTS = int(os.environ.get("EXAMPLES", "100"))
PEOPLE = ("ann", "bob")


def gated(*gates: str, required: int = 1, valid_for: timedelta | None = None) -> Plan:
    poll = Poll(("on_call", "backup"), required, valid_for=valid_for)
    base = plan(gates=tuple(Gate(each, each, "purge", poll, HERE) for each in gates))
    first = base.people[0]
    people = tuple(replace(first, id=each, name=each, roles=("on_call", "backup")) for each in PEOPLE)
    return replace(base, people=people)


@dataclass
class Night:
    """A record, and the ledger's knowledge of what was begun."""

    plan: Plan
    record: Record = field(default_factory=Record)
    now: datetime = START
    begun: list[Decision | Happened] = field(default_factory=list)
    ledger: list[str] = field(default_factory=list)
    """By what, as the database has it; it may be put back to before."""

    def vote(self, who: str, choice: Literal["go", "no-go", "hold"] = "go", gate: str = "") -> None:
        for each in self.plan.gates:
            if gate in ("", each.id):
                self._say(Vote(self.now, each.id, who, "on_call", choice, plan_digest=self.plan.digest, why="so"))

    def state(self, who: str, line: str, signatures: int = 9) -> bool:
        """As the desk does; after so many signatures the next is refused."""
        found = opening(self.plan, self.record, "purge", (line,), self.now, who)
        goes_on = found.statement is not None and not found.whole
        if found.missing if goes_on else missing_before(self.plan, self.record, "purge", self.now, who):
            return False
        uses = [
            GateUsed(self.now, gate.id, "purge", who, "on_call", self.plan.digest)
            for gate in self.plan.gates
            if not missing_before(replace(self.plan, gates=(gate,)), self.record, "purge", self.now, who)
        ]
        said = Decision(self.now, "migrate", who, f"so ({line})", "", "on_call", self.plan.digest, ())
        signed: list[Entry] = [*([] if goes_on else [said]), *uses]
        for each in signed[:signatures]:
            self._say(each)
        return True

    def begin(self, who: str, line: str) -> bool:
        """As the command does, and the ledger."""
        found = opening(self.plan, self.record, "purge", (line,), self.now, who)
        if not found.stands or found.statement is None or tag_of(found.statement) in self.ledger:
            return False
        self.begun.append(found.statement)
        self.ledger.append(tag_of(found.statement))
        self._say(Happened(self.now, MIGRATION, begun_by(len(self.begun), found.statement)))
        return True

    def _say(self, entry: Entry) -> None:
        self.record.append(entry)
        self.now += timedelta(seconds=1)


def test_a_statement_by_which_nothing_was_begun_begins_the_next_of_the_same_person() -> None:
    night = Night(gated("purge"))
    night.vote("ann")
    assert night.state("ann", LINES[0])
    assert missing_before(night.plan, night.record, "purge", night.now, "ann"), "its votes are of it alone"
    night.now += timedelta(minutes=50)
    assert not night.begin("bob", LINES[0])
    assert not night.begin("ann", LINES[1])
    assert night.begin("ann", LINES[0])
    assert not night.begin("ann", LINES[0])
    assert not night.state("ann", LINES[0])


def test_in_a_plan_without_people_it_is_what_this_cockpit_noted_within_the_hour() -> None:
    unmanned = replace(gated("purge"), people=())
    began = PhaseBegan(START, Phase.POST_DEPLOY)
    noted = Happened(START, MIGRATION, f"phase purge ({LINES[0]})")
    others = (replace(noted, by="ann"), replace(noted, subject="notice"), replace(noted, text="phase purge"))
    for entries, expected in (
        ((began, noted), noted),
        ((began, *others), None),
        ((noted, replace(noted, at=at(9))), None),
    ):
        record = Record(list(entries))
        if expected is None and noted in entries:
            record.append(Happened(at(10), MIGRATION, begun_by(1, replace(noted, at=at(9)))))
        found = opening(unmanned, record, "purge", LINES[:1], at(20), "")
        assert (found.statement, found.whole) == (expected, expected is not None)
        assert [each.gate for each in found.missing] == ["purge"]
    assert opening(unmanned, Record([began, noted]), "", LINES[:1], START + GOOD_FOR, "").statement is None
    assert opening(unmanned, Record([began, noted]), "", LINES[:1], at(20), "").stands


def test_in_a_plan_without_people_no_other_cockpit_states_it() -> None:
    alone, said = replace(plan(), people=()), Happened(START, MIGRATION, f"decided: so ({LINES[0]})")
    for proof, stands in (
        (HERE_MADE, True),
        (Proof(), False),
        (Proof(flaw="the session's signature does not hold"), False),
    ):
        record = Record([replace(said, proof=proof)])
        assert opening(alone, record, "", LINES[:1], at(1), "").stands is stands


def test_it_is_good_for_an_hour_and_on_its_plan() -> None:
    night = Night(gated("purge"))
    night.vote("ann")
    night.state("ann", LINES[0])
    (stated,) = night.record.all(Decision)
    moments = (stated.at + GOOD_FOR - timedelta(microseconds=1), stated.at + GOOD_FOR)
    found = [opening(night.plan, night.record, "purge", LINES[:1], moment, "ann") for moment in moments]
    found.append(opening(replace(night.plan, digest="d2"), night.record, "purge", LINES[:1], night.now, "ann"))
    assert [(each.statement, each.whole) for each in found] == [(stated, True), (None, False), (None, False)]


@pytest.mark.parametrize("votes", [("no-go",), ("hold",), ("go", "no-go")])
def test_whoever_votes_against_it_before_it_begins_is_heard(votes: tuple[Literal["go", "no-go", "hold"], ...]) -> None:
    night = Night(gated("purge"))
    night.vote("ann")
    night.state("ann", LINES[0])
    for each in votes:
        night.vote("bob", each)
    assert not night.begin("ann", LINES[0])
    night.vote("bob", "go")
    assert night.begin("ann", LINES[0]), "they think otherwise"


def test_a_vote_that_lapses_meanwhile_and_one_given_since_do_not_begin_it() -> None:
    night = Night(gated("purge", valid_for=timedelta(minutes=10)))
    night.vote("ann")
    night.state("ann", LINES[0])
    night.now += timedelta(minutes=11)
    night.vote("ann")
    assert not night.begin("ann", LINES[0]), "that vote is of the next statement"
    assert night.state("ann", LINES[0])
    assert night.begin("ann", LINES[0])


@pytest.mark.parametrize("signatures", [1, 2])
def test_what_was_refused_halfway_is_gone_on_with(signatures: int) -> None:
    """The decision was signed, or one of two gates used, and then the key was not touched."""
    night = Night(gated("purge", "second"))
    night.vote("ann")
    night.state("ann", LINES[0], signatures)
    assert not night.begin("ann", LINES[0])
    assert night.state("ann", LINES[0])
    assert night.begin("ann", LINES[0])
    assert not night.state("ann", LINES[0])


def test_what_a_later_statement_used_does_not_come_back_to_an_earlier_one() -> None:
    night = Night(gated("purge"))
    for line in LINES:
        night.vote("ann")
        assert night.state("ann", line)
    assert night.begin("ann", LINES[1])
    assert not night.begin("ann", LINES[0])


def test_a_statement_stands_beside_a_later_one_of_the_same_person_that_was_refused_halfway() -> None:
    night = Night(gated("purge"))
    for line, signatures in zip(LINES, (2, 1), strict=True):
        night.vote("ann")
        assert night.state("ann", line, signatures)
    assert night.begin("ann", LINES[0])


def test_a_statement_is_told_from_all_others_by_its_time_and_by_who_made_it_if_anybody_did() -> None:
    assert tag_of(Happened(START, MIGRATION, "decided")) == "2026-03-01T22:00:00+00:00"
    assert tag_of(Happened(START, MIGRATION, "decided", "ann")) == "2026-03-01T22:00:00+00:00 ann"


def test_what_another_used_is_not_of_a_statement_that_was_refused_halfway() -> None:
    night = Night(gated("purge"))
    night.vote("ann")
    night.state("ann", LINES[0], 1)
    assert night.state("bob", LINES[0])
    assert not night.begin("ann", LINES[0])
    assert night.begin("bob", LINES[0])


def test_what_an_earlier_statement_used_is_not_of_one_that_was_refused_halfway() -> None:
    night = Night(gated("purge"))
    for signatures in (2, 1):
        night.vote("ann")
        assert night.state("ann", LINES[0], signatures)
        assert night.begin("ann", LINES[0]) is (signatures == 2)


def test_two_who_were_both_refused_halfway_go_on_with_what_each_of_them_stated() -> None:
    night = Night(gated("purge"))
    for who in PEOPLE:
        night.vote(who)
        assert night.state(who, LINES[0], 1)
    assert night.state("ann", LINES[0])
    found = opening(night.plan, night.record, "purge", LINES[:1], night.now, "ann")
    assert found.stands
    assert found.statement is night.record.all(Decision)[0]


def test_a_database_that_is_put_back_to_before_begins_nothing_again_by_the_same_statement() -> None:
    night = Night(gated("purge"))
    night.vote("ann")
    night.state("ann", LINES[0])
    assert night.begin("ann", LINES[0])
    night.ledger.clear()
    assert not night.begin("ann", LINES[0])
    missing = opening(night.plan, night.record, "purge", LINES[:1], night.now, "ann").missing
    assert [each.gate for each in missing] == [gate.title for gate in night.plan.gates]
    night.vote("bob")
    assert night.state("ann", LINES[0])
    assert night.begin("ann", LINES[0])


@pytest.mark.parametrize("seed", range(NIGHTS))
def test_no_set_of_votes_begins_two_runs(seed: int) -> None:
    """Two people state, are refused halfway, begin, vote and change their minds as it comes, and the database is put back to
    before now and then; every run has goes of its own."""
    luck = Random(seed)
    gates = luck.choice([("purge",), ("purge", "second")])
    required = luck.choice([1, 2])
    night = Night(gated(*gates, required=required, valid_for=luck.choice([None, timedelta(minutes=20)])))
    goes = dict.fromkeys(gates, 0)
    for _ in range(luck.randint(10, 40)):
        who, line = luck.choice(PEOPLE), luck.choice(LINES)
        match luck.choice(["go", "state", "state", "begin", "begin", "against", "later", "put back"]):
            case "go":
                gate = luck.choice(gates)
                goes[gate] += 1
                night.vote(who, "go", gate)
            case "state":
                night.state(who, line, luck.choice([1, 2, 9, 9]))
            case "begin":
                night.begin(who, line)
            case "put back":
                del night.ledger[luck.randint(0, len(night.ledger)) :]
            case "against":
                if luck.random() < 0.3:
                    night.vote(who, "no-go", luck.choice(gates))
            case "later":
                night.now += luck.choice([timedelta(minutes=1), timedelta(minutes=25), timedelta(hours=2)])
        assert len(night.begun) * required <= min(goes.values())


def test_those_nights_begin_runs() -> None:
    """The one above can fail only where something is begun."""
    night = Night(gated("purge", "second", required=2))
    for count in (1, 2):
        for who in PEOPLE:
            night.vote(who)
        night.state("ann", LINES[0])
        night.begin("ann", LINES[0])
        assert len(night.begun) == count


def without_initiator(valid_for: timedelta | None = None) -> Plan:
    made = gated("purge", valid_for=valid_for)
    (only,) = made.gates
    return replace(made, gates=(replace(only, poll=replace(only.poll, exclude_initiator=True)),))


def test_whoever_asks_is_left_out_where_the_plan_says_so_and_another_persons_go_opens_it() -> None:
    night = Night(without_initiator())
    night.vote("ann")
    for who, missing in (("ann", True), ("bob", False), ("", True)):
        assert bool(missing_before(night.plan, night.record, "purge", night.now, who)) is missing


def test_whoever_is_left_out_goes_on_with_no_go_of_their_own_where_they_were_refused_halfway() -> None:
    night = Night(without_initiator(valid_for=timedelta(minutes=10)))
    night.vote("bob")
    assert night.state("ann", LINES[0], 1)
    night.now += timedelta(minutes=11)
    night.vote("ann")
    assert opening(night.plan, night.record, "purge", LINES[:1], night.now, "ann").missing


def test_whoever_is_left_out_begins_nothing_by_their_own_go_when_the_one_it_rests_on_is_no_longer_valid() -> None:
    night = Night(without_initiator(valid_for=timedelta(minutes=10)))
    night.vote("bob")
    night.now += timedelta(minutes=5)
    night.vote("ann")
    assert night.state("ann", LINES[0])
    assert opening(night.plan, night.record, "purge", LINES[:1], night.now, "ann").stands
    night.now += timedelta(minutes=6)
    assert not night.begin("ann", LINES[0])
