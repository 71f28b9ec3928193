"""Opening a watch on a living system: the right account first, then the probes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cockpit.decide.record import PhaseBegan, Record
from cockpit.engine.clock import Clock, SharedClock, WallClock
from cockpit.engine.poller import LiveSource
from cockpit.engine.recording import Recording
from cockpit.engine.watch import Watch
from cockpit.plan.model import Phase, Plan
from probes.base import Unseen
from probes.clients import AwsOptions, Clients

CLOCK = "COCKPIT_CLOCK"
"""Names the file of a clock shared with others; without it the wall's time counts."""


def clock_in_use() -> Clock:
    """The clock everything is judged by."""
    shared = os.environ.get(CLOCK, "")
    return SharedClock(Path(shared)) if shared else WallClock()


class WrongAccount(Exception):  # noqa: N818 - it is what was found, not a failure of ours
    """The credentials in use do not belong to the plan's account, or cannot be told."""


@asynccontextmanager
async def watching(
    plan: Plan,
    *,
    profile: str = "",
    region: str = "",
    phase: str = "",
    clock: Clock | None = None,
    kept: Recording | None = None,
) -> AsyncIterator[Watch]:
    """A watch that has not begun to read, going on where `kept` was left. Raises WrongAccount before the first probe.

    Without `phase` the cutover stays in the phase its record says; a new one is past its deployment.
    """
    clients = Clients(AwsOptions(region or plan.target.region, profile, plan.target.account))
    clock = clock or clock_in_use()
    try:
        account, arn = await identify(plan, clients)
        source = LiveSource(plan, clients, clock)
        if kept is None:
            watch = Watch(plan, source, clock, Record())
        else:
            kept.account = {"account": account, "arn": arn}
            watch = Watch(plan, source, clock, kept.record, kept.started_at)
        began = watch.record.phase()
        if began is None or (phase and began.phase is not Phase(phase)):
            watch.record.append(PhaseBegan(clock.now(), Phase(phase or Phase.POST_DEPLOY)))
        if kept is not None:
            kept.attach(watch)
        watch.account, watch.arn = account, arn
        yield watch
    finally:
        await clients.close()


async def identify(plan: Plan, clients: Clients) -> tuple[str, str]:
    """The account and principal in use, where the plan names an account."""
    if not plan.target.account:
        return "", ""
    try:
        answer = await clients.aws("sts", "get_caller_identity")
    except Unseen as unseen:
        why = unseen.unknown
        raise WrongAccount(f"cannot tell which AWS account this is: {why.detail}. {why.hint}".strip()) from None
    account = str(answer["Account"])
    if account != plan.target.account:
        raise WrongAccount(
            f"these credentials are for account {account}, but {plan.path} is for {plan.target.account}: "
            "nothing was read. Choose others with --profile"
        )
    return account, str(answer["Arn"])
