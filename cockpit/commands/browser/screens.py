"""The process behind the page: the screens of a record or of a plan, without a desk, and never armed.

Started by `cockpit serve` alone: what it writes are packets for the page.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from cockpit.cli.lazy_group import failed, remember_those_of_clients
from cockpit.commands.ended_by_signal import run_until_signal
from cockpit.commands.live_session import WrongAccount, open_watch
from cockpit.commands.options import LiveOptions
from cockpit.commands.plan_loading import load
from cockpit.console import door, output
from cockpit.exit_codes import COULD_NOT_JUDGE, USAGE
from cockpit.journal.record_folder import find_record
from cockpit.log_file import log_to_file
from cockpit.replay.session import Replay
from cockpit.replay.trace import trace_of
from cockpit.tui.app import CockpitApp
from cockpit.tui.terminal_settings import Settings
from probes.clients.child_process import GIVEN_VARS

RECORD, PLAN = "record", "plan"


def app_of_a_record(name: str) -> CockpitApp:
    """The screens of a record, at its end; played and stepped through by keys. Raises NotReplayable, OSError."""
    trace = trace_of(find_record(name))
    replay = Replay(trace, at=trace.ends_at)
    return CockpitApp(
        replay,
        environment_label="REPLAY",
        background=replay.run,
        controls=replay,
        record=trace.folder.path,
        settings=Settings(quiet=True),
        in_browser=True,
    )


async def _record(name: str) -> int:
    await app_of_a_record(name).run_to_end()
    return 0


async def _plan(path: str, variables: Sequence[str]) -> int:
    """What the plan's probes see now. Nothing is recorded, so nothing can be signed either."""
    live = LiveOptions(variables=list(variables))
    async with open_watch(load(path, live.variables), live) as watch:
        await CockpitApp(watch, background=watch.run, settings=Settings(quiet=True), in_browser=True).run_to_end()
    return 0


def main() -> int:
    """What goes wrong is its last line: the page shows it."""
    log_to_file()
    remember_those_of_clients()
    kind, target = sys.argv[1:]
    variables: list[str] = json.loads(os.environ.get(GIVEN_VARS, "[]"))
    if kind not in (RECORD, PLAN):
        return USAGE
    try:
        return run_until_signal(_record(target) if kind == RECORD else _plan(target, variables))
    except WrongAccount as wrong:
        output(str(wrong), err=True)
        return COULD_NOT_JUDGE
    except Exception as error:  # noqa: BLE001 - whatever it is: without its secrets, and its traceback in the log
        return failed(error)


if __name__ == "__main__":
    with door():
        sys.exit(main())
