"""A network that went the way of a release: torch, litert-torch, ai-edge-quantizer, int8 file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device_firmware_sim.builds import BASIC_OPERATORS, BUILDS
from device_firmware_sim.learning.tinyol import OnlineLayer
from device_firmware_sim.runtime import Runtime, load_network
from device_firmware_sim.sensors import Camera, Surroundings, World
from orchestrator.protocol.learning import LearnTask
from orchestrator.protocol.messages import LearnStatus
from tests.device.bench import Bench
from tests.device.server import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def converted(tmp_path_factory, stream_file: Path) -> bytes:
    out = tmp_path_factory.mktemp("converted") / "net.tflite"
    line = [sys.executable, "-m", "tests.device.convert", str(stream_file), str(out)]
    answer = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert answer.returncode == 0, answer.stderr[-2000:]
    return out.read_bytes()


def test_it_reads_digits_with_channels_first(converted: bytes, stream):
    network = load_network(converted)
    assert network.source.shape == (1, 1, 8, 8) and network.source.dtype == np.int8
    right = [
        int(network.run(image).logits.argmax()) == label
        for image, label in zip(stream.images[1200:], stream.labels[1200:], strict=True)
    ]
    assert np.mean(right) > 0.85


def test_its_last_layer_is_found_though_quantized_by_channel(converted: bytes, stream):
    network = load_network(converted)
    assert network.last_layer is not None
    layer = OnlineLayer(np.vstack([network.last_layer.weights, network.last_layer.biases]))
    results = [network.run(image) for image in stream.images[:300]]
    same = [int(r.logits.argmax()) == layer.classify(r.features) for r in results]
    assert np.mean(same) > 0.97


def test_the_smallest_useful_boards_run_it(converted: bytes):
    for board in ("bluepill-f103c8", "disco-l072cz-lrwan1", "nucleo-f103rb"):
        build = BUILDS[board]
        assert len(converted) <= 16 * 1024
        runtime = Runtime(build.kernels, build.operators, build.arena_budget_bytes)
        assert runtime.arena_of(runtime.load(converted)) < 5 * 1024
    assert load_network(converted).operators.keys() <= BASIC_OPERATORS.keys()


def test_a_device_installs_it_and_learns_on_it(tmp_path, peer, stream, converted: bytes):
    world = World()
    bench = Bench(
        tmp_path,
        "nucleo-f103rb",
        peer.keys,
        camera=Camera(stream, world, 1),
        samples_per_second=50,
        keeps_telemetry=True,
    )
    bench.join()
    bench.retained |= peer.blocks(converted)
    bench.order(peer.sign(peer.manifest(bench.device_id, bench.build, converted)))
    assert bench.words[-1] == "installed"
    world.now = Surroundings("invert")
    bench.pass_time(3)
    task: LearnTask = peer.task(bench.device_id, converted, samples=600)
    bench.send("tinyfleet/v1/unit-1/learn/task", peer.sign_task(task), retain=True)
    bench.pass_time(20)
    finished = bench.learn_updates[-1]
    assert finished.status is LearnStatus.FINISHED
    assert finished.accuracy_after > finished.accuracy_before + 0.4
