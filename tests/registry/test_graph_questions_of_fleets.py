"""Competency questions about boards and devices: what stands in the way, and how much."""

import pytest

from ontology.namespaces import expand
from ontology.store import MemoryStore
from registry.models import CapabilityProfile, Device, FirmwareBuild, Release
from registry.services.graph_sync import drain
from tests.registry.asking import answers, variant
from tests.registry.graph_world import MICROPHONE, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return make_world()


def projected():
    """The graph of the inventory as it is now."""
    store = MemoryStore()
    drain(store)
    return store


def make_cramped(world, arena=40_000, slot=80_000):
    """A device like those that hear, but with a little less memory."""
    firmware = FirmwareBuild.objects.create(
        board=world.nano, name="edge", version="1.0", runtime=world.runtime,
        arena_budget_bytes=arena, slot_bytes=slot, operators={"CONV_2D": 5, "SOFTMAX": 2},
        dtypes=["int8"], capacity_digest="d" * 64,
    )  # fmt: skip
    profile = CapabilityProfile.objects.create(
        digest="d" * 64, board=world.nano, firmware=firmware, sensors=[MICROPHONE]
    )
    Device.objects.create(device_id="cramped", status="accepted", profile=profile)


def test_which_constraints_keep_a_variant_off_how_many_devices(world):
    store = projected()
    rows = answers(store, "blocking-constraints", variant=variant(world.small))
    assert [(row["constraint"], row["devices"]) for row in rows] == [
        ("operators", 2),
        ("sensors", 1),
    ]


def test_which_operators_block_the_most_variants(world):
    store = projected()
    assert answers(store, "blocking-operators") == [
        {"operator": "RESHAPE", "variants": 1, "lackingIn": 1}
    ]


def test_which_devices_a_variant_misses_by_memory_alone(world):
    make_cramped(world)
    store = projected()
    rows = answers(store, "near-misses", variant=variant(world.large))
    assert [(row["name"], row["flashShort"], row["ramShort"]) for row in rows] == [
        ("cramped", 10_000, 10_000)
    ]
    assert answers(store, "near-misses", variant=variant(world.small)) == []


def test_a_device_that_is_short_of_ram_alone_has_flash_enough(world):
    make_cramped(world, slot=90_000)
    store = projected()
    (row,) = answers(store, "near-misses", variant=variant(world.large))
    assert (row["flashShort"], row["ramShort"]) == (0, 10_000)


def test_which_kinds_of_board_run_a_variant(world):
    store = projected()
    assert answers(store, "smallest-boards", variant=variant(world.large)) == [
        {
            "board": "nano",
            "name": "Nano",
            "ramBytes": 262_144,
            "flashBytes": 1_048_576,
            "assumed": False,
        }
    ]


def test_which_fits_rest_on_an_assumption(world):
    world.large.sensors = []
    world.large.save()
    world.tiny.ram_bytes = 200_000
    world.tiny.save()
    store = projected()
    rows = answers(store, "assumed-fits")
    assert [(row["deviceName"], row["variantName"]) for row in rows] == [("shed", "words/1/large")]


def test_who_must_state_which_facts(world):
    world.small.sensors = None
    world.small.save()
    world.bare.sensors = None
    world.bare.save()
    store = projected()
    rows = answers(store, "undeclared")
    assert [(row["name"], row["constraint"]) for row in rows] == [
        ("tiny bbbbbbbb", "Sensors"),
        ("words/1/small", "Sensors"),
    ]


def test_which_devices_run_something_else_than_the_champion(world):
    model = world.release.model
    model.champion = Release.objects.create(model=model, number=2)
    model.save()
    store = projected()
    rows = answers(store, "off-champion")
    assert [(r["deviceName"], r["variantName"], r["championName"]) for r in rows] == [
        ("kitchen", "words/1/large", "words release 2")
    ]
    model.champion = world.release
    model.save()
    store = projected()
    assert answers(store, "off-champion") == []


def test_which_firmware_runs_where(world):
    store = projected()
    (row,) = answers(store, "firmware-devices")
    assert (row["name"], row["runtime"], row["devices"]) == (
        "edge 1.0",
        "tflite-micro 2024 cmsis_nn",
        2,
    )
    assert (row["arenaBudgetBytes"], row["slotBytes"]) == (60_000, 100_000)


def test_which_boards_can_observe_a_property(world):
    world.nano.onboard_sensors.update(least=94.0, greatest=120.0, unit="dB", power_mw=1.5)
    world.nano.save()
    store = projected()
    assert answers(store, "boards-observing", property=expand("tf:SoundPressure")) == [
        {
            "board": "nano",
            "name": "Nano",
            "part": "MP34DT05",
            "maxRateHz": 16_000.0,
            "least": 94.0,
            "greatest": 120.0,
            "unit": "dB",
            "powerMilliwatts": 1.5,
        }
    ]
    assert answers(store, "boards-observing", property=expand("tf:Image")) == []


def test_which_sensor_parts_draw_the_most(world):
    drawn = {"part": "LSM9DS1", "current_ma": 1.9, "conditions": "both on", "source": "data sheet"}
    for kind in ("accelerometer", "gyroscope"):
        world.nano.onboard_sensors.create(kind=kind, **drawn)
    world.nano.onboard_sensors.filter(part="MP34DT05").update(current_ma=0.65)
    world.tiny.onboard_sensors.create(kind="light", part="ALS-PT19")
    world.tiny.onboard_sensors.create(kind="gyroscope", **drawn)
    store = projected()
    assert answers(store, "thirstiest-sensors") == [
        {
            "part": "LSM9DS1",
            "milliamperes": 1.9,
            "conditions": "both on",
            "source": "data sheet",
            "boards": 2,
        },
        {"part": "MP34DT05", "milliamperes": 0.65, "boards": 1},
    ]
