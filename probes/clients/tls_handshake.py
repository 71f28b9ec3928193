"""One TLS handshake with one address, verified where it can be; the certificate is shown even where it cannot."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from contextlib import suppress
from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

from probes.clients.resolver import is_address
from probes.frozen import frozen
from probes.reading import Reason, Unknown, Unseen

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_ROUTE = "slow, or the route drops packets: check VPN"


@frozen
class Shown:
    """What one address showed. `fault` is why its certificate is not accepted; empty when it is."""

    address: str
    fingerprint: str
    not_after: datetime
    names: tuple[str, ...]
    issuer: str
    protocol: str
    fault: str = ""


async def shown_by(address: str, port: int, host: str, trust: ssl.SSLContext, timeout_s: float) -> Shown:
    """Shake hands with `address`, naming `host`. Raises Unseen when no certificate could be seen within `timeout_s`."""
    place = f"{address} port {port}"
    try:
        async with asyncio.timeout(timeout_s):
            try:
                return _shown(address, await _handshake(address, port, host, trust))
            except ssl.SSLCertVerificationError as error:
                fault = error.verify_message or "not valid"
            return _shown(address, await _handshake(address, port, host, _trusting_anybody()), fault)
    except TimeoutError:
        detail = f"{place}: no TLS handshake within {timeout_s:g} s"
        raise Unseen(Unknown(Reason.TIMEOUT, detail, _ROUTE)) from None
    except ssl.SSLError as error:
        detail = f"{place}: TLS handshake failed: {error.reason or 'no reason given'}"
        raise Unseen(Unknown(Reason.ERROR, detail, "check that this port speaks TLS, and its versions")) from None
    except ConnectionRefusedError:
        hint = "nothing listens there: check the port and the security group"
        raise Unseen(Unknown(Reason.UNREACHABLE, f"{place}: connection refused", hint)) from None
    except OSError as error:
        detail = f"{place}: {error.strerror or 'the connection was lost'}"
        raise Unseen(Unknown(Reason.UNREACHABLE, detail, "check the route and VPN")) from None
    except ValueError:
        hint = "look at it with openssl s_client"
        raise Unseen(Unknown(Reason.ERROR, f"{place}: the certificate cannot be read", hint)) from None


async def _handshake(address: str, port: int, host: str, context: ssl.SSLContext) -> ssl.SSLObject:
    """Through memory, so that a wait that is cut off leaves no half-made transport behind."""
    loop = asyncio.get_running_loop()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as wire:
        wire.setblocking(False)  # noqa: FBT003 - the standard library's signature
        await loop.sock_connect(wire, (address, port))
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await loop.sock_sendall(wire, outgoing.read())
                if not (data := await loop.sock_recv(wire, 65536)):
                    raise ConnectionResetError(None, "closed during the handshake") from None
                incoming.write(data)
            except ssl.SSLError:
                with suppress(OSError):
                    await loop.sock_sendall(wire, outgoing.read())  # the alert: the other side may log it
                raise
            else:
                await loop.sock_sendall(wire, outgoing.read())
                return tls


def trust_in(ca: str) -> ssl.SSLContext:
    """The system's trust store, or only the authorities in the file `ca`. Raises Unseen when the file is of no use."""
    try:
        return ssl.create_default_context(cafile=ca or None)
    except FileNotFoundError:
        raise Unseen(Unknown(Reason.NOT_FOUND, f"there is no file {ca}", "check `ca` in the plan")) from None
    except (ssl.SSLError, OSError):
        detail = f"{ca} holds no certificate that can be read"
        raise Unseen(Unknown(Reason.ERROR, detail, "`ca` is a file of PEM certificates")) from None


def _trusting_anybody() -> ssl.SSLContext:
    """Only to look at a certificate that was refused a moment ago."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _shown(address: str, tls: ssl.SSLObject, fault: str = "") -> Shown:
    from cryptography import x509

    encoded = tls.getpeercert(binary_form=True)
    if not encoded:
        raise ValueError("no certificate")
    certificate = x509.load_der_x509_certificate(encoded)
    return Shown(
        address=address,
        fingerprint=hashlib.sha256(encoded).hexdigest(),
        not_after=certificate.not_valid_after_utc,
        names=_names(certificate),
        issuer=certificate.issuer.rfc4514_string(),
        protocol=tls.version() or "",
        fault=fault,
    )


def _names(certificate: Certificate) -> tuple[str, ...]:
    """Names and addresses the certificate is for; the common name counts for nothing, as in browsers."""
    from cryptography import x509

    try:
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    hosts = [name.lower() for name in held.get_values_for_type(x509.DNSName)]
    return (*hosts, *(str(address) for address in held.get_values_for_type(x509.IPAddress)))


def covers(names: tuple[str, ...], host: str) -> bool:
    """Whether one of a certificate's names is for `host`; a star stands for exactly the first label.

    >>> covers(("*.example.org",), "app.example.org"), covers(("*.example.org",), "a.b.example.org")
    (True, False)
    """
    if is_address(host):
        return str(ip_address(host.strip("[]"))) in names
    host = host.lower().rstrip(".")
    first, _, rest = host.partition(".")
    return host in names or bool(first and "." in rest and f"*.{rest}" in names)
