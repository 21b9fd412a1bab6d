"""Devices describe themselves: what is taken from a Thing Description, and what is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontology.facts import Sensor
from registry.formats.thing_description import (
    DescriptionError,
    DescriptionLimits,
    parse_description,
)
from registry.models import (
    CapabilityProfile,
    Device,
    FirmwareBuild,
    GraphChange,
    Runtime,
)
from registry.services.things import describe_device
from tests.registry.conftest import TD

LIMIT = 65536
LIMITS = DescriptionLimits(LIMIT, max_depth=32, max_affordances=1000)
IRI = "https://w3id.org/tinyfleet/ontology#"


def test_a_description_becomes_a_profile_and_stays_as_it_came(make_device, make_td) -> None:
    device = make_device("cam-01")
    row = Device.objects.select_related("profile__firmware__runtime").get(pk=device.pk)
    firmware = row.profile.firmware
    assert row.td == make_td("cam-01").decode()
    assert row.profile.board.slug == "disco-f746ng"
    assert (firmware.name, firmware.version) == ("tinyfleet-sim", "1.0.0")
    assert (firmware.arena_budget_bytes, firmware.slot_bytes) == (65536, 131072)
    assert firmware.operators["CONV_2D"] == 3
    assert firmware.dtypes == ["int32", "int8"]
    assert str(firmware.runtime) == "tflite-micro 2024 cmsis_nn"
    assert row.profile.sensors == [{"kind": "camera", "max_rate_hz": 10.0, "shape": [8, 8, 1]}]


def test_the_same_description_again_writes_nothing(make_device, make_td) -> None:
    device = make_device("cam-01")
    GraphChange.objects.all().delete()
    describe_device(device, make_td("cam-01"))
    assert not GraphChange.objects.exists()


def test_equal_devices_share_one_profile(make_device) -> None:
    first, second = make_device("cam-01"), make_device("cam-02")
    assert first.profile == second.profile
    assert CapabilityProfile.objects.count() == FirmwareBuild.objects.count() == 1


def test_the_order_of_sensors_makes_no_other_profile(make_device) -> None:
    sensors = [{"tf:kind": "camera"}, {"tf:kind": "microphone", "tf:maxRateHz": 16000}]
    one = make_device("cam-01", sensors=sensors)
    other = make_device("cam-02", sensors=sensors[::-1])
    assert one.profile == other.profile


@pytest.mark.parametrize(
    "capacity",
    [
        {"slotBytes": 65536},
        {"arenaBudgetBytes": 1024},
        {"operators": {"CONV_2D": 2}},
        {"dtypes": ["int8"]},
    ],
)
def test_another_capacity_under_the_same_version_is_another_build(
    make_device, capacity: dict[str, Any]
) -> None:
    first, second = make_device("cam-01"), make_device("cam-02", **capacity)
    assert first.profile != second.profile
    assert FirmwareBuild.objects.count() == 2


def test_a_later_description_moves_the_device_to_another_profile(make_device, make_td) -> None:
    device, twin = make_device("cam-01"), make_device("cam-02")
    describe_device(device, make_td("cam-01", slotBytes=1024))
    device.refresh_from_db()
    assert device.profile.firmware.slot_bytes == 1024
    assert Device.objects.get(pk=twin.pk).profile.firmware.slot_bytes == 131072


def test_what_is_not_said_is_not_known(make_device) -> None:
    device = make_device("cam-01", slotBytes=None, operators=None, dtypes=None, sensors=None)
    firmware = device.profile.firmware
    assert firmware.slot_bytes is firmware.operators is firmware.dtypes is None
    assert device.profile.sensors is None


def test_no_sensors_is_something_else_than_unknown_ones(make_device) -> None:
    assert make_device("cam-01", sensors=[]).profile.sensors == []


def test_a_board_without_firmware_has_the_sensors_of_the_catalogue(boards, make_bare_td) -> None:
    boards["raspberry-pi-pico"].onboard_sensors.create(kind="temperature", part="on chip")
    for slug, sensors in (
        ("raspberry-pi-pico", [{"kind": "temperature", "max_rate_hz": None, "shape": None}]),
        ("nucleo-f103rb", None),
    ):
        device = Device.objects.create(device_id=slug)
        describe_device(device, make_bare_td(slug, slug))
        assert device.profile.firmware is None
        assert device.profile.sensors == sensors


def test_an_unknown_operator_and_runtime_are_kept(make_device) -> None:
    operators = {"CUSTOM:my_op": 1, "SOMETHING_NEW": 7}
    runtime = {"tf:name": "homemade", "tf:version": "0.1"}
    device = make_device("cam-01", operators=operators, runtime=runtime)
    assert device.profile.firmware.operators == operators
    row = Runtime.objects.get(name="homemade")
    assert (row.operators, row.kernels) == ({}, "")


def test_a_thing_without_our_terms_is_stored_without_a_profile(boards) -> None:
    device = Device.objects.create(device_id="cam-01")
    td = {key: value for key, value in TD.items() if not key.startswith("tf:")}
    describe_device(device, json.dumps(td).encode())
    device.refresh_from_db()
    assert device.profile is None
    assert json.loads(device.td) == td


def renamed(prefix: str) -> dict[str, Any]:
    text = json.dumps(TD).replace('"tf:', f'"{prefix}:').replace('"tf"', f'"{prefix}"')
    return json.loads(text)


def with_full_iris() -> dict[str, Any]:
    td = json.loads(json.dumps(TD).replace('"tf:', f'"{IRI}'))
    return td | {"@context": TD["@context"][0]}


def with_terms() -> dict[str, Any]:
    td = json.loads(json.dumps(TD).replace('"tf:', '"'))
    names = "board firmware capacity name version arenaBudgetBytes slotBytes runtime kernels"
    names += " operators dtypes sensors kind maxRateHz shape"
    terms = {name: {"@id": f"x:{name}"} for name in names.split()}
    return td | {"@context": [TD["@context"][0], {"x": IRI}, terms]}


def with_vocabulary() -> dict[str, Any]:
    td = json.loads(json.dumps(TD).replace('"tf:', '"'))
    return td | {"@context": [TD["@context"][0], {"@vocab": IRI}]}


def with_value_objects() -> dict[str, Any]:
    td = copy.deepcopy(TD)
    td["tf:board"] = {"@value": "disco-f746ng"}
    td["tf:capacity"]["tf:slotBytes"] = {"@value": 131072, "@type": "xsd:integer"}
    td["tf:capacity"]["tf:sensors"] = td["tf:capacity"]["tf:sensors"][0]
    td["security"] = "basic_sc"
    return td


@pytest.mark.parametrize(
    "td",
    [renamed("tinyfleet"), with_full_iris(), with_terms(), with_vocabulary(), with_value_objects()],
    ids=["prefix", "iris", "terms", "vocabulary", "value objects"],
)
def test_the_same_facts_may_be_written_in_any_form_that_json_ld_knows(td: dict[str, Any]) -> None:
    said = parse_description(json.dumps(td).encode(), LIMITS)
    plain = parse_description(json.dumps(TD).encode(), LIMITS)
    assert said.capacity.board == "disco-f746ng"
    assert said.capacity.firmware == plain.capacity.firmware
    assert said.capacity.sensors == plain.capacity.sensors == (Sensor("camera", 10.0, (8, 8, 1)),)


def test_a_prefix_that_means_something_else_is_left_alone() -> None:
    td = TD | {"@context": [TD["@context"][0], {"tf": "https://example.org/other#"}]}
    said = parse_description(json.dumps(td).encode(), LIMITS)
    assert said.capacity.board is said.capacity.firmware is None


def changed(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(td: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        for name in parents:
            td = td[name]
        td[last] = value

    return change


def without(path: str) -> Callable[[dict[str, Any]], None]:
    def change(td: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        for name in parents:
            td = td[name]
        del td[last]

    return change


CAPACITY = "tf:capacity"


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        (without("@context"), "", "lacks @context"),
        (without("title"), "", "lacks title"),
        (without("security"), "", "lacks security"),
        (without("securityDefinitions"), "", "lacks securityDefinitions"),
        (changed("@context", "https://schema.org"), "/@context", "Thing Descriptions"),
        (changed("securityDefinitions", {}), "/securityDefinitions", "at least one"),
        (changed("security", ["other_sc"]), "/security/0", "'other_sc'"),
        (changed("title", 3), "/title", "text"),
        (changed("id", "urn:tinyfleet:device:cam-02"), "/id", "cam-02"),
        (changed("tf:board", "no-such-board"), "/tf:board", "no-such-board"),
        (changed("tf:board", ["disco-f746ng"]), "/tf:board", "text"),
        (without("tf:board"), "", "no board"),
        (without("tf:firmware"), "", "lacks firmware"),
        (without("tf:capacity"), "", "lacks capacity"),
        (changed("tf:firmware/tf:version", 1), "/tf:firmware/tf:version", "text"),
        (without("tf:firmware/tf:name"), "/tf:firmware", "lacks name"),
        (changed(CAPACITY, "much"), "/tf:capacity", "not an object"),
        (without("tf:capacity/tf:runtime"), "/tf:capacity", "lacks runtime"),
        (
            changed("tf:capacity/tf:runtime/tf:name", "a b"),
            "/tf:capacity/tf:runtime/tf:name",
            "word",
        ),
        (changed("tf:capacity/tf:slotBytes", -1), "/tf:capacity/tf:slotBytes", "-1"),
        (changed("tf:capacity/tf:slotBytes", 2**53), "/tf:capacity/tf:slotBytes", "2^53"),
        (changed("tf:capacity/tf:slotBytes", 1.5), "/tf:capacity/tf:slotBytes", "1.5"),
        (changed("tf:capacity/tf:slotBytes", True), "/tf:capacity/tf:slotBytes", "True"),
        (changed("tf:capacity/tf:slotBytes", "64k"), "/tf:capacity/tf:slotBytes", "'64k'"),
        (changed("tf:capacity/tf:operators", ["ADD"]), "/tf:capacity/tf:operators", "object"),
        (
            changed("tf:capacity/tf:operators", {"ADD": 0}),
            "/tf:capacity/tf:operators/ADD",
            "from 1",
        ),
        (changed("tf:capacity/tf:operators", {"": 1}), "/tf:capacity/tf:operators", "empty"),
        (changed("tf:capacity/tf:operators", {"A\u0007": 1}), "/tf:capacity/tf:operators", "name"),
        (changed("tf:capacity/tf:dtypes", ["int8", 8]), "/tf:capacity/tf:dtypes/1", "text"),
        (
            changed("tf:capacity/tf:sensors", [{"tf:maxRateHz": 1}]),
            "/tf:capacity/tf:sensors/0",
            "lacks kind",
        ),
        (
            changed("tf:capacity/tf:sensors", [{"tf:kind": "camera", "tf:maxRateHz": 0}]),
            "/tf:capacity/tf:sensors/0/tf:maxRateHz",
            "above 0",
        ),
        (
            changed("tf:capacity/tf:sensors", [{"tf:kind": "camera", "tf:shape": [8, 0]}]),
            "/tf:capacity/tf:sensors/0/tf:shape/1",
            "from 1",
        ),
        (lambda td: td.update({f"{IRI}board": "nucleo-f103rb"}), "", "says board twice"),
    ],
)
def test_a_bad_description_is_refused_at_its_place_and_changes_nothing(
    make_device, change: Callable[[dict[str, Any]], None], pointer: str, words: str
) -> None:
    device = make_device("cam-01")
    before = (device.td, device.profile_id)
    GraphChange.objects.all().delete()
    td = copy.deepcopy(TD)
    change(td)
    with pytest.raises(DescriptionError) as refused:
        describe_device(device, json.dumps(td).encode())
    assert refused.value.pointer == pointer
    assert words in str(refused.value)
    row = Device.objects.get(pk=device.pk)
    assert (row.td, row.profile_id) == before
    assert CapabilityProfile.objects.count() == 1
    assert not GraphChange.objects.exists()


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[1, 2]", "no Thing Description"),
        (b"null", "no Thing Description"),
        (b'{"a": NaN}', "NaN"),
        (b"\xff\xfe", "UTF-8 at byte 0"),
        (b"[" * 60000, "nested too deeply"),
        (b" " * (LIMIT + 1), f"more than the {LIMIT}"),
    ],
)
def test_bytes_that_are_no_description_are_refused(boards, payload: bytes, words: str) -> None:
    device = Device.objects.create(device_id="cam-01")
    with pytest.raises(DescriptionError, match="the description") as refused:
        describe_device(device, payload)
    assert words in str(refused.value)
    assert not Device.objects.get().td


def test_the_size_limit_is_a_setting(boards, make_td, settings) -> None:
    settings.DESCRIPTION_MAX_BYTES = 100
    device = Device.objects.create(device_id="cam-01")
    with pytest.raises(DescriptionError, match="more than the 100 allowed"):
        describe_device(device, make_td("cam-01"))


def test_a_prefix_that_is_defined_by_itself_ends() -> None:
    context = [TD["@context"][0], {"a": "b:c", "b": "a:d", "tf": "tf:x"}]
    said = parse_description(json.dumps(TD | {"@context": context}).encode(), LIMITS)
    assert said.capacity.board is None


def test_published_descriptions_of_other_things_are_read_or_refused_with_a_sentence(
    data_dir: Path,
) -> None:
    files = sorted((data_dir / "w3c-wot" / "tds").rglob("*.json*"))
    read = 0
    for file in files:
        try:
            said = parse_description(file.read_bytes(), LIMITS)
        except DescriptionError as error:
            assert error.problem
        else:
            read += 1
            assert said.capacity.board is None
    assert len(files) > 50
    assert read > 20


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
PLACES = ["tf:board", "tf:firmware", CAPACITY, "@context", "security", "securityDefinitions"]
PLACES += [f"{CAPACITY}/tf:{name}" for name in ("runtime", "operators", "sensors", "dtypes")]


@given(place=st.sampled_from(PLACES), value=JSON)
def test_whatever_stands_in_a_place_is_read_or_refused(place: str, value: Any) -> None:
    td = copy.deepcopy(TD)
    changed(place, value)(td)
    try:
        parse_description(json.dumps(td).encode(), LIMITS)
    except DescriptionError as error:
        assert error.pointer == "" or error.pointer.startswith("/")


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_and_nothing_worse(payload: bytes) -> None:
    with pytest.raises(DescriptionError):
        parse_description(payload, LIMITS)
