"""Who tells a session what time it is, before anybody asks the session for it: only then can it be put right at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Collection

from cockpit.plan.model import Plan
from probes.clients.clients import Clients
from probes.demand import Connects
from probes.registry import find

WITHIN_S = 3.0
"""Real seconds. Who does not answer by then tells it with what is read of them later."""
_OF_AWS = "probes.aws."


async def learn_the_time(plan: Plan, clients: Clients, held_back: Collection[str]) -> None:
    """Ask those whom the plan reads and who know the time, unless somebody has told it: AWS, which says it with a refusal too,
    and databases. `held_back` are probes that may not be read.
    """
    if clients.clock_offset.is_known:
        return
    asked: list[Awaitable[object]] = []
    databases: set[str] = set()
    for name, spec in plan.probes.items():
        kind = find(spec.uses)
        if name in held_back:
            continue
        databases |= {str(spec.params.get(rule.dsn, "")) for rule in kind.demands if isinstance(rule, Connects)}
        if kind.__module__.startswith(_OF_AWS) and not asked:
            asked.append(clients.aws("sts", "get_caller_identity"))
    asked += [clients.sql(dsn, "SELECT 1", timeout_s=WITHIN_S) for dsn in sorted(databases - {""})]
    if asked:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WITHIN_S):
                await asyncio.gather(*asked, return_exceptions=True)
