"""The shipped catalogue, and what becomes of a faulty one."""

from __future__ import annotations

import json
import textwrap
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from registry.formats.tflite import parse
from registry.models import BoardType, Device, GraphChange, OnboardSensor, Runtime
from registry.services.catalogue import CATALOGUE_DIR, CatalogueError, Change, load_catalogue
from registry.services.catalogue_entries import read_catalogue
from registry.services.things import describe_device

pytestmark = pytest.mark.django_db

BOARD = """
boards:
  - slug: some-board
    name: Some board
    vendor: Some maker
    mcu: MCU1
    core: cortex-m4f
    clock_hz: 64000000
    ram_bytes: 65536
    flash_bytes: 524288
    url: https://example.org/board
    source: its maker's page
"""
SENSORS = """\
    sensors:
      - {kind: microphone, part: MIC1, max_rate_hz: 16000, shape: [1]}
"""
PARTS = """
parts:
  - {kind: microphone, part: MIC1, max_rate_hz: 48000, shape: [1], current_ma: 0.5,
     conditions: awake, source: its data sheet}
"""
RUNTIME = """
runtimes:
  - name: tflite-micro
    version: "2024"
    kernels: reference
    source: its source
    dtypes: [int8]
    operators: {CONV_2D: 3}
"""
DEMO_BOARDS = {
    "nucleo-l073rz",
    "disco-l072cz-lrwan1",
    "nucleo-f103rb",
    "bluepill-f103c8",
    "nrf51-dk",
    "bbc-microbit-v1",
    "arduino-nano-33-iot",
    "arduino-nano-33-ble-sense",
    "raspberry-pi-pico",
    "esp32dev",
    "esp32-s3-devkitc-1",
    "disco-f746ng",
    "nucleo-h743zi",
    "nucleo-f401re",
    "seeed-xiao-esp32c3",
}


def folder(tmp_path: Path, *texts: str) -> Path:
    for number, text in enumerate(texts):
        (tmp_path / f"file{number}.yaml").write_text(textwrap.dedent(text))
    return tmp_path


def test_the_shipped_catalogue_loads_and_loading_it_again_changes_nothing() -> None:
    first = load_catalogue()
    marks = GraphChange.objects.count()
    second = load_catalogue()
    assert first.boards[Change.CREATED] == BoardType.objects.count() >= 60
    assert second.boards == {Change.UNCHANGED: BoardType.objects.count()}
    assert second.runtimes == {Change.UNCHANGED: Runtime.objects.count()}
    assert GraphChange.objects.count() == marks


def test_the_shipped_catalogue_has_facts_and_a_source_for_every_board() -> None:
    boards = {board.slug: board for board in read_catalogue(CATALOGUE_DIR).boards}
    assert boards.keys() >= DEMO_BOARDS
    sense = boards["arduino-nano-33-ble-sense"]
    microphone = next(sensor for sensor in sense.sensors if sensor.kind == "microphone")
    assert (sense.ram_bytes, sense.flash_bytes) == (256 * 1024, 1024 * 1024)
    assert (microphone.part, microphone.max_rate_hz) == ("MP34DT05", 16000)
    thermometer = next(sensor for sensor in sense.sensors if sensor.kind == "temperature")
    assert (thermometer.least, thermometer.greatest, thermometer.unit) == (-40, 120, "°C")
    assert all(board.ram_bytes < board.flash_bytes for board in boards.values())


def test_tflite_micro_is_there_with_each_kernel_set() -> None:
    load_catalogue()
    rows = {row.kernels: row for row in Runtime.objects.filter(name="tflite-micro")}
    assert rows.keys() == {"reference", "cmsis_nn", "esp_nn"}
    assert rows["cmsis_nn"].operators["FULLY_CONNECTED"] >= 4
    assert "int8" in rows["esp_nn"].dtypes


