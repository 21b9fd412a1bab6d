"""The gateway is killed again and again while telemetry comes in: each sample is kept once.

Real devices' rings and links, a real broker, a real gateway process. `make test` sends some
thousands of samples, `make soak` a hundred thousand under ten kills, on both brokers.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.server import MOSQUITTO
from tests.e2e.installation import wait_for
from tests.faults.small_installation import SmallInstallation
from tests.faults.talkers import ROOM, Talk
from tests.seeds import drawn

DEVICES = 20
NAMES = [f"talker-{number:02d}" for number in range(DEVICES)]
STORED = "SELECT count(*) FROM orchestrator_telemetry"
ROWS = """
SELECT registry_device.device_id, boot, sequence, samples, free_heap_bytes
FROM orchestrator_telemetry
JOIN registry_device ON registry_device.id = orchestrator_telemetry.device_id
ORDER BY registry_device.device_id, boot, sequence
"""
LOST = "SELECT coalesce(sum(count), 0) FROM orchestrator_droppedmessage WHERE reason = 'lost'"
REFUSED = "SELECT coalesce(sum(count), 0) FROM orchestrator_droppedmessage WHERE reason <> 'lost'"
UNHURRIED = {f"TINYFLEET_MQTT_MESSAGES_{each}": "1000000" for each in ("PER_S", "BURST")}
"""So many devices as a hundred thousand samples would take stay below the limit for one."""
READY_WITHIN_S, STORED_WITHIN_S = 60.0, 280.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class GatewayProcess:
    """One that is killed and started by the test, sooner than a supervisor would."""

    def __init__(self, installation: SmallInstallation) -> None:
        self._installation = installation
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = self._installation.start("run_gateway")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def has_started(self) -> bool:
        return "gateway ready" in self._installation.output_of("run_gateway")


@pytest.fixture(params=["mosquitto", "amqtt"])
def installation(request, tmp_path: Path) -> Iterator[SmallInstallation]:
    if request.param == "mosquitto" and not MOSQUITTO.exists():
        pytest.skip("Mosquitto is not installed; the embedded broker is tested")
    installation = SmallInstallation(tmp_path, request.param, NAMES, ("broker",), **UNHURRIED)
    try:
        installation.bring_up()
        yield installation
        installation.take_down()
    finally:
        installation.abandon()


@pytest.fixture
def gateway(installation: SmallInstallation) -> Iterator[GatewayProcess]:
    gateway = GatewayProcess(installation)
    gateway.start()
    yield gateway
    gateway.kill()


def talk(installation: SmallInstallation, *, is_patient: bool) -> Talk:
    password = (installation.var / "keys" / "enrol-mqtt").read_text().strip()
    folder, port = installation.var / "talkers", installation.ports["MQTT"]
    return Talk(folder, port, password, installation.tokens, is_patient=is_patient)


def number(installation: SmallInstallation, question: str) -> int:
    ((counted,),) = installation.ask(question)
    return int(counted)


def every_sample_is_kept_once(
    installation: SmallInstallation,
    gateway: GatewayProcess,
    packs: int,
    samples_per_pack: int,
    kills: int,
) -> None:
    random = drawn(f"telemetry {packs} {kills}")
    moments = sorted(random.sample(range(packs // 50, packs * 9 // 10), kills))
    talking = talk(installation, is_patient=True)
    talking.start(packs // DEVICES, samples_per_pack)
    try:
        for moment in moments:
            wait_for(
                f"{moment} packs to be kept",
                lambda moment=moment: number(installation, STORED) >= moment,
                STORED_WITHIN_S,
            )
            gateway.kill()
            gateway.start()
            wait_for("the gateway to be back", gateway.has_started, READY_WITHIN_S)
        wait_for(
            "every device to know that all is kept",
            lambda: all(
                t.source.given == t.source.wanted and not t.unacknowledged for t in talking.talkers
            ),
            STORED_WITHIN_S,
        )
    finally:
        talking.stop()
    assert installation.ask(ROWS) == talking.said
    assert len(talking.said) == packs
    assert (number(installation, LOST), number(installation, REFUSED)) == (0, 0)


def test_samples_are_kept_once_by_a_gateway_that_is_killed(installation, gateway) -> None:
    every_sample_is_kept_once(installation, gateway, 3_000, 1, kills=3)


@pytest.mark.soak
def test_a_hundred_thousand_samples_are_kept_once_by_a_gateway_that_is_killed_ten_times(
    installation, gateway
) -> None:
    every_sample_is_kept_once(installation, gateway, 10_000, 10, kills=10)


@pytest.mark.soak
def test_what_a_ring_cannot_hold_is_counted_and_told(installation, gateway) -> None:
    """Nobody listens for longer than the rings last: what is lost is known to the pack."""
    joining = talk(installation, is_patient=True)
    joining.start(0)
    wait_for("every device to join", lambda: all(t.is_member for t in joining.talkers), 60.0)
    joining.stop()
    gateway.kill()
    talking = talk(installation, is_patient=False)
    talking.start(2 * ROOM)
    try:
        wait_for("the rings to overflow", lambda: all(t.dropped for t in talking.talkers), 60.0)
        gateway.start()
        wait_for(
            "every device to know what is kept",
            lambda: not any(t.unacknowledged for t in talking.talkers),
            STORED_WITHIN_S,
        )
    finally:
        talking.stop()
    kept = installation.ask(ROWS)
    assert set(kept) < set(talking.said)
    assert len(kept) + number(installation, LOST) == len(talking.said)
    assert number(installation, REFUSED) == 0
