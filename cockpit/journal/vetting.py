"""What may be fetched of another machine's chain: only what that machine vouches for.

Anybody who can write to a shared record can put objects there under any name. The name of a writer carries the key of its
machine; every session in its chain must be vouched for by that key, every line must follow the one before it, and what is
fetched must end with a line its session signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cockpit.journal.dsse import Verifier
from cockpit.journal.entry import BadLine, Line, Type, hash_of, parse
from cockpit.journal.machine import vouching
from cockpit.journal.provenance import session_of
from probes.frozen import frozen

_KEYED = re.compile(r".+-(?P<key>[0-9a-f]{16})(-\d{1,2})?")
_RECORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


def is_keyed(writer: str) -> bool:
    """Whether the name of a writer carries a machine's key, as that of every cockpit does."""
    return _KEYED.fullmatch(writer) is not None


def is_record_name(text: str) -> bool:
    """Whether a record may be called so: a plain name, which leads into no other folder."""
    return _RECORD.fullmatch(text) is not None


class Refused(ValueError):  # noqa: N818 - what becomes of it
    """These lines are not the writer's; the message says why."""


class Foreign(Refused):
    """They are no lines of this record, whoever wrote them."""


@frozen
class Vetted:
    """A chain as far as it was vetted."""

    writer: str
    record: str = ""
    """The record it must belong to; empty until its first line says."""
    head: str = ""
    session: Verifier | None = None

    def then(self, raws: Iterable[bytes], *, signed: bool = True) -> Vetted:
        """The chain with more whole lines. Raises Refused. Without `signed` they may end with a line nobody signed."""
        record, head, session = self.record, self.head, self.session
        last: Line | None = None
        for raw in raws:
            try:
                last = parse(raw)
            except BadLine:  # what a crash left: the line after it commits to it
                last, head = None, hash_of(raw)
                continue
            if last.entry.prev != head:
                raise Refused("a line does not follow the one before it")
            if last.entry.type is Type.OPEN:
                record, session = self._opened(last, record)
            head = last.hash
        if signed and (
            last is None or session is None or not last.sigs or not session.accepts(last.payload, last.sigs[0])
        ):
            raise Refused("its last line is not signed by a session of this writer")
        return Vetted(self.writer, record, head, session)

    def _opened(self, line: Line, record: str) -> tuple[str, Verifier]:
        body, public = line.entry.body, session_of(line)
        keyed = _KEYED.fullmatch(self.writer)
        if keyed is None:
            raise Foreign("the name of its writer carries no key")
        if vouching(body, public) != keyed["key"] or body.get("writer") != self.writer:
            raise Refused("it was not written by the machine whose key its name carries")
        stated = str(body.get("record"))
        if not is_record_name(stated):
            raise Foreign(f"{stated[:40]!r} is not the name of a record")
        if record not in ("", stated):
            raise Foreign(f"it belongs to the record {stated}, not to {record}")
        try:
            return stated, Verifier(public)
        except ValueError as error:
            raise Refused(str(error)) from None


def whole_lines(data: bytes) -> list[bytes]:
    """The lines of some bytes, each with its newline; a last one without one is left out."""
    return [raw + b"\n" for raw in data.split(b"\n")[:-1]]
