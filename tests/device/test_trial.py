"""A new network stays only if the device proves itself with it; or else the old one comes back."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_firmware_sim.boot import load_boot_record
from device_firmware_sim.flash import Flash, PowerCut, Supply
from device_firmware_sim.network_errors import NetworkCrashed
from device_firmware_sim.sensors import Camera, World
from device_firmware_sim.trial import CRASHES_MAX, STEADY_S, TRIAL_S
from orchestrator.protocol.messages import DeploymentStatus, ResultCode
from tests.device.bench import Bench
from tests.device.networks import as_tflite, random_dense
from tests.device.peer import Peer

BOARD = "nucleo-l073rz"


def publish(bench: Bench, peer: Peer, data: bytes) -> None:
    bench.retained |= peer.blocks(data, (10,))
    order = peer.manifest(bench.device_id, bench.build, data, block_exponents=(10,))
    bench.order(peer.sign(order))


@pytest.fixture
def bench(tmp_path: Path, peer: Peer, small_network: bytes, other_network: bytes) -> Bench:
    """It has just committed the second network; the first one has passed its trial."""
    return updated(tmp_path / "flash", peer, small_network, other_network)


def updated(folder: Path, peer: Peer, *networks: bytes) -> Bench:
    bench = Bench(folder, BOARD, peer.keys)
    bench.join()
    for data in networks:
        publish(bench, peer, data)
    return bench


def runs(bench: Bench) -> str | None:
    assert bench.device is not None
    return bench.device.state.digest


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def is_on_trial(bench: Bench) -> bool:
    flash = Flash(bench.folder, bench.build.slot_bytes, bench.build.record_bytes)
    return load_boot_record(flash.boot).trial_crashes is not None


def test_a_network_that_lets_the_device_talk_passes(bench, other_network) -> None:
    assert is_on_trial(bench)
    bench.pass_time(STEADY_S - 1)
    assert is_on_trial(bench)
    bench.pass_time(2)
    assert not is_on_trial(bench)
    assert bench.device is not None
    bench.device.disconnected()
    bench.pass_time(10 * TRIAL_S)
    crash(bench, 2 * CRASHES_MAX)
    assert runs(bench) == digest(other_network)


def test_a_device_that_is_off_the_network_until_the_deadline_goes_back(
    bench, small_network, other_network
) -> None:
    assert bench.device is not None
    bench.device.disconnected()
    bench.pass_time(TRIAL_S - 1)
    assert runs(bench) == digest(other_network)
    bench.pass_time(2)
    assert runs(bench) == digest(small_network)
    assert not is_on_trial(bench)
    bench.connect()
    assert bench.said_state.digest == digest(small_network)
    word = bench.reports[-1]
    assert (word.status, word.code) == (DeploymentStatus.ROLLED_BACK, ResultCode.REVERTED)
    assert "off the network" in word.detail


def test_after_going_back_the_same_order_is_not_followed_again(bench, small_network) -> None:
    assert bench.device is not None
    bench.device.disconnected()
    bench.pass_time(TRIAL_S + 1)
    bench.connect()
    bench.pass_time(TRIAL_S)
    bench.power_on()
    bench.connect()
    assert runs(bench) == digest(small_network)


def test_a_new_order_after_that_is(bench, peer, other_network) -> None:
    assert bench.device is not None
    bench.device.disconnected()
    bench.pass_time(TRIAL_S + 1)
    bench.connect()
    publish(bench, peer, other_network)
    assert runs(bench) == digest(other_network)


def test_a_connection_that_comes_in_time_saves_it(bench, other_network) -> None:
    assert bench.device is not None
    bench.device.disconnected()
    bench.pass_time(TRIAL_S - 1)
    bench.connect()
    bench.pass_time(2 * STEADY_S)
    assert not is_on_trial(bench)
    assert runs(bench) == digest(other_network)


def test_connections_that_do_not_hold_do_not_save_it(bench, small_network) -> None:
    assert bench.device is not None
    for _ in range(int(TRIAL_S)):
        bench.connect()
        bench.pass_time(STEADY_S / 2)
        bench.device.disconnected()
        bench.pass_time(1)
    assert runs(bench) == digest(small_network)


def crash(bench: Bench, times: int) -> None:
    for _ in range(times):
        bench.power_on(crashed=True)


def test_a_device_that_keeps_crashing_goes_back(bench, small_network, other_network) -> None:
    crash(bench, CRASHES_MAX - 1)
    assert runs(bench) == digest(other_network)
    crash(bench, 1)
    assert runs(bench) == digest(small_network)
    bench.connect()
    word = bench.reports[-1]
    assert (word.status, word.code) == (DeploymentStatus.ROLLED_BACK, ResultCode.REVERTED)
    assert f"crashed {CRASHES_MAX} times" in word.detail


def test_a_crash_now_and_then_is_forgiven_once_it_was_steady(bench, other_network) -> None:
    crash(bench, CRASHES_MAX - 1)
    bench.connect()
    bench.pass_time(STEADY_S + 1)
    crash(bench, 2 * CRASHES_MAX)
    assert runs(bench) == digest(other_network)


def test_power_may_fail_as_often_as_it_likes(bench, other_network) -> None:
    for _ in range(10 * CRASHES_MAX):
        bench.power_on()
    assert runs(bench) == digest(other_network)
    assert is_on_trial(bench)


def test_time_without_power_does_not_count(bench, other_network) -> None:
    bench.now += 100 * TRIAL_S
    bench.power_on()
    bench.pass_time(TRIAL_S - 1)
    assert runs(bench) == digest(other_network)


def test_a_first_network_is_kept_off_the_network(tmp_path, peer, small_network) -> None:
    bench = updated(tmp_path, peer, small_network)
    assert bench.device is not None
    bench.device.disconnected()
    bench.pass_time(2 * TRIAL_S)
    assert runs(bench) == digest(small_network)


def test_a_first_network_that_crashes_leaves_the_device_without(
    tmp_path, peer, small_network
) -> None:
    """It can be reached and given another one, which a device that restarts for ever cannot."""
    bench = updated(tmp_path, peer, small_network)
    crash(bench, CRASHES_MAX)
    assert runs(bench) is None
    bench.connect()
    publish(bench, peer, small_network)
    assert runs(bench) == digest(small_network)


def test_a_network_that_has_not_run_yet_has_not_passed(
    tmp_path, peer, stream, small_network
) -> None:
    """A device that samples rarely: its connection holds long before the network first runs."""
    camera = Camera(stream, World(None), 1)
    every_s = 6 * STEADY_S
    bench = Bench(tmp_path, BOARD, peer.keys, camera=camera, samples_per_second=1 / every_s)
    bench.join()
    publish(bench, peer, small_network)
    bench.pass_time(every_s - 1)
    assert is_on_trial(bench)
    bench.pass_time(2)
    assert not is_on_trial(bench)


def test_a_network_that_crashes_brings_the_device_down(
    tmp_path, peer, stream, small_network, other_network
) -> None:
    sampling = {
        "camera": Camera(stream, World(None), 1),
        "samples_per_second": 5.0,
        "crashes_with": frozenset({digest(other_network)}),
    }
    bench = Bench(tmp_path, BOARD, peer.keys, **sampling)
    bench.join()
    publish(bench, peer, small_network)
    bench.pass_time(2 * STEADY_S)
    publish(bench, peer, other_network)
    for _ in range(CRASHES_MAX):
        with pytest.raises(NetworkCrashed):
            bench.pass_time(STEADY_S)
        bench.power_on(crashed=True)
        bench.connect()
    bench.pass_time(STEADY_S)
    assert runs(bench) == digest(small_network)


def test_an_order_that_comes_meanwhile_ends_the_trial(bench, peer, other_network) -> None:
    """The way back is about to be overwritten, so there must be no trial any more."""
    third = as_tflite(random_dense(18, seed=9))
    order = peer.manifest(bench.device_id, bench.build, third, block_exponents=(10,))
    bench.order(peer.sign(order))
    assert bench.words[-1] == "downloading"
    assert not is_on_trial(bench)
    crash(bench, 2 * CRASHES_MAX)
    assert runs(bench) == digest(other_network)


def way_back_survives(bench: Bench, cut: int, torn: float, old: str, new: str) -> None:
    """Power fails in a write of the way back and tears it: old or new runs, and then old."""
    crash(bench, CRASHES_MAX - 1)
    try:
        bench.power_on(Supply(cut, torn), crashed=True)
    except PowerCut:
        bench.power_on()
    assert runs(bench) in (old, new)
    crash(bench, 1)
    assert runs(bench) == old


@pytest.mark.parametrize("torn", [0.0, 0.4, 1.0])
def test_power_may_fail_at_any_write_of_a_way_back_from_crashing(
    tmp_path, peer, small_network, other_network, torn
) -> None:
    networks = (small_network, other_network)
    old, new = map(digest, networks)
    for cut in range(3):
        bench = updated(tmp_path / str(cut), peer, *networks)
        way_back_survives(bench, cut, torn, old, new)


@settings(max_examples=12, deadline=None)
@given(cut=st.integers(0, 3), torn=st.floats(0, 1), passes=st.booleans())
def test_power_may_fail_at_any_write_of_a_verdict(
    tmp_path_factory, peer, small_network, other_network, cut, torn, passes
) -> None:
    """Whether the trial is passed or failed: a whole network runs, and one of the two."""
    networks = (small_network, other_network)
    bench = updated(tmp_path_factory.mktemp("flash"), peer, *networks)
    bench.power_on(Supply(cut + 2, torn))
    if passes:
        bench.connect()
    bench.cut_and_reboot(lambda: bench.pass_time(TRIAL_S + 1))
    assert runs(bench) in map(digest, networks)
    bench.power_on()
    assert runs(bench) in map(digest, networks)
