"""Each pack reaches the server once at least, and none is forgotten before it is acknowledged."""

from __future__ import annotations

from pathlib import Path

import pytest

from device_firmware_sim.sensors import Camera, Stream, World
from device_firmware_sim.telemetry import WINDOW_PACKS, Ring
from orchestrator.protocol import topics
from orchestrator.protocol.encoding import decode_online, encode_acknowledgement
from orchestrator.protocol.messages import Acknowledgement, TelemetryPack
from orchestrator.protocol.senml import decode_telemetry
from tests.device.bench import Bench
from tests.device.peer import Peer


def working(tmp_path: Path, peer: Peer, stream: Stream, network: bytes, board: str) -> Bench:
    bench = Bench(
        tmp_path,
        board,
        peer.keys,
        camera=Camera(stream, World(), seed=1),
        samples_per_second=10,
        samples_per_pack=20,
    )
    bench.join()
    bench.retained |= peer.blocks(network)
    bench.order(peer.sign(peer.manifest(bench.device_id, bench.build, network)))
    return bench


def packs(bench: Bench) -> list[TelemetryPack]:
    payloads = bench.payloads(topics.telemetry(bench.device_id))
    return [decode_telemetry(payload, bench.device_id) for payload in payloads]


def acknowledge(bench: Bench, boot: int, sequence: int) -> None:
    payload = encode_acknowledgement(Acknowledgement(boot, sequence))
    bench.send(topics.acked(bench.device_id), payload, retain=True)


@pytest.mark.parametrize(("board", "first"), [("esp32dev", b"["), ("nucleo-l073rz", None)])
def test_a_pack_says_what_was_measured(tmp_path, peer, stream, digit_network, board, first):
    bench = working(tmp_path, peer, stream, digit_network, board)
    bench.pass_time(21)
    payload = bench.payloads(topics.telemetry(bench.device_id))[0]
    assert (payload[:1] == b"[") == (first == b"[")
    pack = packs(bench)[0]
    assert (pack.samples, pack.labelled, pack.boot, pack.sequence) == (20, 20, 1, 1)
    assert pack.digest == bench.said_state.digest
    assert pack.accuracy is not None and pack.accuracy > 0.8
    assert pack.latency_ms is not None and pack.latency_ms > 0
    assert pack.arena_used_bytes is not None and pack.free_heap_bytes is not None
    assert pack.arena_used_bytes + pack.free_heap_bytes == bench.build.arena_budget_bytes
    assert pack.adapted_samples in (0, None)
    assert len(packs(bench)) == 10


def test_what_is_not_acknowledged_comes_again_on_the_next_connection(
    tmp_path, peer, stream, digit_network
):
    bench = working(tmp_path, peer, stream, digit_network, "esp32dev")
    bench.pass_time(11)
    acknowledge(bench, 1, 3)
    bench.published.clear()
    bench.connect()
    assert [pack.sequence for pack in packs(bench)] == [4, 5]


def test_it_works_on_while_the_connection_is_gone(tmp_path, peer, stream, digit_network):
    bench = working(tmp_path, peer, stream, digit_network, "esp32dev")
    bench.device.disconnected()
    bench.pass_time(11)
    assert packs(bench) == []
    bench.connect()
    assert [pack.sequence for pack in packs(bench)] == [1, 2, 3, 4, 5]


def test_a_silent_server_is_reminded_less_and_less_often(tmp_path, peer, stream, digit_network):
    bench = working(tmp_path, peer, stream, digit_network, "esp32dev")
    bench.pass_time(500)
    sent = [pack.sequence for pack in packs(bench)]
    assert set(sent) == set(range(1, WINDOW_PACKS + 1))
    assert 3 < sent.count(1) < 8


def test_a_reboot_counts_on_and_numbers_from_one(tmp_path, peer, stream, digit_network):
    bench = working(tmp_path, peer, stream, digit_network, "esp32dev")
    bench.power_on()
    bench.connect()
    bench.published.clear()
    bench.pass_time(3)
    assert [(pack.boot, pack.sequence) for pack in packs(bench)] == [(2, 1)]


def test_a_wiped_device_goes_on_after_the_boots_that_the_server_knows(
    tmp_path, peer, stream, digit_network
):
    """Otherwise its packs would look like repetitions of those of its former life."""
    bench = working(tmp_path, peer, stream, digit_network, "esp32dev")
    acknowledge(bench, 9, 40)
    bench.published.clear()
    bench.pass_time(3)
    assert [(pack.boot, pack.sequence) for pack in packs(bench)] == [(10, 1)]
    assert bench.said_state.boot == 10 if bench.payloads(topics.state(bench.device_id)) else True
    assert decode_online(bench.device.account().will.payload).boot == 10


def test_nonsense_from_the_server_is_ignored(tmp_path, peer, stream, digit_network):
    bench = working(tmp_path, peer, stream, digit_network, "esp32dev")
    bench.send(topics.acked(bench.device_id), b'{"boot": -1}')
    bench.send(topics.acked(bench.device_id), b"")
    bench.pass_time(3)
    assert len(packs(bench)) == 1


def filled(limit_packs: int, count: int, boot: int = 1) -> Ring:
    """A ring into which so many packs were put."""
    ring = Ring(boot, limit_packs)
    for samples in range(1, count + 1):
        ring.put(TelemetryPack(boot=0, sequence=0, samples=samples))
    return ring


def numbers(packs: list[TelemetryPack]) -> list[int]:
    return [pack.sequence for pack in packs]


class TestRing:
    def test_a_full_ring_drops_the_oldest_counts_it_and_says_so(self):
        ring = filled(limit_packs=3, count=5)
        taken = ring.take(0)
        assert (numbers(taken), ring.dropped) == ([3, 4, 5], 2)
        assert {pack.held_from for pack in taken} == {3}
        assert [pack.samples for pack in taken] == [3, 4, 5]

    def test_a_window_is_under_way_until_it_is_acknowledged(self):
        ring = filled(limit_packs=100, count=100)
        assert len(ring.take(0)) == WINDOW_PACKS
        assert ring.take(1) == []
        ring.acknowledge(Acknowledgement(1, 10), 2)
        assert numbers(ring.take(2)) == list(range(WINDOW_PACKS + 1, WINDOW_PACKS + 11))

    def test_a_pack_that_is_sent_again_tells_what_was_dropped_since(self):
        ring = filled(limit_packs=4, count=4)
        assert {pack.held_from for pack in ring.take(0)} == {1}
        ring.put(TelemetryPack(boot=0, sequence=0))
        ring.rewind()
        assert [(pack.sequence, pack.held_from) for pack in ring.take(9)] == [
            (number, 2) for number in (2, 3, 4, 5)
        ]

    def test_a_word_about_another_boot_acknowledges_nothing(self):
        ring = filled(limit_packs=3, count=1, boot=2)
        ring.acknowledge(Acknowledgement(1, 50), 0)
        assert len(ring) == 1
