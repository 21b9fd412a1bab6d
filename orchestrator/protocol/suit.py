"""SUIT envelopes and command sequences (draft-ietf-suit-manifest-37), as far as they are general.

What TinyFleet itself puts into them stands in `manifest`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cbor2

from orchestrator.protocol import cbor, cose
from orchestrator.protocol.fields import MessageError
from orchestrator.protocol.messages import ResultCode
from orchestrator.protocol.refusal import ManifestError, SignatureError

ENVELOPE_TAG = 107
MAX_BLOCKS = 4
SHA256 = -16

AUTHENTICATION, MANIFEST = 2, 3
VERSION, SEQUENCE_NUMBER, COMMON, REFERENCE_URI = 1, 2, 3, 4
VALIDATE, LOAD, INVOKE, PAYLOAD_FETCH, INSTALL, TEXT = 7, 8, 9, 16, 20, 23
COMPONENTS, SHARED_SEQUENCE = 2, 4
SEVERABLE = (PAYLOAD_FETCH, INSTALL, TEXT)

CONDITION_VENDOR, CONDITION_CLASS, CONDITION_IMAGE, CONDITION_DEVICE = 1, 2, 3, 24
OVERRIDE_PARAMETERS, FETCH = 20, 21

Command: TypeAlias = tuple[int, object]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A parsed envelope, nothing of it verified yet.

    `digest` is the encoded SUIT_Digest that the signatures cover; `manifest` the encoded manifest;
    `severed` the encoded members that the manifest refers to by digest; `payloads` those by name.
    """

    digest: bytes
    signatures: tuple[bytes, ...]
    manifest: bytes
    severed: Mapping[int, bytes]
    payloads: Mapping[str, bytes]


def seal(manifest: bytes, *private_keys: cose.PrivateKey) -> bytes:
    """The signed envelope of an encoded manifest, with one signature for each key."""
    digest = digest_of(cbor.dumps(manifest))
    blocks = [cose.sign1_detached(digest, key) for key in private_keys]
    members = {AUTHENTICATION: cbor.dumps([digest, *blocks]), MANIFEST: manifest}
    return cbor.dumps(cbor2.CBORTag(ENVELOPE_TAG, members))


def join(sealed: Sequence[bytes], max_bytes: int) -> bytes:
    """One envelope with the signatures of several envelopes of the same manifest, in order."""
    first, *others = (read_envelope(data, max_bytes) for data in sealed)
    if any((each.digest, each.manifest) != (first.digest, first.manifest) for each in others):
        raise _malformed("the envelopes are not of one manifest")
    signatures = [block for each in (first, *others) for block in each.signatures]
    members = {AUTHENTICATION: cbor.dumps([first.digest, *signatures]), MANIFEST: first.manifest}
    return cbor.dumps(cbor2.CBORTag(ENVELOPE_TAG, members))


def digest_of(data: bytes) -> bytes:
    """The encoded SUIT_Digest; for a manifest, of its bstr with the head (section 5.4)."""
    return encode_digest(hashlib.sha256(data).digest())


def encode_digest(sha256: bytes) -> bytes:
    """The encoded SUIT_Digest of 32 bytes."""
    return cbor.dumps([SHA256, sha256])


def read_envelope(data: bytes, max_bytes: int) -> Envelope:
    """The parts of an envelope, or a ManifestError with MALFORMED."""
    try:
        item = cbor.loads(data, max_bytes, {ENVELOPE_TAG})
    except MessageError as error:
        raise _malformed(f"envelope {error.what}") from error
    members = item.value if isinstance(item, cbor2.CBORTag) else None
    if not isinstance(members, dict) or not all(isinstance(m, bytes) for m in members.values()):
        raise _malformed("is no SUIT envelope: tag 107 with a map of byte strings")
    if not {AUTHENTICATION, MANIFEST} <= set(members):
        raise _malformed("envelope lacks its authentication or its manifest")
    # A payload is named by a URI reference. An empty one names nothing, and its one byte could have
    # been the label of a severable member, which would escape the check of its digest.
    payloads = {key: member for key, member in members.items() if isinstance(key, str) and key}
    severed = {key: member for key, member in members.items() if key in SEVERABLE}
    if len(members) != 2 + len(payloads) + len(severed):
        raise _malformed("envelope has a member that SUIT does not know")
    digest, *signatures = _authentication(members[AUTHENTICATION])
    return Envelope(digest, tuple(signatures), members[MANIFEST], severed, payloads)


