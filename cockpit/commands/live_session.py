"""A session on a live system: the right account first, then the probes, then what an operator may do."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import socket
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.actions.executor import Executor
from cockpit.commands.options import LiveOptions
from cockpit.console import output
from cockpit.decide.events import PhaseBegan, Record
from cockpit.decide.gate import missing_before, worded
from cockpit.engine.caller_watch import CallerWatch
from cockpit.engine.clock import SessionClock, SharedClock, WatchClock
from cockpit.engine.operator_desk import Desk
from cockpit.engine.poller import LiveSource
from cockpit.engine.ports import Refused
from cockpit.engine.recording import Recording
from cockpit.engine.tasks import end
from cockpit.engine.time_sources import learn_the_time
from cockpit.engine.trusted_plans import TrustedPlans, how_to_allow
from cockpit.engine.watch import Watch
from cockpit.formatting import count
from cockpit.journal.shared_store import Store, store_at
from cockpit.log_file import log_folder
from cockpit.migration.chronicle import Chronicle
from cockpit.plan.model import Phase, Plan
from probes.clients.caller import Caller
from probes.clients.clients import Clients
from probes.clients.signing_time import sign_by
from probes.reading import Unseen

if TYPE_CHECKING:
    from cockpit.migration.controller import Controller

log = logging.getLogger(__name__)
CLOCK = "COCKPIT_CLOCK"
"""Names the file of a shared clock; without it the machine's time is used."""


def clock_in_use() -> WatchClock:
    """The time of this session; a rehearsal's, where it has one."""
    shared = os.environ.get(CLOCK, "")
    return SharedClock(Path(shared)) if shared else SessionClock()


def clients_of(plan: Plan, live: LiveOptions, clock: WatchClock, named: Collection[str] = ()) -> Clients:
    """What probes read by; a session's own clock learns from it what time it is."""
    if not isinstance(clock, SessionClock):
        return Clients(live.aws(plan), named=named)
    sign_by(clock.offset)
    return Clients(live.aws(plan), named=named, clock_offset=clock.offset)


class WrongAccount(Exception):  # noqa: N818 - it is what was found, not a failure of ours
    """The credentials in use do not belong to the plan's account, or are unknown."""


@asynccontextmanager
async def open_watch(
    plan: Plan,
    live: LiveOptions,
    *,
    clock: WatchClock | None = None,
    kept: Recording | None = None,
    who: str = "",
) -> AsyncIterator[Watch]:
    """A watch that has not begun to read, resuming where `kept` ended. Raises WrongAccount before the first probe.

    Probes whose plan nobody has allowed to do what they do are not read: they are UNKNOWN, and a notice says so.

    Without `live.phase` the cutover stays in the phase its record says; a new one begins before its deployment where the plan
    asks for something there. Without a record it is past its deployment. `who` states the phase where they may: from another
    cockpit only a person's statement counts. Raises Refused for a deployment that is not approved.
    """
    trusted = TrustedPlans()
    clock = clock or clock_in_use()
    clients = clients_of(plan, live, clock, trusted.allowed_addresses(plan))
    try:
        account, arn = await identify(plan, clients)
        held_back = trusted.held_back(plan, live.variables)
        await _put_right(clock, plan, clients, held_back)
        source = LiveSource(plan, clients, clock, held_back, partial(trusted.refusal, plan, live.variables))
        if kept is None:
            watch = Watch(plan, source, clock, Record())
        else:
            kept.account = {"account": account, "arn": arn}
            watch = Watch(plan, source, clock, kept.record, kept.started_at)
        began = watch.counted().phase()
        if began is None or (live.phase and began.phase is not live.phase):
            await _begin(watch, kept, who, live.phase or (Phase.POST_DEPLOY if kept is None else first_phase(plan)))
        if kept is not None:
            kept.attach(watch)
        if isinstance(clock, SessionClock):
            watch.notices.append(lambda: clock.notice)
        watch.notices.append(lambda: _held_back(source, live))
        watch.account, watch.arn = account, arn
        watch.callers = CallerWatch(watch, source, Caller(account, arn) if account else None)
        yield watch
    finally:
        await clients.close()


def show_notice(watch: Watch) -> None:
    """On standard error, what the terminal shows above everything: a clock that is off, say."""
    if watch.notice:
        output(watch.notice, err=True)


def first_phase(plan: Plan) -> Phase:
    """Where a new cutover begins: before its deployment, if the plan has items or gates for that phase."""
    asks = any(section.phase is Phase.PRE_DEPLOY for section in plan.checklist)
    return Phase.PRE_DEPLOY if asks or any(gate.before == "deploy" for gate in plan.gates) else Phase.POST_DEPLOY


def _held_back(source: LiveSource, live: LiveOptions) -> str:
    """What an operator must know of a plan that is not trusted; empty where it is."""
    many, plan = len(source.held_back), source.plan
    probes = f"{many} of {count(len(plan.probes), 'probe')}"
    return f"{how_to_allow(plan, live.variables)}: NOT TRUSTED, {probes} not read" if many else ""


