"""What a person signs with their own key: a statement, the same whether or not it has its place in the chain yet.

A signature of the whole payload would hold the chain up while someone looks for their security key. So a person signs
{record, type, by, body} as one text. The text stands beside the signature in the line; it must say exactly what the line
says, and no two lines of a record may carry the same one. `jq -j '.sigs[1].statement'` gives what `ssh-keygen -Y verify`
checks, `jq -r '.sigs[1].sshsig'` the signature.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cockpit.journal.entry import PERSONAL, JournalEntry, Line, Type
from cockpit.journal.ssh.sshsig import Signature, Signer, SshError, sign, verify
from probes.frozen import frozen


@frozen
class SignedText:
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
    def of(cls, record: str, entry: JournalEntry) -> SignedText:
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
        return SignedText.of(record, line.entry).check(line.sigs[1])
    except SshError as error:
        raise SshError(f"the signature of {line.entry.actor.id[:80]} does not hold: {error}") from None
