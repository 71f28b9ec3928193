"""Checking when a record was written, by the timestamps an authority gave for lines of its chains."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from cockpit.journal.codec import moment
from cockpit.journal.entry import Line, Type
from cockpit.journal.findings import Findings, Problem
from cockpit.journal.timestamps import FOLDER, SUFFIX, BadTimestamp, Timestamp
from cockpit.journal.transparency_log import KEY, BadLogEntry, LogEntry, LogKey
from cockpit.journal.verify_chain import Checked
from cockpit.journal.writer import CLOCK_BACK

WITHIN = timedelta(minutes=15)
"""How much earlier than the next timestamp a line may say it was written: longer, and nothing shows that it was."""
SLACK = timedelta(minutes=1)
"""How far this machine's clock may be ahead of the authority's."""


def check_time(
    record: Path, chains: Sequence[Checked], roots: Sequence[x509.Certificate], log_keys: Sequence[LogKey] = ()
) -> Findings:
    """Each line was there by a timestamp soon after the time it says. Raises OSError."""
    found = Findings()
    beside = _beside(record, chains, roots, found)
    for chain in chains:
        stamps = _stamps(chain, roots, found) + [each for each in beside if each[0] in chain.hashes]
        logged = _logged(chain, log_keys, found)
        if proven := (stamps if roots else []) + (logged if log_keys else []):
            _check_lines(chain, _in_order(proven, chain), found)
        elif stamps or logged:
            held = [_count(len(each), noun) for each, noun in ((stamps, "timestamp"), (logged, "log entry")) if each]
            found.unproven.append(
                f"when {chain.path.name} was written: it holds {' and '.join(held)}; give --plan with your own copy of a plan "
                "that names the authority's certificate and the log's key (or --tsa-ca) to check them"
            )
        elif chain.lines:
            found.unproven.append(
                f"when {chain.path.name} was written: its times are those of its machine's clock; "
                "timestamps of an authority would prove them (cockpit run --tsa)"
            )
    return found


def clock_remarks(chains: Sequence[Checked]) -> list[str]:
    """Where a clock went back within a session."""
    remarks = []
    for chain in chains:
        before: Line | None = None
        for line in chain.lines:
            back = _went_back(before, line)
            if back >= CLOCK_BACK:
                remarks.append(
                    f"{chain.place(line)}: the clock of this machine had gone back by {back.total_seconds():.0f} s"
                )
            before = line
    return remarks


def _went_back(before: Line | None, line: Line) -> timedelta:
    """By how much the machine's clock was set back before a line: as that says, or as its time shows."""
    body = line.entry.body
    if _notes_it(line):
        return moment(body["from"]) - moment(body["to"])
    if before is None or line.entry.type is Type.OPEN or _notes_it(before):
        return timedelta(0)
    return before.entry.ts - line.entry.ts


def _notes_it(line: Line) -> bool:
    return line.entry.type is Type.NOTE and line.entry.body.get("kind") == "clock_went_back"


def _beside(
    record: Path, chains: Sequence[Checked], roots: Sequence[x509.Certificate], found: Findings
) -> list[tuple[str, datetime]]:
    """(line hash, time) of the tokens that lie beside the journal."""
    made = []
    heads = {head for chain in chains for head in chain.hashes}
    for path in sorted((record / FOLDER).glob("*" + SUFFIX)):
        try:
            stamp = Timestamp.in_file(path)
            at = stamp.time(roots)
        except BadTimestamp as error:
            found.broken.append(Problem(path, 0, str(error)))
            continue
        if stamp.head in heads:
            made.append((stamp.head, at))
        else:
            found.broken.append(
                Problem(path, 0, "is of a line that is not in the record: cut off, changed, or not fetched")
            )
    return made


def _stamps(chain: Checked, roots: Sequence[x509.Certificate], found: Findings) -> list[tuple[str, datetime]]:
    """(line hash, time) of the timestamps a chain holds."""
    numbers = {head: n for n, head in enumerate(chain.hashes, start=1)}
    made = []
    for line, number in zip(chain.lines, chain.numbers, strict=True):
        try:
            stamp = Timestamp.of(line.entry.body)
            if stamp is None:
                continue
            at = stamp.time(roots)
        except BadTimestamp as error:
            found.broken.append(chain.problem(line, str(error)))
            continue
        if numbers.get(stamp.head, number) < number:
            made.append((stamp.head, at))
        else:
            found.broken.append(chain.problem(line, "its timestamp is of no line before it"))
    return made


def _logged(chain: Checked, log_keys: Sequence[LogKey], found: Findings) -> list[tuple[str, datetime]]:
    """(line hash, time) of the log entries a chain holds."""
    lines = dict(zip(map(chain.hash_at, chain.numbers), chain.lines, strict=True))
    numbers = {head: n for n, head in enumerate(chain.hashes, start=1)}
    made = []
    for line, number in zip(chain.lines, chain.numbers, strict=True):
        try:
            entry = LogEntry.of(line.entry.body)
            if entry is None:
                continue
            of = lines.get(entry.head)
            if of is None or numbers[entry.head] >= number:
                raise BadLogEntry("its log entry is of no line before it")
            key = next((key for key in log_keys if key.id == entry.entry.get("logID")), next(iter(log_keys), None))
            made.append((entry.head, entry.time(key, str(of.entry.body.get(KEY)))))
        except BadLogEntry as error:
            found.broken.append(chain.problem(line, str(error)))
    return made


def _in_order(stamps: Sequence[tuple[str, datetime]], chain: Checked) -> list[tuple[int, datetime]]:
    """(line number, when that line was there at the latest): a later line's time is a bound for those before it."""
    numbers = {head: n for n, head in enumerate(chain.hashes, start=1)}
    made: list[tuple[int, datetime]] = []
    for number, at in sorted(((numbers[head], at) for head, at in stamps), reverse=True):
        made.append((number, min(at, made[-1][1]) if made else at))
    return made[::-1]


def _check_lines(chain: Checked, stamps: Sequence[tuple[int, datetime]], found: Findings) -> None:
    name, numbers = chain.path.name, [number for number, _ in stamps]
    late: list[tuple[Line, datetime]] = []
    ahead: list[tuple[Line, datetime]] = []
    after = 0
    for line, number in zip(chain.lines, chain.numbers, strict=True):
        at = bisect_left(numbers, number)
        if at == len(stamps):
            after += 1
        elif stamps[at][1] - line.entry.ts > WITHIN:
            late.append((line, stamps[at][1]))
        elif line.entry.ts - stamps[at][1] > SLACK:
            ahead.append((line, stamps[at][1]))
    for listed, how in ((late, "is only known to have been there at"), (ahead, "was there already at")):
        if listed:
            first, at_time = listed[0]
            more = f", and {_count(len(listed) - 1, 'line')} more" if len(listed) > 1 else ""
            found.unproven.append(
                f"{chain.place(first)}: says {first.entry.ts:%H:%M:%S} and {how} {at_time:%Y-%m-%d %H:%M:%S}Z{more}; "
                "a timestamp taken soon after it would have proven it"
            )
    if after:
        found.unproven.append(
            f"when the last {_count(after, 'line')} of {name} {'was' if after == 1 else 'were'} written: "
            "after the last timestamp; a later one would prove it (cockpit journal timestamp)"
        )


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number} {noun.removesuffix('y') + 'ie' if noun.endswith('y') else noun}s"
