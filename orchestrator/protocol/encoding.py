"""Messages to bytes and back. A decoder returns a whole valid message or raises MessageError."""

from __future__ import annotations

import math
import struct
from dataclasses import asdict
from typing import Any
from uuid import UUID

from orchestrator.protocol import cbor, topics
from orchestrator.protocol.enrolment import (
    check_verifier,
    enrolment_proof,
    load_p256,
    make_verifier,
    sign_enrolment,
    split_verifier,
    verify_enrolment,
)
from orchestrator.protocol.fields import Fields, MessageError
from orchestrator.protocol.messages import (
    Acknowledgement,
    DeploymentStatus,
    Enrolment,
    EnrolmentAnswer,
    EnrolmentResult,
    LearnStatus,
    LearnUpdate,
    Online,
    Report,
    ResultCode,
    Shortage,
    State,
)
from orchestrator.protocol.strict_json import dump_object, load_json

__all__ = [
    "MessageError",
    "check_verifier",
    "decode_acknowledgement",
    "decode_enrolment",
    "decode_enrolment_result",
    "decode_learn_update",
    "decode_online",
    "decode_report",
    "decode_state",
    "encode_acknowledgement",
    "encode_enrolment",
    "encode_enrolment_result",
    "encode_learn_update",
    "encode_online",
    "encode_report",
    "encode_state",
    "enrolment_proof",
    "make_verifier",
    "sign_enrolment",
    "verify_enrolment",
]

MAX_JSON_BYTES = 4096
MAX_LEARN_UPDATE_BYTES = 48 * 1024
MAX_DETAIL_CHARS = 300
MAX_TOKEN_CHARS = 128
MAX_CERTIFICATE_CHARS = 2048
MAX_SLOT = 255
MAX_WEIGHTS_BYTES = 40 * 1024

LEARN_UPDATE_KEYS = {
    "task": 1,
    "status": 2,
    "samples": 3,
    "accuracy_before": 4,
    "accuracy_after": 5,
    "training_bytes": 6,
    "shape": 7,
    "weights": 8,
    "detail": 9,
}


def encode_enrolment(enrolment: Enrolment) -> bytes:
    """The device id is the topic's, not the payload's."""
    members = asdict(enrolment)
    del members["device_id"]
    return dump_object(members)


def decode_enrolment(device_id: str, payload: bytes) -> Enrolment:
    """Form only: key and verifier are well-formed; `verify_enrolment` then checks the proof.

    `device_id` is the topic's; a TopicError where it is none.
    """
    fields = _json_fields(payload)
    enrolment = Enrolment(
        topics.check_device_id(device_id),
        fields.text("token", MAX_TOKEN_CHARS, 1),
        fields.text("public_key", 1024, 1),
        fields.text("verifier", 300, 1),
        fields.text("signature", 128, 1),
    )
    if load_p256(enrolment.public_key) is None:
        raise fields.error("is no P-256 public key in PEM", "public_key")
    if split_verifier(enrolment.verifier) is None:
        raise fields.error("must be $7$iterations$salt$derived key, both base64", "verifier")
    return enrolment


def encode_enrolment_result(result: EnrolmentResult) -> bytes:
    """JSON; without a certificate nothing is said of one."""
    members = asdict(result)
    if not result.certificate:
        del members["certificate"]
    return dump_object(members)


def decode_enrolment_result(payload: bytes) -> EnrolmentResult:
    """The server's answer."""
    fields = _json_fields(payload)
    reason = fields.text("reason", MAX_DETAIL_CHARS) if fields.has("reason") else ""
    has_certificate = fields.has("certificate")
    certificate = fields.text("certificate", MAX_CERTIFICATE_CHARS) if has_certificate else ""
    return EnrolmentResult(fields.choice("answer", EnrolmentAnswer), reason, certificate)


def encode_online(online: Online) -> bytes:
    """JSON."""
    return dump_object(asdict(online))


def decode_online(payload: bytes) -> Online:
    """Presence."""
    fields = _json_fields(payload)
    return Online(fields.flag("online"), fields.integer("boot"))


def encode_state(state: State) -> bytes:
    """JSON."""
    return dump_object(asdict(state))


def decode_state(payload: bytes) -> State:
    """What runs; digest and slot are both there or both null."""
    fields = _json_fields(payload)
    digest = fields.digest("digest") if fields.has("digest") else None
    slot = fields.integer("slot", high=MAX_SLOT) if fields.has("slot") else None
    if (digest is None) != (slot is None):
        raise fields.error("must be null exactly where digest is", "slot")
    return State(digest, slot, fields.integer("sequence"), fields.integer("boot"))


