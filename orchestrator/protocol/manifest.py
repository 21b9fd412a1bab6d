"""TinyFleet's manifest: a SUIT manifest (draft 37) of one component, its needs in parameters.

docs/mqtt-protocol.md describes it byte by byte; this module is what that page is tested against.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orchestrator.protocol import cbor, cose, operators, suit, topics
from orchestrator.protocol.fields import Fields, MessageError
from orchestrator.protocol.manifest_layout import assemble, take_apart
from orchestrator.protocol.messages import ResultCode
from orchestrator.protocol.refusal import ManifestError
from orchestrator.protocol.self_test import MAX_EXPECTED_BYTES, SelfTest, self_test_input

__all__ = [
    "MAX_ENVELOPE_BYTES",
    "VENDOR_ID",
    "Manifest",
    "ManifestError",
    "SelfTest",
    "class_id",
    "decode",
    "device_uuid",
    "encode",
    "envelope",
    "join",
    "open_envelope",
    "self_test_input",
]

MAX_ENVELOPE_BYTES = 1023
MAX_OPERATORS = 64
MAX_RANK = 8
MAX_EXPONENTS = 8
MAX_ARTIFACT_BYTES = 2**32 - 1
VENDOR_ID = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tinyfleet")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One order to one device: run this artifact. Times are UNIX seconds, sizes bytes.

    `block_exponents` are the block sizes on offer, as in the topics; `operators` maps a name to
    the version that the network needs; `arena_bytes` is None where it is not known.
    """

    vendor_id: UUID
    class_id: UUID
    device_id: str
    deployment: UUID
    sequence: int
    issued_at: int
    expires_at: int
    digest: bytes
    size: int
    block_exponents: tuple[int, ...]
    arena_bytes: int | None
    operators: Mapping[str, int]
    runtime: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    self_test: SelfTest | None


def class_id(board_slug: str) -> UUID:
    """The SUIT class of a board type."""
    return uuid.uuid5(VENDOR_ID, f"board/{board_slug}")


def device_uuid(device_id: str) -> UUID:
    """The SUIT device identifier of a device."""
    return uuid.uuid5(VENDOR_ID, f"device/{device_id}")


def encode(manifest: Manifest) -> bytes:
    """The unsigned SUIT manifest, deterministic; ValueError where `decode` would refuse it."""
    encoded = assemble(manifest.sequence, _parameters(manifest))
    if decode(encoded) != manifest:
        raise ManifestError(ResultCode.MALFORMED, "a value does not survive the encoding")
    return encoded


def envelope(manifest_bytes: bytes, *private_keys: cose.PrivateKey) -> bytes:
    """The envelope, signed by each key, or a ManifestError where it would reach 1 KiB."""
    return _bounded(suit.seal(manifest_bytes, *private_keys))


def join(*envelopes: bytes) -> bytes:
    """The envelope with the signatures of all these, which are of one manifest.

    Each signer makes an envelope of its own and knows nothing of the others; a ManifestError where
    together they would reach 1 KiB.
    """
    return _bounded(suit.join(envelopes, MAX_ENVELOPE_BYTES))


def open_envelope(
    data: bytes,
    keys: Mapping[bytes, cose.PublicKey],
    authors: Mapping[bytes, cose.PublicKey] | None = None,
) -> Manifest:
    """The manifest that a trusted key has signed, and where `authors` are given one of them too.

    Whether it is for this device: `acceptance`.
    """
    parsed = suit.read_envelope(data, MAX_ENVELOPE_BYTES)
    suit.check_digest_algorithm(parsed)
    suit.check_signatures(parsed, *(role for role in (keys, authors) if role))
    suit.check_digests(parsed)
    if parsed.severed or parsed.payloads:
        raise ManifestError(ResultCode.MALFORMED, "the envelope carries more than a manifest")
    return decode(parsed.manifest)


def decode(manifest_bytes: bytes) -> Manifest:
    """The manifest, unverified, or a ManifestError with MALFORMED."""
    try:
        return _manifest(*take_apart(manifest_bytes))
    except (MessageError, topics.TopicError) as error:
        raise ManifestError(ResultCode.MALFORMED, str(error)) from error


def _bounded(sealed: bytes) -> bytes:
    if len(sealed) > MAX_ENVELOPE_BYTES:
        raise ManifestError(
            ResultCode.MALFORMED,
            f"envelope has {len(sealed)} bytes, more than {MAX_ENVELOPE_BYTES}",
        )
    return sealed


