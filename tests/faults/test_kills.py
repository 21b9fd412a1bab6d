"""SIGKILL of each process at each state of a deployment: nothing is lost, nothing happens twice.

A rollout is brought to a state and held there, the process is killed, everything goes on. Then each
device has ended well, once, by what the database says, by what the device said and by its flash.
`make test` draws a few pairs of process and state, `make soak` tries all of them.
"""

from __future__ import annotations

import itertools
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from orchestrator.policy.lifecycle import COURSE
from orchestrator.protocol.messages import DeploymentStatus as Status
from tests.device.networks import as_tflite, random_dense
from tests.device.server import MOSQUITTO
from tests.e2e.installation import wait_for
from tests.faults.small_fleet import MEMBERS, SmallFleet
from tests.seeds import sample

PROCESSES = ["gateway", "scheduler", "web", "worker", "signer", "graph", "broker"]
PAIRS = list(itertools.product(COURSE, PROCESSES))
SAMPLES = 3
STATE_WITHIN_S, FINAL_WITHIN_S, BACK_WITHIN_S = 60.0, 120.0, 90.0
SOAK_S = 3
"""Long enough for `installed` to be seen, and for what was killed in it to be missed."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STATUSES = """
SELECT orchestrator_deployment.status FROM orchestrator_deployment
JOIN orchestrator_wave ON wave_id = orchestrator_wave.id WHERE rollout_id = ?
"""
OUTCOMES = """
SELECT registry_device.device_id, orchestrator_deployment.id, orchestrator_deployment.status,
       attempt, is_newest, is_open, orchestrator_deployment.sequence,
       orchestrator_deployment.variant_id = registry_device.installed_id
FROM orchestrator_deployment
JOIN registry_device ON registry_device.id = orchestrator_deployment.device_id
JOIN orchestrator_wave ON wave_id = orchestrator_wave.id WHERE rollout_id = ?
"""
EVENTS = "SELECT status FROM orchestrator_deploymentevent WHERE deployment_id = ? ORDER BY id"


def networks() -> list[bytes]:
    """Three, sent in turn: of two a device would hold the next one still in its other slot."""
    return [as_tflite(random_dense(hidden, seed=hidden)) for hidden in (56, 60, 64)]


@pytest.fixture(scope="module", params=["mosquitto", "amqtt"])
def fleet(request, tmp_path_factory) -> Iterator[SmallFleet]:
    if request.param == "mosquitto" and not MOSQUITTO.exists():
        pytest.skip("Mosquitto is not installed; the embedded broker is tested")
    fleet = SmallFleet(tmp_path_factory.mktemp(request.param), request.param)
    try:
        fleet.start(networks())
        yield fleet
        wait_for("the graph to agree", lambda: graph_agrees(fleet), 60.0)
        fleet.stop()
    finally:
        fleet.abandon()


def graph_agrees(fleet: SmallFleet) -> bool:
    return fleet.installation.start("check_graph").wait(60) == 0


class Hold:
    """Lets a rollout go as far as a state and no further, until it is lifted.

    Without its signer nothing gets beyond `pending`. The gateway itself must not be stopped for
    that: it could hold the database's lock just then.
    """

    def __init__(self, fleet: SmallFleet, state: Status) -> None:
        self._link = fleet.link
        self._stopped: psutil.Process | None = None
        if state is Status.PENDING:
            self._stopped = psutil.Process(fleet.installation.pid("signer"))
            self._stopped.suspend()
        elif state is not Status.INSTALLED:
            fleet.link.hold_before(COURSE[max(COURSE.index(state), 1) + 1])

    def lift(self) -> None:
        """Let everything go on, but for a signer that has been killed meanwhile."""
        self._link.release()
        if self._stopped is not None:
            with suppress(psutil.NoSuchProcess):
                self._stopped.resume()


def kill_at(fleet: SmallFleet, state: Status, process: str) -> int:
    """The rollout in which the process was killed while a deployment was in that state."""
    former = fleet.installation.pid(process)
    hold = Hold(fleet, state)
    rollout = fleet.send(SOAK_S if state is Status.INSTALLED else 0)
    try:
        wait_for(
            f"a deployment to be {state}",
            lambda: (state.value,) in fleet.installation.ask(STATUSES, rollout),
            STATE_WITHIN_S,
        )
        fleet.installation.signal(process, signal.SIGKILL)
    finally:
        hold.lift()
    wait_for(
        f"{process} to be back", lambda: fleet.installation.is_back(process, former), BACK_WITHIN_S
    )
    wait_for("every device to end", lambda: is_over(fleet, rollout), FINAL_WITHIN_S)
    return rollout


def is_over(fleet: SmallFleet, rollout: int) -> bool:
    statuses = fleet.installation.ask(STATUSES, rollout)
    return bool(statuses) and all(Status(status) not in COURSE for (status,) in statuses)


def each_ended_well_and_once(fleet: SmallFleet, rollout: int) -> None:
    outcomes = fleet.installation.ask(OUTCOMES, rollout)
    assert sorted(row[0] for row in outcomes) == sorted(MEMBERS)
    said = Counter((s.device, s.report.deployment, s.report.status) for s in fleet.link.reports)
    for device, deployment, *fields in outcomes:
        record = fleet.boot_record(device)
        assert record.outcome is not None
        assert record.outcome.deployment.hex == deployment
        assert fields == [Status.CONFIRMED, 1, True, False, record.settled, True], outcomes
        events = [Status(status) for (status,) in fleet.installation.ask(EVENTS, deployment)]
        assert events[-1] is Status.CONFIRMED
        places = [COURSE.index(status) for status in events[:-1]]
        assert places == sorted(set(places)), events
        installs = said[device, record.outcome.deployment, Status.INSTALLING]
        assert installs == 1, (device, installs)


@pytest.mark.parametrize("state, process", sample("kills", PAIRS, SAMPLES))
@pytest.mark.parametrize("fleet", ["mosquitto" if MOSQUITTO.exists() else "amqtt"], indirect=True)
def test_a_process_killed_at_a_state(fleet: SmallFleet, state: Status, process: str) -> None:
    each_ended_well_and_once(fleet, kill_at(fleet, state, process))


@pytest.mark.soak
@pytest.mark.parametrize("state, process", PAIRS)
def test_any_process_killed_at_any_state(fleet: SmallFleet, state: Status, process: str) -> None:
    each_ended_well_and_once(fleet, kill_at(fleet, state, process))
