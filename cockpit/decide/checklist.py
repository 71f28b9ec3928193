"""The state of each checklist item: what the evidence says now, and who signed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from cockpit.decide import words
from cockpit.decide.because import because
from cockpit.decide.board import Board
from cockpit.decide.criterion import active_waiver, blindness, settled
from cockpit.decide.record import Change, Record
from cockpit.decide.signing import sign_off_status
from cockpit.decide.situation import Because, ItemStatus, SectionStatus, SignOffStatus
from cockpit.decide.states import Check
from cockpit.plan.model import Item, Plan, Section
from probes.reading import Reason, Unknown


def checklist(plan: Plan, board: Board, record: Record, now: datetime) -> tuple[SectionStatus, ...]:
    """Every section with its items, killer items first."""
    return tuple(_section(section, plan, board, record, now) for section in plan.checklist)


def _section(section: Section, plan: Plan, board: Board, record: Record, now: datetime) -> SectionStatus:
    ordered = sorted(section.items, key=lambda item: not item.killer)
    return SectionStatus(
        section.title, section.phase, tuple(judge_item(item, plan, board, record, now) for item in ordered)
    )


def judge_item(item: Item, plan: Plan, board: Board, record: Record, now: datetime) -> ItemStatus:
    """One item. Evidence that fails outweighs any signature; evidence that cannot be seen does too."""
    trail = board.trail(item, board.started_at)
    fold, unknown = trail.fold, blindness(trail, board, now)
    signed = sign_off_status(item.sign_off, item.id, record, plan, fold, now)
    if item.expect is None and item.sign_off is None:
        unknown = Unknown(Reason.NO_DATA, "the plan says neither what to look at nor who signs")
    holds = item.expect is None or (unknown is None and fold is not None and fold.ok_since is not None)
    waiver = active_waiver(record, item.id, now)
    if waiver is not None:
        check, detail = Check.WAIVED, f"waived by {waiver.by} until {words.clock(waiver.until)}: {waiver.why}"
    else:
        check, detail = _check(holds, unknown, signed)
    told = trail.told(board, because)
    change = record.latest(Change, item.id)
    return ItemStatus(
        id=item.id,
        title=item.title,
        check=check,
        blocking=item.blocking,
        killer=item.killer,
        because=_line(told, unknown, signed, item),
        position=item.position,
        since=settled(change, check, now) or board.started_at,
        automatic=item.expect is not None,
        unknown=unknown,
        sign_off=signed,
        detail=detail,
        caution=item.caution,
        ref=item.ref,
        ok_since=_ok_since(
            check, fold.ok_since if fold else None, signed, waiver.at if waiver else None, settled(change, check, now)
        ),
    )


def _check(holds: bool, unknown: Unknown | None, signed: SignOffStatus | None) -> tuple[Check, str]:
    if unknown is not None:
        return Check.UNKNOWN, f"{unknown.reason}: {unknown.detail}"
    if not holds:
        return Check.FAIL, ""
    if signed is None:
        return Check.PASS, ""
    if signed.stale:
        return Check.STALE, signed.stale
    if not signed.given:
        return Check.PENDING, f"waits for {' or '.join(signed.roles)}"
    return Check.PASS, f"signed by {signed.by}"


def _line(told: Because, unknown: Unknown | None, signed: SignOffStatus | None, item: Item) -> Because:
    if unknown is not None:
        hint = f" ({unknown.hint})" if unknown.hint else ""
        return replace(told, line=f"{unknown.reason}: {unknown.detail}{hint}")
    if signed is not None and item.expect is None:
        answer = (
            f"{signed.by} ({signed.role}): {signed.answer}"
            if signed.at
            else f"asks {' or '.join(signed.roles)}: {signed.ask}"
        )
        return replace(told, line=answer)
    return told


def _ok_since(
    check: Check,
    evidence: datetime | None,
    signed: SignOffStatus | None,
    waived: datetime | None,
    shown: datetime | None,
) -> datetime | None:
    if check is Check.WAIVED:
        return waived
    if check is not Check.PASS:
        return None
    moments = [m for m in (evidence, signed.at if signed else None, shown) if m is not None]
    return max(moments) if moments else None
