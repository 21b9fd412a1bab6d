"""Blocks dropped, repeated, reordered, corrupted, truncated: the artifact still arrives whole."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_firmware_sim.download import choose_exponent
from orchestrator.protocol.messages import DeploymentStatus, ResultCode
from tests.device.bench import Bench
from tests.device.peer import Peer

BOARD = "nucleo-f401re"


class BadLink:
    """Faults by a seed: each delivery of a block may be lost, doubled or damaged."""

    def __init__(self, seed: int, share: float) -> None:
        self._random = random.Random(seed)
        self._share = share

    def __call__(self, topic: str, payload: bytes) -> list[bytes]:
        if "/artifacts/" not in topic:
            return [payload]
        if self._random.random() > self._share:
            return [payload]
        fault = self._random.choice(["lost", "twice", "flipped", "short", "empty"])
        position = self._random.randrange(len(payload))
        flipped = payload[:position] + bytes([payload[position] ^ 1]) + payload[position + 1 :]
        return {
            "lost": [],
            "twice": [payload, payload],
            "flipped": [flipped],
            "short": [payload[:position]],
            "empty": [b""],
        }[fault]


def order(bench: Bench, peer: Peer, data: bytes, exponents=(10,)) -> None:
    bench.retained |= peer.blocks(data, exponents)
    manifest = peer.manifest(bench.device_id, bench.build, data, block_exponents=exponents)
    bench.order(peer.sign(manifest))


@pytest.mark.parametrize("seed", range(6))
def test_the_artifact_arrives_whole(tmp_path: Path, peer: Peer, large_network: bytes, seed: int):
    bench = Bench(tmp_path, BOARD, peer.keys, BadLink(seed, 0.15))
    bench.join()
    order(bench, peer, large_network)
    bench.pass_time(600)
    assert bench.said_state.digest == hashlib.sha256(large_network).hexdigest()


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
        lambda topic, payload: [payload[:-1] + b"\x00" if topic.endswith("/3") else payload],
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
