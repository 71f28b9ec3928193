"""Entries of a transparency log that speaks Rekor's v1 API: a log's promise that the hash of a line was public at a time.

What is logged is the SHA-256 of a line, as the chain has it, signed with a key of the session that the line itself names. An
entry is checked offline with the log's public key: its signed entry timestamp, its Merkle inclusion proof (RFC 6962) and the
log's signature of the tree's root.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from cockpit.journal.dsse import from_base64
from cockpit.journal.entry import Type
from cockpit.journal.writer import Draft
from probes.frozen import frozen

KIND = "log_entry"
KEY = "log_key"
"""In the line that is logged: the public key, base64 of DER, that signs its hash."""
PATH = "/api/v1/log/entries"
MOST_BYTES = 64 * 1024
"""Of one entry."""
MOST_HASHES = 64
_SHA256 = ec.ECDSA(hashes.SHA256())
_OF_HASH = ec.ECDSA(Prehashed(hashes.SHA256()))


class BadLogEntry(ValueError):  # noqa: N818 - what is wrong with it
    """An entry that proves nothing; the message says why."""


class EntryKey:
    """Signs the hashes of a session's lines for a log, which takes no Ed25519 of a hash; it ends with the process."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> str:
        """Base64 of DER."""
        return base64.b64encode(_der(self._key.public_key())).decode()

    def proposed(self, head: str) -> dict[str, Any]:
        """What to POST to the log for this hash."""
        signature = self._key.sign(bytes.fromhex(head), _OF_HASH)
        pem = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": head}},
                "signature": {
                    "content": base64.b64encode(signature).decode(),
                    "publicKey": {"content": base64.b64encode(pem).decode()},
                },
            },
        }


@frozen
class LogKey:
    """A log's public key, as the plan names it."""

    key: ec.EllipticCurvePublicKey

    @classmethod
    def read(cls, pem: str) -> LogKey:
        """Raises ValueError unless it is a PEM public key of an elliptic curve."""
        try:
            key = serialization.load_pem_public_key(pem.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ValueError(f"is no PEM public key: {error}") from None
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("is not a public key of an elliptic curve (ECDSA)")
        return cls(key)

    @property
    def id(self) -> str:
        """How a log calls itself: SHA-256 of the key's DER, hex."""
        return hashlib.sha256(_der(self.key)).hexdigest()

    def accepts(self, signature: bytes, data: bytes) -> bool:
        try:
            self.key.verify(signature, data, _SHA256)
        except InvalidSignature:
            return False
        return True


@frozen
class LogEntry:
    """What a log answered about one line."""

    head: str
    """Hash of the line, hex."""
    entry: Mapping[str, Any]
    """As the log's API gives it: body, integratedTime, logID, logIndex, verification."""
    where: str = ""
    """The log's host."""

    def draft(self) -> Draft:
        return Draft(Type.ANCHOR, {"kind": KIND, "where": self.where, "head": self.head, "rekor": dict(self.entry)})

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> LogEntry | None:
        """The log entry a body holds; None for a body of another kind. Raises BadLogEntry."""
        if body.get("kind") != KIND:
            return None
        head, entry = body.get("head"), body.get("rekor")
        if not isinstance(head, str) or not isinstance(entry, dict):
            raise BadLogEntry("its log entry cannot be read: head or rekor is missing")
        return cls(head, entry, str(body.get("where", "")))

    @classmethod
    def answered(cls, head: str, answer: bytes, where: str) -> LogEntry:
        """From the answer to a POST. Raises BadLogEntry."""
        try:
            (entry,) = json.loads(answer).values()
            kept = {name: entry[name] for name in ("body", "integratedTime", "logID", "logIndex", "verification")}
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            raise BadLogEntry("the answer holds no log entry") from None
        return cls(head, kept, where)

    def time(self, key: LogKey | None, signer: str) -> datetime:
        """When the log took it in. Raises BadLogEntry.

        `signer`: the key the line itself names. Without the log's `key` only that the entry is of this line is checked.
        """
        try:
            body = from_base64(self.entry["body"])
            self._check_subject(json.loads(body), signer)
            at = datetime.fromtimestamp(_whole(self.entry["integratedTime"]), UTC)
            if key is not None:
                self._check_promise(key)
                self._check_inclusion(key, body)
        except BadLogEntry:
            raise
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError, AttributeError, OSError) as error:
            raise BadLogEntry(f"its log entry cannot be read: {error}"[:200]) from None
        return at

    def _check_subject(self, body: Any, signer: str) -> None:
        spec = body["spec"]
        if body["kind"] != "hashedrekord" or spec["data"]["hash"] != {"algorithm": "sha256", "value": self.head}:
            raise BadLogEntry("its log entry is of another line")
        public = serialization.load_pem_public_key(from_base64(spec["signature"]["publicKey"]["content"]))
        if not isinstance(public, ec.EllipticCurvePublicKey) or base64.b64encode(_der(public)).decode() != signer:
            raise BadLogEntry("its log entry was made with another key than the line names")
        try:
            public.verify(from_base64(spec["signature"]["content"]), bytes.fromhex(self.head), _OF_HASH)
        except InvalidSignature:
            raise BadLogEntry("its log entry holds a signature that is not of the line") from None

    def _check_promise(self, key: LogKey) -> None:
        if self.entry["logID"] != key.id:
            raise BadLogEntry("its log entry is of another log than the plan names")
        names = ("body", "integratedTime", "logID", "logIndex")
        promised = json.dumps({name: self.entry[name] for name in names}, separators=(",", ":"), sort_keys=True)
        if not key.accepts(from_base64(self.entry["verification"]["signedEntryTimestamp"]), promised.encode()):
            raise BadLogEntry("its time is not signed by the log the plan names")

    def _check_inclusion(self, key: LogKey, body: bytes) -> None:
        proof = self.entry["verification"]["inclusionProof"]
        index, size, path = _whole(proof["logIndex"]), _whole(proof["treeSize"]), proof["hashes"]
        if not isinstance(path, list) or len(path) > MOST_HASHES:
            raise BadLogEntry("its inclusion proof is no list of hashes")
        root = root_of(leaf_hash(body), index, size, [bytes.fromhex(each) for each in path])
        if root is None or root.hex() != proof["rootHash"]:
            raise BadLogEntry("its inclusion proof does not lead to the root it names")
        if not _signs(key, str(proof["checkpoint"]), size, root):
            raise BadLogEntry("the root of its inclusion proof is not signed by the log the plan names")


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a proof leads to (RFC 9162, 2.1.3.2); None where it is too long or too short for that place."""
    if not 0 <= index < size:
        return None
    at, last, made = index, size - 1, leaf
    for each in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            made = node_hash(each, made)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            made = node_hash(made, each)
        at, last = at >> 1, last >> 1
    return made if last == 0 else None


def _signs(key: LogKey, checkpoint: str, size: int, root: bytes) -> bool:
    """Whether a signed note names this tree and holds the log's signature: origin, size, root, a blank line, signatures."""
    note, _, signatures = checkpoint.partition("\n\n")
    lines = note.split("\n")
    if len(lines) < 3 or lines[1] != str(size) or lines[2] != base64.b64encode(root).decode():
        return False
    hint = bytes.fromhex(key.id)[:4]
    for line in signatures.splitlines():
        mark, _, rest = line.partition(" ")
        raw = from_base64(rest.rpartition(" ")[2]) if mark == "\u2014" else b""
        if raw[:4] == hint and key.accepts(raw[4:], f"{note}\n".encode()):
            return True
    return False


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a number is none")
    return value


def _der(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
