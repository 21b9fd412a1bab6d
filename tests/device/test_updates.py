"""A device follows a signed order, and only such an order; what runs is always whole."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from device_firmware_sim.runtime import NetworkRefused, Runtime, load_network
from orchestrator.protocol import topics
from orchestrator.protocol.blocks import frame
from orchestrator.protocol.manifest import class_id, encode, envelope
from orchestrator.protocol.messages import DeploymentStatus, ResultCode
from orchestrator.protocol.self_test import GENERATOR, SelfTest
from tests.device.bench import Bench
from tests.device.networks import as_tflite, random_dense
from tests.device.peer import DAY, NOW, Peer

BOARD = "bluepill-f103c8"


@pytest.fixture
def bench(tmp_path: Path, peer: Peer) -> Bench:
    bench = Bench(tmp_path / "flash", BOARD, peer.keys)
    bench.join()
    return bench


def offer(bench: Bench, peer: Peer, data: bytes, **changes) -> bytes:
    """Publish blocks and order; returns the order."""
    bench.retained |= peer.blocks(data)
    order = peer.sign(peer.manifest(bench.device_id, bench.build, data, **changes))
    bench.order(order)
    return order


def digest_of(data: bytes) -> str:
    return load_network(data).digest.hex()


def test_a_good_order_is_followed_stage_by_stage(bench: Bench, peer: Peer, small_network: bytes):
    offer(bench, peer, small_network)
    stages = list(dict.fromkeys(bench.words))
    assert stages == ["downloading", "installing", "verifying", "installed"]
    assert bench.reports[-1].code is ResultCode.OK
    assert (bench.said_state.digest, bench.said_state.slot) == (digest_of(small_network), 0)
    assert bench.published[-1].topic == topics.state(bench.device_id)  # commit, then state


def test_a_second_order_goes_into_the_other_slot(bench, peer, small_network, other_network):
    offer(bench, peer, small_network)
    offer(bench, peer, other_network)
    assert (bench.said_state.digest, bench.said_state.slot) == (digest_of(other_network), 1)


def test_going_back_needs_no_block_again(bench, peer, small_network, other_network):
    offer(bench, peer, small_network)
    offer(bench, peer, other_network)
    bench.retained = {t: p for t, p in bench.retained.items() if "/artifacts/" not in t}
    back = peer.manifest(bench.device_id, bench.build, small_network)
    bench.order(peer.sign(back))
    assert (bench.said_state.digest, bench.said_state.slot) == (digest_of(small_network), 0)


def test_what_runs_already_is_installed_at_once(bench, peer, small_network):
    offer(bench, peer, small_network)
    bench.published.clear()
    offer(bench, peer, small_network)
    assert bench.words == ["installed"]
    assert bench.said_state.sequence == bench.reports[-1].sequence


def test_an_installed_network_survives_a_reboot(bench, peer, small_network):
    offer(bench, peer, small_network)
    bench.power_on()
    bench.connect()
    assert bench.said_state.digest == digest_of(small_network)
    assert bench.said_state.boot == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"vendor_id": uuid.UUID(int=1)}, ResultCode.WRONG_VENDOR),
        ({"class_id": class_id("disco-f746ng")}, ResultCode.WRONG_CLASS),
        ({"device_id": "unit-2"}, ResultCode.WRONG_DEVICE),
        ({"sequence": 0}, ResultCode.OLD_SEQUENCE),
        ({"issued_at": int(NOW) - 9, "expires_at": int(NOW)}, ResultCode.EXPIRED),
        ({"size": 8 * 1024 + 1}, ResultCode.TOO_LARGE),
        ({"block_exponents": (12, 0), "size": 8 * 1024}, ResultCode.TOO_LARGE),
        ({"arena_bytes": 5633}, ResultCode.ARENA_TOO_SMALL),
        ({"operators": {"HARD_SWISH": 1}}, ResultCode.MISSING_OPERATOR),
        ({"operators": {"FULLY_CONNECTED": 99}}, ResultCode.MISSING_OPERATOR),
        ({"runtime": "onnxruntime"}, ResultCode.WRONG_RUNTIME),
        ({"input_shape": (1, 1, 8, 8)}, ResultCode.WRONG_SHAPE),
        ({"output_shape": (1, 11)}, ResultCode.WRONG_SHAPE),
    ],
    ids=lambda value: value.value if isinstance(value, ResultCode) else "+".join(value),
)
def test_an_order_that_is_not_for_it_is_refused(
    bench, peer, small_network, other_network, changes, code
):
    offer(bench, peer, small_network)
    offer(bench, peer, other_network, **changes)
    assert (bench.reports[-1].status, bench.reports[-1].code) == (DeploymentStatus.REJECTED, code)
    assert bench.reports[-1].deployment is not None
    assert bench.said_state.digest == digest_of(small_network)


def test_a_strangers_signature_is_refused(bench, peer, small_network):
    order = peer.manifest(bench.device_id, bench.build, small_network)
    bench.order(envelope(encode(order), ec.generate_private_key(ec.SECP256R1())))
    assert bench.reports[-1].code is ResultCode.UNKNOWN_KEY
    assert bench.reports[-1].deployment is None
    assert bench.said_state.digest is None


def test_every_changed_byte_is_refused(bench, peer, small_network):
    good = peer.sign(peer.manifest(bench.device_id, bench.build, small_network))
    bench.retained |= peer.blocks(small_network)
    for position in range(len(good)):
        changed = bytearray(good)
        changed[position] ^= 0x40
        bench.published.clear()
        bench.order(bytes(changed))
        assert bench.words == ["rejected"], position
    assert bench.device.state.digest is None


def test_an_older_order_is_not_followed_while_a_newer_is_under_way(
    bench, peer, small_network, other_network
):
    older = peer.sign(peer.manifest(bench.device_id, bench.build, small_network))
    newer = peer.sign(peer.manifest(bench.device_id, bench.build, other_network))
    bench.order(newer)
    bench.retained |= peer.blocks(small_network)
    bench.order(older)
    assert bench.reports[-1].code is ResultCode.OLD_SEQUENCE
    bench.retained |= peer.blocks(other_network)
    bench.pass_time(10)
    assert bench.said_state.digest == digest_of(other_network)


def test_replayed_orders_get_the_same_answer_and_change_nothing(
    bench, peer, small_network, other_network
):
    first = offer(bench, peer, small_network)
    bench.order(first)
    assert bench.words[-1] == "installed"
    offer(bench, peer, other_network)
    bench.order(first)
    assert bench.reports[-1].code is ResultCode.OLD_SEQUENCE
    assert bench.said_state.digest == digest_of(other_network)


def test_a_taken_back_order_stops_and_may_come_again(bench, peer, small_network):
    order = peer.sign(peer.manifest(bench.device_id, bench.build, small_network))
    bench.order(order)
    bench.order(b"")
    assert not [topic for topic in bench.subscribed if "/artifacts/" in topic]
    bench.retained |= peer.blocks(small_network)
    bench.order(order)
    assert bench.said_state.digest == digest_of(small_network)


def test_an_order_without_blocks_ends_at_its_expiry(bench, peer, small_network):
    order = peer.manifest(bench.device_id, bench.build, small_network, expires_at=int(NOW) + 300)
    bench.order(peer.sign(order))
    bench.pass_time(301)
    assert (bench.reports[-1].status, bench.reports[-1].code) == (
        DeploymentStatus.FAILED,
        ResultCode.EXPIRED,
    )


def test_time_does_not_run_backwards_for_a_signed_order(bench, peer, small_network, other_network):
    """Freeze: what has expired by the newest signed time stays expired whatever the clock says."""
    offer(bench, peer, small_network, issued_at=int(NOW) + 100, expires_at=int(NOW) + 200)
    bench.now = NOW - DAY
    offer(bench, peer, other_network, issued_at=int(NOW) - 50, expires_at=int(NOW) + 99)
    assert bench.reports[-1].code is ResultCode.EXPIRED


def test_blocks_that_make_another_file_are_thrown_away(bench, peer, small_network, other_network):
    order = peer.manifest(bench.device_id, bench.build, small_network)
    wrong = bytes(len(small_network))
    names = peer.blocks(small_network, (10,))
    bench.retained |= {topic: frame(wrong[: len(payload) - 4]) for topic, payload in names.items()}
    bench.order(peer.sign(order))
    assert (bench.reports[-1].status, bench.reports[-1].code) == (
        DeploymentStatus.FAILED,
        ResultCode.BAD_DIGEST,
    )
    offer(bench, peer, small_network)  # a new attempt starts from nothing and succeeds
    assert bench.said_state.digest == digest_of(small_network)


def test_a_failed_self_test_leaves_the_old_network_running(
    bench, peer, small_network, other_network
):
    offer(bench, peer, small_network)
    wrong = SelfTest(GENERATOR, 5, bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), 2)
    offer(bench, peer, other_network, self_test=wrong)
    assert bench.reports[-1].code is ResultCode.SELF_TEST_FAILED
    assert bench.said_state.digest == digest_of(small_network)
    bench.power_on()
    bench.connect()
    assert bench.said_state.digest == digest_of(small_network)


def test_a_file_that_is_no_network_is_refused(bench, peer, small_network):
    noise = bytes(range(256)) * 8
    order = peer.manifest(bench.device_id, bench.build, small_network)
    digest = hashlib.sha256(noise).digest()
    bench.retained |= peer.blocks(noise)
    bench.order(peer.sign(replace(order, digest=digest, size=len(noise))))
    assert (bench.reports[-1].status, bench.reports[-1].code) == (
        DeploymentStatus.REJECTED,
        ResultCode.MALFORMED,
    )


def test_the_devices_own_count_of_memory_decides(tmp_path, peer, small_network):
    """The server believes that it fits; the device counts for itself."""
    bench = Bench(tmp_path, BOARD, peer.keys, arena_error=10.0)
    bench.join()
    offer(bench, peer, small_network, arena_bytes=1000)
    assert (bench.reports[-1].status, bench.reports[-1].code) == (
        DeploymentStatus.REJECTED,
        ResultCode.ARENA_TOO_SMALL,
    )
    assert "5632" in bench.reports[-1].detail


def test_operators_are_read_from_the_file_itself(bench, peer):
    sly = as_tflite(random_dense(16, seed=4), activation="HARD_SWISH")
    offer(bench, peer, sly, operators={"FULLY_CONNECTED": 1})
    assert bench.reports[-1].code is ResultCode.MISSING_OPERATOR


def test_versions_of_operators_are_read_from_the_file_itself(tmp_path, small_network):
    needed = load_network(small_network).operators
    assert needed["FULLY_CONNECTED"] == 4, "as the file was written"
    Runtime("reference", needed, 10_000).load(small_network)
    older = {**needed, "FULLY_CONNECTED": 3}
    with pytest.raises(NetworkRefused, match=r"FULLY_CONNECTED version 4 \(3 is linked\)") as no:
        Runtime("reference", older, 10_000).load(small_network)
    assert no.value.code is ResultCode.MISSING_OPERATOR


def test_a_broken_active_slot_makes_the_device_go_back(bench, peer, small_network, other_network):
    offer(bench, peer, small_network)
    offer(bench, peer, other_network)
    (bench.folder / "slot-1").write_bytes(b"\x00" * 100)
    bench.power_on()
    bench.connect()
    assert bench.said_state.digest == digest_of(small_network)
    assert (bench.reports[-1].status, bench.reports[-1].code) == (
        DeploymentStatus.ROLLED_BACK,
        ResultCode.REVERTED,
    )


def test_an_order_that_failed_is_not_the_one_that_is_taken_back(
    bench, peer, small_network, other_network
):
    """An order ends once: going back concerns the network before, and `state` says so."""
    offer(bench, peer, small_network)
    offer(bench, peer, other_network)
    offer(bench, peer, small_network, self_test=SelfTest(GENERATOR, 5, b"\x55" * 10, 2))
    failed = bench.reports[-1]
    assert failed.code is ResultCode.SELF_TEST_FAILED
    (bench.folder / "slot-1").write_bytes(b"\x00" * 100)
    bench.power_on()
    bench.connect()
    assert bench.said_state.digest == digest_of(small_network)
    last = bench.reports[-1]
    assert (last.deployment, last.status, last.code) == (
        failed.deployment,
        failed.status,
        failed.code,
    )


def test_it_repeats_what_it_is_runs_and_said_last(bench, peer, small_network, other_network):
    """A broker's queue may overflow: what matters is said again, though nobody asked."""
    offer(bench, peer, small_network)
    offer(bench, peer, other_network, runtime="onnxruntime")
    refused = bench.reports[-1]
    bench.published.clear()
    bench.pass_time(3600)
    assert refused in bench.reports
    assert bench.said_state.digest == digest_of(small_network)
    assert 5 < len(bench.payloads(topics.td(bench.device_id))) < 13
