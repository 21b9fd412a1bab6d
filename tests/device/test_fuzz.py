"""Whatever a broker sends, in whatever order, the device goes on running what it should.

TINYFLEET_FUZZ_EXAMPLES sets how many examples `make test` tries; `make soak` tries many more.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from uuid import UUID

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.protocol import cose, suit, topics
from orchestrator.protocol.encoding import encode_acknowledgement, encode_enrolment_result
from orchestrator.protocol.manifest import Manifest, encode
from orchestrator.protocol.messages import (
    Acknowledgement,
    DeploymentStatus,
    EnrolmentAnswer,
    EnrolmentResult,
)
from tests.contract.test_fuzz import cbor_values, damaged
from tests.device.bench import Bench
from tests.device.peer import Peer

BOARD = "bluepill-f103c8"
EXAMPLES = int(os.environ.get("TINYFLEET_FUZZ_EXAMPLES", "60")) // 2
MANY = 400
KEY = ec.derive_private_key(0x7469_6E79_666C_6565_7405, ec.SECP256R1())


def fuzz(examples: int) -> settings:
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=examples, derandomize=True, deadline=None, suppress_health_check=quiet
    )


class Fuzzed:
    """A fresh device that runs the first network, and what a broker may hold for it."""

    def __init__(self, folder: Path, runs: bytes, other: bytes) -> None:
        peer = self.peer = Peer()
        # Every example finds the very same bytes, and can therefore be made smaller.
        peer.key = KEY
        peer.keys = {cose.key_id(KEY.public_key()): KEY.public_key()}
        self.bench = Bench(folder, BOARD, peer.keys)
        self.bench.join()
        self.bench.retained |= peer.blocks(runs)
        name = self.bench.device_id
        self.bench.order(peer.sign(self.order_for(runs, 1)))
        assert self.bench.reports[-1].status is DeploymentStatus.INSTALLED
        self.runs = hashlib.sha256(runs).hexdigest()
        self.good: dict[str, bytes] = {
            topics.desired(name): peer.sign(self.order_for(other, 2)),
            topics.acked(name): encode_acknowledgement(Acknowledgement(1, 3)),
            topics.learn_task(name): peer.sign_task(peer.task(name, runs, task=UUID(int=3))),
            topics.enrol_result(name): encode_enrolment_result(
                EnrolmentResult(EnrolmentAnswer.PENDING, "wait")
            ),
            **peer.blocks(other, (10,)),
        }

    def order_for(self, data: bytes, number: int) -> Manifest:
        name, build = self.bench.device_id, self.bench.build
        return self.peer.manifest(name, build, data, deployment=UUID(int=number), sequence=number)

    def check(self) -> None:
        """After any of it, and after a reboot, the first network runs and the device speaks."""
        for _ in ("now", "after a reboot"):
            assert self.bench.device.state.digest == self.runs
            self.bench.power_on()
            self.bench.connect()
        assert self.bench.said_state.digest == self.runs


@pytest.fixture(scope="module")
def networks(small_network: bytes, other_network: bytes) -> tuple[bytes, bytes]:
    return small_network, other_network


def _damaged_messages(data: st.DataObject, networks: tuple[bytes, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fuzzed = Fuzzed(Path(folder), *networks)
        for topic in data.draw(st.lists(st.sampled_from(sorted(fuzzed.good)), min_size=1)):
            payload = data.draw(damaged(fuzzed.good[topic]) | st.binary(max_size=200))
            if payload != fuzzed.good[topic]:
                fuzzed.bench.send(topic, payload)
        fuzzed.check()


@fuzz(EXAMPLES)
@given(data=st.data())
def test_damaged_messages(networks, data):
    _damaged_messages(data, networks)


@pytest.mark.soak
@fuzz(MANY)
@given(data=st.data())
def test_many_damaged_messages(networks, data):
    _damaged_messages(data, networks)


def _well_signed_nonsense(changes, networks: tuple[bytes, bytes]) -> None:
    """A server that has gone wrong can sign nonsense."""
    with tempfile.TemporaryDirectory() as folder:
        fuzzed = Fuzzed(Path(folder), *networks)
        bench = fuzzed.bench
        root = cbor2.loads(encode(fuzzed.order_for(networks[1], 2)))
        common = cbor2.loads(root[3])
        shared = cbor2.loads(common[4])
        shared[1] |= changes
        members = root | {3: cbor2.dumps(common | {4: cbor2.dumps(shared)})}
        bench.order(suit.seal(cbor2.dumps(members), KEY))
        bench.pass_time(60)
        fuzzed.check()


any_parameters = st.dictionaries(
    st.sampled_from([1, 2, 3, 14, 24, *range(-11, 0)]), cbor_values, min_size=1, max_size=4
)


@fuzz(EXAMPLES)
@given(any_parameters)
def test_well_signed_nonsense(networks, changes):
    _well_signed_nonsense(changes, networks)


@pytest.mark.soak
@fuzz(MANY)
@given(any_parameters)
def test_much_well_signed_nonsense(networks, changes):
    _well_signed_nonsense(changes, networks)


@fuzz(EXAMPLES)
@given(st.lists(st.tuples(st.text(max_size=90), st.binary(max_size=90)), max_size=20))
def test_any_topic(networks, messages):
    with tempfile.TemporaryDirectory() as folder:
        fuzzed = Fuzzed(Path(folder), *networks)
        for topic, payload in messages:
            for prefix in ("", "tinyfleet/v1/", f"tinyfleet/v1/{fuzzed.bench.device_id}/"):
                fuzzed.bench.send(prefix + topic, payload)
        fuzzed.check()
