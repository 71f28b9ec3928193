"""The terminal's hand on the migration: follows the ledger, writes what is wanted, starts phases as processes of their own.

Nothing here moves a file: closing the terminal stops nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from cockpit.decide.gate import GATE_OF_PHASE
from cockpit.engine.ports import Refused
from cockpit.migration import runs
from cockpit.migration.database import GONE, Connection, connect, words_of
from cockpit.migration.follower import Follower
from cockpit.migration.phase_proposal import FROZEN, PhaseProposal, proposal_from
from cockpit.migration.progress import Progress
from cockpit.migration.states import ASKED, OPEN, ItemState, PhaseName, Wanted
from cockpit.plan.model import Migration
from probes.clients.child_environment import PHASE
from probes.clients.child_process import GIVEN_VARS, Child, Command, complete, python_module, start
from probes.frozen import frozen
from probes.reading import Unseen

log = logging.getLogger(__name__)
POLL_S = 1.0
AGAIN_S = 3.0
ANSWERS_WITHIN_S = 10.0
"""What is shown is of before; for longer it is not shown without saying so."""
STILL_STATED = (
    ". What was stated is good for an hour: whoever stated it begins it again without new votes, if nothing changed"
)
LOOKS_WITHIN_S = 60.0
"""It bounds a hang: account, database and bucket are looked at within seconds."""
LAST_LINES = 6


@frozen
class Started:
    """A phase that was started from here."""

    phase: PhaseName
    process: Child
    run_before: int
    """The ledger's newest run at that time."""
    stated: bool = False
    """Whether it was stated that it begins; one that goes on was stated when it began."""


