"""Power fails at a write of an update: whole, ordered networks run after the reboot.

`make test` cuts at some writes, `make soak` at every one, of updates of several sizes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from random import Random

import pytest

from device_firmware_sim.flash import PowerCut, Supply
from orchestrator.protocol import topics
from tests.device.bench import Bench
from tests.device.networks import as_tflite, random_dense
from tests.device.peer import Peer

BOARD = "nucleo-l073rz"
BOOT_WRITES = 2


def first_installed(folder: Path, peer: Peer, data: bytes, board: str = BOARD) -> Bench:
    bench = Bench(folder, board, peer.keys)
    bench.join()
    publish(bench, peer, data)
    return bench


def publish(bench: Bench, peer: Peer, data: bytes) -> None:
    bench.retained |= peer.blocks(data, (10,))
    manifest = peer.manifest(bench.device_id, bench.build, data, block_exponents=(10,))
    bench.order(peer.sign(manifest))


def writes_of_an_update(
    folder: Path, peer: Peer, before: bytes, after: bytes, board: str = BOARD
) -> int:
    bench = first_installed(folder, peer, before, board)
    bench.power_on()
    bench.connect()
    start = bench.supply.used
    publish(bench, peer, after)
    return bench.supply.used - start


def survive_a_cut(folder: Path, peer: Peer, cut: int, torn: float, networks, board: str) -> None:
    """Power fails in the `cut`th write of an update and tears it: old or new runs, then new."""
    before, after = networks
    old, new = (hashlib.sha256(data).hexdigest() for data in networks)
    bench = first_installed(folder, peer, before, board)
    bench.power_on(Supply(cut + BOOT_WRITES, torn))
    bench.connect()
    with pytest.raises(PowerCut):
        publish(bench, peer, after)
    bench.power_on()
    assert bench.device is not None
    assert bench.device.state.digest in (old, new), cut
    bench.connect()
    assert bench.said_state.digest == new, cut
    assert bench.words[-1] == "installed", cut


@pytest.mark.parametrize("torn", [0.0, 0.4, 1.0])
def test_a_cut_at_a_write_leaves_old_or_new_and_the_update_completes(
    tmp_path, peer, small_network, other_network, torn
):
    networks = (small_network, other_network)
    writes = writes_of_an_update(tmp_path / "count", peer, *networks)
    assert writes > 10
    some = {0, writes - 1, *Random(f"cuts {torn}").sample(range(writes), 5)}
    for cut in sorted(some):
        survive_a_cut(tmp_path / str(cut), peer, cut, torn, networks, BOARD)


@pytest.mark.soak
@pytest.mark.parametrize("torn", [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0])
@pytest.mark.parametrize(("before", "after"), [(16, 20), (20, 16), (8, 64), (64, 200), (200, 8)])
def test_a_cut_at_any_write_of_any_update(tmp_path, peer, before, after, torn):
    """Every write of updates of one block to many, by hidden features of the networks."""
    networks = (as_tflite(random_dense(before, seed=1)), as_tflite(random_dense(after, seed=2)))
    board = "nucleo-f401re"
    for cut in range(writes_of_an_update(tmp_path / "count", peer, *networks, board)):
        survive_a_cut(tmp_path / str(cut), peer, cut, torn, networks, board)


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
