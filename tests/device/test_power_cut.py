"""Power fails at every single write of an update: whole, ordered networks run after the reboot."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from device_firmware_sim.flash import PowerCut, Supply
from orchestrator.protocol import topics
from tests.device.bench import Bench
from tests.device.peer import Peer

BOARD = "nucleo-l073rz"


def first_installed(folder: Path, peer: Peer, data: bytes) -> Bench:
    bench = Bench(folder, BOARD, peer.keys)
    bench.join()
    publish(bench, peer, data)
    return bench


def publish(bench: Bench, peer: Peer, data: bytes, **changes) -> None:
    bench.retained |= peer.blocks(data, (10,))
    bench.order(peer.sign(peer.manifest(bench.device_id, bench.build, data, **changes)))


def writes_of_an_update(folder: Path, peer: Peer, before: bytes, after: bytes) -> int:
    bench = first_installed(folder, peer, before)
    bench.power_on()
    bench.connect()
    start = bench.supply.used
    publish(bench, peer, after)
    return bench.supply.used - start


@pytest.mark.parametrize("torn", [0.0, 0.4, 1.0])
def test_a_cut_at_any_write_leaves_old_or_new_and_the_update_completes(
    tmp_path, peer, small_network, other_network, torn
):
    old, new = (hashlib.sha256(data).hexdigest() for data in (small_network, other_network))
    writes = writes_of_an_update(tmp_path / "count", peer, small_network, other_network)
    assert writes > 10
    for cut in range(writes):
        bench = first_installed(tmp_path / f"{torn}-{cut}", peer, small_network)
        bench.power_on(Supply(cut + 2, torn))  # two writes count the boot
        bench.connect()
        with pytest.raises(PowerCut):
            publish(bench, peer, other_network)
        bench.power_on()
        assert bench.device is not None
        assert bench.device.state.digest in (old, new), cut
        bench.connect()
        assert bench.said_state.digest == new, cut
        assert bench.words[-1] == "installed", cut


def test_a_cut_at_any_write_of_a_way_back(tmp_path, peer, small_network, other_network):
    old, new = (hashlib.sha256(data).hexdigest() for data in (small_network, other_network))
    for cut in range(2, 8):
        bench = first_installed(tmp_path / str(cut), peer, small_network)
        publish(bench, peer, other_network)
        bench.power_on(Supply(cut))
        bench.connect()
        bench.cut_and_reboot(lambda bench=bench: publish(bench, peer, small_network))
        assert bench.device is not None
        assert bench.device.state.digest in (old, new)
        bench.pass_time(30)
        assert bench.said_state.digest == old, cut


def test_cuts_again_and_again_only_delay_it(tmp_path, peer, small_network, large_network):
    """Each life ends after a few writes; what is in flash is not fetched again."""
    bench = Bench(tmp_path, "nucleo-f401re", peer.keys)
    bench.join()
    publish(bench, peer, small_network)
    lives = 0
    target = hashlib.sha256(large_network).hexdigest()
    bench.retained |= peer.blocks(large_network, (10,))
    order = peer.manifest(bench.device_id, bench.build, large_network, block_exponents=(10,))
    bench.retained[topics.desired(bench.device_id)] = peer.sign(order)
    while bench.said_state.digest != target:
        lives += 1
        try:
            bench.power_on(Supply(12, 0.5))
            bench.connect()
        except PowerCut:
            continue
    assert 3 < lives < 60


def test_a_cut_during_any_boot_is_harmless(tmp_path, peer, small_network):
    digest = hashlib.sha256(small_network).hexdigest()
    for cut in range(4):
        bench = first_installed(tmp_path / str(cut), peer, small_network)
        try:
            bench.power_on(Supply(cut, 0.5))
        except PowerCut:
            bench.power_on()
        assert bench.device is not None
        assert bench.device.state.digest == digest
        assert bench.device.boot in (2, 3)
