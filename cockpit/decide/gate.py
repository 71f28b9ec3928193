"""Gates: a poll by role. One no-go blocks; votes expire; two people means two people. Votes are spent by what they allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cockpit import formatting
from cockpit.decide.counted import Counted, counted
from cockpit.decide.criterion import shown_since
from cockpit.decide.events import Change, GateUsed, Record, Vote
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
    """What the gates before `what` (deploy, migrate, purge) still need; empty where `who` may begin it."""
    found = []
    counts = counted(plan, record, now)
    for gate in plan.gates:
        if gate.before == what:
            unknown = gate.poll.exclude_initiator and not who
            # A deployment begins once by its votes; a run of the migration begins and is resumed while they are valid.
            missing = poll(gate, counts, now, who, spent=what == "deploy").missing
            if missing or unknown:
                found.append(Missing(gate.title, missing, unknown))
    return tuple(found)


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
    polls = [poll(gate, counts, now, by.id, spent=act == "deploy") for gate in plan.gates if gate.before == act]
    polls = [each for each in polls if each.passed]
    return [GateUsed(now, each.id, act, by.id, role, plan.digest, each.votes) for each in polls]


def poll(gate: Gate, record: Counted, now: datetime, without: str = "", *, spent: bool = True) -> GateStatus:
    """How a gate stands: each role's newest valid vote, and what is missing from whom.

    `without` is the person who asks for it; their go does not count where the plan leaves the initiator out. `spent`: whether
    votes that something was begun with are left out.
    """
    excluded = without if gate.poll.exclude_initiator else ""
    newest, limit = _newest_votes(gate, record, _last_use(gate, record) if spent else None), gate.poll.valid_for
    lapsed = [vote for vote in newest if limit is not None and now > vote.at + limit]
    valid = [v for v in newest if v not in lapsed and (v.by != excluded or v.choice != "go")]
    against = [vote for vote in valid if vote.choice != "go"]
    goes = _goes([vote for vote in valid if vote.choice == "go"], distinct=gate.poll.distinct_people)
    missing = [f"{vote.by} ({vote.role}) votes {vote.choice}" for vote in against]
    if goes < gate.poll.required:
        waiting = [role for role in gate.poll.roles if role not in {vote.role for vote in valid}]
        needed = gate.poll.required - goes
        missing.append(f"needs {formatting.count(needed, 'more GO vote')} ({' or '.join(waiting or gate.poll.roles)})")
    passed = not missing
    moments = [vote.at for vote in valid]
    if (shown := shown_since(record.latest(Change, gate.id), GateState.PASSED, now)) is not None:
        moments.append(shown)
    return GateStatus(
        id=gate.id,
        title=gate.title,
        before=gate.before,
        passed=passed,
        votes=tuple(_vote_text(vote) for vote in valid),
        missing=tuple(missing),
        not_counted=tuple(
            f"{each.entry.by} ({each.entry.role}): {each.entry.choice} does not count: {each.why}"
            for each in record.left_out
            if isinstance(each.entry, Vote) and each.entry.gate == gate.id
        ),
        lapsed=tuple(f"{_vote_text(vote)} is no longer valid" for vote in lapsed),
        ok_since=max(moments, default=None) if passed else None,
        voted=tuple(dict.fromkeys(vote.by for vote in valid)),
    )


def _goes(votes: Sequence[Vote], *, distinct: bool) -> int:
    """How many votes these are. One key is one vote, whatever names it signs under; `distinct`: so is one person."""
    names: set[str] = set()
    keys: set[str] = set()
    found = 0
    for vote in votes:
        if (vote.key and vote.key in keys) or (distinct and vote.by in names):
            continue
        names.add(vote.by)
        keys.add(vote.key)
        found += 1
    return found


def _newest_votes(gate: Gate, record: Counted, use: GateUsed | None) -> list[Vote]:
    """The newest vote of each person and role since the gate was used."""
    spent = record.place(use)
    votes = (vote for vote in record.all(Vote) if vote.gate == gate.id and record.place(vote) > spent)
    return list({(vote.by, vote.role): vote for vote in votes}.values())


def _last_use(gate: Gate, record: Counted) -> GateUsed | None:
    uses = [use for use in record.all(GateUsed) if use.gate == gate.id]
    return uses[-1] if uses else None


def _vote_text(vote: Vote) -> str:
    drill = " (rehearsal)" if vote.rehearsal else "" if vote.key else " (not cryptographically signed)"
    return f"{vote.by} ({vote.role}): {vote.choice} {formatting.clock(vote.at)}{drill}"
