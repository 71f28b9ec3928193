"""`cockpit journal`: check a record, or list what is in it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from cryptography import x509

from cockpit.commands.options import (
    ALLOWED_SIGNERS,
    ANCHORS,
    FORMAT,
    OWN_PLAN,
    RECORD,
    TSA,
    TSA_CA,
    VARIABLES_OF_PLAN,
    Form,
)
from cockpit.commands.plan_loading import given_values, load_for_showing
from cockpit.console import output, output_json
from cockpit.engine.timestamping import NoTimestamp
from cockpit.engine.timestamping import timestamp as timestamp_of
from cockpit.exit_codes import COULD_NOT_JUDGE, USAGE
from cockpit.journal.entry import Line, Type
from cockpit.journal.findings import Outcome, Result
from cockpit.journal.record_folder import RecordFolder, find_record
from cockpit.journal.ssh.allowed_signers import AllowedSigners
from cockpit.journal.timestamps import FOLDER, SUFFIX, Timestamp, read_roots
from cockpit.journal.transparency_log import LogKey
from cockpit.journal.verify import verify_record
from probes.clients.http import HttpClient
from probes.clients.threads import run_loop

_SPAN = re.compile(r"(\d+)([smhd])")
_CLOCK = re.compile(r"\d\d:\d\d(:\d\d)?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_HASH = re.compile(r"(?<![0-9a-fA-F])[0-9a-f]{64}(?![0-9a-fA-F])")
JSON_VERSION = 1
"""Of what each line of `show --format json`. Members may be added to it; none changes its meaning or goes."""
SHOWN = 50
"""Reasons shown of one subject."""
MOST_TEXT = 1 << 20
"""Bytes read of a file with anchors."""


@click.group("journal")
def main() -> None:
    """Verify a record, or list its entries.

    RECORD is a record's folder, its name, or "latest".
    """


@main.command()
@RECORD
@ANCHORS
@ALLOWED_SIGNERS
@TSA_CA
@OWN_PLAN
@VARIABLES_OF_PLAN
def verify(
    record: str,
    anchors: tuple[str, ...],
    allowed_signers: str,
    tsa_ca: str,
    own_plan: str,
    variables: tuple[str, ...],
) -> int:
    """Check a record offline: what is proven, what is not provable and what would prove it, and what is broken.

    Without --anchor, a record that was rewritten as a whole cannot be detected.

    Exit code: 0 intact and proven, 1 broken (FILE:LINE says where), 3 nothing broken but something not provable.
    """
    try:
        folder = find_record(record)
        result = verify_record(folder.path, *outside(anchors, allowed_signers, tsa_ca, own_plan, variables))
    except (OSError, ValueError) as error:
        return _refused(error)
    _print_result(folder, result)
    return result.exit_code


@main.command()
@RECORD
@TSA
def timestamp(record: str, tsa: str) -> int:
    """Have an authority timestamp the last line of every chain; kept in the record's timestamps/."""
    if not tsa:
        output("--tsa URL, or COCKPIT_TSA, is needed: the address of a timestamp authority", err=True)
        return USAGE
    try:
        folder = find_record(record)
        for path, stamp in run_loop(_timestamps(folder, tsa)):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_bytes(stamp.token)
            output(f"{stamp.time():%Y-%m-%d %H:%M:%S}Z {path}")
    except NoTimestamp as error:
        output(error, err=True)
        return COULD_NOT_JUDGE
    except (OSError, ValueError) as error:
        return _refused(error)
    return 0


async def _timestamps(folder: RecordFolder, url: str) -> list[tuple[Path, Timestamp]]:
    """The file and the timestamp of each chain's last line. Raises NoTimestamp, OSError."""
    http = HttpClient()
    try:
        lines = [chain.lines[-1] for chain in folder.chains() if chain.lines]
        stamps = [await timestamp_of(http, url, line.raw) for line in lines]
    finally:
        await http.close()
    return [(folder.path / FOLDER / (stamp.head[:16] + SUFFIX), stamp) for stamp in stamps]


@main.command()
@RECORD
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only entries of this type; may be repeated.")
@click.option(
    "--since",
    default="",
    metavar="TIME",
    help="Only entries after: 2026-01-02T03:04Z, 03:04 (UTC, its last day), or 30m.",
)
@FORMAT
def show(record: str, types: tuple[str, ...], since: str, form: Form) -> int:
    """List a record's entries, all writers in one order. Verifies nothing: see `verify`."""
    try:
        _list(find_record(record), types, since, form)
    except (OSError, ValueError) as error:
        return _refused(error)
    return 0


def _refused(error: Exception) -> int:
    output(error, err=True)
    return USAGE


