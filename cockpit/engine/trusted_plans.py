"""What the operator of this machine allowed plans to do: remembered by the plan's digest and the words of its demands."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from cockpit.plan.demands import demands_of, demands_of_probe, migration_demands, record_demands, synthetic_demands
from cockpit.plan.model import Plan
from probes.demand import Demand
from probes.held_files import open_to_others
from probes.reading import Reason, Unknown
from probes.redact import one_line

TRUSTED_PLANS = "COCKPIT_TRUSTED_PLANS"
"""Names the file of them in place of the user's own: a rehearsal and what it starts have one of their own."""
_SHOWN = 300


def wanted_by(plan: Plan) -> tuple[str, ...]:
    """Every demand of a plan in a line of its own: who demands it, and what."""
    return tuple(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    for name, demands in sorted(demands_of(plan).items()):
        yield from (f"{name}: {demand}" for demand in demands)
    yield from (f"the migration: {demand}" for demand in migration_demands(plan))
    yield from (f"synthetic traffic: {demand}" for demand in synthetic_demands(plan))
    yield from (f"the record: {demand}" for demand in record_demands(plan))


def open_to_others_in(plan: Plan) -> tuple[str, ...]:
    """Files and folders of what the plan runs that others may change: nothing of that is run, whatever is allowed."""
    return tuple(sorted({place for demands in demands_of(plan).values() for place in _open_to_others(demands)}))


def _open_to_others(demands: Sequence[Demand]) -> Iterator[str]:
    yield from filter(None, (open_to_others(Path(demand.file)) for demand in demands if demand.file))


def how_to_allow(plan: Plan, variables: Sequence[str]) -> str:
    """What to type; `variables` are those the plan was loaded with, whose values may be secret."""
    return f"cockpit trust {shlex.quote(plan.path)}" + (", with the same --var" if variables else "")


class TrustedPlans:
    """The file of them, the user's own (0600). One that cannot be read or parsed trusts nothing."""

    def __init__(self, file: Path | None = None) -> None:
        own = Path(user_state_path("cockpit", appauthor=False)) / "trusted.json"
        self.file = file or Path(os.environ.get(TRUSTED_PLANS) or own)

    def holds(self, plan: Plan) -> bool:
        """Whether just these demands of just this plan were allowed; a plan without demands needs nobody's word."""
        wanted = wanted_by(plan)
        return not wanted or _key(plan, wanted) in self._held()

    def held_back(self, plan: Plan, variables: Sequence[str]) -> Mapping[str, Unknown]:
        """Probe -> why it may not be read: all that demand something, until it was allowed."""
        if self.holds(plan):
            return {}
        hint = f"{how_to_allow(plan, variables)}: read what it would do, allow it, then start this again"
        return {name: self._refused(plan, name, demands, hint) for name, demands in demands_of(plan).items()}

    def refusal(self, plan: Plan, variables: Sequence[str], name: str) -> Unknown | None:
        """Why a probe may not be read now, by its files as they are at this moment; None where it may.

        What was allowed meanwhile is allowed, and what was revoked is not.
        """
        demands = demands_of_probe(plan, name)
        for place in _open_to_others(demands):
            detail = f"others may change {place}: what runs there need not be what you allowed"
            hint = f"make it yours alone: chmod go-w {shlex.quote(place)}, or chown it; then press r"
            return Unknown(Reason.NOT_TRUSTED, one_line(detail, _SHOWN), hint)
        if not demands or self._missing(plan, name, demands) == ():
            return None
        hint = f"{how_to_allow(plan, variables)}: read what it would do now, allow it, then press r"
        return self._refused(plan, name, demands, hint)

    def _missing(self, plan: Plan, name: str, demands: Sequence[Demand]) -> tuple[Demand, ...] | None:
        """What was not allowed of a probe's demands, where something was allowed to just this plan; else None."""
        wanted = [(f"{name}: {demand}", demand) for demand in demands]
        missing = None
        for key, entry in self._held().items():
            lines = entry.get("demands")
            if isinstance(lines, list) and entry.get("digest") == plan.digest and key == _key(plan, tuple(lines)):
                left = tuple(demand for line, demand in wanted if line not in lines)
                missing = left if missing is None or len(left) < len(missing) else missing
        return missing

    def _refused(self, plan: Plan, name: str, demands: Sequence[Demand], hint: str) -> Unknown:
        missing = self._missing(plan, name, demands)
        why = "changed since it was allowed" if missing else "not allowed yet"
        return Unknown(Reason.NOT_TRUSTED, one_line(f"{why}: {'; '.join(map(str, missing or demands))}", _SHOWN), hint)

    def allowed_addresses(self, plan: Plan) -> frozenset[str]:
        """The link-local and metadata addresses that its probes may reach."""
        named = (demand.address for demands in demands_of(plan).values() for demand in demands if demand.address)
        return frozenset(named) if self.holds(plan) else frozenset()

    def migration_held_back(self, plan: Plan, variables: Sequence[str]) -> str:
        """Why the plan's database and bucket may not be reached; empty where they may."""
        demands = migration_demands(plan)
        if not demands or self.holds(plan):
            return ""
        wanted = "; ".join(map(str, demands))
        return f"{how_to_allow(plan, variables)}: nobody has allowed yet that the plan {wanted}"

    def traffic_held_back(self, plan: Plan) -> str:
        """Why the plan's synthetic traffic may not be sent; empty where it may."""
        if self.holds(plan):
            return ""
        wanted = "; ".join(map(str, synthetic_demands(plan)))
        return f"cockpit trust {shlex.quote(plan.path)}: nobody has allowed yet that the plan {wanted}"

    def record_held_back(self, plan: Plan, variables: Sequence[str]) -> str:
        """Why the time of the record is not being proven; empty where it may be, or nobody is asked to."""
        if not record_demands(plan) or self.holds(plan):
            return ""
        return f"the record's time is not being proven: {how_to_allow(plan, variables)} allows it, then start again"

    def add(self, plan: Plan, now: datetime, who: str, wanted: tuple[str, ...] | None = None) -> None:
        """Allow `wanted`, the lines that were shown: what a file holds may have changed since. Raises OSError."""
        wanted = wanted_by(plan) if wanted is None else wanted
        entry = {"plan": plan.name, "digest": plan.digest, "demands": wanted, "at": now.isoformat(), "who": who}
        self._replace({**self._held(), _key(plan, wanted): entry})

    def remove(self, plan: Plan) -> int:
        """Forget all that was allowed to this plan, whatever its vars were; gives how many entries. Raises OSError."""
        held = self._held()
        left = {key: one for key, one in held.items() if one.get("digest") != plan.digest}
        if len(left) < len(held):
            self._replace(left)
        return len(held) - len(left)

    def _held(self) -> dict[str, dict[str, Any]]:
        try:
            held = json.loads(self.file.read_bytes()) if self.file.is_file() else {}
        except (OSError, ValueError, RecursionError):
            return {}
        return {key: one for key, one in held.items() if isinstance(one, dict)} if isinstance(held, dict) else {}

    def _replace(self, held: Mapping[str, Mapping[str, Any]]) -> None:
        folder = self.file.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=folder, prefix=".trusted-")  # made with 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(held, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(made).replace(self.file)
        except BaseException:
            Path(made).unlink(missing_ok=True)
            raise


def _key(plan: Plan, wanted: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps([plan.digest, *wanted]).encode()).hexdigest()
