"""Checking a record offline: what is broken and where, and what cannot be proven however intact it looks.

Every line's hash, place, shape and signatures are looked at. A session's signature on its last line covers every line before
it through `prev`, so session signatures are checked there first and line by line only where something does not fit: the proof
is the same, the time a tenth.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography import x509

from cockpit.journal.chain import files, raw_lines
from cockpit.journal.codec import LINES_MISSING
from cockpit.journal.entry import PERSONAL, Line, Type, hash_of
from cockpit.journal.findings import Findings, Problem, Result, Standing, Subject
from cockpit.journal.record_folder import digest_of_copy
from cockpit.journal.signed_text import personal_signature
from cockpit.journal.ssh.allowed_signers import AllowedSigners
from cockpit.journal.ssh.sshsig import SshError
from cockpit.journal.transparency_log import LogKey
from cockpit.journal.verify_chain import Checked, check_chain
from cockpit.journal.verify_readings import check_readings, lost_remarks
from cockpit.journal.verify_time import check_time, clock_remarks

ENDS_MISSING = (
    "The cockpit that wrote them puts them there again while it runs; where it is gone, somebody who decides goes on without "
    "them by name (A in the cockpit)"
)
SHOWN_MISSING = 3
"""Times that lines of others were missing, shown of one chain."""


def verify_record(
    record: Path,
    anchors: Sequence[str] = (),
    allowed: AllowedSigners | None = None,
    roots: Sequence[x509.Certificate] = (),
    log_keys: Sequence[LogKey] = (),
) -> Result:
    """Check a record's folder. `anchors` are heads that were published elsewhere; `roots` are those of the
    authorities whose timestamps count, `log_keys` those of the transparency logs. Raises OSError.

    A record may be checked while it is written: what is added meanwhile is left for the next time.
    """
    rows = {subject: Findings() for subject in Subject}
    remarks: list[str] = []
    chains: list[Checked] = []
    # Somebody may join while the others are read: what those had seen of a newcomer must be there.
    while more := [path for path in files(record / "journal") if path not in {chain.path for chain in chains}]:
        chains += [check_chain(path) for path in more]
    for chain in chains:
        _add(rows[Subject.CHAINS], chain.order)
        _add(rows[Subject.SIGNATURES], chain.signatures)
    if not any(chain.lines for chain in chains):
        rows[Subject.CHAINS].unproven.append("anything: the record holds no entry")
    _check_anchors(chains, anchors, rows[Subject.COMPLETENESS])
    _check_seen(chains, rows[Subject.COMPLETENESS])
    _check_missing(chains, rows[Subject.COMPLETENESS], remarks)
    _check_ends(chains, rows[Subject.COMPLETENESS])
    _check_record(chains, rows[Subject.CHAINS], remarks)
    _check_plans(record, chains, rows[Subject.PLAN])
    _add(rows[Subject.READINGS], check_readings(record / "readings.sqlite", chains))
    _add(rows[Subject.TIME], check_time(record, chains, roots, log_keys))
    dated = rows[Subject.TIME].standing is Standing.PROVEN
    _check_people(chains, allowed, rows[Subject.SIGNERS], dated=dated)
    remarks += [*clock_remarks(chains), *lost_remarks(chains)]
    if allowed is not None:
        remarks += [f"not used: {line}" for line in allowed.skipped]
    heads = {chain.writer: chain.hashes[-1] for chain in chains if chain.hashes}
    ordered = {subject: row.in_order() for subject, row in rows.items()}
    return Result(ordered, remarks, heads, sum(len(chain.lines) for chain in chains))


def _add(row: Findings, more: Findings) -> None:
    row.broken += more.broken
    row.unproven += more.unproven


def _opens(chain: Checked) -> list[Line]:
    return [line for line in chain.lines if line.entry.type is Type.OPEN]


def _check_record(chains: Sequence[Checked], found: Findings, remarks: list[str]) -> None:
    """Every session says it belongs to the same record, and to the file it stands in."""
    ids = [(chain, line, line.entry.body.get("record")) for chain in chains for line in _opens(chain)]
    for chain, line, id_ in ids:
        if id_ != ids[0][2]:
            found.broken.append(
                chain.problem(line, f"belongs to the record {str(id_)[:80]}, not to {str(ids[0][2])[:80]}")
            )
        if line.entry.body.get("writer") != chain.writer:
            what = str(line.entry.body.get("writer"))[:80]
            found.broken.append(chain.problem(line, f"was written to {what}.jsonl, not to this file"))
    remarks += [
        f"{chain.path.name} has no close at its end: it goes on, or its session was cut short"
        for chain in chains
        if chain.lines and chain.lines[-1].entry.type is not Type.CLOSE
    ]


def _check_seen(chains: Sequence[Checked], found: Findings) -> None:
    """What a writer had seen of another is there, and never less than it had seen before."""
    places = {chain.writer: {head: n for n, head in enumerate(chain.hashes)} for chain in chains}
    newer = {chain.writer: chain for chain in chains}
    for chain in chains:
        last: dict[str, int] = {}
        for line in chain.lines:
            for writer, head in line.entry.seen.items():
                if writer in newer and head not in places[writer]:
                    # Read before this chain was, it may have grown since; once more is enough.
                    places[writer] = {each: n for n, each in enumerate(map(hash_of, raw_lines(newer.pop(writer).path)))}
                at = places.get(writer, {}).get(head)
                if at is None:
                    if last.get(writer) != -1:
                        what = f"had seen a line of {writer[:80]} that is not there: cut off, changed, or not fetched"
                        found.broken.append(chain.problem(line, what))
                    last[writer] = -1
                elif at < last.get(writer, 0):
                    found.broken.append(chain.problem(line, f"had seen more of {writer[:80]} before"))
                else:
                    last[writer] = at


def _check_missing(chains: Sequence[Checked], found: Findings, remarks: list[str]) -> None:
    """What a cockpit noted as missing of others: at its end it still is."""
    for chain in chains:
        noted = [line for line in chain.lines if line.entry.body.get("kind") == LINES_MISSING]
        if noted and (still := _missing_in(noted[-1])):
            found.unproven.append(
                f"what others wrote that {chain.writer} did not have: {'; '.join(still)}. {ENDS_MISSING}"
            )
        remarks += [
            f"{chain.place(line)}: {text}" for line in noted[:-1][-SHOWN_MISSING:] for text in _missing_in(line)
        ]


def _missing_in(line: Line) -> list[str]:
    """The sentences of such a note; none where it is not what a cockpit writes."""
    of, unread = line.entry.body.get("of"), line.entry.body.get("unread")
    away = [f"the share was not read since {unread}"] if isinstance(unread, str) else []
    return [*([str(text) for text in of] if isinstance(of, list | tuple) else []), *away]


def _check_ends(chains: Sequence[Checked], found: Findings) -> None:
    """Of a session of a shared record that did not close there may have been more, which nobody else had read."""
    if not any(line.entry.body.get("shared") is True for chain in chains for line in _opens(chain)):
        return
    found.unproven += [
        f"that {chain.writer} wrote nothing after {chain.place(chain.lines[-1])}: its session has no close, and lines that "
        "nobody else had read leave no trace when they are taken out of a share"
        for chain in chains
        if chain.lines and chain.lines[-1].entry.type is not Type.CLOSE
    ]


def _check_people(chains: Sequence[Checked], allowed: AllowedSigners | None, found: Findings, *, dated: bool) -> None:
    """`dated`: the times of the lines are proven; else a key that is valid for a time proves nothing by itself."""
    statements: set[str] = set()
    unsigned: dict[str, int] = {}
    unknown: dict[tuple[str, str], int] = {}
    undated: dict[tuple[str, str], int] = {}
    for chain in chains:
        for line in chain.lines:
            problem = _check_person(chain, line, allowed, statements, unsigned, unknown)
            if problem:
                found.broken.append(chain.problem(line, problem))
            elif allowed is not None and not dated and (bounded := _bounded_key(chain, line, allowed)):
                undated[bounded] = undated.get(bounded, 0) + 1
    for (who, key), times in sorted(undated.items()):
        found.unproven.append(
            f"that {who} made {_count(times)} while {key} was valid: the time is what the writer says. "
            "Timestamps would prove it (--tsa-ca)"
        )
    for who, times in sorted(unsigned.items()):
        found.unproven.append(f"that {who} made {_count(times)} under this name: not cryptographically signed")
    for (who, key), times in sorted(unknown.items()):
        why = "the allowed signers do not know it" if allowed else "give --allowed-signers to tie it to a person"
        found.unproven.append(f"that {who} made {_count(times)} signed with {key}: {why}")


def _bounded_key(chain: Checked, line: Line, allowed: AllowedSigners) -> tuple[str, str] | None:
    """(person, fingerprint) of a line signed with a key that stands for them only for a time."""
    signature = personal_signature(line, chain.record_at(line))
    if signature is None or not allowed.bounded(line.entry.actor.id, signature.public):
        return None
    return line.entry.actor.id[:80], signature.fingerprint


def _check_person(
    chain: Checked,
    line: Line,
    allowed: AllowedSigners | None,
    statements: set[str],
    unsigned: dict[str, int],
    unknown: dict[tuple[str, str], int],
) -> str:
    """What is wrong with an entry of a person, or an empty text."""
    entry = line.entry
    try:
        signature = personal_signature(line, chain.record_at(line))
    except SshError as error:
        return str(error)
    if signature is None:
        if entry.type in PERSONAL:
            who = str(entry.body.get("by") or entry.actor.id)[:80]
            unsigned[who] = unsigned.get(who, 0) + 1
        return ""
    statement = line.sigs[1]["statement"]
    if statement in statements:
        return "the same statement stands in the record twice: one is a copy"
    statements.add(statement)
    if allowed is None or not allowed.knows(signature.public):
        key = entry.actor.id[:80], signature.fingerprint
        unknown[key] = unknown.get(key, 0) + 1
        return ""
    if not allowed.allows(entry.actor.id, signature.public, entry.ts):
        return f"{signature.fingerprint} is not a key of {entry.actor.id[:80]}, or was not valid then"
    return ""


def _check_plans(record: Path, chains: Sequence[Checked], found: Findings) -> None:
    """The copies of the plan are the plans the journal names."""
    named = {
        str(line.entry.body["plan_digest"])
        for chain in chains
        for line in chain.lines
        if line.entry.type in (Type.OPEN, Type.PLAN_CHANGED) and line.entry.body.get("plan_digest")
    }
    kept = {path: digest_of_copy(path) for path in sorted(record.glob("plan*.yaml"))}
    for path, digest in kept.items():
        if digest not in named and any(chain.lines for chain in chains):
            found.broken.append(Problem(path, 0, "is not a plan the journal names: it was changed"))
    for digest in sorted(named - set(kept.values())):
        found.unproven.append(f"the content of plan {digest[:12]}: its copy is not in the record")


def _check_anchors(chains: Sequence[Checked], anchors: Sequence[str], found: Findings) -> None:
    """Nothing before an anchor can have been cut off. Lines after it are not proven."""
    places = {head: (chain.writer, n) for chain in chains for n, head in enumerate(chain.hashes)}
    reached = dict.fromkeys((chain.writer for chain in chains), 0)
    for anchor in anchors:
        if anchor not in places:
            what = f"the anchor {anchor} is not in the record: lines were cut off, or the record was replaced"
            found.broken.append(Problem(_last_file(chains), len(chains[-1].hashes) if chains else 0, what))
            continue
        _reach(chains, places, anchor, reached)
    if not anchors and chains:
        found.unproven.append(
            "that the record was not rewritten as a whole, nor cut off: no anchor was given; a head that was posted to Slack or "
            "PagerDuty, or printed at a gate, would prove it (--anchor)"
        )
    for chain in chains:
        left = len(chain.hashes) - reached[chain.writer]
        if left and anchors:
            lines = "line" if left == 1 else "lines"
            found.unproven.append(
                f"that nothing was cut off the end of {chain.path.name}: its last {left} {lines} came after the anchor; "
                "a later head would prove it"
            )


def _reach(
    chains: Sequence[Checked], places: Mapping[str, tuple[str, int]], anchor: str, reached: dict[str, int]
) -> None:
    """Mark every line an anchor commits to: those before it, and what they had seen of other chains."""
    by_name = {chain.writer: chain for chain in chains}
    waiting = [anchor]
    while waiting:
        writer, n = places[waiting.pop()]
        start, reached[writer] = reached[writer], max(reached[writer], n + 1)
        chain = by_name[writer]
        for line in chain.lines[bisect_right(chain.numbers, start) : bisect_right(chain.numbers, n + 1)]:
            waiting += [head for head in line.entry.seen.values() if head in places]


def _last_file(chains: Sequence[Checked]) -> Path:
    return chains[-1].path if chains else Path("journal")


def _count(times: int) -> str:
    return "1 entry" if times == 1 else f"{times} entries"
