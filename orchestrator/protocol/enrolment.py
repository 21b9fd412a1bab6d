"""Joining: proof of possession of the device's key, and the hash that stands in for its secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orchestrator.protocol.messages import Enrolment

MAX_ITERATIONS = 1_000_000
"""A verifier states its own cost; above this, one login would keep the broker busy."""

SALT_BYTES = 12
"""Mosquitto 2.0 drops a user whose salt has any other length when it reads its password file."""

_PROOF_CONTEXT = b"tinyfleet/v1/enrol"
_VERIFIER = re.compile(r"\$7\$([1-9][0-9]{0,6})\$([A-Za-z0-9+/]{16})\$([A-Za-z0-9+/]{86}==)")


def enrolment_proof(device_id: str, token: str, public_key: str, verifier: str) -> bytes:
    """The bytes that the enrolment's signature covers.

    A fixed context and the four texts (UTF-8), each after its length as 4 bytes big-endian, so
    that no two different enrolments give the same bytes.
    """
    parts = [_PROOF_CONTEXT, *(t.encode() for t in (device_id, token, public_key, verifier))]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def sign_enrolment(
    private_key: ec.EllipticCurvePrivateKey, device_id: str, token: str, verifier: str
) -> Enrolment:
    """The enrolment that a device sends: ECDSA P-256 with SHA-256, DER in base64."""
    public_key = _pem(private_key.public_key())
    proof = enrolment_proof(device_id, token, public_key, verifier)
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)  # RFC 6979
    signature = base64.b64encode(private_key.sign(proof, algorithm)).decode()
    return Enrolment(device_id, token, public_key, verifier, signature)


def verify_enrolment(enrolment: Enrolment) -> bool:
    """Whether the sender holds the private key of the P-256 public key that it sent."""
    key = load_p256(enrolment.public_key)
    if key is None:
        return False
    proof = enrolment_proof(
        enrolment.device_id, enrolment.token, enrolment.public_key, enrolment.verifier
    )
    try:
        signature = base64.b64decode(enrolment.signature, validate=True)
        key.verify(signature, proof, ec.ECDSA(hashes.SHA256()))
    except (binascii.Error, InvalidSignature):
        return False
    return True


def load_p256(pem: str) -> ec.EllipticCurvePublicKey | None:
    """The key of a PEM SubjectPublicKeyInfo, None where it is anything but a P-256 key."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    return None


def key_fingerprint(pem: str) -> str:
    """SHA-256 of the key's SubjectPublicKeyInfo in DER, 64 hex digits; empty where it is no key.

    `openssl pkey -pubin -in key.pem -outform DER | sha256sum` prints the same.
    """
    key = load_p256(pem)
    if key is None:
        return ""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def make_verifier(secret: str, salt: bytes, iterations: int = 101) -> str:
    """Mosquitto's password-file form of `secret`: PBKDF2-HMAC-SHA512, 64 bytes.

    101 iterations is what mosquitto_passwd writes; a device's secret is random (128 bits or more),
    so stretching adds nothing, and a microcontroller has to compute it.
    """
    if len(salt) != SALT_BYTES or not 1 <= iterations <= MAX_ITERATIONS:
        raise ValueError("a verifier needs 12 bytes of salt and 1 to 1,000,000 iterations")
    derived = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, iterations, 64)
    salt_text, derived_text = (base64.b64encode(part).decode() for part in (salt, derived))
    return f"$7${iterations}${salt_text}${derived_text}"


def check_verifier(secret: str, verifier: str) -> bool:
    """Whether `verifier` was made from `secret`; False too where it has another form."""
    parts = split_verifier(verifier)
    if parts is None:
        return False
    iterations, salt, expected = parts
    derived = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, iterations, 64)
    return hmac.compare_digest(derived, expected)


def split_verifier(verifier: str) -> tuple[int, bytes, bytes] | None:
    """(iterations, salt, derived key), None where the text has another form.

    One line of ASCII without ":": it goes into the broker's password file as it stands.
    """
    match = _VERIFIER.fullmatch(verifier)
    if match is None or int(match[1]) > MAX_ITERATIONS:
        return None
    try:
        salt, derived = (base64.b64decode(part, validate=True) for part in match.group(2, 3))
    except binascii.Error:
        return None
    return int(match[1]), salt, derived


def _pem(key: ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
