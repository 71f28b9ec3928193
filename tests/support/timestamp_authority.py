"""A timestamp authority of the test's own: OpenSSL's, with a certificate made for it, over HTTP where asked."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from support.http_server import serving

CONFIG = """
[ tsa ]
default_tsa = tsa1
[ tsa1 ]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[ ca ]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[ signer ]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
"""


class TimestampAuthority:
    """Certificates in a folder; `reply` stamps with the machine's clock."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.ca = folder / "ca.pem"
        self.config = folder / "tsa.conf"
        self.config.write_text(CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")
        key = ("-newkey", "rsa:2048", "-nodes", "-config", str(self.config))
        _openssl(
            "req",
            "-x509",
            *key,
            "-keyout",
            f"{folder}/ca.key",
            "-out",
            str(self.ca),
            "-subj",
            "/CN=root",
            "-extensions",
            "ca",
        )
        _openssl("req", "-new", *key, "-keyout", f"{folder}/tsa.key", "-out", f"{folder}/tsa.csr", "-subj", "/CN=tsa")
        signing = ("-CA", str(self.ca), "-CAkey", f"{folder}/ca.key", "-CAcreateserial", "-days", "30")
        extensions = ("-extfile", str(self.config), "-extensions", "signer")
        _openssl("x509", "-req", "-in", f"{folder}/tsa.csr", *signing, *extensions, "-out", f"{folder}/tsa.pem")
        self.asked = 0

    def reply(self, query: bytes) -> bytes:
        (self.folder / "query").write_bytes(query)
        out = self.folder / "reply"
        _openssl("ts", "-reply", "-config", str(self.config), "-queryfile", f"{self.folder}/query", "-out", str(out))
        self.asked += 1
        return out.read_bytes()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            body = await asyncio.to_thread(self.reply, await reader.readexactly(length))
            writer.write(b"HTTP/1.1 200 X\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def timestamp_server(authority: TimestampAuthority) -> AsyncIterator[str]:
    """Its address."""
    async with serving(authority.answer) as port:
        yield f"http://127.0.0.1:{port}/tsr"


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, stdin=subprocess.DEVNULL)
