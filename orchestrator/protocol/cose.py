"""COSE_Sign1 (RFC 9052) with ES256 and EdDSA (RFC 9053), attached or detached.

Straight over `cryptography`: a Sig_structure, one signature and a strict parse are fewer lines than
a library's message objects, and nothing but the two algorithms below can ever be chosen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from orchestrator.protocol import cbor
from orchestrator.protocol.fields import MessageError
from orchestrator.protocol.messages import ResultCode
from orchestrator.protocol.refusal import SignatureError

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

KEY_ID_BYTES = 8
ES256 = -7
EDDSA = -8
SIGN1_TAG = 18
MAX_SIGN1_BYTES = 4096

_ALGORITHM, _CRITICAL, _KEY_ID = 1, 2, 4
# Deterministic nonces (RFC 6979): a poor random source cannot leak the key.
_ECDSA = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_HALF = 32  # bytes of each of r and s on P-256


@dataclass(frozen=True, slots=True)
class Sign1:
    """A parsed COSE_Sign1; `payload` is None where it is detached."""

    protected: bytes
    algorithm: int
    key_id: bytes
    payload: bytes | None
    signature: bytes

    def vouches(self, key: PublicKey, detached: bytes | None = None) -> bool:
        """Whether `key` made this signature over the payload, attached or else given."""
        payload = detached if self.payload is None else self.payload
        if payload is None or (detached is not None and self.payload is not None):
            raise ValueError("exactly one payload: attached or detached")
        return _valid(key, self.algorithm, self.signature, _to_be_signed(self.protected, payload))


def key_id(key: PublicKey) -> bytes:
    """The first 8 bytes of SHA-256 over the key's DER SubjectPublicKeyInfo."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).digest()[:KEY_ID_BYTES]


def public_pem(key: PublicKey) -> bytes:
    """PEM SubjectPublicKeyInfo."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def trusted_keys(pems: Iterable[bytes]) -> dict[bytes, PublicKey]:
    """The keys of PEM files by key id; ValueError where one is neither P-256 nor Ed25519."""
    keys = (_supported(serialization.load_pem_public_key(pem)) for pem in pems)
    return {key_id(key): key for key in keys}


def sign1(payload: bytes, private_key: PrivateKey) -> bytes:
    """A tagged COSE_Sign1 that carries its payload."""
    return _sign1(payload, private_key, attached=True)


def sign1_detached(payload: bytes, private_key: PrivateKey) -> bytes:
    """A tagged COSE_Sign1 over a payload that travels beside it."""
    return _sign1(payload, private_key, attached=False)


def verify1(
    message: bytes, keys: Mapping[bytes, PublicKey], detached: bytes | None = None
) -> bytes:
    """The payload that one of `keys` has signed, or a SignatureError."""
    parsed = parse1(message)
    payload = detached if parsed.payload is None else parsed.payload
    if payload is None or (detached is not None and parsed.payload is not None):
        raise SignatureError(ResultCode.MALFORMED, "payload must be attached or detached, once")
    if parsed.key_id not in keys:
        raise SignatureError(ResultCode.UNKNOWN_KEY, f"key {parsed.key_id.hex()} is not trusted")
    if not parsed.vouches(keys[parsed.key_id], detached):
        raise SignatureError(ResultCode.BAD_SIGNATURE, f"not signed by key {parsed.key_id.hex()}")
    return payload


def parse1(message: bytes) -> Sign1:
    """The parts of a tagged COSE_Sign1, unverified; `key_id` is empty where it names none."""
    try:
        item = cbor.loads(message, MAX_SIGN1_BYTES, {SIGN1_TAG})
    except MessageError as error:
        raise SignatureError(ResultCode.MALFORMED, f"COSE_Sign1 {error.what}") from error
    content = item.value if isinstance(item, cbor2.CBORTag) else None
    match content:
        case [bytes() as protected, dict() as unprotected, bytes() | None as payload, bytes() as s]:
            header = _protected(protected)
            algorithm, kid = header.get(_ALGORITHM), header.get(_KEY_ID, unprotected.get(_KEY_ID))
            return Sign1(protected, _known(algorithm), _kid(kid), payload, s)
    raise SignatureError(ResultCode.MALFORMED, "is no tagged COSE_Sign1")


def _protected(encoded: bytes) -> dict[object, object]:
    try:
        header = cbor.loads(encoded, MAX_SIGN1_BYTES)
    except MessageError as error:
        raise SignatureError(ResultCode.MALFORMED, f"protected header {error.what}") from error
    if not isinstance(header, dict) or _CRITICAL in header:
        raise SignatureError(ResultCode.MALFORMED, "protected header is no map or names a critical")
    return header


def _known(algorithm: object) -> int:
    if isinstance(algorithm, int) and algorithm in (ES256, EDDSA):
        return algorithm
    raise SignatureError(ResultCode.BAD_SIGNATURE, "algorithm is neither ES256 nor EdDSA")


def _kid(kid: object) -> bytes:
    if kid is None:
        return b""
    if isinstance(kid, bytes):
        return kid
    raise SignatureError(ResultCode.MALFORMED, "key id is no byte string")


def _sign1(payload: bytes, private_key: PrivateKey, attached: bool) -> bytes:
    header = {_ALGORITHM: _algorithm(private_key), _KEY_ID: key_id(private_key.public_key())}
    protected = cbor.dumps(header)
    signature = _signature(private_key, _to_be_signed(protected, payload))
    content: list[object] = [protected, {}, payload if attached else None, signature]
    return cbor.dumps(cbor2.CBORTag(SIGN1_TAG, content))


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure (RFC 9052, 4.4), with no external data."""
    return cbor.dumps(["Signature1", protected, b"", payload])


def _algorithm(key: PrivateKey) -> int:
    return ES256 if isinstance(key, ec.EllipticCurvePrivateKey) else EDDSA


def _signature(key: PrivateKey, message: bytes) -> bytes:
    """ES256 signs as r and s of 32 bytes each, big-endian (RFC 9053, 2.1), not as DER."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")


def _valid(key: PublicKey, algorithm: int, signature: bytes, message: bytes) -> bool:
    """The key's own algorithm counts; a header that names another one is refused."""
    if len(signature) != 2 * _HALF:
        return False
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm == ES256:
            r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF], signature[_HALF:]))
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
            return True
        if isinstance(key, ed25519.Ed25519PublicKey) and algorithm == EDDSA:
            key.verify(signature, message)
            return True
    except InvalidSignature:
        return False
    return False


def _supported(key: object) -> PublicKey:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError("a trusted key is P-256 or Ed25519")
