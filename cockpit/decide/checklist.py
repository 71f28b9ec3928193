"""The state of each checklist item: what the evidence says now, and who signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from cockpit import formatting
from cockpit.decide.because import Explanation
from cockpit.decide.counted import Counted
from cockpit.decide.criterion import active_waiver, shown_since
from cockpit.decide.evaluation import Evaluation
from cockpit.decide.events import Change
from cockpit.decide.sign_off import sign_off_status
from cockpit.decide.situation import ItemStatus, SectionStatus, SignOffStatus
from cockpit.decide.states import Check
from cockpit.plan.model import Item, Plan, Section
from probes.reading import Reason, Unknown


def checklist(
    plan: Plan, evaluations: Mapping[str, Evaluation], record: Counted, started_at: datetime, now: datetime
) -> tuple[SectionStatus, ...]:
    """Every section with its items, killer items first. `evaluations` are by item."""

    def section(each: Section) -> SectionStatus:
        ordered = sorted(each.items, key=lambda item: not item.killer)
        items = (judge_item(item, evaluations[item.id], record, started_at, now) for item in ordered)
        return SectionStatus(each.title, each.phase, tuple(items))

    return tuple(section(each) for each in plan.checklist)


def judge_item(item: Item, evaluation: Evaluation, record: Counted, started_at: datetime, now: datetime) -> ItemStatus:
    """One item. Evidence that fails outweighs any signature; evidence that cannot be seen does too."""
    reached, unknown = evaluation.reached, evaluation.blindness
    signed = sign_off_status(item.sign_off, item.id, record, reached, now)
    if item.expect is None and item.sign_off is None:
        unknown = Unknown(Reason.NO_DATA, "the plan names neither a condition nor a sign-off for this line")
    holds = item.expect is None or (unknown is None and reached is not None and reached.ok_since is not None)
    waiver = active_waiver(record, item.id, now)
    if waiver is not None:
        check, detail = Check.WAIVED, f"waived by {waiver.by} until {formatting.clock(waiver.until)}: {waiver.why}"
    else:
        check, detail = _check(holds, unknown, signed)
    stands_since = shown_since(record.latest(Change, item.id), check, now)
    return ItemStatus(
        id=item.id,
        title=item.title,
        check=check,
        blocking=item.blocking,
        killer=item.killer,
        because=_line(evaluation.because, unknown, signed, item),
        position=item.position,
        since=stands_since or started_at,
        automatic=item.expect is not None,
        unknown=unknown,
        sign_off=signed,
        detail=detail,
        caution=item.caution,
        ref=item.ref,
        ok_since=_ok_since(
            check, reached.ok_since if reached else None, signed, waiver.at if waiver else None, stands_since
        ),
    )


def _check(holds: bool, unknown: Unknown | None, signed: SignOffStatus | None) -> tuple[Check, str]:
    if unknown is not None:
        return Check.UNKNOWN, unknown.line
    if not holds:
        return Check.FAIL, ""
    if signed is None:
        return Check.PASS, ""
    if signed.stale:
        return Check.STALE, signed.stale
    if not signed.given:
        return Check.PENDING, f"needs sign-off: {formatting.roles(signed.roles)}"
    return Check.PASS, f"signed by {signed.by}"


def _line(explained: Explanation, unknown: Unknown | None, signed: SignOffStatus | None, item: Item) -> Explanation:
    if unknown is not None:
        hint = f" ({unknown.hint})" if unknown.hint else ""
        return replace(explained, line=f"{unknown.line}{hint}")
    if signed is not None and item.expect is None:
        answer = (
            f"{formatting.person(signed.by, signed.role)}: {signed.answer}"
            if signed.at
            else f"asks {formatting.roles(signed.roles)}: {signed.ask}"
        )
        return replace(explained, line=answer)
    return explained


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
    # Signed once more while it passes, it has passed all along.
    moments = [m for m in (evidence, shown or (signed.at if signed else None)) if m is not None]
    return max(moments) if moments else None
