"""Client certificates as both sides read them: whose, for which key, and when to get another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

DEVICE_RENEWS_AFTER = 2 / 3
"""From this share of its certificate's life on a device asks for another one."""

SERVER_RENEWS_AFTER = 1 / 2
"""From this share on the server gives another one: earlier, so that clocks may differ."""


class CertificateError(ValueError):
    """A text that holds no certificate that can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A device's certificate (RFC 5280). `device_id` is the subject's common name.

    `public_key` is a PEM SubjectPublicKeyInfo, as an enrolment carries it.
    """

    device_id: str
    public_key: str
    serial: int
    begins: datetime
    ends: datetime

    def has_lived(self, share: float, now: datetime) -> bool:
        """Whether this share of its life is over."""
        return now >= self.begins + share * (self.ends - self.begins)


def is_issued_by(pem: str, authority: bytes) -> bool:
    """Whether a certificate bears the signature of this authority's (PEM, both)."""
    try:
        issuer = x509.load_pem_x509_certificate(authority)
        x509.load_pem_x509_certificate(pem.encode()).verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def read_certificate(pem: str) -> ClientCertificate:
    """The facts of a certificate in PEM; its signature is not checked here. CertificateError."""
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
        names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        spki = found.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"is no X.509 certificate in PEM: {error}") from error
    if len(names) != 1 or not isinstance(names[0].value, str):
        raise CertificateError("must have one common name")
    return ClientCertificate(
        device_id=names[0].value,
        public_key=spki.decode(),
        serial=found.serial_number,
        begins=found.not_valid_before_utc.astimezone(UTC),
        ends=found.not_valid_after_utc.astimezone(UTC),
    )