def test_every_reference_network_runs_on_the_catalogued_runtime(data_dir: Path) -> None:
    """TFLite Micro's own example networks need nothing that its catalogue entry lacks."""
    runtime = read_catalogue(CATALOGUE_DIR).runtimes[0]
    for file in sorted((data_dir / "tflite-micro").glob("*.tflite")):
        network = parse(file.read_bytes())
        for name, version in network.operator_versions.items():
            assert runtime.operators.get(name, 0) >= version, (file.name, name, version)
        assert {dtype.lower() for dtype in network.dtypes} <= set(runtime.dtypes)


def test_catalogue_facts_agree_with_the_board_manifests(data_dir: Path) -> None:
    manifests = json.loads((data_dir / "platformio" / "boards.json").read_text())
    compared = 0
    for board in read_catalogue(CATALOGUE_DIR).boards:
        if not board.source.startswith("PlatformIO"):
            continue
        manifest = manifests[board.source.split("manifest ")[1].split(",")[0]]
        assert board.ram_bytes == manifest["ram_bytes"], board.slug
        assert board.flash_bytes == manifest["flash_bytes"], board.slug
        assert board.clock_hz == int(manifest["f_cpu"].rstrip("L")), board.slug
        compared += 1
    assert compared >= 60


def test_a_changed_fact_updates_its_row_alone(tmp_path: Path) -> None:
    load_catalogue(folder(tmp_path, BOARD + SENSORS, RUNTIME))
    GraphChange.objects.all().delete()
    report = load_catalogue(folder(tmp_path, BOARD.replace("65536", "131072") + SENSORS, RUNTIME))
    assert report.boards == {Change.UPDATED: 1}
    assert report.runtimes == {Change.UNCHANGED: 1}
    assert BoardType.objects.get().ram_bytes == 131072
    assert list(GraphChange.objects.values_list("kind", "subject")) == [("board", "some-board")]


def test_changed_sensors_reach_devices_that_have_no_firmware(tmp_path: Path, make_bare_td) -> None:
    load_catalogue(folder(tmp_path, BOARD + SENSORS))
    device = Device.objects.create(device_id="bare-1")
    describe_device(device, make_bare_td("bare-1", "some-board"))
    load_catalogue(folder(tmp_path, BOARD + SENSORS.replace("16000", "48000")))
    device.refresh_from_db()
    assert device.profile.sensors == [{"kind": "microphone", "max_rate_hz": 48000.0, "shape": [1]}]


def test_what_is_said_of_a_part_holds_on_every_board_that_names_it(tmp_path: Path) -> None:
    plain = SENSORS.replace(", max_rate_hz: 16000, shape: [1]", "")
    other = BOARD.replace("some-board", "other-board") + SENSORS
    load_catalogue(folder(tmp_path, BOARD + plain, other, PARTS))
    rows = {row.board.slug: row for row in OnboardSensor.objects.select_related("board")}
    assert {slug: row.max_rate_hz for slug, row in rows.items()} == {
        "some-board": 48000.0,
        "other-board": 16000.0,
    }
    for row in rows.values():
        assert (row.current_ma, row.conditions, row.source) == (0.5, "awake", "its data sheet")
    assert load_catalogue(tmp_path).boards == {Change.UNCHANGED: 2}


