"""A small world for the inventory's tests: boards, devices that describe themselves, variants."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from ontology.facts import Figure, Metric, RuntimeId, Status
from registry.models import Artifact, BoardType, Device, DeviceStatus, Release, Variant
from registry.services import measurements
from registry.services.networks import open_release
from registry.services.things import describe_device

TD: dict[str, Any] = {
    "@context": [
        "https://www.w3.org/2022/wot/td/v1.1",
        {"tf": "https://w3id.org/tinyfleet/ontology#"},
    ],
    "@type": ["tf:Device"],
    "id": "urn:tinyfleet:device:cam-01",
    "title": "A camera",
    "securityDefinitions": {"basic_sc": {"scheme": "basic", "in": "header"}},
    "security": ["basic_sc"],
    "tf:board": "disco-f746ng",
    "tf:firmware": {"tf:name": "tinyfleet-sim", "tf:version": "1.0.0"},
    "tf:capacity": {
        "tf:arenaBudgetBytes": 65536,
        "tf:slotBytes": 131072,
        "tf:runtime": {
            "tf:name": "tflite-micro",
            "tf:version": "2024",
            "tf:kernels": "cmsis_nn",
        },
        "tf:operators": {"CONV_2D": 3, "FULLY_CONNECTED": 4, "RESHAPE": 1, "SOFTMAX": 2},
        "tf:dtypes": ["int8", "int32"],
        "tf:sensors": [{"tf:kind": "camera", "tf:maxRateHz": 10, "tf:shape": [8, 8, 1]}],
    },
    "properties": {"reading": {"type": "number", "forms": [{"href": "mqtt://broker/x"}]}},
}


@pytest.fixture(autouse=True)
def artifact_folder(tmp_path: Path, settings) -> Path:
    """Artifacts of a test lie in its own folder."""
    settings.MEDIA_ROOT = tmp_path / "artifacts"
    return settings.MEDIA_ROOT


@pytest.fixture
def boards(db) -> dict[str, BoardType]:
    """Three boards, from small to large."""
    facts = {
        "nucleo-f103rb": ("cortex-m3", 20480, 131072),
        "raspberry-pi-pico": ("cortex-m0plus", 270336, 2097152),
        "disco-f746ng": ("cortex-m7", 327680, 1048576),
    }
    return {
        slug: BoardType.objects.create(
            slug=slug,
            name=slug.upper(),
            vendor="Maker",
            mcu="MCU",
            core=core,
            clock_hz=72_000_000,
            ram_bytes=ram,
            flash_bytes=flash,
            url="https://example.org/",
            source="test",
        )
        for slug, (core, ram, flash) in facts.items()
    }


@pytest.fixture
def make_td():
    """A description of the form that devices send, with parts replaced."""

    def make(device_id: str = "cam-01", board: str = "disco-f746ng", **capacity: Any) -> bytes:
        td = copy.deepcopy(TD)
        td["id"] = f"urn:tinyfleet:device:{device_id}"
        td["tf:board"] = board
        td["tf:capacity"] |= {f"tf:{name}": value for name, value in capacity.items()}
        return json.dumps(td).encode()

    return make


@pytest.fixture
def make_bare_td():
    """A description that says nothing but its board."""

    def make(device_id: str, board: str) -> bytes:
        td = {key: value for key, value in TD.items() if not key.startswith("tf:")}
        return json.dumps(
            td | {"id": f"urn:tinyfleet:device:{device_id}", "tf:board": board}
        ).encode()

    return make


@pytest.fixture
def make_device(boards, make_td):
    """An accepted device; `described=False` leaves it without a description."""

    def make(
        device_id: str, board: str = "disco-f746ng", described: bool = True, **capacity: Any
    ) -> Device:
        device = Device.objects.create(device_id=device_id, status=DeviceStatus.ACCEPTED)
        if described:
            describe_device(device, make_td(device_id, board, **capacity))
        return device

    return make


@pytest.fixture
def release(db) -> Release:
    return open_release("digits", task="digit recognition")


@pytest.fixture
def make_variant(release):
    """A variant with stated needs; its bytes are never opened by these tests."""

    def make(
        name: str,
        size: int = 10_000,
        arena: int | None = 20_000,
        accuracy: float | None = None,
        kernels: str = "cmsis_nn",
        **columns: Any,
    ) -> Variant:
        digest = hashlib.sha256(name.encode()).hexdigest()
        artifact = Artifact.objects.create(sha256=digest, size_bytes=size, file=digest)
        needs = {
            "precision": "int8",
            "operators": {"CONV_2D": 3, "SOFTMAX": 2},
            "dtypes": ["int8", "int32"],
            "sensors": [{"kind": "camera", "rate_hz": 5, "shape": None}],
        }
        variant = Variant.objects.create(
            release=release, name=name, artifact=artifact, **(needs | columns)
        )
        figures = []
        if arena is not None:
            runtime = RuntimeId("tflite-micro", "", kernels)
            figures.append(Figure(Metric.ARENA_BYTES, arena, Status.DERIVED, "plan", runtime))
        if accuracy is not None:
            figures.append(Figure(Metric.ACCURACY, accuracy, Status.MEASURED, "test"))
        measurements.record(variant, figures)
        return variant

    return make


@pytest.fixture
def reader(django_user_model) -> Client:
    """Somebody signed in without any permission."""
    client = Client()
    client.force_login(django_user_model.objects.create_user("reader"))
    return client


@pytest.fixture
def owner(django_user_model) -> Client:
    """Somebody who may do everything."""
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("owner"))
    return client
