"""The move of documents from PostgreSQL to S3: what its ledger says, as evidence for a plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field as Setting
from pydantic import StringConstraints

from probes.databases.postgres import Dsn
from probes.demand import Connects
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, Value
from probes.three_valued import FieldValue, sorted_out

TableName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z_]\w{0,62}\.)?[A-Za-z_]\w{0,62}$")]
"""As it is written in the database, capital letters included."""
ITEM_STATES = (
    "planned", "uploading", "switched", "verified", "purged", "gone", "skipped", "quarantined", "diverged", "restored",
)  # fmt: skip
"""Where a file may be, in the ledger's words."""
NOT_OURS = ("gone", "skipped")
"""Deleted, or moved by the application itself: not counted among the files."""
TO_COPY = ("planned", "uploading", "diverged", "restored")
"""What a copy would take."""
MOVING = frozenset({"copy", "verify"})
"""Phases after which files are complete."""
_PURGE, _RESTORE = "purge", "restore"
_WAITS = "WAITING FOR GUARDS"
_HALTED, _NO_SUPERVISOR, _HELD = "HALTED", "NO SUPERVISOR", "HELD BY A GUARD"
_WANTED = {"run": "RUNNING", "pause": "PAUSED", "drain": "DRAINING", "abort": "ABORTING"}
_THERE = """\
SELECT to_regclass('cutover.run') IS NOT NULL AS prepared,
       ARRAY(SELECT name FROM unnest(%s::text[]) AS name
              WHERE to_regclass('"' || replace(name, '.', '"."') || '"') IS NULL) AS missing"""
# Run and counts are of one snapshot; to_jsonb also reads a ledger of an earlier version, which lacks some columns.
_LEDGER = """\
SELECT (SELECT jsonb_build_object('id', id, 'phase', phase, 'wanted', wanted, 'outcome', outcome,
               'active', ended_at IS NULL, 'halted', halted IS NOT NULL, 'held', held_since IS NOT NULL,
               'first_sight', (SELECT bool_and(coalesce((guard ->> 'first_sight')::boolean, false))
                   FROM jsonb_array_elements(guards) AS guard WHERE (guard ->> 'holds')::boolean),
               'held_by', (SELECT string_agg(guard ->> 'title', ', ')
                   FROM jsonb_array_elements(guards) AS guard WHERE (guard ->> 'holds')::boolean),
               'judged', coalesce(guard_until > clock_timestamp(), false) OR NOT guarded,
               'supervised', (to_jsonb(r) ->> 'supervised_until')::timestamptz > clock_timestamp())
          FROM cutover.run r ORDER BY id DESC LIMIT 1) AS run,
       (SELECT jsonb_object_agg(state, files)
          FROM (SELECT state, sum(files)::bigint AS files FROM cutover.tally GROUP BY 1) AS counted) AS files,
       EXISTS (SELECT FROM cutover.run WHERE phase = 'purge') AS purge_began,
       (SELECT count(*) FROM cutover.item i WHERE state = 'quarantined'
           AND coalesce(to_jsonb(i) ->> 'failed_in', split_part(last_error, ':', 1)) = 'restore') AS not_restored"""


class CutoverMigrationParams(Params):
    dsn: Dsn
    """Connection string of the database with the ledger, from the environment: `${env:DATABASE_URL}`."""
    tables: Annotated[list[TableName], Setting(min_length=1, max_length=10)]
    """Tables whose files move: `Table` or `schema.Table`. One that is not there makes all unknown: it is another database."""


class CutoverMigration(Probe[CutoverMigrationParams]):
    """The migration of documents as its ledger has it: state of the run, files by state, and what is in S3 alone.

    Reads the schema `cutover` that `cockpit migrate prepare` makes: its newest run and its counts, in one statement.
    Without it `prepared` and `complete` are false, `state` is NOT PREPARED and every count is 0: that is so, and not a
    failure to look. Files that the application deleted or moved itself are counted as gone or skipped and not in
    `files`. `complete` is not known while a copy or verify goes on by itself and nothing has failed, nor of a ledger without
    files: of nothing, everything is verified. Needs pg_monitor, which `prepare` lets read the ledger.
    """

    name = "cutover.migration"
    params_type = CutoverMigrationParams
    demands = (Connects("dsn"),)
    subjects = ("file migration", "document migration", "migrated document")
    cannot_see = "the objects themselves: `verified` is what a run of the phase verify read back, at its time"
    late = "a few seconds: workers write to the ledger as they go"
    fields = (
        Field("prepared", bool, "the ledger is there", example=True),
        Field("state", str, "of the newest run: NOT PREPARED, READY, RUNNING, PAUSED, HALTED, DONE ...", "DONE"),
        Field("phase", str, "of the newest run: copy, verify, purge or restore; none without one", "verify"),
        Field("active", bool, "a run has not ended", example=False),
        Field("files", int, "files to move or moved, without those gone or skipped", 4812, "count", low=0),
        *(Field(state, int, f"files that are {state}", 0, "count", low=0) for state in ITEM_STATES),
        Field("copied", int, "files whose row points at S3: switched, verified or purged", 4812, "count", low=0),
        Field("copied_share", float, "files whose row points at S3 of all", 1.0, "ratio", low=0, high=1),
        Field(
            "verified_share", float, "files read back from S3 (verified or purged) of all", 1.0, "ratio", low=0, high=1
        ),
        Field(
            "complete",
            bool,
            "every file is verified or purged, and no run but a purge that goes on is active",
            example=True,
        ),
        Field("point_of_no_return", bool, "a purge has begun and files are in S3 alone", example=False),
        Field("only_in_s3", int, "files whose bytes have left the database", 0, "count", low=0),
    )
    grants = ("PostgreSQL: GRANT pg_monitor TO the cockpit's role",)

    async def read(self, now: datetime) -> Reading:
        evidence = Evidence(_LEDGER)
        try:
            there = (await self.clients.sql(self.params.dsn, _THERE, [self.params.tables]))[0]
            if there["missing"]:
                hint = "another database, another schema, or no USAGE on it"
                return self.blind(
                    now, Unknown(Reason.NOT_FOUND, f"no table {', '.join(there['missing'])}", hint), evidence
                )
            rows = await self.clients.sql(self.params.dsn, _LEDGER) if there["prepared"] else [{}]
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, evidence)
        fields = _fields(rows[0], prepared=there["prepared"])
        values, unknown = sorted_out(fields)
        held = ", ".join(f"{values[state]} {state}" for state in ITEM_STATES if values[state])
        lines = (f"{fields['phase']}: {fields['state']}{_held_by(rows[0])}", held or "no file in the ledger")
        hint = _hint(rows[0].get("run") or {}, values)
        return self.reading(
            now, values, unknown=unknown, evidence=Evidence(_LEDGER, lines=lines, hint=hint, done_in="migration")
        )


