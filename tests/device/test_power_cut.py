"""Power fails at a write of an update or of a way back: whole, ordered networks run after a boot.

`make test` cuts at some writes, `make soak` at every one, of updates of several sizes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from device_firmware_sim.boot import load_boot_record
from device_firmware_sim.flash import Flash, PowerCut, Supply
from device_firmware_sim.trial import CRASHES_MAX, STEADY_S, TRIAL_S
from orchestrator.protocol import topics
from orchestrator.protocol.messages import DeploymentStatus
from tests.device.bench import Bench
from tests.device.networks import as_tflite, random_dense
from tests.device.peer import Peer
from tests.seeds import drawn, sample

BOARD = "nucleo-f401re"
TORN = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0]
SIZES = [(16, 20), (20, 16), (8, 64), (64, 200), (200, 8)]
"""Hidden features of the network before and after: artifacts of one block to many."""

Networks = tuple[bytes, bytes]
Life = tuple[int, float]
"""After how many writes power fails, and what fraction of that write is done."""


def order(bench: Bench, peer: Peer, data: bytes) -> None:
    """Let the broker keep an order and its blocks; the device hears of them when it connects."""
    bench.retained |= peer.blocks(data, (10,))
    manifest = peer.manifest(bench.device_id, bench.build, data, block_exponents=(10,))
    bench.retained[topics.desired(bench.device_id)] = peer.sign(manifest)


def installed(folder: Path, peer: Peer, *networks: bytes) -> Bench:
    """A device that has installed one network after the other; the last one is on trial still."""
    bench = Bench(folder, BOARD, peer.keys)
    bench.join()
    for data in networks:
        bench.pass_time(STEADY_S + 1)
        order(bench, peer, data)
        bench.connect()
        assert bench.said_state.digest == hashlib.sha256(data).hexdigest()
    return bench


def update(folder: Path, peer: Peer, networks: Networks) -> Bench:
    bench = installed(folder, peer, networks[0])
    bench.pass_time(STEADY_S + 1)
    order(bench, peer, networks[1])
    return bench


def ordered_back(folder: Path, peer: Peer, networks: Networks) -> Bench:
    """The older network still stands in the other slot, and no block of it is left anywhere."""
    bench = installed(folder, peer, networks[1], networks[0])
    order(bench, peer, networks[1])
    bench.retained = {t: p for t, p in bench.retained.items() if "/artifacts/" not in t}
    return bench


def gone_back(folder: Path, peer: Peer, networks: Networks) -> Bench:
    """The running slot has lost a bit, so the boot itself goes back to the other one."""
    bench = installed(folder, peer, networks[1], networks[0])
    slot = folder / f"slot-{bench.said_state.slot}"
    data = slot.read_bytes()
    slot.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    return bench


def crashed_back(folder: Path, peer: Peer, networks: Networks) -> Bench:
    """Its new network has made it crash as often as it may, and does so once more."""
    bench = installed(folder, peer, networks[1], networks[0])
    for _ in range(CRASHES_MAX - 1):
        bench.power_on(crashed=True)
    return bench


def silent(folder: Path, peer: Peer, networks: Networks) -> Bench:
    """Its new network will keep it off the air until the trial's end."""
    return installed(folder, peer, networks[1], networks[0])


@dataclass(frozen=True)
class Way:
    """How a device is made that is about to change to its second network, and its last word."""

    prepare: Callable[[Path, Peer, Networks], Bench]
    last_word: DeploymentStatus
    off_air_s: float = 0.0
    crashed: bool = False

    def __str__(self) -> str:
        return self.prepare.__name__

    def go(self, bench: Bench, supply: Supply | None = None) -> None:
        """One life, from power-on to the connection and what follows from it."""
        bench.power_on(supply, crashed=self.crashed)
        bench.pass_time(self.off_air_s)
        bench.connect()


WAYS = [
    Way(update, DeploymentStatus.INSTALLED),
    Way(ordered_back, DeploymentStatus.INSTALLED),
    Way(gone_back, DeploymentStatus.ROLLED_BACK),
    Way(crashed_back, DeploymentStatus.ROLLED_BACK, crashed=True),
    Way(silent, DeploymentStatus.ROLLED_BACK, off_air_s=TRIAL_S + 1),
]


