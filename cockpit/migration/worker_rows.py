"""The ledger's rows of workers, as their run's supervisor looks at them: who came of late, who has not, who never will."""

from __future__ import annotations

from cockpit.migration.database import Connection
from cockpit.migration.runs import ALIVE_S
from cockpit.migration.silence import NOTED_S
from cockpit.migration.sql_files import statement

_REPORTING_WORKERS = statement("reporting_workers")
_NOTE_SILENT_WORKERS = statement("note_silent_workers")
_NOTE_WORKERS_BACK = statement("note_workers_back")
_END_WORKER = statement("end_worker")


async def reporting_workers(connection: Connection, run: int) -> list[str]:
    """The ids of those that came of late, without those that a supervisor before started."""
    rows = await (await connection.execute(_REPORTING_WORKERS, {"run": run, "alive": ALIVE_S})).fetchall()
    return [str(row[0]) for row in rows]


async def note_silence(connection: Connection, run: int) -> None:
    """In the history, once each time: who does not come any more, since when and what follows; and who is back."""
    await connection.execute(_NOTE_SILENT_WORKERS, {"run": run, "silent": NOTED_S})
    await connection.execute(_NOTE_WORKERS_BACK, {"run": run})


async def end_worker(connection: Connection, run: int, name: str) -> None:
    """Whoever started it saw it end: it is not silent. Nothing for no name."""
    if name:
        await connection.execute(_END_WORKER, {"run": run, "name": name})
