"""Updates at 2 kB/s through a broker that is killed on the way and forgets all that it retained."""

from __future__ import annotations

import pytest

from tests.device.server import MOSQUITTO
from tests.e2e.installation import wait_for
from tests.faults.conftest import networks
from tests.faults.outcomes import each_ended_well_and_once, is_over
from tests.faults.small_fleet import MEMBERS, SmallFleet
from tests.seeds import drawn

BYTES_PER_S = 2000.0
WITHIN_S = 120.0
UPDATE_BYTES = len(MEMBERS) * min(map(len, networks()))
"""So much goes over the link from the order on, whatever else does."""
BROKER = "mosquitto" if MOSQUITTO.exists() else "amqtt"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def update_slowly(fleet: SmallFleet, moments: list[int]) -> None:
    """The broker dies whenever so many bytes have gone over the link since the order."""
    fleet.link.bytes_per_s = BYTES_PER_S
    try:
        began = fleet.link.delivered_bytes
        rollout = fleet.send()
        for moment in moments:
            reached = began + moment
            wait_for(
                f"{moment} bytes", lambda at=reached: fleet.link.delivered_bytes >= at, WITHIN_S
            )
            fleet.installation.kill("broker")
        wait_for("every device to end", lambda: is_over(fleet, rollout), WITHIN_S)
    finally:
        fleet.link.bytes_per_s = None
    each_ended_well_and_once(fleet, rollout)


@pytest.mark.parametrize("fleet", [BROKER], indirect=True)
def test_an_update_at_2_kb_per_s_survives_a_broker_that_forgets(fleet: SmallFleet) -> None:
    update_slowly(fleet, [drawn("slow link").randrange(UPDATE_BYTES)])


@pytest.mark.soak
@pytest.mark.parametrize("number", range(4))
def test_an_update_at_2_kb_per_s_survives_brokers_that_forget(
    fleet: SmallFleet, number: int
) -> None:
    random = drawn(f"slow link {number}")
    update_slowly(fleet, sorted(random.sample(range(UPDATE_BYTES), random.randint(1, 2))))
