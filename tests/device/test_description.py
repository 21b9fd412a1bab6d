"""What a device tells of itself: exactly its build, as a valid Thing Description."""

from __future__ import annotations

import json

import pytest

from device_firmware_sim.builds import BUILDS
from device_firmware_sim.td import thing_description
from orchestrator.protocol import topics

COLUMNS = ("arena_budget_bytes", "slot_bytes")


@pytest.mark.parametrize("board", sorted(BUILDS))
def test_the_capacity_is_the_builds(board: str):
    build = BUILDS[board]
    td = json.loads(thing_description("unit-1", build, "10.0.0.1", 1884))
    assert td["id"] == "urn:tinyfleet:device:unit-1" and td["tf:board"] == board
    capacity = td["tf:capacity"]
    assert capacity["tf:arenaBudgetBytes"] == build.arena_budget_bytes
    assert capacity["tf:slotBytes"] == build.slot_bytes
    assert capacity["tf:operators"] == dict(build.operators)
    assert capacity["tf:runtime"]["tf:kernels"] in ("reference", "cmsis_nn", "esp_nn")
    assert [each["tf:kind"] for each in capacity["tf:sensors"]] == [p.kind for p in build.sensors]


def test_its_properties_name_real_topics():
    td = json.loads(thing_description("unit-1", BUILDS["esp32dev"], "10.0.0.1", 1884))
    hrefs = {form["href"] for p in td["properties"].values() for form in p["forms"]}
    prefix = "mqtt://10.0.0.1:1884/"
    assert hrefs == {
        prefix + topic("unit-1") for topic in (topics.online, topics.state, topics.telemetry)
    }


@pytest.mark.parametrize("board", ["esp32dev", "nrf51-dk"])
def test_it_is_valid_by_the_w3c_schema(data_dir, board: str):
    jsonschema = pytest.importorskip("jsonschema")
    schemas = list((data_dir / "w3c-wot").rglob("*schema*.json"))
    assert schemas
    schema = json.loads(next(p for p in schemas if "td" in p.name.lower()).read_text())
    td = json.loads(thing_description("unit-1", BUILDS[board], "localhost", 1883))
    jsonschema.Draft7Validator(schema).validate(td)
