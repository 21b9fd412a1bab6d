"""One small fleet on each broker for all tests of faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.device.networks import as_tflite, random_dense
from tests.device.server import MOSQUITTO
from tests.e2e.installation import wait_for
from tests.faults.small_fleet import SmallFleet


def networks() -> list[bytes]:
    """Three, sent in turn: of two a device would hold the next one still in its other slot."""
    return [as_tflite(random_dense(hidden, seed=hidden)) for hidden in (56, 60, 64)]


@pytest.fixture(scope="package", params=["mosquitto", "amqtt"])
def fleet(request, tmp_path_factory) -> Iterator[SmallFleet]:
    if request.param == "mosquitto" and not MOSQUITTO.exists():
        pytest.skip("Mosquitto is not installed; the embedded broker is tested")
    fleet = SmallFleet(tmp_path_factory.mktemp(request.param), request.param)
    try:
        fleet.start(networks())
        yield fleet
        fleet.installation.wait_until_ready()
        wait_for("the graph to agree", lambda: graph_agrees(fleet), 60.0)
        fleet.stop()
    finally:
        fleet.abandon()


def graph_agrees(fleet: SmallFleet) -> bool:
    return fleet.installation.start("check_graph").wait(60) == 0