def writes_of(way: Way, folder: Path, peer: Peer, networks: Networks) -> int:
    """How often flash is written from power-on to the end of the change."""
    bench = way.prepare(folder, peer, networks)
    way.go(bench)
    assert bench.said_state.digest == hashlib.sha256(networks[1]).hexdigest()
    return bench.supply.used


def runs_whole(bench: Bench, networks: Networks) -> None:
    """Flash itself, read as a bootloader would, names a slot that holds an ordered network."""
    assert bench.device is not None
    flash = Flash(bench.folder, bench.build.slot_bytes, bench.build.record_bytes)
    record = load_boot_record(flash.boot)
    image = record.running
    assert image is not None and record.active is not None
    held = flash.slots[record.active].read(0, image.size)
    assert held in networks
    assert hashlib.sha256(held).digest() == image.digest
    assert bench.device.state.digest == image.digest.hex()


def survives(way: Way, folder: Path, peer: Peer, networks: Networks, lives: Sequence[Life]) -> int:
    """Each life ends by a cut, and after it a whole network runs; the last one ends the change.

    Returns how many of the lives ended before they were over.
    """
    bench = way.prepare(folder, peer, networks)
    cuts = 0
    for writes, torn in lives:
        try:
            way.go(bench, Supply(writes, torn))
        except PowerCut:
            cuts += 1
            bench.power_on()
            runs_whole(bench, networks)
    way.go(bench)
    runs_whole(bench, networks)
    assert bench.said_state.digest == hashlib.sha256(networks[1]).hexdigest(), lives
    assert bench.reports[-1].status is way.last_word, lives
    return cuts


@pytest.mark.parametrize("torn", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_cut_at_a_write_leaves_a_whole_network_and_the_change_completes(
    tmp_path, peer, small_network, other_network, way, torn
):
    networks = (small_network, other_network)
    writes = writes_of(way, tmp_path / "count", peer, networks)
    some = {0, writes - 1, *sample(f"{way} {torn}", range(writes), 4)}
    for cut in sorted(some):
        assert survives(way, tmp_path / str(cut), peer, networks, [(cut, torn)]) == 1
    assert survives(way, tmp_path / "none", peer, networks, [(writes, torn)]) == 0


@pytest.fixture
def sized(request) -> Networks:
    """Networks of the sizes that a test is called with."""
    before, after = request.param
    return as_tflite(random_dense(before, seed=1)), as_tflite(random_dense(after, seed=2))


@pytest.mark.soak
@pytest.mark.parametrize("torn", TORN)
@pytest.mark.parametrize("sized", SIZES, indirect=True, ids=str)
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_cut_at_any_write(tmp_path, peer, way, sized, torn):
    for cut in range(writes_of(way, tmp_path / "count", peer, sized)):
        assert survives(way, tmp_path / str(cut), peer, sized, [(cut, torn)]) == 1


@pytest.mark.soak
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_cuts_in_life_after_life(tmp_path, peer, small_network, other_network, way):
    """Power fails in what mends the last failure, too; the boot alone writes twice."""
    networks = (small_network, other_network)
    writes = writes_of(way, tmp_path / "count", peer, networks)
    random = drawn(f"lives {way}")
    for number in range(50):
        lives = [(random.randrange(writes), random.random()) for _ in range(random.randint(2, 6))]
        assert survives(way, tmp_path / str(number), peer, networks, lives) >= 1


def test_cuts_again_and_again_only_delay_it(tmp_path, peer, small_network, large_network):
    """Each life ends after a few writes; what is in flash is not fetched again."""
    bench = installed(tmp_path, peer, small_network)
    order(bench, peer, large_network)
    lives = 0
    while bench.said_state.digest != hashlib.sha256(large_network).hexdigest():
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
        bench = installed(tmp_path / str(cut), peer, small_network)
        try:
            bench.power_on(Supply(cut, 0.5))
        except PowerCut:
            bench.power_on()
        assert bench.device is not None
        assert bench.device.state.digest == digest
        assert bench.device.boot in (2, 3)
