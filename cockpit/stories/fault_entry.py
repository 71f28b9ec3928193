"""What a rehearsal keeps of a fault, so that its timeline and its report show when it was injected and cleared."""

from __future__ import annotations

from datetime import datetime

from cockpit.decide.events import CLEARED, FAULT, INJECTED, Happened


def fault_entry(at: datetime, title: str, *, active: bool) -> Happened:
    """The entry of one fault that was injected or cleared; no verdict rests on it.

    >>> fault_entry(datetime(2026, 1, 1), "S3 is slow", active=True).text
    'injected: S3 is slow'
    """
    return Happened(at, FAULT, f"{INJECTED if active else CLEARED}{title}")