async def _begin(watch: Watch, kept: Recording | None, who: str, phase: Phase) -> None:
    """Begin the phase, as the person here where they may and can sign it; else as this cockpit, for itself.

    Raises Refused for a deployment whose gates are not passed. Without a record nothing is begun, only judged.
    """
    if kept is not None and phase is Phase.POST_DEPLOY:
        now, ask = watch.clock.now(), "name yourself with --as: the plan does not count the vote of whoever begins it"
        if missing := worded(missing_before(watch.plan, watch.record, "deploy", now, who), ask):
            raise Refused(
                f"not approved: {'; '.join(missing)}. Open it without --phase, before the deployment, and vote (v)"
            )
    if kept is not None and who:
        try:
            await Desk(watch, kept, who).state_phase(phase, "the cockpit was opened in this phase")
        except Refused as refused:
            log.warning("that the cutover is in %s counts for this cockpit alone: %s", phase, refused)
        else:
            return
    watch.record.append(PhaseBegan(watch.clock.now(), phase))


async def check_account(plan: Plan, live: LiveOptions, clock: WatchClock) -> None:
    """Before anything else is read or written in the account, and before anybody asks for the time. Raises WrongAccount."""
    trusted = TrustedPlans()
    clients = clients_of(plan, live, clock, trusted.allowed_addresses(plan))
    try:
        await identify(plan, clients)
        await _put_right(clock, plan, clients, trusted.held_back(plan, live.variables))
    finally:
        await clients.close()


async def _put_right(clock: WatchClock, plan: Plan, clients: Clients, held_back: Collection[str]) -> None:
    """By what others say the time is; a rehearsal's clock has no other."""
    if isinstance(clock, SessionClock):
        await learn_the_time(plan, clients, held_back)
        clock.correct()


async def identify(plan: Plan, clients: Clients) -> tuple[str, str]:
    """The account and principal in use, where the plan names an account."""
    if not plan.target.account:
        return "", ""
    try:
        answer = await clients.aws("sts", "get_caller_identity")
    except Unseen as unseen:
        why = unseen.unknown
        raise WrongAccount(f"cannot determine the AWS account: {why.detail}. {why.hint}".strip()) from None
    account = str(answer["Account"])
    if account != plan.target.account:
        raise WrongAccount(
            f"these credentials are for account {account}, but {plan.path} is for {plan.target.account}: "
            "nothing was read. Choose others with --profile"
        )
    return account, str(answer["Arn"])


@asynccontextmanager
async def action_executor(watch: Watch, kept: Recording, who: str) -> AsyncIterator[Executor]:
    """Runs the plan's built-in actions; notes from the start what the service runs.

    Raises Refused for a person the plan does not have.
    """
    assert isinstance(watch.source, LiveSource)
    executor = Executor(Desk(watch, kept, who), watch.source.clients, watch.record, watch.clock)

    async def note() -> None:
        await asyncio.sleep(1.0)  # the screen and the probes first
        await executor.watch_release()

    noting = asyncio.create_task(note(), name="release")
    try:
        yield executor
    finally:
        await end((noting,))
        await executor.close()


@asynccontextmanager
async def migration_controller(
    watch: Watch, live: LiveOptions, record: Path | None = None, share: str = ""
) -> AsyncIterator[Controller | None]:
    """Follows and controls the plan's migration from the first paint on; None without a migration, or without its database.

    `record` is the folder of the cutover's record: what happens to the migration is kept there. `share`: where it is shared.
    """
    migration = watch.plan.migration
    if migration is None or not migration.database:
        yield None
        return
    from cockpit.migration.controller import Controller

    options = _as_words(profile=live.profile, region=live.region)
    log = log_folder() / "migration.log"
    log.touch(mode=0o600)
    by = f"{getpass.getuser()}@{socket.gethostname()}"
    controller = Controller(
        *(migration, watch.plan.path, tuple(live.variables), options, by, str(record or ""), share, str(log)),
        reads=watch.plan.reads_environment,
        held_back=TrustedPlans().migration_held_back(watch.plan, live.variables),
    )
    chronicle = Chronicle(watch.record, watch.clock)
    controller.on_progress.append(chronicle.record_progress)
    controller.on_death.append(chronicle.record_death)
    watch.notices.append(lambda: controller.progress.alarm)

    async def follow() -> None:
        await asyncio.sleep(0.5)  # the screen first
        await controller.run()

    following = asyncio.create_task(follow(), name="ledger")
    try:
        yield controller
    finally:
        await end((following,))


def _as_words(**options: str) -> Sequence[str]:
    """Those that are set, as a command line writes them."""
    return tuple(word for name, value in options.items() if value for word in (f"--{name}", value))


def share_of(plan: Plan, live: LiveOptions, place: str) -> Store | None:
    """Where the record is shared (`--share`); a bucket must be of the plan's account. Raises ValueError for no place."""
    if not place:
        return None
    return store_at(place, profile=live.profile, region=live.region_for(plan), account=plan.target.account)
