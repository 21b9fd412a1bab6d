"""What fits what over REST: a pair, a device's variants, a variant's devices."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from registry.models import Device, DeviceStatus, Fleet
from registry.services.inventory import save_fleet

pytestmark = pytest.mark.django_db
PAIR = "/api/v1/compatibility/"
REASON = {"constraint", "need", "have", "unit", "headroom", "holds", "basis"}


def test_a_pair_has_a_verdict_with_a_reason_a_constraint(
    reader: Client, make_device, make_variant
) -> None:
    make_device("cam-01", arenaBudgetBytes=1024)
    variant = make_variant("base")
    answer = reader.get(PAIR, {"device": "cam-01", "variant": variant.pk}).json()
    assert answer["verdict"] == "does_not_fit"
    assert answer["assumed"] is False
    assert all(set(reason) == REASON for reason in answer["reasons"])
    assert answer["reasons"][1] == {
        "constraint": "ram",
        "need": 20_000,
        "have": 1024,
        "unit": "B",
        "headroom": 1024 - 20_000,
        "holds": False,
        "basis": {"status": "derived", "source": "plan", "error": None},
    }


def test_a_variant_goes_by_its_name_too(reader: Client, make_device, make_variant) -> None:
    make_device("cam-01")
    make_variant("base")
    answer = reader.get(PAIR, {"device": "cam-01", "variant": "digits/1/base"})
    assert answer.json()["verdict"] == "fits"


def test_what_is_not_known_is_no_fit(reader: Client, make_device, make_variant) -> None:
    make_device("cam-01")
    make_variant("base", arena=None)
    answer = reader.get(PAIR, {"device": "cam-01", "variant": "digits/1/base"}).json()
    assert answer["verdict"] == "unknown"
    ram = answer["reasons"][1]
    assert (ram["need"], ram["headroom"], ram["holds"]) == (None, None, None)


@pytest.mark.parametrize(
    ("limits", "verdict", "constraint"),
    [
        ({"accuracy": 0.8}, "fits", "accuracy"),
        ({"accuracy": 0.95}, "does_not_fit", "accuracy"),
        ({"latency_ms": 5}, "unknown", "latency"),
        ({"energy_mj": 1}, "unknown", "energy"),
    ],
)
def test_limits_are_judged_on_request(
    reader: Client, make_device, make_variant, limits, verdict: str, constraint: str
) -> None:
    make_device("cam-01")
    make_variant("base", accuracy=0.9)
    query = {"device": "cam-01", "variant": "digits/1/base", **limits}
    answer = reader.get(PAIR, query).json()
    assert answer["verdict"] == verdict
    assert answer["reasons"][-1]["constraint"] == constraint


@pytest.mark.parametrize(
    ("query", "status", "name"),
    [
        ({"variant": "digits/1/base"}, 400, "device"),
        ({"device": "cam-01"}, 400, "variant"),
        ({"device": "nobody", "variant": "digits/1/base"}, 404, "device"),
        ({"device": "cam-01", "variant": "digits/1/none"}, 404, "variant"),
        ({"device": "cam-01", "variant": "digits"}, 404, "variant"),
        ({"device": "cam-01", "variant": "9" * 30}, 404, "variant"),
        ({"device": "cam-01", "variant": "digits/1/base", "accuracy": 97}, 400, "accuracy"),
        ({"device": "cam-01", "variant": "digits/1/base", "latency_ms": "x"}, 400, "latency_ms"),
    ],
)
def test_a_bad_question_names_its_parameter(
    reader: Client, make_device, make_variant, query, status: int, name: str
) -> None:
    make_device("cam-01")
    make_variant("base")
    answer = reader.get(PAIR, query)
    assert answer.status_code == status
    assert list(answer.json()) == [name]


def variants_of(client: Client, device: str, **query) -> dict[str, str]:
    page = client.get(f"/api/v1/devices/{device}/compatible-variants/", query).json()
    return {row["variant"]: row["verdict"] for row in page["results"]}


def test_a_device_lists_what_fits_it(reader: Client, make_device, make_variant) -> None:
    make_device("cam-01")
    make_variant("base")
    make_variant("large", size=10_000_000)
    make_variant("untold", arena=None)
    assert variants_of(reader, "cam-01") == {"digits/1/base": "fits"}
    assert variants_of(reader, "cam-01", verdict="unknown") == {"digits/1/untold": "unknown"}
    assert len(variants_of(reader, "cam-01", verdict="any")) == 3
    page = reader.get("/api/v1/devices/cam-01/compatible-variants/?verdict=any&limit=1").json()
    assert (page["count"], len(page["results"])) == (3, 1)
    assert page["results"][0]["reasons"]


def devices_of(client: Client, variant, **query) -> dict[str, str]:
    path = f"/api/v1/variants/{variant.pk}/compatible-devices/?{urlencode(query)}"
    page = client.get(path).json()
    return {row["device"]: row["verdict"] for row in page["results"]}


def test_a_variant_lists_the_devices_that_it_fits(
    reader: Client, make_device, make_variant
) -> None:
    variant = make_variant("base")
    first = make_device("cam-01")
    make_device("cam-02", slotBytes=1)
    make_device("cam-03", described=False)
    save_fleet(Fleet(slug="hall", name="Hall"), [first])
    Device.objects.filter(device_id="cam-02").update(status=DeviceStatus.REVOKED)
    assert devices_of(reader, variant) == {"cam-01": "fits"}
    assert devices_of(reader, variant, verdict="does_not_fit") == {"cam-02": "does_not_fit"}
    assert devices_of(reader, variant, verdict="unknown") == {"cam-03": "unknown"}
    assert len(devices_of(reader, variant, verdict="any")) == 3
    assert devices_of(reader, variant, verdict="any", fleet="hall") == {"cam-01": "fits"}
    revoked = devices_of(reader, variant, verdict="any", status="revoked")
    assert revoked == {"cam-02": "does_not_fit"}
    assert devices_of(reader, variant, board="nucleo-f103rb") == {}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"verdict": "perhaps"}, "verdict"),
        ({"status": "asleep"}, "status"),
        ({"accuracy": 2}, "accuracy"),
    ],
)
def test_a_bad_filter_names_its_parameter(reader: Client, make_variant, query, name: str) -> None:
    variant = make_variant("base")
    answer = reader.get(f"/api/v1/variants/{variant.pk}/compatible-devices/", query)
    assert answer.status_code == 400
    assert list(answer.json()) == [name]


def test_two_hundred_devices_cost_as_many_queries_as_two(
    reader: Client, make_device, make_variant
) -> None:
    variant = make_variant("base")
    path = f"/api/v1/variants/{variant.pk}/compatible-devices/?limit=1000"

    def ask() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as counted:
            page = reader.get(path).json()
        assert len(page["results"]) == page["count"]
        return page["count"], len(counted)

    for number in range(2):
        make_device(f"cam-{number}", slotBytes=20_000 + number)
    few, queries = ask()
    profiles = [make_device(f"more-{n}", slotBytes=30_000 + n).profile for n in range(20)]
    Device.objects.bulk_create(
        Device(device_id=f"many-{n}", status=DeviceStatus.ACCEPTED, profile=profiles[n % 20])
        for n in range(178)
    )
    assert few == 2
    assert ask() == (200, queries)
    assert queries <= 14


def test_a_shelf_of_variants_costs_as_many_queries_as_two(
    reader: Client, make_device, make_variant
) -> None:
    make_device("cam-01")

    def ask() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as counted:
            count = len(variants_of(reader, "cam-01"))
        return count, len(counted)

    for number in range(2):
        make_variant(f"variant-{number}")
    _, queries = ask()
    for number in range(2, 30):
        make_variant(f"variant-{number}")
    assert ask() == (30, queries)
