"""Whether the plan's file still is what this cockpit was opened with. It goes on with that; an edit is shown, and never used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from cockpit import formatting
from cockpit.conditions.condition import Condition
from cockpit.decide.events import Happened
from cockpit.engine.tasks import end
from cockpit.engine.watch import Watch
from cockpit.plan.load import PlanError, load_plan
from cockpit.plan.model import Plan
from cockpit.plan.source.parts_of_plan import read_plan
from probes.clients.threads import in_thread

LOOK_S = 2.0
"""Real seconds between two looks at the file."""
MOST_NAMED = 4
"""Differences that are named one by one."""
SUBJECT = "plan"
_PLACES = frozenset({"position", "path", "digest", "source"})
"""Fields that say where something is written, and not what it says."""

_KEYS = {"hold_for": "for"}
"""Fields that a plan calls otherwise."""


@dataclass(slots=True)
class PlanFile:
    """The plan's file on the disk, beside the plan that is used."""

    watch: Watch
    overrides: Mapping[str, str]
    """What replaces entries of `vars:`, as when the plan was loaded."""
    notice: str = ""
    """What to show; empty while the file is as it was."""
    _seen: tuple[str, str] = ("", "")
    """The digest of the file that was looked at last, and what was found."""

    async def run(self) -> None:
        """Look now and then, until cancelled. Every edit is kept in the record once."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        found = await in_thread(self._found)
        if found == self.notice:
            return
        self.notice = found
        text = found or "PLAN: the file is again as this cockpit was opened with"
        self.watch.record.append(Happened(self.watch.clock.now(), SUBJECT, text))
        self.watch.decide_soon()

    def _found(self) -> str:
        """A plan takes a while to load: only one that was edited since the last look is."""
        try:
            digest = read_plan(self.watch.plan.path).digest
        except PlanError:
            digest = ""
        if digest == self.watch.plan.digest:
            return ""
        if not digest or digest != self._seen[0]:
            self._seen = digest, difference(self.watch.plan, self.overrides)
        return self._seen[1]


@asynccontextmanager
async def watching_plan_file(watch: Watch, overrides: Mapping[str, str]) -> AsyncIterator[PlanFile]:
    """Shows among the watch's notices that the plan's file was edited, and what that would change."""
    held = PlanFile(watch, overrides)
    watch.notices.append(lambda: held.notice)
    looking = asyncio.create_task(held.run(), name="plan file")
    try:
        yield held
    finally:
        await end((looking,))


def difference(plan: Plan, overrides: Mapping[str, str]) -> str:
    """What the plan's file says that the plan does not; empty where it is the same file."""
    name = Path(plan.path).name
    try:
        other = load_plan(plan.path, overrides=overrides)
    except PlanError as error:
        lines = list(error.lines)
        return f"PLAN EDITED: {name} cannot be used now ({lines[0]}); this cockpit goes on with what it was opened with"
    if other.digest == plan.digest:
        return ""
    found = list(differences(plan, other))
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    what = f"{', '.join(found[:MOST_NAMED])}{more}" if found else "nothing but its wording would change"
    return (
        f"PLAN EDITED: {what}. This cockpit goes on with what it was opened with; open it again to use {name}: "
        "sign-offs and votes are then asked for again"
    )


def differences(plan: Plan, other: Plan) -> Iterator[str]:
    """What an edited plan adds, leaves out and changes: "trigger errors changed (for 5m, would be 10m)"."""
    before, after = dict(_parts(plan)), dict(_parts(other))
    for name in before.keys() | after.keys():
        if name not in after:
            yield f"{name} left out"
        elif name not in before:
            yield f"{name} added"
    for name, part in before.items():
        if name in after and (changed := list(_changed(part, after[name]))):
            yield f"{name} changed ({'; '.join(changed)})"


def _parts(plan: Plan) -> Iterator[tuple[str, Any]]:
    """Everything with a name of its own, and the plan's plain fields."""
    yield from ((f"success criterion {each.id}", each) for each in plan.success_criteria)
    yield from ((f"trigger {each.id}", each) for each in plan.rollback_triggers)
    yield from ((f"guard {each.id}", each) for each in plan.guards())
    yield from ((f"item {item.id}", item) for _, item in plan.items())
    yield from ((f"gate {each.id}", each) for each in plan.gates)
    yield from ((f"probe {name}", spec) for name, spec in plan.probes.items())
    yield from ((f"person {each.id}", each) for each in plan.people)
    yield from ((f"step {each.id}", each) for each in (*plan.runbook, *plan.rollback_plan))
    for name in ("name", "environment", "target", "verdict_dwell"):
        yield f"{name.replace('_', ' ')}", getattr(plan, name)


def _changed(before: Any, after: Any) -> Iterator[str]:
    """Names of the fields that say something else; of a plain value, what it is and would be."""
    if not is_dataclass(before):
        if before != after:
            yield f"{_shown(before)}, would be {_shown(after)}"
        return
    for each in fields(before):
        one, other = getattr(before, each.name), getattr(after, each.name)
        if each.name not in _PLACES and _content(one) != _content(other):
            key = _KEYS.get(each.name, each.name)
            yield f"{key} {_shown(one)}, would be {_shown(other)}" if _is_plain(one) and _is_plain(other) else key


def _is_plain(value: Any) -> bool:
    """Whether a value is short and never a secret: a time, a number, a word of the plan's own."""
    return isinstance(value, timedelta | int | float | StrEnum)


def _shown(value: Any) -> str:
    return formatting.duration(value) if isinstance(value, timedelta) else str(value)


def _content(value: Any) -> Any:
    """What a part of a plan says, without where it is written."""
    if isinstance(value, Condition):
        return value.source
    if is_dataclass(value):
        return {each.name: _content(getattr(value, each.name)) for each in fields(value) if each.name not in _PLACES}
    if isinstance(value, Mapping):
        return {name: _content(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_content(each) for each in value]
    return value
