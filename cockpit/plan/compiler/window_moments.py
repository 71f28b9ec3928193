"""The change window of a plan: its clock times as moments."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from cockpit.plan.change_window import ChangeWindow, Opening, comes_twice, exists
from cockpit.plan.document.window_part import WindowPart
from cockpit.plan.source.yaml_tree import Path_, Tree

_AT: Path_ = ("window",)


def change_window(tree: Tree, part: WindowPart | None) -> ChangeWindow | None:
    """The window; None where there is none, or none that can be used (then it is reported)."""
    if part is None:
        return None
    if part.days:
        opens, closes = time.fromisoformat(part.from_), time.fromisoformat(part.to)
        return ChangeWindow(part.time_zone, days=tuple(part.days), opens=opens, closes=closes)
    begins = _moment(tree, "from", part.from_, part.time_zone)
    ends = _moment(tree, "to", part.to, part.time_zone)
    if begins is None or ends is None:
        return None
    if ends <= begins:
        tree.report((*_AT, "to"), "is not after `from`: the window would never be open")
        return None
    return ChangeWindow(part.time_zone, once=Opening(begins, ends))


def _moment(tree: Tree, key: str, text: str, zone: str) -> datetime | None:
    """A clock time of a zone as a moment of UTC; one that the clocks skip, or show twice, is reported."""
    given = datetime.fromisoformat(text)
    if given.tzinfo is not None:
        return given.astimezone(UTC)
    local = given.replace(tzinfo=ZoneInfo(zone))
    if not exists(local):
        shown = local.astimezone(UTC).astimezone(local.tzinfo)
        tree.report((*_AT, key), f"does not exist in {zone}: the clocks are put forward over it; write {shown:%H:%M}")
        return None
    if comes_twice(local):
        first, second = (f"{given:%Y-%m-%dT%H:%M}{_offset(local.replace(fold=fold))}" for fold in (0, 1))
        tree.report((*_AT, key), f"comes twice in {zone}, the clocks are put back: write {first} or {second}")
        return None
    return local.astimezone(UTC)


def _offset(local: datetime) -> str:
    """
    >>> _offset(datetime(2026, 7, 1, tzinfo=ZoneInfo("America/New_York")))
    '-04:00'
    """
    text = f"{local:%z}"
    return f"{text[:3]}:{text[3:5]}"
