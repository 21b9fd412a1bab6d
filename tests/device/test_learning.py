"""A device adapts its last layer on its own samples, within its own memory, and says what came."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from device_firmware_sim.learning.tinyol import OnlineLayer, training_bytes
from device_firmware_sim.runtime import load_network
from device_firmware_sim.sensors import Camera, Stream, Surroundings, World
from orchestrator.protocol import topics
from orchestrator.protocol.learning import sign_task
from orchestrator.protocol.messages import LearnStatus
from orchestrator.protocol.senml import decode_telemetry
from tests.device.bench import Bench
from tests.device.networks import as_tflite, random_dense
from tests.device.peer import NOW, Peer


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def bench(tmp_path: Path, peer: Peer, stream: Stream, world: World, digit_network: bytes) -> Bench:
    return working(tmp_path, peer, stream, world, digit_network, "nucleo-f401re")


def working(tmp_path, peer, stream, world, network, board, **setup) -> Bench:
    setup |= {"samples_per_second": 50, "keeps_telemetry": True}
    setup["camera"] = Camera(stream, world, seed=3)
    bench = Bench(tmp_path, board, peer.keys, **setup)
    bench.join()
    install(bench, peer, network)
    return bench


def install(bench: Bench, peer: Peer, network: bytes) -> None:
    bench.retained |= peer.blocks(network)
    bench.order(peer.sign(peer.manifest(bench.device_id, bench.build, network)))


def give(bench: Bench, envelope: bytes) -> None:
    bench.send(topics.learn_task(bench.device_id), envelope, retain=True)


def accuracy(bench: Bench, seconds: float = 10) -> float:
    before = len(bench.payloads(topics.telemetry(bench.device_id)))
    bench.pass_time(seconds)
    packs = bench.payloads(topics.telemetry(bench.device_id))[before:]
    return float(np.mean([decode_telemetry(pack).accuracy for pack in packs]))


@pytest.mark.parametrize(
    "drift", [Surroundings("invert"), Surroundings(permute_labels=3)], ids=["invert", "relabel"]
)
def test_it_recovers_from_a_drift(bench, peer, world, digit_network, drift):
    before = accuracy(bench)
    world.now = drift
    drifted = accuracy(bench)
    give(bench, peer.sign_task(peer.task(bench.device_id, digit_network, samples=600)))
    bench.pass_time(20)
    adapted = accuracy(bench)
    assert before > 0.85 and drifted < before - 0.4
    assert adapted - drifted > 0.5 * (before - drifted)
    running, finished = bench.learn_updates
    assert (running.status, finished.status) == (LearnStatus.RUNNING, LearnStatus.FINISHED)
    assert finished.samples == 600 and finished.shape == (25, 10)
    assert finished.accuracy_before == pytest.approx(drifted, abs=0.15)
    assert finished.accuracy_after > finished.accuracy_before


def test_the_layer_starts_as_the_networks_own(digit_network, stream):
    network = load_network(digit_network)
    assert network.last_layer is not None
    layer = OnlineLayer(np.vstack([network.last_layer.weights, network.last_layer.biases]))
    results = [network.run(image) for image in stream.images[:200]]
    same = [int(r.logits.argmax()) == layer.classify(r.features) for r in results]
    assert np.mean(same) > 0.98


@pytest.mark.parametrize(("features", "classes"), [(1, 2), (24, 10), (128, 12)])
def test_training_bytes_are_what_training_holds(features, classes):
    layer = OnlineLayer(np.zeros((features + 1, classes), np.float32))
    assert layer.state_bytes == training_bytes(features, classes)
    assert training_bytes(features, classes) == 4 * (
        (features + 1) * classes + 2 * features + classes + 2
    )


@pytest.mark.parametrize(
    ("arena_error", "status"), [(1.0, LearnStatus.RUNNING), (4.0, LearnStatus.REFUSED)]
)
def test_it_learns_only_in_what_its_network_leaves_free(
    tmp_path, peer, stream, world, digit_network, arena_error, status
):
    """A device that counts four times as much for the network has too little left for training."""
    bench = working(
        tmp_path, peer, stream, world, digit_network, "bluepill-f103c8", arena_error=arena_error
    )
    give(bench, peer.sign_task(peer.task(bench.device_id, digit_network)))
    assert bench.learn_updates[-1].status is status
    if status is LearnStatus.REFUSED:
        needed = f"training needs {training_bytes(24, 10)} bytes"
        assert bench.learn_updates[-1].detail.startswith(needed)


def test_it_learns_only_what_its_flash_can_keep(tmp_path, peer, stream, world):
    network = as_tflite(random_dense(90, seed=1))
    bench = working(tmp_path, peer, stream, world, network, "arduino-nano-33-iot")
    give(bench, peer.sign_task(peer.task(bench.device_id, network)))
    assert bench.learn_updates[-1].status is LearnStatus.REFUSED
    assert "a layer of 3640 bytes" in bench.learn_updates[-1].detail


def test_memory_taken_by_learning_shows_in_telemetry(bench, peer, digit_network):
    bench.pass_time(2)
    free = decode_telemetry(bench.payloads(topics.telemetry(bench.device_id))[-1]).free_heap_bytes
    give(bench, peer.sign_task(peer.task(bench.device_id, digit_network)))
    bench.pass_time(2)
    pack = decode_telemetry(bench.payloads(topics.telemetry(bench.device_id))[-1])
    assert free - pack.free_heap_bytes == training_bytes(24, 10)
    assert pack.adapted_samples and pack.adapted_samples > 20


def test_the_adapted_layer_survives_a_reboot_and_the_answer_is_repeated(
    bench, peer, world, digit_network
):
    world.now = Surroundings("invert")
    give(bench, peer.sign_task(peer.task(bench.device_id, digit_network, samples=600)))
    bench.pass_time(30)
    finished = bench.learn_updates[-1]
    bench.power_on()
    bench.connect()  # the retained task comes again
    assert bench.learn_updates[-1] == finished
    assert accuracy(bench) > 0.6


def test_the_adapted_layer_goes_with_its_artifact(bench, peer, world, digit_network):
    give(bench, peer.sign_task(peer.task(bench.device_id, digit_network, samples=50)))
    bench.pass_time(3)
    install(bench, peer, as_tflite(random_dense(24, seed=9)))
    bench.pass_time(3)
    install(bench, peer, digit_network)
    bench.pass_time(3)
    pack = decode_telemetry(bench.payloads(topics.telemetry(bench.device_id))[-1])
    assert pack.adapted_samples in (0, None)
    bench.power_on()
    bench.connect()
    assert b"weights" not in (bench.folder / "adapted-0").read_bytes()[:20]


def test_a_layer_that_is_no_better_is_dropped(bench, peer, digit_network):
    before = accuracy(bench)
    runaway = peer.task(bench.device_id, digit_network, learning_rate=1e6, samples=200)
    give(bench, peer.sign_task(runaway))
    bench.pass_time(8)
    failed = bench.learn_updates[-1]
    assert failed.status is LearnStatus.FAILED and failed.weights == b""
    assert accuracy(bench) == pytest.approx(before, abs=0.1)


def test_a_second_task_goes_on_from_the_first(bench, peer, world, digit_network):
    world.now = Surroundings("invert")
    bench.pass_time(3)
    for _ in range(2):
        give(bench, peer.sign_task(peer.task(bench.device_id, digit_network, samples=400)))
        bench.pass_time(12)
    first, second = [u for u in bench.learn_updates if u.status is LearnStatus.FINISHED]
    assert second.accuracy_before > first.accuracy_before + 0.3
    pack = decode_telemetry(bench.payloads(topics.telemetry(bench.device_id))[-1])
    assert pack.adapted_samples == 800


def test_a_repeated_task_is_run_once(bench, peer, digit_network):
    envelope = peer.sign_task(peer.task(bench.device_id, digit_network, samples=200))
    for _ in range(3):
        give(bench, envelope)
    bench.pass_time(6)
    assert [u.status.value for u in bench.learn_updates] == ["running", "finished"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digest": "0" * 64}, "does not run here"),
        ({"method": "lstm"}, "'lstm' is not known here"),
        ({"issued_at": int(NOW) - 9, "expires_at": int(NOW) - 1}, "expired"),
    ],
)
def test_a_task_that_it_cannot_do_is_refused_with_the_reason(
    bench, peer, digit_network, changes, said
):
    give(bench, peer.sign_task(peer.task(bench.device_id, digit_network, **changes)))
    assert bench.learn_updates[-1].status is LearnStatus.REFUSED
    assert said in bench.learn_updates[-1].detail


def test_a_network_without_features_cannot_learn(tmp_path, peer, stream, world):
    network = as_tflite(random_dense(16, seed=1), exports_features=False)
    bench = working(tmp_path, peer, stream, world, network, "nucleo-f401re")
    give(bench, peer.sign_task(peer.task(bench.device_id, network)))
    assert "does not export its features" in bench.learn_updates[-1].detail


def test_other_peoples_tasks_are_not_answered(bench, peer, digit_network):
    foreign = peer.task("unit-2", digit_network)
    give(bench, peer.sign_task(foreign))
    stranger = ec.generate_private_key(ec.SECP256R1())
    give(bench, sign_task(peer.task(bench.device_id, digit_network, task=uuid.uuid4()), stranger))
    give(bench, b"\x00\x01")
    assert bench.learn_updates == []
