"""Which sign-off counts now, and why the last one no longer does."""

from __future__ import annotations

from datetime import datetime

from cockpit.decide import words
from cockpit.decide.fold import Fold
from cockpit.decide.record import Record, SignOff
from cockpit.decide.situation import SignOffStatus
from cockpit.plan.model import Ask, Plan


def sign_off_status(
    ask: Ask | None, subject: str, record: Record, plan: Plan, fold: Fold | None, now: datetime
) -> SignOffStatus | None:
    """The sign-off of a subject: None where none is asked."""
    if ask is None:
        return None
    given = record.latest(SignOff, subject)
    if given is None or given.retracted:
        return SignOffStatus(ask.ask, ask.roles)
    return SignOffStatus(
        ask.ask,
        ask.roles,
        given.by,
        given.role,
        given.answer,
        given.at,
        given.rehearsal,
        given.key,
        given.evidence,
        _stale(ask, given, plan, fold, now),
    )


def _stale(ask: Ask, given: SignOff, plan: Plan, fold: Fold | None, now: datetime) -> str:
    if given.plan_digest != plan.digest:
        return "the plan changed since it was signed"
    if not ask.claimed and not given.key and not given.rehearsal:
        return "signed without a key, and the plan asks for one"
    if given.role not in ask.roles:
        return f"signed as {given.role}, but it takes {' or '.join(ask.roles)}"
    if ask.valid_for is not None and now > given.at + ask.valid_for:
        return f"it was valid for {words.duration(ask.valid_for)}"
    if fold is not None and fold.failed_at is not None and fold.failed_at > given.at:
        return f"the evidence failed at {words.clock(fold.failed_at)}, after it was signed"
    if fold is not None and fold.turned_at is not None and fold.turned_at > given.at:
        return f"the evidence changed at {words.clock(fold.turned_at)}, after it was signed"
    return ""
