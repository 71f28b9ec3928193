"""A record as a cockpit on this machine sees it, read from its folder while nobody writes it here, or while others do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cockpit.decide.events import LinesMissing, Record
from cockpit.journal.chain import Chain, merged
from cockpit.journal.entry import Line
from cockpit.journal.heads_of_others import line_name
from cockpit.journal.provenance import cut_off, is_cut, kind_of, lines_of, marked_sessions, seen_by
from cockpit.journal.record_folder import RecordFolder


def record_in(folder: RecordFolder) -> Record:
    """The entries of a record as a cockpit on this machine sees them, read-only. Raises OSError."""
    lines = folder.lines()
    own = set(marked_sessions(line for _, line in lines))
    record = Record(**kind_of(lines, own))
    chains = folder.chains()
    provenance = seen_by(chains, folder.id, own)
    for writer, line in merged(chains, provenance.received):
        if (entry := provenance.entry(writer, line)) is not None:
            record.append(entry)
    if cut := _cut_in(chains, lines_of(chains, own)):
        again = folder.chains()  # a cockpit may write while this is read: what it names may have come just after
        cut = {writer: head for writer, head in cut.items() if writer in _cut_in(again, lines_of(again, own))}
    last = max((line.entry.ts for _, line in lines), default=None)
    noted = record.lines_missing or (LinesMissing(last) if last else None)
    if noted and last and (new := sorted(each for each in cut.items() if each[0] not in noted.writers)):
        record.append(
            replace(
                noted,
                at=last,
                of=(*noted.of, *(is_cut(writer) for writer, _ in new)),
                writers=(*noted.writers, *(writer for writer, _ in new)),
                names=(*noted.names, *(line_name(writer, head) for writer, head in new)),
            )
        )
    return record


def _cut_in(chains: Sequence[Chain], own: Sequence[Line]) -> dict[str, str]:
    """By writer, a line that is not there and that this cockpit, or another, had read."""
    found = cut_off(chains, own)
    for chain in chains:
        found |= cut_off(chains, chain.lines)
    return found