def check_digest_algorithm(envelope: Envelope) -> None:
    """Only SHA-256 is spoken here."""
    if _digest_bytes(_loads(envelope.digest, "digest")) is None:
        raise _malformed("digest is no SHA-256 SUIT_Digest")


def check_signatures(envelope: Envelope, *roles: Mapping[bytes, cose.PublicKey]) -> None:
    """A trusted key of each role has signed, and whatever names a trusted key is signed by it.

    Signatures of keys that are not known here are other people's business.
    """
    if not envelope.signatures:
        raise ManifestError(ResultCode.BAD_SIGNATURE, "the envelope is not signed")
    keys = {key_id: key for role in roles for key_id, key in role.items()}
    blocks = [_signature_block(block) for block in envelope.signatures]
    named = [block for block in blocks if block.key_id in keys]
    if not named:
        shown = ", ".join(block.key_id.hex() or "no named key" for block in blocks)
        raise ManifestError(ResultCode.UNKNOWN_KEY, f"signed by {shown}, trusted by nobody here")
    for block in named:
        if not block.vouches(keys[block.key_id], envelope.digest):
            raise ManifestError(
                ResultCode.BAD_SIGNATURE, f"not signed by the key {block.key_id.hex()} it names"
            )
    signed = {block.key_id for block in named}
    for role in roles:
        if signed.isdisjoint(role):
            wanted = ", ".join(key_id.hex() for key_id in role)
            raise ManifestError(ResultCode.MISSING_SIGNATURE, f"not signed by any of {wanted}")


def check_digests(envelope: Envelope) -> None:
    """The manifest is the one that was signed, and so is every severed member."""
    if digest_of(cbor.dumps(envelope.manifest)) != envelope.digest:
        raise ManifestError(ResultCode.BAD_SIGNATURE, "the manifest is not the one that was signed")
    manifest = read_map(envelope.manifest, "manifest") if envelope.severed else {}
    for label, member in envelope.severed.items():
        expected = _digest_bytes(manifest.get(label))
        if expected != hashlib.sha256(cbor.dumps(member)).digest():
            raise ManifestError(
                ResultCode.BAD_SIGNATURE, f"the severed member {label} is not the one signed"
            )


def read_map(encoded: bytes, what: str) -> dict[object, object]:
    """A CBOR map inside a byte string."""
    value = _loads(encoded, what)
    if not isinstance(value, dict):
        raise _malformed(f"{what} is no map")
    return value


def read_commands(encoded: object, what: str) -> tuple[Command, ...]:
    """A SUIT_Command_Sequence in its byte string: (code, argument) in order."""
    if not isinstance(encoded, bytes):
        raise _malformed(f"{what} is no byte string")
    flat = _loads(encoded, what)
    if not isinstance(flat, list) or not flat or len(flat) % 2:
        raise _malformed(f"{what} is no list of commands with arguments")
    codes = flat[::2]
    if not all(type(code) is int for code in codes):
        raise _malformed(f"{what} has a command that is no number")
    return tuple(zip(codes, flat[1::2], strict=True))


def image_digest(encoded: bytes) -> bytes:
    """The 32 bytes of a parameter's encoded SHA-256 SUIT_Digest."""
    digest = _digest_bytes(_loads(encoded, "image digest"))
    if digest is None:
        raise _malformed("image digest is no SHA-256 SUIT_Digest")
    return digest


def _authentication(encoded: bytes) -> list[bytes]:
    items = _loads(encoded, "authentication")
    if not isinstance(items, list) or not all(isinstance(item, bytes) for item in items):
        raise _malformed("authentication is no list of byte strings")
    if not 1 <= len(items) <= 1 + MAX_BLOCKS:
        raise _malformed(f"authentication has no digest or more than {MAX_BLOCKS} signatures")
    return items


def _signature_block(encoded: bytes) -> cose.Sign1:
    try:
        block = cose.parse1(encoded)
    except SignatureError as error:
        raise ManifestError(error.code, error.detail) from error
    if block.payload is not None:
        raise _malformed("a signature in an envelope has its payload detached")
    return block


def _digest_bytes(value: object) -> bytes | None:
    match value:
        case [algorithm, bytes() as digest] if algorithm == SHA256 and len(digest) == 32:
            return digest
    return None


def _loads(encoded: bytes, what: str) -> object:
    try:
        return cbor.loads(encoded, len(encoded))
    except MessageError as error:
        raise _malformed(f"{what} {error.what}") from error


def _malformed(detail: str) -> ManifestError:
    return ManifestError(ResultCode.MALFORMED, detail)