def _fields(row: Mapping[str, Any], *, prepared: bool) -> dict[str, FieldValue]:
    run, counted = row.get("run") or {}, row.get("files") or {}
    files = {state: int(counted.get(state, 0)) for state in ITEM_STATES}
    ours = sum(count for state, count in files.items() if state not in NOT_OURS)
    verified = files["verified"] + files["purged"]
    only_in_s3 = files["purged"] + int(row.get("not_restored", 0))
    none = Unknown(Reason.NO_DATA, "no file in the ledger", "`cockpit migrate prepare` plans the files of the tables")
    state = _state(run) if prepared else "NOT PREPARED"
    complete: FieldValue = prepared and verified == ours and not _unproves(run, state)
    if complete and not ours:
        complete = none
    elif state in (_WANTED["run"], _WAITS) and run["phase"] in MOVING and not files["quarantined"]:
        detail = f"{run['phase']} is under way: {verified:,} of {ours:,} files read back"
        complete = Unknown(Reason.WARMING, detail, "known once it has ended")
    return {
        "prepared": prepared,
        "state": state,
        "phase": run.get("phase", "none"),
        "active": run.get("active", False),
        "files": ours,
        **files,
        "copied": files["switched"] + verified,
        "copied_share": (files["switched"] + verified) / ours if ours else none,
        "verified_share": verified / ours if ours else none,
        "complete": complete,
        "point_of_no_return": bool(row.get("purge_began")) and only_in_s3 > 0,
        "only_in_s3": only_in_s3,
    }


def _unproves(run: Mapping[str, Any], state: str) -> bool:
    """Whether what the active run does, or waits for, may leave files other than the verify before it found them: a purge takes
    bytes only of what was verified, so that one that comes to its end by itself does not.
    """
    if not run.get("active"):
        return False
    return run["phase"] != _PURGE or state in (_HALTED, _NO_SUPERVISOR, _HELD, _WANTED["pause"])


def _state(run: Mapping[str, Any]) -> str:
    """The state of the migration in one word or two, as the screens have it."""
    if not run:
        return "READY"
    if not run["active"]:
        return str(run["outcome"]).upper().split(",")[0] or "ENDED"
    if run["halted"]:
        return _HALTED
    if run["wanted"] == "run":
        if run["supervised"] is False or not (run["judged"] or run["supervised"]):
            return _NO_SUPERVISOR
        if not run["judged"]:  # its supervisor has just begun
            return _WAITS
        if run["held"]:
            return _WAITS if run["first_sight"] else _HELD
    return _WANTED[run["wanted"]]


def _held_by(row: Mapping[str, Any]) -> str:
    """The guards that hold the active run, or that it waits for, behind its state; empty where none does."""
    run = row.get("run") or {}
    return f": {run['held_by']}" if run.get("active") and run.get("held") and run.get("held_by") else ""


def _hint(run: Mapping[str, Any], seen: Mapping[str, Value | None]) -> str:
    """What somebody does next so that the files get complete; empty where that is only to wait."""
    phase, state = run.get("phase", "copy"), seen["state"]
    asked = {
        _HALTED: f"mend what halted the {phase}, then resume it",
        _NO_SUPERVISOR: f"go on with the {phase}, which nobody supervises",
        _HELD: f"see what holds the {phase}: {run.get('held_by')}",
        _WANTED["pause"]: f"resume the paused {phase}",
    }
    if run.get("active"):
        ends = "wait until the restore has ended" if phase == _RESTORE else ""
        return asked.get(str(state), ends)
    files = {name: int(str(seen[name])) for name in ITEM_STATES}
    to_copy = sum(files[name] for name in TO_COPY)
    if phase == _RESTORE and to_copy:  # somebody wanted them in the database: what is next is theirs to decide
        if left := files["switched"] + files["verified"] + files["purged"]:
            return f"go on with the restore of {_files(left)}, or begin the copy of {_files(to_copy)}"
        return f"waive it while the {_files(to_copy)} stay{'s' * (to_copy == 1)} in the database, or copy again"
    if to_copy or not seen["prepared"]:
        return f"begin the copy of {_files(to_copy)}" if to_copy else "begin the copy"
    if files["switched"]:
        return f"begin the verify of {_files(files['switched'], 'copied ')}"
    if files["quarantined"]:
        return f"see why {_files(files['quarantined'])} could not be moved (quarantined), then retry"
    return ""


def _files(many: int, which: str = "") -> str:
    return f"{many:,} {which}file{'s' * (many != 1)}"
