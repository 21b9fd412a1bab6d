"""Boards, devices, fleets, models, releases and variants as JSON."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from registry.models import Device, Fleet, RegisteredModel
from registry.services import inventory
from registry.services.catalogue import load_catalogue
from registry.services.networks import open_release

pytestmark = pytest.mark.django_db


def results(client: Client, path: str, **query) -> list[dict]:
    answer = client.get(f"/api/v1/{path}/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def test_boards_are_filtered_by_their_facts(reader: Client) -> None:
    load_catalogue()
    small = results(reader, "boards", ram_bytes__lte=20480)
    assert {"nucleo-l073rz", "bbc-microbit-v1"} <= {board["slug"] for board in small}
    assert all(board["ram_bytes"] <= 20480 for board in small)
    hearing = results(reader, "boards", onboard_sensors__kind="microphone", vendor="Arduino")
    assert "arduino-nano-33-ble-sense" in {board["slug"] for board in hearing}


def test_a_board_tells_its_sensors_and_its_source(reader: Client) -> None:
    load_catalogue()
    board = reader.get("/api/v1/boards/arduino-nano-33-ble-sense/").json()
    assert board["source"]
    microphone = next(sensor for sensor in board["sensors"] if sensor["kind"] == "microphone")
    assert microphone["max_rate_hz"] == 16000


def test_pages_have_a_length_and_a_place(reader: Client) -> None:
    load_catalogue()
    page = reader.get("/api/v1/boards/", {"limit": 2, "offset": 2}).json()
    assert len(page["results"]) == 2
    assert page["count"] > 60
    assert page["previous"]


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        ("boards", {"limit": "all"}, "limit"),
        ("boards", {"offset": "-1"}, "offset"),
        ("boards", {"ram_bytes__gte": "much"}, "ram_bytes__gte"),
        ("devices", {"status": "asleep"}, "status"),
        ("releases", {"number": "one"}, "number"),
        ("variants", {"max_bytes": "x"}, "max_bytes"),
        ("variants", {"max_bytes": "1" * 25}, "max_bytes"),
        ("variants", {"release": "1" * 25}, "release"),
        ("releases", {"number": "1" * 25}, "number"),
        ("devices", {"installed": "1" * 25}, "installed"),
        ("devices", {"installed": "-1"}, "installed"),
    ],
)
def test_a_bad_parameter_is_named(reader: Client, path: str, query, name: str) -> None:
    answer = reader.get(f"/api/v1/{path}/", query)
    assert answer.status_code == 400
    assert list(answer.json()) == [name]


@pytest.mark.parametrize("name", ["ram_bytes__gte", "flash_bytes__lte"])
def test_a_size_that_no_column_holds_is_no_error_of_ours(reader: Client, name: str) -> None:
    assert reader.get("/api/v1/boards/", {name: "1" * 25}).status_code in {200, 400}


def test_a_device_shows_its_profile_and_what_it_runs(
    reader: Client, make_device, make_variant
) -> None:
    device = make_device("cam-01")
    inventory.set_installed(device, make_variant("base"), device.created_at)
    shown = reader.get("/api/v1/devices/cam-01/").json()
    assert shown["profile"]["board"] == "disco-f746ng"
    assert shown["profile"]["firmware"]["slot_bytes"] == 131072
    assert shown["installed"]["variant"] == "digits/1/base"
    assert shown["td"]["title"] == "A camera"


def test_a_description_with_a_byte_order_mark_is_shown(reader: Client, make_device) -> None:
    device = make_device("cam-01")
    device.td = f"\ufeff{device.td}"  # some editors write one; it is kept with the text
    device.save()
    shown = reader.get("/api/v1/devices/cam-01/").json()
    assert shown["td"]["title"] == "A camera"


def test_devices_are_filtered(reader: Client, make_device) -> None:
    make_device("cam-01")
    make_device("cam-02", board="nucleo-f103rb")
    inventory.save_fleet(Fleet(slug="hall", name="Hall"), Device.objects.filter(device_id="cam-01"))
    assert [d["device_id"] for d in results(reader, "devices", board="nucleo-f103rb")] == ["cam-02"]
    assert [d["device_id"] for d in results(reader, "devices", fleet="hall")] == ["cam-01"]
    assert results(reader, "devices", status="revoked") == []


def test_a_fleet_is_made_filled_and_removed(owner: Client, make_device) -> None:
    make_device("cam-01")
    make_device("cam-02")
    body = {"slug": "hall", "name": "Hall", "devices": ["cam-01", "cam-02"]}
    made = owner.post("/api/v1/fleets/", body, "application/json")
    assert made.status_code == 201
    assert made.json() == {"slug": "hall", "name": "Hall", "description": "", "device_count": 2}
    patch = owner.patch("/api/v1/fleets/hall/", {"devices": ["cam-02"]}, "application/json")
    assert patch.json()["device_count"] == 1
    kept = owner.patch("/api/v1/fleets/hall/", {"name": "The hall"}, "application/json")
    assert (kept.json()["name"], kept.json()["device_count"]) == ("The hall", 1)
    assert owner.delete("/api/v1/fleets/hall/").status_code == 204
    assert Device.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"slug": "hall", "name": "Hall", "devices": ["nobody"]}, "devices"),
        ({"slug": "not a slug", "name": "Hall"}, "slug"),
        ({"name": "Hall"}, "slug"),
    ],
)
def test_a_bad_fleet_is_refused_by_its_field(owner: Client, body, name: str) -> None:
    answer = owner.post("/api/v1/fleets/", body, "application/json")
    assert answer.status_code == 400
    assert list(answer.json()) == [name]
    assert not Fleet.objects.exists()


def test_a_model_is_made_and_gets_a_champion(owner: Client) -> None:
    body = {"name": "digits", "task": "digit recognition"}
    assert owner.post("/api/v1/models/", body, "application/json").status_code == 201
    open_release("digits")
    open_release("digits")
    changed = owner.patch("/api/v1/models/digits/", {"champion": 2}, "application/json")
    assert changed.json()["champion"] == 2
    cleared = owner.patch("/api/v1/models/digits/", {"champion": None}, "application/json")
    assert cleared.json()["champion"] is None


@pytest.mark.parametrize(
    ("body", "name"), [({"champion": 7}, "champion"), ({"name": "other"}, "name")]
)
def test_a_model_keeps_its_name_and_its_own_releases(owner: Client, body, name: str) -> None:
    open_release("digits")
    answer = owner.patch("/api/v1/models/digits/", body, "application/json")
    assert answer.status_code == 400
    assert list(answer.json()) == [name]
    assert RegisteredModel.objects.get().champion is None


def test_releases_and_variants_are_found_by_their_model(reader: Client, make_variant) -> None:
    make_variant("base", accuracy=0.9)
    open_release("other")
    release = results(reader, "releases", model="digits")[0]
    assert [variant["name"] for variant in release["variants"]] == ["base"]
    variant = results(reader, "variants", model="digits", release=1)[0]
    assert variant["variant"] == "digits/1/base"
    assert "description" not in variant
    accuracy = next(m for m in variant["measurements"] if m["metric"] == "accuracy")
    assert (accuracy["value"], accuracy["status"], accuracy["runtime"]) == (0.9, "measured", None)
    detail = reader.get(f"/api/v1/variants/{variant['id']}/").json()
    assert detail["description"] == {}
    assert detail["sensors"] == [{"kind": "camera", "rate_hz": 5, "shape": None}]


def test_what_is_not_there_is_404(reader: Client) -> None:
    for path in ("boards/none/", "devices/none/", "variants/9/", "variants/9/compatible-devices/"):
        assert reader.get(f"/api/v1/{path}").status_code == 404


@pytest.mark.parametrize("resource", ["devices", "variants", "releases", "fleets", "models"])
def test_longer_lists_cost_no_more_queries(
    reader: Client, make_device, make_variant, resource: str
) -> None:
    def add(numbers: range) -> None:
        for number in numbers:
            variant = make_variant(f"variant-{number}", accuracy=0.5)
            device = make_device(f"cam-{number}", slotBytes=10_000 + number)
            inventory.set_installed(device, variant, device.created_at)
            inventory.save_fleet(Fleet(slug=f"fleet-{number}", name="Some"), [device])
            open_release(f"model-{number}")

    def ask() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as counted:
            found = results(reader, resource)
        return len(found), len(counted)

    add(range(2))
    few, queries = ask()
    add(range(2, 12))
    assert ask() == (few + 10, queries)
