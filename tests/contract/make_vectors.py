"""The golden bytes: `python -m tests.contract.make_vectors` writes them, test_vectors compares."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from orchestrator.protocol import blocks, cbor, cose, encoding, learning, manifest, suit
from orchestrator.protocol.acceptance import DeviceCapacity, DeviceIdentity, check
from orchestrator.protocol.messages import (
    Acknowledgement,
    DeploymentStatus,
    EnrolmentAnswer,
    EnrolmentResult,
    LearnStatus,
    LearnUpdate,
    Online,
    Report,
    ResultCode,
    Shortage,
    State,
    TelemetryPack,
)
from orchestrator.protocol.refusal import ManifestError
from orchestrator.protocol.senml import encode_telemetry
from tests.contract.samples import (
    AUTHOR,
    DEVICE,
    DEVICE_KEY,
    DIGEST,
    NOW,
    OPERATOR,
    OPERATORS,
    STRANGER,
    a_manifest,
    a_task,
    trusted,
)

FOLDER = Path(__file__).parent / "vectors"
SECRET = "correct horse battery staple"
ARTIFACT = bytes(number * 7 % 256 for number in range(300))
BOARD = "nano33ble"
IDENTITY = DeviceIdentity(manifest.VENDOR_ID, manifest.class_id(BOARD), DEVICE)
CAPACITY = DeviceCapacity(64_000, 24_000, "tflite-micro", OPERATORS)
FLOOR = 40


def vectors() -> dict[str, bytes]:
    """File name to content."""
    return {
        **_trust(),
        **_manifests(),
        **_messages(),
        **_telemetry(),
        **_enrolment(),
        **_blocks(),
        "refused.json": _json(refused()),
        "refused-two-roles.json": _json(refused_by_two_roles()),
        "values.json": _json(_values()),
    }


def judge(envelope: bytes) -> ResultCode:
    """What the device of the vectors says to an envelope."""
    try:
        opened = manifest.open_envelope(envelope, trusted(AUTHOR, OPERATOR))
        check(opened, IDENTITY, CAPACITY, FLOOR, NOW)
    except ManifestError as error:
        return error.code
    return ResultCode.OK


def judge_by_two_roles(envelope: bytes) -> ResultCode:
    """The same device, where it asks for the operator's signature and for the author's."""
    try:
        opened = manifest.open_envelope(envelope, trusted(OPERATOR), trusted(AUTHOR))
        check(opened, IDENTITY, CAPACITY, FLOOR, NOW)
    except ManifestError as error:
        return error.code
    return ResultCode.OK


def _trust() -> dict[str, bytes]:
    return {
        "author-public.pem": cose.public_pem(AUTHOR.public_key()),
        "operator-public.pem": cose.public_pem(OPERATOR.public_key()),
    }


def _manifests() -> dict[str, bytes]:
    encoded = manifest.encode(a_manifest())
    return {
        "manifest.cbor": encoded,
        "envelope.cbor": manifest.envelope(encoded, AUTHOR),
        "envelope-two-signatures.cbor": manifest.envelope(encoded, AUTHOR, OPERATOR),
        "task.cbor": learning.sign_task(a_task(), AUTHOR),
        "self-test-input.bin": manifest.self_test_input("xorshift32", 2026, (1, 8, 8, 1)),
    }


def _messages() -> dict[str, bytes]:
    deployment = a_manifest().deployment
    report = Report(deployment, DeploymentStatus.DOWNLOADING, ResultCode.OK, 3, 41, 0.5, "")
    refusal = Report(
        deployment,
        DeploymentStatus.REJECTED,
        ResultCode.ARENA_TOO_SMALL,
        3,
        41,
        1.0,
        "too large for this arena",
        Shortage(5700, 5632),
    )
    rejected = EnrolmentResult(EnrolmentAnswer.REJECTED, "the token was used before")
    weights = struct.pack("<6f", 0.5, -1.0, 0.25, 2.0, 0.0, -0.125)
    update = LearnUpdate(
        a_task().task, LearnStatus.FINISHED, 400, 0.5, 0.875, 5240, (3, 2), weights
    )
    return {
        "enrolment-result.json": encoding.encode_enrolment_result(rejected),
        "online.json": encoding.encode_online(Online(True, 3)),
        "state.json": encoding.encode_state(State(DIGEST.hex(), 1, 41, 3)),
        "report.json": encoding.encode_report(report),
        "report-arena-too-small.json": encoding.encode_report(refusal),
        "acked.json": encoding.encode_acknowledgement(Acknowledgement(3, 17)),
        "learn-update.cbor": encoding.encode_learn_update(update),
    }


def telemetry_pack() -> TelemetryPack:
    """One pack with every known record."""
    return TelemetryPack(
        boot=3,
        sequence=17,
        at=NOW,
        digest=DIGEST.hex(),
        samples=64,
        labelled=32,
        accuracy=0.9375,
        latency_ms=4.5,
        arena_used_bytes=22_832,
        free_heap_bytes=5_120,
        adapted_samples=400,
    )


def _telemetry() -> dict[str, bytes]:
    return {
        "telemetry.json": encode_telemetry(DEVICE, telemetry_pack()),
        "telemetry.cbor": encode_telemetry(DEVICE, telemetry_pack(), cbor=True),
    }


def _enrolment() -> dict[str, bytes]:
    verifier = encoding.make_verifier(SECRET, b"twelve bytes")
    enrolment = encoding.sign_enrolment(DEVICE_KEY, DEVICE, "token-1", verifier)
    proof = encoding.enrolment_proof(DEVICE, "token-1", enrolment.public_key, verifier)
    return {
        "enrolment.json": encoding.encode_enrolment(enrolment),
        "enrolment-proof.bin": proof,
        "enrolment-certificate.json": encoding.encode_enrolment_result(
            EnrolmentResult(EnrolmentAnswer.ACCEPTED, certificate=_certificate())
        ),
    }


def _certificate() -> str:
    """As the authority issues it, but for its serial number and its signature, which are fixed."""
    subject, issuer = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (DEVICE, "TinyFleet")
    )
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=DEVICE_KEY.public_key(),
        serial_number=2026,
        not_valid_before=datetime.fromtimestamp(NOW, UTC),
        not_valid_after=datetime.fromtimestamp(NOW + 90 * 24 * 3600, UTC),
    )
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
    builder = builder.add_extension(usage, critical=False)
    made = builder.sign(AUTHOR, hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(serialization.Encoding.PEM).decode()


def _blocks() -> dict[str, bytes]:
    payloads = {
        f"block-{exponent}-{number}.bin": blocks.frame(block)
        for exponent in (8, blocks.WHOLE_FILE)
        for number, block in blocks.split(ARTIFACT, exponent)
    }
    return {"artifact.bin": ARTIFACT, **payloads}


def refused() -> list[dict[str, str]]:
    """Envelopes that must be refused: what is wrong, hex, result code."""
    found = {
        "another vendor": _signed(vendor_id=UUID(int=1)),
        "another class": _signed(class_id=manifest.class_id("esp32")),
        "another device": _signed(device_id="pilot-08"),
        "a sequence number seen before": _signed(sequence=FLOOR),
        "expired": _signed(issued_at=NOW - 60, expires_at=NOW),
        "larger than the slot": _signed(size=CAPACITY.slot_bytes + 1),
        "more arena than there is": _signed(arena_bytes=CAPACITY.arena_budget_bytes + 1),
        "an operator that is not there": _signed(operators={"GELU": 1}),
        "an operator in a newer version": _signed(operators={"CONV_2D": 4}),
        "another runtime": _signed(runtime="tvm"),
        "signed by a stranger": manifest.envelope(manifest.encode(a_manifest()), STRANGER),
        "not signed": suit.seal(manifest.encode(a_manifest())),
        **_damaged(),
        **_malformed(),
    }
    return [
        {"what": what, "envelope": data.hex(), "code": judge(data).value}
        for what, data in found.items()
    ]


def refused_by_two_roles() -> list[dict[str, str]]:
    """Envelopes that a device which asks for two signatures must refuse."""
    encoded = manifest.encode(a_manifest())
    both = manifest.envelope(encoded, AUTHOR, OPERATOR)
    other = manifest.envelope(manifest.encode(a_manifest(sequence=99)), AUTHOR)
    found = {
        "signed by the operator alone": manifest.envelope(encoded, OPERATOR),
        "signed by the author alone": manifest.envelope(encoded, AUTHOR),
        "signed twice by the operator": manifest.envelope(encoded, OPERATOR, OPERATOR),
        "signed twice by the author": manifest.envelope(encoded, AUTHOR, AUTHOR),
        "signed by the operator and a stranger": manifest.envelope(encoded, OPERATOR, STRANGER),
        "signed by the author and a stranger": manifest.envelope(encoded, STRANGER, AUTHOR),
        "signed by a stranger": manifest.envelope(encoded, STRANGER),
        "not signed": suit.seal(encoded),
        "the author's signature of another manifest": _with_signature_of(other, both),
        "a changed byte in the author's signature": _flipped(both, both.index(b"\x58\x40") + 10),
        "a changed byte in the operator's signature": _flipped(both, both.rindex(b"\x58\x40") + 10),
    }
    return [
        {"what": what, "envelope": data.hex(), "code": judge_by_two_roles(data).value}
        for what, data in found.items()
    ]


def _with_signature_of(other: bytes, both: bytes) -> bytes:
    """`both` with its first signature replaced by the one of another envelope."""
    foreign = suit.read_envelope(other, manifest.MAX_ENVELOPE_BYTES).signatures[0]
    parts = suit.read_envelope(both, manifest.MAX_ENVELOPE_BYTES)
    wrapper = cbor.dumps([parts.digest, foreign, *parts.signatures[1:]])
    return cbor.dumps(cbor2.CBORTag(107, {2: wrapper, 3: parts.manifest}))


def _signed(**changes: object) -> bytes:
    return manifest.envelope(manifest.encode(a_manifest(**changes)), AUTHOR)


def _damaged() -> dict[str, bytes]:
    good = _signed()
    at_signature = good.index(b"\x58\x40") + 10
    at_device = good.index(DEVICE.encode())
    return {
        "a changed byte in the signature": _flipped(good, at_signature),
        "a changed byte in the manifest": _flipped(good, at_device),
        "the last byte missing": good[:-1],
        "a byte too many": good + b"\0",
    }


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _malformed() -> dict[str, bytes]:
    root = cbor2.loads(manifest.encode(a_manifest()))
    with_invoke = cbor.dumps(root | {suit.INVOKE: cbor.dumps([23, 2])})
    parts = suit.read_envelope(_signed(), manifest.MAX_ENVELOPE_BYTES)
    wrapper = cbor.dumps([parts.digest, *parts.signatures])
    carrying = {2: wrapper, 3: parts.manifest, "#payload": b"payload"}
    return {
        "a command that is not in the frame": suit.seal(with_invoke, AUTHOR),
        "a payload inside": cbor.dumps(cbor2.CBORTag(107, carrying)),
        "no tag": cbor.dumps({2: wrapper, 3: parts.manifest}),
        "an indefinite length": b"\xd8\x6b\xbf" + _signed()[3:] + b"\xff",
        "more than 1023 bytes": suit.seal(
            manifest.encode(a_manifest(operators={f"CUSTOM:{'x' * 40}{i}": 1 for i in range(18)})),
            AUTHOR,
        ),
    }


def _values() -> dict[str, object]:
    return {
        "author_key_id": cose.key_id(AUTHOR.public_key()).hex(),
        "operator_key_id": cose.key_id(OPERATOR.public_key()).hex(),
        "device": {"board": BOARD, **asdict(IDENTITY), **asdict(CAPACITY), **_circumstances()},
        "manifest": asdict(a_manifest()),
        "task": asdict(a_task()),
        "telemetry": asdict(telemetry_pack()),
        "secret": SECRET,
    }


def _circumstances() -> dict[str, int]:
    return {"floor_sequence": FLOOR, "now": NOW}


def _json(value: object) -> bytes:
    text = json.dumps(
        value, indent=1, default=lambda v: v.hex() if isinstance(v, bytes) else str(v)
    )
    return f"{text}\n".encode()


if __name__ == "__main__":
    for name, content in vectors().items():
        (FOLDER / name).write_bytes(content)
