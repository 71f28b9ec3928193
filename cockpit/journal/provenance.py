"""What a line proves about its entry: who wrote it, whose key signed it, and whether that can be.

Everything deciding is given comes through `Provenance.entry`, so that no entry of a file counts by what it says of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypedDict

from cockpit.decide.events import Decision, Entry, Proof, Waiver
from cockpit.decide.time_doubt import EXECUTE, holds_back, time_doubt
from cockpit.journal.chain import Chain
from cockpit.journal.codec import from_body, moment
from cockpit.journal.dsse import Verifier
from cockpit.journal.entry import Line, Type
from cockpit.journal.machine import is_marked
from cockpit.journal.signed_text import personal_signature
from cockpit.journal.ssh.sshsig import SshError
from cockpit.journal.validity import SHARED_IN, TOOK_IN
from probes.frozen import frozen

LATE = "it arrived long after the time it is dated, while this cockpit was watching the shared record"


@frozen
class _Session:
    verifier: Verifier | None
    opened: datetime
    own: bool


@dataclass(slots=True)
class Provenance:
    """Reads lines in the order of their chains and says what each proves."""

    record: str
    """The record's id: what people sign for."""
    is_own: Callable[[str], bool]
    """Whether a session (its public key, base64) is one of this cockpit's."""
    late: set[str] = field(default_factory=set)
    """Hashes of lines that arrived too late to be what they say."""
    received: dict[str, datetime] = field(default_factory=dict)
    """By hash of a line of another cockpit: when this one learned of it."""
    _sessions: dict[str, _Session] = field(default_factory=dict)

    def entry(self, writer: str, line: Line) -> Entry | None:
        """The entry a line of a writer's chain keeps, with its proof. None for other lines, and where it is malformed."""
        if line.entry.type is Type.OPEN:
            self._sessions[writer] = _opened(line, self.is_own)
        try:
            kept = from_body(line.entry.body)
        except ValueError:
            return None
        if kept is None:
            return None
        proof = self.proof(writer, line)
        if line.hash in self.late:
            proof = replace(proof, late=LATE)
        return self._as_received(replace(kept, proof=proof), line)

    def _as_received(self, entry: Entry, line: Line) -> Entry:
        """An entry of others as of when it was received at the latest: their clock may be fast. What holds back, just then: it
        may be slow, and a no would have lapsed.

        A rollback decided at a time that cannot be is under way, and answers nothing: which trips it names, that time would say.
        """
        received = None if entry.proof.own else self.received.get(line.hash)
        if received is None:
            return entry
        known = replace(entry, proof=replace(entry.proof, received=received))
        less = known
        if isinstance(known, Decision) and known.choice == EXECUTE and time_doubt(known, received):
            less = replace(known, answers=())
        if known.at <= received and not holds_back(less):
            return known
        then = replace(less, at=received, proof=replace(known.proof, stated=entry))
        return replace(then, until=received) if isinstance(then, Waiver) and holds_back(less) else then

    def proof(self, writer: str, line: Line) -> Proof:
        session = self._sessions.get(writer)
        if session is None or session.verifier is None or not _signed(session.verifier, line):
            return Proof(flaw="it is not as any cockpit wrote it: the session's signature does not hold")
        known = Proof(own=session.own, opened=session.opened, written=line.entry.ts)
        try:
            signature = personal_signature(line, self.record)
        except SshError as error:
            return replace(known, flaw=f"{error}")
        if signature is None:
            return known
        return replace(known, key=signature.fingerprint)


def _opened(line: Line, is_own: Callable[[str], bool]) -> _Session:
    public = session_of(line)
    try:
        return _Session(Verifier(public), line.entry.ts, is_own(public))
    except ValueError:
        return _Session(None, line.entry.ts, own=False)


def session_of(line: Line) -> str:
    """The public key, base64, of the session an `open` line begins; empty where it has none."""
    session: Any = line.entry.body.get("session")
    return str(session.get("public", "")) if isinstance(session, Mapping) else ""


def _signed(verifier: Verifier, line: Line) -> bool:
    return bool(line.sigs) and verifier.accepts(line.payload, line.sigs[0])


def marked_sessions(lines: Iterable[Line]) -> list[str]:
    """Sessions among these lines that were opened on this machine. Raises OSError."""
    opens = [line for line in lines if line.entry.type is Type.OPEN]
    return [session_of(line) for line in opens if is_marked(session_of(line), line.entry.body.get("mark"))]


def own_sessions(lines: Iterable[Line]) -> frozenset[str]:
    """Sessions of one cockpit, as its chain names them: its own, and those on the same machine it knew of."""
    opens = [line for line in lines if line.entry.type is Type.OPEN]
    known = {str(each) for line in opens for each in _texts(line.entry.body.get("own"))}
    return frozenset(known | {session_of(line) for line in opens})