def encode_report(report: Report) -> bytes:
    """JSON; a detail beyond its limit is cut, because the report itself must arrive."""
    deployment = None if report.deployment is None else str(report.deployment)
    cut = report.detail[:MAX_DETAIL_CHARS]
    members = asdict(report) | {"deployment": deployment, "detail": cut}
    shortage = members.pop("shortage") or {}
    return dump_object(members | shortage)


def decode_report(payload: bytes) -> Report:
    """Progress of one update."""
    fields = _json_fields(payload)
    return Report(
        deployment=fields.uuid("deployment") if fields.has("deployment") else None,
        status=fields.choice("status", DeploymentStatus),
        code=fields.choice("code", ResultCode),
        boot=fields.integer("boot"),
        sequence=fields.integer("sequence") if fields.has("sequence") else None,
        progress=fields.number("progress", 0, 1) if fields.has("progress") else 0.0,
        detail=fields.text("detail", MAX_DETAIL_CHARS) if fields.has("detail") else "",
        shortage=_shortage(fields),
    )


def _shortage(fields: Fields) -> Shortage | None:
    """Both members or neither."""
    if not (fields.has("need_bytes") or fields.has("have_bytes")):
        return None
    return Shortage(fields.integer("need_bytes"), fields.integer("have_bytes"))


def encode_acknowledgement(acknowledgement: Acknowledgement) -> bytes:
    """JSON."""
    return dump_object(asdict(acknowledgement))


def decode_acknowledgement(payload: bytes) -> Acknowledgement:
    """How far the server has kept telemetry."""
    fields = _json_fields(payload)
    return Acknowledgement(fields.integer("boot"), fields.integer("sequence"))


def encode_learn_update(update: LearnUpdate) -> bytes:
    """CBOR with the integer keys of LEARN_UPDATE_KEYS; absent where None or empty."""
    members: dict[str, Any] = asdict(update) | {
        "task": update.task.bytes,
        "status": update.status.value,
        "detail": update.detail[:MAX_DETAIL_CHARS],
    }
    kept = {n: v for n, v in members.items() if v is not None and v != b"" and v != ""}
    return cbor.dumps({LEARN_UPDATE_KEYS[name]: value for name, value in kept.items()})


def decode_learn_update(payload: bytes) -> LearnUpdate:
    """What came of a task; weights and shape agree and every weight is finite."""
    fields = Fields(cbor.loads(payload, MAX_LEARN_UPDATE_BYTES), "", LEARN_UPDATE_KEYS)
    has = fields.has
    shape = _weights_shape(fields) if has("shape") else None
    weights = fields.octets("weights", MAX_WEIGHTS_BYTES) if has("weights") else b""
    _check_weights(fields, shape, weights)
    return LearnUpdate(
        task=UUID(bytes=fields.octets("task", 16, 16)),
        status=fields.choice("status", LearnStatus),
        samples=fields.integer("samples", high=2**31 - 1) if has("samples") else 0,
        accuracy_before=_accuracy(fields, "accuracy_before"),
        accuracy_after=_accuracy(fields, "accuracy_after"),
        training_bytes=fields.integer("training_bytes") if has("training_bytes") else None,
        shape=shape,
        weights=weights,
        detail=fields.text("detail", MAX_DETAIL_CHARS) if has("detail") else "",
    )


def _json_fields(payload: bytes) -> Fields:
    return Fields(load_json(payload, MAX_JSON_BYTES))


def _accuracy(fields: Fields, name: str) -> float | None:
    return fields.number(name, 0, 1) if fields.has(name) else None


def _weights_shape(fields: Fields) -> tuple[int, int]:
    match fields.items("shape", 2):
        case [rows, columns] if (
            type(rows) is int and type(columns) is int and min(rows, columns) > 0
        ):
            return rows, columns
    raise fields.error("must be two positive whole numbers", "shape")


def _check_weights(fields: Fields, shape: tuple[int, int] | None, weights: bytes) -> None:
    expected = 0 if shape is None else 4 * shape[0] * shape[1]
    if len(weights) != expected:
        raise fields.error(f"has {len(weights)} bytes where its shape needs {expected}", "weights")
    values = struct.unpack(f"<{len(weights) // 4}f", weights)
    if not all(map(math.isfinite, values)):
        raise fields.error("holds a number that is not finite", "weights")
