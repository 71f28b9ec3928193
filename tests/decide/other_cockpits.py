"""Nights in which other cockpits state things, or what they state is not known here."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from decide.scene import (
    PEOPLE,
    START,
    at,
)
from decide.whole_night import MINUTE, NEW, Night, whole

from cockpit.decide.events import (
    Decision,
    Entry,
    GateUsed,
    LinesMissing,
    Occurrence,
    PhaseBegan,
    Proof,
    SignOff,
    StepBegan,
    StepEnded,
    Vote,
    Waiver,
)
from cockpit.decide.withheld import GO_WITHOUT, MISSING, note_text
from cockpit.plan.model import Phase


def withheld() -> Night:
    """Lines of others are missing, the share is away, and somebody goes on without them."""
    night = Night(whole())
    night.say(PhaseBegan(START, Phase.PRE_DEPLOY))
    night.polls(4)
    night.sign("primary", "db_owner", "vpn")
    night.sign("ann", "on_call", "backup")
    night.vote("go_no_go", "go", "primary/on_call", "bob/backup")
    until = night.now + timedelta(minutes=30)
    night.say(Waiver(night.now, "errors", "ann", "known", until, "on_call", "d1"))
    note = LinesMissing(
        night.now, ("2 lines of bob's are missing", "1 line of cid's is missing"), ("bob", "cid"), BOTH_NAMES
    )
    night.say(note)
    night.polls(4)
    night.show("lines of two others are missing")
    night.noted(note_text(note))
    named = (Occurrence(note.at, MISSING),)
    night.say(Decision(night.now, GO_WITHOUT, "eve", "so", "", "intern", "d1", named))
    night.say(Decision(night.now, GO_WITHOUT, "ann", "so", "", "on_call", "d1", named, proof=Proof(received=night.now)))
    night.polls(1)
    night.show("gone on without them by whoever may not, and elsewhere")
    night.say(Decision(night.now, GO_WITHOUT, "ann", "bob lost his laptop", "", "on_call", "d1", named))
    night.polls(4)
    night.show("gone on without them")
    away = LinesMissing(
        night.now, ("3 lines of bob's are missing",), ("bob",), (*BOTH_NAMES, "bob/3"), unread=night.now
    )
    night.say(away)
    night.polls(2)
    night.show("one more is missing, and the share is away")
    night.noted(note_text(away))
    night.say(Decision(night.now, GO_WITHOUT, "bob", "so", "", "backup", "d1", (Occurrence(away.at, MISSING),)))
    night.polls(5)
    night.show("gone on without all of it")
    only = LinesMissing(night.now, unread=night.now)
    night.say(only)
    night.polls(1)
    night.show("the share is away since another time")
    night.noted(note_text(only))
    night.say(LinesMissing(night.now))
    night.polls(1)
    night.show("all is here again")
    night.noted(note_text(LinesMissing(night.now)))
    return night


BOTH_NAMES = ("bob/1", "bob/2", "cid/1")


def others() -> Night:
    """Production, where people sign with keys, and what other cockpits state by clocks that may be wrong."""
    keys = {"ann": "SHA256:ann", "bob": "SHA256:bob", "primary": "SHA256:primary"}
    people = tuple(replace(each, ssh_key=keys.get(each.id, "")) for each in PEOPLE)
    made = replace(whole(), people=people, environment="production")
    night = Night(made)

    def signed(who: str, **more: object) -> Proof:
        return Proof(key=keys[who], opened=START, written=night.now, received=night.now, **more)  # type: ignore[arg-type]

    def by_a_fast_clock(who: str, entry: Waiver | Decision) -> Entry:
        """It counts as of when it was received, and bears the time of a clock that is an hour ahead."""
        assert entry.until is not None
        stated = replace(entry, at=entry.at + timedelta(hours=1), until=entry.until + timedelta(hours=1))
        return replace(entry, proof=signed(who, stated=stated))

    night.say(PhaseBegan(START, Phase.PRE_DEPLOY))
    night.polls(3)
    night.say(
        Vote(night.now, "go_no_go", "ann", "on_call", "go", plan_digest="d1", proof=signed("ann")),
        Vote(night.now, "go_no_go", "bob", "backup", "go", plan_digest="d1", proof=signed("ann")),
        Vote(night.now, "go_no_go", "cid", "backup", "go", plan_digest="d1"),
        Vote(
            night.now, "go_no_go", "primary", "on_call", "go", rehearsal=True, plan_digest="d1", proof=signed("primary")
        ),
        SignOff(
            night.now,
            "vpn",
            "primary",
            "db_owner",
            "seen",
            "d1",
            proof=signed("primary", late="its clock was set back"),
        ),
        SignOff(at(-2 * MINUTE), "backup", "ann", "on_call", "seen", "d1", proof=signed("ann")),
        SignOff(night.now + timedelta(minutes=5), "backup", "ann", "on_call", "seen", "d1", proof=signed("ann")),
        SignOff(night.now, "team", "ann", "on_call", "seen", "d1", proof=signed("ann", flaw="its line was changed")),
    )
    night.show("whose signatures and times hold")
    night.say(
        Vote(night.now, "go_no_go", "bob", "backup", "go", plan_digest="d1", proof=signed("bob")),
        PhaseBegan(night.now, Phase.POST_DEPLOY),
        Waiver(
            night.now, "errors", "ann", "known", night.now + timedelta(minutes=30), "on_call", "d1", proof=signed("ann")
        ),
        StepBegan(night.now, "freeze", "bob", "backup", "d1", proof=signed("bob")),
        StepEnded(night.now, "freeze", "bob", "done", "frozen", "backup", "d1", proof=signed("bob")),
        StepEnded(night.now, "freeze", "bob", "open", "not yet", "backup", "d1", proof=signed("bob")),
    )
    night.polls(4, m={"rate": 0.2}, n={"rate": 0.3}, web=NEW)
    night.show("a waiver, and a trip beside it")
    latch = night.situation.verdict.latch
    assert latch is not None
    night.say(
        Decision(night.now, "dismiss", "ann", "so", "", "on_call", "d1", latch.trips, at(2505), proof=signed("ann")),
    )
    night.polls(1, m={"rate": 0.2}, n={"rate": 0.3}, web=NEW)
    night.show("dismissed for forty minutes")
    soon = night.now + timedelta(minutes=2)
    night.say(
        by_a_fast_clock("bob", Waiver(night.now, "errors", "bob", "shorter", soon, "backup", "d1")),
        by_a_fast_clock("bob", Decision(night.now, "dismiss", "bob", "shorter", "", "backup", "d1", latch.trips, soon)),
    )
    late = signed("bob", late="its clock was set back")
    night.say(
        Waiver(night.now, "errors", "bob", "shorter", soon, "backup", "d1", proof=late),
        Decision(night.now, "dismiss", "bob", "shorter", "", "backup", "d1", latch.trips, soon, proof=late),
        Vote(night.now, "copy", "ann", "on_call", "go", plan_digest="d1", proof=signed("ann")),
    )
    night.polls(1, m={"rate": 0.2}, n={"rate": 0.3}, web=NEW)
    night.show("given anew for a shorter time, by a clock that cannot be right")
    night.say(GateUsed(night.now, "copy", "migrate", "bob", "backup", "d1", proof=late))
    night.say(Vote(night.now, "flip", "bob", "backup", "no-go", plan_digest="d1", proof=late))
    night.polls(12, m={"rate": 0.2}, n={"rate": 0.3}, web=NEW)
    night.show("it ends by then, and the gate's votes are used")
    night.say(Decision(night.now, "execute", "bob", "now", "", "backup", "d1", (), proof=late))
    night.polls(1, web=NEW)
    night.show("a rollback that anybody may call for, whatever the clock")
    return night
