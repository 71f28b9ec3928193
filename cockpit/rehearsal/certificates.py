"""The certificate of the rehearsed site, and the authority that issued it: ACM holds it, and the front door shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from probes.frozen import frozen

_BEGUN = timedelta(days=65)
LEFT = timedelta(days=300)
_PEM = serialization.Encoding.PEM


@frozen
class Certificate:
    """PEM of a certificate and its private key."""

    pem: bytes
    key: bytes = field(repr=False)


class Authority:
    """Issues certificates that are valid at `now`, the world's time. Whoever trusts `pem` trusts them."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _called("Rehearsal Authority")
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        made = self._begun(self._name, self._key.public_key(), LEFT).add_extension(constraints, critical=True)
        self.pem = made.add_extension(_USES, critical=True).sign(self._key, hashes.SHA256()).public_bytes(_PEM)

    def issue(self, names: Sequence[str], left: timedelta = LEFT) -> Certificate:
        """A certificate for those host names and addresses; below zero, `left` says how long ago it ended."""
        key = ec.generate_private_key(ec.SECP256R1())
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = self._begun(_called(names[0]), key.public_key(), left).add_extension(issued_by, critical=False)
        held = x509.SubjectAlternativeName([_general(name) for name in names])
        signed = made.add_extension(held, critical=False).sign(self._key, hashes.SHA256())
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return Certificate(signed.public_bytes(_PEM), private)

    def _begun(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, left: timedelta) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _BEGUN)
            .not_valid_after(self._now + left)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


_USES = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
