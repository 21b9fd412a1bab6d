"""The other side of the protocol, for tests: signs orders, cuts artifacts into blocks."""

from __future__ import annotations

import hashlib
import itertools
import uuid
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec

from device_firmware_sim.builds import Build
from device_firmware_sim.runtime import load_network
from orchestrator.protocol import cose, topics
from orchestrator.protocol.blocks import frame, split
from orchestrator.protocol.learning import sign_task
from orchestrator.protocol.manifest import VENDOR_ID, Manifest, class_id, encode, envelope
from orchestrator.protocol.messages import LearnTask
from orchestrator.protocol.self_test import GENERATOR, SelfTest, self_test_input

NOW = 1_800_000_000.0
DAY = 24 * 3600


class Peer:
    """A server with a signing key; sequence numbers rise with each order."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.keys = {cose.key_id(self.key.public_key()): self.key.public_key()}
        self._sequences = itertools.count(1)

    def manifest(self, to: str, build: Build, data: bytes, **changes) -> Manifest:
        """An order that a device of this build follows; `changes` replace fields of it."""
        network = load_network(data)
        source = self_test_input(GENERATOR, 5, network.source.shape)
        expected = network.self_test(source)[:64]
        order = Manifest(
            vendor_id=VENDOR_ID,
            class_id=class_id(build.board),
            device_id=to,
            deployment=uuid.uuid4(),
            sequence=next(self._sequences),
            issued_at=int(NOW),
            expires_at=int(NOW) + DAY,
            digest=hashlib.sha256(data).digest(),
            size=len(data),
            block_exponents=(10, 12, 0),
            arena_bytes=None,
            operators=dict.fromkeys(sorted(network.operators), 1),
            runtime="tflite-micro",
            input_shape=network.source.shape,
            output_shape=network.logits.shape,
            self_test=SelfTest(GENERATOR, 5, expected, 2),
        )
        return replace(order, **changes)

    def sign(self, order: Manifest) -> bytes:
        """The signed envelope."""
        return envelope(encode(order), self.key)

    def blocks(self, data: bytes, exponents=(10, 12, 0)) -> dict[str, bytes]:
        """Every retained message of an artifact."""
        digest = hashlib.sha256(data).hexdigest()
        return {
            topics.artifact_block(digest, exponent, number): frame(block)
            for exponent in exponents
            for number, block in split(data, exponent)
        }

    def task(self, device_id: str, data: bytes, **changes) -> LearnTask:
        """An order to learn."""
        order = LearnTask(
            task=uuid.uuid4(),
            device_id=device_id,
            digest=hashlib.sha256(data).hexdigest(),
            method="tinyol",
            learning_rate=0.1,
            samples=400,
            issued_at=int(NOW),
            expires_at=int(NOW) + DAY,
        )
        return replace(order, **changes)

    def sign_task(self, order: LearnTask) -> bytes:
        """The signed task."""
        return sign_task(order, self.key)
