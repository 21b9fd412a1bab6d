"""SIGKILL of each process at each state of a deployment: nothing is lost, nothing happens twice.

A rollout is brought to a state and held there, the process is killed, everything goes on. Then each
device has ended well, once, by what the database says, by what the device said and by its flash.
`make test` draws a few pairs of process and state, `make soak` tries all of them.
"""

from __future__ import annotations

import itertools
from contextlib import suppress

import psutil
import pytest

from orchestrator.policy.lifecycle import COURSE
from orchestrator.protocol.messages import DeploymentStatus as Status
from tests.device.server import MOSQUITTO
from tests.e2e.installation import wait_for
from tests.faults.outcomes import each_ended_well_and_once, is_in, is_over
from tests.faults.small_fleet import SmallFleet
from tests.seeds import sample

PROCESSES = ["gateway", "scheduler", "web", "worker", "signer", "graph", "broker"]
PAIRS = list(itertools.product(COURSE, PROCESSES))
SAMPLES = 2
AT_THE_BROKER = ["gateway", "broker"]
"""What the kind of broker makes a difference to: with the embedded one the others are drawn."""
EMBEDDED = [pair for pair in PAIRS if pair[1] in AT_THE_BROKER]
EMBEDDED += sample("embedded", [pair for pair in PAIRS if pair not in EMBEDDED], 6)
STATE_WITHIN_S, FINAL_WITHIN_S = 60.0, 120.0
SOAK_S = 3
"""Long enough for `installed` to be seen, and for what was killed in it to be missed."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Hold:
    """Lets a rollout go as far as a state and no further, until it is lifted.

    Without its signer nothing gets beyond `pending`. The gateway itself must not be stopped for
    that: it could hold the database's lock just then.
    """

    def __init__(self, fleet: SmallFleet, state: Status) -> None:
        self._link = fleet.link
        self._stopped: psutil.Process | None = None
        if state is Status.PENDING:
            pid = fleet.installation.pid("signer")
            assert pid is not None, "the signer ended by itself"
            self._stopped = psutil.Process(pid)
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
    """The rollout in which the process was killed while a deployment was in that state.

    The process comes back meanwhile; who needs it waits for it.
    """
    installation = fleet.installation
    installation.wait_until_ready("signer", process)
    hold = Hold(fleet, state)
    rollout = fleet.send(SOAK_S if state is Status.INSTALLED else 0)
    try:
        wait_for(
            f"a deployment to be {state}",
            lambda: is_in(fleet, rollout, state),
            STATE_WITHIN_S,
        )
        installation.kill(process)
    finally:
        hold.lift()
    wait_for("every device to end", lambda: is_over(fleet, rollout), FINAL_WITHIN_S)
    return rollout


@pytest.mark.parametrize("state, process", sample("kills", PAIRS, SAMPLES))
@pytest.mark.parametrize("fleet", ["mosquitto" if MOSQUITTO.exists() else "amqtt"], indirect=True)
def test_a_process_killed_at_a_state(fleet: SmallFleet, state: Status, process: str) -> None:
    each_ended_well_and_once(fleet, kill_at(fleet, state, process))


@pytest.mark.soak
@pytest.mark.parametrize("state, process", PAIRS)
@pytest.mark.parametrize("fleet", ["mosquitto"], indirect=True)
def test_any_process_killed_at_any_state(fleet: SmallFleet, state: Status, process: str) -> None:
    each_ended_well_and_once(fleet, kill_at(fleet, state, process))


@pytest.mark.soak
@pytest.mark.parametrize("state, process", EMBEDDED)
@pytest.mark.parametrize("fleet", ["amqtt"], indirect=True)
def test_a_process_killed_at_a_state_with_the_embedded_broker(
    fleet: SmallFleet, state: Status, process: str
) -> None:
    each_ended_well_and_once(fleet, kill_at(fleet, state, process))
