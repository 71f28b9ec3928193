"""Gates: a poll by role. One no-go blocks; votes expire; two people means two people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cockpit import formatting
from cockpit.decide.counted import Counted, counted
from cockpit.decide.criterion import shown_since
from cockpit.decide.events import Change, Record, Vote
from cockpit.decide.situation import GateStatus
from cockpit.decide.states import GateState
from cockpit.plan.model import Gate, Plan

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
            missing = poll(gate, counts, now, who).missing
            if missing or unknown:
                found.append(Missing(gate.title, missing, unknown))
    return tuple(found)


def worded(missing: Iterable[Missing], ask: str) -> list[str]:
    """A line for each gate that wants votes, then `ask` where the initiator must first identify themselves."""
    missing = tuple(missing)
    lines = [f"{each.gate}: {'; '.join(each.wants)}" for each in missing if each.wants]
    return lines + ([ask] if any(each.initiator_unknown for each in missing) else [])


def gates(plan: Plan, record: Counted, now: datetime) -> tuple[GateStatus, ...]:
    return tuple(poll(gate, record, now) for gate in plan.gates)


def poll(gate: Gate, record: Counted, now: datetime, without: str = "") -> GateStatus:
    """How a gate stands: each role's newest valid vote, and what is missing from whom.

    `without` is the person who asks for it; their go does not count where the plan leaves the initiator out.
    """
    excluded = without if gate.poll.exclude_initiator else ""
    valid = [v for v in _newest_votes(gate, record, now) if v.by != excluded or v.choice != "go"]
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
        ok_since=max(moments, default=None) if passed else None,
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


def _newest_votes(gate: Gate, record: Counted, now: datetime) -> list[Vote]:
    newest = {(vote.by, vote.role): vote for vote in record.all(Vote) if vote.gate == gate.id}
    limit = gate.poll.valid_for
    return [vote for vote in newest.values() if limit is None or now <= vote.at + limit]


def _vote_text(vote: Vote) -> str:
    drill = " (rehearsal)" if vote.rehearsal else "" if vote.key else " (not cryptographically signed)"
    return f"{vote.by} ({vote.role}): {vote.choice} {formatting.clock(vote.at)}{drill}"