def lines_of(chains: Iterable[Chain], sessions: AbstractSet[str]) -> list[Line]:
    """The lines that some sessions wrote."""
    found: list[Line] = []
    for chain in chains:
        own = False
        for line in chain.lines:
            own = session_of(line) in sessions if line.entry.type is Type.OPEN else own
            found += [line] if own else []
    return found


def late_in(lines: Iterable[Line]) -> set[str]:
    """Hashes of lines that a cockpit noted as late. Give its own lines alone: nobody else's note takes a statement away."""
    notes = (line.entry.body for line in lines if line.entry.body.get("kind") == TOOK_IN)
    return {str(text) for body in notes for text in _texts(body.get("late"))}


def receipts(chains: Iterable[Chain], lines: Iterable[Line]) -> dict[str, datetime]:
    """By hash of a line of others: when a cockpit learned of it, as its own lines note it."""
    others = {chain.writer: chain for chain in chains}
    places = {writer: chain.places() for writer, chain in others.items()}
    reached = dict.fromkeys(others, 0)
    found: dict[str, datetime] = {}
    for line in lines:
        body = line.entry.body
        heads = body.get("heads") if line.entry.type is Type.NOTE and body.get("kind") == TOOK_IN else None
        for writer, head in heads.items() if isinstance(heads, Mapping) else ():
            upto = places.get(writer, {}).get(str(head), 0)
            for new in others[writer].lines[reached[writer] : upto] if upto else ():
                found[new.hash] = moment(body["at"]) if "at" in body else line.entry.ts
                reached[writer] = upto
    return found


def share_mark(chains: Iterable[Chain], sessions: Collection[str]) -> str:
    """The object by which some sessions know their share again, as their newest note says; empty where they know of none."""
    found = []
    for chain in chains:
        session: _Session | None = None
        for line in chain.lines:
            if line.entry.type is Type.OPEN:
                session = _opened(line, sessions.__contains__)
            name = line.entry.body.get("object") if line.entry.body.get("kind") == SHARED_IN else None
            if name and session and session.own and session.verifier and _signed(session.verifier, line):
                found.append((line.entry.ts, str(name)))
    return max(found, default=(None, ""), key=lambda each: each[0])[1]


def cut_off(chains: Iterable[Chain], lines: Iterable[Line]) -> dict[str, str]:
    """By writer: the newest line of it that some lines had seen, where that is not there."""
    newest: dict[str, str] = {}
    for line in lines:
        body = line.entry.body
        heads = body.get("heads") if line.entry.type is Type.NOTE and body.get("kind") == TOOK_IN else None
        newest |= line.entry.seen
        newest |= {str(writer): str(head) for writer, head in heads.items()} if isinstance(heads, Mapping) else {}
    places = {chain.writer: chain.places() for chain in chains}
    return {writer: head for writer, head in newest.items() if head not in places.get(writer, {})}


def is_cut(writer: str) -> str:
    """In words, of a chain that `cut_off` found."""
    return f"lines of {writer} are missing: this cockpit had seen more of them than there is of them here now"


def seen_by(chains: Sequence[Chain], record: str, own: AbstractSet[str]) -> Provenance:
    """How the cockpit with these sessions reads a whole record, which it has noted in part before."""
    noted = lines_of(chains, own)
    return Provenance(record, own.__contains__, late_in(noted), receipts(chains, noted))


class Kind(TypedDict):
    """What kind of record it is: fields of a Record."""

    rehearsal: bool
    claimed_because: str


def kind_of(lines: Iterable[tuple[str, Line]], own: AbstractSet[str]) -> Kind:
    """As the newest of one cockpit's own sessions says: nobody else's word makes a record a rehearsal, or allows claims."""
    opens = [line for _, line in lines if line.entry.type is Type.OPEN and session_of(line) in own]
    return kind_opened(opens[-1].entry.body if opens else {})


def kind_opened(body: Mapping[str, object]) -> Kind:
    """As the line says with which a session was opened."""
    return Kind(rehearsal=body.get("rehearsal") is True, claimed_because=str(body.get("claimed_because") or ""))


def main_chain(chains: Sequence[Chain]) -> Chain:
    """The chain of the cockpit a record is looked at from, unless another is named: the one that noted the most changes, of
    those written on this machine if there are any.
    """

    def changed(chain: Chain) -> int:
        return sum(line.entry.body.get("kind") == "change" for line in chain.lines)

    here = [chain for chain in chains if marked_sessions(chain.lines)]
    return max(sorted(here or chains, key=lambda chain: chain.writer), key=changed)


def _texts(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []
