"""The Thing Description (W3C WoT TD 1.1) by which a device tells what it is and what it can do."""

from __future__ import annotations

import json
from typing import Any

from device_firmware_sim.builds import (
    FIRMWARE_NAME,
    FIRMWARE_VERSION,
    RUNTIME_NAME,
    RUNTIME_VERSION,
    Build,
)
from orchestrator.protocol import topics

SENML_JSON = "application/senml+json"
SENML_CBOR = "application/senml+cbor"


def thing_description(device_id: str, build: Build, host: str, port: int) -> bytes:
    """The description as JSON; the capacity in it is exactly the build's."""
    base = f"mqtt://{host}:{port}/"
    return json.dumps(
        {
            "@context": [
                "https://www.w3.org/2022/wot/td/v1.1",
                {"tf": "https://w3id.org/tinyfleet/ontology#"},
            ],
            "@type": ["tf:Device"],
            "id": f"urn:tinyfleet:device:{device_id}",
            "title": f"{build.title} ({device_id})",
            "securityDefinitions": {"basic_sc": {"scheme": "basic", "in": "header"}},
            "security": ["basic_sc"],
            "tf:board": build.board,
            "tf:firmware": {"tf:name": FIRMWARE_NAME, "tf:version": FIRMWARE_VERSION},
            "tf:capacity": _capacity(build),
            "properties": _properties(device_id, build, base),
        },
        separators=(",", ":"),
    ).encode()


def _capacity(build: Build) -> dict[str, Any]:
    return {
        "tf:arenaBudgetBytes": build.arena_budget_bytes,
        "tf:slotBytes": build.slot_bytes,
        "tf:runtime": {
            "tf:name": RUNTIME_NAME,
            "tf:version": RUNTIME_VERSION,
            "tf:kernels": build.kernels,
        },
        "tf:operators": dict(build.operators),
        "tf:dtypes": list(build.dtypes),
        "tf:sensors": [
            {"tf:kind": part.kind, "tf:maxRateHz": part.max_rate_hz, "tf:shape": list(part.shape)}
            for part in build.sensors
        ],
    }


def _properties(device_id: str, build: Build, base: str) -> dict[str, Any]:
    senml = SENML_CBOR if build.speaks_cbor else SENML_JSON
    return {
        "online": _property(
            "Whether the device is connected", base + topics.online(device_id), "application/json"
        ),
        "state": _property(
            "Which model runs, and in which slot",
            base + topics.state(device_id),
            "application/json",
        ),
        "telemetry": _property(
            "Samples, accuracy, latency and memory", base + topics.telemetry(device_id), senml
        ),
    }


def _property(description: str, href: str, content_type: str) -> dict[str, Any]:
    form = {"href": href, "op": ["observeproperty"], "contentType": content_type}
    return {
        "description": description,
        "type": "array" if "senml" in content_type else "object",
        "readOnly": True,
        "observable": True,
        "forms": [form],
    }