@dataclass(slots=True)
class Controller:
    """`run()` follows until cancelled; `progress` is the newest. What is done answers in words, and never raises."""

    migration: Migration
    plan_path: str
    variables: Sequence[str] = ()
    """NAME=VALUE, as the plan was loaded with."""
    options: Sequence[str] = ()
    """--profile, --region."""
    by: str = ""
    record: str = ""
    """The cutover's record, in which the gates were voted on."""
    share: str = ""
    """Where that is shared; empty where it is not."""
    log_file: str = os.devnull
    reads: Sequence[str] = ()
    """Variables of the environment the plan reads: a phase reads them again."""
    held_back: str = ""
    """Why nothing of the migration may be reached; empty where it may."""
    progress: Progress = field(default_factory=Progress)
    trouble: str = ""
    """Why the ledger cannot be read now; empty while it can."""
    on_progress: list[Callable[[Progress], None]] = field(default_factory=list)
    """Called with every progress that was read."""
    on_death: list[Callable[[str], None]] = field(default_factory=list)
    """Called with the last words of a phase that was stated and ended before it began."""
    _started: list[Started] = field(default_factory=list)
    _last_words: str = ""

    async def run(self) -> None:
        if self.held_back:
            self.trouble = self.held_back
            return
        follower, connection = Follower(), None
        try:
            while True:
                try:
                    if connection is None:
                        connection = await connect(self.migration.database, name="cockpit", read_only=True)
                    async with asyncio.timeout(ANSWERS_WITHIN_S):
                        self.progress = await follower.poll(connection)
                    self.trouble = self._died()
                    self._notify()
                except Unseen as unseen:
                    self.trouble = unseen.unknown.detail
                except TimeoutError:
                    self.trouble = f"no answer within {ANSWERS_WITHIN_S:g} s"
                    await _closed(connection)
                    connection = None
                except (*GONE, psycopg.Error) as error:
                    self.trouble = words_of(error)
                    await _closed(connection)
                    connection = None
                await asyncio.sleep(AGAIN_S if self.trouble else POLL_S)
        finally:
            await _closed(connection)

    def _notify(self) -> None:
        for notify in self.on_progress:
            notify(self.progress)

    def _died(self) -> str:
        """Why the newest phase that was started here ended without a run of its own, or left it; empty while none did."""
        for each in [one for one in self._started if one.process.code is not None]:
            self._started.remove(each)
            before = self.progress.run == each.run_before
            died = each.process.code != 0 and (before or self.progress.ownerless)
            when = "before it began" if before else f"and left run {self.progress.run}"
            ended = f"{each.phase} ended with exit {each.process.code} {when}"
            self._last_words = f"{ended}: {each.process.last_words()}" if died else ""
            if died and before and each.stated:
                self._last_words += STILL_STATED if each.phase in GATE_OF_PHASE else ""
                for notify in self.on_death:
                    notify(self._last_words)
        return self._last_words

    @property
    def runs_here(self) -> bool:
        """Whether a phase that was started from here still runs."""
        return any(each.process.code is None for each in self._started)

    @property
    def beginning(self) -> PhaseName | None:
        """What was started from here and has not begun, or gone on with, its run yet."""
        idle = not self.progress.active or self.progress.ownerless
        waiting = [
            one.phase for one in self._started if one.process.code is None and self.progress.run == one.run_before
        ]
        return waiting[-1] if waiting and idle else None

    # -- what the operator does --------------------------------------------------------------------------------------

    @property
    def next_phase(self) -> PhaseName:
        """What would be started now: go on with what is open, else the next phase; a purge and a restore ask first."""
        progress = self.progress
        if not progress.prepared or progress.count(*OPEN[PhaseName.COPY]):
            return PhaseName.COPY
        return PhaseName.VERIFY if progress.count(ItemState.SWITCHED) else PhaseName.COPY

    async def propose(self, phase: PhaseName, who: str = "") -> PhaseProposal:
        """What beginning a phase would do, looked at now by a process of its own, as the phase will be. Raises Refused."""
        if why := self._cannot(phase):
            raise Refused(why)
        try:
            done = await complete(self.command(phase, who, "--propose"), timeout_s=LOOKS_WITHIN_S)
        except TimeoutError:
            raise Refused(f"account, database and bucket were not looked at within {LOOKS_WITHIN_S:g} s") from None
        except OSError as error:
            raise Refused(f"{phase} cannot be looked at: {error.strerror or error}") from None
        if done.code:
            raise Refused(done.last_words(LAST_LINES))
        return proposal_from(done.out)

    def begin(self, proposal: PhaseProposal, why: str, who: str = "") -> str:
        """Begin what was proposed and confirmed; the process looks again, and refuses where anything differs."""
        given = {FROZEN: proposal.as_json()}
        return self._start(proposal.phase, who, "--confirm", f"{proposal.words}: {why}", given=given)

    def go_on(self, who: str = "") -> str:
        """Supervise the active run again; what it does was confirmed when it began."""
        return self._start(self.progress.phase, who)

    def _start(self, phase: PhaseName, who: str, *options: str, given: Mapping[str, str] | None = None) -> str:
        """Start a phase in a process of its own, which outlives this one. `who` begins it, as the plan knows them."""
        if why := self._cannot(phase):
            return why
        try:
            process = start(self.command(phase, who, *options, given=given), Path(self.log_file), only_errors=True)
        except OSError as error:
            return f"{phase} was not started: {error.strerror or error}"
        self._started.append(Started(phase, process, self.progress.run, stated=given is not None))
        self._last_words = ""
        return f"{phase} starts in its own process ({process.pid}); closing this screen does not stop it"

    def _cannot(self, phase: PhaseName) -> str:
        """Why a phase cannot be started now; empty where it can."""
        if self.held_back:
            return self.held_back
        if self.progress.active and self.progress.phase != phase:
            return f"{self.progress.phase} is active: drain it first"
        if self.runs_here and not self.progress.active:
            return "a phase is starting: wait until it has begun or ended"
        return "" if self.migration.database else "migration.database is empty: set the variable the plan reads"

    def command(self, phase: PhaseName, who: str, *options: str, given: Mapping[str, str] | None = None) -> Command:
        """What a phase is started with."""
        words = [*self.options, "--format", "json", *options]
        words += ["--record", self.record] if self.record else []
        words += ["--share", self.share] if self.share else []
        words += ["--as", who] if who else []
        variables = {GIVEN_VARS: json.dumps(list(self.variables))}
        return python_module(
            PHASE,
            *("cockpit", "migrate", phase, self.plan_path, *words),
            reads=self.reads,
            given=variables | dict(given or {}),
        )

    async def resume(self, gate: runs.Approval) -> str:
        """Let the active run go on, where its gate still lets it."""

        async def change(connection: Connection) -> None:
            await runs.go_on(connection, await runs.load(connection, self.progress.run), gate=gate, by=self.by)

        return await self._write(change, ASKED[Wanted.RUN])

    async def want(self, wanted: runs.Stop) -> str:
        """Pause, drain or abort the active run."""
        return await self._write(
            lambda connection: runs.want(connection, self.progress.run, wanted, self.by), ASKED[wanted]
        )

    async def concurrency(self, by: float) -> str:
        """More or fewer uploads at once, of every worker."""
        most = max(1, min(2000, round(max(1, self.progress.concurrency_most) * by)))
        return await self._write(
            lambda connection: runs.limit(connection, self.progress.run, concurrency=most), f"at most {most} at once"
        )

    async def rate(self, files_per_s: int) -> str:
        """Cap the whole run; 0 takes the cap away."""
        answer = f"at most {files_per_s:,} files/s" if files_per_s else "no cap on files/s"
        return await self._write(
            lambda connection: runs.limit(connection, self.progress.run, files_per_s=files_per_s), answer
        )

    async def retry(self) -> str:
        """Everything quarantined is tried again."""
        return await self._write(runs.retry, "quarantined files are tried again")

    def end_started(self) -> None:
        """For a rehearsal that ends: what was started goes with its world."""
        for each in self._started:
            each.process.signal(signal.SIGKILL)
            each.process.wait(5)

    async def _write(self, change: Callable[[Connection], Awaitable[object]], answer: str) -> str:
        if self.held_back:
            return self.held_back
        connection = None
        try:
            connection = await connect(self.migration.database, name="cockpit")
            await change(connection)
        except runs.NotApproved as refused:
            return " ".join(refused.lines)
        except runs.RunError as error:
            return str(error)
        except Unseen as unseen:
            return unseen.unknown.detail
        except (*GONE, psycopg.Error) as error:
            return f"not done: {words_of(error)}"
        finally:
            await _closed(connection)
        return answer


async def _closed(connection: Connection | None) -> None:
    if connection is not None:
        with contextlib.suppress(*GONE):
            await connection.close()
