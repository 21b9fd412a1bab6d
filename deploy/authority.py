"""The installation's own certificate authority (X.509): one P-256 key and what is made with it.

Pure but for its files: the key and the certificate lie in the signer's folder, which alone reads
the key, and the newest revocation list lies there so that its time never goes back. What may be
asked of it is the policy's to say: `deploy.certificate_policy`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from registry.files import replace_whole

KEY_FILE = "authority-key.pem"
CERTIFICATE_FILE = "authority.pem"
REVOKED_FILE = "revoked.pem"
LIFETIME = timedelta(days=20 * 365)
BACKDATED = timedelta(hours=1)
"""A certificate is valid a little before it is made: a board's clock may run late."""

LISTS_BACKDATED = timedelta(days=1)
"""A later list has a later time, in whole seconds (OpenSSL takes the latest): room for many."""

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")


class Authority:
    """Issues leaf certificates and revocation lists; `now` is given, aware and in UTC."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, revoked: Path
    ) -> None:
        self._key = key
        self.certificate = certificate
        self._revoked = revoked

    def client_certificate(
        self, device_id: str, key: ec.EllipticCurvePublicKey, now: datetime, lifetime: timedelta
    ) -> bytes:
        """PEM: this device's, for client authentication alone."""
        builder = self._leaf(device_id, key, now, lifetime, ExtendedKeyUsageOID.CLIENT_AUTH)
        return _pem(builder.sign(self._key, hashes.SHA256()))

    def server_certificate(
        self,
        names: Sequence[str],
        key: ec.EllipticCurvePublicKey,
        now: datetime,
        lifetime: timedelta,
    ) -> bytes:
        """PEM: for these addresses and host names, for server authentication alone."""
        builder = self._leaf(
            "TinyFleet broker", key, now, lifetime, ExtendedKeyUsageOID.SERVER_AUTH
        )
        alternatives = x509.SubjectAlternativeName([general_name(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
        return _pem(builder.sign(self._key, hashes.SHA256()))

    def revocation_list(self, serials: Iterable[int], now: datetime) -> bytes:
        """PEM: the certificates that are withdrawn. Never ends before the authority does.

        It is handed over by file on one machine, so no reader ever has to ask for a newer one; a
        list that had run out would shut every device out.
        """
        updated = max(now - LISTS_BACKDATED, self._last_update() + timedelta(seconds=1))
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=self.certificate.subject,
            last_update=updated,
            next_update=self.certificate.not_valid_after_utc,
            revoked_certificates=[_revoked(serial, updated) for serial in sorted(set(serials))],
        )
        number = x509.CRLNumber(int(updated.timestamp()))
        builder = builder.add_extension(number, critical=False)
        builder = builder.add_extension(self._authority_key(), critical=False)
        pem = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        replace_whole(self._revoked, pem, durable=True)
        return pem

    def _last_update(self) -> datetime:
        if not self._revoked.exists():
            return datetime.fromtimestamp(0, UTC)
        return x509.load_pem_x509_crl(self._revoked.read_bytes()).last_update_utc

    def _leaf(
        self,
        common_name: str,
        key: ec.EllipticCurvePublicKey,
        now: datetime,
        lifetime: timedelta,
        usage: ObjectIdentifier,
    ) -> x509.CertificateBuilder:
        ends = min(now + lifetime, self.certificate.not_valid_after_utc)
        builder = _certificate(_name(common_name), self.certificate.subject, key, now, ends)
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        builder = builder.add_extension(_usage(digital_signature=True), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.add_extension(self._authority_key(), critical=False)

    def _authority_key(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())


def load_or_make(directory: Path, now: datetime) -> Authority:
    """The authority of a folder; key and certificate are made at first use."""
    key_path, certificate_path = directory / KEY_FILE, directory / CERTIFICATE_FILE
    if not key_path.exists():
        replace_whole(key_path, _private_pem(ec.generate_private_key(ec.SECP256R1())), durable=True)
    if key_path.stat().st_mode & 0o077:
        raise SystemExit(f"{key_path} can be read by others: chmod 600 it, or replace the key")
    key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SystemExit(f"{key_path} holds no P-256 key")
    if not certificate_path.exists():
        replace_whole(certificate_path, _pem(_self_signed(key, now)), 0o644, durable=True)
    certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    if certificate.public_key() != key.public_key():
        raise SystemExit(f"{certificate_path} is not of {key_path.name}: remove it")
    return Authority(key, certificate, directory / REVOKED_FILE)


def fingerprint(certificate_pem: bytes) -> str:
    """SHA-256 of a certificate as `openssl x509 -fingerprint` prints it."""
    digest = x509.load_pem_x509_certificate(certificate_pem).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def general_name(name: str) -> x509.GeneralName:
    """An address or a host name as a certificate lists it; ValueError where it is neither."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if not _HOST_NAME.fullmatch(name) or len(name) > 253:
            raise ValueError(f"{name!r} is neither an address nor a host name") from None
        return x509.DNSName(name.lower())


def _self_signed(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    spki = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(spki)
    # The key's own mark in its name: two installations' authorities are told apart by their name.
    name = _name(f"TinyFleet {identifier.digest.hex()[:12]}")
    builder = _certificate(name, name, spki, now, now + LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    return builder.sign(key, hashes.SHA256())


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - BACKDATED,
        not_valid_after=ends,
    )
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _revoked(serial: int, at: datetime) -> x509.RevokedCertificate:
    return x509.RevokedCertificateBuilder(serial_number=serial, revocation_date=at).build()


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(**granted: bool) -> x509.KeyUsage:
    uses = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{use: granted.get(use, False) for use in uses})


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
