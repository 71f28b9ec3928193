"""What does not count while lines of others are known to be missing: all that those lines could have taken back or ended.

Whoever can keep lines from arriving could else keep a no, or what was taken back, from arriving. So they can only hold.
"""

from __future__ import annotations

from cockpit.decide.events import Decision, Entry, SignOff, Vote, Waiver
from cockpit.decide.time_doubt import holds_back


def may_be_withdrawn(entry: Entry) -> bool:
    """Whether it lets something go on that a later line could end."""
    match entry:
        case SignOff() | Vote() | Waiver():
            return not holds_back(entry)
        case Decision():
            return entry.choice == "dismiss" and entry.until is not None
        case _:
            return False
