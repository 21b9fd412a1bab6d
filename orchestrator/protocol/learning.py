"""Learning tasks: a CBOR map, signed as COSE_Sign1 with its payload inside."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from orchestrator.protocol import cbor, cose, topics
from orchestrator.protocol.fields import Fields, MessageError
from orchestrator.protocol.messages import LearnTask, ResultCode
from orchestrator.protocol.refusal import SignatureError, TaskError

__all__ = ["TASK_KEYS", "TaskError", "decode_task", "encode_task", "open_task", "sign_task"]

MAX_TASK_BYTES = 512
MAX_SAMPLES = 2**31 - 1

TASK_KEYS = {
    "task": 1,
    "device_id": 2,
    "digest": 3,
    "method": 4,
    "learning_rate": 5,
    "samples": 6,
    "issued_at": 7,
    "expires_at": 8,
}


def encode_task(task: LearnTask) -> bytes:
    """The unsigned task, deterministic; a ValueError where `decode_task` would refuse it."""
    members = {
        "task": task.task.bytes,
        "device_id": task.device_id,
        "digest": bytes.fromhex(task.digest),
        "method": task.method,
        "learning_rate": float(task.learning_rate),
        "samples": task.samples,
        "issued_at": task.issued_at,
        "expires_at": task.expires_at,
    }
    encoded = cbor.dumps({TASK_KEYS[name]: value for name, value in members.items()})
    if decode_task(encoded) != task:
        raise TaskError(ResultCode.MALFORMED, "a value does not survive the encoding")
    return encoded


def decode_task(encoded: bytes) -> LearnTask:
    """The task, unverified, or a TaskError with MALFORMED."""
    try:
        return _task(Fields(cbor.loads(encoded, MAX_TASK_BYTES), "", TASK_KEYS))
    except (MessageError, topics.TopicError) as error:
        raise TaskError(ResultCode.MALFORMED, str(error)) from error


def sign_task(task: LearnTask, private_key: cose.PrivateKey) -> bytes:
    """The signed task as published."""
    return cose.sign1(encode_task(task), private_key)


def open_task(data: bytes, keys: Mapping[bytes, cose.PublicKey]) -> LearnTask:
    """The task that a trusted key has signed; else a TaskError with the code to report."""
    try:
        payload = cose.verify1(data, keys)
    except SignatureError as error:
        raise TaskError(error.code, error.detail) from error
    return decode_task(payload)


def _task(fields: Fields) -> LearnTask:
    issued_at = fields.integer("issued_at")
    return LearnTask(
        task=UUID(bytes=fields.octets("task", 16, 16)),
        device_id=topics.check_device_id(fields.text("device_id", 63)),
        digest=fields.octets("digest", 32, 32).hex(),
        method=fields.text("method", 40, 1),
        learning_rate=fields.number("learning_rate", 0, 1e6),
        samples=fields.integer("samples", 1, MAX_SAMPLES),
        issued_at=issued_at,
        expires_at=fields.integer("expires_at", low=issued_at + 1),
    )