def test_every_rate_range_and_current_that_is_shipped_says_where_it_was_read() -> None:
    sensors = [sensor for board in read_catalogue(CATALOGUE_DIR).boards for sensor in board.sensors]
    stated = [
        sensor
        for sensor in sensors
        if any(fact is not None for fact in (sensor.max_rate_hz, sensor.least, sensor.current_ma))
    ]
    assert len(stated) > 50
    assert [sensor for sensor in stated if not sensor.source] == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (BOARD.replace("65536", "64k"), ["board some-board", "ram_bytes", "'64k'"]),
        (BOARD.replace("65536", "0"), ["board some-board", "ram_bytes", "above 0"]),
        (BOARD.replace("65536", "true"), ["ram_bytes", "True"]),
        (BOARD.replace("    mcu: MCU1\n", ""), ["board some-board", "lacks mcu"]),
        (BOARD.replace("mcu: MCU1", "chip: MCU1"), ["unknown key 'chip'"]),
        (BOARD.replace("some-board", "Some Board"), ["slug", "lower-case"]),
        (BOARD.replace("https://example.org/board", "example.org"), ["url", "http"]),
        (BOARD.replace("source: its maker's page", "source: ''"), ["source"]),
        (BOARD + BOARD.split("boards:\n")[1], ["board some-board", "given twice"]),
        (BOARD + SENSORS.replace("16000", "-1"), ["sensors max_rate_hz", "-1"]),
        (BOARD + SENSORS + SENSORS.splitlines()[1] + "\n", ["same kind and part"]),
        (BOARD + SENSORS.replace("[1]", "[1], least: 3, greatest: 2"), ["least", "greatest"]),
        (BOARD + SENSORS.replace("[1]", "[1], least: 3"), ["go together"]),
        (BOARD + SENSORS.replace("[1]", "[1], unit: Pa"), ["go together"]),
        (BOARD + SENSORS.replace("[1]", "[1], power_mw: -1"), ["power_mw", "-1"]),
        (BOARD + SENSORS.replace("[1]", "[1], current_ma: -1"), ["current_ma", "milliamperes"]),
        (BOARD + SENSORS.replace("[1]", "[1], conditions: awake"), ["without a current"]),
        (
            BOARD + PARTS.replace(", source: its data sheet", ""),
            ["part microphone MIC1", "source"],
        ),
        (BOARD + PARTS + "\n".join(PARTS.splitlines()[2:]), ["given twice"]),
        (BOARD + PARTS.replace("MIC1", "MIC1, least: 3"), ["microphone MIC1", "go together"]),
        (BOARD + SENSORS.replace("[1]", "[1], least: low, greatest: 2"), ["least", "'low'"]),
        (BOARD + SENSORS.replace("kind: microphone, ", ""), ["sensors lacks kind"]),
        (RUNTIME.replace("CONV_2D: 3", "CONV_2D: x"), ["runtime tflite-micro 2024", "'x'"]),
        (RUNTIME.replace('"2024"', "2024"), ["version", "2024"]),
        ("boards: [", ["not readable YAML"]),
        ("boards: {}", ["must be a list"]),
        ("things: []", ["boards or runtimes"]),
        ("", ["boards or runtimes"]),
        ("boards:\n  - 3\n", ["board 1", "mapping"]),
        ("boards: []\nboards: []\n", ["twice"]),
        ("boards: !!python/object:os.system []", ["not readable YAML"]),
    ],
)
def test_a_faulty_file_is_named_with_entry_and_rule_and_changes_nothing(
    tmp_path: Path, text: str, names: list[str]
) -> None:
    good = tmp_path / "good"
    good.mkdir()
    load_catalogue(folder(good, BOARD))
    with pytest.raises(CatalogueError) as refused:
        load_catalogue(folder(tmp_path, RUNTIME.replace("reference", "esp_nn"), text))
    for name in ["file1.yaml", *names]:
        assert name in str(refused.value)
    assert BoardType.objects.get().ram_bytes == 65536
    assert not Runtime.objects.exists()


def test_the_command_reports_what_it_did(tmp_path: Path) -> None:
    out = StringIO()
    call_command("load_catalogue", str(folder(tmp_path, BOARD, RUNTIME)), stdout=out)
    assert out.getvalue().splitlines() == [
        "boards:   1 created, 0 updated, 0 unchanged",
        "runtimes: 1 created, 0 updated, 0 unchanged",
    ]


@pytest.mark.parametrize(("make", "words"), [(True, "has no .yaml file"), (False, "is no folder")])
def test_the_command_refuses_a_folder_without_files(tmp_path: Path, make: bool, words: str) -> None:
    place = tmp_path / "empty"
    if make:
        place.mkdir()
    with pytest.raises(CommandError, match=words):
        call_command("load_catalogue", str(place))