def outside(
    anchors: Sequence[str], allowed_signers: str, tsa_ca: str, own_plan: str, variables: Sequence[str]
) -> tuple[Sequence[str], AllowedSigners | None, Sequence[x509.Certificate], Sequence[LogKey]]:
    """What a record is checked against: published heads, who signs with which key, whose timestamps and log entries count.

    The record's own copy of the plan says nothing here: who rewrites a record rewrites that too. Raises OSError, ValueError;
    exits with 65 for a plan that cannot be loaded.
    """
    heads = [head for anchor in anchors for head in _heads(anchor)]
    signers = AllowedSigners.read(Path(allowed_signers)) if allowed_signers else None
    roots = read_roots(Path(tsa_ca)) if tsa_ca else []
    plan = load_for_showing(own_plan, given_values(variables)) if own_plan else None
    if plan and plan.timestamps:
        roots += x509.load_pem_x509_certificates(plan.timestamps.pem.encode())
    log_keys = [LogKey.read(plan.transparency_log.pem)] if plan and plan.transparency_log else []
    return heads, signers, roots, log_keys


def _heads(anchor: str) -> Sequence[str]:
    """Every head in a text, or in the file of that name: a message as it was posted will do. Raises OSError, ValueError."""
    if found := _named_heads(anchor):
        return found
    path = Path(anchor)
    if not path.is_file():
        raise ValueError(
            f"--anchor {anchor[:200]}: no such file, and no text with a head in it: a head is 64 hex digits"
        )
    with path.open("rb") as file:
        found = _named_heads(file.read(MOST_TEXT).decode("utf-8", "replace"))
    if not found:
        raise ValueError(f"--anchor {anchor[:200]}: the file holds no head: a head is 64 hex digits")
    return found


def _named_heads(text: str) -> Sequence[str]:
    """The hashes a text calls a head; every hash in it where it calls none that."""
    return re.findall(rf"head\W{{0,12}}({_HASH.pattern})", text) or _HASH.findall(text)


def _headline(outcome: Outcome) -> str:
    if outcome is Outcome.NOT_PROVABLE:
        return "NOTHING BROKEN, but not everything can be proven"
    return f"{outcome.word}: {outcome.meaning}"


def _print_result(folder: RecordFolder, result: Result) -> None:
    many = "1 entry" if result.entries == 1 else f"{result.entries} entries"
    chains = "1 chain" if len(result.heads) == 1 else f"{len(result.heads)} chains"
    output(_headline(result.outcome), f"{folder.path}: {many} in {chains}")
    for writer, head in result.heads.items():
        output(f"head {head} {writer}")
    output()
    for subject, row in result.rows.items():
        why = row.why or [subject.question]
        more = [f"and {len(why) - SHOWN} more"] if len(why) > SHOWN else []
        for n, text in enumerate([*why[:SHOWN], *more]):
            output(f"{'' if n else subject:13} {'' if n else row.standing:13} {text}")
    if result.remarks:
        output("", "Also", *(f"  {line}" for line in result.remarks))


def _list(folder: RecordFolder, types: Sequence[str], since: str, form: Form) -> None:
    """Raises OSError, and ValueError for a type or a time that is none."""
    unknown = sorted(set(types) - set(Type))
    if unknown:
        raise ValueError(f"--type {unknown[0]}: one of {', '.join(Type)}")
    lines = folder.lines()
    begin = _since(since, [line for _, line in lines])
    wanted = [
        (writer, line)
        for writer, line in lines
        if (not types or line.entry.type in types) and (begin is None or line.entry.ts >= begin)
    ]
    for writer, line in wanted:
        if form == "json":
            output_json(_plain(writer, line), version=JSON_VERSION, indent=None)
        else:
            output(_text(writer, line))
    odd = sum(len(chain.set_aside) for chain in folder.chains())
    if odd:
        output(f"{odd} lines are not valid entries and are not shown: see cockpit journal verify", err=True)


def _since(text: str, lines: Sequence[Line]) -> datetime | None:
    """A time, a clock time of the record's last day (UTC), or a span before the record's last entry. Raises ValueError."""
    if not text or not lines:
        return None
    last = max(line.entry.ts for line in lines)
    if span := _SPAN.fullmatch(text):
        return last - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        if _CLOCK.fullmatch(text):
            hours = (
                datetime.strptime(text, "%H:%M:%S" if text.count(":") == 2 else "%H:%M").replace(tzinfo=UTC).timetz()
            )
            return datetime.combine(last.date(), hours)
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--since {text}: write 2026-01-02T03:04Z, 03:04 or 30m") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _plain(writer: str, line: Line) -> dict[str, Any]:
    """What is printed as one JSON object a line: the payload with its writer, its hash and the keys that signed it."""
    entry: dict[str, Any] = json.loads(line.payload)
    return {"writer": writer, "hash": line.hash, "keys": [sig.get("keyid", "") for sig in line.sigs], **entry}


def _text(writer: str, line: Line) -> str:
    entry = line.entry
    who = entry.actor.id + (f" ({entry.actor.role})" if entry.actor.role else "")
    signed = " signed" if len(line.sigs) > 1 else ""
    body = " ".join(f"{name}={_short(value)}" for name, value in entry.body.items() if value not in ("", None, False))
    return f"{entry.ts:%Y-%m-%d %H:%M:%S}Z {entry.type:12} {who}{signed}  {body}  [{writer}:{entry.seq}]"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text if len(text) <= 160 else text[:159] + "…"
