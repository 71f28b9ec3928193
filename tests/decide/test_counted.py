"""Which statements count: the rules by themselves, and an attacker who may add any entry to a record."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

import pytest
from decide.scene import CALM, START, Scene, ask, at, gate, item, trigger, words
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.decide.counted import counted
from cockpit.decide.events import (
    Acknowledgement,
    Change,
    Decision,
    Entry,
    GateUsed,
    LinesMissing,
    ObserverGap,
    PhaseBegan,
    PointOfNoReturn,
    Proof,
    Record,
    ReleaseSeen,
    SignOff,
    StepBegan,
    StepEnded,
    StepMeasured,
    Vote,
    Waiver,
)
from cockpit.decide.states import State, StepState
from cockpit.decide.time_doubt import CLOCKS_DIFFER
from cockpit.journal.ssh.allowed_signers import public_of
from cockpit.plan.model import Person, Phase
from cockpit.plan.ssh_public_key import fingerprint

KEYS = {name: f"SHA256:{name}" for name in ("ann", "bob", "eve")}
PEOPLE = (
    Person("ann", "Ann", ("on_call",), KEYS["ann"]),
    Person("bob", "Bob", ("backup",), KEYS["bob"]),
)
ITEM = item("vpn", sign_off=ask("on_call"))
LOUD = trigger("loud", "m.rate > 0.5")


def scene(**more: object) -> Scene:
    return Scene(*CALM, LOUD, items=(ITEM,), gates=(gate(),), people=PEOPLE, **more)  # type: ignore[arg-type]


def signed(entry: Entry, key: str, *, own: bool = False) -> Entry:
    return replace(entry, proof=Proof(own=own, key=key, opened=START, written=entry.at))


def vote(by: str, role: str, now: datetime) -> Vote:
    return Vote(now, "go_no_go", by, role, "go", plan_digest="d1")


def test_the_plan_and_a_signature_read_a_key_alike() -> None:
    """With its type and comment, by its base64 alone, with a comment behind that: one key, one fingerprint."""
    blob = "AAAAC3NzaC1lZDI1NTE5AAAAIGPn" + "A" * 40
    forms = (f"ssh-ed25519 {blob} ada@laptop", f"ssh-ed25519 {blob}", blob, f"{blob} ada@laptop")
    assert {Person("ada", "Ada", (), form).fingerprint for form in forms} == {fingerprint(public_of(blob))}
    unreadable = {Person("ada", "Ada", (), form).fingerprint for form in ("ssh-ed25519 !", "short", "ssh-ed25519")}
    assert unreadable == {"a key that cannot be read"}


def test_two_keys_of_the_plan_open_the_gate() -> None:
    made = scene().begin(Phase.PRE_DEPLOY).feed("0")
    made.say(
        signed(vote("ann", "on_call", made.now), KEYS["ann"]), signed(vote("bob", "backup", made.now), KEYS["bob"])
    )
    assert made.situation.gates[0].passed


def test_one_key_is_one_vote_whatever_the_names() -> None:
    twins = (replace(PEOPLE[0]), replace(PEOPLE[1], ssh_key=KEYS["ann"]))
    for distinct in (True, False):
        made = Scene(*CALM, gates=(gate(distinct=distinct),), people=twins).begin(Phase.PRE_DEPLOY).feed("0")
        for by, role in (("ann", "on_call"), ("bob", "backup")):
            made.say(signed(vote(by, role, made.now), KEYS["ann"]))
        assert not made.situation.gates[0].passed


@pytest.mark.parametrize(
    "seen",
    [
        Change(at(0), "verdict", "ROLLBACK", "GO"),
        ObserverGap(at(1), at(0)),
        StepMeasured(at(0), "run", 9, 0, 1, 1, 1),
        LinesMissing(at(0)),
    ],
    ids=lambda seen: type(seen).__name__,
)
def test_what_others_noted_for_themselves_is_not_even_taken_in(seen: Entry) -> None:
    assert Record([replace(seen, proof=Proof())]).entries == []
    assert Record([seen]).entries == [seen]


def test_an_entry_from_a_file_proves_nothing_by_itself() -> None:
    from cockpit.journal.codec import from_body, to_body

    entry = from_body(to_body(PhaseBegan(at(0), Phase.POST_DEPLOY)))
    assert entry is not None
    assert entry.proof == Proof()
    assert counted(scene().plan, Record([entry]), at(1)).phase() is None


def test_the_deployment_began_when_its_phase_was_first_begun() -> None:
    made = scene()

    def began(*phases: Phase) -> datetime | None:
        entries: list[Entry] = [PhaseBegan(at(minute), phase) for minute, phase in enumerate(phases)]
        return counted(made.plan, Record(entries), at(9)).deployment_began()

    before, after = Phase.PRE_DEPLOY, Phase.POST_DEPLOY
    assert began() is None
    assert began(before) is None
    assert began(before, after) == at(1)
    assert began(before, after, after) == at(1), "stated again by another cockpit"
    assert began(before, after, before) is None
    assert began(before, after, before, after, after) == at(3), "the second attempt"


LIES = st.sampled_from(["key", "stranger", "role", "digest", "future", "session", "flaw", "length"])
SUBJECTS = st.sampled_from(["vpn", "fine", "quiet", "loud"])
NOW = at(15)


@st.composite
def forged(draw: st.DrawFn) -> Entry:
    """Any entry, from another machine, right in all but one thing: what somebody can write who can write to the record."""
    lie = draw(LIES)
    by, role = draw(st.sampled_from([("ann", "on_call"), ("bob", "backup")]))
    key = KEYS[by]
    if lie == "key":
        key = draw(st.sampled_from(["", *(each for name, each in KEYS.items() if name != by)]))
    name = draw(st.sampled_from(["eve", "nobody"])) if lie == "stranger" else by
    role = draw(st.sampled_from(["intern", ""])) if lie == "role" else role
    digest = draw(st.sampled_from(["", "d0"])) if lie == "digest" else "d1"
    when = NOW + (timedelta(days=3650) if lie == "future" else timedelta(0))
    written = when + (timedelta(hours=-3) if lie == "session" else timedelta(0))
    entry = draw(st.sampled_from(_made(when, name, role, digest, draw(SUBJECTS), lie)))
    flaw = "its signature does not hold" if lie == "flaw" else ""
    proof = Proof(key=key, opened=written - timedelta(minutes=5), written=written, flaw=flaw)
    return replace(entry, proof=proof)


def _made(when: datetime, by: str, role: str, digest: str, subject: str, lie: str) -> list[Entry]:
    """What the lie may be told with: a fact of a person outlives a change of the plan, and only a waiver has a length."""
    ends = when + (timedelta(days=3650) if lie == "length" else timedelta(hours=1))
    waiver = Waiver(when, subject, by, "known", ends, role, digest)
    on_one_plan: list[Entry] = [
        SignOff(when, "vpn", by, role, "seen", digest),
        Vote(when, "go_no_go", by, role, "go", plan_digest=digest),
        waiver,
        Acknowledgement(when, subject, by, "known", role, digest),
    ]
    facts: list[Entry] = [
        Decision(when, "dismiss", by, "so", "", role, digest),
        PhaseBegan(when, Phase.PRE_DEPLOY, by, "back", role, digest),
        PhaseBegan(when, Phase.POST_DEPLOY, by, "go", role, digest),
    ]
    of_machines: list[Entry] = [
        PhaseBegan(when, Phase.PRE_DEPLOY),
        PointOfNoReturn(when, "everything"),
        ReleaseSeen(when, "c", "s", "evil:1", "x", "sha256:evil"),
        Change(when, subject, State.TRIPPED, State.CLEAR, "all is well"),
        ObserverGap(when, when - timedelta(hours=1)),
    ]
    if lie == "length":
        return [waiver]
    return on_one_plan if lie == "digest" and digest else [*on_one_plan, *facts, *of_machines]


def test_a_role_the_plan_does_not_give_them_counts_for_nothing() -> None:
    made = scene().begin(Phase.PRE_DEPLOY).feed("0")
    made.say(signed(StepBegan(made.now, "run", "ann", "backup", "d1"), KEYS["ann"]))
    assert [each.why for each in made.situation.not_counted] == ["ann does not hold the role backup"]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (SignOff(START, "vpn", "bob", "backup", "seen", "d1"), "it takes on_call, not backup"),
        (SignOff(START, "fine", "bob", "backup", "seen", "d1"), "the plan does not ask for it"),
        (Vote(START, "no gate", "bob", "backup", "go", plan_digest="d1"), "the plan does not ask for it"),
        (Vote(START, "go_no_go", "bob", "backup", "yes", plan_digest="d1"), "a vote is go, no-go, hold"),
        (
            Decision(START, "approve", "bob", "so it is", "", "backup", "d1"),
            "a decision is execute, dismiss, fix_forward",
        ),
        (Waiver(START, "loud", "cat", "known", at(3600), "reader", "d1"), "it takes on_call or backup, not reader"),
    ],
)
def test_a_role_they_hold_counts_for_what_the_plan_asks_of_it_and_words_no_cockpit_has_for_nothing(
    made: Entry, why: str
) -> None:
    people = (*PEOPLE, Person("cat", "Cat", ("reader",), "SHA256:cat"))
    before = replace(scene().plan, people=people)
    key = {person.id: person.fingerprint for person in people}[made.by]  # type: ignore[union-attr]
    (left_out,) = counted(before, Record([signed(made, key)]), at(1)).left_out
    assert left_out.why.startswith(why)


Seen = tuple[object, ...]


def seen(made: Scene) -> Seen:
    """All that a forged entry might move."""
    verdict, gates = made.situation.verdict, made.situation.gates
    states = tuple(each.state for each in made.situation.criteria)
    return verdict.word, verdict.phase, verdict.latch, tuple(each.passed for each in gates), states


@cache
def honest(day: str, phase: Phase) -> list[Seen]:
    made = scene().begin(phase)
    return [seen(made.feed(poll)) for poll in words(day)]


@settings(max_examples=40)
@given(st.lists(forged(), min_size=12, max_size=24), st.sampled_from(["0x8", "0x3 0.9x3", "0.9x3 0x4", "0x4 errx3"]))
def test_no_forged_entry_moves_anything(entries: list[Entry], day: str) -> None:
    polls = list(words(day))
    for phase in Phase:
        attacked = scene().begin(phase)
        for number, poll in enumerate(polls):
            if number == len(polls) // 2:
                attacked.record.extend(entries)
            assert seen(attacked.feed(poll)) == honest(day, phase)[number]
        assert all(step.progress is StepState.OPEN for step in attacked.situation.runbook)
        counts = counted(attacked.plan, attacked.record, attacked.now)
        assert counts.all(PointOfNoReturn) == []
        assert counts.all(ReleaseSeen) == []


def test_a_role_that_is_not_named_and_names_of_any_length_are_said_in_a_few_words() -> None:
    made = scene().feed("0")
    for by, role, why in (
        ("ann", "", "ann does not hold the role it does not name"),
        ("ann", "x" * 99, f"ann does not hold the role {'x' * 60}"),
        ("y" * 99, "on_call", f"the plan has no person {'y' * 60}"),
    ):
        made.say(Waiver(made.now, "loud", by, "known", made.now + timedelta(hours=1), role, "d1"))
        assert made.situation.not_counted[-1].why == why


@pytest.mark.parametrize(("longer", "counts"), [(0, True), (1, False)])
def test_a_waiver_and_a_dismissal_last_twelve_hours_at_most(longer: int, counts: bool) -> None:
    made = Scene(*CALM, LOUD).feed("0.9")
    until = made.now + timedelta(hours=12, seconds=longer)
    latch = made.situation.verdict.latch
    assert latch is not None
    made.say(
        Waiver(made.now, "loud", "ann", "known", until, "on_call", "d1"),
        Decision(made.now, "dismiss", "ann", "known", "", "on_call", "d1", latch.trips, until),
    )
    assert [each.why.partition(" lasts ")[0] for each in made.situation.not_counted] == (
        [] if counts else ["a waiver", "a dismissal"]
    )
    assert (made.situation.verdict.latch is None) is counts


@pytest.mark.parametrize("lasts", [None, 600])
def test_while_lines_of_others_are_missing_a_dismissal_for_a_time_may_have_been_taken_back(lasts: int | None) -> None:
    made = Scene(*CALM, LOUD).feed("0.9")
    latch = made.situation.verdict.latch
    assert latch is not None
    until = made.now + timedelta(seconds=lasts) if lasts else None
    made.say(Decision(made.now, "dismiss", "ann", "known", "", "on_call", "d1", latch.trips, until))
    assert made.situation.verdict.latch is None
    made.say(LinesMissing(made.now, ("2 lines of bob's cockpit are missing",)))
    assert (made.situation.verdict.latch is not None) is bool(lasts)


@pytest.mark.parametrize(("beyond", "counts"), [(0, True), (1, False)])
@pytest.mark.parametrize("end", ["opened", "written"])
def test_a_statement_may_be_dated_outside_its_session_by_as_much_as_clocks_differ(
    end: str, beyond: int, counts: bool
) -> None:
    made = scene().begin(Phase.PRE_DEPLOY).feed("0x30")
    off = CLOCKS_DIFFER + timedelta(seconds=beyond)
    proof = Proof(key=KEYS["ann"], opened=START, written=made.now, received=made.now)
    proof = replace(proof, opened=made.now + off) if end == "opened" else replace(proof, written=made.now - off)
    made.say(replace(vote("ann", "on_call", made.now), proof=proof))
    assert [each.why for each in made.situation.not_counted] == (
        [] if counts else ["it is dated outside the session it was made in"]
    )


@pytest.mark.parametrize(("key", "counts"), [("", True), (KEYS["ann"], True), (KEYS["bob"], False)])
def test_in_a_rehearsal_what_is_stated_here_needs_no_signature_but_a_wrong_one_is_none(key: str, counts: bool) -> None:
    made = Scene(*CALM, items=(ITEM,), people=PEOPLE, record=Record(rehearsal=True)).feed("0")
    made.say(signed(SignOff(made.now, "vpn", "ann", "on_call", "seen", "d1"), key, own=True))
    assert (made.situation.not_counted == ()) is counts


@pytest.mark.parametrize(("claimed", "key", "why"), [
    (True, "", []),
    (False, "SHA256:cid", []),
    (False, "", ["not cryptographically signed, and the plan asks for it"]),
])  # fmt: skip
def test_a_line_of_the_plan_may_ask_for_a_signature_of_people_whose_key_it_does_not_name(
    claimed: bool, key: str, why: list[str]
) -> None:
    vpn = replace(ITEM, sign_off=replace(ask("on_call"), claimed=claimed))
    made = Scene(*CALM, items=(vpn,), people=(Person("cid", "Cid", ("on_call",)),)).feed("0")
    made.say(signed(SignOff(made.now, "vpn", "cid", "on_call", "seen", "d1"), key))
    assert [each.why for each in made.situation.not_counted] == why


@pytest.mark.parametrize(("voted_on", "counts"), [("d0", True), ("d1", False)])
def test_a_deployment_that_another_cockpit_began_on_the_plan_as_it_read_then_stays_a_fact(
    voted_on: str, counts: bool
) -> None:
    """Its gate was open by the votes on that plan."""
    made = scene().begin(Phase.PRE_DEPLOY).feed("0")
    for by, role in (("ann", "on_call"), ("bob", "backup")):
        made.say(signed(replace(vote(by, role, made.now), plan_digest=voted_on), KEYS[by]))
    made.say(signed(PhaseBegan(made.now, Phase.POST_DEPLOY, "ann", "go", "on_call", "d0"), KEYS["ann"]))
    assert (made.situation.verdict.phase is Phase.POST_DEPLOY) is counts


@pytest.mark.parametrize(("initiator", "counts"), [("bob", True), ("ann", False)])
def test_whoever_another_cockpit_says_has_begun_it_gave_no_vote_for_it_where_the_gate_leaves_them_out(
    initiator: str, counts: bool
) -> None:
    alone = replace(gate(required=1), poll=replace(gate(required=1).poll, exclude_initiator=True))
    made = Scene(*CALM, gates=(alone,), people=PEOPLE).begin(Phase.PRE_DEPLOY).feed("0")
    made.say(signed(vote("ann", "on_call", made.now), KEYS["ann"]))
    role = {person.id: person.roles[0] for person in PEOPLE}[initiator]
    made.say(signed(PhaseBegan(made.now, Phase.POST_DEPLOY, initiator, "go", role, "d1"), KEYS[initiator]))
    assert (made.situation.verdict.phase is Phase.POST_DEPLOY) is counts


def test_all_that_kept_a_gate_shut_is_said_of_what_was_begun_without_it() -> None:
    made = scene().begin(Phase.PRE_DEPLOY).feed("0")
    made.say(signed(replace(vote("bob", "backup", made.now), choice="no-go"), KEYS["bob"]))
    made.say(signed(PhaseBegan(made.now, Phase.POST_DEPLOY, "ann", "go", "on_call", "d1"), KEYS["ann"]))
    assert [each.why for each in made.situation.not_counted] == [
        "Go / no-go was not passed then: bob (backup) votes no-go; needs 2 more GO votes (on-call)"
    ]


def test_what_was_begun_by_a_vote_that_cannot_be_of_its_time_does_not_count() -> None:
    made = scene().begin(Phase.PRE_DEPLOY).feed("0")
    ahead = made.now + timedelta(hours=2)
    proof = Proof(key=KEYS["bob"], opened=ahead, written=ahead, received=made.now)
    made.say(
        signed(vote("ann", "on_call", made.now), KEYS["ann"]),
        replace(vote("bob", "backup", ahead), proof=proof),
        signed(PhaseBegan(made.now, Phase.POST_DEPLOY, "ann", "go", "on_call", "d1"), KEYS["ann"]),
    )
    assert made.situation.verdict.phase is Phase.PRE_DEPLOY


def test_votes_are_used_by_what_was_begun_with_them_though_neither_can_be_of_the_time_it_bears() -> None:
    """The clock of bob's cockpit is two hours ahead: his vote does not count here, and what he began used up ann's."""
    made = Scene(*CALM, items=(ITEM,), gates=(gate(),), people=(*PEOPLE, Person("cid", "Cid", ("backup",)))).feed("0")
    ahead = made.now + timedelta(hours=2)
    proof = Proof(key=KEYS["bob"], opened=ahead, written=ahead, received=made.now)
    made.say(
        signed(vote("ann", "on_call", made.now), KEYS["ann"]),
        replace(vote("bob", "backup", ahead), proof=proof),
        GateUsed(ahead, "go_no_go", "deploy", "bob", "backup", "d1", proof=proof),
        vote("cid", "backup", made.now),
    )
    assert made.situation.gates[0].missing == ("needs 1 more GO vote (on-call)",)
    assert [each.why.partition("; ")[2] for each in made.situation.not_counted] == [
        "", "the votes it rests on are used all the same",
    ]  # fmt: skip


def test_what_another_cockpit_states_in_a_rehearsal_needs_the_key_all_the_same() -> None:
    made = Scene(*CALM, items=(ITEM,), people=PEOPLE, record=Record(rehearsal=True)).feed("0")
    made.say(signed(SignOff(made.now, "vpn", "ann", "on_call", "seen", "d1"), ""))
    assert [each.why.partition(";")[0] for each in made.situation.not_counted] == ["not cryptographically signed"]


@pytest.mark.parametrize(("outcome", "counts"), [("open", True), ("failed", True), ("done", False), ("skipped", False)])
def test_a_step_that_is_open_again_or_failed_counts_whatever_the_clock_of_its_writer_says(
    outcome: str, counts: bool
) -> None:
    made = scene().begin(Phase.PRE_DEPLOY).feed("0")
    later = made.now + timedelta(hours=2)
    proof = Proof(key=KEYS["ann"], opened=START, written=made.now, received=made.now)
    made.say(replace(StepEnded(later, "run", "ann", outcome, "", "on_call", "d1"), proof=proof))
    assert (made.situation.not_counted == ()) is counts
