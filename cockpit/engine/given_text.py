"""What people type at a desk, as it is kept: an observation, a reason, the words that something takes."""

from __future__ import annotations

from cockpit.engine.ports import Refused

TICKS = frozenset({"ok", "okay", "yes", "y", "done", "x", "fine", "good", "check", "checked", "true", "na", "n/a", "-"})
"""Answers that describe nothing."""


def observation(text: str) -> str:
    """What was checked, in words. Raises Refused for a bare "ok".

    >>> observation(" 100.64.0.7 answered ")
    '100.64.0.7 answered'
    """
    text = text.strip()
    if len(text) < 3 or text.lower().rstrip(".!") in TICKS:
        raise Refused("describe what you checked (one word is not enough)")
    return text


def reason(text: str) -> str:
    """Why, in words. Raises Refused without one."""
    if len(text.strip()) < 3 or text.strip().lower() in TICKS:
        raise Refused("give a reason in words: it is kept in the record")
    return text.strip()


def asks_for(words: str) -> str:
    """What to type where somebody must write `words` and a reason, as it is asked and as it is refused."""
    return f"type  {words}  and why"


def typed_reason(words: str, text: str, otherwise: str = "nothing was changed") -> str:
    """Why, of a text that must begin with `words` exactly. Raises Refused.

    >>> typed_reason("purge db/app", "purge db/app: the soak is over")
    'the soak is over'
    """
    text = text.strip()
    rest = text[len(words) :]
    if not text.startswith(words) or rest[:1] not in ("", " ", ":", ","):
        raise Refused(f"{asks_for(words)}; {otherwise}")
    return reason(rest.strip(" :,"))
