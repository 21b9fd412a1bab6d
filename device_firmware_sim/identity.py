"""Who a device is: its key, the secret that it made for itself, and how it joins."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass

import cbor2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from device_firmware_sim.flash import Record
from orchestrator.protocol.certificates import ClientCertificate
from orchestrator.protocol.enrolment import SALT_BYTES, make_verifier, sign_enrolment
from orchestrator.protocol.messages import Enrolment


@dataclass(slots=True)
class Identity:
    """Made at the first boot, kept in flash: a P-256 key (PKCS #8), a secret, the verifier's salt.

    The secret never leaves the device: the server gets its verifier, the broker sees it at sign-in.
    Over TLS the certificate (PEM) that came with the acceptance takes its place.
    """

    key: bytes
    secret: str
    salt: bytes
    is_accepted: bool = False
    certificate: str = ""

    def enrolment(self, device_id: str, token: str) -> Enrolment:
        """A signed request to join; asking again says the same of key, secret and token."""
        verifier = make_verifier(self.secret, self.salt)
        return sign_enrolment(self._private_key(), device_id, token, verifier)

    def holds(self, certificate: ClientCertificate) -> bool:
        """Whether a certificate is for this device's key."""
        public_key = self._private_key().public_key()
        return certificate.public_key == public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode("ascii")

    def credential(self) -> bytes:
        """Key and certificate, PEM, as TLS libraries read them."""
        key = self._private_key().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return key + self.certificate.encode()

    def _private_key(self) -> ec.EllipticCurvePrivateKey:
        private_key = serialization.load_der_private_key(self.key, None)
        assert isinstance(private_key, ec.EllipticCurvePrivateKey)
        return private_key


def load_identity(record: Record) -> Identity:
    """The identity in flash; a new one, stored before it is used, where there is none."""
    stored = record.load()
    if stored is not None:
        return Identity(**cbor2.loads(stored))
    identity = _new_identity()
    store_identity(record, identity)
    return identity


def store_identity(record: Record, identity: Identity) -> None:
    """Replace the identity as a whole."""
    record.store(cbor2.dumps(asdict(identity)))


def _new_identity() -> Identity:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Identity(key, secrets.token_urlsafe(24), secrets.token_bytes(SALT_BYTES))
