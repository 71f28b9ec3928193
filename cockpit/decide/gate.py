"""Gates: how each stands now. Votes are spent by what they allowed: what a gate guards is begun once by them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from cockpit import formatting
from cockpit.decide.counted import NOWHERE, Counted, counted
from cockpit.decide.criterion import shown_since
from cockpit.decide.events import MIGRATION, Change, Decision, GateUsed, Happened, Record, Vote
from cockpit.decide.gate_votes import against, tally
from cockpit.decide.situation import GateStatus
from cockpit.decide.states import GateState
from cockpit.decide.time_doubt import as_stated
from cockpit.plan.model import Gate, Person, Phase, Plan
from probes.frozen import frozen

GATE_OF_PHASE = {"copy": "migrate", "purge": "purge"}
"""Phase of the migration -> what the gates before it call it; the other phases have no gate."""
GOOD_FOR = timedelta(hours=1)
"""After that, what was stated and not begun is stated again."""


@frozen
class Missing:
    """Why one gate does not let something begin."""

    gate: str
    """Its title."""
    wants: tuple[str, ...]
    """Votes it still needs, from whom."""
    initiator_unknown: bool = False
    """The gate does not count the vote of whoever begins it, and the initiator is not identified."""


@frozen
class Opening:
    """What somebody stated to begin a phase of the migration, and whether the gates let it begin by that."""

    statement: Decision | Happened | None
    """The newest that counts, that it begins just so; None where there is none."""
    whole: bool
    """Every gate before it was used by it. One that is not whole has begun nothing, and is gone on with."""
    missing: tuple[Missing, ...]
    """What the gates still need, where what this statement used counts for it."""

    @property
    def stands(self) -> bool:
        """A run may begin by it, if none did before: that the ledger knows."""
        return self.statement is not None and self.whole and not self.missing


def tag_of(statement: Decision | Happened) -> str:
    """What tells a statement from all others, in the ledger and in every cockpit's record: whose it is, by their own clock."""
    stated = as_stated(statement)
    return f"{stated.at.isoformat()} {stated.by}".rstrip()


def begun_by(run: int, statement: Decision | Happened) -> str:
    """The text of what is noted when a run begins by a statement: it begins no other, whatever a ledger knows."""
    return f"run {run}{_BEGUN}{tag_of(statement)}"


_BEGUN = " begins by the statement of "


def _has_begun(statement: Decision | Happened, counts: Counted) -> bool:
    """Whether the record holds that a run began by it. Whoever noted that: it only keeps one from beginning."""
    ends = f"{_BEGUN}{tag_of(statement)}"
    return any(each.subject == MIGRATION and each.text.endswith(ends) for each in counts.all(Happened))


def missing_before(plan: Plan, record: Record, what: str, now: datetime, who: str) -> tuple[Missing, ...]:
    """What the gates before `what` (deploy, migrate, purge, a step) still need; empty where `who` may begin it."""
    found = []
    counts = counted(plan, record, now)
    for gate in plan.gates:
        if gate.before == what:
            unknown = gate.poll.exclude_initiator and not who
            missing = poll(gate, counts, now, who).missing
            if missing or unknown:
                found.append(Missing(gate.title, missing, unknown))
    return tuple(found)


def missing_to_go_on(plan: Plan, record: Record, what: str, now: datetime) -> tuple[Missing, ...]:
    """The same for a run that was begun: it goes on by the votes it was begun with, until somebody votes against it."""
    found = []
    counts = counted(plan, record, now)
    for gate in plan.gates:
        if gate.before == what:
            stands, begun = tally(gate, _unused_votes(gate, counts), now, None), _spent(gate, counts) > NOWHERE
            if missing := counts.withheld.sentences + (
                tuple(map(against, stands.against)) if begun else stands.missing
            ):
                found.append(Missing(gate.title, missing))
    return tuple(found)


def opening(plan: Plan, record: Record, what: str, lines: Collection[str], now: datetime, who: str) -> Opening:
    """What `who` stated to begin a migration phase just as one of `lines` says, with the gates before `what` used by it.

    It is good for an hour, on the plan it was made on, while nobody votes against it and the votes it used would open its gates,
    and until a run begins by it: the record holds that too, for a database that is put back to before knows nothing of it.
    `what` is empty for a phase without a gate. In a plan without people nobody can state it: it is what this cockpit noted then.
    """
    counts = counted(plan, record, now)
    ends = tuple(f"({line})" for line in lines)
    if not plan.people:
        noted = [each for each in counts.all(Happened) if each.proof.own and each.subject == MIGRATION and not each.by]
        made = next((each for each in reversed(noted) if each.text.endswith(ends) and now - each.at < GOOD_FOR), None)
        made = None if made is None or _has_begun(made, counts) else made
        return Opening(made, whole=made is not None, missing=missing_before(plan, record, what, now, who))
    begins = [each for each in counts.all(Decision) if each.choice == "migrate" and each.by == who]
    decision = next((each for each in reversed(begins) if each.why.endswith(ends)), None)
    lapsed = decision is None or now - decision.at >= GOOD_FOR or decision.plan_digest != plan.digest
    if decision is None or lapsed or _has_begun(decision, counts):
        return Opening(None, whole=False, missing=missing_before(plan, record, what, now, who))
    # What they stated next has its own uses: votes that it used do not come back to this one.
    until = next((counts.place(each) for each in begins if counts.place(each) > counts.place(decision)), None)
    whole, found = True, []
    for gate in (each for each in plan.gates if each.before == what):
        use = _last_use(gate, counts)
        place = counts.place(use)
        if use is not None and use.by == who and counts.place(decision) < place and (until is None or place < until):
            missing = _missing_by_use(gate, counts, use, now)
        else:
            missing, whole = poll(gate, counts, now, who).missing, False
        if missing:
            found.append(Missing(gate.title, missing))
    return Opening(decision, whole, tuple(found))


def _missing_by_use(gate: Gate, counts: Counted, use: GateUsed, now: datetime) -> tuple[str, ...]:
    """How the gate stands by the votes its last use rested on. What was voted since adds no go to them: it is of another use."""
    place = counts.place(use)
    votes = _unused_votes(gate, counts, before=place)
    since = {(vote.by, vote.role): vote for vote in votes if counts.place(vote) > place}.values()
    rested_on = [vote for vote in votes if counts.place(vote) < place]
    stands = tally(gate, [*rested_on, *(vote for vote in since if vote.choice != "go")], now, use.by)
    return counts.withheld.sentences + stands.missing


def worded(missing: Iterable[Missing], ask: str) -> list[str]:
    """A line for each gate that wants votes, then `ask` where the initiator must first identify themselves."""
    missing = tuple(missing)
    lines = [f"{each.gate}: {'; '.join(each.wants)}" for each in missing if each.wants]
    return lines + ([ask] if any(each.initiator_unknown for each in missing) else [])


def gates(plan: Plan, record: Counted, now: datetime) -> tuple[GateStatus, ...]:
    return tuple(gate_status(gate, record, now) for gate in plan.gates)


def gate_status(gate: Gate, record: Counted, now: datetime) -> GateStatus:
    """A gate that was used stays as it was then, until it is voted on anew; any other as its poll stands now."""
    polled = poll(gate, record, now, None)
    use = _last_use(gate, record)
    began = record.phase()
    prepared_again = began is not None and began.phase is Phase.PRE_DEPLOY and record.place(began) > record.place(use)
    if (
        use is None
        or record.place(use) < _spent(gate, record)
        or polled.votes
        or record.withheld.lines  # it may have been voted on anew in those
        or (gate.before == "deploy" and prepared_again)
    ):
        return polled
    return replace(
        polled, passed=True, votes=use.votes, missing=(), lapsed=(), ok_since=use.at, used_at=use.at, used_by=use.by
    )


def used(plan: Plan, record: Record, act: str, now: datetime, by: Person, role: str) -> list[GateUsed]:
    """What to keep once somebody has begun what gates guard: each gate before `act`, with the votes it was passed by."""
    counts = counted(plan, record, now)
    polls = [poll(gate, counts, now, by.id) for gate in plan.gates if gate.before == act]
    polls = [each for each in polls if each.passed]
    return [GateUsed(now, each.id, act, by.id, role, plan.digest, each.votes) for each in polls]


def poll(gate: Gate, record: Counted, now: datetime, without: str | None) -> GateStatus:
    """How a gate stands: each role's newest valid vote that nothing was begun with, and what is missing from whom.

    `without` is the person who asks for it, if anybody does; their go does not count where the plan leaves the initiator out.
    """
    stands = tally(gate, _unused_votes(gate, record), now, without)
    missing = record.withheld.sentences + stands.missing
    passed = not missing
    moments = [vote.at for vote in stands.valid]
    if (shown := shown_since(record.latest(Change, gate.id), GateState.PASSED, now)) is not None:
        moments.append(shown)
    return GateStatus(
        id=gate.id,
        title=gate.title,
        before=gate.before,
        passed=passed,
        votes=tuple(_vote_text(vote) for vote in stands.valid),
        missing=missing,
        not_counted=tuple(
            f"{each.entry.by} ({formatting.role(each.entry.role)}): {each.entry.choice} does not count: {each.why}"
            for each in record.left_out
            if isinstance(each.entry, Vote) and each.entry.gate == gate.id
        ),
        lapsed=tuple(f"{_vote_text(vote)} is no longer valid" for vote in stands.lapsed),
        ok_since=max(moments, default=None) if passed else None,
        voted=tuple(dict.fromkeys(vote.by for vote in stands.valid)),
    )


def _unused_votes(gate: Gate, record: Counted, before: int | None = None) -> list[Vote]:
    """Those that are not used; `before`: by what came before that place."""
    spent = _spent(gate, record, before)
    return [vote for vote in record.all(Vote) if vote.gate == gate.id and record.place(vote) > spent]


def _spent(gate: Gate, record: Counted, before: int | None = None) -> int:
    """The place up to which its votes are used; NOWHERE where none are. `before`: by what came before that place."""
    uses = (*_uses(gate, record), *(use for use in record.spends if use.gate == gate.id))
    places = (record.place(use) for use in uses)
    return max((place for place in places if before is None or place < before), default=NOWHERE)


def _last_use(gate: Gate, record: Counted) -> GateUsed | None:
    return next(reversed(_uses(gate, record)), None)


def _uses(gate: Gate, record: Counted) -> list[GateUsed]:
    return [use for use in record.all(GateUsed) if use.gate == gate.id]


def _vote_text(vote: Vote) -> str:
    drill = " (rehearsal)" if vote.rehearsal else "" if vote.key else " (not cryptographically signed)"
    return f"{vote.by} ({formatting.role(vote.role)}): {vote.choice} {formatting.clock(vote.at)}{drill}"
