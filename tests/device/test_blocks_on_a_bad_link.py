"""Blocks dropped, repeated, reordered, corrupted, truncated: the artifact still arrives whole."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_firmware_sim.download import choose_exponent
from orchestrator.protocol.messages import DeploymentStatus, ResultCode
from tests.device.bench import Bench
from tests.device.networks import as_tflite, random_dense
from tests.device.peer import Peer
from tests.seeds import drawn

BOARD = "nucleo-f401re"
Exponents = tuple[int, ...]


FAULTS = ["lost", "twice", "late", "flipped", "short", "empty", "long"]
DAMAGES = {"flipped", "short", "empty", "long"}
MOST_HELD = 5


class BadLink:
    """Faults by a seed: a delivery of a block may be lost, doubled, overtaken or damaged.

    `faults` are drawn from for a `share` of the deliveries. A block that is late comes after up to
    MOST_HELD later ones, also after its window is over; where none follows it is lost.
    """

    def __init__(self, random: random.Random, faults: Sequence[str], share: float) -> None:
        self._random = random
        self._faults = faults
        self._share = share
        self._held: list[tuple[str, bytes]] = []
        self.seen: Counter[str] = Counter()

    def __call__(self, topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        if "/artifacts/" not in topic:
            return [(topic, payload)]
        if self._random.random() > self._share:
            return [*self._faulty("", topic, payload), *self._released()]
        fault = self._random.choice(self._faults)
        self.seen[fault] += 1
        return self._faulty(fault, topic, payload)

    def _faulty(self, fault: str, topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        position = self._random.randrange(len(payload))
        match fault:
            case "lost":
                return []
            case "twice":
                return [(topic, payload)] * 2
            case "late":
                self._held.append((topic, payload))
                return []
            case "flipped":
                bit = bytes([payload[position] ^ 1 << self._random.randrange(8)])
                return [(topic, payload[:position] + bit + payload[position + 1 :])]
            case "short":
                return [(topic, payload[:position])]
            case "long":
                return [(topic, payload + payload[position:])]
            case "empty":
                return [(topic, b"")]
        return [(topic, payload)]

    def _released(self) -> list[tuple[str, bytes]]:
        """Some of what is held, in another order; all of it where too much is."""
        if len(self._held) < MOST_HELD and self._random.random() < 0.5:
            return []
        self._random.shuffle(self._held)
        released, self._held = self._held, []
        return released


def order(bench: Bench, peer: Peer, data: bytes, exponents=(10,)) -> None:
    bench.retained |= peer.blocks(data, exponents)
    manifest = peer.manifest(bench.device_id, bench.build, data, block_exponents=exponents)
    bench.order(peer.sign(manifest))


def arrives(folder: Path, peer: Peer, data: bytes, link: BadLink, exponents: Exponents) -> bool:
    """Whether the artifact arrived; where it did not the device says why and runs what it ran."""
    before = as_tflite(random_dense(8, seed=4))
    bench = Bench(folder, BOARD, peer.keys)
    bench.join()
    order(bench, peer, before)
    bench.carry = link
    order(bench, peer, data, exponents)
    bench.pass_time(7200)
    last = bench.reports[-1]
    if last.status is not DeploymentStatus.INSTALLED:
        assert (last.status, last.code) == (DeploymentStatus.FAILED, ResultCode.BAD_BLOCK)
        assert bench.said_state.digest == hashlib.sha256(before).hexdigest()
        return False
    assert bench.said_state.digest == hashlib.sha256(data).hexdigest()
    assert bench.words.count("installing") == 2
    return True


@pytest.mark.parametrize("fault", FAULTS)
def test_the_artifact_arrives_whole_past_any_one_fault(tmp_path, peer, large_network, fault):
    link = BadLink(drawn(fault), [fault], 0.25)
    assert arrives(tmp_path, peer, large_network, link, (10,))
    assert link.seen


@pytest.mark.parametrize("number", range(4))
def test_the_artifact_arrives_whole_past_a_mixture(tmp_path, peer, large_network, number):
    link = BadLink(drawn(f"mixture {number}"), FAULTS, 0.25)
    assert arrives(tmp_path, peer, large_network, link, (10,))
    assert link.seen


@pytest.mark.soak
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("exponents", [(10,), (12,), (10, 12, 0)], ids=str)
@pytest.mark.parametrize("faults", [*([fault] for fault in FAULTS), FAULTS], ids=" ".join)
def test_any_fault_in_any_share(tmp_path, peer, large_network, faults, exponents, share):
    """Also where hardly a block is good: then it takes long, or ends, and nothing wrong runs."""
    for number in range(3):
        link = BadLink(drawn(f"{faults} {exponents} {share} {number}"), faults, share)
        arrived = arrives(tmp_path / str(number), peer, large_network, link, exponents)
        assert arrived or share > 0.4 and DAMAGES & set(faults)


def test_a_window_holds_sixteen_blocks(tmp_path: Path, peer: Peer, large_network: bytes):
    bench = Bench(tmp_path, BOARD, peer.keys)
    bench.join()
    order(bench, peer, large_network)
    assert bench.most_subscribed == 16
    assert not [topic for topic in bench.subscribed if "/artifacts/" in topic]


def test_a_block_that_stays_bad_ends_the_update(tmp_path, peer, large_network):
    bench = Bench(
        tmp_path,
        BOARD,
        peer.keys,
        lambda topic, payload: [
            (topic, payload[:-1] + b"\x00" if topic.endswith("/3") else payload)
        ],
    )
    bench.join()
    order(bench, peer, large_network)
    assert (bench.reports[-1].status, bench.reports[-1].code) == (
        DeploymentStatus.FAILED,
        ResultCode.BAD_BLOCK,
    )


def test_a_broker_that_forgot_everything_is_waited_for(tmp_path, peer, large_network):
    bench = Bench(tmp_path, BOARD, peer.keys)
    bench.join()
    blocks = peer.blocks(large_network, (10,))
    kept = dict(list(blocks.items())[:20])
    bench.retained |= kept
    manifest = peer.manifest(bench.device_id, bench.build, large_network, block_exponents=(10,))
    bench.order(peer.sign(manifest))
    bench.pass_time(120)
    assert bench.words[-1] == "downloading"
    bench.retained.clear()
    bench.connect()  # the broker restarts empty, then the server publishes again
    bench.pass_time(5)
    bench.retained |= blocks
    bench.order(peer.sign(manifest))
    bench.pass_time(90)
    assert bench.said_state.digest == hashlib.sha256(large_network).hexdigest()


def test_the_wait_for_a_block_grows(tmp_path, peer, large_network):
    bench = Bench(tmp_path, BOARD, peer.keys)
    bench.join()
    bench.order(peer.sign(peer.manifest(bench.device_id, bench.build, large_network)))
    asked_before = bench.asked
    bench.pass_time(3600)
    assert 10 < bench.asked - asked_before < 70  # every minute in the end, not every three seconds


SIZES = st.integers(1, 300_000)


@settings(max_examples=200, deadline=None)
@given(
    size=SIZES,
    offered=st.lists(st.sampled_from([0, 10, 12, 14]), min_size=1, unique=True),
    buffer_bytes=st.integers(0, 300_000),
)
def test_the_chosen_block_fits_and_none_that_fits_needs_fewer(size, offered, buffer_bytes):
    def message(exponent: int) -> int:
        return min(size, 1 << exponent if exponent else size) + 4 + 160 + 16

    def count(exponent: int) -> int:
        return -(-size // (1 << exponent)) if exponent else 1

    chosen = choose_exponent(size, offered, buffer_bytes)
    fitting = [exponent for exponent in offered if message(exponent) <= buffer_bytes]
    if chosen is None:
        assert fitting == []
    else:
        assert chosen in fitting
        assert count(chosen) == min(map(count, fitting))
