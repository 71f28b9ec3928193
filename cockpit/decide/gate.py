"""Gates: how each stands now. Votes are spent by what they allowed: what a gate guards is begun once by them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from cockpit import formatting
from cockpit.decide.counted import Counted, counted
from cockpit.decide.criterion import shown_since
from cockpit.decide.events import MIGRATION, Change, Decision, GateUsed, Happened, Record, Vote
from cockpit.decide.gate_votes import against, tally
from cockpit.decide.situation import GateStatus
from cockpit.decide.states import GateState
from cockpit.plan.model import Gate, Person, Phase, Plan

GATE_OF_PHASE = {"copy": "migrate", "purge": "purge"}
"""Phase of the migration -> what the gates before it call it; the other phases have no gate."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Why one gate does not let something begin."""

    gate: str
    """Its title."""
    wants: tuple[str, ...]
    """Votes it still needs, from whom."""
    initiator_unknown: bool = False
    """The gate does not count the vote of whoever begins it, and the initiator is not identified."""


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
            used = _last_use(gate, counts)
            stands = tally(gate, _unused_votes(gate, counts, used), now)
            if missing := stands.missing if used is None else tuple(map(against, stands.against)):
                found.append(Missing(gate.title, missing))
    return tuple(found)


def decided_to_begin(plan: Plan, record: Record, what: str, line: str, now: datetime) -> Decision | Happened | None:
    """The newest statement that counts to begin a migration phase just as `line` says, with the gates before `what` used by it.

    None where there is none. `what` is empty for a phase without a gate. In a plan without people nobody can state it: it is
    what this cockpit noted then.
    """
    counts = counted(plan, record, now)
    if not plan.people:
        noted = [each for each in counts.all(Happened) if each.proof.own and each.subject == MIGRATION]
        return next((each for each in reversed(noted) if each.text.endswith(f"({line})")), None)
    for decision in reversed(counts.all(Decision)):
        if decision.choice == "migrate" and decision.why.endswith(f"({line})"):
            uses = {
                use.gate
                for use in counts.all(GateUsed)
                if use.by == decision.by and use.act == what and counts.place(use) > counts.place(decision)
            }
            return decision if {gate.id for gate in plan.gates if gate.before == what} <= uses else None
    return None


def worded(missing: Iterable[Missing], ask: str) -> list[str]:
    """A line for each gate that wants votes, then `ask` where the initiator must first identify themselves."""
    missing = tuple(missing)
    lines = [f"{each.gate}: {'; '.join(each.wants)}" for each in missing if each.wants]
    return lines + ([ask] if any(each.initiator_unknown for each in missing) else [])


def gates(plan: Plan, record: Counted, now: datetime) -> tuple[GateStatus, ...]:
    return tuple(gate_status(gate, record, now) for gate in plan.gates)


def gate_status(gate: Gate, record: Counted, now: datetime) -> GateStatus:
    """A gate that was used stays as it was then, until it is voted on anew; any other as its poll stands now."""
    polled = poll(gate, record, now)
    use = _last_use(gate, record)
    began = record.phase()
    prepared_again = began is not None and began.phase is Phase.PRE_DEPLOY and record.place(began) > record.place(use)
    if use is None or polled.votes or (gate.before == "deploy" and prepared_again):
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


def poll(gate: Gate, record: Counted, now: datetime, without: str = "") -> GateStatus:
    """How a gate stands: each role's newest valid vote that nothing was begun with, and what is missing from whom.

    `without` is the person who asks for it; their go does not count where the plan leaves the initiator out.
    """
    stands = tally(gate, _unused_votes(gate, record, _last_use(gate, record)), now, without)
    passed = not stands.missing
    moments = [vote.at for vote in stands.valid]
    if (shown := shown_since(record.latest(Change, gate.id), GateState.PASSED, now)) is not None:
        moments.append(shown)
    return GateStatus(
        id=gate.id,
        title=gate.title,
        before=gate.before,
        passed=passed,
        votes=tuple(_vote_text(vote) for vote in stands.valid),
        missing=stands.missing,
        not_counted=tuple(
            f"{each.entry.by} ({each.entry.role}): {each.entry.choice} does not count: {each.why}"
            for each in record.left_out
            if isinstance(each.entry, Vote) and each.entry.gate == gate.id
        ),
        lapsed=tuple(f"{_vote_text(vote)} is no longer valid" for vote in stands.lapsed),
        ok_since=max(moments, default=None) if passed else None,
        voted=tuple(dict.fromkeys(vote.by for vote in stands.valid)),
    )


def _unused_votes(gate: Gate, record: Counted, use: GateUsed | None) -> list[Vote]:
    spent = record.place(use)
    return [vote for vote in record.all(Vote) if vote.gate == gate.id and record.place(vote) > spent]


def _last_use(gate: Gate, record: Counted) -> GateUsed | None:
    uses = [use for use in record.all(GateUsed) if use.gate == gate.id]
    return uses[-1] if uses else None


def _vote_text(vote: Vote) -> str:
    drill = " (rehearsal)" if vote.rehearsal else "" if vote.key else " (not cryptographically signed)"
    return f"{vote.by} ({vote.role}): {vote.choice} {formatting.clock(vote.at)}{drill}"
