"""What a person signs with their own key: a statement, the same whether or not it has its place in the chain yet.

A signature of the whole payload would hold the chain up while someone looks for their security key. So a person signs
{record, type, by, body} as one text. The text stands beside the signature in the line; it must say exactly what the line
says, and no two lines of a record may carry the same one. `jq -j '.sigs[1].statement'` gives what `ssh-keygen -Y verify`
checks, `jq -r '.sigs[1].sshsig'` the signature.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cockpit.decide.events import Entry as Kept
from cockpit.decide.events import SignOff, Vote
from cockpit.journal.entry import PERSONAL, Entry, Line, Type
from cockpit.journal.ssh.allowed_signers import public_of
from cockpit.journal.ssh.sshsig import Signature, Signer, SshError, fingerprint, sign, verify
from cockpit.plan.model import Person, Plan


@dataclass(frozen=True, slots=True)
class Statement:
    """What one person states in one record."""

    record: str
    type: Type
    by: str
    """The person's id: the principal in allowed_signers."""
    body: Mapping[str, Any]
    """As the line has it, secrets hidden."""

    @property
    def text(self) -> str:
        given = {"record": self.record, "type": str(self.type), "by": self.by, "body": self.body}
        return json.dumps(given, separators=(",", ":"), allow_nan=False)

    def signed(self, signer: Signer) -> Mapping[str, str]:
        """One member of `sigs`. Waits for the key: call it in a thread. Raises SshError."""
        armored = sign(signer, self.text.encode())
        return {"keyid": verify(armored, self.text.encode()).fingerprint, "statement": self.text, "sshsig": armored}

    def check(self, sig: Mapping[str, str]) -> Signature:
        """The signature, if it is one of exactly this. Raises SshError; says nothing about whose key it is."""
        if set(sig) != {"keyid", "statement", "sshsig"}:
            raise SshError("not a person's signature")
        if self.body.get("by", self.by) != self.by:
            raise SshError(f"{self.by[:60]} signed what {str(self.body['by'])[:60]} is recorded to have stated")
        if sig["statement"] != self.text:
            raise SshError("what was signed is not what the entry says")
        signature = verify(sig["sshsig"], self.text.encode())
        if signature.fingerprint != sig["keyid"]:
            raise SshError(f"signed with {signature.fingerprint}, not with {sig['keyid'][:60]}")
        return signature

    @classmethod
    def of(cls, record: str, entry: Entry) -> Statement:
        return cls(record, entry.type, entry.actor.id, entry.body)


def personal_signature(line: Line, record: str) -> Signature | None:
    """The signature of the person a line speaks of; None where no key signed it.

    `record` is the record's id, which the person signed for. Raises SshError where a signature does not hold or may not be
    there. Whose key it is, `allowed_signers` or the plan say.
    """
    if line.entry.type not in PERSONAL:
        if len(line.sigs) > 1:
            raise SshError(f"a {line.entry.type} is not signed by a person")
        return None
    if len(line.sigs) < 2:
        return None
    if len(line.sigs) > 2:
        raise SshError("more than one person's signature")
    try:
        return Statement.of(record, line.entry).check(line.sigs[1])
    except SshError as error:
        raise SshError(f"the signature of {line.entry.actor.id[:80]} does not hold: {error}") from None


def key_of(line: Line, record: str, keys: Mapping[str, str] | None = None) -> str:
    """Fingerprint of the key that signed a line; empty where none did, none holds, or it is not its person's.

    `keys`: person's id -> fingerprint, as the plan names them; whoever has none there may use any key.
    """
    try:
        signature = personal_signature(line, record)
    except SshError:
        return ""
    if signature is None:
        return ""
    by = str(line.entry.body.get("by") or line.entry.actor.id)
    return signature.fingerprint if (keys or {}).get(by, signature.fingerprint) == signature.fingerprint else ""


def vouched(entry: Kept, line: Line, record: str, keys: Mapping[str, str]) -> Kept:
    """The entry of a line, without its key where the line lacks the signature it names. `keys`: see `key_of`."""
    if not isinstance(entry, SignOff | Vote) or not entry.key or entry.key == key_of(line, record, keys):
        return entry
    return replace(entry, key="")


def keys_of(plan: Plan) -> dict[str, str]:
    """Person's id -> fingerprint of the key the plan names for them."""
    return {person.id: fingerprint(public_of(person.ssh_key)) for person in plan.people if has_key(person)}


def has_key(person: Person) -> bool:
    """Whether the plan names a key for them that can be read."""
    try:
        return bool(person.ssh_key) and bool(public_of(person.ssh_key))
    except SshError:
        return False
