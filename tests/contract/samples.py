"""Keys and messages that the contract tests and the golden vectors are made of."""

from __future__ import annotations

import dataclasses
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import settings

from orchestrator.protocol import cose
from orchestrator.protocol.manifest import VENDOR_ID, Manifest, SelfTest, class_id
from orchestrator.protocol.messages import LearnTask

fixed = settings(derandomize=True, deadline=None)
"""Property tests that find the same thing on every run."""

NOW = 1_800_000_000
DEVICE = "pilot-07"
DIGEST = bytes(range(32))
AUTHOR = ec.derive_private_key(0x7469_6E79_666C_6565_7401, ec.SECP256R1())
OPERATOR = ed25519.Ed25519PrivateKey.from_private_bytes(b"tinyfleet operator key for tests")
STRANGER = ec.derive_private_key(0x7469_6E79_666C_6565_7402, ec.SECP256R1())
DEVICE_KEY = ec.derive_private_key(0x7469_6E79_666C_6565_7403, ec.SECP256R1())

OPERATORS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "AVERAGE_POOL_2D": 2,
    "MAX_POOL_2D": 2,
    "MEAN": 2,
    "ADD": 2,
    "RESHAPE": 1,
    "SOFTMAX": 2,
    "CUSTOM:spectrogram": 1,
}


def trusted(*keys: cose.PrivateKey) -> dict[bytes, cose.PublicKey]:
    """A device's trust store with these keys' public halves."""
    return {cose.key_id(key.public_key()): key.public_key() for key in keys}


def a_manifest(**changes: object) -> Manifest:
    """A realistic manifest, with some fields changed."""
    manifest = Manifest(
        vendor_id=VENDOR_ID,
        class_id=class_id("nano33ble"),
        device_id=DEVICE,
        deployment=UUID("6f1c2b9e-8a55-4d0e-9d3b-2f54c1a0e7b1"),
        sequence=41,
        issued_at=NOW,
        expires_at=NOW + 7 * 24 * 3600,
        digest=DIGEST,
        size=42_480,
        block_exponents=(0, 10, 12),
        arena_bytes=22_832,
        operators=OPERATORS,
        runtime="tflite-micro",
        input_shape=(1, 8, 8, 1),
        output_shape=(1, 10),
        self_test=SelfTest("xorshift32", 2026, bytes(range(250, 256)) + bytes(4), 2),
    )
    return dataclasses.replace(manifest, **changes)


def a_task(**changes: object) -> LearnTask:
    """A realistic learning task, with some fields changed."""
    task = LearnTask(
        task=UUID("0d4c5a52-3c43-4f5e-8f0a-6f0e0f7f1c11"),
        device_id=DEVICE,
        digest=DIGEST.hex(),
        method="tinyol",
        learning_rate=0.05,
        samples=400,
        issued_at=NOW,
        expires_at=NOW + 3600,
    )
    return dataclasses.replace(task, **changes)
