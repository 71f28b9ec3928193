"""The one loop that decides: the watch, a replay and the tests call it, so that they cannot differ."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cockpit.decide.board import Board
from cockpit.decide.decide import changes, decide
from cockpit.decide.events import Change, Record
from cockpit.decide.situation import Situation
from cockpit.plan.model import Plan

PASSES = 3


def settle(
    plan: Plan, board: Board, record: Record, before: Situation, now: datetime
) -> tuple[Situation, Sequence[Change]]:
    """The situation at `now`, and all that changed its word since `before`; the changes are appended to the record.

    What is recorded can itself change what is decided (since when a word stands, since when it was known), so it is decided
    again until nothing changes; that takes one pass more, at most two.
    """
    found: list[Change] = []
    after = decide(plan, board, record, now)
    for _ in range(PASSES):
        changed = list(changes(before, after))
        if not changed:
            break
        found += changed
        record.extend(changed)
        before, after = after, decide(plan, board, record, now)
    return after, found
