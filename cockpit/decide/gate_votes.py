"""What the votes of a gate's poll come to. One no-go blocks; votes expire; two people means two people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from cockpit import formatting
from cockpit.decide.events import Vote
from cockpit.plan.model import Gate
from probes.frozen import frozen


@frozen
class Tally:
    """The newest vote of each person and role, and what is missing beside them."""

    valid: tuple[Vote, ...]
    lapsed: tuple[Vote, ...]
    """Older than the poll lets a vote be."""
    missing: tuple[str, ...]
    """What keeps the gate shut, from whom; empty where it is open."""

    @property
    def against(self) -> tuple[Vote, ...]:
        return tuple(vote for vote in self.valid if vote.choice != "go")


def tally(gate: Gate, votes: Iterable[Vote], now: datetime, without: str | None) -> Tally:
    """How the gate stands by these votes, oldest first, of which none was used yet.

    `without` is the person who asks for it, if anybody does; their go does not count where the plan leaves the initiator out.
    """
    newest = {(vote.by, vote.role): vote for vote in votes if vote.gate == gate.id}.values()
    limit = gate.poll.valid_for
    lapsed = tuple(vote for vote in newest if limit is not None and now > vote.at + limit)
    own = {vote for vote in newest if gate.poll.exclude_initiator and vote.by == without and vote.choice == "go"}
    valid = tuple(vote for vote in newest if vote not in lapsed and vote not in own)
    missing = [against(vote) for vote in valid if vote.choice != "go"]
    goes = _goes([vote for vote in valid if vote.choice == "go"], distinct=gate.poll.distinct_people)
    if goes < gate.poll.required:
        waiting = [role for role in gate.poll.roles if role not in {vote.role for vote in valid}]
        needed = gate.poll.required - goes
        missing.append(
            f"needs {formatting.count(needed, 'more GO vote')} ({formatting.roles(waiting or gate.poll.roles)})"
        )
    return Tally(valid, lapsed, tuple(missing))


def against(vote: Vote) -> str:
    return f"{formatting.person(vote.by, vote.role)} votes {vote.choice}"


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
