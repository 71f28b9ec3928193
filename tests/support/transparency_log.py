"""A transparency log of the test's own that speaks Rekor's v1 API over HTTP: a Merkle tree in memory, signed with its key."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from support.http_server import serving


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1, by its recursive definition."""
    if len(leaves) == 1:
        return _hash(b"\0" + leaves[0])
    k = _split(len(leaves))
    return _hash(b"\1" + tree_root(leaves[:k]) + tree_root(leaves[k:]))


def audit_path(at: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1, by its recursive definition."""
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if at < k:
        return [*audit_path(at, leaves[:k]), tree_root(leaves[k:])]
    return [*audit_path(at - k, leaves[k:]), tree_root(leaves[:k])]


class TransparencyLog:
    """Its key, and what it has taken in; `before` entries of others come first."""

    def __init__(self, before: int = 5) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.pem = public.public_bytes(serialization.Encoding.PEM, form).decode()
        self.id = hashlib.sha256(public.public_bytes(serialization.Encoding.DER, form)).hexdigest()
        self.leaves = [f'{{"other":{n}}}'.encode() for n in range(before)]
        self.offset = 1_000
        """Entries of the log's earlier trees: the index of an entry is not its place in this tree."""
        self.asked = 0

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def add(self, proposed: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """HTTP status and answer, as Rekor gives them."""
        spec = proposed["spec"]
        public = serialization.load_pem_public_key(base64.b64decode(spec["signature"]["publicKey"]["content"]))
        assert isinstance(public, ec.EllipticCurvePublicKey)
        head = bytes.fromhex(spec["data"]["hash"]["value"])
        try:
            public.verify(base64.b64decode(spec["signature"]["content"]), head, ec.ECDSA(Prehashed(hashes.SHA256())))
        except InvalidSignature:
            return 400, {"code": 400, "message": "error processing entry: verifying signature"}
        body = json.dumps(proposed, sort_keys=True, separators=(",", ":")).encode()
        if body in self.leaves:
            return 409, {"code": 409, "message": "an equivalent entry already exists"}
        self.leaves.append(body)
        return 201, {"24296fb24b8ad77a" + _hash(b"\0" + body).hex(): self.entry(len(self.leaves) - 1)}

    def entry(self, at: int) -> dict[str, Any]:
        size, root = len(self.leaves), tree_root(self.leaves)
        note = f"log.test - 1\n{size}\n{base64.b64encode(root).decode()}\n"
        signed = base64.b64encode(bytes.fromhex(self.id)[:4] + self.sign(note.encode())).decode()
        made: dict[str, Any] = {
            "body": base64.b64encode(self.leaves[at]).decode(),
            "integratedTime": int(time.time()),
            "logID": self.id,
            "logIndex": self.offset + at,
        }
        promise = self.sign(json.dumps(made, sort_keys=True, separators=(",", ":")).encode())
        proof = {
            "checkpoint": f"{note}\n\u2014 log.test {signed}\n",
            "hashes": [each.hex() for each in audit_path(at, self.leaves)],
            "logIndex": at,
            "rootHash": root.hex(),
            "treeSize": size,
        }
        return made | {
            "verification": {
                "inclusionProof": proof,
                "signedEntryTimestamp": base64.b64encode(promise).decode(),
            }
        }

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
            given = json.loads(await reader.readexactly(length))
            method, path, _ = head.split(" ", 2)
            self.asked += 1
            status, answer = self.add(given) if (method, path) == ("POST", "/api/v1/log/entries") else (404, {})
            body = json.dumps(answer).encode()
            writer.write(
                b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                % (status, len(body))
                + body
            )
            await writer.drain()
        writer.close()


@asynccontextmanager
async def log_server(log: TransparencyLog) -> AsyncIterator[str]:
    """Its address."""
    async with serving(log.answer) as port:
        yield f"http://127.0.0.1:{port}"