def _parameters(manifest: Manifest) -> dict[str, Any]:
    """Custom values are int, bool, tstr or bstr only (CDDL); what has parts is CBOR in a bstr."""
    test = manifest.self_test
    return {
        "vendor_id": manifest.vendor_id.bytes,
        "class_id": manifest.class_id.bytes,
        "image_digest": suit.encode_digest(manifest.digest),
        "image_size": manifest.size,
        "uri": topics.artifact(manifest.digest.hex()),
        "device_uuid": device_uuid(manifest.device_id).bytes,
        "device_id": manifest.device_id,
        "deployment": manifest.deployment.bytes,
        "issued_at": manifest.issued_at,
        "expires_at": manifest.expires_at,
        "block_exponents": bytes(manifest.block_exponents),
        "arena_bytes": manifest.arena_bytes,
        "operators": cbor.dumps({operators.to_code(n): v for n, v in manifest.operators.items()}),
        "runtime": manifest.runtime,
        "input_shape": cbor.dumps(manifest.input_shape),
        "output_shape": cbor.dumps(manifest.output_shape),
        "self_test": test
        and cbor.dumps([test.generator, test.seed, test.expected, test.tolerance]),
    }


def _manifest(sequence: int, fields: Fields) -> Manifest:
    device_id = topics.check_device_id(fields.text("device_id", 63))
    digest = suit.image_digest(fields.octets("image_digest", 64))
    _check_derived(fields, device_id, digest)
    issued_at = fields.integer("issued_at")
    return Manifest(
        vendor_id=UUID(bytes=fields.octets("vendor_id", 16, 16)),
        class_id=UUID(bytes=fields.octets("class_id", 16, 16)),
        device_id=device_id,
        deployment=UUID(bytes=fields.octets("deployment", 16, 16)),
        sequence=sequence,
        issued_at=issued_at,
        expires_at=fields.integer("expires_at", low=issued_at + 1),
        digest=digest,
        size=fields.integer("image_size", 1, MAX_ARTIFACT_BYTES),
        block_exponents=_exponents(fields),
        arena_bytes=fields.integer("arena_bytes") if fields.has("arena_bytes") else None,
        operators=_operators(fields),
        runtime=fields.text("runtime", 60),
        input_shape=_shape(fields, "input_shape"),
        output_shape=_shape(fields, "output_shape"),
        self_test=_self_test(fields) if fields.has("self_test") else None,
    )


def _check_derived(fields: Fields, device_id: str, digest: bytes) -> None:
    """What SUIT says in its own terms must agree with what TinyFleet says in its."""
    if fields.octets("device_uuid", 16, 16) != device_uuid(device_id).bytes:
        raise fields.error("is not the UUID of the device id", "device_uuid")
    if fields.text("uri", 120) != topics.artifact(digest.hex()):
        raise fields.error("is not the topic of the image digest", "uri")


def _exponents(fields: Fields) -> tuple[int, ...]:
    exponents = tuple(fields.octets("block_exponents", MAX_EXPONENTS, 1))
    for exponent in exponents:
        topics.check_exponent(exponent)
    return exponents


def _operators(fields: Fields) -> dict[str, int]:
    inner = Fields(_nested(fields, "operators"), fields.where("operators"))
    named: dict[str, int] = {}
    for code in inner.labels():
        name = operators.to_name(code)
        if len(named) == MAX_OPERATORS or name in named or len(name) > 60:
            raise inner.error("is one operator too many, twice or too long", name[:40])
        named[name] = inner.integer(code, 1, 1000)
    return named


def _shape(fields: Fields, name: str) -> tuple[int, ...]:
    shape = _nested(fields, name)
    if not isinstance(shape, list) or len(shape) > MAX_RANK:
        raise fields.error(f"must be a list of at most {MAX_RANK} numbers", name)
    positions = Fields(dict(enumerate(shape)), fields.where(name))
    return tuple(positions.integer(position, 1, 2**31 - 1) for position in range(len(shape)))


def _self_test(fields: Fields) -> SelfTest:
    parts = _nested(fields, "self_test")
    if not isinstance(parts, list) or len(parts) != 4:
        raise fields.error("must be [generator, seed, expected, tolerance]", "self_test")
    inner = Fields(dict(enumerate(parts)), fields.where("self_test"))
    return SelfTest(
        generator=inner.text(0, 32, 1),
        seed=inner.integer(1, 1, 2**32 - 1),
        expected=inner.octets(2, MAX_EXPECTED_BYTES, 1),
        tolerance=inner.integer(3, 0, 255),
    )


def _nested(fields: Fields, name: str) -> object:
    try:
        return cbor.loads(fields.octets(name, MAX_ENVELOPE_BYTES), MAX_ENVELOPE_BYTES)
    except MessageError as error:
        raise fields.error(error.what, name) from error
