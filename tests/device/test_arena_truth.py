"""A device whose arena is smaller than foreseen refuses, keeps what it has, and is believed."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_firmware_sim.fleet import default_fleet
from device_firmware_sim.measured import (
    FACTS,
    FactsError,
    error_of,
    measured_arenas,
    read_arenas,
    read_errors,
)
from device_firmware_sim.memory import arena_bytes
from device_firmware_sim.runtime import NetworkRefused, Runtime, load_network
from orchestrator.protocol.messages import DeploymentStatus, ResultCode, Shortage
from tests.device.bench import Bench
from tests.device.networks import as_tflite, random_dense
from tests.device.real_server import RealServer, until
from tests.device.server import MOSQUITTO, ROOT

BOARD = "nucleo-f401re"
SEED = next(s for s in range(1000) if default_fleet(1, s)[0].build.board == BOARD)
(MEMBER,) = default_fleet(1, SEED)


def reckoned(data: bytes) -> int:
    return arena_bytes(load_network(data).graph, MEMBER.build.kernels)


def publish(bench: Bench, peer, data: bytes) -> None:
    bench.retained |= peer.blocks(data, (10,))
    order = peer.manifest(
        bench.device_id, bench.build, data, block_exponents=(10,), arena_bytes=1000
    )
    bench.order(peer.sign(order))


def test_the_shipped_figures_are_the_measured_ones(data_dir: Path) -> None:
    facts = json.loads(FACTS.read_text())
    measured = {}
    with (data_dir / "tflm" / "cortex_m4_measured.csv").open() as rows:
        for row in csv.DictReader(rows):
            path = data_dir / row["model"].replace("ren/", "ren/models/")
            if row["status"] == "ok":
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                measured[digest] = int(row["arena_min_bytes"])
    assert facts["arena_min_bytes"] == measured
    assert measured_arenas("cmsis_nn") == measured
    assert measured_arenas("reference") == {}


def test_a_device_goes_by_what_was_measured(tmp_path, peer, data_dir: Path) -> None:
    """To the byte: an arena of one byte less is too small, whatever the planner reckons."""
    data = (data_dir / "ren/models/ARM_DS_CNN_Small_.tflite").read_bytes()
    need = measured_arenas("cmsis_nn")[hashlib.sha256(data).hexdigest()]
    operators = load_network(data).operators
    facts = measured_arenas("cmsis_nn")
    for error in (0.1, 1.0, 10.0):
        Runtime("cmsis_nn", operators, need, facts, error).load(data)
        with pytest.raises(NetworkRefused) as refused:
            Runtime("cmsis_nn", operators, need - 1, facts, error).load(data)
        assert refused.value.shortage == Shortage(need, need - 1)


def test_a_refusal_states_need_and_have_and_again_after_a_reboot(
    tmp_path, peer, small_network, other_network
) -> None:
    bench = Bench(tmp_path, BOARD, peer.keys)
    bench.join()
    publish(bench, peer, small_network)
    have = bench.build.arena_budget_bytes
    need = reckoned(other_network)
    error = 2.0 * have / need
    digest = hashlib.sha256(other_network).hexdigest()
    cramped = Bench(
        tmp_path, BOARD, peer.keys, arena_error=error, measured_arena=kept(small_network)
    )
    cramped.power_on()
    cramped.connect()
    publish(cramped, peer, other_network)
    for _ in range(2):
        word = cramped.reports[-1]
        assert (word.status, word.code) == (
            DeploymentStatus.REJECTED,
            ResultCode.ARENA_TOO_SMALL,
        )
        assert word.shortage == Shortage(math.ceil(need * error), have)
        assert cramped.said_state.digest not in (None, digest)
        cramped.power_on()
        cramped.connect()


def kept(data: bytes) -> dict[str, int]:
    """So that the injected error is about the other network only."""
    return {hashlib.sha256(data).hexdigest(): reckoned(data)}


def test_errors_are_given_for_all_devices_and_for_one() -> None:
    errors = read_errors(["1.5", "cam-01=0.5"])
    assert [error_of(device, errors) for device in ("cam-01", "cam-02")] == [0.5, 1.5]
    assert error_of("cam-01", read_errors([])) == 1.0


@pytest.mark.parametrize("text", ["", "a", "0", "-1", "inf", "nan", "cam=", "cam=x"])
def test_a_factor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FactsError, match="is no factor"):
        read_errors([text])


@pytest.mark.parametrize(
    "text", ["", "[]", '{"ab": 1}', '{"%s": 0}', '{"%s": true}', '{"%s": 1.5}']
)
def test_figures_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "arenas.json"
    path.write_text(text.replace("%s", "ab" * 32))
    with pytest.raises(FactsError):
        read_arenas(path)


class Simulator:
    """One simulated device as a process, whose networks take more than anybody foresaw."""

    def __init__(self, server: RealServer, folder: Path, factor: float) -> None:
        keys = server.var / "keys"
        device = MEMBER.device_id
        known = folder / "known.csv"
        known.write_text(f"device_id\n{device}\n")
        server.ask("import_known_devices", str(known))
        options = {
            "port": server.port,
            "devices": 1,
            "seed": SEED,
            "trust": keys / "trust",
            "enrol-password-file": keys / "enrol-mqtt",
            "state-dir": folder / "state",
            "arena-error": f"{device}={factor}",
        }
        given = [f"--{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "device_firmware_sim", *given],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)


@pytest.fixture
def server(tmp_path) -> Iterator[RealServer]:
    if not MOSQUITTO.exists():
        pytest.skip("Mosquitto is not installed")
    (tmp_path / "server").mkdir()
    server = RealServer(tmp_path / "server")
    yield server
    server.stop()


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    """Two networks: of the larger one an injected error can make too much, of the smaller not."""
    found = {}
    for name, hidden in (("large", 500), ("small", 16)):
        found[name] = tmp_path / f"{name}.tflite"
        found[name].write_bytes(as_tflite(random_dense(hidden, seed=hidden)))
    return found


@pytest.mark.slow
def test_an_arena_that_was_foreseen_too_small_is_corrected_in_the_registry(
    tmp_path, server, files
) -> None:
    large, small = (reckoned(files[name].read_bytes()) for name in ("large", "small"))
    have = MEMBER.build.arena_budget_bytes
    factor = have / math.sqrt(large * small)
    assert small * factor < have < large * factor, "the factor parts the two"
    device = MEMBER.device_id
    simulator = Simulator(server, tmp_path, factor)
    try:
        until("described", lambda: (server.ask("device", device) or [{}])[0].get("profile"))
        variants = server.ask(
            "release", "digits", str(files["large"]), "0.97", str(files["small"]), "0.9"
        )
        foreseen = server.ask("match", "--device", device, "--json")
        assert {json.loads(line)["verdict"] for line in foreseen.splitlines()} == {"fits"}

        rollout = ("rollout", "create", "--release", "digits/1", "--device", device, "--start")
        server.ask(*rollout, "--name", "first")
        until("refused", lambda: server.newest(device)["status"] == "rejected")
        told = server.newest(device)
        assert (told["variant__name"], told["result_code"]) == ("large", "arena_too_small")
        need = math.ceil(large * factor)
        assert str(need) in told["detail"] and str(have) in told["detail"]

        figures = server.ask("arenas", str(variants["large"]))
        (measured,) = [row for row in figures if row["status"] == "measured"]
        assert (measured["value"], measured["board__slug"]) == (need, BOARD)
        now = [
            json.loads(x) for x in server.ask("match", "--device", device, "--json").splitlines()
        ]
        verdicts = {row["variant"].rpartition("/")[2]: row["verdict"] for row in now}
        assert verdicts == {"large": "does_not_fit", "small": "fits"}

        server.ask(*rollout, "--name", "second")
        until("another one", lambda: server.newest(device)["status"] in {"installed", "confirmed"})
        assert server.newest(device)["variant__name"] == "small"
    finally:
        simulator.stop()
